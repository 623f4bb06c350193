#ifndef SONNIM_QUERY_ASKER_H
#define SONNIM_QUERY_ASKER_H

/* The atoms of a tree in one partition: where each is answered, and how dear that is.
 *
 *   way        of what                                   when
 *   column     traits, aggregates that are kept          at the instant alone (columns.h)
 *   segment    the rule's bitmap, or that of a list      at the instant and later
 *   scan       event leaves, from stored events          later (leaf_scan.h)
 *   person     traits; event leaves that live segments   later
 *              keep up, where that is cheaper
 *
 * Later means: of persons who have not changed since the instant, so that what is found of them is
 * what was so (engine/survey.h). A column leaves some open: they are asked another way.
 *
 * A past instant is asked of stored events alone, as far as they were there then; segments have
 * definitions in such a tree.
 *
 * Thread: the partition's. */

#include "query/columns.h"
#include "query/lanes.h"
#include "query/query.h"
#include "query/tree.h"

struct leaf_scan;
struct run;
struct step_scan;

struct asker_atom {
	enum query_way      way;
	uint32_t            known;  /* of the catalog: the leaf, the segment's rule; RULE_NONE */
	uint32_t            column; /* of those with a test, the how maniest */
	struct column_test *test;   /* NULL: none */
	struct leaf_scan   *scan;   /* NULL: not needed yet */
	struct step_scan   *steps;  /* of a sequence; NULL: not needed yet */
	double              rows;   /* that a scan would look at a person */
	bool                asked;  /* in the run at hand */
	uint64_t            persons;
	uint64_t            passed;
	int64_t             took_ns;
};

struct asker_config {
	struct partition  *partition;
	struct columns    *columns; /* NULL: none are to be asked */
	const struct tree *tree;
	int64_t            as_of_ms;
	bool               past;
};

struct asker {
	struct asker_config config;
	struct arena        arena;
	struct asker_atom  *atoms;
	uint32_t            column_count;
	bool                leaves_open; /* some atom at the instant */
	struct verdict     *verdicts;    /* of the block at hand */
	const struct mask  *expected;    /* in order, from this block on; NULL: nobody */
	uint32_t            expected_count;
	uint32_t            first_slot;
	struct run         *runs; /* by atom; NULL: nothing was looked at */
	const struct lanes *lanes;
};

/* In the read. False: a segment that a set refers to is not live. */
bool asker_init(struct asker *asker, const struct asker_config *config);
void asker_done(struct asker *asker);

/* For tree_order(); context: the asker. */
tree_estimate_fn asker_estimate;

/* At the instant: to the run from this block on. */
void asker_turn_to_run(struct asker *asker, uint32_t block);

/* For whom of the wanted ones of its first `count` blocks the root holds, and for whom columns and
 * segments leave that open. */
void asker_look(struct asker *asker, size_t root, uint32_t count, const struct mask *wanted,
                struct mask *ret_holds, struct mask *ret_open);

/* What columns have said of a block of the run, column_count verdicts. */
void asker_keep(const struct asker *asker, uint32_t block, struct verdict *into);

/* Later: to the block from this slot on. `kept` is what asker_keep() gave of it; NULL: nothing is
 * known. */
void asker_turn_to(struct asker *asker, uint32_t first_slot, const struct verdict *kept);

/* Later: for whom of the wanted ones, who have not changed, the root holds. */
struct mask asker_settle(struct asker *asker, size_t root, const struct mask *wanted);

/* Stored events looked at. */
uint64_t asker_rows(const struct asker *asker, uint32_t atom);

#endif
