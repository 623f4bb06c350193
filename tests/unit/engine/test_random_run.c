/* Random definitions and events against a brute-force reading of the same definitions over all
 * events that were ever accepted, at random instants and at every boundary. */

#include "../seed.h"
#include "brute.h"
#include "random_expr.h"
#include "run.h"

enum { PERSONS = 4, SEGMENTS = 14, ROUNDS = 120, STEPS = 120, START_MS = 1000000 };

struct world {
	struct run                 run;
	struct brute               brute;
	const struct random_scale *scale;
	struct expr               *exprs[SEGMENTS + 1]; /* NULL: not live */
	uint32_t                   versions[SEGMENTS + 1];
	bool                       exists[PERSONS];
	struct text                traits[PERSONS];
	int64_t                    now_ms;
};

/* Of days, so that ages in days change, and windows and events outlive the retention. */
static const struct random_scale scales[] = {
	{.unit_ms         = MINUTE_MS,
     .unit            = "m",
     .windows         = {1, 2, 5, 10},
     .between_from_ms = 20 * MINUTE_MS,
     .between_to_ms   = 40 * MINUTE_MS,
     .retention_ms    = RUN_RETENTION_MS},
	{.unit_ms         = DAY_MS,
     .unit            = "d",
     .windows         = {1, 2, 3, 7},
     .between_from_ms = 3 * DAY_MS,
     .between_to_ms   = 9 * DAY_MS,
     .retention_ms    = 8 * DAY_MS},
};

/* --- random definitions --- */

static bool refers(const struct expr *expr, uint32_t number)
{
	if (expr->kind == EXPR_SEGMENT)
		return expr->segment.number == number;
	if (expr->kind == EXPR_AND || expr->kind == EXPR_OR || expr->kind == EXPR_NOT)
		for (unsigned i = 0; i < expr->count; i++)
			if (refers(expr->operands[i], number))
				return true;
	return false;
}

struct definition_text {
	char *text;
};
static struct definition_text texts[SEGMENTS + 1];

static char *random_text(const struct world *world, uint32_t number)
{
	struct buffer text = {0};
	random_expr(&text, world->scale, number, 2);
	buffer_add_u8(&text, 0);
	return text.data;
}

/* One that is defined, or the next. */
static uint32_t random_number(const struct world *world)
{
	uint32_t number = 1;
	while (number < SEGMENTS && world->exprs[number] != NULL && seed_below(4) > 0)
		number++;
	return number;
}

/* With all that are derived from it, backfilled in random slices. */
static void prepare(struct world *world, uint32_t number)
{
	uint32_t    segments[SEGMENTS], versions[SEGMENTS];
	const char *expressions[SEGMENTS];
	size_t      count               = 0;
	bool        taken[SEGMENTS + 1] = {0};
	for (uint32_t i = number; i <= SEGMENTS; i++) {
		bool derived = i == number;
		for (uint32_t j = number; j < i && !derived && world->exprs[i] != NULL; j++)
			derived = taken[j] && refers(world->exprs[i], j);
		if (!derived)
			continue;
		taken[i]           = true;
		segments[count]    = i;
		versions[count]    = ++world->versions[i];
		expressions[count] = texts[i].text;
		count++;
	}
	run_prepare(&world->run, world->now_ms, count, segments, versions, expressions);
	if (seed_below(2) == 0)
		partition_build(world->run.partition, 1 + seed_below(PERSONS));
}

/* What is prepared and never becomes live; returns the change. */
static uint64_t prepare_doomed(struct world *world)
{
	uint32_t number    = random_number(world);
	char    *live      = texts[number].text;
	texts[number].text = random_text(world, number);
	prepare(world, number);
	free(texts[number].text);
	texts[number].text = live;
	return world->run.change_id;
}

/* Defines or changes a segment, at times behind a change that is abandoned. */
static void define(struct world *world)
{
	uint32_t number    = random_number(world);
	uint64_t doomed_id = seed_below(4) == 0 ? prepare_doomed(world) : 0;
	free(texts[number].text);
	texts[number].text = random_text(world, number);
	prepare(world, number);
	if (doomed_id > 0)
		run_abandon(&world->run, world->now_ms, doomed_id, 0, NULL);
	if (doomed_id > 0 && seed_below(2) == 0)
		partition_build(world->run.partition, 1 + seed_below(PERSONS));
	run_activate(&world->run, world->now_ms, 0, NULL);
	world->exprs[number] = run_expr(&world->run, texts[number].text);
}

/* --- the run --- */

static void check(struct world *world)
{
	partition_advance(world->run.partition, world->now_ms);
	for (uint32_t slot = 0; slot < PERSONS; slot++) {
		for (uint32_t segment = 1; segment <= SEGMENTS && world->exists[slot]; segment++) {
			if (world->exprs[segment] == NULL)
				continue;
			bool wanted = brute_holds(&world->brute, slot, world->traits[slot],
			                          world->exprs[segment], world->now_ms);
			if (run_is_member(&world->run, slot, segment) != wanted)
				fail_msg("person %u, segment %u at %lld: %s, should %s: %s", slot, segment,
				         (long long)world->now_ms, wanted ? "out" : "in",
				         wanted ? "be in" : "be out", texts[segment].text);
		}
	}
}

static void note_boundary(const struct world *world, int64_t at_ms, int64_t *next_ms)
{
	for (int64_t near_ms = at_ms - 1; near_ms <= at_ms + 1; near_ms++)
		if (near_ms > world->now_ms && near_ms < *next_ms)
			*next_ms = near_ms;
}

