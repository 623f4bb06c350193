#include "events/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../seed.h"
#include "events/fuse_filter.h"

enum { PARTS_MAX = 16 };

/* How many of the runs of these sizes, all of one month, are merged; month 5 is now. */
static unsigned chosen(int32_t month, const uint64_t *bytes, unsigned count)
{
	struct merge_part parts[PARTS_MAX];
	bool              marks[PARTS_MAX];
	unsigned          sum = 0;
	for (unsigned i = 0; i < count; i++)
		parts[i] = (struct merge_part){.month = month, .run = i + 1, .bytes = bytes[i]};
	if (!merge_choose(parts, count, 5, marks))
		return 0;
	for (unsigned i = 0; i < count; i++)
		sum += marks[i];
	return sum;
}

static void four_runs_of_a_size_are_merged_and_larger_ones_wait(void **state)
{
	(void)state;
	assert_int_equal(chosen(5, (uint64_t[]){1, 1, 1}, 3), 0);
	assert_int_equal(chosen(5, (uint64_t[]){1, 1, 1, 1}, 4), 4);
	assert_int_equal(chosen(5, (uint64_t[]){100, 1, 1, 1, 1}, 5), 4);
	assert_int_equal(chosen(5, (uint64_t[]){64, 16, 4, 1, 1, 1, 1}, 7), 5);
}

static void a_month_that_is_over_is_tidied_more(void **state)
{
	(void)state;
	assert_int_equal(chosen(4, (uint64_t[]){1, 3}, 2), 2);
	assert_int_equal(chosen(4, (uint64_t[]){1, 30}, 2), 0);
	assert_int_equal(chosen(4, (uint64_t[]){1}, 1), 0);
}

static void other_columns_are_rewritten_when_there_is_nothing_to_merge(void **state)
{
	(void)state;
	struct merge_part parts[] = {{.month = 5, .run = 1, .bytes = 9},
	                             {.month = 4, .run = 2, .bytes = 9, .old_schema = true},
	                             {.month = 4, .run = 2, .bytes = 9},
	                             {.month = 3, .run = 3, .old_schema = true, .excluded = true}};
	bool              marks[4];
	assert_true(merge_choose(parts, 4, 5, marks));
	assert_false(marks[0] || marks[3]);
	assert_true(marks[1] && marks[2]);
	parts[1].old_schema = false;
	assert_false(merge_choose(parts, 4, 5, marks));
}

static void a_filter_has_every_key_and_few_others(void **state)
{
	(void)state;
	static uint64_t    keys[20000];
	struct fuse_filter filter;
	for (unsigned count = 0; count < 20000; count = count * 3 + 1) {
		struct buffer out = {0};
		for (unsigned i = 0; i < count; i++)
			keys[i] = i % 7 == 6 ? keys[i - 1] : seed_next(); /* some twice */
		fuse_filter_write(keys, count, &out);
		assert_true(fuse_filter_read(buffer_text(&out), &filter));
		unsigned wrong = 0;
		for (unsigned i = 0; i < count; i++)
			assert_true(fuse_filter_has(&filter, keys[i]));
		for (unsigned i = 0; i < 20000; i++)
			wrong += fuse_filter_has(&filter, seed_next());
		assert_true(wrong < 200); /* 78 are to be expected */
		if (count > 1000)
			assert_true(out.length * 8 < count * 11);
		out.length -= out.length > 24;
		assert_int_equal(fuse_filter_read(buffer_text(&out), &filter), count == 0);
		buffer_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_runs_of_a_size_are_merged_and_larger_ones_wait),
		cmocka_unit_test(a_month_that_is_over_is_tidied_more),
		cmocka_unit_test(other_columns_are_rewritten_when_there_is_nothing_to_merge),
		cmocka_unit_test(a_filter_has_every_key_and_few_others),
	};
	seed_begin("events merge");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
