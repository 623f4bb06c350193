#include "base/vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct pair {
	int a, b;
};

static void a_vector_grows_and_keeps_its_items(void **state)
{
	(void)state;
	VECTOR(struct pair) pairs = {0};
	for (int i = 0; i < 1000; i++)
		VECTOR_ADD(&pairs, (struct pair){i, -i});

	assert_int_equal(pairs.count, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(pairs.items[i].b, -i);
	VECTOR_DONE(&pairs);
	assert_null(pairs.items);
	assert_int_equal(pairs.capacity, 0);
}

static void reserved_room_is_not_moved_by_adding(void **state)
{
	(void)state;
	VECTOR(int) numbers = {0};
	VECTOR_RESERVE(&numbers, 100);
	int *begin = numbers.items;
	assert_int_equal(numbers.count, 0);

	for (int i = 0; i < 100; i++)
		VECTOR_ADD(&numbers, i);

	assert_ptr_equal(numbers.items, begin);
	VECTOR_DONE(&numbers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vector_grows_and_keeps_its_items),
		cmocka_unit_test(reserved_room_is_not_moved_by_adding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
