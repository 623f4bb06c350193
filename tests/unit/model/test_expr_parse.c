#include "refused.h"

static void these_definitions_are_accepted(void **state)
{
	static const char *const definitions[] = {
		"{\"event\":\"A\",\"op\":\"gte\",\"value\":3}",
		"{\"event\":\"*\",\"op\":\"eq\",\"value\":0}",
		"{\"event\":\"A\",\"aggregate\":\"count\",\"within\":\"60s\",\"op\":\"eq\",\"value\":2.5}",
		"{\"event\":\"A\",\"within\":\"1095d\",\"op\":\"neq\",\"value\":-1}",
		"{\"event\":\"A\",\"within\":\"7d\",\"until\":\"1d\",\"op\":\"gt\",\"value\":1}",
		"{\"event\":\"A\",\"until\":\"1d\",\"op\":\"lt\",\"value\":1e300}",
		"{\"event\":\"A\",\"between\":[\"2025-01-01\",\"2025-01-01T00:00:00.001Z\"],"
		"\"op\":\"lte\",\"value\":1}",
		"{\"event\":\"A\",\"op\":\"in\",\"value\":[1,2,3]}",
		"{\"event\":\"A\",\"op\":\"not_in\",\"value\":[1]}",
		"{\"event\":\"A\",\"aggregate\":\"sum\",\"property\":\"$amount\",\"op\":\"gte\","
		"\"value\":0.000001}",
		"{\"event\":\"A\",\"aggregate\":\"sum\",\"property\":\"a.b\",\"op\":\"in\","
		"\"value\":[-9.2e12,9.2e12]}",
		"{\"event\":\"A\",\"where\":{\"property\":\"p\",\"op\":\"eq\",\"value\":\"\"},"
		"\"op\":\"gt\",\"value\":1}",
		"{\"event\":\"A\",\"where\":{\"and\":[{\"property\":\"p\",\"op\":\"exists\"},"
		"{\"or\":[{\"not\":{\"property\":\"p\",\"op\":\"absent\"}}]}]},\"op\":\"gt\",\"value\":1}",
		"{\"event\":\"A\",\"where\":{\"property\":\"email\",\"op\":\"exists\"},"
		"\"op\":\"gt\",\"value\":1}",
		"{\"trait\":\"t\",\"op\":\"in\",\"value\":[\"a\",1,true,false,\"\"]}",
		"{\"trait\":\"t\",\"op\":\"eq\",\"value\":true}",
		"{\"trait\":\"t\",\"op\":\"contains\",\"value\":\"x\"}",
		"{\"trait\":\"t\",\"op\":\"starts_with\",\"value\":\"x\"}",
		"{\"trait\":\"t\",\"op\":\"ends_with\",\"value\":\"제주\"}",
		"{\"trait\":\"t\",\"op\":\"within_last\",\"value\":\"7d\"}",
		"{\"trait\":\"t\",\"op\":\"within_next\",\"value\":\"1w\"}",
		"{\"trait\":\"t\",\"op\":\"before\",\"value\":\"2025-01-07T10:30:00+09:00\"}",
		"{\"trait\":\"t\",\"op\":\"after\",\"value\":\"2025-01-07\"}",
		"{\"trait\":\"email\",\"op\":\"absent\"}",
		"{\"trait\":\"t\",\"op\":\"lt\",\"value\":18446744073709551616}",
		"{\"segment\":\"vip\"}",
		"{\"and\":[{\"segment\":\"a\"}]}",
		"{\"not\":{\"or\":[{\"segment\":\"a\"},{\"not\":{\"not\":{\"segment\":\"b\"}}}]}}",
	};
	(void)state;
	CHECK_ACCEPTED(definitions);
}

