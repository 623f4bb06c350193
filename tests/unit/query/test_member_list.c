#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "query/member_list.h"

/* Slots 0, 5 and 6; slot 1. */
static const struct text three = TEXT("\x01\x05\x01"), one = TEXT("\x02");

static void members_are_those_that_were_put(void **state)
{
	struct member_list *list = member_list_new(3);
	(void)state;
	assert_true(member_list_put(list, 1, three));
	assert_null(member_list_of(list, 0));
	assert_int_equal(roaring_bitmap_get_cardinality(member_list_of(list, 1)), 3);
	assert_true(roaring_bitmap_contains(member_list_of(list, 1), 6));
	assert_false(roaring_bitmap_contains(member_list_of(list, 1), 1));
	member_list_unref(list);
}

static void what_makes_no_sense_or_comes_twice_is_refused(void **state)
{
	struct member_list *list = member_list_new(2);
	(void)state;
	assert_false(member_list_put(list, 0, TEXT("\x80")));
	assert_false(member_list_put(list, 2, one));
	assert_true(member_list_put(list, 0, one));
	assert_false(member_list_put(list, 0, three));
	member_list_unref(list);
}

static void equal_lists_have_equal_hashes_and_others_do_not(void **state)
{
	static const struct {
		uint32_t    partition;
		struct text slots;
	} puts[] = {{0, one}, {0, one}, {1, one}, {0, three}};
	uint8_t hashes[sizeof puts / sizeof puts[0]][SHA256_BYTES] = {0};
	(void)state;
	for (size_t i = 0; i < sizeof puts / sizeof puts[0]; i++) {
		struct member_list *list = member_list_new(2);
		assert_true(member_list_put(list, puts[i].partition, puts[i].slots));
		struct member_list *again = member_list_ref(list);
		member_list_unref(list);
		member_list_hash(again, hashes[i]);
		member_list_unref(again);
	}
	assert_memory_equal(hashes[0], hashes[1], SHA256_BYTES);
	assert_memory_not_equal(hashes[0], hashes[2], SHA256_BYTES);
	assert_memory_not_equal(hashes[0], hashes[3], SHA256_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_those_that_were_put),
		cmocka_unit_test(what_makes_no_sense_or_comes_twice_is_refused),
		cmocka_unit_test(equal_lists_have_equal_hashes_and_others_do_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
