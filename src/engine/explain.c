#include "engine/explain.h"

#include <assert.h>
#include <string.h>

#include "base/instant.h"
#include "engine/engine_internal.h"
#include "engine/apply/feature.h"
#include "model/personal.h"

/* A node's answer from now on: it is `holds`, flips at each instant, and is not known from
 * `through_ms` on (INSTANT_MS_NEVER: known for ever). */
struct timeline {
	bool     holds;
	unsigned count;
	int64_t  at_ms[EXPLAIN_FLIPS_MAX];
	int64_t  through_ms;
};

struct inquiry {
	struct partition     *partition;
	uint32_t              slot;
	const struct profile *profile;
	int64_t               now_ms;
	struct arena         *arena;
	struct explanation   *explanation;
	unsigned              looks_left;
	unsigned              nodes_left;
};

static void add_flip(struct timeline *timeline, int64_t at_ms)
{
	if (timeline->count < EXPLAIN_FLIPS_MAX)
		timeline->at_ms[timeline->count++] = at_ms;
	else if (at_ms < timeline->through_ms)
		timeline->through_ms = at_ms;
}

static bool holds_at(const struct timeline *timeline, int64_t at_ms)
{
	bool holds = timeline->holds;
	for (unsigned i = 0; i < timeline->count && timeline->at_ms[i] <= at_ms; i++)
		holds = !holds;
	return holds;
}

static int64_t first_after(const struct timeline *timeline, int64_t at_ms)
{
	for (unsigned i = 0; i < timeline->count; i++)
		if (timeline->at_ms[i] > at_ms)
			return timeline->at_ms[i];
	return INSTANT_MS_NEVER;
}

static struct explain_flip flip_of(const struct timeline *timeline)
{
	if (timeline->count > 0)
		return (struct explain_flip){
			.at_ms = timeline->at_ms[0], .exact = true, .cause = CAUSE_EXPIRY};
	return (struct explain_flip){.at_ms = timeline->through_ms,
	                             .exact = timeline->through_ms == INSTANT_MS_NEVER,
	                             .cause = CAUSE_EXPIRY};
}

/* ---- Leaves ---- */

/* A look at a leaf at one instant. */
struct look {
	bool    holds;
	int64_t next_ms;
};

struct leaf_question {
	struct inquiry            *inquiry;
	const struct plan_feature *feature; /* of an event leaf */
	const struct plan_leaf    *leaf;
	const struct trait_leaf   *trait; /* of a trait leaf */
};

static struct look look_at(const struct leaf_question *question, int64_t at_ms)
{
	struct inquiry *inquiry = question->inquiry;
	if (question->trait != NULL) {
		struct text list = profile_traits(inquiry->profile);
		return (struct look){
			trait_holds(question->trait, list, inquiry->profile->identified, at_ms),
			trait_next_ms(question->trait, list, at_ms)};
	}
	struct look look;
	look.holds = leaf_look_events(inquiry->partition, inquiry->slot, question->leaf,
	                              question->feature, at_ms, &look.next_ms);
	return look;
}

static void follow(const struct leaf_question *question, struct look look,
                   struct timeline *timeline)
{
	struct inquiry *inquiry = question->inquiry;
	bool            holds   = look.holds;
	*timeline               = (struct timeline){.holds = holds, .through_ms = INSTANT_MS_NEVER};
	while (look.next_ms < INSTANT_MS_NEVER && timeline->through_ms == INSTANT_MS_NEVER) {
		int64_t at_ms = look.next_ms;
		if (inquiry->looks_left == 0) {
			timeline->through_ms = at_ms;
			return;
		}
		inquiry->looks_left--;
		look = look_at(question, at_ms);
		assert(look.next_ms > at_ms);
		if (look.holds != holds)
			add_flip(timeline, at_ms);
		holds = look.holds;
	}
}