static void wrong_forms_are_refused_with_their_place(void **state)
{
	static const struct refused cases[] = {
		{"{}", "expression", "must have one of"},
		{"[]", "expression", "must be an object"},
		{"null", "expression", "must be an object"},
		{"{\"evnt\":\"A\",\"op\":\"eq\",\"value\":1}", "expression.evnt", "\"event\""},
		{"{\"colour\":\"A\"}", "expression.colour", "known here are and, or, not"},
		{"{\"and\":[]}", "expression.and", "at least one operand"},
		{"{\"or\":[]}", "expression.or", "at least one operand"},
		{"{\"and\":{\"segment\":\"a\"}}", "expression.and", "must be an array"},
		{"{\"and\":[{\"segment\":\"a\"},7]}", "expression.and[1]", "must be an object"},
		{"{\"and\":[{\"segment\":\"a\"}],\"or\":[]}", "expression.or", "unknown field"},
		{"{\"not\":[{\"segment\":\"a\"}]}", "expression.not", "must be an object"},
		{"{\"not\":{\"or\":[{\"not\":{\"segment\":7}}]}}", "expression.not.or[0].not.segment",
	     "must be a string"},
		{"{\"segment\":\"\"}", "expression.segment", "must not be empty"},
		{"{\"segment\":\"a\",\"op\":\"eq\"}", "expression.op", "unknown field"},
	};
	(void)state;
	CHECK_REFUSED(cases, STATUS_INVALID);
}

static void wrong_event_leaves_are_refused_with_their_place(void **state)
{
	static const struct refused cases[] = {
		{"{\"event\":7,\"op\":\"eq\",\"value\":1}", "expression.event", "must be a string"},
		{"{\"event\":\"\",\"op\":\"eq\",\"value\":1}", "expression.event", "empty"},
		{"{\"event\":\"A\",\"op\":\"eq\",\"value\":1,\"wihtin\":\"7d\"}", "expression.wihtin",
	     "did you mean \"within\"?"},
		{"{\"event\":\"A\",\"value\":1}", "expression.op", "is required"},
		{"{\"event\":\"A\",\"op\":7,\"value\":1}", "expression.op", "must be a string"},
		{"{\"event\":\"A\",\"op\":\"EQ\",\"value\":1}", "expression.op", "unknown operator"},
		{"{\"event\":\"A\",\"op\":\"contains\",\"value\":\"1\"}", "expression.op",
	     "contains cannot be asked of a count"},
		{"{\"event\":\"A\",\"op\":\"exists\"}", "expression.op", "exists cannot"},
		{"{\"event\":\"A\",\"op\":\"eq\"}", "expression.value", "is required"},
		{"{\"event\":\"A\",\"op\":\"eq\",\"value\":\"1\"}", "expression.value", "must be a number"},
		{"{\"event\":\"A\",\"op\":\"eq\",\"value\":null}", "expression.value", "must be a number"},
		{"{\"event\":\"A\",\"op\":\"eq\",\"value\":1e999}", "expression.value", "too large"},
		{"{\"event\":\"A\",\"op\":\"in\",\"value\":1}", "expression.value", "array"},
		{"{\"event\":\"A\",\"op\":\"in\",\"value\":[]}", "expression.value", "from 1 to 1000"},
		{"{\"event\":\"A\",\"op\":\"in\",\"value\":[1,true]}", "expression.value[1]",
	     "must be a number"},
		{"{\"event\":\"A\",\"aggregate\":\"median\",\"op\":\"eq\",\"value\":1}",
	     "expression.aggregate", "unknown aggregate"},
		{"{\"event\":\"A\",\"aggregate\":1,\"op\":\"eq\",\"value\":1}", "expression.aggregate",
	     "must be a string"},
		{"{\"event\":\"A\",\"property\":\"p\",\"op\":\"eq\",\"value\":1}", "expression.property",
	     "count takes no property"},
		{"{\"event\":\"A\",\"aggregate\":\"sum\",\"op\":\"eq\",\"value\":1}", "expression.property",
	     "is required"},
		{"{\"event\":\"A\",\"aggregate\":\"sum\",\"property\":\"email\",\"op\":\"eq\","
	     "\"value\":1}",
	     "expression.property", "personal"},
		{"{\"event\":\"A\",\"aggregate\":\"sum\",\"property\":\"p\",\"op\":\"eq\","
	     "\"value\":0.0000001}",
	     "expression.value", "6 decimals"},
		{"{\"event\":\"A\",\"aggregate\":\"sum\",\"property\":\"p\",\"op\":\"in\","
	     "\"value\":[1,9.3e12]}",
	     "expression.value[1]", "9.2e12"},
		{"{\"and\":[{\"event\":\"A\",\"op\":\"eq\",\"value\":1,"
	     "\"where\":{\"property\":\"p\",\"op\":\"gt\",\"value\":\"5\"}}]}",
	     "expression.and[0].where.value", "must be a number: gt compares numbers only"},
	};
	(void)state;
	CHECK_REFUSED(cases, STATUS_INVALID);
}

