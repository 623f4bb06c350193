/* Definitions from outside, as JSON: an expression or a segment's body. What is accepted must have
 * one meaning in every form: written and read back as JSON, in canonical form and as rules it stays
 * the same, byte for byte of its canonical form. */

#include "fuzz.h"

#include "expr_checks.h"
#include "model/rules.h"

static struct text id_of(void *context, struct text reference)
{
	(void)context;
	return reference;
}

/* The rules or the logic of it, where it has any, are the same expression. */
static void check_rules(struct json_parser *parser, struct json body, struct expr *expr,
                        struct text canonical, struct arena *arena)
{
	struct rules_context context = {TEXT("segment"), 0, id_of, NULL};
	struct buffer        out     = {0};
	struct json_writer   writer  = json_writer_of(&out);
	struct json          json;
	struct expr         *back;
	json_begin_object(&writer);
	rules_write(&writer, body, expr, &context);
	json_end_object(&writer);

	enum status status = json_parse_text(parser, buffer_text(&out), &json, NULL);
	assert(status == STATUS_OK);
	bool has_rules = json_type(json_get(json, "rules")) == JSON_ARRAY;
	bool has_logic = json_type(json_get(json, "logicalExpression")) == JSON_STRING;
	if (has_rules || has_logic) {
		status = rules_parse(json, arena, &back, NULL);
		assert(status == STATUS_OK);
		assert(text_equal(canonical_of(back, arena), canonical));
	}
	buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_parser *input  = json_parser_new();
	struct json_parser *parser = json_parser_new();
	struct arena        arena  = {0};
	struct error        err    = {0};
	struct text         text   = {(const char *)data, size};
	struct json         json;
	struct expr        *expr;
	enum status         status = json_parse_text(input, text, &json, &err);
	if (status == STATUS_OK) {
		status = rules_parse(json, &arena, &expr, &err);
		if (status != STATUS_OK) {
			assert(err.reason[0] != '\0');
			status = expr_parse_json(json, "expression", &arena, &expr, &err);
		}
	}
	if (status == STATUS_OK) {
		struct text canonical = canonical_of(expr, &arena);
		check_expr(parser, expr, canonical, &arena);
		check_rules(parser, json, expr, canonical, &arena);
	}
	arena_done(&arena);
	json_parser_free(parser);
	json_parser_free(input);
	return 0;
}