/* The event that the leaf begins, or ceases, to count at the instant of its flip. */
static void find_event(const struct leaf_question *question, struct explain_flip *flip)
{
	struct inquiry           *inquiry = question->inquiry;
	const struct events_query query   = {
		  .name             = question->feature->event,
		  .from_ms          = INT64_MIN,
		  .to_ms            = INT64_MAX,
		  .now_ms           = inquiry->now_ms,
		  .retention_ms     = inquiry->partition->retention_ms,
		  .through_position = inquiry->partition->stored_position,
    };
	const struct span *span = &question->leaf->span;
	event_list         list = {0};
	facts_read(inquiry->partition, inquiry->slot, &query, NULL, &list);
	for (size_t i = 0; i < list.count; i++) {
		const struct event *event  = &list.items[i];
		bool                begins = span_start_ms(span, event->time_ms) == flip->at_ms;
		if ((!begins && span_end_ms(span, event->time_ms) != flip->at_ms) ||
		    !feature_matches(question->feature, &event->record, flip->at_ms - !begins))
			continue;
		flip->cause      = begins && span->until_ms == 0 ? CAUSE_EVENT : CAUSE_EXPIRY;
		flip->begins     = begins;
		flip->event      = arena_text(inquiry->arena, event->record.name);
		flip->message_id = arena_text(inquiry->arena, event->record.message_id);
		flip->event_ms   = event->time_ms;
	}
	event_list_done(&list);
}

static void explain_event(struct inquiry *inquiry, const struct plan *plan, uint32_t index,
                          struct explain_node *node, struct timeline *timeline)
{
	const struct plan_leaf    *leaf     = &plan->leaves[index];
	const struct leaf_question question = {
		.inquiry = inquiry, .feature = &plan->features[leaf->feature], .leaf = leaf};
	node->leaf = leaf_value(inquiry->partition, inquiry->slot, question.feature, leaf,
	                        inquiry->now_ms, inquiry->arena);
	follow(&question, look_at(&question, inquiry->now_ms), timeline);
	node->flip = flip_of(timeline);
	if (timeline->count > 0 && question.feature->sequence == NULL)
		find_event(&question, &node->flip);
}

static void explain_trait(struct inquiry *inquiry, const struct plan_trait *plan,
                          struct explain_node *node, struct timeline *timeline)
{
	const struct trait_leaf    trait    = {.plan = plan};
	const struct leaf_question question = {.inquiry = inquiry, .trait = &trait};
	struct value               value =
		trait_value(&trait, profile_traits(inquiry->profile), inquiry->profile->identified);
	/* What is compared by what is sealed, and parts of a birthday, are found and not told. */
	if (value.type != VALUE_NONE && personal_by_name(PERSONAL_IN_TRAITS, plan->path.name) &&
	    personal_tests(PERSONAL_IN_TRAITS, plan->path.name) != PERSONAL_NO_TESTS)
		value = (struct value){.type = VALUE_PERSONAL};
	node->trait = leaf_value_keep(value, inquiry->arena);
	follow(&question, look_at(&question, inquiry->now_ms), timeline);
	node->flip = flip_of(timeline);
}

/* ---- The tree ---- */

static bool combine(const struct plan_node *node, const struct timeline *timelines, int64_t at_ms)
{
	bool any = false, all = true;
	for (uint32_t i = 0; i < node->count; i++) {
		bool holds = holds_at(&timelines[i], at_ms);
		any |= holds;
		all &= holds;
	}
	return node->kind == NODE_AND ? all : node->kind == NODE_OR ? any : !any;
}

/* What follows from the operands' timelines, at each instant at which one of them flips. */
static void merge(const struct plan_node *node, const struct timeline *timelines, int64_t now_ms,
                  struct timeline *ret_merged)
{
	*ret_merged = (struct timeline){.holds      = combine(node, timelines, now_ms),
	                                .through_ms = INSTANT_MS_NEVER};
	for (uint32_t i = 0; i < node->count; i++)
		if (timelines[i].through_ms < ret_merged->through_ms)
			ret_merged->through_ms = timelines[i].through_ms;

	bool    holds = ret_merged->holds;
	int64_t at_ms = now_ms;
	for (;;) {
		int64_t next_ms = INSTANT_MS_NEVER;
		for (uint32_t i = 0; i < node->count; i++)
			if (first_after(&timelines[i], at_ms) < next_ms)
				next_ms = first_after(&timelines[i], at_ms);
		if (next_ms >= ret_merged->through_ms)
			return;
		at_ms = next_ms;
		if (combine(node, timelines, at_ms) == holds)
			continue;
		holds = !holds;
		add_flip(ret_merged, at_ms);
	}
}

static void explain_node(struct inquiry *inquiry, const struct rule *rule,
                         const struct plan_node *plan, const struct expr *expr,
                         struct explain_node *node, struct timeline *timeline);

