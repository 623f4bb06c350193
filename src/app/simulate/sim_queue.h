#ifndef SONNIM_APP_SIMULATE_SIM_QUEUE_H
#define SONNIM_APP_SIMULATE_SIM_QUEUE_H

/* What happens next, by instant; of one instant what was added first. A heap with four children a
 * node (fewer levels, and the children lie side by side). One owner. */

#include <stdbool.h>
#include <stdint.h>

#include "base/vector.h"

struct sim_entry {
	int64_t  at_ms;
	uint64_t order; /* given by sim_queue_add() */
	void    *what;  /* the caller's; never NULL */
};

struct sim_queue {
	uint64_t added_count;
	VECTOR(struct sim_entry) heap;
};

void             sim_queue_add(struct sim_queue *queue, int64_t at_ms, void *what);
struct sim_entry sim_queue_take(struct sim_queue *queue); /* not empty: asserted */
void             sim_queue_done(struct sim_queue *queue); /* frees no `what` */

#endif
