/* How fast one partition applies records: decode, dedupe, store, windows, memberships, changes.
 *
 *   engine_bench [mix [segments [persons [events]]]]       default mix 10000 1000000 3000000
 *
 * The mixes are engine_mix.h's. As many events as there are persons are applied first and not
 * measured; then `events` of them. Every event has a message id of its own; records come in batches
 * of 6, as a request of 100 events spread over 16 partitions brings them, and 192 of them bear one
 * log time, which goes on by 10 ms. Processor time is what is told: others on the machine do not
 * lengthen it much. One line of JSON. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/instant.h"
#include "engine/change/change_record.h"
#include "engine/apply/feature.h"
#include "engine/apply/partition.h"
#include "engine/catalog/plan_cache.h"
#include "engine_mix.h"
#include "model/expr.h"

enum {
	BATCH        = 6,
	BATCHES      = 32,
	ROUND        = BATCH * BATCHES,
	CHUNK        = ROUND * 300,
	ROUND_MS     = 10,
	RULES_A_PLAN = 1000, /* a PREPARE record is 1 MB at most */
	BEGIN_MS     = 1700000000000 / 1000,
};

#define START_MS ((int64_t)BEGIN_MS * 1000)

struct bench {
	enum mix             mix;
	uint32_t             segments;
	uint64_t             persons;
	struct events_budget budget;
	struct plan_cache   *plans;
	struct partition    *partition;
	uint64_t             position;
	uint64_t             number; /* of the next event */
	int64_t              now_ms;
	struct buffer        encoded;
	size_t               ends[CHUNK / BATCH + 1];
	int64_t              busy_ns;
	int64_t              round_ns_max; /* how long a timer may wait for the records before it */
};

static int64_t processor_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void fail(const char *what, const struct error *err)
{
	fprintf(stderr, "engine_bench: %s: %s\n", what, err->reason);
	exit(1);
}

static void apply(struct bench *bench, const struct journal_read *batches, size_t count)
{
	struct error err = {0};
	if (partition_apply(bench->partition, batches, count, &err) != STATUS_OK)
		fail("a record", &err);
}

static void feed(struct bench *bench, enum record_kind kind, const struct buffer *body)
{
	struct buffer encoded = {0};
	record_encode(&encoded,
	              &(struct record){.kind = kind, .slot = SLOT_NONE, .body = buffer_text(body)});
	apply(bench,
	      &(struct journal_read){.records        = buffer_text(&encoded),
	                             .record_count   = 1,
	                             .first_position = bench->position++,
	                             .log_time_ms    = bench->now_ms},
	      1);
	buffer_done(&encoded);
}

static uint32_t resolve(void *context, struct text reference)
{
	(void)context;
	uint32_t number = 0;
	for (size_t i = 0; i < reference.length; i++)
		number = number * 10 + (uint32_t)(reference.data[i] - '0');
	return number;
}

static struct text canonical_of(const struct bench *bench, uint32_t number, struct arena *arena,
                                struct json_parser *parser)
{
	struct json   root;
	struct expr  *expr;
	struct error  err       = {0};
	struct buffer canonical = {0};
	const char   *json      = mix_segment(bench->mix, number, bench->segments, arena);
	if (json_parse_text(parser, text_of(json), &root, &err) != STATUS_OK ||
	    expr_parse_json(root, "expression", arena, &expr, &err) != STATUS_OK ||
	    expr_resolve(expr, "expression", resolve, NULL, &err) != STATUS_OK)
		fail(json, &err);
	expr_write_canonical(&canonical, expr);
	struct text text = arena_text(arena, buffer_text(&canonical));
	buffer_done(&canonical);
	return text;
}

