#ifndef SONNIM_BENCH_ENGINE_MIX_H
#define SONNIM_BENCH_ENGINE_MIX_H

/* What engine_bench defines and feeds: segments and events, by number, the same in every run.
 *
 *   counts     counts over equality filters: 1 to 4 of them within 1 min to 90 d
 *   mix        40 % of those; 20 % counts over a threshold of the amount, no two alike; 20 % sums
 *              with refunds; 10 % derived; 10 % true without any event
 *   unshared   no two segments look at the same events: each is found by a value of its own, of
 *              which an event bears six
 *
 * Events have 40 names and are spread over the persons so that a tenth of them make a third. */

#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"

enum mix { MIX_COUNTS, MIX_ALL, MIX_UNSHARED, MIX_KIND_COUNT };

extern const char *const mix_names[MIX_KIND_COUNT];

/* The expression, as JSON, of segment `number` (from 1) of `segment_count`. Derived ones refer to
 * segments with lower numbers. */
const char *mix_segment(enum mix mix, uint32_t number, uint32_t segment_count, struct arena *arena);

/* Appends the record of event `number` of one of `persons`, accepted at about `at_ms`. */
void mix_event(enum mix mix, uint64_t number, uint64_t persons, uint32_t segment_count,
               int64_t at_ms, struct buffer *out);

#endif
