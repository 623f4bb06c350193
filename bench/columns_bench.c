/* How fast columns are built and asked.
 *
 *   columns_bench [persons [rounds]]                       default 5000000 40
 *
 * Two partitions, one thread each, as an engine on two processors has them; half of the persons in
 * each. Everybody has TRAITS traits (of few to many values, numbers, times) and an event of each of
 * EVENTS names, each summed and counted in windows: 32 columns. Then random tests are joined by
 * `and`, the most selective first: 4, 8, 32 of them, none asked before; each thread answers its
 * partition's share, and the slower one's counts. At the end events come whose columns change.
 * Processor time is what is told: others on the machine do not lengthen it much. One line of
 * JSON. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/instant.h"
#include "engine/apply/partition.h"
#include "engine/catalog/plan_cache.h"
#include "engine/change/change_record.h"
#include "model/value.h"
#include "query/columns.h"

enum {
	PARTITIONS = 2,
	TRAITS     = 24,
	EVENTS     = 4, /* with two columns each */
	COLUMNS    = TRAITS + 2 * EVENTS,
	BATCH      = 1000,
	WATCHED    = 200000,
	RUN_WORDS  = COLUMN_RUN_BLOCKS * COLUMN_BLOCK_WORDS,
};
#define START_MS INT64_C(1700000000000)

struct share {
	pthread_t             thread;
	struct events_budget  events;
	struct plan_cache    *plans;
	struct partition     *partition;
	struct columns_budget budget;
	struct columns       *columns;
	uint32_t              persons;
	uint64_t              position;
	uint64_t              random;
	int64_t               trait_ns;
	int64_t               metric_ns;

	/* The question at hand. */
	unsigned      test_count;
	struct plan **plans_asked;
	uint64_t      found;
	int64_t       took_ns;
};

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static int64_t processor_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void fail(const char *what, const struct error *err)
{
	fprintf(stderr, "columns_bench: %s: %s\n", what, err->reason);
	exit(1);
}

/* ---- Persons ---- */

/* How many different values trait number `i` has; 0: numbers, times. */
static unsigned values_of(unsigned i)
{
	static const unsigned counts[] = {5, 4, 3, 7, 17, 6, 8, 2, 40, 200};
	return i % 3 == 2 ? 0 : counts[i * 7 % 10];
}

static void add_trait(struct share *share, struct buffer *out, unsigned i)
{
	char         name[16], text[INSTANT_TEXT_BYTES];
	uint64_t     random = next_random(&share->random) >> 20;
	struct value value  = {.type = VALUE_STRING};
	snprintf(name, sizeof name, "trait%u", i);
	if (values_of(i) > 0) {
		snprintf(text, sizeof text, "value-%u", (unsigned)(random % values_of(i)));
		value.text = text_of(text);
	} else if (i % 2 == 0) {
		value.type   = VALUE_DOUBLE;
		value.number = (double)(random % 1000000) / 100;
	} else {
		value.text = instant_format(START_MS - (int64_t)(random % (uint64_t)(700 * DAY_MS)), text);
	}
	value_add(out, text_of(name), &value);
}

static void add_person(struct share *share, uint32_t slot, struct buffer *encoded,
                       struct buffer *list)
{
	buffer_clear(list);
	size_t begin = value_list_begin(list);
	for (unsigned i = 0; i < TRAITS; i++)
		add_trait(share, list, i);
	value_list_end(list, begin, TRAITS);
	record_encode(encoded, &(struct record){.kind         = RECORD_TRAITS,
	                                        .flags        = RECORD_IDENTIFIED,
	                                        .slot         = slot,
	                                        .call         = CALL_IDENTIFY,
	                                        .timestamp_ms = INSTANT_MS_NONE,
	                                        .skew_ms      = INSTANT_MS_NONE,
	                                        .properties   = buffer_text(list)});
}

