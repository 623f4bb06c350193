#include "model/filter.h"

#include "definition.h"

/* The filters in short: what each is given here, and the expression that a person would write. */
static const struct {
	const char *name;
	const char *given;
	const char *expression;
} filters_by_hand[] = {
	{"membership", "\"VIP\"", "trait(membership_tier) in [\"VIP\"]"},
	{"device_type", "[\"mobile\",\"tablet\"]", "trait(device_type) in [\"tablet\",\"mobile\"]"},
	{"gender", "\"F\"", "trait(gender) in [\"F\"]"},
	{"age_band", "[\"20s\",\"70s+\"]", "trait(age_band) in [\"20s\",\"70s+\"]"},
	{"active_regions", "[\"제주\",\"부산\"]", "trait(active_regions) in [\"제주\",\"부산\"]"},
	{"language", "\"ko\"", "trait(language) in [\"ko\"]"},
	{"acquisition_channel", "\"organic\"", "trait(acquisition_channel) in [\"organic\"]"},
	{"marketing_consent", "[\"email\",\"sms\"]", "trait(marketing_consent) in [\"email\",\"sms\"]"},
	{"signup_period", "90", "trait(created_at) within_last 90d"},
	{"recency", "30", "days_since_last(*) < 30"},
	{"region", "[\"제주\"]", "count(* where region in [\"제주\"]) within 365d >= 1"},
	{"accommodation_type", "\"poolvilla\"",
     "count(* where accommodation_type in [\"poolvilla\"]) within 365d >= 1"},
	{"search_keyword", "\"온천\"",
     "count(\"Products Searched\" where query contains \"온천\" or search_keyword contains "
     "\"온천\")"
     " within 365d >= 1"},
	{"viewed_category", "[\"fashion\"]",
     "count(\"Product Viewed\" where category in [\"fashion\"]) within 365d >= 1 or "
     "count(\"Product List Viewed\" where category in [\"fashion\"]) within 365d >= 1"},
	{"view_count", "5", "count(\"Product Viewed\") within 30d >= 5"},
	{"session_count", "{\"min\":2,\"max\":9}",
     "distinct(context.sessionId of *) within 30d >= 2 and "
     "distinct(context.sessionId of *) within 30d <= 9"},
	{"has_cart", "true",
     "last(has_cart of *) within 30d = true or "
     "(last(has_cart of *) within 30d absent and count(\"Product Added\") within 30d >= 1)"},
	{"cart_abandoned", "7",
     "count(\"Product Added\") within 7d >= 1 and "
     "not sequence(\"Product Added\" then \"Order Completed\") ended_within 7d and "
     "not sequence(\"Product Added\" then \"Booking Created\") ended_within 7d"},
	{"wishlist", "false", "not count(\"Product Added to Wishlist\") within 365d >= 1"},
	{"coupon_used", "true",
     "count(\"Order Completed\" where coupon exists) within 365d >= 1 or "
     "count(\"Booking Created\" where coupon exists) within 365d >= 1"},
	{"price_range", "{\"min\":100000,\"max\":200000}",
     "count(\"Product Viewed\" where price >= 100000 and price <= 200000) within 365d >= 1"},
	{"booking_frequency", "3",
     "count(\"Booking Created\") within 365d >= 3 or count(\"Order Completed\") within 365d >= 3"},
	{"last_booking", "60",
     "days_since_last(\"Booking Created\") < 60 or days_since_last(\"Order Completed\") < 60"},
	{"total_spent", "{\"min\":500000.5}",
     "sum($amount of \"Booking Created\") within 365d >= 500000.5 or "
     "sum($amount of \"Order Completed\") within 365d >= 500000.5"},
	{"average_order_value", "{\"min\":400000,\"max\":900000}",
     "(avg($amount of \"Booking Created\") within 365d >= 400000 and "
     "avg($amount of \"Booking Created\") within 365d <= 900000) or "
     "(avg($amount of \"Order Completed\") within 365d >= 400000 and "
     "avg($amount of \"Order Completed\") within 365d <= 900000)"},
	{"lead_time_days", "{\"max\":3}",
     "count(\"Booking Created\" where lead_time_days <= 3) within 365d >= 1"},
	{"days_of_week", "[\"fri\",\"sat\"]",
     "count(\"Booking Created\" where days_of_week in [\"fri\",\"sat\"]) within 365d >= 1"},
	{"stay_nights", "2", "count(\"Booking Created\" where nights >= 2) within 365d >= 1"},
	{"property_type", "\"hanok\"",
     "count(\"Booking Created\" where property_type in [\"hanok\"]) within 365d >= 1"},
	{"pet_friendly", "true",
     "count(\"Booking Created\" where pet_friendly = true) within 365d >= 1"},
	{"kids_friendly", "true",
     "count(\"Booking Created\" where kids_friendly = true) within 365d >= 1"},
	{"themes", "[\"오션뷰\",\"온천\"]",
     "count(\"Booking Created\" where themes in [\"온천\",\"오션뷰\"]) within 365d >= 1"},
};
enum { BY_HAND_COUNT = sizeof filters_by_hand / sizeof filters_by_hand[0] };

