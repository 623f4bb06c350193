#ifndef SONNIM_BASE_MAP_H
#define SONNIM_BASE_MAP_H

/* Hash maps with open addressing (linear probing, power-of-two capacity, at most 3/4 full, removal
 * by shifting back, so no tombstones). One owner, one writer thread. Zeroed memory is an empty map.
 * Running out of memory aborts. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* uint64 → uint64. The caller's keys are mixed here, any distribution is fine. 16 bytes a slot and
 * a bit: key 0 is allowed. */
struct map_u64 {
	uint64_t *slots; /* pairs of key and value */
	size_t    count;
	size_t    capacity;
	bool      has_zero; /* key 0 lies beside the table: there 0 means empty */
	uint64_t  zero_value;
};

void      map_u64_done(struct map_u64 *map);
uint64_t *map_u64_find(const struct map_u64 *map, uint64_t key); /* NULL when absent */
/* Where the value of `key` lies, added as 0 when absent; valid until the next change. */
uint64_t *map_u64_put(struct map_u64 *map, uint64_t key);
bool      map_u64_remove(struct map_u64 *map, uint64_t key);
size_t    map_u64_bytes(const struct map_u64 *map); /* of memory */
void      map_u64_prefetch(const struct map_u64 *map, uint64_t key);

/* text → pointer; copies its keys. */
struct map_text_slot {
	char    *key; /* NULL when empty */
	size_t   key_length;
	uint64_t hash;
	void    *value;
};
struct map_text {
	struct map_text_slot *slots;
	size_t                count;
	size_t                capacity;
};

void   map_text_done(struct map_text *map);                       /* frees keys, not values */
void  *map_text_get(const struct map_text *map, struct text key); /* NULL when absent */
void **map_text_put(struct map_text *map, struct text key);
bool   map_text_remove(struct map_text *map, struct text key);

#endif
