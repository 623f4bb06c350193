#include "ingest/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

enum { NOW_MS = 1000000, MINUTE_MS = 60000 };

static int set_up(void **state)
{
	*state = sources_new(100);
	return 0;
}

static int tear_down(void **state)
{
	sources_free(*state);
	return 0;
}

static void limit(struct source *source, int64_t rate, int64_t burst)
{
	source_set(source, &(struct source_settings){.rate = rate, .burst = burst, .any_origin = true});
}

static int64_t taken(struct sources *sources, uint32_t number, const char *name)
{
	source_row_list rows  = {0};
	int64_t         value = 0;
	sources_take(sources, NOW_MS, &rows);
	for (size_t i = 0; i < rows.count; i++)
		if (rows.items[i].source_number == number && strcmp(rows.items[i].name, name) == 0)
			value += rows.items[i].value;
	sources_return(sources, &rows);
	VECTOR_DONE(&rows);
	return value;
}

static void a_source_is_the_same_whenever_it_is_asked_for(void **state)
{
	struct source *seven = source_of(*state, 7);
	assert_int_equal(source_number(seven), 7);
	source_of(*state, 9);
	source_of(*state, 0);
	assert_ptr_equal(source_of(*state, 7), seven);
}

static void sources_come_in_the_order_of_their_numbers(void **state)
{
	static const uint32_t numbers[] = {5, 1, 9, 0, 3}, ordered[] = {0, 1, 3, 5, 9};
	for (size_t i = 0; i < 5; i++)
		source_of(*state, numbers[i]);
	struct source *at = NULL;
	for (size_t i = 0; i < 5; i++) {
		at = sources_next(*state, at);
		assert_int_equal(source_number(at), ordered[i]);
	}
	assert_null(sources_next(*state, at));
}

static void without_a_limit_everything_passes(void **state)
{
	unsigned retry = 0;
	for (int i = 0; i < 1000; i++)
		assert_true(source_admits(source_of(*state, 1), NOW_MS, 50000, &retry));
}

static void the_burst_passes_at_once_and_then_the_rate(void **state)
{
	struct source *source = source_of(*state, 1);
	unsigned       retry  = 0;
	limit(source, 10, 30);
	assert_true(source_admits(source, NOW_MS, 20, &retry));
	assert_true(source_admits(source, NOW_MS, 10, &retry));
	assert_false(source_admits(source, NOW_MS, 1, &retry));
	assert_int_equal(retry, 1);
	assert_false(source_admits(source, NOW_MS, 25, &retry));
	assert_int_equal(retry, 3);
	assert_false(source_admits(source, NOW_MS + 99, 1, &retry));
	assert_true(source_admits(source, NOW_MS + 100, 1, &retry));
	assert_true(source_admits(source, NOW_MS + 1100, 10, &retry));
	assert_false(source_admits(source, NOW_MS + 1100, 1, &retry));
}

static void what_comes_after_retry_after_passes(void **state)
{
	struct source *source = source_of(*state, 1);
	unsigned       retry  = 0;
	limit(source, 7, 50);
	assert_true(source_admits(source, NOW_MS, 50, &retry));
	for (unsigned events = 1; events <= 50; events++) {
		struct source *other = source_of(*state, 1 + events);
		limit(other, 7, 50);
		assert_true(source_admits(other, NOW_MS, 50, &retry));
		assert_false(source_admits(other, NOW_MS, events, &retry));
		assert_true(source_admits(other, NOW_MS + 1000 * (int64_t)retry, events, &retry));
	}
}

static void a_request_larger_than_the_burst_passes_when_the_bucket_is_full(void **state)
{
	struct source *source = source_of(*state, 1);
	unsigned       retry  = 0;
	limit(source, 10, 10);
	assert_true(source_admits(source, NOW_MS, 100, &retry));
	assert_false(source_admits(source, NOW_MS, 1, &retry));
	assert_int_equal(retry, 10);
	assert_false(source_admits(source, NOW_MS + 9000, 100, &retry));
	assert_int_equal(retry, 1);
	assert_true(source_admits(source, NOW_MS + 10000, 100, &retry));
}

struct taker {
	struct source *source;
	unsigned       admitted;
};

static void *take(void *context)
{
	struct taker *taker = context;
	unsigned      retry;
	for (int i = 0; i < 20000; i++)
		taker->admitted += source_admits(taker->source, NOW_MS, 1, &retry);
	return NULL;
}

