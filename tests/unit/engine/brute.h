#ifndef SONNIM_TESTS_ENGINE_BRUTE_H
#define SONNIM_TESTS_ENGINE_BRUTE_H

/* What an expression is at an instant, by plain loops over all events that were ever accepted: the
 * meaning of the language as its description has it, without windows, series or timers. Single
 * tests of values are taken from model/evaluate.h. */

#include <stdbool.h>
#include <stdint.h>

#include "base/vector.h"
#include "model/expr.h"

struct brute_event {
	uint32_t    slot;
	int64_t     time_ms;
	struct text name;
	struct text properties; /* a value list */
};

/* All persons' events in order of acceptance, and what is known of the person. */
struct brute {
	VECTOR(struct brute_event) events;
	int64_t             retention_ms;
	struct expr *const *segments; /* by number */
};

bool brute_holds(const struct brute *brute, uint32_t slot, struct text traits,
                 const struct expr *expr, int64_t now_ms);

#endif
