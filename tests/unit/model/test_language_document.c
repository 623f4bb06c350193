#include "definition.h"
#include "model/rules.h"

/* The examples of docs/language.md, whose path is the one argument: users copy them. */

enum { DOCUMENT_BYTES_MAX = 1 << 20, EXAMPLES_MIN = 8 };

static const char *document_path;

static struct text read_document(void)
{
	char *text = arena_alloc(&definition_arena, DOCUMENT_BYTES_MAX);
	FILE *file = fopen(document_path, "rb");
	assert_non_null(file);
	size_t length = fread(text, 1, DOCUMENT_BYTES_MAX - 1, file);
	fclose(file);
	text[length] = '\0';
	return (struct text){text, length};
}

static void check_example(struct text example)
{
	struct json  json = json_of(example);
	struct expr *expr;
	struct error err;
	bool         is_body = json_type(json_get(json, "rules")) != JSON_NONE ||
	               json_type(json_get(json, "dependencies")) != JSON_NONE;
	enum status status = is_body
	                         ? rules_parse(json, &definition_arena, &expr, &err)
	                         : expr_parse_json(json, "expression", &definition_arena, &expr, &err);
	if (status != STATUS_OK)
		fail_msg("%.*s: %s: %s", TEXT_FORMAT(example), err.field, err.reason);
}

static void every_example_of_the_document_is_accepted(void **state)
{
	static const char fence[] = "```json\n";
	(void)state;
	int count = 0;
	for (const char *at = strstr(read_document().data, fence); at != NULL; count++) {
		const char *begin = at + strlen(fence);
		const char *end   = strstr(begin, "```");
		assert_non_null(end);
		check_example((struct text){begin, (size_t)(end - begin)});
		at = strstr(end + 3, fence);
	}
	assert_true(count >= EXAMPLES_MIN);
}

static const char *canonical_of_expr(struct expr *expr)
{
	struct buffer out = {0};
	resolve(expr);
	expr_write_canonical(&out, expr);
	return kept(&out);
}

/* `before` ends where the fence of the text begins. */
static void check_text(struct text before, struct text text)
{
	static const char json_fence[] = "```json\n";
	struct expr      *expr;
	struct error      err;
	if (expr_parse_text(text, "text", &definition_arena, &expr, &err) != STATUS_OK)
		fail_msg("%.*s: %s", TEXT_FORMAT(text), err.reason);
	if (!text_ends_with(before, TEXT("```\n")))
		return;
	size_t end = before.length - 4, begin = end;
	while (begin > 0 &&
	       !text_starts_with((struct text){before.data + begin, end - begin}, text_of(json_fence)))
		begin--;
	begin += strlen(json_fence);
	assert_string_equal(canonical_of((struct text){before.data + begin, end - begin}),
	                    canonical_of_expr(expr));
}

static void every_text_means_what_the_json_before_it_does(void **state)
{
	static const char fence[] = "```text\n";
	(void)state;
	int         count    = 0;
	const char *document = read_document().data;
	for (const char *at = strstr(document, fence); at != NULL; count++) {
		const char *begin = at + strlen(fence);
		const char *end   = strstr(begin, "```");
		assert_non_null(end);
		check_text((struct text){document, (size_t)(at - document)},
		           (struct text){begin, (size_t)(end - begin)});
		at = strstr(end + 3, fence);
	}
	assert_true(count >= EXAMPLES_MIN);
}

static void every_operator_stands_in_the_document(void **state)
{
	(void)state;
	const char *document = read_document().data;
	for (enum expr_op op = 0; op < EXPR_OP_COUNT; op++)
		assert_non_null(
			strstr(document, arena_printf(&definition_arena, "`%s`", expr_op_name(op))));
}

int main(int argument_count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		DEFINITION_TEST(every_example_of_the_document_is_accepted),
		DEFINITION_TEST(every_text_means_what_the_json_before_it_does),
		DEFINITION_TEST(every_operator_stands_in_the_document),
	};
	if (argument_count != 2)
		return 2;
	document_path = arguments[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