/* One change of definitions: the segments from `first` on. */
static void define_some(struct bench *bench, uint32_t first, uint32_t count,
                        struct json_parser *parser)
{
	struct arena         arena;
	struct buffer        body   = {0};
	struct change_record record = {.id = first, .rule_count = count};
	arena_init(&arena);
	record.rules = ARENA_ARRAY(&arena, struct change_rule, count);
	for (uint32_t i = 0; i < count; i++)
		record.rules[i] =
			(struct change_rule){first + i, 1, canonical_of(bench, first + i, &arena, parser)};
	change_record_write_prepare(&body, &record);
	feed(bench, RECORD_PREPARE, &body);
	buffer_clear(&body);
	change_record_write_activate(&body, &record);
	feed(bench, RECORD_ACTIVATE, &body);
	buffer_done(&body);
	arena_done(&arena);
}

static void define(struct bench *bench)
{
	struct json_parser *parser = json_parser_new();
	for (uint32_t first = 1; first <= bench->segments; first += RULES_A_PLAN) {
		uint32_t left = bench->segments - first + 1;
		define_some(bench, first, left < RULES_A_PLAN ? left : RULES_A_PLAN, parser);
	}
	json_parser_free(parser);
}

/* Encoded beforehand, a chunk at a time, so that only applying is timed. */
static void encode_chunk(struct bench *bench)
{
	buffer_clear(&bench->encoded);
	bench->ends[0] = 0;
	for (unsigned i = 0; i < CHUNK; i++) {
		mix_event(bench->mix, bench->number++, bench->persons, bench->segments,
		          bench->now_ms + i / ROUND * ROUND_MS, &bench->encoded);
		if (i % BATCH == BATCH - 1)
			bench->ends[i / BATCH + 1] = bench->encoded.length;
	}
}

/* By its name a profiler tells what is measured (valgrind --toggle-collect=apply_round). */
static __attribute__((noinline, noclone)) void apply_round(struct bench *bench, unsigned first)
{
	struct journal_read batches[BATCHES];
	for (unsigned i = 0; i < BATCHES; i++) {
		size_t from = bench->ends[first + i];
		batches[i]  = (struct journal_read){
			 .records        = {bench->encoded.data + from, bench->ends[first + i + 1] - from},
			 .record_count   = BATCH,
			 .first_position = bench->position,
			 .log_time_ms    = bench->now_ms};
		bench->position += BATCH;
	}
	int64_t begin_ns = processor_ns();
	apply(bench, batches, BATCHES);
	int64_t took_ns = processor_ns() - begin_ns;
	bench->busy_ns += took_ns;
	if (took_ns > bench->round_ns_max)
		bench->round_ns_max = took_ns;
	bench->now_ms += ROUND_MS;
}

static void run(struct bench *bench, uint64_t events)
{
	bench->busy_ns      = 0;
	bench->round_ns_max = 0;
	for (uint64_t done = 0; done < events; done += CHUNK) {
		encode_chunk(bench);
		for (unsigned first = 0; first < CHUNK / BATCH; first += BATCHES)
			apply_round(bench, first);
	}
}

/* How many features an event matches, on average over the last chunk. */
static double matching(const struct bench *bench)
{
	const struct catalog *catalog  = &bench->partition->catalog;
	found_list            features = {0};
	struct text           left     = buffer_text(&bench->encoded);
	uint64_t              matches = 0, records = 0;
	for (; left.length > 0; records++) {
		struct record record;
		size_t        size;
		struct error  err = {0};
		if (record_decode(left, &record, &size, &err) != STATUS_OK)
			fail("a record", &err);
		features.count = 0;
		catalog_find(catalog, record.name, record.properties, &features);
		for (size_t i = 0; i < features.count; i++)
			matches += feature_concerns(catalog->features.items[features.items[i].number].plan,
			                            &record, bench->now_ms);
		left = (struct text){left.data + size, left.length - size};
	}
	VECTOR_DONE(&features);
	return (double)matches / (double)records;
}