/* The next instant at which something may change, and its neighbours. */
static int64_t next_boundary(const struct world *world)
{
	const struct random_scale *scale = world->scale;
	int64_t next_ms = world->now_ms + 1 + (int64_t)seed_below(3 * (uint64_t)scale->unit_ms);
	for (size_t i = 0; i < world->brute.events.count; i++) {
		int64_t time_ms = world->brute.events.items[i].time_ms;
		note_boundary(world, time_ms, &next_ms);
		note_boundary(world, instant_floor_day_ms(time_ms) + scale->retention_ms, &next_ms);
		for (unsigned w = 0; w < 4; w++)
			note_boundary(world, time_ms + scale->windows[w] * scale->unit_ms, &next_ms);
	}
	return next_ms;
}

static void accept(struct world *world)
{
	uint32_t          slot    = seed_below(PERSONS);
	const char *const names[] = {"Order", "Click", "Other"};
	const char       *name    = names[seed_below(3)];
	int64_t           time_ms = world->now_ms;
	uint32_t          when    = seed_below(6);
	if (when == 0)
		time_ms -= (int64_t)seed_below(7 * (uint64_t)world->scale->unit_ms);
	else if (when == 1)
		time_ms += (int64_t)seed_below(300001);
	else if (when == 2 && world->brute.events.count > 0)
		time_ms = world->brute.events.items[world->brute.events.count - 1].time_ms;
	if (time_ms < 0)
		time_ms = 0;

	struct buffer properties = {0};
	random_properties(&properties, world->scale, world->now_ms);
	buffer_add_u8(&properties, 0);
	run_event(&world->run, slot, world->now_ms, time_ms, name, properties.data, NULL);
	if (seed_below(5) == 0) {
		char id[32];
		snprintf(id, sizeof id, "message-%llu", (unsigned long long)world->run.message);
		run_event(&world->run, slot, world->now_ms, time_ms + 5, "Order", "{}", id);
	}

	size_t                  size;
	struct record           record;
	const struct run_batch *batch = &world->run.batches.items[world->run.batches.count - 1];
	/* A duplicate came last: the batch before it holds the event. */
	for (;; batch--) {
		assert_int_equal(
			record_decode((struct text){batch->records, batch->size}, &record, &size, NULL),
			STATUS_OK);
		if (record.properties.length > 1)
			break;
	}
	VECTOR_ADD(&world->brute.events,
	           (struct brute_event){slot, time_ms, arena_text(&world->run.arena, text_of(name)),
	                                record.properties});
	world->exists[slot] = true;
	buffer_done(&properties);
}

static void set_traits(struct world *world)
{
	uint32_t slot = seed_below(PERSONS);
	char     json[128], seen[INSTANT_TEXT_BYTES];
	instant_format(world->now_ms + ((int64_t)seed_below(200) - 100) * world->scale->unit_ms / 60,
	               seen);
	snprintf(json, sizeof json, "{\"tier\":%s,\"seen\":\"%s\"}",
	         seed_below(3) == 0 ? "null"
	         : seed_below(2)    ? "\"VIP\""
	                            : "\"Basic\"",
	         seen);
	run_traits(&world->run, slot, world->now_ms, json);
	world->exists[slot]           = true;
	const struct profile *profile = profiles_find(&world->run.partition->profiles, slot);
	world->traits[slot]           = arena_text(&world->run.arena, profile_traits(profile));
}

/* A change that is abandoned while events come in. */
static void abandon(struct world *world)
{
	uint64_t doomed_id = prepare_doomed(world);
	for (uint32_t i = seed_below(4); i > 0; i--) {
		accept(world);
		check(world);
		world->now_ms = next_boundary(world);
		if (seed_below(2) == 0)
			partition_build(world->run.partition, 1 + seed_below(PERSONS));
	}
	run_abandon(&world->run, world->now_ms, doomed_id, 0, NULL);
	if (seed_below(2) == 0)
		run_activate(&world->run, world->now_ms, 0, NULL);
}

static void run_world(void)
{
	struct world world       = {.now_ms = START_MS, .scale = &scales[seed_below(2)]};
	world.brute.retention_ms = world.scale->retention_ms;
	world.brute.segments     = world.exprs;
	run_begin_retaining(&world.run, world.scale->retention_ms);
	for (unsigned step = 0; step < STEPS; step++) {
		uint32_t what = seed_below(12);
		if (what < 2 || step < 6) {
			define(&world);
		} else if (what < 3) {
			set_traits(&world);
		} else if (what < 4) {
			abandon(&world);
		} else {
			accept(&world);
		}
		check(&world);
		for (uint32_t i = seed_below(4); i > 0; i--) {
			world.now_ms = next_boundary(&world);
			check(&world);
		}
		if (seed_below(20) == 0)
			world.now_ms += (int64_t)seed_below(30 * (uint64_t)world.scale->unit_ms);
	}

	struct buffer live = {0}, replayed = {0};
	partition_advance(world.run.partition, world.now_ms);
	run_stream(world.run.partition, &live);
	run_replay(&world.run, world.now_ms, &replayed);
	assert_int_equal(live.length, replayed.length);
	assert_memory_equal(live.data, replayed.data, live.length);
	buffer_done(&live);
	buffer_done(&replayed);
	VECTOR_DONE(&world.brute.events);
	run_done(&world.run);
}

static void live_segments_are_what_a_brute_force_reading_says(void **state)
{
	(void)state;
	seed_begin("random_run");
	random_begin(seed_next());
	for (unsigned round = 0; round < ROUNDS; round++)
		run_world();
	for (unsigned i = 0; i <= SEGMENTS; i++)
		free(texts[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(live_segments_are_what_a_brute_force_reading_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
