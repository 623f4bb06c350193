#include "model/expr_template.h"

#include "definition.h"

static const struct expr_template *template_of(const char *text)
{
	struct expr_template *template;
	struct error err;
	if (expr_template_read(text_of(text), "template", &definition_arena, &template, &err) !=
	    STATUS_OK)
		fail_msg("%s: %s", text, err.reason);
	return template;
}

#define GIVEN(parameter) (1U << EXPR_PARAMETER_##parameter)

static struct expr_filling with_values(unsigned count, struct text *values)
{
	return (struct expr_filling){.given = GIVEN(VALUE), .value_count = count, .values = values};
}

static void check_filled(const char *text, const struct expr_filling *filling, const char *expected)
{
	struct expr *expr, *hand_written;
	struct error err;
	if (expr_template_fill(template_of(text), filling, "x", &definition_arena, &expr, &err) !=
	    STATUS_OK)
		fail_msg("%s: %s: %s", text, err.field, err.reason);
	assert_int_equal(
		expr_parse_text(text_of(expected), "x", &definition_arena, &hand_written, &err), STATUS_OK);
	assert_string_equal(text_of_expr(expr), text_of_expr(hand_written));
}

static void values_are_the_items_of_a_list(void **state)
{
	(void)state;
	struct text         values[] = {TEXT("제주"), TEXT("부산")};
	struct expr_filling two = with_values(2, values), one = with_values(1, values);
	check_filled("trait(a) in [$value]", &two, "trait(a) in [\"제주\", \"부산\"]");
	check_filled("trait(a) in [$value]", &one, "trait(a) in [\"제주\"]");
	check_filled("count(* where a in [\"x\", $value]) >= 1", &two,
	             "count(* where a in [\"x\", \"제주\", \"부산\"]) >= 1");
}

static void elsewhere_a_test_holds_for_one_of_several_values(void **state)
{
	(void)state;
	struct text         values[] = {TEXT("a"), TEXT("b")};
	struct expr_filling two = with_values(2, values), one = with_values(1, values);
	check_filled("trait(t) = $value", &two, "trait(t) = \"a\" or trait(t) = \"b\"");
	check_filled("trait(t) = $value", &one, "trait(t) = \"a\"");
	check_filled("count(E where p contains $value and q = 1) >= 3", &two,
	             "count(E where (p contains \"a\" or p contains \"b\") and q = 1) >= 3");
	check_filled("last(p of E) starts_with $value", &two,
	             "last(p of E) starts_with \"a\" or last(p of E) starts_with \"b\"");
}

static void a_test_without_its_parameter_is_left_out(void **state)
{
	(void)state;
	struct expr_filling least = {.given = GIVEN(MIN), .min = 3};
	struct expr_filling both  = {.given = GIVEN(MIN) | GIVEN(MAX), .min = 3, .max = 5.5};
	check_filled("count(E) >= $min and count(E) <= $max", &least, "count(E) >= 3");
	check_filled("count(E) >= $min and count(E) <= $max", &both,
	             "count(E) >= 3 and count(E) <= 5.5");
	check_filled("count(E where p >= $min and p <= $max) >= 1", &least,
	             "count(E where p >= 3) >= 1");
	check_filled("count(E where p <= $max) >= 1", &least, "count(E) >= 1");
	check_filled("(count(A) <= $max or count(B) <= $max) and count(A) >= $min", &least,
	             "count(A) >= 3");
	check_filled("not count(A) <= $max and not count(A) >= $min", &least, "not count(A) >= 3");
}

static void days_are_a_duration_or_a_number_by_their_place(void **state)
{
	(void)state;
	struct expr_filling filling = {.given = GIVEN(DAYS), .days = 30};
	check_filled("count(E) within $days until 7d >= 1", &filling,
	             "count(E) within 30d until 7d >= 1");
	check_filled("days_since_last(*) < $days", &filling, "days_since_last(*) < 30");
	check_filled("trait(t) within_last $days", &filling, "trait(t) within_last 30d");
	check_filled("sequence(A then B) within $days ended_within $days", &filling,
	             "sequence(A then B) within 30d ended_within 30d");
}