static const char *canonical_of_expr(const struct expr *expr)
{
	struct buffer out = {0};
	expr_write_canonical(&out, expr);
	return kept(&out);
}

static const char *canonical_of_text(const char *text)
{
	struct expr *expr;
	struct error err;
	if (expr_parse_text(text_of(text), "expression", &definition_arena, &expr, &err) != STATUS_OK)
		fail_msg("%s: %s", text, err.reason);
	return canonical_of_expr(expr);
}

static void there_are_32_filters_with_labels_in_korean_and_english(void **state)
{
	(void)state;
	struct filters filters;
	filters_init(&filters);
	assert_int_equal(filters.count, 32);
	for (size_t i = 0; i < filters.count; i++) {
		const struct filter *filter = &filters.list[i];
		assert_ptr_equal(filters_find(&filters, filter->name), filter);
		assert_true(filter->label.ko.length > 0 && filter->label.en.length > 0);
		assert_int_equal(filter->origin, FILTER_BUILT_IN);
		for (unsigned c = 0; c < filter->choice_count; c++)
			assert_true(filter->choices[c].label.ko.length > 0 &&
			            filter->choices[c].label.en.length > 0);
	}
	filters_done(&filters);
}

static void each_filter_is_the_expression_that_one_would_write(void **state)
{
	(void)state;
	struct filters filters;
	filters_init(&filters);
	assert_int_equal(BY_HAND_COUNT, filters.count);
	for (size_t i = 0; i < BY_HAND_COUNT; i++) {
		const char  *name = filters_by_hand[i].name;
		struct expr *expr;
		struct error err;
		char         text[256];
		assert_true(text_equal(filters.list[i].name, text_of(name)));
		snprintf(text, sizeof text, "{\"%s\":%s}", name, filters_by_hand[i].given);
		if (filters_to_expr(&filters, json_of(text_of(text)), "filters", &definition_arena, &expr,
		                    &err) != STATUS_OK)
			fail_msg("%s: %s: %s", name, err.field, err.reason);
		assert_string_equal(canonical_of_expr(expr),
		                    canonical_of_text(filters_by_hand[i].expression));
	}
	filters_done(&filters);
}

static void note_column(void *context, const struct filter *filter, struct text canonical)
{
	struct buffer *names = context;
	struct expr   *expr;
	buffer_printf(names, "%.*s ", TEXT_FORMAT(filter->name));
	assert_int_equal(expr_parse_canonical(canonical, &definition_arena, &expr, NULL), STATUS_OK);
}

static void filters_whose_values_pick_no_events_are_columns(void **state)
{
	(void)state;
	struct filters filters;
	struct buffer  names = {0};
	filters_init(&filters);
	filters_columns(&filters, note_column, &names);
	assert_string_equal(
		kept(&names),
		"membership device_type gender age_band active_regions language acquisition_channel "
		"marketing_consent signup_period recency view_count session_count wishlist coupon_used "
		"booking_frequency last_booking total_spent average_order_value pet_friendly "
		"kids_friendly ");
	filters_done(&filters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFINITION_TEST(there_are_32_filters_with_labels_in_korean_and_english),
		DEFINITION_TEST(each_filter_is_the_expression_that_one_would_write),
		DEFINITION_TEST(filters_whose_values_pick_no_events_are_columns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
