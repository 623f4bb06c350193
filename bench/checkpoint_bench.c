/* What checkpoints cost and what a start takes that loads them.
 *
 *   checkpoint_bench DIRECTORY [persons [partitions [segments [threads]]]]
 *                                              default 1000000 16 100 2; DIRECTORY is made
 *
 * Partitions are filled with persons of the mix `mix` (engine_mix.h), two events each on average;
 * then each makes a checkpoint, all from one thread and without a limit of bandwidth. It is loaded
 * by `threads` threads, as a start does before it reads the journal. One line of JSON. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/instant.h"
#include "engine/change/change_record.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/apply/partition.h"
#include "engine/catalog/plan_cache.h"
#include "engine_mix.h"
#include "model/expr.h"

enum { BATCH = 100, RULES_A_PLAN = 1000, PARTITIONS_MAX = 64 };

#define START_MS INT64_C(1700000000000)

struct bench {
	const char          *directory;
	uint64_t             persons; /* of a partition */
	uint32_t             partition_count;
	uint32_t             segments;
	unsigned             threads;
	struct events_budget budget;
	struct plan_cache   *plans;
	struct checkpoints  *checkpoints;
	struct partition    *partitions[PARTITIONS_MAX];
	uint64_t             positions[PARTITIONS_MAX];
	uint64_t             numbers[PARTITIONS_MAX];
	int64_t              now_ms[PARTITIONS_MAX];
};

static void fail(const char *what, const struct error *err)
{
	fprintf(stderr, "checkpoint_bench: %s: %s\n", what, err->reason);
	exit(1);
}

static void apply(struct bench *bench, uint32_t p, struct text records, uint32_t count)
{
	struct error        err  = {0};
	struct journal_read read = {.partition      = p,
	                            .records        = records,
	                            .record_count   = count,
	                            .first_position = bench->positions[p] + 1,
	                            .log_time_ms    = bench->now_ms[p]};
	bench->positions[p] += count;
	if (partition_apply(bench->partitions[p], &read, 1, &err) != STATUS_OK)
		fail("a record", &err);
}

static void feed(struct bench *bench, enum record_kind kind, const struct buffer *body)
{
	struct buffer encoded = {0};
	record_encode(&encoded,
	              &(struct record){.kind = kind, .slot = SLOT_NONE, .body = buffer_text(body)});
	for (uint32_t p = 0; p < bench->partition_count; p++)
		apply(bench, p, buffer_text(&encoded), 1);
	buffer_done(&encoded);
}

static uint32_t resolve(void *context, struct text reference)
{
	(void)context;
	return (uint32_t)atoi(reference.data);
}

static struct text canonical_of(const struct bench *bench, uint32_t number, struct arena *arena,
                                struct json_parser *parser)
{
	struct json   root;
	struct expr  *expr;
	struct error  err       = {0};
	struct buffer canonical = {0};
	const char   *json      = mix_segment(MIX_ALL, number, bench->segments, arena);
	if (json_parse_text(parser, text_of(json), &root, &err) != STATUS_OK ||
	    expr_parse_json(root, "expression", arena, &expr, &err) != STATUS_OK ||
	    expr_resolve(expr, "expression", resolve, NULL, &err) != STATUS_OK)
		fail(json, &err);
	expr_write_canonical(&canonical, expr);
	struct text text = arena_text(arena, buffer_text(&canonical));
	buffer_done(&canonical);
	return text;
}

