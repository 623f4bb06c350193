#include "engine/definition/activate.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/definition/build.h"
#include "engine/change/change_record.h"
#include "engine/apply/leaf.h"
#include "engine/apply/step.h"

/* A change to be recorded once all of the step are known and sorted. */
struct difference {
	uint32_t slot;
	uint32_t level;
	uint32_t segment;
	bool     entered;
};

struct activation {
	struct partition *partition;
	int64_t           at_ms;
	uint32_t          old;  /* RULE_NONE: there was none */
	uint32_t          next; /* RULE_NONE: it is switched off */
	VECTOR(struct difference) differences;
	index_list dead; /* features */
};

static int compare_differences(const void *left, const void *right)
{
	const struct difference *a = left, *b = right;
	/* What concerns everyone comes before what concerns some. */
	if (a->slot != b->slot)
		return a->slot + 1 < b->slot + 1 ? -1 : 1;
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	return (a->segment > b->segment) - (a->segment < b->segment);
}

static struct rule *rule_at(struct activation *activation, uint32_t index)
{
	return index == RULE_NONE ? NULL : &activation->partition->catalog.rules.items[index];
}

static void note(struct activation *activation, uint32_t slot, bool entered)
{
	const struct rule *rule =
		rule_at(activation, activation->next == RULE_NONE ? activation->old : activation->next);
	VECTOR_ADD(&activation->differences,
	           (struct difference){slot, rule->level, rule->segment, entered});
}

static bool held(const struct rule *rule, bool identified)
{
	return rule != NULL && rule->holds[identified];
}

/* A member of both versions stays one since when he was. */
static void carry_since(struct activation *activation, uint32_t slot, struct profile *profile)
{
	struct partition *partition = activation->partition;
	int64_t           since_ms  = rule_since_ms(partition, profile, activation->old);
	if (rule_since_ms(partition, profile, activation->next) != since_ms)
		step_set_member(partition, slot, profile, activation->next, true, since_ms);
}

static void switch_person(struct activation *activation, uint32_t slot, struct profile *profile)
{
	struct partition  *partition = activation->partition;
	const struct rule *old       = rule_at(activation, activation->old);
	const struct rule *next      = rule_at(activation, activation->next);
	bool               was = old != NULL && rule_is_member(partition, profile, activation->old);
	bool               is  = next != NULL && rule_is_member(partition, profile, activation->next);
	bool everyone_entered  = held(next, profile->identified) && !held(old, profile->identified);
	bool everyone_exited   = next == NULL && held(old, profile->identified);

	if (was && is) {
		carry_since(activation, slot, profile);
	} else if (is) {
		/* He left the old version before, so its since and the creation mean nothing. */
		if (rule_since_ms(partition, profile, activation->next) != activation->at_ms)
			step_set_member(partition, slot, profile, activation->next, true, activation->at_ms);
		if (!everyone_entered)
			note(activation, slot, true);
	} else if (was ? !everyone_exited : everyone_entered) {
		note(activation, slot, false);
	}
	if (old != NULL)
		profile_membership_remove(profile, activation->old);
}

static bool holds_for_some(const struct rule *rule)
{
	return held(rule, false) || held(rule, true);
}

static void switch_slots(struct activation *activation, const roaring_bitmap_t *slots)
{
	roaring_uint32_iterator_t iterator;
	roaring_init_iterator(slots, &iterator);
	for (; iterator.has_value; roaring_advance_uint32_iterator(&iterator)) {
		struct profile *profile =
			profiles_change(&activation->partition->profiles, iterator.current_value);
		if (profile != NULL)
			switch_person(activation, iterator.current_value, profile);
	}
}

static void switch_everybody(struct activation *activation)
{
	struct profiles *profiles = &activation->partition->profiles;
	for (uint32_t slot = 0; slot < profiles->slot_count; slot++) {
		struct profile *profile = profiles_change(profiles, slot);
		if (profile != NULL)
			switch_person(activation, slot, profile);
	}
}

static void add_slots(roaring_bitmap_t *slots, struct rule *rule)
{
	if (rule == NULL)
		return;
	roaring_bitmap_or_inplace(slots, exceptions_bitmap(&rule->exceptions));
	if (rule->recorded != NULL)
		roaring_bitmap_or_inplace(slots, rule->recorded);
}