static void wrong_spans_are_refused_with_their_place(void **state)
{
#define SPAN(members) "{\"event\":\"A\",\"op\":\"eq\",\"value\":1," members "}"
	static const struct refused cases[] = {
		{SPAN("\"within\":7"), "expression.within", "must be a duration"},
		{SPAN("\"within\":\"7\""), "expression.within", "is no duration"},
		{SPAN("\"within\":\"7 d\""), "expression.within", "is no duration"},
		{SPAN("\"within\":\"1.5d\""), "expression.within", "is no duration"},
		{SPAN("\"within\":\"7y\""), "expression.within", "is no duration"},
		{SPAN("\"within\":\"0d\""), "expression.within", "is no duration"},
		{SPAN("\"within\":\"59s\""), "expression.within", "from 60 seconds to 1,095 days"},
		{SPAN("\"within\":\"1096d\""), "expression.within", "from 60 seconds"},
		{SPAN("\"within\":\"99999999999999999999d\""), "expression.within", "is no duration"},
		{SPAN("\"until\":true"), "expression.until", "must be a duration"},
		{SPAN("\"within\":\"1h\",\"until\":\"60m\""), "expression.until", "less than within"},
		{SPAN("\"within\":\"1h\",\"until\":\"2h\""), "expression.until", "less than within"},
		{SPAN("\"between\":\"2025-01-01\""), "expression.between", "array of two"},
		{SPAN("\"between\":[\"2025-01-01\"]"), "expression.between", "array of two"},
		{SPAN("\"between\":[\"2025-01-01\",\"soon\"]"), "expression.between[1]", "is no instant"},
		{SPAN("\"between\":[1,2]"), "expression.between[0]", "must be an instant"},
		{SPAN("\"between\":[\"2025-01-01\",\"2025-01-01\"]"), "expression.between",
	     "before the second"},
		{SPAN("\"between\":[\"2025-01-02\",\"2025-01-01\"]"), "expression.between",
	     "before the second"},
		{SPAN("\"between\":[\"2025-01-01\",\"2025-01-02\"],\"within\":\"1d\""),
	     "expression.between", "together with within"},
		{SPAN("\"between\":[\"2025-01-01\",\"2025-01-02\"],\"until\":\"1d\""), "expression.between",
	     "together with until"},
	};
	(void)state;
	CHECK_REFUSED(cases, STATUS_INVALID);
}

static void wrong_values_are_refused_with_their_place(void **state)
{
#define TRAIT(members) "{\"trait\":\"t\"," members "}"
	static const struct refused cases[] = {
		{TRAIT("\"op\":\"eq\",\"value\":null"), "expression.value", "absent"},
		{TRAIT("\"op\":\"eq\",\"value\":[1]"), "expression.value", "must be a string"},
		{TRAIT("\"op\":\"eq\",\"value\":{}"), "expression.value", "must be a string"},
		{TRAIT("\"op\":\"eq\",\"value\":-1e999"), "expression.value", "too large"},
		{TRAIT("\"op\":\"gte\",\"value\":true"), "expression.value", "must be a number"},
		{TRAIT("\"op\":\"in\",\"value\":[1,null]"), "expression.value[1]", "absent"},
		{TRAIT("\"op\":\"in\",\"value\":[[1]]"), "expression.value[0]", "must be a"},
		{TRAIT("\"op\":\"contains\",\"value\":\"\""), "expression.value", "not empty"},
		{TRAIT("\"op\":\"starts_with\",\"value\":7"), "expression.value", "a string"},
		{TRAIT("\"op\":\"ends_with\",\"value\":\"\""), "expression.value", "not empty"},
		{TRAIT("\"op\":\"exists\",\"value\":true"), "expression.value", "takes no value"},
		{TRAIT("\"op\":\"absent\",\"value\":null"), "expression.value", "takes no value"},
		{TRAIT("\"op\":\"within_last\",\"value\":\"59s\""), "expression.value", "from 60 seconds"},
		{TRAIT("\"op\":\"within_next\",\"value\":604800000"), "expression.value",
	     "must be a duration"},
		{TRAIT("\"op\":\"before\",\"value\":1736245800000"), "expression.value",
	     "must be an instant"},
		{TRAIT("\"op\":\"after\",\"value\":\"2025-02-30\""), "expression.value", "is no instant"},
		{TRAIT("\"op\":\"after\",\"value\":\"2025-01-01T00:00Z\""), "expression.value",
	     "is no instant"},
		{TRAIT("\"op\":\"within_last\""), "expression.value", "is required"},
		{TRAIT("\"op\":\"exists\",\"vaule\":1"), "expression.vaule", "\"value\""},
		{"{\"trait\":\"\",\"op\":\"exists\"}", "expression.trait", "empty"},
	};
	(void)state;
	CHECK_REFUSED(cases, STATUS_INVALID);
}

