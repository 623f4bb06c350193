#include "engine/view.h"

#include <assert.h>
#include <stdlib.h>

#include "base/instant.h"
#include "engine/engine_internal.h"
#include "engine/apply/leaf.h"
#include "engine/merge/erasure.h"

uint32_t view_partition(const struct view *view) { return view->partition->number; }

int64_t view_now_ms(const struct view *view) { return view->now_ms; }

/* The newest event that has come; mostly that is the newest of all. */
static int64_t last_active_ms(struct view *view, uint32_t slot, const struct profile *profile)
{
	if (profile->newest_event_ms <= view->now_ms)
		return profile->newest_event_ms;
	event_list events  = {0};
	int64_t    time_ms = INSTANT_MS_NONE;
	view_events(view, slot, &events);
	if (events.count > 0)
		time_ms = events.items[events.count - 1].time_ms;
	event_list_done(&events);
	return time_ms;
}

bool view_person(struct view *view, uint32_t slot, struct view_person *ret_person)
{
	const struct profile *profile = profiles_find(&view->partition->profiles, slot);
	if (profile == NULL)
		return false;
	*ret_person = (struct view_person){
		.identified     = profile->identified,
		.created_ms     = profile->created_ms,
		.last_active_ms = last_active_ms(view, slot, profile),
		.traits         = profile_traits(profile),
	};
	return true;
}

static struct view_sealed *block_of(struct view_sealed *blocks, size_t *count,
                                    const struct sealed_trait *sealed, size_t name_room,
                                    struct arena *arena)
{
	for (size_t i = 0; i < *count; i++)
		if (blocks[i].sealed.data == sealed->block->bytes)
			return &blocks[i];
	struct view_sealed *block = &blocks[(*count)++];
	block->sealed             = (struct text){sealed->block->bytes, sealed->block->size};
	block->sealer             = sealed->block->sealer;
	block->names              = ARENA_ARRAY(arena, struct text, name_room);
	return block;
}

size_t view_sealed_traits(struct view *view, uint32_t slot, struct arena *arena,
                          struct view_sealed **ret_blocks)
{
	const struct profile *profile = profiles_find(&view->partition->profiles, slot);
	*ret_blocks                   = NULL;
	if (profile == NULL || profile->traits == NULL || profile->traits->sealed_count == 0)
		return 0;

	const struct traits *traits = profile->traits;
	struct view_sealed  *blocks = ARENA_ARRAY(arena, struct view_sealed, traits->sealed_count);
	size_t               count  = 0;
	for (uint32_t i = 0; i < traits->sealed_count; i++) {
		struct view_sealed *block =
			block_of(blocks, &count, &traits->sealed[i], traits->sealed_count, arena);
		block->names[block->name_count++] = traits->sealed[i].name;
	}
	*ret_blocks = blocks;
	return count;
}

bool view_sealed_has(const struct view_sealed *block, struct text path)
{
	for (size_t i = 0; i < block->name_count; i++) {
		struct text name = block->names[i];
		if (text_equal(path, name) || (text_starts_with(path, name) && path.length > name.length &&
		                               path.data[name.length] == '.'))
			return true;
	}
	return false;
}

static int compare_memberships(const void *left, const void *right)
{
	const struct view_membership *a = left, *b = right;
	return (a->segment > b->segment) - (a->segment < b->segment);
}

static void add_membership(struct view *view, const struct profile *profile, uint32_t index,
                           struct view_membership *memberships, size_t *count)
{
	const struct rule *rule = &view->partition->catalog.rules.items[index];
	if (rule->state == RULE_LIVE && rule_is_member(view->partition, profile, index))
		memberships[(*count)++] =
			(struct view_membership){rule->segment, rule_since_ms(view->partition, profile, index)};
}

size_t view_memberships(struct view *view, uint32_t slot, struct arena *arena,
                        struct view_membership **ret_memberships)
{
	const struct catalog *catalog = &view->partition->catalog;
	const struct profile *profile = profiles_find(&view->partition->profiles, slot);
	*ret_memberships              = NULL;
	if (profile == NULL)
		return 0;

	/* What is recorded of the person, and what holds for everyone of whom nothing is. */
	const struct membership_set *recorded       = profile->memberships;
	size_t                       recorded_count = recorded == NULL ? 0 : recorded->count;
	struct view_membership      *memberships =
		ARENA_ARRAY(arena, struct view_membership, recorded_count + catalog->live_defaults.count);
	size_t count = 0;
	for (size_t i = 0; i < recorded_count; i++)
		add_membership(view, profile, recorded->items[i].rule, memberships, &count);
	for (size_t i = 0; i < catalog->live_defaults.count; i++)
		if (profile_membership(profile, catalog->live_defaults.items[i]) == NULL)
			add_membership(view, profile, catalog->live_defaults.items[i], memberships, &count);
	qsort(memberships, count, sizeof *memberships, compare_memberships);
	*ret_memberships = memberships;
	return count;
}

