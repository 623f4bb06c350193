#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "query/slot_list.h"

static void what_was_added_is_read(void **state)
{
	static const uint32_t slots[] = {0, 1, 2, 130, 131, 70000, UINT32_MAX - 1};
	enum { COUNT = sizeof slots / sizeof slots[0] };
	struct buffer out  = {0};
	uint32_t      last = UINT32_MAX;
	slot_vector   read = {0};
	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		slot_list_add(&out, &last, slots[i]);
	assert_true(slot_list_read(buffer_text(&out), &read));
	assert_int_equal(read.count, COUNT);
	assert_memory_equal(read.items, slots, sizeof slots);
	VECTOR_DONE(&read);
	buffer_done(&out);
}

static void what_makes_no_sense_is_refused(void **state)
{
	static const struct text wrong[] = {TEXT("\x80"), TEXT("\x01\x00"),
	                                    TEXT("\xff\xff\xff\xff\x0f\x01"),
	                                    TEXT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")};
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		slot_vector read = {0};
		assert_false(slot_list_read(wrong[i], &read));
		VECTOR_DONE(&read);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_read),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