static void personal_values_know_few_tests(void **state)
{
#define WHERE(test) "{\"event\":\"A\",\"op\":\"eq\",\"value\":1,\"where\":" test "}"
	static const struct refused cases[] = {
		{"{\"trait\":\"name\",\"op\":\"eq\",\"value\":\"Kim\"}", "expression.op",
	     "only exists and absent"},
		{"{\"trait\":\"name\",\"op\":\"not_in\",\"value\":[\"Kim\"]}", "expression.op",
	     "only exists and absent"},
		{"{\"trait\":\"email\",\"op\":\"starts_with\",\"value\":\"a\"}", "expression.op",
	     "only eq, neq, in, not_in"},
		{"{\"trait\":\"email\",\"op\":\"in\",\"value\":[\"a@b.c\",5]}", "expression.value",
	     "with strings"},
		{"{\"trait\":\"address.city\",\"op\":\"eq\",\"value\":\"x\"}", "expression.op", "personal"},
		{WHERE("{\"property\":\"phone\",\"op\":\"starts_with\",\"value\":\"010\"}"),
	     "expression.where.op", "personal"},
		{WHERE("{\"not\":{\"property\":\"context.ip\",\"op\":\"neq\",\"value\":\"::1\"}}"),
	     "expression.where.not.op", "personal"},
		{WHERE("{\"property\":\"context.traits.birthday\",\"op\":\"within_next\","
	           "\"value\":\"7d\"}"),
	     "expression.where.op", "personal"},
	};
	(void)state;
	CHECK_REFUSED(cases, STATUS_INVALID);
}

static void an_address_in_a_canonical_form_is_refused(void **state)
{
	(void)state;
	static const char *const forms[] = {
		"{\"op\":\"eq\",\"trait\":\"email\",\"value\":\"a@b.c\"}",
		"{\"op\":\"eq\",\"trait\":\"email\","
		"\"value\":\"blind:0123456789abcdef0123456789abcdef\"}",
	};
	struct arena arena;
	struct expr *expr;
	struct error err;
	arena_init(&arena);
	assert_int_equal(expr_parse_canonical(text_of(forms[0]), &arena, &expr, &err), STATUS_CORRUPT);
	assert_int_equal(expr_parse_canonical(text_of(forms[1]), &arena, &expr, &err), STATUS_OK);
	arena_done(&arena);
}

/* `depth` times {"not": around a trait. */
static const char *nested(size_t depth)
{
	struct buffer text = {0};
	for (size_t i = 0; i < depth; i++)
		buffer_add_text(&text, TEXT("{\"not\":"));
	buffer_add_text(&text, TEXT("{\"trait\":\"t\",\"op\":\"exists\"}"));
	for (size_t i = 0; i < depth; i++)
		buffer_add_u8(&text, '}');
	return kept(&text);
}

static void an_expression_may_be_32_levels_deep(void **state)
{
	struct error err;
	(void)state;
	assert_int_equal(parse(nested(EXPR_DEPTH_MAX), &err), STATUS_OK);
	assert_int_equal(parse(nested(EXPR_DEPTH_MAX + 1), &err), STATUS_INVALID);
	assert_non_null(strstr(err.reason, "deeper than 32"));
}

static void a_very_deep_expression_is_refused_without_harm(void **state)
{
	struct error err;
	(void)state;
	assert_int_equal(parse(nested(50000), &err), STATUS_INVALID);
	assert_non_null(strstr(err.reason, "deeper than 32"));
}

static void the_levels_of_a_where_add_to_those_above_its_event(void **state)
{
	struct error err;
	(void)state;
	for (size_t above = 0; above <= 1; above++) {
		struct buffer text = {0};
		buffer_add_text(&text, above ? TEXT("{\"not\":") : TEXT(""));
		buffer_add_text(&text, TEXT("{\"event\":\"A\",\"op\":\"gt\",\"value\":0,\"where\":"));
		for (size_t i = 0; i < EXPR_DEPTH_MAX; i++)
			buffer_add_text(&text, TEXT("{\"not\":"));
		buffer_add_text(&text, TEXT("{\"property\":\"p\",\"op\":\"exists\"}"));
		for (size_t i = 0; i < EXPR_DEPTH_MAX; i++)
			buffer_add_u8(&text, '}');
		buffer_add_text(&text, above ? TEXT("}}") : TEXT("}"));
		assert_int_equal(parse(kept(&text), &err), above ? STATUS_INVALID : STATUS_OK);
	}
}

