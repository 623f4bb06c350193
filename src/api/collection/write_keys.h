#ifndef SONNIM_API_WRITE_KEYS_H
#define SONNIM_API_WRITE_KEYS_H

/* Which source a write key belongs to: from a cache, and from the store on a miss, so that a key is
 * known the instant after it was made. Threads: any. */

#include <stdbool.h>
#include <stdint.h>

#include "ingest/source.h"
#include "store/store.h"

enum { WRITE_KEY_BYTES_MAX = 256, WRITE_KEY_CACHE_MAX = 10000 };

struct write_keys;

struct write_keys *write_keys_new(struct store *store, struct sources *sources);
void               write_keys_free(struct write_keys *keys);

/* From the cache alone. */
bool write_keys_cached(struct write_keys *keys, struct text key, struct source **ret_source);

/* Asks the store (blocks), and lets the source's settings hold from then on. STATUS_UNAUTHORIZED:
 * no source has this key; STATUS_UNAVAILABLE: the store is out of reach, whatever the reason (SDKs
 * try again). */
MUST_USE enum status write_keys_look_up(struct write_keys *keys, struct text key,
                                        struct source **ret_source, struct error *err);

/* A source was deleted; or changed, and these settings (NULL: none) hold from now on. */
void write_keys_forget(struct write_keys *keys, struct source *source,
                       const struct source_settings *settings);

/* The key of `Authorization: Basic base64(writeKey:)`, the colon may be missing. Decoded into
 * `ret_key`; false: no such header form, or no key in it. */
bool write_key_of_basic(struct text header, char ret_key[WRITE_KEY_BYTES_MAX], size_t *ret_length);

#endif
