#ifndef SONNIM_LIMIT_BUCKETS_H
#define SONNIM_LIMIT_BUCKETS_H

/* Token buckets by key, as many as there are keys, in memory of one fixed size.
 *
 *   key ── SipHash-2-4, secret ──► set of 8 slots ──► {key's hash, instant at which it is full}
 *
 * A bucket is one number, the instant at which it is full again (generic cell rate algorithm,
 * "theoretical arrival time", ITU-T I.371, annex A). A key that has no slot has a full bucket, so
 * nothing is lost by forgetting one that is full; where all eight are in use the fullest goes, and
 * its key begins with a full bucket again: who wants to profit from that has to fill the set with
 * keys that he can neither choose (the hash is secret) nor make for nothing (of an IPv6 address the
 * first 64 bits count).
 *
 * Time is the caller's, nanoseconds that never go back. Threads: any; a set is under one of
 * BUCKETS_LOCKS locks. Cost: a hash of the key and a lock that is hardly ever contended, some tens
 * of nanoseconds. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum {
	BUCKETS_SLOTS_OF_SET = 8,
	BUCKETS_LOCKS        = 64,
	BUCKETS_RATE_MAX     = 1000000, /* a second, and burst */
};

struct buckets;

/* `slot_count`: a power of two, 16 bytes each. */
struct buckets *buckets_new(size_t slot_count);
void            buckets_free(struct buckets *buckets); /* NULL is fine */

struct bucket_size {
	int64_t rate;  /* drops a second; 0: no limit */
	int64_t burst; /* how many it holds, at least 1 */
};

/* What a bucket holds behind a question. */
struct bucket_state {
	int64_t  limit;         /* what it holds when it is full; 0: there is no limit */
	int64_t  remaining;     /* whole ones that are left */
	unsigned reset_s;       /* until it is full, rounded up */
	unsigned retry_after_s; /* refused: until there is one again, rounded up, at least 1 */
};

/* Takes one from the bucket of `kind` and `key`; false: there is none left, nothing is taken. */
bool buckets_take(struct buckets *buckets, unsigned kind, struct text key,
                  const struct bucket_size *size, int64_t now_ns, struct bucket_state *ret_state);

/* Buckets that had to make room though they were not full. */
uint64_t buckets_evicted(const struct buckets *buckets);
size_t   buckets_slot_count(const struct buckets *buckets);

#endif
