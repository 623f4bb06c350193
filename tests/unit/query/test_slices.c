/* Random values set one by one and all at once, against an array of them. */

#include "query/slices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "../seed.h"

enum {
	BLOCKS      = 131, /* the second chunk has some */
	SLOTS       = BLOCKS * COLUMN_BLOCK_SLOTS,
	TOUCHED     = 3000,
	ROUNDS      = 24,
	SETS        = 30,
	INTERVALS   = 40,
	RUN_WORDS   = COLUMN_RUN_BLOCKS * COLUMN_BLOCK_WORDS,
	CODES_WORDS = COLUMN_CODES_MAX / 64,
};

/* Which values occur in a round. */
struct world {
	struct slices       slices;
	struct slices_value values[SLOTS];
	unsigned            classes; /* bits */
	unsigned            codes;
	int64_t             base;
	uint64_t            spread;
	uint64_t            step;
};

static int64_t random_key(const struct world *world)
{
	int64_t key = world->base + (int64_t)(seed_next() % world->spread / world->step * world->step);
	if (seed_below(400) == 0)
		key = (int64_t)(seed_next() >> seed_below(64));
	if (key > SLICES_KEY_MAX || key < -SLICES_KEY_MAX)
		key /= 2;
	return key;
}

static struct slices_value random_value(const struct world *world)
{
	enum column_class class = (enum column_class)seed_below(COLUMN_CLASS_COUNT);
	if ((world->classes >> class & 1) == 0)
		class = COLUMN_MISSING;
	if (class == COLUMN_CODE)
		return (struct slices_value){class, (int64_t)seed_below(world->codes)};
	if (class == COLUMN_NUMBER)
		return (struct slices_value){class, random_key(world)};
	if (class == COLUMN_TIME) /* of the years that there are */
		return (struct slices_value){class, random_key(world) % 253402300799999};
	return (struct slices_value){class, 0};
}

static void begin(struct world *world)
{
	memset(world, 0, sizeof *world);
	slices_init(&world->slices, NULL);
	world->classes = (unsigned)seed_next() | 1U << seed_below(COLUMN_CLASS_COUNT);
	world->codes   = 1 + (unsigned)seed_below(seed_below(2) == 0 ? 9 : COLUMN_CODES_MAX);
	world->step    = UINT64_C(1) << seed_below(50);
	world->spread  = world->step + (seed_next() >> (1 + seed_below(62)));
	world->base    = (int64_t)seed_next() >> (2 + seed_below(60));
}

static void check_value(const struct world *world, uint32_t slot)
{
	struct slices_value value = slices_get(&world->slices, slot);
	assert_int_equal(value.class, world->values[slot].class);
	assert_true(value.key == world->values[slot].key);
}

static uint32_t random_slot(void)
{
	uint32_t slot = (uint32_t)seed_below(SLOTS);
	return seed_below(2) == 0 ? slot : slot % 700;
}

static void set_some(struct world *world)
{
	for (unsigned i = 0; i < TOUCHED; i++) {
		uint32_t slot       = random_slot();
		world->values[slot] = random_value(world);
		slices_set(&world->slices, slot, world->values[slot]);
		check_value(world, slot);
	}
	slices_reserve(&world->slices, BLOCKS);
}

static void fill_all(struct world *world)
{
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		world->values[slot] = random_value(world);
	slices_fill(&world->slices, 0, world->values, COLUMN_RUN_BLOCKS);
	slices_fill(&world->slices, 1, world->values + SLICES_CHUNK_SLOTS, BLOCKS - COLUMN_RUN_BLOCKS);
}

/* ---- Sets of values ---- */

struct random_set {
	struct slices_set      set;
	uint64_t               codes[CODES_WORDS];
	struct slices_interval numbers[INTERVALS];
	struct slices_interval times[INTERVALS];
};

static int compare_keys(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
	return (left > right) - (left < right);
}