static void add_event(struct share *share, uint32_t slot, unsigned number, struct buffer *encoded,
                      struct buffer *list)
{
	char         name[16];
	uint64_t     random = next_random(&share->random) >> 20;
	struct value value  = {.type = VALUE_INT, .integer = (int64_t)(random % 500) * 1000};
	snprintf(name, sizeof name, "Event %u", number);
	buffer_clear(list);
	size_t begin = value_list_begin(list);
	value_add(list, TEXT("revenue"), &value);
	value_list_end(list, begin, 1);
	record_encode(encoded,
	              &(struct record){.kind         = RECORD_EVENT,
	                               .flags        = RECORD_IDENTIFIED,
	                               .slot         = slot,
	                               .call         = CALL_TRACK,
	                               .timestamp_ms = START_MS - (int64_t)(random % (90 * DAY_MS)),
	                               .skew_ms      = INSTANT_MS_NONE,
	                               .name         = text_of(name),
	                               .properties   = buffer_text(list)});
}

static void feed(struct share *share)
{
	struct buffer encoded = {0}, list = {0};
	struct error  err;
	for (uint32_t slot = 0; slot < share->persons;) {
		uint32_t count = 0;
		buffer_clear(&encoded);
		for (; count < BATCH && slot < share->persons; slot++) {
			add_person(share, slot, &encoded, &list);
			for (unsigned i = 0; i < EVENTS; i++)
				add_event(share, slot, i, &encoded, &list);
			count += 1 + EVENTS;
		}
		const struct journal_read read = {.records        = buffer_text(&encoded),
		                                  .record_count   = count,
		                                  .first_position = share->position + 1,
		                                  .log_time_ms    = START_MS};
		share->position += count;
		if (partition_apply(share->partition, &read, 1, &err) != STATUS_OK)
			fail("records", &err);
	}
	buffer_done(&encoded);
	buffer_done(&list);
}

/* ---- Definitions ---- */

static struct plan *plan_of(const char *expression)
{
	struct json_parser *parser    = json_parser_new();
	struct buffer       canonical = {0}, body = {0};
	struct arena        arena;
	struct json         root;
	struct expr        *expr;
	struct plan        *plan;
	struct error        err;
	arena_init(&arena);
	if (json_parse_text(parser, text_of(expression), &root, &err) != STATUS_OK ||
	    expr_parse_json(root, "expression", &arena, &expr, &err) != STATUS_OK)
		fail(expression, &err);
	expr_write_canonical(&canonical, expr);
	struct change_rule   rule   = {.canonical = buffer_text(&canonical)};
	struct change_record record = {.rule_count = 1, .rules = &rule};
	change_record_write_prepare(&body, &record);
	if (plan_compile(buffer_text(&body), INSTANT_MS_NEVER, &plan, &err) != STATUS_OK)
		fail(expression, &err);
	arena_done(&arena);
	buffer_done(&canonical);
	buffer_done(&body);
	json_parser_free(parser);
	return plan;
}

static struct plan *metric_plan(unsigned number, unsigned value)
{
	char text[256];
	if (number % 2 == 0)
		snprintf(text, sizeof text,
		         "{\"event\":\"Event %u\",\"aggregate\":\"count\",\"within\":\"30d\","
		         "\"op\":\"gte\",\"value\":%u}",
		         number / 2, value % 2);
	else
		snprintf(text, sizeof text,
		         "{\"event\":\"Event %u\",\"aggregate\":\"sum\",\"property\":\"revenue\","
		         "\"within\":\"60d\",\"op\":\"lt\",\"value\":%u}",
		         number / 2, 100000 + value % 900000);
	return plan_of(text);
}

/* Holds for one half to nearly all. */
static struct plan *random_plan(unsigned column, uint64_t *random)
{
	char     text[512];
	unsigned value = (unsigned)(next_random(random) >> 40);
	if (column >= TRAITS)
		return metric_plan(column - TRAITS, value);
	if (values_of(column) > 0)
		snprintf(text, sizeof text,
		         "{\"trait\":\"trait%u\",\"op\":\"not_in\",\"value\":[\"value-%u\",\"value-%u\"]}",
		         column, value % values_of(column), value / 100 % values_of(column));
	else if (column % 2 == 0)
		snprintf(text, sizeof text, "{\"trait\":\"trait%u\",\"op\":\"gte\",\"value\":%u.%02u}",
		         column, value % 5000, value / 5000 % 100);
	else
		snprintf(text, sizeof text,
		         "{\"trait\":\"trait%u\",\"op\":\"within_last\",\"value\":\"%ud\"}", column,
		         350 + value % 350);
	return plan_of(text);
}