static const char *with_leaves(size_t count)
{
	struct buffer text = {0};
	buffer_add_text(&text, TEXT("{\"or\":["));
	for (size_t i = 0; i < count; i++)
		buffer_printf(&text, "%s{\"segment\":\"s%zu\"}", i == 0 ? "" : ",", i);
	buffer_add_text(&text, TEXT("]}"));
	return kept(&text);
}

static void an_expression_may_have_256_leaves_and_tests(void **state)
{
	struct error err;
	(void)state;
	assert_int_equal(parse(with_leaves(EXPR_LEAVES_MAX), &err), STATUS_OK);
	assert_int_equal(parse(with_leaves(EXPR_LEAVES_MAX + 1), &err), STATUS_INVALID);
	assert_string_equal(err.field, "expression.or");
	assert_non_null(strstr(err.reason, "more than 256 leaves"));
}

static void ten_thousand_leaves_are_refused_before_any_memory_is_spent_on_them(void **state)
{
	struct error err;
	(void)state;
	const char *text         = with_leaves(10000);
	size_t      bytes_before = definition_arena.bytes;
	assert_int_equal(parse(text, &err), STATUS_INVALID);
	assert_string_equal(err.field, "expression.or");
	assert_non_null(strstr(err.reason, "more than 256 leaves"));
	assert_true(definition_arena.bytes - bytes_before < 4096);
}

static void tests_of_a_where_count_as_leaves(void **state)
{
	struct error  err;
	struct buffer text = {0};
	(void)state;
	/* Two events with 127 tests each are 256; one test more is too much. */
	for (int more = 0; more <= 1; more++) {
		buffer_add_text(&text, TEXT("{\"and\":["));
		for (int event = 0; event < 2; event++) {
			buffer_add_text(&text, event ? TEXT(",") : TEXT(""));
			buffer_add_text(&text,
			                TEXT("{\"event\":\"A\",\"op\":\"gt\",\"value\":0,\"where\":{\"or\":["));
			for (int i = 0; i < 127 + more * event; i++)
				buffer_printf(&text, "%s{\"property\":\"p%d\",\"op\":\"exists\"}", i ? "," : "", i);
			buffer_add_text(&text, TEXT("]}}"));
		}
		buffer_add_text(&text, TEXT("]}"));
		assert_int_equal(parse(kept(&text), &err), more ? STATUS_INVALID : STATUS_OK);
	}
	assert_string_equal(err.field, "expression.and[1].where.or");
}

static const char *repeated(const char *before, size_t count, const char *behind)
{
	struct buffer text = {0};
	buffer_add_text(&text, text_of(before));
	memset(buffer_reserve(&text, count), 'x', count);
	text.length += count;
	buffer_add_text(&text, text_of(behind));
	return kept(&text);
}

static void names_and_strings_have_limits(void **state)
{
	struct error err;
	(void)state;
	const char *value  = "{\"trait\":\"t\",\"op\":\"eq\",\"value\":\"";
	const char *trait  = "{\"trait\":\"";
	const char *behind = "\",\"op\":\"exists\"}";
	assert_int_equal(parse(repeated(value, EXPR_TEXT_BYTES_MAX, "\"}"), &err), STATUS_OK);
	assert_int_equal(parse(repeated(value, EXPR_TEXT_BYTES_MAX + 1, "\"}"), &err), STATUS_INVALID);
	assert_string_equal(err.field, "expression.value");
	assert_int_equal(parse(repeated(value, 1 << 20, "\"}"), &err), STATUS_INVALID);
	assert_int_equal(parse(repeated(trait, EXPR_NAME_BYTES_MAX, behind), &err), STATUS_OK);
	assert_int_equal(parse(repeated(trait, EXPR_NAME_BYTES_MAX + 1, behind), &err), STATUS_INVALID);
	assert_string_equal(err.field, "expression.trait");
}

