/* Definitions in the text notation as clients send them. What is refused is so for a reason, with a
 * place; what is read stays the same through JSON, text and canonical form. */

#include "fuzz.h"

#include "expr_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_parser *parser = json_parser_new();
	struct arena        arena  = {0};
	struct error        err    = {0};
	struct text         text   = {(const char *)data, size};
	struct expr        *expr;
	if (expr_parse_text(text, "expression", &arena, &expr, &err) == STATUS_OK)
		check_expr(parser, expr, canonical_of(expr, &arena), &arena);
	else
		assert(strcmp(err.field, "expression") == 0 && err.reason[0] != '\0');
	arena_done(&arena);
	json_parser_free(parser);
	return 0;
}
