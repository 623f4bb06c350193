/* Questions about stored events of all persons of one partition: events of a year in parts, some in
 * the tail, asked block by block (query/leaf_scan.h), and of some persons one by one. One JSON line
 * a question; `ratio` is how many times faster than one by one.
 *
 *   scan_bench [EVENTS [PERSONS [TAIL [ROUNDS [QUESTION]]]]]   (2000000 100000 50000 5, all)
 *
 * A sixteenth of 100 million events and of 5 million persons: 6250000 312500. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/instant.h"
#include "engine/apply/leaf.h"
#include "engine/catalog/plan_cache.h"
#include "engine/change/change_record.h"
#include "query/leaf_scan.h"

enum { NAMES = 8, ALONE = 20000 };

struct bench {
	uint64_t               events;
	uint32_t               persons;
	uint64_t               tail;
	unsigned               rounds;
	const char            *only; /* questions that begin so; NULL: all */
	uint64_t               random;
	char                   directory[64];
	struct events_settings settings;
	struct events_budget   budget;
	struct events_store   *store;
	struct partition      *partition;
	struct plan_cache     *plans;
	uint64_t               position;
	int64_t                begin_ms;
	int64_t                now_ms;
};

/* Of this thread: others use the machine too. */
static int64_t cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static uint64_t next(struct bench *bench)
{
	bench->random ^= bench->random >> 12;
	bench->random ^= bench->random << 25;
	bench->random ^= bench->random >> 27;
	return bench->random * UINT64_C(0x2545f4914f6cdd1d);
}

static void add_text(struct buffer *list, const char *name, const char *value)
{
	value_add(list, text_of(name), &(struct value){.type = VALUE_STRING, .text = text_of(value)});
}

/* Of a hundred: as in a shop, most are pages. */
static const char *name_of(unsigned percent)
{
	static const struct {
		unsigned    upto;
		const char *name;
	} shares[NAMES] = {{45, "$page"},           {70, "Product Viewed"}, {82, "Products Searched"},
	                   {88, "Product Added"},   {92, "Cart Viewed"},    {95, "Checkout Started"},
	                   {98, "Order Completed"}, {100, "Coupon Applied"}};
	unsigned at     = 0;
	while (percent >= shares[at].upto)
		at++;
	return shares[at].name;
}

static void add_properties(struct bench *bench, const char *name, struct buffer *list)
{
	static const char *const regions[]    = {"제주", "부산", "서울", "강릉", "경주"};
	static const char *const categories[] = {"hotel", "pension", "camping", "villa"};
	uint64_t                 r            = next(bench);
	char                     product[32];
	size_t                   at    = value_list_begin(list);
	unsigned                 count = 1;
	if (strcmp(name, "$page") == 0) {
		snprintf(product, sizeof product, "/stay/%u", (unsigned)(r >> 8) % 3000);
		add_text(list, "path", product);
	} else {
		snprintf(product, sizeof product, "product-%u", (unsigned)(r >> 8) % 20000);
		add_text(list, "region", regions[r % 5]);
		add_text(list, "product_id", product);
		add_text(list, "category", categories[r >> 55 & 3]);
		count = 3;
	}
	if (strcmp(name, "Order Completed") == 0) {
		value_add(
			list, TEXT("revenue"),
			&(struct value){.type = VALUE_DOUBLE, .number = (double)(r >> 20 & 0xfffff) / 100});
		value_add(list, TEXT("quantity"),
		          &(struct value){.type = VALUE_INT, .integer = r >> 40 & 7});
		count += 2;
	}
	value_list_end(list, at, count);
}

static void add(struct bench *bench, struct buffer *encoded)
{
	struct buffer list = {0}, context = {0};
	const char   *name = name_of((unsigned)(next(bench) >> 20) % 100);
	char          id[40];
	bench->position++;
	snprintf(id, sizeof id, "%016" PRIx64 "%016" PRIx64, next(bench), next(bench));
	add_properties(bench, name, &list);
	size_t at = value_list_begin(&context);
	add_text(&context, "device", next(bench) >> 60 & 1 ? "ios" : "android");
	value_list_end(&context, at, 1);
	/* Half of the persons have four fifths of the events. */
	uint64_t     r     = next(bench) >> 16;
	uint32_t     half  = bench->persons / 2;
	uint32_t     slot  = (uint32_t)(r % 5 < 4 ? (r >> 8) % half : half + (r >> 8) % half);
	struct event event = {.time_ms         = bench->now_ms,
	                      .received_ms     = bench->now_ms,
	                      .position        = bench->position,
	                      .stored_position = bench->position,
	                      .record          = {.kind         = RECORD_EVENT,
	                                          .slot         = slot,
	                                          .call         = CALL_TRACK,
	                                          .timestamp_ms = INSTANT_MS_NONE,
	                                          .skew_ms      = INSTANT_MS_NONE,
	                                          .name         = text_of(name),
	                                          .message_id   = text_of(id),
	                                          .properties   = buffer_text(&list),
	                                          .context      = buffer_text(&context)}};
	buffer_clear(encoded);
	record_encode(encoded, &event.record);
	events_add(bench->partition->events, slot, buffer_text(encoded), &event);
	buffer_done(&list);
	buffer_done(&context);
}

