#ifndef SONNIM_ENGINE_EXPLAIN_H
#define SONNIM_ENGINE_EXPLAIN_H

/* Why a person is, or is not, a member of a live segment: the rule's tree, node by node, with what
 * each one is now and when time alone flips it next.
 *
 *            and  flips when the first of its operands makes it
 *     ┌───────┴───────┐
 *   event           segment     value, whether it holds, the next flip:
 *   3 of ≥ 3           │          an expiry, or an event that was accepted before its time
 *   until 00:10     its tree    of the referred-to segment's live rule
 *
 * It asks what the engine asks (leaf_look_events(), trait_holds()), at instants of the future too:
 * what is said about time is what will be, if nothing else happens. Each node's flips are kept as a
 * timeline; that of `and`, `or`, `not` is merged from those of the operands.
 *
 * To be called within engine_read.run, on the partition's thread. Cost: a reading of the person's
 * events a leaf and flip, at most EXPLAIN_LOOKS_MAX of them; what lies behind is not looked at, and
 * `exact` says so. */

#include <stdbool.h>
#include <stdint.h>

#include "base/vector.h"
#include "engine/apply/leaf.h"
#include "engine/leaf_value.h"
#include "engine/view.h"
#include "model/expr.h"

enum {
	EXPLAIN_LOOKS_MAX = 2048,
	EXPLAIN_NODES_MAX = 4096, /* referred-to segments beyond are not entered */
	EXPLAIN_FLIPS_MAX = 16,   /* of a node's timeline */
};

/* When a node's answer changes by time alone. */
struct explain_flip {
	int64_t    at_ms;  /* INSTANT_MS_NEVER: it does not */
	bool       exact;  /* false: not before that instant; how it goes on was not looked at */
	enum cause cause;  /* CAUSE_EXPIRY, or CAUSE_EVENT: an event of the future begins then */
	bool       begins; /* the event begins to count, else it ceases to */
	/* Of event leaves: the event that begins or ceases to count; empty texts: none. */
	struct text event;
	struct text message_id;
	int64_t     event_ms;
};

struct explain_node {
	const struct expr   *expr; /* canonical; lives until explain_done() */
	bool                 holds;
	struct explain_flip  flip;
	struct leaf_value    leaf;  /* of event and sequence leaves */
	struct value         trait; /* of trait leaves: what it is now */
	unsigned             count;
	struct explain_node *operands; /* of segment leaves: one, the other's tree; none beyond the
	                                * limit */
};

struct explanation {
	bool                found; /* the person exists */
	bool                live;  /* the segment has a live rule; what follows holds only then */
	uint32_t            version;
	bool                member;
	int64_t             entered_ms; /* of a member */
	struct explain_node root;

	VECTOR(struct plan *) plans; /* that `expr` of nodes lie in */
};

/* Fills a zeroed explanation; nodes and texts come from `arena`. */
void explain_person(struct view *view, uint32_t slot, uint32_t segment, struct arena *arena,
                    struct explanation *explanation);
void explain_done(struct explanation *explanation);

/* How many more events, at once and now, would flip an event leaf that counts: false when it counts
 * nothing, or no number of them up to EXPLAIN_MORE_MAX does. */
enum { EXPLAIN_MORE_MAX = 100000 };
bool explain_more_events(const struct explain_node *node, uint64_t *ret_count);

#endif