bool view_segment_live(struct view *view, uint32_t segment)
{
	return catalog_live(&view->partition->catalog, segment) != RULE_NONE;
}

uint64_t view_member_count(struct view *view, uint32_t segment)
{
	uint32_t index = catalog_live(&view->partition->catalog, segment);
	if (index == RULE_NONE)
		return 0;
	const struct rule     *rule     = &view->partition->catalog.rules.items[index];
	const struct profiles *profiles = &view->partition->profiles;
	int64_t                count    = rule->exception_balance;
	if (rule->holds[true])
		count += (int64_t)profiles->identified_count;
	if (rule->holds[false])
		count += (int64_t)(profiles->person_count - profiles->identified_count);
	return (uint64_t)count;
}

uint64_t view_person_count(struct view *view) { return view->partition->profiles.person_count; }

static bool add_member(struct view *view, uint32_t rule, uint32_t slot,
                       struct view_member *ret_member)
{
	const struct profile *profile = profiles_find(&view->partition->profiles, slot);
	if (profile == NULL || !rule_is_member(view->partition, profile, rule))
		return false;
	*ret_member = (struct view_member){slot, rule_since_ms(view->partition, profile, rule)};
	return true;
}

/* Members that are exceptions, by the bitmap. */
static size_t members_by_bitmap(struct view *view, uint32_t rule, uint32_t from_slot, size_t limit,
                                struct view_member *ret_members, uint32_t *ret_next_slot)
{
	size_t                    count = 0;
	roaring_uint32_iterator_t iterator;
	roaring_init_iterator(exceptions_bitmap(&view->partition->catalog.rules.items[rule].exceptions),
	                      &iterator);
	roaring_move_uint32_iterator_equalorlarger(&iterator, from_slot);
	for (; iterator.has_value && count < limit; roaring_advance_uint32_iterator(&iterator))
		count += add_member(view, rule, iterator.current_value, &ret_members[count]);
	*ret_next_slot = iterator.has_value ? iterator.current_value : SLOT_NONE;
	return count;
}

size_t view_members(struct view *view, uint32_t segment, uint32_t from_slot, size_t limit,
                    struct view_member *ret_members, uint32_t *ret_next_slot)
{
	uint32_t rule  = catalog_live(&view->partition->catalog, segment);
	size_t   count = 0;
	*ret_next_slot = SLOT_NONE;
	if (rule == RULE_NONE)
		return 0;
	const struct rule *live = &view->partition->catalog.rules.items[rule];
	if (!live->holds[false] && !live->holds[true])
		return members_by_bitmap(view, rule, from_slot, limit, ret_members, ret_next_slot);

	uint32_t slot = from_slot;
	for (; slot < view->partition->profiles.slot_count && count < limit; slot++)
		count += add_member(view, rule, slot, &ret_members[count]);
	*ret_next_slot = slot < view->partition->profiles.slot_count ? slot : SLOT_NONE;
	return count;
}

uint32_t view_slot_count(const struct view *view) { return view->partition->profiles.slot_count; }

uint64_t view_changes(struct view *view, uint64_t from_index, size_t limit,
                      struct change *ret_changes, size_t *ret_count)
{
	const struct changes *changes = &view->partition->changes;
	*ret_count                    = 0;
	assert(limit == 0 || from_index >= changes_first(changes));
	while (*ret_count < limit && from_index < changes->count)
		ret_changes[(*ret_count)++] = changes_at(changes, from_index++)->change;
	return changes->count;
}

uint64_t view_first_change(const struct view *view)
{
	return changes_first(&view->partition->changes);
}

void view_events(struct view *view, uint32_t slot, event_list *list)
{
	view_events_until(view, slot, INT64_MIN, INT64_MAX, UINT64_MAX, list);
}

void view_events_until(struct view *view, uint32_t slot, int64_t from_ms, int64_t to_ms,
                       uint64_t through_position, event_list *list)
{
	uint64_t                  stored = view->partition->stored_position;
	const struct events_query query  = {
		 .from_ms          = from_ms,
		 .to_ms            = to_ms <= view->now_ms ? to_ms : view->now_ms + 1,
		 .through_position = through_position < stored ? through_position : stored,
		 .now_ms           = view->now_ms,
		 .retention_ms     = view->partition->retention_ms,
    };
	if (erasure_holds(view->partition, slot))
		return; /* what parts still have of him is nobody's */
	events_read(view->partition->events, slot, &query, list);
	facts_take_out_dropped(view->partition, slot, list);
}

const struct fact_types *view_fact_types(const struct view *view)
{
	return &view->partition->facts.types;
}

void view_names(struct view *view, struct buffer *out)
{
	names_write(&view->partition->names, out);
}
