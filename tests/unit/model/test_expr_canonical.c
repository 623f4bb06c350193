#include "base/hash.h"
#include "definition.h"
#include "random_definition.h"

enum { ROUNDS = 2000 };

static void the_canonical_form_is_sorted_and_has_its_defaults_written_out(void **state)
{
	(void)state;
	assert_string_equal(
		canonical_of(TEXT("{\"and\":[{\"trait\":\"t\",\"value\":\"VIP\",\"op\":\"eq\"},"
	                      "{\"event\":\"A\",\"within\":\"60m\",\"until\":\"2m\",\"op\":\"gte\","
	                      "\"value\":3.0,\"where\":{\"value\":[3,1,3,\"b\",true],\"op\":\"in\","
	                      "\"property\":\"p\"}},{\"segment\":\"A\"}]}")),
		"{\"and\":["
		"{\"aggregate\":\"count\",\"event\":\"A\",\"op\":\"gte\",\"until\":120000,\"value\":3,"
		"\"where\":{\"op\":\"in\",\"property\":\"p\",\"value\":[\"b\",1,3,true]},"
		"\"within\":3600000},"
		"{\"op\":\"eq\",\"trait\":\"t\",\"value\":\"VIP\"},"
		"{\"segment\":65}]}");
}

static void instants_and_durations_of_tests_are_milliseconds(void **state)
{
	(void)state;
	assert_string_equal(
		canonical_of(TEXT("{\"event\":\"A\",\"aggregate\":\"sum\",\"property\":\"p\","
	                      "\"between\":[\"1970-01-01\",\"1970-01-01T00:00:01.5Z\"],"
	                      "\"op\":\"lt\",\"value\":0.5}")),
		"{\"aggregate\":\"sum\",\"between\":[0,1500],\"event\":\"A\",\"op\":\"lt\","
		"\"property\":\"p\",\"value\":0.5}");
	assert_string_equal(
		canonical_of(TEXT("{\"or\":[{\"trait\":\"t\",\"op\":\"within_last\",\"value\":\"1m\"},"
	                      "{\"trait\":\"t\",\"op\":\"before\",\"value\":\"1970-01-02\"}]}")),
		"{\"or\":[{\"op\":\"before\",\"trait\":\"t\",\"value\":86400000},"
		"{\"op\":\"within_last\",\"trait\":\"t\",\"value\":60000}]}");
}

