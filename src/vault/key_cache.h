#ifndef SONNIM_VAULT_KEY_CACHE_H
#define SONNIM_VAULT_KEY_CACHE_H

/* Unwrapped data keys of the persons seen last, in sets of four; those of a set give way in
 * turn. A key that gives way is overwritten by the new one, the rest is wiped at the end. The first
 * slots of all partitions come first, then the next ones: slots are dense, so that memory is used
 * only for as many persons as there are.
 *
 * The memory is locked and left out of core dumps. There are KEY_CACHE_SETS_MAX sets where so much
 * may be locked (RLIMIT_MEMLOCK), else KEY_CACHE_SETS_MIN, locked where that is allowed. To unwrap
 * a key costs some four times as much as to seal with it: a million persons may be active before it
 * has to be done again and again.
 *
 * Threads: any. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/person.h"
#include "vault/cipher.h"

enum {
	KEY_CACHE_WAYS     = 4,
	KEY_CACHE_SETS_MAX = 1 << 18, /* 48 MiB */
	KEY_CACHE_SETS_MIN = 1 << 14,
	KEY_CACHE_LOCKS    = 64,
};

struct key_cache_set {
	_Alignas(64) uint64_t tags[KEY_CACHE_WAYS]; /* person number + 1; 0: empty */
	uint32_t next;                              /* that gives way when all are taken */
	_Alignas(64) uint8_t keys[KEY_CACHE_WAYS][CIPHER_KEY_BYTES];
};

struct key_cache {
	struct key_cache_set *sets;
	size_t                set_count; /* a power of two */
	uint32_t              partition_count;
	struct key_cache_lock {
		_Alignas(64) pthread_mutex_t mutex;
	} locks[KEY_CACHE_LOCKS];
};

void key_cache_init(struct key_cache *cache, uint32_t partition_count);
void key_cache_done(struct key_cache *cache);

/* Asks for the memory in which a key may lie, for a look that comes soon. */
void key_cache_prefetch(const struct key_cache *cache, uint64_t number);
bool key_cache_get(struct key_cache *cache, uint64_t number, uint8_t ret_key[CIPHER_KEY_BYTES]);
void key_cache_put(struct key_cache *cache, uint64_t number, const uint8_t key[CIPHER_KEY_BYTES]);
/* What it takes when there are so many persons. */
uint64_t key_cache_memory_bytes(const struct key_cache *cache, uint64_t persons);
/* Wipes the key of a person who was erased. */
void key_cache_remove(struct key_cache *cache, uint64_t number);

#endif
