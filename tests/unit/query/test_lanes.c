/* Every set of kernels that this processor can run against plain loops over the codes. */

#include "query/lanes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "../seed.h"

enum { BLOCKS = 3, ROUNDS = 400, SLOTS = BLOCKS * LANES_BITS, WORDS = BLOCKS * LANES_WORDS };

struct sample {
	unsigned width;
	uint64_t codes[SLOTS];
	_Alignas(64) uint64_t slices[WORDS * LANES_WIDTH_MAX];
	uint64_t among[WORDS];
};

static uint64_t code_max(unsigned width)
{
	return width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
}

/* Often few different ones, so that many are equal to an end. */
static uint64_t random_code(unsigned width)
{
	uint64_t code = seed_next() & code_max(width);
	return seed_below(2) == 0 ? code : code & (code_max(width) << (width - 1 - width / 8));
}

static bool random_bit(unsigned density)
{
	return density > 2 || (density > 0 && seed_below(density == 1 ? 700 : 2) == 0);
}

static void make_sample(struct sample *sample)
{
	memset(sample, 0, sizeof *sample);
	sample->width    = 1 + (unsigned)seed_below(LANES_WIDTH_MAX);
	unsigned density = (unsigned)seed_below(4);
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		uint64_t  code  = random_code(sample->width);
		uint64_t *block = sample->slices + slot / LANES_BITS * LANES_WORDS * sample->width;
		for (unsigned i = 0; i < sample->width; i++)
			block[i * LANES_WORDS + slot % LANES_BITS / 64] |= (code >> i & 1) << slot % 64;
		sample->codes[slot] = code;
		sample->among[slot / 64] |= (uint64_t)random_bit(density) << slot % 64;
	}
}

static void check_within(const struct lanes *lanes, const struct sample *sample)
{
	const struct lanes_blocks blocks = {sample->slices, sample->width, BLOCKS};
	uint64_t                  a      = seed_below(3) == 0 ? 0 : random_code(sample->width);
	uint64_t b = seed_below(3) == 0 ? code_max(sample->width) : random_code(sample->width);
	if (seed_below(3) == 0)
		a = b = sample->codes[seed_below(SLOTS)];
	uint64_t low = a < b ? a : b, high = a < b ? b : a;
	uint64_t holds[WORDS], wanted[WORDS];
	for (unsigned i = 0; i < WORDS; i++)
		holds[i] = wanted[i] = seed_below(2) == 0 ? 0 : seed_next() & seed_next();
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		if (sample->codes[slot] >= low && sample->codes[slot] <= high)
			wanted[slot / 64] |= sample->among[slot / 64] & UINT64_C(1) << slot % 64;
	lanes->within(&blocks, low, high, sample->among, holds);
	if (memcmp(holds, wanted, sizeof holds) != 0)
		fail_msg("%s, width %u, [%#llx, %#llx]", lanes->name, sample->width,
		         (unsigned long long)low, (unsigned long long)high);
}

static void check_weigh(const struct lanes *lanes, const struct sample *sample)
{
	const struct lanes_blocks blocks                  = {sample->slices, sample->width, BLOCKS};
	uint64_t                  totals[LANES_WIDTH_MAX] = {[0] = 7};
	uint64_t                  wanted[LANES_WIDTH_MAX] = {[0] = 7};
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		for (unsigned i = 0; i < sample->width; i++)
			wanted[i] += sample->among[slot / 64] >> slot % 64 & sample->codes[slot] >> i & 1;
	uint64_t having = 0;
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		having += (sample->among[slot / 64] >> slot % 64 & 1) != 0 && sample->codes[slot] != 0;
	if (lanes->weigh(&blocks, sample->among, totals) != having)
		fail_msg("%s, width %u: another number of those who have any", lanes->name, sample->width);
	if (memcmp(totals, wanted, sizeof totals) != 0)
		fail_msg("%s, width %u: other totals", lanes->name, sample->width);
}

static void every_set_finds_who_is_within_an_interval(void **state)
{
	(void)state;
	static struct sample sample;
	for (unsigned round = 0; round < ROUNDS; round++) {
		make_sample(&sample);
		for (unsigned i = 0; lanes_at(i) != NULL; i++)
			for (unsigned j = 0; j < 4; j++)
				check_within(lanes_at(i), &sample);
	}
}

static void every_set_counts_the_bits_of_each_slice(void **state)
{
	(void)state;
	static struct sample sample;
	for (unsigned round = 0; round < ROUNDS; round++) {
		make_sample(&sample);
		for (unsigned i = 0; lanes_at(i) != NULL; i++)
			check_weigh(lanes_at(i), &sample);
	}
}

static void every_set_counts_bits(void **state)
{
	(void)state;
	static struct sample sample;
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t   count = seed_below(WORDS + 1);
		uint64_t set   = 0;
		make_sample(&sample);
		for (uint32_t slot = 0; slot < count * 64; slot++)
			set += sample.among[slot / 64] >> slot % 64 & 1;
		for (unsigned i = 0; lanes_at(i) != NULL; i++)
			assert_int_equal(lanes_at(i)->count(sample.among, count), set);
	}
}

static void plain_c_is_always_there_and_the_best_is_the_last(void **state)
{
	(void)state;
	unsigned count = 0;
	while (lanes_at(count) != NULL)
		count++;
	assert_string_equal(lanes_at(0)->name, "plain");
	assert_ptr_equal(lanes_best(), lanes_at(count - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_set_finds_who_is_within_an_interval),
		cmocka_unit_test(every_set_counts_the_bits_of_each_slice),
		cmocka_unit_test(every_set_counts_bits),
		cmocka_unit_test(plain_c_is_always_there_and_the_best_is_the_last),
	};
	seed_begin("lanes");
	return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
