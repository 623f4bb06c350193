#ifndef SONNIM_VAULT_KEY_CACHE_H
#define SONNIM_VAULT_KEY_CACHE_H

/* Unwrapped data keys of the persons seen last: KEY_CACHE_SETS sets of four, found by a hash of the
 * person number; the oldest of a set gives way. A key that gives way is overwritten by the new one,
 * the rest is wiped at the end. The memory is locked and left out of core dumps where the system's
 * limits allow it.
 *
 * Threads: any. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vault/cipher.h"

enum { KEY_CACHE_WAYS = 4, KEY_CACHE_SETS = 16384, KEY_CACHE_LOCKS = 64 };

struct key_cache_set {
	uint64_t tags[KEY_CACHE_WAYS]; /* person number + 1; 0: empty */
	uint8_t  keys[KEY_CACHE_WAYS][CIPHER_KEY_BYTES];
	uint32_t next; /* the way that gives way */
};

struct key_cache {
	struct key_cache_set *sets;
	struct key_cache_lock {
		_Alignas(64) pthread_mutex_t mutex;
	} locks[KEY_CACHE_LOCKS];
};

void key_cache_init(struct key_cache *cache);
void key_cache_done(struct key_cache *cache);

bool key_cache_get(struct key_cache *cache, uint64_t number, uint8_t ret_key[CIPHER_KEY_BYTES]);
void key_cache_put(struct key_cache *cache, uint64_t number, const uint8_t key[CIPHER_KEY_BYTES]);
/* Wipes the key of a person who was erased. */
void key_cache_remove(struct key_cache *cache, uint64_t number);

#endif