static void instants_fill_what_compares_with_instants(void **state)
{
	(void)state;
	struct expr_filling filling = {
		.given = GIVEN(FROM) | GIVEN(TO), .from_ms = -1, .to_ms = 86400000};
	check_filled("trait(t) after $from and trait(t) before $to", &filling,
	             "trait(t) after \"1969-12-31T23:59:59.999Z\" and trait(t) before "
	             "\"1970-01-02T00:00:00Z\"");
	check_filled("count(E) between $from and $to >= 1", &filling,
	             "count(E) between \"1969-12-31T23:59:59.999Z\" and \"1970-01-02T00:00:00Z\" >= 1");
}

static void the_whole_may_be_negated(void **state)
{
	(void)state;
	struct expr_filling filling = {.negated = true};
	check_filled("count(A) >= 1 or count(B) >= 1", &filling,
	             "not (count(A) >= 1 or count(B) >= 1)");
}

static void what_is_given_never_becomes_anything_but_a_value(void **state)
{
	(void)state;
	struct text         values[] = {TEXT("x\"] or trait(b) exists"), TEXT("$value\\")};
	struct expr_filling two      = with_values(2, values);
	check_filled("trait(a) in [$value]", &two,
	             "trait(a) in [\"x\\\"] or trait(b) exists\", \"$value\\\\\"]");
}

static void check_not_filled(const char *text, const struct expr_filling *filling,
                             const char *reason)
{
	struct expr *expr;
	struct error err;
	assert_int_equal(
		expr_template_fill(template_of(text), filling, "filters.x", &definition_arena, &expr, &err),
		STATUS_INVALID);
	assert_string_equal(err.field, "filters.x");
	if (strstr(err.reason, reason) == NULL)
		fail_msg("%s: %s", text, err.reason);
}

static void what_does_not_fit_is_refused(void **state)
{
	(void)state;
	struct expr_filling nothing = {0};
	struct expr_filling fine    = {.given = GIVEN(MIN), .min = 0.00000001};
	struct expr_filling ages    = {.given = GIVEN(DAYS), .days = 2000};
	check_not_filled("count(E) >= $min", &nothing, "says nothing");
	check_not_filled("sum(p of E) >= $min", &fine, "decimals");
	check_not_filled("count(E) within $days >= 1", &ages, "1,095 days");
	check_not_filled("count(E) within 7d until $days >= 1", &ages, "1,095 days");
}

/* A thousand long values in each of many holes would be hundreds of megabytes. */
static void what_would_be_far_too_long_is_not_written_out(void **state)
{
	(void)state;
	static char        letters[EXPR_TEXT_BYTES_MAX];
	static struct text values[EXPR_LIST_MAX];
	struct buffer      lists = {0}, tests = {0};
	memset(letters, 'x', sizeof letters);
	for (unsigned i = 0; i < EXPR_LIST_MAX; i++)
		values[i] = (struct text){letters, sizeof letters};
	struct expr_filling many = with_values(EXPR_LIST_MAX, values);
	buffer_add_text(&lists, TEXT("count(* where a in [$value]"));
	buffer_add_text(&tests, TEXT("first(p of * where a = $value"));
	for (unsigned i = 0; i < 200; i++) {
		buffer_add_text(&lists, TEXT(" and a in [$value]"));
		buffer_add_text(&tests, TEXT(" and a = $value"));
	}
	buffer_add(&lists, ") >= 1", 7);
	buffer_add(&tests, ") = $value", 11);
	check_not_filled(lists.data, &many, "is longer than");
	check_not_filled(tests.data, &many, "is longer than");
	buffer_done(&lists);
	buffer_done(&tests);
}

static void check_refused_template(const char *text, const char *reason)
{
	struct expr_template *template;
	struct error err;
	enum status  status =
		expr_template_read(text_of(text), "template", &definition_arena, &template, &err);
	assert_int_equal(status, STATUS_INVALID);
	assert_string_equal(err.field, "template");
	if (strstr(err.reason, reason) == NULL)
		fail_msg("%s: %s", text, err.reason);
}

