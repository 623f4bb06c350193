#include "query/sample.h"

#include "base/hash.h"

enum { ROUNDS = 3, SPARSE = 64 };

static const uint64_t factors[ROUNDS] = {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xbf58476d1ce4e5b9),
                                         UINT64_C(0x94d049bb133111eb)};

/* A permutation of the numbers below 2^bits. */
struct ranks {
	unsigned bits;
	uint64_t mask;
	uint64_t seed;
	uint64_t inverses[ROUNDS]; /* of the factors, modulo 2^64 */
};

/* Newton's iteration: each step doubles the bits that are right, of which any odd number has 3. */
static uint64_t inverse_of(uint64_t factor)
{
	uint64_t inverse = factor;
	for (unsigned right = 3; right < 64; right *= 2)
		inverse *= 2 - factor * inverse;
	return inverse;
}

static struct ranks ranks_of(uint32_t partition, uint32_t slot_end)
{
	struct ranks ranks = {.bits = 6};
	while (ranks.bits < 32 && (UINT64_C(1) << ranks.bits) < slot_end)
		ranks.bits++;
	ranks.mask = (UINT64_C(1) << ranks.bits) - 1;
	ranks.seed = hash_bytes(&partition, sizeof partition) & ranks.mask;
	for (unsigned i = 0; i < ROUNDS; i++)
		ranks.inverses[i] = inverse_of(factors[i]);
	return ranks;
}

/* Shifted by at least half of the bits, so that the same again takes it back. */
static uint64_t fold(const struct ranks *ranks, uint64_t number)
{
	return number ^ number >> (ranks->bits + 1) / 2;
}

static uint64_t rank_of(const struct ranks *ranks, uint32_t slot)
{
	uint64_t number = slot ^ ranks->seed;
	for (unsigned i = 0; i < ROUNDS; i++)
		number = fold(ranks, number * factors[i] & ranks->mask);
	return number;
}

static uint64_t slot_at(const struct ranks *ranks, uint64_t rank)
{
	for (unsigned i = ROUNDS; i-- > 0;)
		rank = fold(ranks, rank) * ranks->inverses[i] & ranks->mask;
	return rank ^ ranks->seed;
}

static void insert(struct query_sample *sample, uint32_t limit, struct query_person person)
{
	uint32_t at = sample->count;
	while (at > 0 && sample->persons[at - 1].order > person.order)
		at--;
	if (at >= limit)
		return;
	if (sample->count < limit)
		sample->count++;
	for (uint32_t i = sample->count - 1; i > at; i--)
		sample->persons[i] = sample->persons[i - 1];
	sample->persons[at] = person;
}

static struct query_person person_at(const struct ranks *ranks, uint32_t partition, uint32_t slot,
                                     uint64_t rank)
{
	struct person person = {partition, slot};
	uint64_t      rest   = hash_bytes(&person, sizeof person) >> ranks->bits;
	return (struct query_person){person, rank << (64 - ranks->bits) | rest};
}

void sample_draw(struct query_sample *sample, uint32_t limit, uint32_t partition,
                 const uint64_t *bits, uint32_t slot_end, uint64_t count)
{
	const struct ranks ranks = ranks_of(partition, slot_end);
	const bool         dense = count * SPARSE >= slot_end;
	if (count < limit)
		limit = (uint32_t)count;
	if (limit == 0)
		return;
	if (dense) {
		for (uint64_t rank = 0; sample->count < limit; rank++) {
			uint64_t slot = slot_at(&ranks, rank);
			if (slot < slot_end && (bits[slot / 64] >> slot % 64 & 1) != 0)
				insert(sample, limit, person_at(&ranks, partition, (uint32_t)slot, rank));
		}
		return;
	}
	for (uint32_t word = 0; word * 64 < slot_end; word++)
		for (uint64_t left = bits[word]; left != 0; left &= left - 1) {
			uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(left);
			insert(sample, limit, person_at(&ranks, partition, slot, rank_of(&ranks, slot)));
		}
}

void sample_merge(struct query_sample *into, const struct query_sample *from, uint32_t limit)
{
	for (uint32_t i = 0; i < from->count; i++)
		insert(into, limit, from->persons[i]);
}