/* Every person of whom something is recorded: for all others the entry for everyone says all, or
 * nothing changes. Only an edit after which the segment holds for fewer without events lets each of
 * them leave by himself. */
static void switch_persons(struct activation *activation)
{
	struct rule *old  = rule_at(activation, activation->old);
	struct rule *next = rule_at(activation, activation->next);
	for (int identified = 0; identified < 2 && next != NULL; identified++)
		if (held(old, identified) && !held(next, identified)) {
			switch_everybody(activation);
			return;
		}
	/* A copy: switching a person changes the bitmaps. */
	roaring_bitmap_t *slots = roaring_bitmap_create();
	add_slots(slots, old);
	add_slots(slots, next);
	switch_slots(activation, slots);
	roaring_bitmap_free(slots);
}

/* Entries for everyone, noted before the persons are switched. */
static void switch_defaults(struct activation *activation)
{
	struct rule *old     = rule_at(activation, activation->old);
	struct rule *next    = rule_at(activation, activation->next);
	bool         entered = false, exited = false;
	for (int identified = 0; identified < 2; identified++) {
		if (next == NULL) {
			exited |= held(old, identified);
			continue;
		}
		bool stays                 = held(next, identified) && held(old, identified);
		next->since_ms[identified] = stays ? old->since_ms[identified] : activation->at_ms;
		entered |= held(next, identified) && !held(old, identified);
	}
	if (entered || exited)
		note(activation, SLOT_NONE, entered);
}

static void switch_rule(struct activation *activation, uint32_t old, uint32_t next)
{
	activation->old  = old;
	activation->next = next;
	switch_defaults(activation);
	switch_persons(activation);
}

static void emit_differences(struct activation *activation)
{
	if (activation->differences.count > 0)
		qsort(activation->differences.items, activation->differences.count,
		      sizeof activation->differences.items[0], compare_differences);
	for (size_t i = 0; i < activation->differences.count; i++) {
		const struct difference *difference = &activation->differences.items[i];
		struct profile          *profile =
            difference->slot == SLOT_NONE
						 ? NULL
						 : profiles_change(&activation->partition->profiles, difference->slot);
		step_emit(activation->partition, profile,
		          (struct change){.slot    = difference->slot,
		                          .segment = difference->segment,
		                          .entered = difference->entered,
		                          .cause   = CAUSE_DEFINITION,
		                          .at_ms   = activation->at_ms});
	}
}

/* Whether an entry for everyone stands there, of another segment. */
static bool is_for_others(const struct partition *partition, uint64_t index, uint32_t segment)
{
	if (index >= partition->changes.count)
		return false;
	const struct change *change = &changes_at(&partition->changes, index)->change;
	return change->slot == SLOT_NONE && change->segment != 0 && change->segment != segment;
}

/* Ends and begins the times during which memberships follow from persons' existence alone. The
 * entries for everyone stand at the begin of the step's, from `first_index` on. */
static void switch_span(struct partition *partition, const struct rule *old,
                        const struct rule *next, uint64_t first_index)
{
	uint32_t segment = next != NULL ? next->segment : old->segment;
	uint64_t index   = first_index;
	while (is_for_others(partition, index, segment))
		index++;
	for (size_t i = 0; i < partition->changes.spans.count; i++) {
		struct default_span *span = &partition->changes.spans.items[i];
		if (span->segment == segment && span->to_index == UINT64_MAX) {
			span->to_index = index;
			span->ended    = next == NULL;
		}
	}
	if (!holds_for_some(next))
		return;
	struct default_span span = {.segment = segment, .from_index = index, .to_index = UINT64_MAX};
	for (int identified = 0; identified < 2; identified++) {
		span.holds[identified]     = held(next, identified);
		span.announced[identified] = held(next, identified) && !held(old, identified);
	}
	VECTOR_ADD(&partition->changes.spans, span);
}

/* Looked at before it is changed: blocks of which nobody has such a feature stay as they are. */
static void forget_features(struct partition *partition, const index_list *dead)
{
	for (uint32_t slot = 0; dead->count > 0 && slot < partition->profiles.slot_count; slot++) {
		const struct profile *profile = profiles_find(&partition->profiles, slot);
		for (size_t i = 0; profile != NULL && i < dead->count; i++)
			if (profile_feature(profile, dead->items[i]) != NULL)
				profile_feature_remove(&partition->profiles,
				                       profiles_change(&partition->profiles, slot), dead->items[i]);
	}
}

