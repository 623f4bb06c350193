/* A deployment's own filter as JSON, a NUL, then flat filters that are asked of it and of the
 * built-in ones.
 *
 * Whatever comes: what is refused is so for a reason and changes nothing; a filter that is taken is
 * written as it is read; what flat filters make is an expression like any other. */

#include "fuzz.h"

#include "expr_checks.h"
#include "model/filter.h"

static void add(struct filters *filters, struct json_parser *parser, struct text text)
{
	struct error err   = {0};
	size_t       count = filters->count;
	struct json  object;
	if (json_parse_text(parser, text, &object, &err) != STATUS_OK)
		return;
	if (filters_add(filters, FILTER_OF_STORE, object, "filter", &err) == STATUS_OK) {
		assert(filters->count == count + 1);
		return;
	}
	assert(filters->count == count);
	assert(strncmp(err.field, "filter", 6) == 0 && err.reason[0] != '\0');
}

static void write(const struct filters *filters, struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	filter_write(&w, &filters->list[filters->count - 1]);
}

static void check_written(const struct filters *filters, struct json_parser *parser)
{
	struct filters others = {0};
	struct buffer  first = {0}, again = {0};
	arena_init(&others.arena);
	write(filters, &first);
	add(&others, parser, buffer_text(&first));
	assert(others.count == 1);
	write(&others, &again);
	assert(text_equal(buffer_text(&first), buffer_text(&again)));
	buffer_done(&first);
	buffer_done(&again);
	filters_done(&others);
}

static void check_asked(const struct filters *filters, struct json_parser *parser, struct text text)
{
	struct arena arena = {0};
	struct error err   = {0};
	struct json  object;
	struct expr *expr;
	if (json_parse_text(parser, text, &object, &err) != STATUS_OK)
		return;
	if (filters_to_expr(filters, object, "filters", &arena, &expr, &err) != STATUS_OK)
		assert(strncmp(err.field, "filters", 7) == 0 && err.reason[0] != '\0');
	else if (expr != NULL)
		check_expr(parser, expr, canonical_of(expr, &arena), &arena);
	arena_done(&arena);
}

/* Made once: they take long, and are always the same. */
static const struct filters *built_in(void)
{
	static struct filters filters;
	if (filters.count == 0)
		filters_init(&filters);
	return &filters;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size == 0 ? NULL : memchr(data, '\0', size);
	if (end == NULL)
		return 0;
	struct json_parser *parser = json_parser_new();
	struct filters      own    = {0};
	struct text         flat   = {(const char *)end + 1, size - (size_t)(end + 1 - data)};
	arena_init(&own.arena);
	add(&own, parser, (struct text){(const char *)data, (size_t)(end - data)});
	if (own.count > 0)
		check_written(&own, parser);
	check_asked(&own, parser, flat);
	check_asked(built_in(), parser, flat);
	filters_done(&own);
	json_parser_free(parser);
	return 0;
}
