#include "limit/buckets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#define SECOND_NS INT64_C(1000000000)
#define BEGIN_NS  (1000 * SECOND_NS)

enum { SLOTS = 1024, THREADS = 4, TAKES = 20000, BURST = 1000 };

static int set_up(void **state)
{
	*state = buckets_new(SLOTS);
	return 0;
}

static int tear_down(void **state)
{
	buckets_free(*state);
	return 0;
}

static const struct bucket_size ten = {.rate = 10, .burst = 5};

static unsigned taken(struct buckets *buckets, const char *key, unsigned count, int64_t now_ns)
{
	struct bucket_state state;
	unsigned            sum = 0;
	for (unsigned i = 0; i < count; i++)
		sum += buckets_take(buckets, 0, text_of(key), &ten, now_ns, &state);
	return sum;
}

static void a_full_bucket_gives_its_burst_and_then_its_rate(void **state)
{
	assert_int_equal(taken(*state, "a", 100, BEGIN_NS), 5);
	assert_int_equal(taken(*state, "a", 100, BEGIN_NS + SECOND_NS / 10), 1);
	assert_int_equal(taken(*state, "a", 100, BEGIN_NS + SECOND_NS / 2), 4);
	assert_int_equal(taken(*state, "a", 100, BEGIN_NS + 100 * SECOND_NS), 5);
}

static void keys_and_kinds_have_buckets_of_their_own(void **state)
{
	struct bucket_state left;
	assert_int_equal(taken(*state, "a", 100, BEGIN_NS), 5);
	assert_int_equal(taken(*state, "b", 100, BEGIN_NS), 5);
	assert_true(buckets_take(*state, 1, TEXT("a"), &ten, BEGIN_NS, &left));
	assert_false(buckets_take(*state, 0, TEXT("a"), &ten, BEGIN_NS, &left));
}

static void it_says_what_is_left_and_when_to_come_again(void **state)
{
	const struct bucket_size slow = {.rate = 1, .burst = 3};
	struct bucket_state      left;
	assert_true(buckets_take(*state, 0, TEXT("a"), &slow, BEGIN_NS, &left));
	assert_int_equal(left.limit, 3);
	assert_int_equal(left.remaining, 2);
	assert_int_equal(left.reset_s, 1);
	assert_int_equal(left.retry_after_s, 0);
	assert_true(buckets_take(*state, 0, TEXT("a"), &slow, BEGIN_NS, &left));
	assert_true(buckets_take(*state, 0, TEXT("a"), &slow, BEGIN_NS, &left));
	assert_int_equal(left.remaining, 0);
	assert_int_equal(left.reset_s, 3);
	assert_false(buckets_take(*state, 0, TEXT("a"), &slow, BEGIN_NS, &left));
	assert_int_equal(left.retry_after_s, 1);
	assert_true(buckets_take(*state, 0, TEXT("a"), &slow, BEGIN_NS + SECOND_NS, &left));
}

static void a_rate_of_zero_is_no_limit(void **state)
{
	const struct bucket_size none = {.rate = 0, .burst = 1};
	struct bucket_state      left;
	for (unsigned i = 0; i < 1000; i++)
		assert_true(buckets_take(*state, 0, TEXT("a"), &none, BEGIN_NS, &left));
	assert_int_equal(left.limit, 0);
}

static void a_bucket_that_was_made_smaller_is_empty_and_not_in_debt(void **state)
{
	const struct bucket_size large = {.rate = 10, .burst = 1000};
	struct bucket_state      left;
	for (unsigned i = 0; i < 1000; i++)
		assert_true(buckets_take(*state, 0, TEXT("a"), &large, BEGIN_NS, &left));
	assert_int_equal(taken(*state, "a", 1, BEGIN_NS), 0);
	assert_int_equal(taken(*state, "a", 100, BEGIN_NS + SECOND_NS / 10), 1);
}

/* More keys than slots: those that are empty are not forgotten while there are fuller ones. */
static void a_flood_of_keys_does_not_fill_an_empty_bucket_while_there_are_fuller_ones(void **state)
{
	struct bucket_state left;
	char                key[16];
	assert_int_equal(taken(*state, "victim", 100, BEGIN_NS), 5);
	for (unsigned i = 0; i < 20 * SLOTS; i++) {
		snprintf(key, sizeof key, "k%u", i);
		assert_true(buckets_take(*state, 0, text_of(key), &ten, BEGIN_NS, &left));
	}
	assert_int_equal(taken(*state, "victim", 100, BEGIN_NS), 0);
	assert_true(buckets_evicted(*state) > 0);
}

struct taker {
	struct buckets *buckets;
	unsigned        taken;
};

static void *take_many(void *context)
{
	const struct bucket_size size  = {.rate = 1, .burst = BURST};
	struct taker            *taker = context;
	struct bucket_state      left;
	for (unsigned i = 0; i < TAKES; i++)
		taker->taken += buckets_take(taker->buckets, 0, TEXT("shared"), &size, BEGIN_NS, &left);
	return NULL;
}

static void threads_together_get_no_more_than_the_burst(void **state)
{
	pthread_t    threads[THREADS];
	struct taker takers[THREADS];
	unsigned     sum = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		takers[i] = (struct taker){.buckets = *state};
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		sum += takers[i].taken;
	}
	assert_int_equal(sum, BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_full_bucket_gives_its_burst_and_then_its_rate, set_up,
	                                    tear_down),
		cmocka_unit_test_setup_teardown(keys_and_kinds_have_buckets_of_their_own, set_up,
	                                    tear_down),
		cmocka_unit_test_setup_teardown(it_says_what_is_left_and_when_to_come_again, set_up,
	                                    tear_down),
		cmocka_unit_test_setup_teardown(a_rate_of_zero_is_no_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_bucket_that_was_made_smaller_is_empty_and_not_in_debt,
	                                    set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_flood_of_keys_does_not_fill_an_empty_bucket_while_there_are_fuller_ones, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(threads_together_get_no_more_than_the_burst, set_up,
	                                    tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
