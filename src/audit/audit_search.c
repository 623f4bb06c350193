#include "audit/audit_search.h"

#include <string.h>

#include "audit/audit_line.h"
#include "base/instant.h"

struct search {
	const struct audit_query *query;
	struct json_parser       *parser;
	struct buffer             content;
};

static bool is(struct json root, const char *name, struct text wanted)
{
	struct json value = json_get(root, name);
	return json_type(value) == JSON_STRING && text_equal(json_string(value), wanted);
}

static bool action_is(struct text action, struct text wanted)
{
	return text_ends_with(wanted, TEXT(".")) ? text_starts_with(action, wanted)
	                                         : text_equal(action, wanted);
}

/* What costs least comes first; only what passes it is parsed. */
static bool matches(struct search *search, struct text line)
{
	const struct audit_query *query = search->query;
	struct audit_line         read;
	struct json               root;
	struct error              ignored;
	if (audit_line_read(line, &read, &ignored) == STATUS_INVALID ||
	    read.link.at_ms < query->from_ms || read.link.at_ms >= query->to_ms ||
	    read.link.seq >= query->before_seq ||
	    (query->action.length > 0 && !action_is(audit_line_action(line), query->action)))
		return false;
	if (query->unknown && !audit_line_unknown(line))
		return false;
	if (query->actor.length + query->target.length == 0)
		return true;
	if (json_parse_text(search->parser, line, &root, &ignored) != STATUS_OK)
		return false;
	return (query->actor.length == 0 || is(root, "user_id", query->actor)) &&
	       (query->target.length == 0 || is(root, "target", query->target));
}

/* Whether a file can hold what is asked for; what the next one begins with ends it. */
static bool reaches(const audit_file_list *files, size_t i, const struct audit_query *query)
{
	int64_t next_ms = i + 1 < files->count ? files->items[i + 1].first_ms : INSTANT_MS_NONE;
	return files->items[i].first_seq < query->before_seq &&
	       files->items[i].first_ms < query->to_ms &&
	       (next_ms == INSTANT_MS_NONE || next_ms >= query->from_ms);
}

/* A file that retention has dropped since is none. */
static enum status read_file(struct search *search, const char *directory,
                             const struct audit_file *file, struct error *err)
{
	struct error why = {0};
	buffer_clear(&search->content);
	enum status status =
		audit_file_read(directory, file->first_seq, file->bytes, &search->content, &why);
	if (status == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (status != STATUS_OK && err != NULL)
		*err = why;
	return status;
}

typedef VECTOR(struct text) line_list;

/* The matches of one file, from its end. */
static void collect(struct search *search, struct arena *arena, size_t limit, line_list *found)
{
	line_list          lines = {0};
	struct audit_lines i     = {.rest = buffer_text(&search->content)};
	while (audit_lines_next(&i))
		VECTOR_ADD(&lines, i.line);
	for (size_t k = lines.count; k > 0 && found->count < limit; k--)
		if (matches(search, lines.items[k - 1]))
			VECTOR_ADD(found, arena_text(arena, lines.items[k - 1]));
	VECTOR_DONE(&lines);
}

static uint64_t seq_of(struct text line)
{
	struct audit_line read = {0};
	struct error      ignored;
	return audit_line_read(line, &read, &ignored) == STATUS_INVALID ? 0 : read.link.seq;
}

enum status audit_search(const char *directory, const audit_file_list *files,
                         const struct audit_query *query, struct arena *arena,
                         struct text **ret_lines, size_t *ret_count, uint64_t *ret_next,
                         struct error *err)
{
	struct search search = {.query = query, .parser = json_parser_new()};
	line_list     found  = {0};
	uint64_t      read   = 0;
	uint64_t      next   = 0;
	enum status   status = STATUS_OK;
	for (size_t i = files->count; i > 0 && status == STATUS_OK; i--) {
		const struct audit_file *file = &files->items[i - 1];
		if (!reaches(files, i - 1, query))
			continue;
		if (found.count > query->limit)
			break;
		if (read >= (uint64_t)AUDIT_SEARCH_BYTES_MAX) {
			next = files->items[i].first_seq; /* i is at least one behind the last: it was read */
			break;
		}
		status = read_file(&search, directory, file, err);
		read += search.content.length;
		collect(&search, arena, query->limit + 1, &found);
	}
	json_parser_free(search.parser);
	buffer_done(&search.content);
	if (status == STATUS_OK) {
		if (found.count > query->limit) { /* the one more says that there is more */
			found.count--;
			next = seq_of(found.items[found.count - 1]);
		}
		*ret_lines = ARENA_ARRAY(arena, struct text, found.count + 1);
		*ret_count = found.count;
		*ret_next  = next;
		if (found.count > 0)
			memcpy(*ret_lines, found.items, found.count * sizeof found.items[0]);
	}
	VECTOR_DONE(&found);
	return status;
}

enum status audit_each(const char *directory, const audit_file_list *files,
                       const struct audit_query *query, audit_take_fn *take, void *context,
                       struct error *err)
{
	struct search search = {.query = query, .parser = json_parser_new()};
	enum status   status = STATUS_OK;
	bool          goes   = true;
	for (size_t i = 0; i < files->count && status == STATUS_OK && goes; i++) {
		if (!reaches(files, i, query))
			continue;
		status               = read_file(&search, directory, &files->items[i], err);
		struct audit_lines k = {.rest = buffer_text(&search.content)};
		while (status == STATUS_OK && goes && audit_lines_next(&k))
			goes = !matches(&search, k.line) || take(context, k.line);
	}
	json_parser_free(search.parser);
	buffer_done(&search.content);
	return status;
}
