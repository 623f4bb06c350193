#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { CAPACITY_MIN = 16 };

static void *zeroed(size_t count, size_t size)
{
	void *memory = calloc(count, size);
	if (memory == NULL)
		abort();
	return memory;
}

/* Whether an entry whose home is `home` and that lies in `slot` may move into the hole before it:
 * only when its home does not lie between the two (cyclically). */
static bool may_move(size_t hole, size_t slot, size_t home, size_t mask)
{
	return ((slot - home) & mask) >= ((slot - hole) & mask);
}

/* splitmix64's finaliser (Steele, Lea, Flood 2014; constants by Stafford). */
static uint64_t mix(uint64_t key)
{
	key = (key ^ (key >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	key = (key ^ (key >> 27)) * UINT64_C(0x94d049bb133111eb);
	return key ^ (key >> 31);
}

void map_u64_done(struct map_u64 *map)
{
	free(map->slots);
	*map = (struct map_u64){0};
}

/* The slot of `key`, or the empty one where it belongs. */
static uint64_t *slot_u64(const struct map_u64 *map, uint64_t key)
{
	size_t mask = map->capacity - 1;
	size_t at   = mix(key) & mask;
	while (map->slots[2 * at] != key && map->slots[2 * at] != 0)
		at = (at + 1) & mask;
	return &map->slots[2 * at];
}

uint64_t *map_u64_find(const struct map_u64 *map, uint64_t key)
{
	if (key == 0)
		return map->has_zero ? (uint64_t *)&map->zero_value : NULL;
	if (map->capacity == 0)
		return NULL;
	uint64_t *slot = slot_u64(map, key);
	return slot[0] == key ? &slot[1] : NULL;
}

static void grow_u64(struct map_u64 *map)
{
	struct map_u64 old = *map;
	map->capacity      = old.capacity == 0 ? CAPACITY_MIN : old.capacity * 2;
	map->slots         = zeroed(map->capacity, 2 * sizeof *map->slots);
	for (size_t i = 0; i < old.capacity; i++) {
		if (old.slots[2 * i] == 0)
			continue;
		uint64_t *slot = slot_u64(map, old.slots[2 * i]);
		memcpy(slot, &old.slots[2 * i], 2 * sizeof *slot);
	}
	free(old.slots);
}

uint64_t *map_u64_put(struct map_u64 *map, uint64_t key)
{
	if (key == 0) {
		if (!map->has_zero) {
			map->has_zero   = true;
			map->zero_value = 0;
			map->count++;
		}
		return &map->zero_value;
	}

	if (map->capacity > 0) {
		uint64_t *slot = slot_u64(map, key);
		if (slot[0] == key)
			return &slot[1];
	}
	/* Key 0 counts too: a little room too much does no harm. */
	if ((map->count + 1) * 4 > map->capacity * 3)
		grow_u64(map);
	uint64_t *slot = slot_u64(map, key);
	slot[0]        = key;
	map->count++;
	return &slot[1];
}

bool map_u64_remove(struct map_u64 *map, uint64_t key)
{
	uint64_t *value = map_u64_find(map, key);
	if (value == NULL)
		return false;
	map->count--;
	if (key == 0) {
		map->has_zero = false;
		return true;
	}

	size_t mask = map->capacity - 1;
	size_t hole = (size_t)(value - 1 - map->slots) / 2;
	for (size_t at = (hole + 1) & mask; map->slots[2 * at] != 0; at = (at + 1) & mask) {
		if (!may_move(hole, at, mix(map->slots[2 * at]) & mask, mask))
			continue;
		memcpy(&map->slots[2 * hole], &map->slots[2 * at], 2 * sizeof *map->slots);
		hole = at;
	}
	map->slots[2 * hole]     = 0;
	map->slots[2 * hole + 1] = 0;
	return true;
}

size_t map_u64_bytes(const struct map_u64 *map) { return map->capacity * 2 * sizeof *map->slots; }

void map_u64_prefetch(const struct map_u64 *map, uint64_t key)
{
	if (map->capacity > 0)
		__builtin_prefetch(&map->slots[2 * (mix(key) & (map->capacity - 1))]);
}

void map_text_done(struct map_text *map)
{
	for (size_t i = 0; i < map->capacity; i++)
		free(map->slots[i].key);
	free(map->slots);
	*map = (struct map_text){0};
}

static struct map_text_slot *slot_text(const struct map_text *map, struct text key, uint64_t hash)
{
	size_t mask = map->capacity - 1;
	for (size_t at = hash & mask;; at = (at + 1) & mask) {
		struct map_text_slot *slot = &map->slots[at];
		if (slot->key == NULL ||
		    (slot->hash == hash && text_equal((struct text){slot->key, slot->key_length}, key)))
			return slot;
	}
}

static struct map_text_slot *find_text(const struct map_text *map, struct text key)
{
	if (map->capacity == 0)
		return NULL;
	struct map_text_slot *slot = slot_text(map, key, hash_bytes(key.data, key.length));
	return slot->key == NULL ? NULL : slot;
}

void *map_text_get(const struct map_text *map, struct text key)
{
	struct map_text_slot *slot = find_text(map, key);
	return slot == NULL ? NULL : slot->value;
}

static void grow_text(struct map_text *map)
{
	struct map_text old = *map;
	map->capacity       = old.capacity == 0 ? CAPACITY_MIN : old.capacity * 2;
	map->slots          = zeroed(map->capacity, sizeof *map->slots);
	for (size_t i = 0; i < old.capacity; i++) {
		struct map_text_slot *from = &old.slots[i];
		if (from->key != NULL)
			*slot_text(map, (struct text){from->key, from->key_length}, from->hash) = *from;
	}
	free(old.slots);
}

void **map_text_put(struct map_text *map, struct text key)
{
	uint64_t              hash = hash_bytes(key.data, key.length);
	struct map_text_slot *slot = map->capacity == 0 ? NULL : slot_text(map, key, hash);
	if (slot != NULL && slot->key != NULL)
		return &slot->value;

	if ((map->count + 1) * 4 > map->capacity * 3) {
		grow_text(map);
		slot = slot_text(map, key, hash);
	}
	char *copy = zeroed(key.length + 1, 1);
	if (key.length > 0)
		memcpy(copy, key.data, key.length);
	*slot = (struct map_text_slot){copy, key.length, hash, NULL};
	map->count++;
	return &slot->value;
}

bool map_text_remove(struct map_text *map, struct text key)
{
	struct map_text_slot *slot = find_text(map, key);
	if (slot == NULL)
		return false;
	free(slot->key);
	map->count--;

	size_t mask = map->capacity - 1;
	size_t hole = (size_t)(slot - map->slots);
	for (size_t at = (hole + 1) & mask; map->slots[at].key != NULL; at = (at + 1) & mask) {
		if (!may_move(hole, at, map->slots[at].hash & mask, mask))
			continue;
		map->slots[hole] = map->slots[at];
		hole             = at;
	}
	map->slots[hole] = (struct map_text_slot){0};
	return true;
}
