#ifndef SONNIM_QUERY_TREE_H
#define SONNIM_QUERY_TREE_H

/* The sets of a question as one forest over shared atoms, and its evaluation for the persons of a
 * block at once, in three values.
 *
 *   root 0   and                  root 1   atom 2
 *         ┌───┼─────┐
 *      atom 0 or  atom 1          atom: a leaf, a trait or a segment; what two sets ask alike
 *           ┌─┴──┐                is asked once
 *        atom 2  not ── atom 3
 *
 * tree_look() asks all that can be answered at once, of a run of blocks. tree_known() says what
 * follows from the answers that are there. tree_settle() asks for what is missing. Both ask the
 * first operand about everybody wanted, the next one about those whom the ones before leave open.
 * Operands stand in the order in which they are to be asked: tree_order().
 *
 * Never changed once it is ordered; any thread. */

#include "engine/catalog/catalog.h"
#include "query/mask.h"
#include "query/member_list.h"

struct tree_atom {
	enum plan_node_kind kind;       /* LEAF, TRAIT, SEGMENT */
	const struct plan  *plan;       /* of LEAF and TRAIT */
	uint32_t            index;      /* there; of SEGMENT its number */
	const struct expr  *expr;       /* what was written; NULL: nothing */
	struct tree_node   *definition; /* of a segment that is not asked by its members; NULL */
	bool                shared;     /* it stands in more than one place */

	const struct member_list *list; /* instead of a segment; NULL */
};

struct tree_node {
	enum plan_node_kind kind;
	uint32_t            atom;
	uint32_t            count;
	struct tree_node  **operands;
	double              cost;  /* of asking a person, and the share of persons that it holds for: */
	double              share; /* estimates, once ordered */
};

struct tree {
	struct arena arena;
	VECTOR(struct tree_atom) atoms;
	VECTOR(struct tree_node *) roots;
	VECTOR(struct plan *) plans; /* references */
};

void tree_init(struct tree *tree);
void tree_done(struct tree *tree);

enum { TREE_LEVELS_MAX = 100 }; /* of segments that are derived from segments */

/* Adds a root for a rule of a plan, of which a reference is kept. With `catalog` segments have the
 * trees of their live rules there as definitions, down to the last. STATUS_CONFLICT: one is not
 * live; STATUS_UNSUPPORTED: there are too many levels. */
MUST_USE enum status tree_add_rule(struct tree *tree, struct plan *plan, uint32_t rule,
                                   const struct catalog *catalog);

/* Adds a root that is one segment. */
void tree_add_segment(struct tree *tree, uint32_t segment);

/* Adds a root that is a list, which outlives the tree. */
void tree_add_list(struct tree *tree, const struct member_list *list);

/* Puts operands into order: those come first that cost little for each person whom they settle,
 * from what an atom costs a person and the share of persons (0 to 1) that it holds for. */
struct tree_estimate {
	double cost;
	double share;
};
typedef struct tree_estimate tree_estimate_fn(void *context, uint32_t atom);
void tree_order(struct tree *tree, tree_estimate_fn *estimate, void *context);

/* For whom of the wanted ones the node holds, and for whom that stays open; both lie apart. `look`
 * answers an atom as far as it can, of some of the wanted ones, maybe again and again. At most
 * RUN_BLOCKS at once; `ret_holds` and `ret_open` are others than `wanted`. */
typedef void tree_look_fn(void *context, uint32_t atom, uint32_t count, const struct mask *wanted,
                          struct mask *ret_holds, struct mask *ret_open);
struct tree_look {
	tree_look_fn *look;
	void         *context;
	uint32_t      count; /* of blocks */
};
void tree_look(const struct tree_look *look, const struct tree_node *node,
               const struct mask *wanted, struct mask *ret_holds, struct mask *ret_open);

/* What follows from the verdicts of the atoms. */
struct verdict tree_known(const struct tree_node *node, const struct verdict *atoms);

/* Whether the node holds for the wanted ones. `ask` answers an atom for some of the wanted ones,
 * whom `atoms` leaves open, as far as it can: of nobody else. The answers are added to `atoms`. */
typedef struct verdict tree_ask_fn(void *context, uint32_t atom, const struct mask *wanted);
struct verdict         tree_settle(const struct tree_node *node, struct verdict *atoms,
                                   const struct mask *wanted, tree_ask_fn *ask, void *context);

#endif
