#include "vault/key_cache.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

void key_cache_init(struct key_cache *cache)
{
	cache->sets = sodium_allocarray(KEY_CACHE_SETS, sizeof *cache->sets);
	if (!cache->sets)
		abort();
	memset(cache->sets, 0, KEY_CACHE_SETS * sizeof *cache->sets);
	for (size_t i = 0; i < KEY_CACHE_LOCKS; i++)
		pthread_mutex_init(&cache->locks[i].mutex, NULL);
}

void key_cache_done(struct key_cache *cache)
{
	sodium_free(cache->sets); /* wipes */
	for (size_t i = 0; i < KEY_CACHE_LOCKS; i++)
		pthread_mutex_destroy(&cache->locks[i].mutex);
}

/* Slots are dense: multiplying spreads neighbours over the sets (Knuth, 6.4). */
static size_t set_of(uint64_t number)
{
	return (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 32) % KEY_CACHE_SETS;
}

bool key_cache_get(struct key_cache *cache, uint64_t number, uint8_t ret_key[CIPHER_KEY_BYTES])
{
	size_t                set   = set_of(number);
	struct key_cache_set *keys  = &cache->sets[set];
	pthread_mutex_t      *mutex = &cache->locks[set % KEY_CACHE_LOCKS].mutex;
	bool                  found = false;
	pthread_mutex_lock(mutex);
	for (unsigned way = 0; way < KEY_CACHE_WAYS && !found; way++) {
		found = keys->tags[way] == number + 1;
		if (found)
			memcpy(ret_key, keys->keys[way], CIPHER_KEY_BYTES);
	}
	pthread_mutex_unlock(mutex);
	return found;
}

/* Where the number lies already, else where the oldest does. */
static unsigned way_for(struct key_cache_set *keys, uint64_t number)
{
	for (unsigned way = 0; way < KEY_CACHE_WAYS; way++)
		if (keys->tags[way] == number + 1)
			return way;
	return keys->next++ % KEY_CACHE_WAYS;
}

void key_cache_put(struct key_cache *cache, uint64_t number, const uint8_t key[CIPHER_KEY_BYTES])
{
	size_t                set   = set_of(number);
	struct key_cache_set *keys  = &cache->sets[set];
	pthread_mutex_t      *mutex = &cache->locks[set % KEY_CACHE_LOCKS].mutex;
	pthread_mutex_lock(mutex);
	unsigned way    = way_for(keys, number);
	keys->tags[way] = number + 1;
	memcpy(keys->keys[way], key, CIPHER_KEY_BYTES);
	pthread_mutex_unlock(mutex);
}

void key_cache_remove(struct key_cache *cache, uint64_t number)
{
	size_t                set   = set_of(number);
	struct key_cache_set *keys  = &cache->sets[set];
	pthread_mutex_t      *mutex = &cache->locks[set % KEY_CACHE_LOCKS].mutex;
	pthread_mutex_lock(mutex);
	for (unsigned way = 0; way < KEY_CACHE_WAYS; way++)
		if (keys->tags[way] == number + 1) {
			keys->tags[way] = 0;
			cipher_wipe(keys->keys[way], CIPHER_KEY_BYTES);
		}
	pthread_mutex_unlock(mutex);
}
