#include "definition.h"
#include "model/filter.h"

static struct filters filters;

static int begin(void **state)
{
	filters_init(&filters);
	return definition_begin(state);
}

static int done(void **state)
{
	filters_done(&filters);
	return definition_done(state);
}

#define FLAT_TEST(name) cmocka_unit_test_setup_teardown(name, begin, done)

static const char *text_of_flat(const char *flat)
{
	struct expr *expr;
	struct error err;
	if (filters_to_expr(&filters, json_of(text_of(flat)), "filters", &definition_arena, &expr,
	                    &err) != STATUS_OK)
		fail_msg("%s: %s: %s", flat, err.field, err.reason);
	return text_of_expr(expr);
}

static void all_filters_must_hold(void **state)
{
	(void)state;
	assert_string_equal(
		text_of_flat("{\"region\":[\"제주\"],\"membership\":\"VIP\",\"recency\":30}"),
		"count(* where region in [\"제주\"]) within 365d >= 1 and "
		"trait(membership_tier) in [\"VIP\"] and days_since_last(*) < 30");
}

static void no_filters_say_nothing(void **state)
{
	(void)state;
	struct expr *expr = definition_arena.newest == NULL ? NULL : (void *)&filters;
	assert_int_equal(
		filters_to_expr(&filters, json_of(TEXT("{}")), "filters", &definition_arena, &expr, NULL),
		STATUS_OK);
	assert_null(expr);
}

static void an_array_means_any_of_it(void **state)
{
	(void)state;
	assert_string_equal(
		text_of_flat("{\"search_keyword\":[\"온천\",\"한옥\"]}"),
		"count(\"Products Searched\" where (query contains \"온천\" or query contains \"한옥\") or "
		"(search_keyword contains \"온천\" or search_keyword contains \"한옥\")) within 365d >= 1");
}

static void a_label_in_either_language_stands_for_its_value_or_itself(void **state)
{
	(void)state;
	assert_string_equal(
		text_of_flat("{\"accommodation_type\":[\"풀빌라\"]}"),
		"count(* where accommodation_type in [\"풀빌라\", \"poolvilla\"]) within 365d >= 1");
	assert_string_equal(text_of_flat("{\"gender\":\"Female\"}"),
	                    "trait(gender) in [\"Female\", \"F\"]");
	assert_string_equal(text_of_flat("{\"gender\":\"F\"}"), "trait(gender) in [\"F\"]");
	/* Where there are no other values, for its value alone. */
	assert_string_equal(
		text_of_flat("{\"days_of_week\":[\"토\",\"sun\"]}"),
		"count(\"Booking Created\" where days_of_week in [\"sat\", \"sun\"]) within 365d >= 1");
	/* What the events have beyond the choices. */
	assert_string_equal(text_of_flat("{\"membership\":\"BLACK\"}"),
	                    "trait(membership_tier) in [\"BLACK\"]");
}

static void a_window_may_be_given_to_filters_that_have_one(void **state)
{
	(void)state;
	assert_string_equal(text_of_flat("{\"region\":{\"value\":\"제주\",\"days\":90}}"),
	                    "count(* where region in [\"제주\"]) within 90d >= 1");
	assert_string_equal(text_of_flat("{\"view_count\":{\"min\":3,\"days\":7}}"),
	                    "count(\"Product Viewed\") within 7d >= 3");
	assert_string_equal(text_of_flat("{\"wishlist\":{\"value\":false,\"days\":7}}"),
	                    "not count(\"Product Added to Wishlist\") within 7d >= 1");
	assert_string_equal(text_of_flat("{\"recency\":{\"days\":7}}"), "days_since_last(*) < 7");
}

static void a_range_may_have_one_end(void **state)
{
	(void)state;
	assert_string_equal(text_of_flat("{\"view_count\":{\"max\":0}}"),
	                    "count(\"Product Viewed\") within 30d <= 0");
	assert_string_equal(text_of_flat("{\"total_spent\":{\"max\":-0.5}}"),
	                    "sum($amount of \"Booking Created\") within 365d <= -0.5 and "
	                    "sum($amount of \"Order Completed\") within 365d <= -0.5");
}

