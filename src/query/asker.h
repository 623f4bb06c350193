#ifndef SONNIM_QUERY_ASKER_H
#define SONNIM_QUERY_ASKER_H

/* The atoms of a tree in one partition: where each is answered, and how dear that is.
 *
 *   way        what of                          when
 *   segment    the rule's bitmap                later
 *   person     traits; series of a leaf that    later
 *              live segments keep up
 *   scan       stored events                    later
 *
 * "Later" holds for persons who have not changed since the instant: what is found of them then is
 * what was so (engine/survey.h).
 *
 * Thread: the partition's. */

#include "query/query.h"
#include "query/tree.h"

struct asker_atom {
	enum query_way way;
	uint32_t       known; /* of the catalog: the leaf, the segment's rule; RULE_NONE */
	uint64_t       persons;
	uint64_t       rows;
	uint64_t       passed;
	int64_t        took_ns;
};

struct asker {
	struct partition  *partition;
	const struct tree *tree;
	int64_t            as_of_ms;
	struct asker_atom *atoms;
	struct verdict    *verdicts; /* of the block at hand */
	uint32_t           first_slot;
};

/* False: a segment that a set refers to is not live. */
bool asker_init(struct asker *asker, struct partition *partition, const struct tree *tree,
                int64_t as_of_ms);
void asker_done(struct asker *asker);

/* For tree_order(). */
tree_estimate_fn asker_estimate;

/* To another block: the one from this slot on; nothing is known of it. */
void asker_turn_to(struct asker *asker, uint32_t first_slot);

/* For whom of the wanted ones of that block the root holds. */
struct mask asker_settle(struct asker *asker, size_t root, const struct mask *wanted);

#endif
