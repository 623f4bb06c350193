/* The event store alone: filling a tail, cutting it into parts, merging them, reading persons,
 * scanning everybody, dedupe. One partition, one thread beside the writer's; one JSON line.
 *
 *   events_bench [EVENTS [PERSONS [PARTS]]]     (default 2000000 200000 8) */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/instant.h"
#include "events/events.h"
#include "model/value.h"

enum { NAMES = 8, SAMPLES = 20000 };

struct bench {
	uint64_t                   events;
	uint32_t                   persons;
	unsigned                   flushes;
	uint64_t                   random;
	char                       directory[64];
	struct events_settings     settings;
	struct events_budget       budget;
	struct events_store       *store;
	struct events             *store_events;
	uint64_t                   position;
	int64_t                    now_ms;
	uint64_t                   record_bytes;
	struct events_store_status status;
};

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

/* A UUID that a number makes, so that the same one can be asked for again. */
static void message_of(uint64_t number, char into[UUID_TEXT_BYTES])
{
	uint64_t low = number * UINT64_C(0x9e3779b97f4a7c15), high = low * UINT64_C(0xff51afd7ed558ccd);
	snprintf(into, UUID_TEXT_BYTES, "%08x-%04x-4%03x-8%03x-%012" PRIx64, (unsigned)(low >> 32),
	         (unsigned)(low >> 16 & 0xffff), (unsigned)(low & 0xfff), (unsigned)(high >> 52),
	         high & UINT64_C(0xffffffffffff));
}

static uint32_t slot_of(const struct bench *bench, uint64_t number)
{
	return (uint32_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 20) % bench->persons;
}

/* An event of a shop: a name of eight, six properties, a context, a UUID. */
static void add(struct bench *bench, struct buffer *encoded)
{
	static const char *const names[NAMES] = {"$page",           "Product Viewed", "Product Added",
	                                         "Order Completed", "Link Clicked",   "Search",
	                                         "Coupon Used",     "Cart Viewed"};
	static const char *const regions[]    = {"제주", "부산", "서울", "강릉", "경주"};
	char                     id[UUID_TEXT_BYTES], product[32];
	struct buffer            list = {0}, context = {0};
	uint64_t                 r  = next(bench);
	size_t                   at = value_list_begin(&list);
	add_text(&list, "region", regions[r % 5]);
	snprintf(product, sizeof product, "product-%u", (unsigned)(r >> 8) % 20000);
	add_text(&list, "product_id", product);
	value_add(&list, TEXT("revenue"),
	          &(struct value){.type = VALUE_DOUBLE, .number = (double)(r >> 20 & 0xfffff) / 100});
	value_add(&list, TEXT("quantity"), &(struct value){.type = VALUE_INT, .integer = r >> 40 & 7});
	value_add(&list, TEXT("first"),
	          &(struct value){.type = r >> 50 & 1 ? VALUE_TRUE : VALUE_FALSE});
	add_text(&list, "category", regions[r >> 55 & 3]);
	value_list_end(&list, at, 6);
	at = value_list_begin(&context);
	add_text(&context, "library", "analytics-node 2.1.3");
	add_text(&context, "device", r >> 60 & 1 ? "ios" : "android");
	value_list_end(&context, at, 2);

	bench->position++;
	bench->now_ms += r % 3 == 0;
	message_of(bench->position, id);
	uint32_t     slot    = slot_of(bench, bench->position);
	int64_t      sent_ms = bench->now_ms - (int64_t)(r >> 30 & 255);
	struct event event   = {.time_ms         = bench->now_ms,
	                        .received_ms     = bench->now_ms,
	                        .position        = bench->position,
	                        .stored_position = bench->position,
	                        .record          = {.kind         = RECORD_EVENT,
	                                            .slot         = slot,
	                                            .call         = CALL_TRACK,
	                                            .timestamp_ms = sent_ms,
	                                            .skew_ms      = INSTANT_MS_NONE,
	                                            .name         = text_of(names[r >> 16 & 7]),
	                                            .message_id   = text_of(id),
	                                            .properties   = buffer_text(&list),
	                                            .context      = buffer_text(&context)}};
	buffer_clear(encoded);
	record_encode(encoded, &event.record);
	events_add(bench->store_events, slot, buffer_text(encoded), &event);
	bench->record_bytes += encoded->length;
	buffer_done(&list);
	buffer_done(&context);
}

static void poll_store(struct bench *bench)
{
	events_poll(bench->store_events, bench->now_ms, bench->position, EVENTS_FROM_BEGIN);
}

static double seconds_since(int64_t began_ns)
{
	return (double)(clock_monotonic_ns() - began_ns) / 1e9;
}

/* Returns the seconds that flushing took, without the filling. */
static double fill(struct bench *bench)
{
	struct buffer encoded = {0};
	double        sum     = 0;
	for (unsigned i = 0; i < bench->flushes; i++) {
		for (uint64_t j = 0; j < bench->events / bench->flushes; j++)
			add(bench, &encoded);
		int64_t began_ns = clock_monotonic_ns();
		while (!events_flush(bench->store_events, bench->position)) {
			poll_store(bench);
			nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
		}
		sum += seconds_since(began_ns);
	}
	buffer_done(&encoded);
	return sum;
}

static struct events_query query(const struct bench *bench)
{
	return (struct events_query){.from_ms          = INT64_MIN,
	                             .to_ms            = INT64_MAX,
	                             .through_position = UINT64_MAX,
	                             .now_ms           = bench->now_ms,
	                             .retention_ms     = INSTANT_MS_NEVER};
}

