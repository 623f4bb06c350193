#include "mart/mart_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/json.h"

static struct json_parser *parser;
static struct arena        arena;

static int begin(void **state)
{
	(void)state;
	parser = json_parser_new();
	arena_init(&arena);
	return 0;
}

static int end(void **state)
{
	(void)state;
	json_parser_free(parser);
	arena_done(&arena);
	return 0;
}

static struct text list_of(const char *json)
{
	struct json   root;
	struct error  err  = {0};
	struct buffer list = {0};
	assert_int_equal(json_parse_text(parser, text_of(json), &root, &err), STATUS_OK);
	size_t   at    = value_list_begin(&list);
	unsigned count = 0;
	for (struct json_iterator i = json_iterate(root); json_next(&i); count++)
		assert_int_equal(value_add_json(&list, i.name, i.value, &err), STATUS_OK);
	value_list_end(&list, at, count);
	struct text kept = arena_text(&arena, buffer_text(&list));
	buffer_done(&list);
	return kept;
}

static struct event event_of(const char *name, const char *properties)
{
	return (struct event){
		.position = 7,
		.record = {.kind = RECORD_EVENT, .name = text_of(name), .properties = list_of(properties)}};
}

static void expect_row_as(enum mart_table table, bool csv, bool keep_formulas,
                          const struct mart_source *source, const char *expected)
{
	struct buffer out = {0}, scratch = {0};
	mart_row_write(table, csv, keep_formulas, source, &scratch, &out);
	buffer_add_u8(&out, '\0');
	assert_string_equal(out.data, expected);
	buffer_done(&out);
	buffer_done(&scratch);
}

static void expect_row(enum mart_table table, bool csv, const struct mart_source *source,
                       const char *expected)
{
	expect_row_as(table, csv, false, source, expected);
}

static void a_formula_is_guarded_unless_it_is_to_be_kept(void **state)
{
	(void)state;
	const struct mart_source source = {.id   = TEXT("@p"),
	                                   .list = list_of("{\"name\":\"=1+1\",\"price_range\":-5}")};
	expect_row_as(MART_DIM_PRODUCTS, true, false, &source, "'@p,'=1+1,,,,-5\r\n");
	expect_row_as(MART_DIM_PRODUCTS, true, true, &source, "@p,=1+1,,,,-5\r\n");
}

static void a_booking_says_what_was_said_last_and_null_takes_away(void **state)
{
	(void)state;
	struct event made   = event_of("Booking Created", "{\"amount\":10,\"check_in\":\"2026-01-02\","
	                                                    "\"property_id\":\"p\"}");
	struct event first  = event_of("Booking Updated", "{\"amount\":20,\"check_in\":null}");
	struct event second = event_of("Booking Updated", "{\"property_id\":\"q\"}");
	struct mart_booking booking = {.key = TEXT("b"), .original = &made};
	VECTOR_ADD(&booking.updates, &first);
	VECTOR_ADD(&booking.updates, &second);
	struct mart_source source = {.id = TEXT("u"), .event = &made, .booking = &booking};
	expect_row(MART_FACT_BOOKINGS, true, &source, "b,u,q,20,,,,,updated,1970-01-01T00:00:00Z\r\n");
	booking.cancelled = true;
	expect_row(MART_FACT_BOOKINGS, true, &source,
	           "b,u,q,20,,,,,cancelled,1970-01-01T00:00:00Z\r\n");
	VECTOR_DONE(&booking.updates);
}

static void what_is_searched_and_put_into_the_cart_is_read_from_the_event(void **state)
{
	(void)state;
	struct event searched = event_of("Products Searched", "{\"query\":\"감귤, \\\"제주\\\"\"}");
	struct event added    = event_of("Product Added", "{}");
	struct mart_source source = {.event = &searched};
	expect_row(MART_FACT_USER_BEHAVIOR, true, &source,
	           "7,,,Products Searched,\"감귤, \"\"제주\"\"\",,,,1970-01-01T00:00:00Z\r\n");
	source.event = &added;
	expect_row(MART_FACT_USER_BEHAVIOR, false, &source,
	           "{\"behavior_id\":7,\"user_id\":null,\"product_id\":null,\"event_type\":"
	           "\"Product Added\",\"search_keyword\":null,\"region\":null,"
	           "\"accommodation_type\":null,\"has_cart\":true,"
	           "\"event_time\":\"1970-01-01T00:00:00Z\"}\n");
}

static void a_row_of_a_dimension_has_its_fields_and_nothing_for_others(void **state)
{
	(void)state;
	struct mart_source source = {.id = TEXT("p"), .list = list_of("{\"themes\":[\"가\",\"나\"]}")};
	expect_row(MART_DIM_PRODUCTS, true, &source, "p,,,,\"[\"\"가\"\",\"\"나\"\"]\",\r\n");
}

static void tables_are_found_by_name(void **state)
{
	(void)state;
	assert_int_equal(mart_table_of(TEXT("fact_bookings")), MART_FACT_BOOKINGS);
	assert_int_equal(mart_table_of(TEXT("fact_booking")), MART_TABLE_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_formula_is_guarded_unless_it_is_to_be_kept),
		cmocka_unit_test(a_booking_says_what_was_said_last_and_null_takes_away),
		cmocka_unit_test(what_is_searched_and_put_into_the_cart_is_read_from_the_event),
		cmocka_unit_test(a_row_of_a_dimension_has_its_fields_and_nothing_for_others),
		cmocka_unit_test(tables_are_found_by_name),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
