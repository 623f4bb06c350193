#ifndef SONNIM_ENGINE_PLAN_H
#define SONNIM_ENGINE_PLAN_H

/* The compiled form of one PREPARE record: what all partitions share of it, never changed.
 *
 *   rule ──► node ──► AND/OR/NOT ──► leaf ───► feature        leaf: an aggregate of a feature over
 *                          │                                        a span, compared with values,
 *                          │                                        or a sequence
 *                          ├───────► trait                    feature: which events, and which of
 *                          └───────► segment (by number)               their properties
 *
 * Equal features and leaves (by their keys, made from the canonical form) are shared within a plan
 * and, by the catalog of each partition, with those of other plans. Reference-counted, any
 * thread. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "engine/catalog/plan_filter.h"
#include "engine/apply/series.h"
#include "model/evaluate.h"
#include "model/expr.h"
#include "model/sequence.h"

/* Which events a leaf looks at, and what of them. Of a sequence those that match one of its steps:
 * `steps` are by what they are found (event and filter), `event` is empty, where and filter are
 * NULL. */
struct plan_feature {
	struct text             key;
	uint64_t                key_hash; /* by which checkpoints name it */
	struct text             event;    /* empty: any */
	struct compiled_where  *where;    /* NULL: all of them */
	struct plan_filter     *filter;   /* of `where`; NULL: none */
	bool                    relative; /* what matters depends on the instant: nothing can be kept,
	                                   * each evaluation reads the person's stored events */
	enum series_kind        kind;
	struct amount_path      property; /* of an aggregate that takes one */
	const struct expr_test *marks;    /* of first and last: the values that are marked */
	unsigned                cap;      /* of the series; SERIES_UNLIMITED */
	const struct sequence  *sequence; /* NULL: it is none */
	unsigned                step_count;
	struct plan_feature    *steps;
};

/* What of a feature is compared with what; of a sequence the feature says all. */
struct plan_leaf {
	struct text         key;
	uint32_t            feature; /* in this plan */
	enum expr_aggregate aggregate;
	struct span         span;
	struct expr_test    test;
	double              value_max; /* of a capped count: above it all counts compare alike */
};

struct plan_trait {
	struct text       key;
	bool              identified; /* the built-in $identified */
	struct value_path path;
	uint32_t          first_hash; /* of the path's first part: the trait that holds it */
	struct expr_test  test;
	bool              relative;
};

enum plan_node_kind { NODE_AND, NODE_OR, NODE_NOT, NODE_LEAF, NODE_TRAIT, NODE_SEGMENT };
struct plan_node {
	enum plan_node_kind kind;
	uint32_t            index; /* LEAF, TRAIT: in this plan; SEGMENT: which of rule.segments */
	uint32_t            count;
	struct plan_node   *children;
};

struct plan_rule {
	uint32_t         segment;
	uint32_t         version;
	struct text      canonical; /* of the definition; NUL-ended */
	struct plan_node root;
	/* What the rule was compiled from, canonical: its tree is the nodes' one by one. */
	const struct expr *expr;
	uint32_t           segment_count; /* segment numbers that it refers to, each once */
	uint32_t          *segments;
	uint32_t           leaf_count; /* leaves of this plan that it uses, each once */
	uint32_t          *leaves;
	uint32_t           trait_count;
	uint32_t          *traits;
};

struct plan {
	uint64_t             id;
	_Atomic uint32_t     references;
	struct arena         arena;
	uint32_t             feature_count;
	struct plan_feature *features;
	uint32_t             leaf_count;
	struct plan_leaf    *leaves;
	uint32_t             trait_count;
	struct plan_trait   *traits;
	uint32_t             rule_count; /* referred-to ones before those that refer to them */
	struct plan_rule    *rules;
};

/* Compiles the body of a PREPARE record; one reference for the caller. STATUS_CORRUPT when it does
 * not read: the API has validated every definition before it came into the journal. */
MUST_USE enum status plan_compile(struct text body, int64_t retention_ms, struct plan **ret_plan,
                                  struct error *err);
struct plan         *plan_ref(struct plan *plan);
void                 plan_unref(struct plan *plan);

#endif
