/* Random definitions and events against a brute-force reading of the same definitions over all
 * events that were ever accepted, at random instants and at every boundary. */

#include "../seed.h"
#include "base/hash.h"
#include "model/evaluate.h"
#include "run.h"

enum { PERSONS = 6, SEGMENTS = 14, ROUNDS = 40, STEPS = 120, START_MS = 1000000 };

struct fact {
	uint32_t    slot;
	int64_t     time_ms;
	struct text name;
	struct text properties;
};

struct world {
	struct run run;
	VECTOR(struct fact) facts;
	struct expr *exprs[SEGMENTS + 1]; /* NULL: not live */
	uint32_t     versions[SEGMENTS + 1];
	bool         exists[PERSONS];
	struct text  traits[PERSONS];
	int64_t      now_ms;
};

static const int64_t windows_ms[] = {60000, 120000, 300000, 600000};

/* --- the oracle --- */

static bool counts_at(const struct expr_event *event, const struct fact *fact, int64_t now_ms)
{
	int64_t start_ms = fact->time_ms + event->until_ms;
	int64_t end_ms   = instant_floor_day_ms(fact->time_ms) + RUN_RETENTION_MS;
	if (event->within_ms > 0 && fact->time_ms + event->within_ms < end_ms)
		end_ms = fact->time_ms + event->within_ms;
	if (event->from_ms != INSTANT_MS_NONE &&
	    (fact->time_ms < event->from_ms || fact->time_ms >= event->to_ms))
		return false;
	return start_ms <= now_ms && now_ms < end_ms;
}

static bool event_holds(struct world *world, uint32_t slot, const struct expr_event *event,
                        int64_t now_ms)
{
	struct arena arena;
	arena_init(&arena);
	struct compiled_where *where = evaluate_compile_where(event->where, &arena);
	struct amount_path     path;
	amount_path_init(&path, event->property, &arena);
	uint64_t count = 0;
	__int128 sum   = 0;
	for (size_t i = 0; i < world->facts.count; i++) {
		const struct fact *fact   = &world->facts.items[i];
		int64_t            amount = 0;
		if (fact->slot != slot || !counts_at(event, fact, now_ms) ||
		    (!text_equal(event->name, TEXT("*")) && !text_equal(event->name, fact->name)) ||
		    !evaluate_where(where, fact->properties, (struct text){0}, now_ms))
			continue;
		count++;
		if (event->aggregate == EXPR_SUM &&
		    evaluate_amount(&path, fact->properties, (struct text){0}, &amount))
			sum += amount;
	}
	arena_done(&arena);
	return event->aggregate == EXPR_SUM ? evaluate_sum(&event->test, sum)
	                                    : evaluate_count(&event->test, count);
}

static bool holds(struct world *world, uint32_t slot, const struct expr *expr, int64_t now_ms)
{
	switch (expr->kind) {
	case EXPR_AND:
		for (unsigned i = 0; i < expr->count; i++)
			if (!holds(world, slot, expr->operands[i], now_ms))
				return false;
		return true;
	case EXPR_OR:
		for (unsigned i = 0; i < expr->count; i++)
			if (holds(world, slot, expr->operands[i], now_ms))
				return true;
		return false;
	case EXPR_NOT:
		return !holds(world, slot, expr->operands[0], now_ms);
	case EXPR_EVENT:
		return event_holds(world, slot, &expr->event, now_ms);
	case EXPR_TRAIT: {
		struct value value = {0};
		if (text_equal(expr->trait.name, TEXT("$identified")))
			value.type = VALUE_TRUE;
		else if (world->traits[slot].length > 0)
			value = value_find(world->traits[slot], expr->trait.name, hash_name(expr->trait.name));
		return evaluate_test(&expr->trait.test, &value, now_ms);
	}
	case EXPR_SEGMENT:
		return holds(world, slot, world->exprs[expr->segment.number], now_ms);
	case EXPR_SEQUENCE: /* random_leaf() makes none */
		break;
	}
	return false;
}

/* --- random definitions --- */

static void random_leaf(struct buffer *out, uint32_t below)
{
	static const char *const counts[] = {"gte", "gt", "lt", "lte", "eq", "neq"};
	static const char *const names[]  = {"Order", "Click", "*"};
	static const char *const wheres[] = {
		"", "\"where\":{\"property\":\"region\",\"op\":\"eq\",\"value\":\"제주\"},",
		"\"where\":{\"property\":\"price\",\"op\":\"gte\",\"value\":50},",
		"\"where\":{\"property\":\"due\",\"op\":\"within_last\",\"value\":\"2m\"},",
		"\"where\":{\"not\":{\"property\":\"due\",\"op\":\"within_next\",\"value\":\"1m\"}},"};
	uint32_t kind = seed_below(10);
	if (kind == 0 && below > 1) {
		buffer_printf(out, "{\"segment\":\"%u\"}", (unsigned)(1 + seed_below(below - 1)));
	} else if (kind <= 1) {
		static const char *const traits[] = {
			"{\"trait\":\"tier\",\"op\":\"eq\",\"value\":\"VIP\"}",
			"{\"trait\":\"tier\",\"op\":\"absent\"}",
			"{\"trait\":\"seen\",\"op\":\"within_last\",\"value\":\"3m\"}",
			"{\"trait\":\"$identified\",\"op\":\"eq\",\"value\":false}"};
		buffer_printf(out, "%s", traits[seed_below(4)]);
	} else {
		bool        sum = seed_below(3) == 0;
		const char *op  = counts[seed_below(6)];
		buffer_printf(out, "{\"event\":\"%s\",%s", names[seed_below(3)],
		              wheres[seed_below(8) < 5 ? 0 : 1 + seed_below(4)]);
		if (sum)
			buffer_printf(out, "\"aggregate\":\"sum\",\"property\":\"$amount\",");
		uint32_t span = seed_below(6);
		if (span == 0)
			buffer_printf(out, "\"between\":[\"1970-01-01T00:20:00Z\",\"1970-01-01T00:40:00Z\"],");
		else if (span == 1)
			buffer_printf(out, "\"within\":\"10m\",\"until\":\"1m\",");
		else if (span > 2)
			buffer_printf(out, "\"within\":\"%us\",", (unsigned)(windows_ms[seed_below(4)] / 1000));
		buffer_printf(out, "\"op\":\"%s\",\"value\":%s}", op,
		              sum ? (seed_below(2) ? "30.5" : "0")
		                  : (seed_below(8) == 0 ? "8"
		                     : seed_below(2)    ? "1"
		                                        : "3"));
	}
}