static void flush(struct bench *bench)
{
	struct events *events = bench->partition->events;
	while (!events_flush(events, bench->position)) {
		events_poll(events, bench->now_ms, bench->position, EVENTS_FROM_BEGIN);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

/* Until nothing was merged for a while. */
static void settle(struct bench *bench)
{
	struct events_store_status status;
	uint64_t                   merges     = 0;
	int64_t                    changed_ns = clock_monotonic_ns();
	while (clock_monotonic_ns() - changed_ns < INT64_C(2000000000)) {
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
		events_poll(bench->partition->events, bench->now_ms, bench->position, EVENTS_FROM_BEGIN);
		events_store_status(bench->store, &status);
		if (status.merges != merges)
			changed_ns = clock_monotonic_ns();
		merges = status.merges;
	}
	printf("{\"events\":%" PRIu64 ",\"persons\":%u,\"tail\":%" PRIu64 ",\"parts\":%" PRIu64
	       ",\"bytes_an_event\":%.1f}\n",
	       bench->events, bench->persons, bench->tail, status.parts,
	       (double)status.bytes / (double)bench->events);
}

/* A year in sixteen flushes, then what stays in the tail. */
static void fill(struct bench *bench)
{
	struct buffer encoded  = {0};
	uint64_t      in_parts = bench->events - bench->tail;
	for (uint64_t i = 0; i < bench->events; i++) {
		bench->now_ms =
			bench->begin_ms + (int64_t)((double)i / (double)bench->events * 365 * (double)DAY_MS);
		add(bench, &encoded);
		if (i == in_parts - 1 || (i + 1) % (bench->events / 16) == 0)
			if (i < in_parts)
				flush(bench);
	}
	buffer_done(&encoded);
	bench->partition->stored_position = bench->position;
	atomic_store(&bench->partition->clock_ms, bench->now_ms);
	settle(bench);
}

static struct plan *compile(const char *text)
{
	struct error  err;
	struct expr  *expr;
	struct plan  *plan;
	struct arena  arena;
	struct buffer canonical = {0}, body = {0};
	arena_init(&arena);
	if (expr_parse_text(text_of(text), "question", &arena, &expr, &err) != STATUS_OK) {
		fprintf(stderr, "%s: %s\n", text, err.reason);
		exit(1);
	}
	expr_write_canonical(&canonical, expr);
	struct change_rule         rule   = {1, 1, buffer_text(&canonical)};
	const struct change_record record = {.id = 1, .rule_count = 1, .rules = &rule};
	change_record_write_prepare(&body, &record);
	if (plan_compile(buffer_text(&body), INSTANT_MS_NEVER, &plan, &err) != STATUS_OK) {
		fprintf(stderr, "%s: %s\n", text, err.reason);
		exit(1);
	}
	buffer_done(&canonical);
	buffer_done(&body);
	arena_done(&arena);
	return plan;
}

/* Seconds of the processor; every `one_in`-th person is wanted. */
static double scan(struct bench *bench, const struct leaf_scan_config *config, unsigned one_in,
                   uint64_t *ret_holds, uint64_t *ret_rows)
{
	int64_t           began_ns = cpu_ns();
	struct leaf_scan *scan     = leaf_scan_new(config);
	*ret_holds                 = 0;
	for (uint32_t first = 0; first < bench->persons; first += LEAF_SCAN_SLOTS) {
		uint64_t bits[LEAF_SCAN_WORDS] = {0};
		for (uint32_t at = 0; at < LEAF_SCAN_SLOTS && first + at < bench->persons; at++)
			bits[at / 64] |= (uint64_t)((first + at) % one_in == 0) << at % 64;
		leaf_scan_block(scan, first, bits, bits);
		for (unsigned i = 0; i < LEAF_SCAN_WORDS; i++)
			*ret_holds += (uint64_t)__builtin_popcountll(bits[i]);
	}
	*ret_rows = leaf_scan_rows(scan);
	leaf_scan_free(scan);
	return (double)(cpu_ns() - began_ns) / 1e9;
}

/* Seconds that everybody would take one by one. */
static double alone(struct bench *bench, const struct leaf_scan_config *config)
{
	uint32_t step     = bench->persons / ALONE == 0 ? 1 : bench->persons / ALONE;
	int64_t  began_ns = cpu_ns();
	unsigned count    = 0;
	for (uint32_t slot = 0; slot < bench->persons; slot += step, count++)
		leaf_look_received(bench->partition, slot, config->leaf, config->feature, config->now_ms,
		                   0);
	return (double)(cpu_ns() - began_ns) / 1e9 / count * bench->persons;
}

static void ask(struct bench *bench, const char *text, unsigned one_in)
{
	if (bench->only != NULL && strncmp(text, bench->only, strlen(bench->only)) != 0)
		return;
	struct plan                  *plan   = compile(text);
	const struct plan_leaf       *leaf   = &plan->leaves[0];
	const struct leaf_scan_config config = {.partition = bench->partition,
	                                        .leaf      = leaf,
	                                        .feature   = &plan->features[leaf->feature],
	                                        .now_ms    = bench->now_ms};
	uint64_t                      holds, rows;
	double                        first = scan(bench, &config, one_in, &holds, &rows), best = first;
	for (unsigned i = 1; i < bench->rounds; i++) {
		double again = scan(bench, &config, one_in, &holds, &rows);
		best         = again < best ? again : best;
	}
	double by_one = alone(bench, &config);
	char   quoted[256];
	size_t length = 0;
	for (const char *at = text; *at != 0 && length + 2 < sizeof quoted; at++) {
		if (*at == '"')
			quoted[length++] = '\\';
		quoted[length++] = *at;
	}
	printf("{\"question\":\"%.*s\",\"one_in\":%u,\"holds\":%" PRIu64 ",\"rows\":%" PRIu64
	       ",\"first_ms\":%.2f,\"ms\":%.2f,\"ns_a_row\":%.2f,\"ns_a_person\":%.1f,"
	       "\"ratio\":%.0f}\n",
	       (int)length, quoted, one_in, holds, rows, first * 1e3, best * 1e3,
	       best * 1e9 / (double)(rows == 0 ? 1 : rows), best * 1e9 / bench->persons * one_in,
	       by_one / best / one_in);
	fflush(stdout);
	plan_unref(plan);
}

static void open_store(struct bench *bench)
{
	struct error                     err;
	const struct events_store_config config = {.directory       = bench->directory,
	                                           .partition_count = 1,
	                                           .retention_ms    = INSTANT_MS_NEVER,
	                                           .budget          = &bench->budget,
	                                           .settings        = &bench->settings,
	                                           .position_end    = UINT64_MAX};
	if (mkdtemp(bench->directory) == NULL ||
	    events_store_open(&config, &bench->store, &err) != STATUS_OK) {
		fprintf(stderr, "%s cannot be used\n", bench->directory);
		exit(1);
	}
	bench->plans = plan_cache_new(INSTANT_MS_NEVER);
	bench->partition =
		partition_new(0, INSTANT_MS_NEVER, events_open(bench->store, 0), bench->plans);
}

int main(int argc, char **argv)
{
	struct bench bench = {
		.events    = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000,
		.persons   = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 100000,
		.tail      = argc > 3 ? strtoull(argv[3], NULL, 10) : 50000,
		.rounds    = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 5,
		.only      = argc > 5 ? argv[5] : NULL,
		.random    = 88172645463325252,
		.settings  = {.tail_bytes = UINT64_C(1) << 40, .part_rows_max = 524288, .columns_max = 128},
		.budget    = {.limit_bytes = UINT64_MAX},
		.begin_ms  = INT64_C(1767225600000),
		.directory = "/tmp/sonnim-scan-bench-XXXXXX",
	};
	open_store(&bench);
	fill(&bench);
	ask(&bench, "count(\"Order Completed\" where region = \"제주\") >= 1", 1);
	ask(&bench, "count(\"Order Completed\" where region = \"제주\") within 30d >= 1", 1);
	ask(&bench, "count(\"Order Completed\" where revenue >= 9000) >= 1", 1);
	ask(&bench,
	    "count(\"Order Completed\" where region in [\"제주\",\"부산\"] and quantity > 3) >= 2", 1);
	ask(&bench, "count(\"Product Viewed\" where category = \"villa\") >= 3", 1);
	ask(&bench, "count(\"Product Viewed\" where product_id contains \"77\") >= 1", 1);
	ask(&bench, "count(\"$page\" where context.device = \"ios\") >= 5", 1);
	ask(&bench, "count(\"$page\") >= 10", 1);
	ask(&bench, "count(*) within 7d >= 1", 1);
	ask(&bench, "sum(revenue of \"Order Completed\") >= 20000", 1);
	ask(&bench, "max($amount of \"Order Completed\") within 90d >= 9000", 1);
	ask(&bench, "distinct(product_id of \"Product Viewed\") >= 5", 1);
	ask(&bench, "last(category of \"Product Viewed\") = \"villa\"", 1);
	ask(&bench, "days_since_last(\"Order Completed\") < 90", 1);
	ask(&bench, "count(\"Order Completed\" where region = \"제주\") >= 1", 20);
	ask(&bench, "count(\"Product Viewed\" where category = \"villa\") >= 3", 500);
	events_store_stop(bench.store);
	partition_free(bench.partition);
	plan_cache_free(bench.plans);
	events_store_close(bench.store);
	printf("# files in %s\n", bench.directory);
	return 0;
}