/* Ends that are, or lie beside, keys that occur. */
static uint32_t random_intervals(const struct world     *world, enum column_class class,
                                 struct slices_interval *intervals)
{
	int64_t  ends[2 * INTERVALS];
	uint32_t wanted = seed_below(8) == 0 ? INTERVALS : (uint32_t)seed_below(4), count = 0;
	for (uint32_t i = 0; i < 2 * wanted; i++) {
		struct slices_value value = world->values[random_slot()];
		ends[i] = value.class == class ? value.key + (int64_t)seed_below(3) - 1 : random_key(world);
		if (seed_below(6) == 0)
			ends[i] = seed_below(2) == 0 ? INT64_MIN : INT64_MAX;
	}
	qsort(ends, 2 * (size_t)wanted, sizeof ends[0], compare_keys);
	for (uint32_t i = 0; i < wanted; i++)
		if (count == 0 || ends[2 * i] > intervals[count - 1].high)
			intervals[count++] = (struct slices_interval){ends[2 * i], ends[2 * i + 1]};
	return count;
}

static void random_set(const struct world *world, struct random_set *set)
{
	memset(set, 0, sizeof *set);
	set->set.missing = seed_below(2) == 0;
	set->set.unknown = seed_below(2) == 0;
	unsigned density = (unsigned)seed_below(4);
	if (density > 0) {
		set->set.codes      = set->codes;
		set->set.code_count = (uint32_t)(1 + seed_below(COLUMN_CODES_MAX));
		for (uint32_t i = 0; i < set->set.code_count; i++)
			set->codes[i / 64] |= (uint64_t)(seed_below(density == 1 ? 100 : density) == 0)
			                      << i % 64;
	}
	set->set.numbers      = set->numbers;
	set->set.number_count = random_intervals(world, COLUMN_NUMBER, set->numbers);
	set->set.times        = set->times;
	set->set.time_count   = random_intervals(world, COLUMN_TIME, set->times);
}

static bool is_between(const struct slices_interval *intervals, uint32_t count, int64_t key)
{
	for (uint32_t i = 0; i < count; i++)
		if (key >= intervals[i].low && key <= intervals[i].high)
			return true;
	return false;
}

static bool is_meant(const struct slices_set *set, struct slices_value value)
{
	switch (value.class) {
	case COLUMN_MISSING:
		return set->missing;
	case COLUMN_UNKNOWN:
		return set->unknown;
	case COLUMN_CODE:
		return set->codes != NULL && value.key < set->code_count &&
		       (set->codes[value.key / 64] >> value.key % 64 & 1) != 0;
	case COLUMN_NUMBER:
		return is_between(set->numbers, set->number_count, value.key);
	default:
		return is_between(set->times, set->time_count, value.key);
	}
}

static void check_run(const struct world *world, const struct random_set *set, uint32_t block,
                      uint32_t count)
{
	uint64_t among[RUN_WORDS], holds[RUN_WORDS];
	uint32_t first = block * COLUMN_BLOCK_SLOTS;
	__int128 sum = 0, wanted_sum = 0;
	for (uint32_t i = 0; i < count * COLUMN_BLOCK_WORDS; i++)
		among[i] = seed_below(4) == 0 ? 0 : seed_next() | seed_next();
	struct slices_query  query;
	struct slices_codes *room = malloc(slices_query_room(&set->set) * sizeof *room);
	slices_query_init(&query, &world->slices, &set->set, room);
	/* Block by block first, so that the second run has its codes at hand. */
	for (uint32_t i = 0; i < count; i++)
		slices_query_run(&query, block + i, 1, among + i * COLUMN_BLOCK_WORDS,
		                 holds + i * COLUMN_BLOCK_WORDS);
	memset(holds, 0, sizeof holds);
	slices_query_run(&query, block, count, among, holds);
	free(room);
	slices_sum(&world->slices, block, count, among, &sum);
	bool found = false;
	for (uint32_t i = 0; i < count * COLUMN_BLOCK_SLOTS; i++) {
		struct slices_value value = world->values[first + i];
		bool                is    = (among[i / 64] >> i % 64 & 1) != 0;
		assert_int_equal(holds[i / 64] >> i % 64 & 1, is && is_meant(&set->set, value));
		found |= is && is_meant(&set->set, value);
		if (is && value.class == COLUMN_NUMBER)
			wanted_sum += value.key;
	}
	assert_true(sum == wanted_sum);
	if (found)
		assert_true(slices_may_match(&world->slices, &set->set, block));
}

