#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../seed.h"

static void an_absent_key_is_not_found_in_an_empty_map(void **state)
{
	(void)state;
	struct map_u64  numbers = {0};
	struct map_text names   = {0};

	assert_null(map_u64_find(&numbers, 0));
	assert_null(map_u64_find(&numbers, 5));
	assert_false(map_u64_remove(&numbers, 5));
	map_u64_prefetch(&numbers, 5);
	assert_null(map_text_get(&names, TEXT("a")));
	assert_false(map_text_remove(&names, TEXT("a")));
}

static void key_zero_is_a_key_like_others(void **state)
{
	(void)state;
	struct map_u64 map    = {0};
	*map_u64_put(&map, 0) = 7;

	assert_int_equal(*map_u64_find(&map, 0), 7);
	assert_int_equal(map.count, 1);
	assert_true(map_u64_remove(&map, 0));
	assert_null(map_u64_find(&map, 0));
	assert_int_equal(*map_u64_put(&map, 0), 0);
	map_u64_done(&map);
}

static void a_key_put_twice_keeps_its_value(void **state)
{
	(void)state;
	struct map_u64 map    = {0};
	*map_u64_put(&map, 9) = 7;

	assert_int_equal(*map_u64_put(&map, 9), 7);
	assert_int_equal(map.count, 1);
	map_u64_done(&map);
}

/* Against a plain array, with many removals among few keys: runs of slots wrap and shift. */
static void a_map_of_numbers_agrees_with_an_array_after_any_changes(void **state)
{
	(void)state;
	enum { KEYS = 500, STEPS = 200000 };
	seed_begin(__func__);
	struct map_u64 map            = {0};
	uint64_t       expected[KEYS] = {0};
	size_t         count          = 0;
	for (int step = 0; step < STEPS; step++) {
		uint64_t key = seed_below(KEYS);
		if (seed_below(2) == 0) {
			assert_int_equal(map_u64_remove(&map, key), expected[key] != 0);
			count -= expected[key] != 0;
			expected[key] = 0;
		} else {
			count += expected[key] == 0;
			expected[key]           = seed_next() | 1;
			*map_u64_put(&map, key) = expected[key];
		}
		uint64_t  asked = seed_below(KEYS);
		uint64_t *found = map_u64_find(&map, asked);
		assert_true(found == NULL ? expected[asked] == 0 : *found == expected[asked]);
		assert_int_equal(map.count, count);
	}
	map_u64_done(&map);
}

static void a_map_of_texts_agrees_with_an_array_after_any_changes(void **state)
{
	(void)state;
	enum { KEYS = 300, STEPS = 100000 };
	static char values[KEYS];
	seed_begin(__func__);
	struct map_text map            = {0};
	void           *expected[KEYS] = {0};
	for (int step = 0; step < STEPS; step++) {
		char        name[16];
		uint64_t    key  = seed_below(KEYS);
		int         size = snprintf(name, sizeof name, "key %d", (int)key);
		struct text text = {name, (size_t)size};
		if (seed_below(2) == 0) {
			assert_int_equal(map_text_remove(&map, text), expected[key] != NULL);
			expected[key] = NULL;
		} else {
			expected[key]             = &values[key];
			*map_text_put(&map, text) = &values[key];
		}
		size        = snprintf(name, sizeof name, "key %d", (int)(key = seed_below(KEYS)));
		text.length = (size_t)size;
		assert_ptr_equal(map_text_get(&map, text), expected[key]);
	}
	map_text_done(&map);
}

static void a_map_holds_keys_that_differ_in_their_high_bits_alone(void **state)
{
	(void)state;
	struct map_u64 map = {0};
	for (uint64_t i = 0; i < 10000; i++)
		*map_u64_put(&map, i << 50) = i;

	for (uint64_t i = 0; i < 10000; i++)
		assert_int_equal(*map_u64_find(&map, i << 50), i);
	assert_int_equal(map.count, 10000);
	assert_true(map.count * 4 <= map.capacity * 3);
	map_u64_done(&map);
}

static void keys_of_texts_are_copied_and_may_be_empty(void **state)
{
	(void)state;
	struct map_text map    = {0};
	char            name[] = "abc";
	int             one, two;
	*map_text_put(&map, text_of(name))          = &one;
	*map_text_put(&map, (struct text){NULL, 0}) = &two;
	name[0]                                     = 'x';

	assert_ptr_equal(map_text_get(&map, TEXT("abc")), &one);
	assert_null(map_text_get(&map, TEXT("xbc")));
	assert_ptr_equal(map_text_get(&map, TEXT("")), &two);
	map_text_done(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_absent_key_is_not_found_in_an_empty_map),
		cmocka_unit_test(key_zero_is_a_key_like_others),
		cmocka_unit_test(a_key_put_twice_keeps_its_value),
		cmocka_unit_test(a_map_of_numbers_agrees_with_an_array_after_any_changes),
		cmocka_unit_test(a_map_of_texts_agrees_with_an_array_after_any_changes),
		cmocka_unit_test(a_map_holds_keys_that_differ_in_their_high_bits_alone),
		cmocka_unit_test(keys_of_texts_are_copied_and_may_be_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