static void a_period_includes_its_begin_and_not_its_end(void **state)
{
	(void)state;
	assert_string_equal(
		text_of_flat("{\"signup_period\":{\"from\":\"2025-01-01\",\"to\":\"2025-02-01\"}}"),
		"trait(created_at) after \"2024-12-31T23:59:59.999Z\" and "
		"trait(created_at) before \"2025-02-01T00:00:00Z\"");
	assert_string_equal(text_of_flat("{\"signup_period\":{\"to\":\"2025-01-07T19:30:00+09:00\"}}"),
	                    "trait(created_at) before \"2025-01-07T10:30:00Z\"");
	assert_string_equal(text_of_flat("{\"signup_period\":{\"from\":\"0001-01-01\"}}"),
	                    "trait(created_at) after \"0001-01-01T00:00:00Z\"");
	assert_string_equal(text_of_flat("{\"signup_period\":7}"), "trait(created_at) within_last 7d");
}

static void what_is_wrong_is_refused_with_its_place_and_why(void **state)
{
	(void)state;
	static const struct {
		const char *flat, *field, *reason;
	} cases[] = {
		{"[]", "filters", "must be an object"},
		{"{\"regoin\":\"제주\"}", "filters.regoin", "did you mean \"region\"?"},
		{"{\"nothing like it\":1}", "filters.nothing like it", "There is no such filter"},
		{"{\"region\":5}", "filters.region", "must be a string or an array of strings"},
		{"{\"region\":null}", "filters.region", "must be a string or an array"},
		{"{\"region\":true}", "filters.region", "must be a string or an array"},
		{"{\"region\":[]}", "filters.region", "must have from 1 to 1000 items"},
		{"{\"region\":[\"제주\",5]}", "filters.region[1]", "must be a string"},
		{"{\"region\":\"\"}", "filters.region", "must have from 1 to 1024 bytes"},
		{"{\"region\":{\"values\":\"제주\"}}", "filters.region.values", "did you mean \"value\"?"},
		{"{\"region\":{\"colour\":\"red\"}}", "filters.region.colour",
	     "unknown field: known here are value, days"},
		{"{\"region\":{\"days\":3}}", "filters.region", "needs value"},
		{"{\"region\":{\"value\":[\"a\",{}]}}", "filters.region.value[1]", "must be a string"},
		{"{\"region\":{\"value\":\"제주\",\"days\":0}}", "filters.region.days",
	     "must be a whole number of days from 1 to 1095"},
		{"{\"region\":{\"value\":\"제주\",\"days\":1096}}", "filters.region.days", "1 to 1095"},
		{"{\"region\":{\"value\":\"제주\",\"days\":1.5}}", "filters.region.days", "whole number"},
		{"{\"membership\":{\"value\":\"VIP\",\"days\":3}}", "filters.membership.days",
	     "this filter takes no days"},
		{"{\"days_of_week\":\"someday\"}", "filters.days_of_week", "known are mon, tue, wed"},
		{"{\"days_of_week\":[\"sunn\"]}", "filters.days_of_week[0]", "did you mean \"sun\"?"},
		{"{\"view_count\":\"5\"}", "filters.view_count", "must be a whole number, 0 or more"},
		{"{\"view_count\":2.5}", "filters.view_count", "must be a whole number, 0 or more"},
		{"{\"view_count\":-1}", "filters.view_count", "must be a whole number, 0 or more"},
		{"{\"view_count\":[1,2]}", "filters.view_count", "must be a whole number"},
		{"{\"view_count\":{}}", "filters.view_count", "needs min, max or both"},
		{"{\"view_count\":{\"days\":3}}", "filters.view_count", "needs min, max or both"},
		{"{\"view_count\":{\"min\":3,\"max\":2}}", "filters.view_count.max",
	     "must not be less than min"},
		{"{\"view_count\":{\"minn\":3}}", "filters.view_count.minn", "did you mean \"min\"?"},
		{"{\"total_spent\":\"100\"}", "filters.total_spent", "must be a number"},
		{"{\"total_spent\":0.0000001}", "filters.total_spent", "decimals"},
		{"{\"total_spent\":1e999}", "filters.total_spent", "must be a number"},
		{"{\"recency\":0}", "filters.recency", "must be a whole number of days from 1 to 1095"},
		{"{\"recency\":2000}", "filters.recency", "1 to 1095"},
		{"{\"recency\":\"30d\"}", "filters.recency", "whole number of days"},
		{"{\"recency\":{}}", "filters.recency", "needs days"},
		{"{\"wishlist\":1}", "filters.wishlist", "must be true or false"},
		{"{\"wishlist\":\"true\"}", "filters.wishlist", "must be true or false"},
		{"{\"wishlist\":{\"days\":3}}", "filters.wishlist", "needs value"},
		{"{\"signup_period\":{}}", "filters.signup_period", "needs days, or from, to or both"},
		{"{\"signup_period\":{\"from\":\"soon\"}}", "filters.signup_period.from",
	     "must be a date or an instant"},
		{"{\"signup_period\":{\"from\":\"2025-02-30\"}}", "filters.signup_period.from",
	     "must be a date or an instant"},
		{"{\"signup_period\":{\"from\":\"2025-01-02\",\"to\":\"2025-01-02\"}}",
	     "filters.signup_period.to", "must be later than from"},
		{"{\"signup_period\":{\"days\":3,\"to\":\"2025-01-02\"}}", "filters.signup_period.days",
	     "must not stand together"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct expr *expr;
		struct error err    = {0};
		enum status  status = filters_to_expr(&filters, json_of(text_of(cases[i].flat)), "filters",
		                                      &definition_arena, &expr, &err);
		if (status != STATUS_INVALID || strcmp(err.field, cases[i].field) != 0 ||
		    strstr(err.reason, cases[i].reason) == NULL)
			fail_msg("%s: %d, %s: %s", cases[i].flat, status, err.field, err.reason);
	}
}

static void of_a_member_that_stands_twice_the_last_one_counts(void **state)
{
	(void)state;
	struct buffer flat = {0};
	buffer_add_text(&flat, TEXT("{\"membership\":{\"value\":["));
	for (unsigned i = 0; i < 1000; i++)
		buffer_printf(&flat, "%s\"%u\"", i == 0 ? "" : ",", i);
	buffer_add_text(&flat, TEXT("],\"value\":\"VIP\"}}"));
	assert_string_equal(text_of_flat(arena_text(&definition_arena, buffer_text(&flat)).data),
	                    "trait(membership_tier) in [\"VIP\"]");
	buffer_done(&flat);
}

static void more_than_an_expression_may_have_is_refused(void **state)
{
	(void)state;
	struct expr  *expr;
	struct error  err;
	struct buffer flat = {0};
	buffer_add_text(&flat, TEXT("{\"search_keyword\":["));
	for (unsigned i = 0; i < 200; i++)
		buffer_printf(&flat, "%s\"%u\"", i == 0 ? "" : ",", i);
	buffer_add_text(&flat, TEXT("]}"));
	assert_int_equal(filters_to_expr(&filters, json_of(buffer_text(&flat)), "filters",
	                                 &definition_arena, &expr, &err),
	                 STATUS_INVALID);
	assert_string_equal(err.field, "filters.search_keyword");
	assert_non_null(strstr(err.reason, "more than 256 leaves and tests"));
	buffer_done(&flat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLAT_TEST(all_filters_must_hold),
		FLAT_TEST(no_filters_say_nothing),
		FLAT_TEST(an_array_means_any_of_it),
		FLAT_TEST(a_label_in_either_language_stands_for_its_value_or_itself),
		FLAT_TEST(a_window_may_be_given_to_filters_that_have_one),
		FLAT_TEST(a_range_may_have_one_end),
		FLAT_TEST(a_period_includes_its_begin_and_not_its_end),
		FLAT_TEST(what_is_wrong_is_refused_with_its_place_and_why),
		FLAT_TEST(of_a_member_that_stands_twice_the_last_one_counts),
		FLAT_TEST(more_than_an_expression_may_have_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