/* What the persons' features are, and what they take with their series. */
static uint64_t count_features(const struct profiles *profiles, uint64_t *ret_bytes)
{
	uint64_t count = 0;
	*ret_bytes     = 0;
	for (uint32_t slot = 0; slot < profiles->slot_count; slot++) {
		const struct profile *profile = profiles_find(profiles, slot);
		if (profile == NULL || profile->features == NULL)
			continue;
		count += profile->features->count;
		*ret_bytes += profile->features->room * sizeof profile->features->items[0];
		for (uint32_t i = 0; i < profile->features->count; i++)
			*ret_bytes += series_bytes(profile->features->items[i].series);
	}
	return count;
}

static uint64_t count_memberships(const struct profiles *profiles, uint64_t *ret_bytes)
{
	uint64_t count = 0;
	*ret_bytes     = 0;
	for (uint32_t slot = 0; slot < profiles->slot_count; slot++) {
		const struct profile *profile = profiles_find(profiles, slot);
		if (profile == NULL || profile->memberships == NULL)
			continue;
		count += profile->memberships->count;
		*ret_bytes += profile->memberships->room * sizeof profile->memberships->items[0];
	}
	return count;
}

static void print(const struct bench *bench, uint64_t events, uint64_t changes)
{
	const struct partition *partition = bench->partition;
	const struct profiles  *profiles  = &partition->profiles;
	uint64_t                feature_bytes, membership_bytes;
	uint64_t                features    = count_features(profiles, &feature_bytes);
	uint64_t                memberships = count_memberships(profiles, &membership_bytes);
	double                  persons     = (double)profiles->person_count;
	double                  all         = (double)bench->number;
	printf("{\"mix\":\"%s\",\"segments\":%u,\"persons\":%.0f,\"events\":%llu,"
	       "\"events_per_s\":%.0f,\"ns_per_event\":%.0f,\"matching_features\":%.2f,\"changes_per_"
	       "event\":%.2f,"
	       "\"timers_per_event\":%.2f,\"round_us_max\":%.0f,\"features_per_person\":%.1f,"
	       "\"bytes_per_feature\":%.0f,\"memberships_per_person\":%.1f,"
	       "\"bytes_per_membership\":%.1f,\"profile_bytes_per_person\":%.0f,"
	       "\"stored_bytes_per_event\":%.0f,\"change_bytes_per_event\":%.0f}\n",
	       mix_names[bench->mix], bench->segments, persons, (unsigned long long)events,
	       (double)events * 1e9 / (double)bench->busy_ns, (double)bench->busy_ns / (double)events,
	       matching(bench), (double)(partition->changes.count - changes) / (double)events,
	       (double)partition->timers_fired / all, (double)bench->round_ns_max / 1000,
	       (double)features / persons, (double)feature_bytes / (double)(features + !features),
	       (double)memberships / persons,
	       (double)membership_bytes / (double)(memberships + !memberships),
	       (double)profiles->bytes / persons, (double)bench->budget.used_bytes / all,
	       (double)partition->changes.bytes / all);
}

static enum mix mix_of(const char *name)
{
	for (unsigned i = 0; i < MIX_KIND_COUNT; i++)
		if (strcmp(name, mix_names[i]) == 0)
			return i;
	fprintf(stderr, "usage: engine_bench [counts|mix|unshared [segments [persons [events]]]]\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static struct bench bench = {.position = 1, .now_ms = START_MS};
	bench.mix                 = argc > 1 ? mix_of(argv[1]) : MIX_ALL;
	bench.segments            = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 10000;
	bench.persons             = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000000;
	uint64_t events           = argc > 4 ? strtoull(argv[4], NULL, 10) : 3000000;
	events                    = (events + CHUNK - 1) / CHUNK * CHUNK;

	bench.budget.limit_bytes = UINT64_MAX;
	bench.plans              = plan_cache_new(1096 * DAY_MS);
	bench.partition = partition_new(0, 1096 * DAY_MS, events_new(0, &bench.budget), bench.plans);
	define(&bench);
	run(&bench, bench.persons);
	uint64_t changes = bench.partition->changes.count;
	run(&bench, events);
	print(&bench, events, changes);
	partition_free(bench.partition);
	plan_cache_free(bench.plans);
	buffer_done(&bench.encoded);
	return 0;
}
