#include "http/neighbours.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"

enum { NETWORK_BYTES = 8, V4_BYTES = 4, V4_AT = 12 };

struct neighbours {
	pthread_mutex_t lock;
	uint8_t         secret[HASH_KEY_BYTES];
	struct map_u64  counts;
};

struct neighbours *neighbours_new(void)
{
	struct neighbours *neighbours = calloc(1, sizeof *neighbours);
	assert(neighbours);
	pthread_mutex_init(&neighbours->lock, NULL);
	random_bytes(neighbours->secret, sizeof neighbours->secret);
	return neighbours;
}

void neighbours_free(struct neighbours *neighbours)
{
	if (!neighbours)
		return;
	map_u64_done(&neighbours->counts);
	pthread_mutex_destroy(&neighbours->lock);
	free(neighbours);
}

static uint64_t key_of(const struct neighbours *neighbours, const struct in6_addr *address)
{
	if (IN6_IS_ADDR_V4MAPPED(address))
		return hash_keyed(neighbours->secret, address->s6_addr + V4_AT, V4_BYTES);
	return hash_keyed(neighbours->secret, address->s6_addr, NETWORK_BYTES);
}

bool neighbours_admit(struct neighbours *neighbours, const struct in6_addr *address, uint64_t most)
{
	pthread_mutex_lock(&neighbours->lock);
	const uint64_t *count = map_u64_find(&neighbours->counts, key_of(neighbours, address));
	bool            fewer = count == NULL || *count < most;
	pthread_mutex_unlock(&neighbours->lock);
	return fewer;
}

void neighbours_add(struct neighbours *neighbours, const struct in6_addr *address)
{
	pthread_mutex_lock(&neighbours->lock);
	++*map_u64_put(&neighbours->counts, key_of(neighbours, address));
	pthread_mutex_unlock(&neighbours->lock);
}

void neighbours_remove(struct neighbours *neighbours, const struct in6_addr *address)
{
	uint64_t key = key_of(neighbours, address);
	pthread_mutex_lock(&neighbours->lock);
	uint64_t *count = map_u64_find(&neighbours->counts, key);
	assert(count && *count > 0);
	if (--*count == 0)
		map_u64_remove(&neighbours->counts, key);
	pthread_mutex_unlock(&neighbours->lock);
}