static void threads_together_get_no_more_than_the_burst(void **state)
{
	enum { THREADS = 3 };
	struct source *source = source_of(*state, 1);
	struct taker   takers[THREADS];
	pthread_t      threads[THREADS];
	unsigned       admitted = 0;
	limit(source, 1000, 30000);
	for (int i = 0; i < THREADS; i++) {
		takers[i] = (struct taker){source, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, take, &takers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		admitted += takers[i].admitted;
	}
	assert_int_equal(admitted, 30000);
}

static void origins_are_whole_or_any_below_a_domain(void **state)
{
	static const struct text origins[] = {{"https://shop.example", 20}, {"http://*.dev:8080", 17}};
	struct source           *source    = source_of(*state, 1);
	assert_true(source_allows_origin(source, TEXT("https://any.example")));
	source_set(source, &(struct source_settings){.origins = origins, .origin_count = 2});
	assert_true(source_restricts_origins(source));
	assert_true(source_allows_origin(source, TEXT("https://shop.example")));
	assert_true(source_allows_origin(source, TEXT("http://a.b.dev:8080")));
	static const char *const others[] = {"http://shop.example",
	                                     "https://shop.example.evil",
	                                     "https://xshop.example",
	                                     "http://.dev:8080",
	                                     "http://dev:8080",
	                                     "null",
	                                     ""};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_false(source_allows_origin(source, text_of(others[i])));
	source_set(source, &(struct source_settings){.any_origin = true});
	assert_true(source_allows_origin(source, TEXT("null")));
}

static void what_is_counted_is_taken_once_by_source_and_minute(void **state)
{
	const struct ingest_rejection rejected[] = {{0, INGEST_TOO_OLD}, {1, INGEST_TOO_OLD}};
	const struct source_counts    counts     = {
			   .accepted = 3, .bytes = 100, .lag_sum_ms = 5, .lags = {2, 1}};
	struct source *source = source_of(*state, 1);
	source_count(source, NOW_MS, &counts, rejected, 2);
	source_count(source, NOW_MS + MINUTE_MS, &counts, NULL, 0);
	source_count_refused(source, NOW_MS + MINUTE_MS, SOURCE_REFUSED_ORIGIN);
	assert_int_equal(taken(*state, 1, "accepted"), 6);
	assert_int_equal(taken(*state, 1, "requests"), 2);
	assert_int_equal(taken(*state, 1, "rejected.TOO_OLD"), 2);
	assert_int_equal(taken(*state, 1, "refused.ORIGIN"), 1);
	assert_int_equal(taken(*state, 1, "lag.1"), 2);

	source_row_list rows = {0};
	sources_take(*state, NOW_MS, &rows);
	assert_int_equal(rows.items[0].minute_ms, NOW_MS - NOW_MS % MINUTE_MS);
	assert_int_equal(rows.items[rows.count - 1].minute_ms, NOW_MS - NOW_MS % MINUTE_MS + MINUTE_MS);
	VECTOR_DONE(&rows);
	assert_int_equal(taken(*state, 1, "accepted"), 0);
}

static void totals_are_of_all_sources_since_the_start(void **state)
{
	const struct source_counts counts = {
		.accepted = 3, .bytes = 100, .lag_sum_ms = 5, .lags = {2, 1}};
	struct sources_totals totals;
	source_count(source_of(*state, 1), NOW_MS, &counts, NULL, 0);
	source_count(source_of(*state, 2), NOW_MS, &counts, NULL, 0);
	source_count_refused(source_of(*state, 2), NOW_MS, SOURCE_REFUSED_ORIGIN);
	taken(*state, 1, "bytes");
	sources_totals(*state, &totals);
	assert_int_equal(totals.bytes, 200);
	assert_int_equal(totals.lag_sum_ms, 10);
	assert_int_equal(totals.lags[0], 4);
	assert_int_equal(totals.lags[1], 2);
	assert_int_equal(totals.refused[SOURCE_REFUSED_ORIGIN], 1);
}

static void what_is_not_taken_stays_within_its_memory(void **state)
{
	struct source *source = source_of(*state, 1);
	for (int i = 0; i < 5 * SOURCE_MINUTES_KEPT_MAX; i++)
		source_count(source, NOW_MS + i * (int64_t)MINUTE_MS,
		             &(struct source_counts){.accepted = 1}, NULL, 0);
	source_row_list rows = {0};
	sources_take(*state, NOW_MS, &rows);
	assert_int_equal(rows.count, 2 * SOURCE_MINUTES_KEPT_MAX);
	sources_return(*state, &rows);
	VECTOR_DONE(&rows);
	assert_int_equal(taken(*state, 1, "accepted"), 5 * SOURCE_MINUTES_KEPT_MAX);
}

static void duplicates_of_before_the_start_are_not_counted_again(void **state)
{
	sources_count_duplicate(*state, 4, 100);
	assert_int_equal(taken(*state, 4, "duplicates"), 0);
	sources_count_duplicate(*state, 4, 101);
	sources_count_duplicate(*state, 4, 102);
	assert_int_equal(taken(*state, 4, "duplicates"), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_source_is_the_same_whenever_it_is_asked_for),
		TEST(sources_come_in_the_order_of_their_numbers),
		TEST(without_a_limit_everything_passes),
		TEST(the_burst_passes_at_once_and_then_the_rate),
		TEST(what_comes_after_retry_after_passes),
		TEST(a_request_larger_than_the_burst_passes_when_the_bucket_is_full),
		TEST(threads_together_get_no_more_than_the_burst),
		TEST(origins_are_whole_or_any_below_a_domain),
		TEST(what_is_counted_is_taken_once_by_source_and_minute),
		TEST(totals_are_of_all_sources_since_the_start),
		TEST(what_is_not_taken_stays_within_its_memory),
		TEST(duplicates_of_before_the_start_are_not_counted_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