static void a_mistake_in_a_template_is_told_with_its_place(void **state)
{
	(void)state;
	check_refused_template("count(E) within $day >= 1", "line 1, column 17: expected a duration");
	check_refused_template("count(E) within $min >= 1", "line 1, column 17: expected a duration");
	check_refused_template("count(E)\n >= $days $min", "line 2, column 11: expected and, or");
	check_refused_template("count(E) >= $value", "line 1, column 13: must be a number");
	check_refused_template("trait(t) before $min", "line 1, column 17: expected an instant");
	check_refused_template("trait(name) = $value", "line 1, column 13: ");
	check_refused_template("trait(email) = $value", "a filter cannot compare");
	check_refused_template("", "expected");
}

static void parameters_stand_in_templates_only(void **state)
{
	(void)state;
	struct expr *expr;
	struct error err;
	assert_int_equal(
		expr_parse_text(TEXT("count(E) >= $min"), "expression", &definition_arena, &expr, &err),
		STATUS_INVALID);
	/* A name that looks like one is a name. */
	check_filled("count(E where $min exists) >= 1", &(struct expr_filling){0},
	             "count(E where \"$min\" exists) >= 1");
}

static void a_template_knows_its_parameters_and_what_a_value_is_compared_with(void **state)
{
	(void)state;
	const struct expr_template *t = template_of(
		"count(A) >= $min and count(\"B c\" where \"p q\" in [$value]) within $days >= 1");
	assert_int_equal(t->parameters, GIVEN(MIN) | GIVEN(VALUE) | GIVEN(DAYS));
	assert_true(text_equal(t->event, TEXT("B c")));
	assert_true(text_equal(t->property, TEXT("p q")));
	assert_int_equal(t->trait.length, 0);
	t = template_of("trait(t) = $value");
	assert_true(text_equal(t->trait, TEXT("t")));
	assert_int_equal(t->event.length, 0);
	t = template_of("last(p of *) = $value");
	assert_true(text_equal(t->event, TEXT("*")));
	assert_true(text_equal(t->property, TEXT("p")));
}

static void what_no_parameter_picks_out_can_be_kept_as_columns(void **state)
{
	(void)state;
	static const char *const columns[] = {
		"trait(t) in [$value]",
		"count(E) within $days >= $min",
		"count(E where p exists) >= 1 and not sum(p of E) >= $min",
		"days_since_last(*) < $days or avg(p of E) <= $max",
		"distinct(p of E) within $days until 1d >= $min",
	};
	static const char *const scans[] = {
		"count(E where p in [$value]) >= 1",
		"last(p of E) = $value",
		"sequence(A then B) within $days",
		"count(E where p within_last 30d) >= 1",
		"first(p of E) exists",
		"count(E) between $from and $to >= 1",
		"segment(x)",
	};
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
		if (!expr_template_is_column(template_of(columns[i])))
			fail_msg("%s", columns[i]);
	for (size_t i = 0; i < sizeof scans / sizeof scans[0]; i++)
		if (expr_template_is_column(template_of(scans[i])))
			fail_msg("%s", scans[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFINITION_TEST(values_are_the_items_of_a_list),
		DEFINITION_TEST(elsewhere_a_test_holds_for_one_of_several_values),
		DEFINITION_TEST(a_test_without_its_parameter_is_left_out),
		DEFINITION_TEST(days_are_a_duration_or_a_number_by_their_place),
		DEFINITION_TEST(instants_fill_what_compares_with_instants),
		DEFINITION_TEST(the_whole_may_be_negated),
		DEFINITION_TEST(what_is_given_never_becomes_anything_but_a_value),
		DEFINITION_TEST(what_does_not_fit_is_refused),
		DEFINITION_TEST(what_would_be_far_too_long_is_not_written_out),
		DEFINITION_TEST(a_mistake_in_a_template_is_told_with_its_place),
		DEFINITION_TEST(parameters_stand_in_templates_only),
		DEFINITION_TEST(a_template_knows_its_parameters_and_what_a_value_is_compared_with),
		DEFINITION_TEST(what_no_parameter_picks_out_can_be_kept_as_columns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
