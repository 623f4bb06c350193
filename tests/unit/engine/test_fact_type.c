#include "engine/fact/fact_type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct fact_types types;

static int begin(void **state)
{
	(void)state;
	fact_types_init(&types);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fact_types_done(&types);
	return 0;
}

static struct fact_type wish(const char *name, const char *original, const char *updated,
                             const char *cancelled)
{
	struct fact_type type = {.name      = text_of(name),
	                         .original  = text_of(original),
	                         .updated   = text_of(updated),
	                         .cancelled = text_of(cancelled)};
	value_path_init(&type.key, TEXT("ticket.number"), &types.arena);
	return type;
}

static enum fact_part part_of(const char *event)
{
	const struct fact_type *type;
	return fact_types_part(&types, text_of(event), &type);
}

static void orders_and_bookings_are_built_in(void **state)
{
	(void)state;
	assert_int_equal(part_of("Order Completed"), FACT_ORIGINAL);
	assert_int_equal(part_of("Order Updated"), FACT_UPDATED);
	assert_int_equal(part_of("Booking Cancelled"), FACT_CANCELLED);
	assert_int_equal(part_of("Order Refunded"), FACT_NONE);
	assert_int_equal(part_of("Order Complete"), FACT_NONE);
	assert_int_equal(part_of(""), FACT_NONE);
}

static void a_declared_type_survives_its_record(void **state)
{
	(void)state;
	struct fact_type type = wish("Ticket", "Bought", "", "Returned"), decoded;
	struct buffer    body = {0};
	struct error     err;
	fact_type_encode(&type, &body);
	assert_int_equal(fact_type_decode(buffer_text(&body), &types.arena, &decoded, &err), STATUS_OK);
	assert_int_equal(fact_types_check(&types, &decoded, &err), STATUS_OK);
	fact_types_add(&types, &decoded, 7);
	assert_int_equal(part_of("Bought"), FACT_ORIGINAL);
	assert_int_equal(part_of("Returned"), FACT_CANCELLED);
	assert_int_equal(types.list.items[2].declared_position, 7);
	assert_int_equal(types.list.items[2].key.part_count, 2);

	struct text cut = {body.data, body.length - 1};
	assert_int_equal(fact_type_decode(cut, &types.arena, &decoded, &err), STATUS_CORRUPT);
	body.data[0] = 9;
	assert_int_equal(fact_type_decode(buffer_text(&body), &types.arena, &decoded, &err),
	                 STATUS_CORRUPT);
	buffer_done(&body);
}

static void an_event_plays_one_part_in_one_type(void **state)
{
	(void)state;
	struct error     err;
	struct fact_type type = wish("Ticket", "Order Updated", "Changed", "");
	assert_int_equal(fact_types_check(&types, &type, &err), STATUS_CONFLICT);
	type = wish("Order", "Bought", "Changed", "");
	assert_int_equal(fact_types_check(&types, &type, &err), STATUS_CONFLICT);
	type = wish("Ticket", "Bought", "", "");
	assert_int_equal(fact_types_check(&types, &type, &err), STATUS_INVALID);
	type = wish("Ticket", "Bought", "Bought", "");
	assert_int_equal(fact_types_check(&types, &type, &err), STATUS_INVALID);
}

static void assert_key(const struct value *value, const char *expected)
{
	struct buffer list = {0}, scratch = {0};
	struct text   key;
	size_t        at = value_list_begin(&list);
	value_add(&list, TEXT("order_id"), value);
	value_list_end(&list, at, 1);
	bool found = fact_type_key(&types.list.items[0], buffer_text(&list), &scratch, &key);
	assert_int_equal(found, expected != NULL);
	if (found)
		assert_true(text_equal(key, text_of(expected)));
	buffer_done(&list);
	buffer_done(&scratch);
}

static void a_key_is_a_string_or_the_shortest_text_of_a_number(void **state)
{
	(void)state;
	assert_key(&(struct value){.type = VALUE_STRING, .text = TEXT("o-1")}, "o-1");
	assert_key(&(struct value){.type = VALUE_INT, .integer = -5}, "-5");
	assert_key(&(struct value){.type = VALUE_UINT, .unsigned_integer = UINT64_MAX},
	           "18446744073709551615");
	assert_key(&(struct value){.type = VALUE_DOUBLE, .number = 5}, "5");
	assert_key(&(struct value){.type = VALUE_DOUBLE, .number = 0.1}, "0.1");
	assert_key(&(struct value){.type = VALUE_STRING, .text = TEXT("")}, NULL);
	assert_key(&(struct value){.type = VALUE_TRUE}, NULL);
	assert_key(&(struct value){.type = VALUE_NULL}, NULL);
	assert_key(&(struct value){.type = VALUE_PERSONAL}, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(orders_and_bookings_are_built_in),
		TEST(a_declared_type_survives_its_record),
		TEST(an_event_plays_one_part_in_one_type),
		TEST(a_key_is_a_string_or_the_shortest_text_of_a_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