static const char *with_list(size_t count, const char *format)
{
	struct buffer text = {0};
	buffer_add_text(&text, TEXT("{\"trait\":\"t\",\"op\":\"in\",\"value\":["));
	for (size_t i = 0; i < count; i++) {
		buffer_add_text(&text, i == 0 ? TEXT("") : TEXT(","));
		buffer_add_text(&text, text_of(format));
	}
	buffer_add_text(&text, TEXT("]}"));
	return kept(&text);
}

static void lists_have_at_most_1000_items(void **state)
{
	struct error err;
	(void)state;
	assert_int_equal(parse(with_list(EXPR_LIST_MAX, "7"), &err), STATUS_OK);
	assert_int_equal(parse(with_list(EXPR_LIST_MAX + 1, "7"), &err), STATUS_INVALID);
	assert_string_equal(err.field, "expression.value");
}

static void the_whole_has_a_limit_so_that_it_fits_into_a_record(void **state)
{
	struct error err;
	(void)state;
	const char *item = repeated("\"", 500, "\"");
	assert_int_equal(parse(with_list(500, item), &err), STATUS_OK);
	assert_int_equal(parse(with_list(1000, item), &err), STATUS_INVALID);
	assert_string_equal(err.field, "expression");
	assert_non_null(strstr(err.reason, "is longer than"));
}

static void the_platforms_event_types_are_read_as_the_events_that_they_are(void **state)
{
	(void)state;
	struct expr *expr = expr_of(TEXT("{\"event\":\"orders\",\"op\":\"gte\",\"value\":1}"));
	assert_true(text_equal(expr->event.name, TEXT("Order Completed")));
}

static void everything_that_is_written_ends_up_in_the_tree(void **state)
{
	(void)state;
	static const char definition[] =
		"{\"event\":\"A\",\"where\":"
		"{\"property\":\"p\",\"op\":\"in\",\"value\":[\"b\",1,true]},"
		"\"aggregate\":\"sum\",\"property\":\"q\",\"within\":\"2h\",\"until\":\"30m\","
		"\"op\":\"gte\",\"value\":1.5}";
	struct expr             *expr  = expr_of(text_of(definition));
	const struct expr_event *event = &expr->event;
	assert_int_equal(expr->kind, EXPR_EVENT);
	assert_int_equal(event->aggregate, EXPR_SUM);
	assert_true(text_equal(event->property, TEXT("q")));
	assert_int_equal(event->within_ms, 7200000);
	assert_int_equal(event->until_ms, 1800000);
	assert_true(event->from_ms == INSTANT_MS_NONE);
	assert_int_equal(event->test.op, EXPR_GTE);
	assert_int_equal(event->test.values[0].millionths, 1500000);

	const struct expr_test *test = &event->where->test;
	assert_int_equal(test->value_count, 3);
	assert_true(text_equal(test->values[0].text, TEXT("b")));
	assert_true(test->values[1].number == 1);
	assert_int_equal(test->values[2].type, EXPR_BOOL);
	assert_true(test->values[2].boolean);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFINITION_TEST(these_definitions_are_accepted),
		DEFINITION_TEST(wrong_forms_are_refused_with_their_place),
		DEFINITION_TEST(wrong_event_leaves_are_refused_with_their_place),
		DEFINITION_TEST(wrong_spans_are_refused_with_their_place),
		DEFINITION_TEST(wrong_values_are_refused_with_their_place),
		DEFINITION_TEST(personal_values_know_few_tests),
		DEFINITION_TEST(an_address_in_a_canonical_form_is_refused),
		DEFINITION_TEST(an_expression_may_be_32_levels_deep),
		DEFINITION_TEST(a_very_deep_expression_is_refused_without_harm),
		DEFINITION_TEST(the_levels_of_a_where_add_to_those_above_its_event),
		DEFINITION_TEST(an_expression_may_have_256_leaves_and_tests),
		DEFINITION_TEST(ten_thousand_leaves_are_refused_before_any_memory_is_spent_on_them),
		DEFINITION_TEST(tests_of_a_where_count_as_leaves),
		DEFINITION_TEST(names_and_strings_have_limits),
		DEFINITION_TEST(lists_have_at_most_1000_items),
		DEFINITION_TEST(the_whole_has_a_limit_so_that_it_fits_into_a_record),
		DEFINITION_TEST(the_platforms_event_types_are_read_as_the_events_that_they_are),
		DEFINITION_TEST(everything_that_is_written_ends_up_in_the_tree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
