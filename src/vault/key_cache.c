#include "vault/key_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Where the pages of a million persons begin to be too many for the processor's tables: from there
 * on large ones are asked for. Small ones before, so that few persons take little. */
enum { SMALL_PAGES_BYTES = 2 << 20 };

static size_t bytes_of(size_t set_count) { return set_count * sizeof(struct key_cache_set); }

/* Pages are locked when they are first used. */
static bool take(struct key_cache *cache, size_t set_count, bool must_lock)
{
	size_t bytes  = bytes_of(set_count);
	char  *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		abort();
	(void)madvise(memory, bytes, MADV_DONTDUMP);
	(void)madvise(memory + SMALL_PAGES_BYTES, bytes - SMALL_PAGES_BYTES, MADV_HUGEPAGE);
	if (mlock2(memory, bytes, MLOCK_ONFAULT) != 0 && must_lock) {
		munmap(memory, bytes);
		return false;
	}
	cache->sets      = (struct key_cache_set *)memory;
	cache->set_count = set_count;
	return true;
}

void key_cache_init(struct key_cache *cache, uint32_t partition_count)
{
	cache->partition_count = partition_count;
	if (!take(cache, KEY_CACHE_SETS_MAX, true))
		(void)take(cache, KEY_CACHE_SETS_MIN, false);
	for (size_t i = 0; i < KEY_CACHE_LOCKS; i++)
		pthread_mutex_init(&cache->locks[i].mutex, NULL);
}

/* What was never used stays untouched: it takes no memory. A key without tag was wiped. */
static bool is_used(const struct key_cache_set *set)
{
	uint64_t tags = 0;
	for (unsigned way = 0; way < KEY_CACHE_WAYS; way++)
		tags |= set->tags[way];
	return tags != 0;
}

void key_cache_done(struct key_cache *cache)
{
	for (size_t i = 0; i < cache->set_count; i++)
		if (is_used(&cache->sets[i]))
			cipher_wipe(&cache->sets[i], sizeof cache->sets[i]);
	munmap(cache->sets, bytes_of(cache->set_count));
	for (size_t i = 0; i < KEY_CACHE_LOCKS; i++)
		pthread_mutex_destroy(&cache->locks[i].mutex);
}

uint64_t key_cache_memory_bytes(const struct key_cache *cache, uint64_t persons)
{
	uint64_t sets = persons / KEY_CACHE_WAYS + 1;
	return bytes_of(sets < cache->set_count ? sets : cache->set_count);
}

/* Of all partitions the first slots, then the next ones. */
static size_t set_of(const struct key_cache *cache, uint64_t number)
{
	struct person person = person_of_number(number);
	uint64_t      set    = (uint64_t)(person.slot / KEY_CACHE_WAYS) * cache->partition_count;
	return (set + person.partition) & (cache->set_count - 1);
}

/* Where the number lies in its set, as long as there are no more persons than keys. */
static unsigned own_way(uint64_t number) { return person_of_number(number).slot % KEY_CACHE_WAYS; }

void key_cache_prefetch(const struct key_cache *cache, uint64_t number)
{
	const struct key_cache_set *set = &cache->sets[set_of(cache, number)];
	__builtin_prefetch(set->tags);
	__builtin_prefetch(set->keys[own_way(number)]);
}

bool key_cache_get(struct key_cache *cache, uint64_t number, uint8_t ret_key[CIPHER_KEY_BYTES])
{
	size_t                set   = set_of(cache, number);
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

/* Where the number lies already, else a free place, its own first, else the next in turn. */
static unsigned way_for(struct key_cache_set *keys, uint64_t number)
{
	for (unsigned way = 0; way < KEY_CACHE_WAYS; way++)
		if (keys->tags[way] == number + 1)
			return way;
	for (unsigned i = 0; i < KEY_CACHE_WAYS; i++)
		if (keys->tags[(own_way(number) + i) % KEY_CACHE_WAYS] == 0)
			return (own_way(number) + i) % KEY_CACHE_WAYS;
	return keys->next++ % KEY_CACHE_WAYS;
}

void key_cache_put(struct key_cache *cache, uint64_t number, const uint8_t key[CIPHER_KEY_BYTES])
{
	size_t                set   = set_of(cache, number);
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
	size_t                set   = set_of(cache, number);
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
