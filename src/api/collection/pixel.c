/* GET /pixel/v1/{track,page}: a message in the query of a picture's address.
 *
 *   ?writeKey=K&anonymousId=7&event=Seen&properties.page=1&context.app.name=shop
 *   {"anonymousId":"7","event":"Seen","properties":{"page":"1"},"context":{"app":{"name":"shop"}}}
 *
 * All values are strings. Of parameters with one name the first counts. */

#include <stdio.h>

#include "api/call.h"
#include "api/collection/collect.h"
#include "api/handlers.h"

enum { PARAMETERS_MAX = 50, DEPTH_MAX = 8 };

/* What is left of the names below the object that is written. */
struct entry {
	struct text name;
	struct text value;
};

static struct text first_part(struct text name)
{
	const char *dot = memchr(name.data, '.', name.length);
	return dot == NULL ? name : (struct text){name.data, (size_t)(dot - name.data)};
}

static bool is_leaf(const struct entry *entry)
{
	return memchr(entry->name.data, '.', entry->name.length) == NULL;
}

static bool came_before(const struct entry *entries, size_t index, struct text part)
{
	for (size_t i = 0; i < index; i++)
		if (text_equal(first_part(entries[i].name), part))
			return true;
	return false;
}

static bool is_object(const struct entry *entries, size_t count, struct text part)
{
	for (size_t i = 0; i < count; i++)
		if (!is_leaf(&entries[i]) && text_equal(first_part(entries[i].name), part))
			return true;
	return false;
}

static enum status refuse(struct text part, const char *reason, struct error *err)
{
	char field[ERROR_FIELD_BYTES_MAX];
	snprintf(field, sizeof field, "%.*s", TEXT_FORMAT(part));
	return error_set_field(err, STATUS_INVALID, field, "%s", reason);
}

static enum status write_object(struct json_writer *w, struct arena *arena,
                                const struct entry *entries, size_t count, unsigned depth,
                                struct error *err);

/* The member `part`, an object, of those of the entries that lie in it. */
static enum status write_inner(struct json_writer *w, struct arena *arena,
                               const struct entry *entries, size_t count, struct text part,
                               unsigned depth, struct error *err)
{
	struct entry *inner       = ARENA_ARRAY(arena, struct entry, count);
	size_t        inner_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (!text_equal(first_part(entries[i].name), part))
			continue;
		if (is_leaf(&entries[i]))
			return refuse(part, "It cannot be both a value and an object", err);
		size_t skipped       = part.length + 1;
		inner[inner_count++] = (struct entry){
			{entries[i].name.data + skipped, entries[i].name.length - skipped}, entries[i].value};
	}
	return write_object(w, arena, inner, inner_count, depth + 1, err);
}

static enum status write_object(struct json_writer *w, struct arena *arena,
                                const struct entry *entries, size_t count, unsigned depth,
                                struct error *err)
{
	enum status status = STATUS_OK;
	json_begin_object(w);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		struct text part = first_part(entries[i].name);
		if (came_before(entries, i, part))
			continue;
		if (is_leaf(&entries[i]) && is_object(entries, count, part))
			return refuse(part, "It cannot be both a value and an object", err);
		json_add_key(w, part);
		if (is_leaf(&entries[i]))
			json_add_string(w, entries[i].value);
		else if (depth >= DEPTH_MAX)
			status = refuse(part, "It is nested too deep", err);
		else
			status = write_inner(w, arena, entries, count, part, depth, err);
	}
	json_end_object(w);
	return status;
}

static enum status write_message(struct api_call *call, struct text *ret_body, struct error *err)
{
	size_t        count = http_query_count(call->request), kept = 0;
	struct entry *entries = ARENA_ARRAY(call->arena, struct entry, count + 1);
	struct buffer out     = {0};
	if (count > PARAMETERS_MAX)
		return error_set(err, STATUS_INVALID, "There are more than %d parameters", PARAMETERS_MAX);
	for (size_t i = 0; i < count; i++) {
		struct text name;
		http_query_at(call->request, i, &name, &entries[kept].value);
		entries[kept].name = name;
		if (name.length > 0 && !text_equal(name, TEXT("writeKey")))
			kept++;
	}
	struct json_writer w      = json_writer_of(&out);
	enum status        status = write_object(&w, call->arena, entries, kept, 0, err);
	if (status == STATUS_OK) {
		char *body = arena_alloc(call->arena, out.length + JSON_PADDING_BYTES);
		memcpy(body, out.data, out.length);
		memset(body + out.length, 0, JSON_PADDING_BYTES);
		*ret_body = (struct text){body, out.length};
	}
	buffer_done(&out);
	return status;
}

static void take(struct api_call *call, enum ingest_kind kind)
{
	struct text  body;
	struct error err;
	if (write_message(call, &body, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		collect_pixel(call, kind, body);
}

void pixel_track(struct api_call *call) { take(call, INGEST_TRACK); }
void pixel_page(struct api_call *call) { take(call, INGEST_PAGE); }