static void definitions_that_mean_the_same_in_this_sense_have_equal_bytes(void **state)
{
#define A              "{\"segment\":\"a\"}"
#define B              "{\"segment\":\"b\"}"
#define C              "{\"segment\":\"c\"}"
#define EVENT(members) "{\"event\":\"E\",\"op\":\"gt\",\"value\":1," members "}"
#define P(name)        "{\"property\":\"" name "\",\"op\":\"exists\"}"
	static const char *const pairs[][2] = {
		{"{\"and\":[" A "," B "]}", "{\"and\":[" B "," A "]}"},
		{"{\"and\":[" A "]}", A},
		{"{\"or\":[{\"and\":[" A "]}]}", A},
		{"{\"and\":[" A "," A "]}", A},
		{"{\"and\":[" A ",{\"and\":[" B "," C "]}]}", "{\"and\":[" A "," B "," C "]}"},
		{"{\"or\":[{\"or\":[" C "," A "]}," B "," A "]}", "{\"or\":[" A "," B "," C "]}"},
		/* An `or` that collapses lets the `and` within take part in the one above. */
		{"{\"and\":[{\"or\":[{\"and\":[" A "," B "]},{\"and\":[" B "," A "]}]}," C "]}",
	     "{\"and\":[" A "," B "," C "]}"},
		{"{\"not\":{\"and\":[" A "]}}", "{\"not\":" A "}"},
		{EVENT("\"within\":\"60m\""), EVENT("\"within\":\"1h\"")},
		{EVENT("\"within\":\"7d\""), EVENT("\"within\":\"1w\",\"aggregate\":\"count\"")},
		{EVENT("\"between\":[\"2025-01-01\",\"2025-01-02\"]"),
	     EVENT("\"between\":[\"2025-01-01T09:00:00+09:00\",\"2025-01-02T00:00:00.0001Z\"]")},
		{EVENT("\"where\":{\"or\":[" P("p") "," P("q") "]}"),
	     EVENT("\"where\":{\"or\":[" P("q") ",{\"or\":[" P("p") "]}]}")},
		{"{\"event\":\"orders\",\"op\":\"gt\",\"value\":1}",
	     "{\"event\":\"Order Completed\",\"op\":\"gt\",\"value\":1e0}"},
		{"{\"trait\":\"t\",\"op\":\"in\",\"value\":[1,\"a\",2]}",
	     "{\"trait\":\"t\",\"op\":\"in\",\"value\":[\"a\",2,2.0,1]}"},
		{"{\"trait\":\"t\",\"op\":\"eq\",\"value\":0}",
	     "{\"trait\":\"t\",\"op\":\"eq\",\"value\":-0.0}"},
		{"{\"trait\":\"t\",\"op\":\"eq\",\"value\":\"\\u0041\"}",
	     "{\"trait\":\"t\",\"op\":\"eq\",\"value\":\"A\"}"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		assert_string_equal(canonical_of(text_of(pairs[i][0])), canonical_of(text_of(pairs[i][1])));
}

static void definitions_that_differ_have_different_bytes(void **state)
{
	static const char *const definitions[] = {
		A,
		B,
		"{\"not\":" A "}",
		"{\"not\":{\"not\":" A "}}",
		"{\"and\":[" A "," B "]}",
		"{\"or\":[" A "," B "]}",
		EVENT("\"within\":\"1h\""),
		EVENT("\"within\":\"2h\""),
		EVENT("\"until\":\"1h\""),
		EVENT("\"where\":" P("p")),
		EVENT("\"where\":" P("q")),
		"{\"event\":\"E\",\"op\":\"in\",\"value\":[1]}",
		"{\"event\":\"E\",\"op\":\"eq\",\"value\":1}",
		"{\"trait\":\"E\",\"op\":\"eq\",\"value\":1}",
		"{\"trait\":\"E\",\"op\":\"eq\",\"value\":\"1\"}",
		"{\"trait\":\"E\",\"op\":\"eq\",\"value\":true}",
		"{\"trait\":\"E\",\"op\":\"exists\"}",
	};
	enum { COUNT = sizeof definitions / sizeof definitions[0] };
	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		for (size_t j = i + 1; j < COUNT; j++)
			assert_string_not_equal(canonical_of(text_of(definitions[i])),
			                        canonical_of(text_of(definitions[j])));
}

static void the_hash_of_a_definition_never_changes(void **state)
{
	uint8_t digest[SHA256_BYTES];
	char    hex[2 * SHA256_BYTES + 1];
	(void)state;
	const char *canonical = canonical_of(
		TEXT("{\"event\":\"Order Completed\",\"within\":\"10m\",\"op\":\"gte\",\"value\":3}"));
	hash_sha256(canonical, strlen(canonical), digest);
	hash_hex(digest, sizeof digest, hex);
	/* printf '%s' '{"aggregate":"count","event":"Order Completed","op":"gte","value":3,
	 * "within":600000}' | sha256sum */
	assert_string_equal(hex, "49c7d0f603ebb4621252c778d6ec295da6afb67c230da1b29cec60609be5f487");
}

static void the_canonical_form_of_a_where_alone_is_its_part_of_the_whole(void **state)
{
	struct buffer out  = {0};
	struct expr  *expr = expr_of(TEXT(EVENT("\"where\":{\"and\":[" P("q") "," P("p") "]}")));
	(void)state;
	expr_write_canonical_where(&out, NULL);
	assert_int_equal(out.length, 0);
	expr_write_canonical_where(&out, expr->event.where);
	assert_string_equal(kept(&out), "{\"and\":[{\"op\":\"exists\",\"property\":\"p\"},"
	                                "{\"op\":\"exists\",\"property\":\"q\"}]}");
}

/* Swaps operands, repeats one, and puts one into an `and` or `or` of its own kind. */
static void vary(struct expr *expr)
{
	for (unsigned i = 0; i < expr->count; i++)
		vary(expr->operands[i]);
	if (expr->kind != EXPR_AND && expr->kind != EXPR_OR)
		return;

	struct expr **operands = ARENA_ARRAY(&definition_arena, struct expr *, (size_t)expr->count + 1);
	for (unsigned i = 0; i < expr->count; i++)
		operands[i] = expr->operands[i];
	operands[expr->count] = expr->operands[seed_below(expr->count)];
	expr->count++;
	for (unsigned i = expr->count - 1; i > 0; i--) {
		size_t       j    = seed_below(i + 1);
		struct expr *swap = operands[i];
		operands[i]       = operands[j];
		operands[j]       = swap;
	}
	struct expr *inner = ARENA_NEW(&definition_arena, struct expr);
	inner->kind        = seed_below(2) == 0 ? EXPR_AND : EXPR_OR;
	inner->count       = 1;
	inner->operands    = ARENA_NEW(&definition_arena, struct expr *);
	inner->operands[0] = operands[0];
	operands[0]        = inner;
	expr->operands     = operands;
}

static const char *canonical_of_tree(struct expr *expr)
{
	struct buffer out = {0};
	resolve(expr);
	expr_write_canonical(&out, expr);
	return kept(&out);
}

static const char *random_text(void)
{
	struct buffer text = {0};
	random_definition(&text);
	return kept(&text);
}

static void the_canonical_form_reads_back_to_a_tree_with_the_same_one(void **state)
{
	(void)state;
	seed_begin(__func__);
	for (int i = 0; i < ROUNDS; i++) {
		const char   *canonical = canonical_of(text_of(random_text()));
		struct expr  *back;
		struct error  err;
		struct buffer again = {0};
		if (expr_parse_canonical(text_of(canonical), &definition_arena, &back, &err) != STATUS_OK)
			fail_msg("%s: %s: %s", canonical, err.field, err.reason);
		expr_write_canonical(&again, back);
		assert_string_equal(kept(&again), canonical);
	}
}

static void order_repetition_and_nesting_of_operands_do_not_change_the_canonical_form(void **state)
{
	(void)state;
	seed_begin(__func__);
	for (int i = 0; i < ROUNDS; i++) {
		struct expr *expr      = expr_of(text_of(random_text()));
		const char  *canonical = canonical_of_tree(expr);
		vary(expr);
		assert_string_equal(canonical_of_tree(expr), canonical);
	}
}

static void json_as_written_reads_back_to_the_same_canonical_form(void **state)
{
	(void)state;
	seed_begin(__func__);
	for (int i = 0; i < ROUNDS; i++) {
		struct expr *expr      = expr_of(text_of(random_text()));
		const char  *canonical = canonical_of_tree(expr);
		const char  *written   = json_text_of(expr);
		assert_string_equal(canonical_of(text_of(written)), canonical);
		assert_string_equal(json_text_of(expr_of(text_of(written))), written);
	}
}

static void a_damaged_canonical_form_is_corrupt(void **state)
{
	static const char *const damaged[] = {
		"",
		"{",
		"{\"segment\":\"a\"}",
		"{\"segment\":0}",
		"{\"segment\":4294967296}",
		"{\"aggregate\":\"count\",\"event\":\"A\",\"op\":\"gt\",\"value\":1,\"within\":\"1h\"}",
		"{\"aggregate\":\"count\",\"event\":\"A\",\"op\":\"gt\",\"value\":1,\"within\":60001}",
		"{\"aggregate\":\"count\",\"between\":[0,9223372036854775807],\"event\":\"A\","
		"\"op\":\"gt\",\"value\":1}",
		"{\"op\":\"before\",\"trait\":\"t\",\"value\":253402300800000}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
		struct expr *expr;
		struct error err;
		assert_int_equal(expr_parse_canonical(text_of(damaged[i]), &definition_arena, &expr, &err),
		                 STATUS_CORRUPT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFINITION_TEST(the_canonical_form_is_sorted_and_has_its_defaults_written_out),
		DEFINITION_TEST(instants_and_durations_of_tests_are_milliseconds),
		DEFINITION_TEST(definitions_that_mean_the_same_in_this_sense_have_equal_bytes),
		DEFINITION_TEST(definitions_that_differ_have_different_bytes),
		DEFINITION_TEST(the_hash_of_a_definition_never_changes),
		DEFINITION_TEST(the_canonical_form_of_a_where_alone_is_its_part_of_the_whole),
		DEFINITION_TEST(the_canonical_form_reads_back_to_a_tree_with_the_same_one),
		DEFINITION_TEST(order_repetition_and_nesting_of_operands_do_not_change_the_canonical_form),
		DEFINITION_TEST(json_as_written_reads_back_to_the_same_canonical_form),
		DEFINITION_TEST(a_damaged_canonical_form_is_corrupt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