/* Microseconds a person, at random; the events read. */
static double read_persons(struct bench *bench, uint64_t *ret_events)
{
	struct events_query all      = query(bench);
	event_list          list     = {0};
	int64_t             began_ns = clock_monotonic_ns();
	*ret_events                  = 0;
	for (unsigned i = 0; i < SAMPLES; i++) {
		event_list_clear(&list);
		events_read(bench->store_events, (uint32_t)(next(bench) >> 20) % bench->persons, &all,
		            &list);
		*ret_events += list.count;
	}
	event_list_done(&list);
	return seconds_since(began_ns) * 1e6 / SAMPLES;
}

/* Events a second that a backfill walks through, of one name of eight. */
static double scan(struct bench *bench)
{
	struct events_query orders   = query(bench);
	event_list          list     = {0};
	int64_t             began_ns = clock_monotonic_ns();
	orders.name                  = TEXT("Order Completed");
	for (uint32_t slot = 0; slot < bench->persons; slot++) {
		event_list_clear(&list);
		events_read(bench->store_events, slot, &orders, &list);
	}
	event_list_done(&list);
	return (double)bench->events / seconds_since(began_ns);
}

/* Nanoseconds an id that was not seen, asked for ahead in rounds of 32; how many were "seen". */
static double dedupe(struct bench *bench, bool known, uint64_t *ret_seen)
{
	enum { ROUND = 32 };
	char     ids[ROUND][UUID_TEXT_BYTES];
	uint32_t slots[ROUND];
	int64_t  sum_ns = 0;
	*ret_seen       = 0;
	for (unsigned i = 0; i < SAMPLES; i += ROUND) {
		for (unsigned j = 0; j < ROUND; j++) {
			uint64_t number = 1 + (next(bench) >> 20) % bench->events;
			message_of(known ? number : number + bench->events, ids[j]);
			slots[j] = slot_of(bench, number);
		}
		int64_t began_ns = clock_monotonic_ns();
		for (unsigned j = 0; j < ROUND; j++)
			events_prefetch(bench->store_events, slots[j], text_of(ids[j]));
		for (unsigned j = 0; j < ROUND; j++)
			*ret_seen += events_seen(bench->store_events, slots[j], text_of(ids[j]), UINT64_MAX,
			                         bench->now_ms, INSTANT_MS_NEVER);
		sum_ns += clock_monotonic_ns() - began_ns;
	}
	return (double)sum_ns / SAMPLES;
}

/* Until the writer has nothing left to merge. */
static double settle(struct bench *bench)
{
	int64_t  began_ns = clock_monotonic_ns(), changed_ns = began_ns;
	uint64_t merges = 0;
	while (clock_monotonic_ns() - changed_ns < 1500000000) {
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
		poll_store(bench);
		events_store_status(bench->store, &bench->status);
		if (bench->status.merges != merges)
			changed_ns = clock_monotonic_ns();
		merges = bench->status.merges;
	}
	return (double)(changed_ns - began_ns) / 1e9;
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
	if (events_store_open(&config, &bench->store, &err) != STATUS_OK) {
		fprintf(stderr, "%s\n", err.reason);
		exit(1);
	}
	bench->store_events = events_open(bench->store, 0);
}

int main(int argc, char **argv)
{
	struct bench bench = {
		.events    = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000,
		.persons   = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 200000,
		.flushes   = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 8,
		.random    = 88172645463325252,
		.settings  = {.tail_bytes = UINT64_C(1) << 40, .part_rows_max = 524288, .columns_max = 128},
		.budget    = {.limit_bytes = UINT64_MAX},
		.now_ms    = INT64_C(1767225600000),
		.directory = "/tmp/sonnim-events-bench-XXXXXX",
	};
	uint64_t read, unseen, seen;
	if (mkdtemp(bench.directory) == NULL)
		return 1;
	open_store(&bench);
	double flush_s  = fill(&bench);
	double settle_s = settle(&bench);
	double read_us  = read_persons(&bench, &read);
	double scan_s   = scan(&bench);
	double miss_ns  = dedupe(&bench, false, &unseen);
	double hit_ns   = dedupe(&bench, true, &seen);
	assert(unseen == 0 && seen >= SAMPLES);
	printf("{\"events\":%" PRIu64 ",\"persons\":%u,\"parts\":%" PRIu64 ",\"merges\":%" PRIu64
	       ",\"record_bytes\":%.1f,\"bytes_an_event\":%.1f,\"flush_events_per_s\":%.0f,"
	       "\"flush_mb_per_s\":%.1f,\"merge_s\":%.1f,\"read_person_us\":%.2f,"
	       "\"events_a_person\":%.1f,\"scan_events_per_s\":%.0f,\"dedupe_miss_ns\":%.0f,"
	       "\"dedupe_hit_ns\":%.0f}\n",
	       bench.events, bench.persons, bench.status.parts, bench.status.merges,
	       (double)bench.record_bytes / (double)bench.events,
	       (double)bench.status.bytes / (double)bench.events, (double)bench.events / flush_s,
	       (double)bench.record_bytes / flush_s / 1e6, settle_s, read_us, (double)read / SAMPLES,
	       scan_s, miss_ns, hit_ns);
	events_store_stop(bench.store);
	events_free(bench.store_events);
	events_store_close(bench.store);
	printf("# files in %s\n", bench.directory);
	return 0;
}