static void random_expr(struct buffer *out, uint32_t below, unsigned depth)
{
	uint32_t kind = seed_below(6);
	if (depth == 0 || kind > 2) {
		random_leaf(out, below);
	} else if (kind == 2) {
		buffer_printf(out, "{\"not\":");
		random_expr(out, below, depth - 1);
		buffer_printf(out, "}");
	} else {
		buffer_printf(out, "{\"%s\":[", kind == 0 ? "and" : "or");
		random_expr(out, below, depth - 1);
		buffer_printf(out, ",");
		random_expr(out, below, depth - 1);
		buffer_printf(out, "]}");
	}
}

/* Defines or changes a segment, with all that are derived from it, backfilled in random slices. */
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

static void define(struct world *world, uint32_t number)
{
	struct buffer text = {0};
	random_expr(&text, number, 2);
	buffer_add_u8(&text, 0);
	free(texts[number].text);
	texts[number].text = text.data;

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
			bool wanted = holds(world, slot, world->exprs[segment], world->now_ms);
			if (run_is_member(&world->run, slot, segment) != wanted)
				fail_msg("person %u, segment %u at %lld: %s, should %s: %s", slot, segment,
				         (long long)world->now_ms, wanted ? "out" : "in",
				         wanted ? "be in" : "be out", texts[segment].text);
		}
	}
}

/* The next instant at which something may change, and its neighbours. */
static int64_t next_boundary(const struct world *world)
{
	int64_t next_ms = world->now_ms + 1 + (int64_t)seed_below(200000);
	for (size_t i = 0; i < world->facts.count; i++) {
		for (unsigned w = 0; w <= 4; w++) {
			int64_t at_ms = world->facts.items[i].time_ms + (w == 4 ? 0 : windows_ms[w]);
			for (int64_t near_ms = at_ms - 1; near_ms <= at_ms + 1; near_ms++)
				if (near_ms > world->now_ms && near_ms < next_ms)
					next_ms = near_ms;
		}
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
		time_ms -= (int64_t)seed_below(700000);
	else if (when == 1)
		time_ms += (int64_t)seed_below(300001);
	if (time_ms < 0)
		time_ms = 0;

	struct buffer properties = {0};
	char          due[INSTANT_TEXT_BYTES];
	instant_format(world->now_ms + (int64_t)seed_below(400000) - 200000, due);
	buffer_printf(&properties, "{\"region\":\"%s\",\"price\":%u,\"revenue\":%d.%u,\"due\":\"%s\"}",
	              seed_below(2) ? "제주" : "부산", (unsigned)seed_below(100),
	              (int)seed_below(40) - 15, (unsigned)seed_below(1000), due);
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
	VECTOR_ADD(&world->facts,
	           (struct fact){slot, time_ms, arena_text(&world->run.arena, text_of(name)),
	                         record.properties});
	world->exists[slot] = true;
	buffer_done(&properties);
}

static void set_traits(struct world *world)
{
	uint32_t slot = seed_below(PERSONS);
	char     json[128], seen[INSTANT_TEXT_BYTES];
	instant_format(world->now_ms + (int64_t)seed_below(200000) - 100000, seen);
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

static void run_world(void)
{
	struct world world = {.now_ms = START_MS};
	run_begin(&world.run);
	for (unsigned step = 0; step < STEPS; step++) {
		uint32_t what = seed_below(12);
		if (what < 2 || step < 6) {
			uint32_t number = 1;
			while (number < SEGMENTS && world.exprs[number] != NULL && seed_below(4) > 0)
				number++;
			define(&world, number);
			run_activate(&world.run, world.now_ms, 0, NULL);
		} else if (what < 3) {
			set_traits(&world);
		} else {
			accept(&world);
		}
		check(&world);
		for (uint32_t i = seed_below(4); i > 0; i--) {
			world.now_ms = next_boundary(&world);
			check(&world);
		}
		if (seed_below(20) == 0)
			world.now_ms += (int64_t)seed_below(2000000);
	}

	struct buffer live = {0}, replayed = {0};
	partition_advance(world.run.partition, world.now_ms);
	run_stream(world.run.partition, &live);
	run_replay(&world.run, world.now_ms, &replayed);
	assert_int_equal(live.length, replayed.length);
	assert_memory_equal(live.data, replayed.data, live.length);
	buffer_done(&live);
	buffer_done(&replayed);
	VECTOR_DONE(&world.facts);
	run_done(&world.run);
}

static void live_segments_are_what_a_brute_force_reading_says(void **state)
{
	(void)state;
	seed_begin("random_run");
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