static void check_all(struct world *world)
{
	static struct random_set set;
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		check_value(world, slot);
	for (unsigned i = 0; i < SETS; i++) {
		world->slices.lanes = lanes_at((unsigned)seed_below(3));
		if (world->slices.lanes == NULL)
			world->slices.lanes = lanes_best();
		random_set(world, &set);
		uint32_t block = (uint32_t)seed_below(BLOCKS);
		uint32_t left  = (block < COLUMN_RUN_BLOCKS ? COLUMN_RUN_BLOCKS : BLOCKS) - block;
		check_run(world, &set, block, 1 + (uint32_t)seed_below(left < 4 ? left : 4));
	}
	uint32_t counted = 0;
	for (uint32_t i = 0; i < COLUMN_CLASS_COUNT; i++)
		counted += world->slices.chunks[0].classes[i] + world->slices.chunks[1].classes[i];
	assert_int_equal(counted, SLOTS);
}

static void what_is_set_one_by_one_is_found_by_any_set_of_values(void **state)
{
	(void)state;
	static struct world world;
	for (unsigned round = 0; round < ROUNDS; round++) {
		begin(&world);
		set_some(&world);
		check_all(&world);
		slices_done(&world.slices);
		assert_int_equal(world.slices.bytes, 0);
	}
}

static void what_is_filled_at_once_can_be_changed_and_is_found(void **state)
{
	(void)state;
	static struct world world;
	for (unsigned round = 0; round < ROUNDS; round++) {
		begin(&world);
		fill_all(&world);
		if (seed_below(2) == 0)
			set_some(&world);
		check_all(&world);
		slices_done(&world.slices);
	}
}

static void few_different_values_take_few_slices(void **state)
{
	(void)state;
	static struct world world;
	memset(&world, 0, sizeof world);
	slices_init(&world.slices, NULL);
	for (uint32_t i = 0; i < SLOTS; i++)
		world.values[i] = (struct slices_value){COLUMN_NUMBER, slices_double_key(1 + i % 100)};
	slices_fill(&world.slices, 0, world.values, COLUMN_RUN_BLOCKS);
	assert_true(world.slices.chunks[0].width <= 10);
	for (uint32_t i = 0; i < SLOTS; i++)
		world.values[i] = (struct slices_value){COLUMN_CODE, i % 14};
	slices_fill(&world.slices, 0, world.values, COLUMN_RUN_BLOCKS);
	assert_int_equal(world.slices.chunks[0].width, 4);
	slices_done(&world.slices);
}

static void nobody_with_a_value_takes_no_slice(void **state)
{
	(void)state;
	struct slices slices;
	slices_init(&slices, NULL);
	slices_reserve(&slices, 5);
	assert_int_equal(slices.chunks[0].width, 0);
	assert_int_equal(slices_get(&slices, 700).class, COLUMN_MISSING);
	assert_int_equal(slices_get(&slices, 70000).class, COLUMN_MISSING);
	slices_done(&slices);
}

static void keys_of_doubles_are_in_their_order(void **state)
{
	(void)state;
	const double numbers[] = {-1.7e308, -5, -4.999, -1e-300, 0, 1e-300, 1, 1.5, 2, 1e15, 1.7e308};
	for (size_t i = 0; i + 1 < sizeof numbers / sizeof numbers[0]; i++) {
		assert_true(slices_double_key(numbers[i]) < slices_double_key(numbers[i + 1]));
		assert_true(slices_key_double(slices_double_key(numbers[i])) == numbers[i]);
	}
	assert_true(slices_double_key(-0.0) == slices_double_key(0.0));
	assert_true(slices_double_key(1.7976931348623157e308) <= SLICES_KEY_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_set_one_by_one_is_found_by_any_set_of_values),
		cmocka_unit_test(what_is_filled_at_once_can_be_changed_and_is_found),
		cmocka_unit_test(few_different_values_take_few_slices),
		cmocka_unit_test(nobody_with_a_value_takes_no_slice),
		cmocka_unit_test(keys_of_doubles_are_in_their_order),
	};
	seed_begin("slices");
	return cmocka_run_group_tests_name("slices", tests, NULL, NULL);
}
