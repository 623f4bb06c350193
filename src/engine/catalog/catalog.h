#ifndef SONNIM_ENGINE_CATALOG_H
#define SONNIM_ENGINE_CATALOG_H

/* The definitions of one partition, live and being built, joined so that what an event touches is
 * found without walking all of them:
 *
 *   event name ──► features ──► leaves ──► rules ──► rules derived from them
 *   trait name ──► trait leaves ─────────►
 *
 * Features and leaves with equal keys are shared by all rules. Indices grow and are never used
 * again; what no rule needs any more is dead: out of the ways in, its memory freed with the
 * catalog. Owner: the partition; its thread only. */

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/vector.h"
#include "engine/apply/exceptions.h"
#include "engine/catalog/filter_index.h"
#include "engine/apply/gauge.h"
#include "engine/apply/ladder.h"
#include "engine/catalog/plan.h"

enum { BUILT_ALL = UINT32_MAX, RULE_NONE = UINT32_MAX };

/* What an event meets of a feature comes first, in one cache line. */
struct feature {
	_Alignas(64) struct ladder ladder; /* of the leaves that fit */
	struct gauge              *gauge;  /* of those that sum; NULL: none */
	index_list                 others; /* those that fit neither */
	uint32_t                   built;  /* kept up for slots below it; BUILT_ALL */
	uint8_t                    cap;    /* as in the plan */
	bool                       times;  /* its series holds nothing but times */
	bool                       sequence;
	bool                       dead;
	const struct plan_feature *plan;
	struct plan               *owner;
	index_list                 leaves;
	struct span                kept; /* what all of its leaves together look at */
};

enum { LEAF_BITS = 31 };

struct leaf {
	const struct plan_leaf *plan;
	struct plan            *owner;
	uint32_t                feature;
	uint32_t                bit; /* of person_feature.truths; LEAF_BITS: none */
	index_list              rules;
	bool                    dead;
};

struct trait_leaf {
	const struct plan_trait *plan;
	struct plan             *owner;
	index_list               rules;
	bool                     dead;
};

/* The leaves and traits of a plan, by their index there, in this catalog; shared by its rules. */
struct binding {
	struct binding *next;
	uint32_t       *leaves;
	uint32_t       *traits;
};

enum rule_state { RULE_PREPARED, RULE_LIVE, RULE_RETIRED };

/* A rule that is one leaf, or the contrary of one, is known when the leaf is. */
enum rule_form { RULE_TREE, RULE_LEAF, RULE_NOT_LEAF };

/* What a flip meets of a rule comes first, in one cache line. */
struct rule {
	_Alignas(64) uint32_t segment;
	uint32_t          level; /* 0, or one above the highest rule that it refers to */
	uint32_t          built; /* kept up for slots below it; BUILT_ALL */
	uint32_t          mark;  /* the step that has it among its candidates */
	uint32_t          mark_at;
	uint8_t           state;    /* enum rule_state */
	uint8_t           form;     /* enum rule_form */
	bool              holds[2]; /* for a person without events: anonymous, identified */
	bool              has_derived;
	struct exceptions exceptions;        /* slots whose membership differs from `holds` */
	int64_t           exception_balance; /* members among them − non-members */

	const struct plan_rule *plan;
	struct plan            *owner;
	int64_t                 since_ms[2]; /* from when on, for those that it holds for by default */
	const struct binding   *binding;     /* what its nodes' indices mean in this catalog */
	uint32_t               *segments;    /* rules, in the order of plan->segments */
	index_list              derived;     /* rules that refer to this one */
	/* Of a rule that holds for some without events: slots of whom something was ever recorded,
	 * exceptions or not, so that a switch need not ask everybody. NULL: none. */
	roaring_bitmap_t *recorded;
};

struct catalog {
	VECTOR(struct feature) features;
	VECTOR(struct leaf) leaves;
	VECTOR(struct trait_leaf) traits;
	VECTOR(struct rule) rules;
	struct map_text     feature_keys; /* index + 1 */
	struct map_text     leaf_keys;
	struct map_text     trait_keys;
	struct map_text     by_event; /* struct filter_index *: features of that name */
	struct filter_index any_event;
	struct map_u64      by_trait; /* hash of a trait's name → index + 1 into trait_lists */
	VECTOR(index_list) trait_lists;
	index_list relative_traits;    /* those that change by time alone */
	VECTOR(uint32_t) live;         /* by segment number: rule, RULE_NONE */
	index_list      live_defaults; /* live rules that hold for some without events */
	struct binding *bindings;
	uint32_t        level_max;
	uint64_t        bytes;
};

void catalog_init(struct catalog *catalog);
void catalog_done(struct catalog *catalog);

/* The live rule of a segment, RULE_NONE when there is none. */
uint32_t catalog_live(const struct catalog *catalog, uint32_t segment);
void     catalog_set_live(struct catalog *catalog, uint32_t segment, uint32_t rule);

/* What a plan adds: new rules and features; features that were there and look back further now, so
 * that what is kept of them must be built anew; and all features that have a new leaf. */
struct catalog_news {
	index_list rules;
	index_list features;
	index_list deepened;
	index_list extended;
};
void catalog_news_done(struct catalog_news *news);

/* Adds the rules of a plan in state PREPARED, built for no slot yet; what is new is added to
 * `*news`. A segment leaf is bound to the rule of the same plan, else to
 * the live one (asserted to exist: who prepares checks it). */
void catalog_add(struct catalog *catalog, struct plan *plan, struct catalog_news *news);

/* Takes a rule out; features that then serve nobody are marked dead and added to `*dead`. */
void catalog_retire(struct catalog *catalog, uint32_t rule, index_list *dead);

/* Adds the features that an event with this name and these properties may match; one of a sequence
 * perhaps several times. */
void catalog_find(const struct catalog *catalog, struct text event, struct text properties,
                  found_list *features);

/* Trait leaves that look at a trait of this name. */
const index_list *catalog_traits(const struct catalog *catalog, uint32_t name_hash);

#endif