/* ---- Questions ---- */

struct asked {
	struct column_test *test;
	uint32_t            share;
};

static int compare_asked(const void *a, const void *b)
{
	uint32_t left = ((const struct asked *)a)->share, right = ((const struct asked *)b)->share;
	return (left > right) - (left < right);
}

static uint64_t count_all(struct share *share, const struct asked *leaves)
{
	uint64_t       unknown[RUN_WORDS], among[RUN_WORDS], found = 0;
	const uint32_t blocks = columns_block_count(share->columns);
	for (uint32_t block = 0; block < blocks; block += COLUMN_RUN_BLOCKS) {
		uint32_t count = blocks - block;
		count          = count < COLUMN_RUN_BLOCKS ? count : COLUMN_RUN_BLOCKS;
		columns_persons(share->columns, block, count, among);
		for (unsigned i = 0; i < share->test_count; i++)
			if (column_test_run(leaves[i].test, block, count, among, among, unknown))
				fail("somebody is not known", &(struct error){0});
		for (uint32_t i = 0; i < count * COLUMN_BLOCK_WORDS; i++)
			found += (unsigned)__builtin_popcountll(among[i]);
	}
	return found;
}

static void *answer(void *pointer)
{
	struct share *share = pointer;
	struct asked  leaves[COLUMNS];
	struct arena  arena;
	int64_t       began_ns = processor_ns();
	arena_init(&arena);
	for (unsigned i = 0; i < share->test_count; i++) {
		const struct plan *plan = share->plans_asked[i];
		leaves[i].test =
			plan->trait_count > 0
				? columns_test_trait(share->columns, &plan->traits[0], START_MS, &arena)
				: columns_test_leaf(share->columns, &plan->features[plan->leaves[0].feature],
		                            &plan->leaves[0], START_MS, &arena);
		if (leaves[i].test == NULL)
			fail("a column is missing", &(struct error){0});
		leaves[i].share = column_test_share(leaves[i].test);
	}
	qsort(leaves, share->test_count, sizeof leaves[0], compare_asked);
	share->found   = count_all(share, leaves);
	share->took_ns = processor_ns() - began_ns;
	arena_done(&arena);
	return NULL;
}

static void run_all(struct share *shares, void *(*function)(void *))
{
	for (unsigned i = 0; i < PARTITIONS; i++)
		if (pthread_create(&shares[i].thread, NULL, function, &shares[i]) != 0)
			abort();
	for (unsigned i = 0; i < PARTITIONS; i++)
		pthread_join(shares[i].thread, NULL);
}

static int compare_times(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
	return (left > right) - (left < right);
}

static void ask(struct share *shares, unsigned test_count, unsigned rounds)
{
	static uint64_t random = 42;
	int64_t        *times  = calloc(rounds, sizeof *times);
	uint64_t        found  = 0;
	for (unsigned round = 0; round < rounds; round++) {
		struct plan *plans[COLUMNS];
		unsigned     first = (unsigned)(next_random(&random) >> 40);
		for (unsigned i = 0; i < test_count; i++)
			plans[i] = random_plan((first + i * (COLUMNS / test_count)) % COLUMNS, &random);
		for (unsigned i = 0; i < PARTITIONS; i++) {
			shares[i].test_count  = test_count;
			shares[i].plans_asked = plans;
		}
		run_all(shares, answer);
		for (unsigned i = 0; i < PARTITIONS; i++) {
			times[round] = shares[i].took_ns > times[round] ? shares[i].took_ns : times[round];
			found += shares[i].found;
		}
		for (unsigned i = 0; i < test_count; i++)
			plan_unref(plans[i]);
	}
	qsort(times, rounds, sizeof *times, compare_times);
	printf(",\"ms_%u_least\":%.3f,\"ms_%u_median\":%.3f,\"ms_%u_p95\":%.3f,\"found_%u\":%llu",
	       test_count, (double)times[0] / 1e6, test_count, (double)times[rounds / 2] / 1e6,
	       test_count, (double)times[rounds * 95 / 100] / 1e6, test_count,
	       (unsigned long long)(found / rounds));
	free(times);
}