static void define(struct bench *bench)
{
	struct json_parser *parser = json_parser_new();
	for (uint32_t first = 1; first <= bench->segments; first += RULES_A_PLAN) {
		struct arena  arena;
		struct buffer body  = {0};
		uint32_t      left  = bench->segments - first + 1;
		uint32_t      count = left < RULES_A_PLAN ? left : RULES_A_PLAN;
		arena_init(&arena);
		struct change_record record = {.id = first, .rule_count = count};
		record.rules                = ARENA_ARRAY(&arena, struct change_rule, count);
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
	json_parser_free(parser);
}

static void add_events(struct bench *bench, uint32_t p, uint64_t count)
{
	struct buffer encoded = {0};
	for (uint64_t done = 0; done < count; done += BATCH) {
		buffer_clear(&encoded);
		for (unsigned i = 0; i < BATCH; i++)
			mix_event(MIX_ALL, bench->numbers[p]++, bench->persons, bench->segments,
			          bench->now_ms[p], &encoded);
		apply(bench, p, buffer_text(&encoded), BATCH);
		bench->now_ms[p]++;
	}
	buffer_done(&encoded);
}

static struct checkpoints *open_checkpoints(const struct bench *bench)
{
	struct checkpoints       *checkpoints;
	struct error              err    = {0};
	struct checkpoints_config config = {.directory       = bench->directory,
	                                    .partition_count = bench->partition_count,
	                                    .slice_us        = CHECKPOINT_SLICE_US,
	                                    .interval_ms     = 3600000,
	                                    .bytes_per_s     = UINT64_C(1) << 40};
	if (checkpoints_new(&config, &checkpoints, &err) != STATUS_OK)
		fail(bench->directory, &err);
	return checkpoints;
}

static void load_one(struct bench *bench, uint32_t p)
{
	static const _Atomic bool stopping;
	uint64_t                  after;
	struct error              err = {0};
	bench->partitions[p] =
		partition_new(p, 1096 * DAY_MS, events_new(p, &bench->budget), bench->plans);
	if (checkpoint_load(bench->checkpoints, bench->partitions[p], true, &stopping, &after, &err) !=
	    STATUS_OK)
		fail("loading", &err);
}

struct loader {
	pthread_t     thread;
	struct bench *bench;
	uint32_t      first;
};

static void *load_some(void *pointer)
{
	struct loader *loader = pointer;
	for (uint32_t p = loader->first; p < loader->bench->partition_count;
	     p += loader->bench->threads)
		load_one(loader->bench, p);
	return NULL;
}

static double load_all(struct bench *bench)
{
	struct loader loaders[PARTITIONS_MAX];
	int64_t       begin_ns = clock_monotonic_ns();
	for (unsigned i = 0; i < bench->threads; i++) {
		loaders[i] = (struct loader){.bench = bench, .first = i};
		if (pthread_create(&loaders[i].thread, NULL, load_some, &loaders[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < bench->threads; i++)
		pthread_join(loaders[i].thread, NULL);
	return (double)(clock_monotonic_ns() - begin_ns) / 1e9;
}

static int64_t processor_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* A round of every partition; `*ret_mb` is what was written, `*ret_pause_us` the longest turn in
 * processor time, which others on the machine do not lengthen. */
static double round_of_all(struct bench *bench, double *ret_mb, double *ret_pause_us)
{
	int64_t                   pause_ns = 0;
	struct checkpoints_status status;
	checkpoints_status(bench->checkpoints, &status);
	uint64_t end = status.rounds + bench->partition_count, bytes = status.bytes;
	int64_t  begin_ns = clock_monotonic_ns();
	while (status.rounds < end) {
		int64_t turn_ns = processor_ns();
		checkpoint_turn(bench->checkpoints, bench->partitions, bench->partition_count, 1);
		turn_ns  = processor_ns() - turn_ns;
		pause_ns = turn_ns > pause_ns ? turn_ns : pause_ns;
		checkpoints_status(bench->checkpoints, &status);
	}
	*ret_pause_us = (double)pause_ns / 1e3;
	*ret_mb       = (double)(status.bytes - bytes) / 1e6;
	return (double)(clock_monotonic_ns() - begin_ns) / 1e9;
}

static void free_all(struct bench *bench)
{
	checkpoints_free(bench->checkpoints);
	for (uint32_t p = 0; p < bench->partition_count; p++)
		partition_free(bench->partitions[p]);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "checkpoint_bench DIRECTORY [persons [partitions [segments [threads]]]]\n");
		return 2;
	}
	static struct bench bench   = {.budget.limit_bytes = UINT64_MAX};
	uint64_t            persons = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
	bench.directory             = argv[1];
	bench.partition_count       = argc > 3 ? (uint32_t)atoi(argv[3]) : 16;
	bench.segments              = argc > 4 ? (uint32_t)atoi(argv[4]) : 100;
	bench.threads               = argc > 5 ? (unsigned)atoi(argv[5]) : 2;
	bench.persons               = persons / bench.partition_count;
	bench.plans                 = plan_cache_new(1096 * DAY_MS);
	bench.checkpoints           = open_checkpoints(&bench);
	for (uint32_t p = 0; p < bench.partition_count; p++) {
		bench.now_ms[p] = START_MS;
		load_one(&bench, p);
	}
	define(&bench);
	uint64_t profile_bytes = 0;
	for (uint32_t p = 0; p < bench.partition_count; p++) {
		add_events(&bench, p, 2 * bench.persons);
		profile_bytes += bench.partitions[p]->profiles.bytes;
	}

	double mb, pause_us;
	double took_s = round_of_all(&bench, &mb, &pause_us);
	free_all(&bench);

	bench.checkpoints = open_checkpoints(&bench);
	double   load_s   = load_all(&bench);
	uint64_t count    = 0;
	for (uint32_t p = 0; p < bench.partition_count; p++)
		count += bench.partitions[p]->profiles.person_count;
	printf("{\"persons\":%llu,\"segments\":%u,\"profile_mb\":%.0f,\"checkpoint_mb\":%.0f,"
	       "\"checkpoint_s\":%.2f,\"checkpoint_mb_per_s\":%.0f,\"pause_us_max\":%.0f,"
	       "\"load_s\":%.2f}\n",
	       (unsigned long long)count, bench.segments, (double)profile_bytes / 1e6, mb, took_s,
	       mb / took_s, pause_us, load_s);
	free_all(&bench);
	plan_cache_free(bench.plans);
	return 0;
}