static void go_live(struct activation *activation, const index_list *prepared,
                    const index_list *replaced, uint64_t first_index)
{
	struct catalog *catalog = &activation->partition->catalog;
	for (size_t i = 0; i < prepared->count; i++) {
		struct rule *next = &catalog->rules.items[prepared->items[i]];
		next->state       = RULE_LIVE;
		switch_span(activation->partition, rule_at(activation, replaced->items[i]), next,
		            first_index);
		catalog_set_live(catalog, next->segment, prepared->items[i]);
	}
	/* Derived ones first: nothing that is live refers to what is retired. */
	for (size_t i = prepared->count; i-- > 0;)
		if (replaced->items[i] != RULE_NONE)
			catalog_retire(catalog, replaced->items[i], &activation->dead);
}

static void switch_off(struct activation *activation, const index_list *off, uint64_t first_index)
{
	struct catalog *catalog = &activation->partition->catalog;
	for (size_t i = 0; i < off->count; i++) {
		struct rule *old = &catalog->rules.items[off->items[i]];
		switch_span(activation->partition, old, NULL, first_index);
		catalog_set_live(catalog, old->segment, RULE_NONE);
		catalog_retire(catalog, off->items[i], &activation->dead);
	}
}

static void run(struct activation *activation, const struct change_record *record,
                struct build *build)
{
	struct partition       *partition = activation->partition;
	index_list              replaced = {0}, off = {0};
	static const index_list none;
	const index_list       *prepared = build == NULL ? &none : &build->news.rules;

	for (size_t i = 0; i < prepared->count; i++) {
		uint32_t segment = partition->catalog.rules.items[prepared->items[i]].segment;
		uint32_t old     = catalog_live(&partition->catalog, segment);
		VECTOR_ADD(&replaced, old);
		switch_rule(activation, old, prepared->items[i]);
	}
	for (size_t i = 0; i < record->off_count; i++) {
		uint32_t old = catalog_live(&partition->catalog, record->off[i]);
		if (old == RULE_NONE)
			continue;
		VECTOR_ADD(&off, old);
		switch_rule(activation, old, RULE_NONE);
	}

	(void)changes_pass_erased(&partition->changes, partition->last_position - 1);
	uint64_t first_index = partition->changes.count;
	emit_differences(activation);
	go_live(activation, prepared, &replaced, first_index);
	switch_off(activation, &off, first_index);
	forget_features(partition, &activation->dead);
	VECTOR_DONE(&replaced);
	VECTOR_DONE(&off);
}

/* `live`: what was prepared is what holds from now on; else it is dropped. */
static enum status decide(struct partition *partition, struct text body, int64_t at_ms, bool live,
                          struct error *err)
{
	struct arena arena;
	arena_init(&arena);
	struct change_record record;
	struct build        *build  = NULL;
	enum status          status = change_record_read_activate(body, &arena, &record, err);
	if (status == STATUS_OK)
		build = live ? build_finish(partition, record.id) : build_find(partition, record.id);
	/* Delivered before: a change with a PREPARE is known by its build, another by its id. */
	bool fresh = status == STATUS_OK && (build != NULL || record.id > partition->last_change_id);
	if (fresh) {
		struct activation activation = {.partition = partition, .at_ms = at_ms};
		if (build != NULL && !live)
			build_abandon(partition, build, &activation.dead);
		run(&activation, &record, live ? build : NULL);
		VECTOR_DONE(&activation.differences);
		VECTOR_DONE(&activation.dead);
		if (build != NULL && live)
			build_drop(partition, build);
		if (record.id > partition->last_change_id)
			partition->last_change_id = record.id;
	}
	arena_done(&arena);
	return status;
}

enum status activate(struct partition *partition, struct text body, int64_t at_ms,
                     struct error *err)
{
	return decide(partition, body, at_ms, true, err);
}

enum status abandon(struct partition *partition, struct text body, int64_t at_ms, struct error *err)
{
	return decide(partition, body, at_ms, false, err);
}