/* Applies WATCHED events, each of which two columns look at; ns an event. */
static double apply_more(struct share *share)
{
	struct buffer encoded = {0}, list = {0};
	int64_t       busy_ns = 0;
	struct error  err;
	for (uint32_t i = 0; i < WATCHED; i += BATCH) {
		buffer_clear(&encoded);
		for (uint32_t j = 0; j < BATCH; j++)
			add_event(share, (uint32_t)(next_random(&share->random) % share->persons), j % EVENTS,
			          &encoded, &list);
		const struct journal_read read = {.records        = buffer_text(&encoded),
		                                  .record_count   = BATCH,
		                                  .first_position = share->position + 1,
		                                  .log_time_ms    = START_MS};
		share->position += BATCH;
		int64_t began_ns = processor_ns();
		if (partition_apply(share->partition, &read, 1, &err) != STATUS_OK)
			fail("records", &err);
		busy_ns += processor_ns() - began_ns;
	}
	buffer_done(&encoded);
	buffer_done(&list);
	return (double)busy_ns / WATCHED;
}

/* What columns cost the partition: told nothing, told of each event, and when they are asked. */
static void more_events(struct share *share)
{
	struct witness *witness   = share->partition->witness;
	share->partition->witness = NULL;
	double alone              = apply_more(share);
	share->partition->witness = witness;
	double  watched           = apply_more(share);
	int64_t began_ns          = processor_ns();
	while (columns_work(share->columns, INT64_MAX))
		;
	printf(",\"apply_ns\":%.0f,\"apply_watched_ns\":%.0f,\"refresh_ns\":%.0f", alone, watched,
	       (double)(processor_ns() - began_ns) / WATCHED);
}

static void *prepare(void *pointer)
{
	struct share *share = pointer;
	share->plans        = plan_cache_new(INSTANT_MS_NEVER);
	share->partition =
		partition_new(0, INSTANT_MS_NEVER, events_new(0, &share->events), share->plans);
	feed(share);
	share->columns = columns_new(share->partition, &share->budget);
	int64_t began  = processor_ns();
	while (columns_work(share->columns, clock_monotonic_ns() + 1000000))
		;
	share->trait_ns = processor_ns() - began;
	for (unsigned i = 0; i < 2 * EVENTS; i++) {
		struct plan *plan = metric_plan(i, 1);
		if (!columns_keep(share->columns, plan))
			fail("a metric", &(struct error){0});
		plan_unref(plan);
	}
	began = processor_ns();
	while (columns_work(share->columns, clock_monotonic_ns() + 1000000))
		;
	share->metric_ns = processor_ns() - began;
	return NULL;
}

int main(int argc, char **argv)
{
	static struct share   shares[PARTITIONS];
	uint32_t              persons = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 5000000;
	unsigned              rounds  = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 40;
	struct columns_status status;
	for (unsigned i = 0; i < PARTITIONS; i++) {
		shares[i].persons            = persons / PARTITIONS;
		shares[i].random             = i + 1;
		shares[i].events.limit_bytes = shares[i].budget.limit_bytes = UINT64_MAX;
	}
	run_all(shares, prepare);
	columns_status(shares[0].columns, &status);
	printf("{\"persons\":%u,\"columns\":%u,\"bytes_per_person\":%.1f,\"trait_build_s\":%.2f,"
	       "\"metric_build_s\":%.2f",
	       persons, status.columns, (double)status.bytes / (persons / PARTITIONS),
	       (double)(shares[0].trait_ns + shares[1].trait_ns) / 1e9,
	       (double)(shares[0].metric_ns + shares[1].metric_ns) / 1e9);
	ask(shares, 4, rounds);
	ask(shares, 8, rounds);
	ask(shares, 32, rounds);
	more_events(&shares[0]);
	printf("}\n");
	for (unsigned i = 0; i < PARTITIONS; i++) {
		columns_free(shares[i].columns);
		partition_free(shares[i].partition);
		plan_cache_free(shares[i].plans);
	}
	return 0;
}
