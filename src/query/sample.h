#ifndef SONNIM_QUERY_SAMPLE_H
#define SONNIM_QUERY_SAMPLE_H

/* An even draw from a set of persons, without looking at all of them.
 *
 * Every slot of a partition has a rank: its place in a permutation of the slots, made of odd
 * multiplications and shifts of k bits, which can be taken back. Of a large set the ranks are
 * walked from 0 on until enough slots were hit; of a small one each member's rank is asked. Both
 * find the members of least rank. Over partitions ranks compare as fractions of 2^k. */

#include "query/query.h"

/* Draws from `bits` (bit i: slot i), of which `count` below `slot_end` are set, into an empty
 * sample. Cost: some 64 × limit steps. */
void sample_draw(struct query_sample *sample, uint32_t limit, uint32_t partition,
                 const uint64_t *bits, uint32_t slot_end, uint64_t count);

void sample_merge(struct query_sample *into, const struct query_sample *from, uint32_t limit);

#endif
