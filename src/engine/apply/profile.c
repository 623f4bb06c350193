#include "engine/apply/profile.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/instant.h"
#include "base/slab.h"
#include "base/vector.h"
#include "model/value.h"

enum { BLOCK_SLOTS = PROFILES_PER_BLOCK };

static void *checked(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

/* Feature sets and membership sets are alike: a head, then items that begin with the number by
 * which they are sorted. */
struct set {
	uint32_t count;
	uint32_t room;
	char     items[];
};

_Static_assert(offsetof(struct feature_set, items) == offsetof(struct set, items), "a set");
_Static_assert(offsetof(struct membership_set, items) == offsetof(struct set, items), "a set");

static size_t set_size(size_t item_size, uint32_t room)
{
	return sizeof(struct set) + room * item_size;
}

static size_t set_bytes(const void *pointer, size_t item_size)
{
	const struct set *set = pointer;
	return set == NULL ? 0 : set_size(item_size, set->room);
}

static void set_free(void *pointer, size_t item_size)
{
	if (pointer != NULL)
		slab_put(pointer, set_bytes(pointer, item_size));
}

/* The number is the first 31 bits of an item. */
static inline uint32_t number_at(const struct set *set, size_t item_size, uint32_t at)
{
	uint32_t number;
	memcpy(&number, set->items + at * item_size, sizeof number);
	return number & INT32_MAX;
}

_Static_assert(sizeof(struct person_feature) != sizeof(struct membership),
               "their size tells sets apart");

/* A set has grown, or come, or gone. */
static void count_set(struct profiles *profiles, size_t item_size, size_t before, size_t after)
{
	uint64_t *bytes = item_size == sizeof(struct person_feature) ? &profiles->feature_bytes
	                                                             : &profiles->membership_bytes;
	profiles->bytes += after - before;
	*bytes += after - before;
}

/* Room for `more` at least, and as many as the block of memory holds. */
static struct set *set_grow(struct profiles *profiles, struct set *set, size_t item_size,
                            uint32_t more)
{
	uint32_t    count  = set == NULL ? 0 : set->count;
	size_t      size   = slab_room(set_size(item_size, count + more + count / 4));
	struct set *larger = slab_get(size);
	larger->count      = count;
	larger->room       = (uint32_t)((size - sizeof *set) / item_size);
	count_set(profiles, item_size, set_bytes(set, item_size), set_bytes(larger, item_size));
	if (set != NULL)
		memcpy(larger->items, set->items, count * item_size);
	set_free(set, item_size);
	return larger;
}

/* Returns how many bytes of sealed blocks went with them. */
static size_t free_traits(struct traits *traits)
{
	size_t bytes = 0;
	if (traits == NULL)
		return bytes;
	for (uint32_t i = 0; i < traits->sealed_count; i++) {
		if (--traits->sealed[i].block->references > 0)
			continue;
		bytes += traits->sealed[i].block->size;
		free(traits->sealed[i].block);
	}
	free(traits->sealed);
	free(traits);
	return bytes;
}

/* The same. */
static size_t profile_done(struct profile *profile)
{
	size_t sealed_bytes = free_traits(profile->traits);
	if (profile->features != NULL)
		for (uint32_t i = 0; i < profile->features->count; i++)
			series_free(profile->features->items[i].series);
	set_free(profile->features, sizeof profile->features->items[0]);
	set_free(profile->memberships, sizeof profile->memberships->items[0]);
	return sealed_bytes;
}

void profiles_done(struct profiles *profiles)
{
	for (size_t block = 0; block < profiles->block_count; block++) {
		if (profiles->blocks[block] == NULL)
			continue;
		for (unsigned i = 0; i < BLOCK_SLOTS; i++)
			profile_done(&profiles->blocks[block][i]);
		slab_put(profiles->blocks[block], BLOCK_SLOTS * sizeof(struct profile));
	}
	free(profiles->blocks);
	free(profiles->changed);
	*profiles = (struct profiles){0};
}

static struct profile *find(const struct profiles *profiles, uint32_t slot)
{
	if (slot >= profiles->slot_count || profiles->blocks[slot / BLOCK_SLOTS] == NULL)
		return NULL;
	struct profile *profile = &profiles->blocks[slot / BLOCK_SLOTS][slot % BLOCK_SLOTS];
	return profile->exists ? profile : NULL;
}

const struct profile *profiles_find(const struct profiles *profiles, uint32_t slot)
{
	return find(profiles, slot);
}

const struct profile *profiles_known(const struct profiles *profiles, uint32_t slot)
{
	if (slot >= profiles->slot_count || profiles->blocks[slot / BLOCK_SLOTS] == NULL)
		return NULL;
	const struct profile *profile = &profiles->blocks[slot / BLOCK_SLOTS][slot % BLOCK_SLOTS];
	return profile->exists || profile->closed ? profile : NULL;
}

struct profile *profiles_change(struct profiles *profiles, uint32_t slot)
{
	struct profile *profile = find(profiles, slot);
	if (profile != NULL)
		profiles->changed[slot / BLOCK_SLOTS] = PROFILES_CHANGED;
	return profile;
}

static void grow_blocks(struct profiles *profiles, size_t count)
{
	size_t room = profiles->block_count == 0 ? 16 : profiles->block_count;
	while (room < count)
		room *= 2;
	profiles->blocks = checked(realloc(profiles->blocks, room * sizeof(struct profile *)));
	memset(profiles->blocks + profiles->block_count, 0,
	       (room - profiles->block_count) * sizeof(struct profile *));
	profiles->changed = checked(realloc(profiles->changed, room));
	memset(profiles->changed + profiles->block_count, 0, room - profiles->block_count);
	profiles->block_count = room;
}

struct profile *profiles_place(struct profiles *profiles, uint32_t slot)
{
	size_t block = slot / BLOCK_SLOTS;
	if (block >= profiles->block_count)
		grow_blocks(profiles, block + 1);
	if (profiles->blocks[block] == NULL) {
		profiles->blocks[block] = slab_get(BLOCK_SLOTS * sizeof(struct profile));
		memset(profiles->blocks[block], 0, BLOCK_SLOTS * sizeof(struct profile));
		profiles->bytes += BLOCK_SLOTS * sizeof(struct profile);
	}
	if (slot >= profiles->slot_count)
		profiles->slot_count = slot + 1;
	profiles->changed[block] = PROFILES_CHANGED;
	return &profiles->blocks[block][slot % BLOCK_SLOTS];
}

/* Where `number` stands or belongs. Bisection by conditional moves: which half it is nobody could
 * foretell. */
static inline uint32_t set_index(const void *pointer, size_t item_size, uint32_t number)
{
	const struct set *set  = pointer;
	uint32_t          at   = 0;
	uint32_t          left = set == NULL ? 0 : set->count;
	while (left > 1) {
		uint32_t half = left / 2;
		at += number_at(set, item_size, at + half - 1) < number ? half : 0;
		left -= half;
	}
	return left == 1 && number_at(set, item_size, at) < number ? at + 1 : at;
}

/* Makes room for one more item at `at` and returns the set, which may have moved. */
static inline void *set_insert(struct profiles *profiles, void *pointer, size_t item_size,
                               uint32_t at)
{
	struct set *set = pointer;
	if (set == NULL || set->count == set->room)
		set = set_grow(profiles, set, item_size, 1);
	char *item = set->items + at * item_size;
	memmove(item + item_size, item, (set->count - at) * item_size);
	set->count++;
	return set;
}

static inline void *set_reserve(struct profiles *profiles, void *pointer, size_t item_size,
                                uint32_t more)
{
	struct set *set = pointer;
	if (more > (set == NULL ? 0 : set->room - set->count))
		set = set_grow(profiles, set, item_size, more);
	return set;
}

static void set_remove(void *pointer, size_t item_size, uint32_t at)
{
	struct set *set  = pointer;
	char       *item = set->items + at * item_size;
	set->count--;
	memmove(item, item + item_size, (set->count - at) * item_size);
}

struct person_feature *profile_feature_place(const struct profile *profile, uint32_t feature,
                                             uint32_t *ret_place)
{
	struct feature_set *set = profile->features;
	uint32_t            at  = set_index(set, sizeof set->items[0], feature);
	*ret_place              = at;
	return set != NULL && at < set->count && set->items[at].feature == feature ? &set->items[at]
	                                                                           : NULL;
}

struct person_feature *profile_feature(const struct profile *profile, uint32_t feature)
{
	uint32_t place;
	return profile_feature_place(profile, feature, &place);
}

struct person_feature *profile_feature_insert(struct profiles *profiles, struct profile *profile,
                                              uint32_t feature, uint32_t place)
{
	profile->features =
		set_insert(profiles, profile->features, sizeof(struct person_feature), place);
	struct person_feature *kept = &profile->features->items[place];
	*kept = (struct person_feature){.feature = feature, .next_ms = INSTANT_MS_NEVER};
	return kept;
}

struct person_feature *profile_feature_add(struct profiles *profiles, struct profile *profile,
                                           uint32_t feature)
{
	uint32_t place = set_index(profile->features, sizeof(struct person_feature), feature);
	return profile_feature_insert(profiles, profile, feature, place);
}

void profile_features_reserve(struct profiles *profiles, struct profile *profile, uint32_t more)
{
	profile->features =
		set_reserve(profiles, profile->features, sizeof(struct person_feature), more);
}

void profile_feature_remove(struct profiles *profiles, struct profile *profile, uint32_t feature)
{
	struct person_feature *found = profile_feature(profile, feature);
	if (found == NULL)
		return;
	profiles_count_series(profiles, series_bytes(found->series), 0);
	series_free(found->series);
	set_remove(profile->features, sizeof *found, (uint32_t)(found - profile->features->items));
}

struct membership *profile_membership_place(const struct profile *profile, uint32_t rule,
                                            uint32_t *ret_place)
{
	struct membership_set *set = profile->memberships;
	uint32_t               at  = set_index(set, sizeof set->items[0], rule);
	*ret_place                 = at;
	return set != NULL && at < set->count && set->items[at].rule == rule ? &set->items[at] : NULL;
}

struct membership *profile_membership(const struct profile *profile, uint32_t rule)
{
	uint32_t place;
	return profile_membership_place(profile, rule, &place);
}

struct membership *profile_membership_insert(struct profiles *profiles, struct profile *profile,
                                             uint32_t rule, uint32_t place)
{
	profile->memberships =
		set_insert(profiles, profile->memberships, sizeof(struct membership), place);
	profile->memberships->items[place] = (struct membership){.rule = rule & INT32_MAX};
	return &profile->memberships->items[place];
}

void profile_memberships_reserve(struct profiles *profiles, struct profile *profile, uint32_t more)
{
	profile->memberships =
		set_reserve(profiles, profile->memberships, sizeof(struct membership), more);
}

void profile_membership_remove(struct profile *profile, uint32_t rule)
{
	struct membership *found = profile_membership(profile, rule);
	if (found != NULL)
		set_remove(profile->memberships, sizeof *found,
		           (uint32_t)(found - profile->memberships->items));
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
	if (value_is_personal(value))
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

static struct sealed_block *sealed_block_new(struct text sealed, struct person sealer)
{
	struct sealed_block *block = checked(malloc(sizeof *block + sealed.length));
	*block = (struct sealed_block){.size = (uint32_t)sealed.length, .sealer = sealer};
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
                        struct text sealed, struct person sealer)
{
	struct buffer merged = {0};
	merge_lists(&merged, profile_traits(profile), list);

	struct traits *before = profile->traits;
	struct traits *traits = checked(malloc(sizeof *traits + merged.length));
	*traits = (struct traits){.next_ms = INSTANT_MS_NEVER, .list_size = (uint32_t)merged.length};
	memcpy(traits->list, merged.data, merged.length);
	buffer_done(&merged);

	struct sealed_block *newest = sealed.length > 0 ? sealed_block_new(sealed, sealer) : NULL;
	link_sealed(traits, before, list, newest);
	if (newest != NULL && newest->references == 0)
		free(newest);
	else
		profiles->bytes += sealed.length;
	profiles->bytes += traits->list_size + (before == NULL ? sizeof *traits : 0);
	profiles->bytes -= before == NULL ? 0 : before->list_size;
	profile->traits = traits;
	profiles->bytes -= free_traits(before);
}

/* The name as it lies in the list. */
static struct text name_in(struct text list, struct text name)
{
	for (struct value_reader reader = value_read(list); value_next(&reader);)
		if (text_equal(reader.name, name))
			return reader.name;
	abort();
}

void profile_replace_traits(struct profiles *profiles, struct profile *profile, struct text list)
{
	struct traits *before = profile->traits;
	struct traits *traits = checked(malloc(sizeof *traits + list.length));
	*traits               = *before;
	traits->list_size     = (uint32_t)list.length;
	memcpy(traits->list, list.data, list.length);
	for (uint32_t i = 0; i < traits->sealed_count; i++)
		traits->sealed[i].name =
			name_in((struct text){traits->list, traits->list_size}, traits->sealed[i].name);
	profiles->bytes += list.length;
	profiles->bytes -= before->list_size;
	profile->traits = traits;
	free(before);
}

void profile_clear(struct profiles *profiles, struct profile *profile)
{
	const struct feature_set *features = profile->features;
	for (uint32_t i = 0; features != NULL && i < features->count; i++)
		profiles_count_series(profiles, series_bytes(features->items[i].series), 0);
	count_set(profiles, sizeof(struct person_feature),
	          set_bytes(features, sizeof(struct person_feature)), 0);
	count_set(profiles, sizeof(struct membership),
	          set_bytes(profile->memberships, sizeof(struct membership)), 0);
	if (profile->traits != NULL)
		profiles->bytes -= sizeof *profile->traits + profile->traits->list_size;
	profiles->bytes -= profile_done(profile);
	profile->traits      = NULL;
	profile->features    = NULL;
	profile->memberships = NULL;
}
