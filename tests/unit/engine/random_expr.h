#ifndef SONNIM_TESTS_ENGINE_RANDOM_EXPR_H
#define SONNIM_TESTS_ENGINE_RANDOM_EXPR_H

/* Random definitions over the events that random_properties() makes: every kind of leaf, every
 * aggregate with every operator that it takes. Windows are of minutes or of days. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct random_scale {
	int64_t     unit_ms;
	const char *unit; /* of durations */
	int64_t     windows[4];
	int64_t     between_from_ms, between_to_ms;
	int64_t     retention_ms;
};

/* The numbers of this file's own: to be given once, before anything else. */
void random_begin(uint64_t seed);

/* References to segments are below `below`. */
void random_expr(struct buffer *out, const struct random_scale *scale, uint32_t below,
                 unsigned depth);
void random_properties(struct buffer *out, const struct random_scale *scale, int64_t now_ms);

#endif