static void explain_operands(struct inquiry *inquiry, const struct rule *rule,
                             const struct plan_node *plan, const struct expr *expr,
                             struct explain_node *node, struct timeline *timeline)
{
	struct timeline *timelines = ARENA_ARRAY(inquiry->arena, struct timeline, plan->count);
	node->count                = plan->count;
	node->operands             = ARENA_ARRAY(inquiry->arena, struct explain_node, plan->count);
	for (uint32_t i = 0; i < plan->count; i++)
		explain_node(inquiry, rule, &plan->children[i], expr->operands[i], &node->operands[i],
		             &timelines[i]);
	merge(plan, timelines, inquiry->now_ms, timeline);
	node->flip = flip_of(timeline);
	for (uint32_t i = 0; i < node->count && timeline->count > 0; i++)
		if (node->operands[i].flip.at_ms == node->flip.at_ms)
			node->flip = node->operands[i].flip;
}

/* What a rule's plan is kept for is the expressions that nodes point to. */
static void keep_plan(struct inquiry *inquiry, const struct rule *rule)
{
	VECTOR_ADD(&inquiry->explanation->plans, plan_ref(rule->owner));
}

static void explain_segment(struct inquiry *inquiry, uint32_t index, struct explain_node *node,
                            struct timeline *timeline)
{
	const struct rule *rule = &inquiry->partition->catalog.rules.items[index];
	*timeline =
		(struct timeline){.holds      = rule_is_member(inquiry->partition, inquiry->profile, index),
	                      .through_ms = inquiry->now_ms + 1};
	if (inquiry->nodes_left == 0) {
		node->flip = flip_of(timeline);
		return;
	}
	node->count    = 1;
	node->operands = ARENA_NEW(inquiry->arena, struct explain_node);
	keep_plan(inquiry, rule);
	explain_node(inquiry, rule, &rule->plan->root, rule->plan->expr, node->operands, timeline);
	node->flip = node->operands->flip;
}

static void explain_node(struct inquiry *inquiry, const struct rule *rule,
                         const struct plan_node *plan, const struct expr *expr,
                         struct explain_node *node, struct timeline *timeline)
{
	node->expr = expr;
	inquiry->nodes_left -= inquiry->nodes_left > 0;
	switch (plan->kind) {
	case NODE_AND:
	case NODE_OR:
	case NODE_NOT:
		explain_operands(inquiry, rule, plan, expr, node, timeline);
		break;
	case NODE_LEAF:
		explain_event(inquiry, rule->owner, plan->index, node, timeline);
		break;
	case NODE_TRAIT:
		explain_trait(inquiry, &rule->owner->traits[plan->index], node, timeline);
		break;
	case NODE_SEGMENT:
		explain_segment(inquiry, rule->segments[plan->index], node, timeline);
		break;
	}
	node->holds = timeline->holds;
}

void explain_person(struct view *view, uint32_t slot, uint32_t segment, struct arena *arena,
                    struct explanation *explanation)
{
	struct partition     *partition = view->partition;
	const struct profile *profile   = profiles_find(&partition->profiles, slot);
	uint32_t              index     = catalog_live(&partition->catalog, segment);
	explanation->found              = profile != NULL;
	explanation->live               = index != RULE_NONE;
	if (profile == NULL || index == RULE_NONE)
		return;

	const struct rule *rule    = &partition->catalog.rules.items[index];
	struct inquiry     inquiry = {
			.partition   = partition,
			.slot        = slot,
			.profile     = profile,
			.now_ms      = view->now_ms,
			.arena       = arena,
			.explanation = explanation,
			.looks_left  = EXPLAIN_LOOKS_MAX,
			.nodes_left  = EXPLAIN_NODES_MAX,
    };
	struct timeline timeline;
	explanation->version = rule->plan->version;
	explanation->member  = rule_is_member(partition, profile, index);
	if (explanation->member)
		explanation->entered_ms = rule_since_ms(partition, profile, index);
	keep_plan(&inquiry, rule);
	explain_node(&inquiry, rule, &rule->plan->root, rule->plan->expr, &explanation->root,
	             &timeline);
}

void explain_done(struct explanation *explanation)
{
	for (size_t i = 0; i < explanation->plans.count; i++)
		plan_unref(explanation->plans.items[i]);
	VECTOR_DONE(&explanation->plans);
}

bool explain_more_events(const struct explain_node *node, uint64_t *ret_count)
{
	if (node->expr->kind != EXPR_EVENT || node->expr->event.aggregate != EXPR_COUNT ||
	    node->expr->event.until_ms > 0)
		return false;
	const struct expr_test *test = &node->expr->event.test;
	for (uint64_t more = 1; more <= EXPLAIN_MORE_MAX; more++) {
		if (evaluate_count(test, node->leaf.count + more) == node->holds)
			continue;
		*ret_count = more;
		return true;
	}
	return false;
}
