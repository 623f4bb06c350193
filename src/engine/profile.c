#include "engine/profile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/instant.h"
#include "base/vector.h"
#include "model/value.h"

enum { BLOCK_SLOTS = 1024, ROOM_MIN = 2 };

static void *checked(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

static void free_traits(struct traits *traits)
{
	if (traits == NULL)
		return;
	for (uint32_t i = 0; i < traits->sealed_count; i++)
		if (--traits->sealed[i].block->references == 0)
			free(traits->sealed[i].block);
	free(traits->sealed);
	free(traits);
}

static void profile_done(struct profile *profile)
{
	free_traits(profile->traits);
	if (profile->features != NULL)
		for (uint32_t i = 0; i < profile->features->count; i++)
			series_free(profile->features->items[i].series);
	free(profile->features);
	free(profile->memberships);
}

void profiles_done(struct profiles *profiles)
{
	for (size_t block = 0; block < profiles->block_count; block++) {
		if (profiles->blocks[block] == NULL)
			continue;
		for (unsigned i = 0; i < BLOCK_SLOTS; i++)
			profile_done(&profiles->blocks[block][i]);
		free(profiles->blocks[block]);
	}
	free(profiles->blocks);
	*profiles = (struct profiles){0};
}

struct profile *profiles_find(const struct profiles *profiles, uint32_t slot)
{
	if (slot >= profiles->slot_count || profiles->blocks[slot / BLOCK_SLOTS] == NULL)
		return NULL;
	struct profile *profile = &profiles->blocks[slot / BLOCK_SLOTS][slot % BLOCK_SLOTS];
	return profile->exists ? profile : NULL;
}

static void grow_blocks(struct profiles *profiles, size_t count)
{
	size_t room = profiles->block_count == 0 ? 16 : profiles->block_count;
	while (room < count)
		room *= 2;
	profiles->blocks = checked(realloc(profiles->blocks, room * sizeof(struct profile *)));
	memset(profiles->blocks + profiles->block_count, 0,
	       (room - profiles->block_count) * sizeof(struct profile *));
	profiles->block_count = room;
}

struct profile *profiles_place(struct profiles *profiles, uint32_t slot)
{
	size_t block = slot / BLOCK_SLOTS;
	if (block >= profiles->block_count)
		grow_blocks(profiles, block + 1);
	if (profiles->blocks[block] == NULL) {
		profiles->blocks[block] = checked(calloc(BLOCK_SLOTS, sizeof(struct profile)));
		profiles->bytes += BLOCK_SLOTS * sizeof(struct profile);
	}
	if (slot >= profiles->slot_count)
		profiles->slot_count = slot + 1;
	return &profiles->blocks[block][slot % BLOCK_SLOTS];
}

struct person_feature *profile_feature(const struct profile *profile, uint32_t feature)
{
	struct feature_set *set = profile->features;
	if (set == NULL)
		return NULL;
	uint32_t low = 0, high = set->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (set->items[middle].feature < feature)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->count && set->items[low].feature == feature ? &set->items[low] : NULL;
}

static struct feature_set *feature_room(struct profiles *profiles, struct feature_set *set)
{
	if (set != NULL && set->count < set->room)
		return set;
	uint32_t room   = set == NULL ? ROOM_MIN : set->room * 2;
	size_t   before = set == NULL ? 0 : sizeof *set + set->room * sizeof set->items[0];
	size_t   after  = sizeof *set + room * sizeof set->items[0];
	bool     fresh  = set == NULL;
	set             = checked(realloc(set, after));
	set->room       = room;
	if (fresh)
		set->count = 0;
	profiles->bytes += after - before;
	return set;
}

struct person_feature *profile_feature_add(struct profiles *profiles, struct profile *profile,
                                           uint32_t feature)
{
	struct feature_set *set = profile->features = feature_room(profiles, profile->features);
	uint32_t            at                      = set->count++;
	for (; at > 0 && set->items[at - 1].feature > feature; at--)
		set->items[at] = set->items[at - 1];
	assert(at == 0 || set->items[at - 1].feature != feature);
	set->items[at] = (struct person_feature){.feature = feature, .next_ms = INSTANT_MS_NEVER};
	return &set->items[at];
}

void profile_feature_remove(struct profiles *profiles, struct profile *profile, uint32_t feature)
{
	struct person_feature *found = profile_feature(profile, feature);
	if (found == NULL)
		return;
	profiles->bytes -= series_bytes(found->series);
	series_free(found->series);
	struct feature_set *set = profile->features;
	set->count--;
	memmove(found, found + 1, (size_t)(set->items + set->count - found) * sizeof *found);
}

static uint32_t membership_index(const struct membership_set *set, uint32_t rule)
{
	uint32_t low = 0, high = set->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (set->items[middle].rule < rule)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct membership *profile_membership(const struct profile *profile, uint32_t rule)
{
	struct membership_set *set = profile->memberships;
	if (set == NULL)
		return NULL;
	uint32_t at = membership_index(set, rule);
	return at < set->count && set->items[at].rule == rule ? &set->items[at] : NULL;
}

static struct membership_set *membership_room(struct profiles *profiles, struct membership_set *set)
{
	if (set != NULL && set->count < set->room)
		return set;
	uint32_t room   = set == NULL ? ROOM_MIN : set->room * 2;
	size_t   before = set == NULL ? 0 : sizeof *set + set->room * sizeof set->items[0];
	size_t   after  = sizeof *set + room * sizeof set->items[0];
	bool     fresh  = set == NULL;
	set             = checked(realloc(set, after));
	set->room       = room;
	if (fresh)
		set->count = 0;
	profiles->bytes += after - before;
	return set;
}

struct membership *profile_membership_put(struct profiles *profiles, struct profile *profile,
                                          uint32_t rule)
{
	struct membership *found = profile_membership(profile, rule);
	if (found != NULL)
		return found;
	struct membership_set *set = membership_room(profiles, profile->memberships);
	profile->memberships       = set;
	uint32_t at                = membership_index(set, rule);
	memmove(set->items + at + 1, set->items + at, (set->count - at) * sizeof set->items[0]);
	set->count++;
	set->items[at] = (struct membership){.rule = rule};
	return &set->items[at];
}

void profile_membership_remove(struct profile *profile, uint32_t rule)
{
	struct membership *found = profile_membership(profile, rule);
	if (found == NULL)
		return;
	struct membership_set *set = profile->memberships;
	set->count--;
	memmove(found, found + 1, (size_t)(set->items + set->count - found) * sizeof *found);
}

struct text profile_traits(const struct profile *profile)
{
	if (profile->traits == NULL)
		return (struct text){0};
	return (struct text){profile->traits->list, profile->traits->list_size};
}

/* Whether a value is personal or holds something that is. */
static bool holds_personal(const struct value *value)
{
	if (value->type == VALUE_PERSONAL)
		return true;
	if (value->type != VALUE_OBJECT)
		return false;
	for (struct value_reader reader = value_read(value->text); value_next(&reader);)
		if (holds_personal(&reader.value))
			return true;
	return false;
}

static struct sealed_block *sealed_of(const struct traits *traits, struct text name)
{
	for (uint32_t i = 0; traits != NULL && i < traits->sealed_count; i++)
		if (text_equal(traits->sealed[i].name, name))
			return traits->sealed[i].block;
	return NULL;
}

static struct sealed_block *sealed_block_new(struct text sealed)
{
	struct sealed_block *block = checked(malloc(sizeof *block + sealed.length));
	*block                     = (struct sealed_block){.size = (uint32_t)sealed.length};
	memcpy(block->bytes, sealed.data, sealed.length);
	return block;
}

/* Names the block of each personal trait of a new list: the newest record's where that set it. */
static void link_sealed(struct traits *traits, const struct traits *before, struct text set,
                        struct sealed_block *newest)
{
	VECTOR(struct sealed_trait) sealed = {0};
	struct text list                   = {traits->list, traits->list_size};
	for (struct value_reader reader = value_read(list); value_next(&reader);) {
		if (!holds_personal(&reader.value))
			continue;
		bool                 was_set = value_find(set, reader.name, reader.hash).type != VALUE_NONE;
		struct sealed_block *block   = was_set ? newest : sealed_of(before, reader.name);
		if (block == NULL)
			continue; /* nothing was sealed with it: it exists, its value is lost */
		block->references++;
		VECTOR_ADD(&sealed, (struct sealed_trait){reader.name, block});
	}
	traits->sealed       = sealed.items;
	traits->sealed_count = (uint32_t)sealed.count;
}

static void merge_lists(struct buffer *out, struct text before, struct text set)
{
	size_t   begin = value_list_begin(out);
	unsigned count = 0;
	for (struct value_reader reader = value_read(before); value_next(&reader);) {
		if (value_find(set, reader.name, reader.hash).type != VALUE_NONE)
			continue;
		value_add(out, reader.name, &reader.value);
		count++;
	}
	for (struct value_reader reader = value_read(set); value_next(&reader);) {
		if (reader.value.type == VALUE_NULL)
			continue;
		value_add(out, reader.name, &reader.value);
		count++;
	}
	value_list_end(out, begin, count);
}

void profile_set_traits(struct profiles *profiles, struct profile *profile, struct text list,
                        struct text sealed)
{
	struct buffer merged = {0};
	merge_lists(&merged, profile_traits(profile), list);

	struct traits *before = profile->traits;
	struct traits *traits = checked(malloc(sizeof *traits + merged.length));
	*traits = (struct traits){.next_ms = INSTANT_MS_NEVER, .list_size = (uint32_t)merged.length};
	memcpy(traits->list, merged.data, merged.length);
	buffer_done(&merged);

	struct sealed_block *newest = sealed.length > 0 ? sealed_block_new(sealed) : NULL;
	link_sealed(traits, before, list, newest);
	if (newest != NULL && newest->references == 0)
		free(newest);
	else
		profiles->bytes += sealed.length;
	profiles->bytes += traits->list_size + (before == NULL ? sizeof *traits : 0);
	profiles->bytes -= before == NULL ? 0 : before->list_size;
	profile->traits = traits;
	free_traits(before);
}
