#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "../seed.h"
#include "query/sample.h"

enum { SLOTS = 10000, WORDS = (SLOTS + 63) / 64 };

static bool has(const uint64_t *bits, uint32_t slot) { return bits[slot / 64] >> slot % 64 & 1; }

static uint64_t fill(uint64_t *bits, unsigned per_mille)
{
	uint64_t count = 0;
	memset(bits, 0, WORDS * sizeof *bits);
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		if (seed_next() % 1000 < per_mille) {
			bits[slot / 64] |= UINT64_C(1) << slot % 64;
			count++;
		}
	return count;
}

static void a_sample_holds_different_members(void **state)
{
	(void)state;
	static const unsigned shares[] = {0, 1, 5, 14, 17, 100, 500, 1000};
	for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
		uint64_t            bits[WORDS], count = fill(bits, shares[i]);
		struct query_sample sample = {0};
		sample_draw(&sample, 100, 3, bits, SLOTS, count);
		assert_int_equal(sample.count, count < 100 ? count : 100);
		for (uint32_t k = 0; k < sample.count; k++) {
			assert_int_equal(sample.persons[k].person.partition, 3);
			assert_true(has(bits, sample.persons[k].person.slot));
			assert_true(k == 0 || sample.persons[k - 1].order < sample.persons[k].order);
		}
	}
}

/* Of a dense set by walking the ranks, of a thin one by asking each member for his. */
static void both_ways_draw_the_same_order(void **state)
{
	(void)state;
	uint64_t            all[WORDS], one[WORDS];
	uint64_t            count = fill(all, 1000);
	struct query_sample dense = {0};
	sample_draw(&dense, 100, 7, all, SLOTS, count);
	for (uint32_t k = 0; k < dense.count; k++) {
		struct query_sample thin = {0};
		uint32_t            slot = dense.persons[k].person.slot;
		memset(one, 0, sizeof one);
		one[slot / 64] = UINT64_C(1) << slot % 64;
		sample_draw(&thin, 100, 7, one, SLOTS, 1);
		assert_int_equal(thin.count, 1);
		assert_true(thin.persons[0].order == dense.persons[k].order);
	}
}

/* Of 40 sets of half of the persons, each drawn 100 of: some 4,000 draws over ten parts of the
 * slots, 400 a part, of which the deviation is about 19. */
static void a_sample_is_even(void **state)
{
	(void)state;
	unsigned parts[10] = {0};
	for (uint32_t partition = 0; partition < 40; partition++) {
		uint64_t            bits[WORDS], count = fill(bits, 500);
		struct query_sample sample = {0};
		sample_draw(&sample, 100, partition, bits, SLOTS, count);
		for (uint32_t k = 0; k < sample.count; k++)
			parts[sample.persons[k].person.slot / (SLOTS / 10)]++;
	}
	for (unsigned i = 0; i < 10; i++)
		assert_in_range(parts[i], 400 - 140, 400 + 140);
}

static void samples_of_partitions_merge_into_the_least(void **state)
{
	(void)state;
	struct query_sample parts[3] = {0}, whole = {0};
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t bits[WORDS], count = fill(bits, 300);
		sample_draw(&parts[i], 100, i, bits, SLOTS, count);
		sample_merge(&whole, &parts[i], 100);
	}
	assert_int_equal(whole.count, 100);
	unsigned before = 0;
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t k = 0; k < parts[i].count; k++)
			before += parts[i].persons[k].order <= whole.persons[99].order;
	assert_int_equal(before, 100);
	assert_true(whole.persons[0].order < whole.persons[99].order);
}

int main(void)
{
	seed_begin("sample");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sample_holds_different_members),
		cmocka_unit_test(both_ways_draw_the_same_order),
		cmocka_unit_test(a_sample_is_even),
		cmocka_unit_test(samples_of_partitions_merge_into_the_least),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
