#include "limit/buckets.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SECOND_NS INT64_C(1000000000)

enum { KEY_BYTES_MAX = 256, CACHE_LINE_BYTES = 64 };

struct slot {
	uint64_t key; /* 0: empty */
	int64_t  full_ns;
};

/* Each on lines of its own: neighbours are taken by different threads. */
struct lock {
	_Alignas(CACHE_LINE_BYTES) pthread_mutex_t mutex;
};

struct buckets {
	struct lock      locks[BUCKETS_LOCKS];
	uint8_t          secret[HASH_KEY_BYTES];
	size_t           set_count;
	struct slot     *slots;
	_Atomic uint64_t evicted;
};

_Static_assert(sizeof(struct slot) == 16, "as the header says");

struct buckets *buckets_new(size_t slot_count)
{
	struct buckets *buckets = aligned_alloc(CACHE_LINE_BYTES, sizeof *buckets);
	assert(buckets != NULL);
	assert(slot_count >= BUCKETS_SLOTS_OF_SET && (slot_count & (slot_count - 1)) == 0);
	memset(buckets, 0, sizeof *buckets);
	buckets->set_count = slot_count / BUCKETS_SLOTS_OF_SET;
	buckets->slots     = calloc(slot_count, sizeof *buckets->slots);
	assert(buckets->slots != NULL);
	random_bytes(buckets->secret, sizeof buckets->secret);
	for (unsigned i = 0; i < BUCKETS_LOCKS; i++)
		pthread_mutex_init(&buckets->locks[i].mutex, NULL);
	return buckets;
}

void buckets_free(struct buckets *buckets)
{
	if (buckets == NULL)
		return;
	for (unsigned i = 0; i < BUCKETS_LOCKS; i++)
		pthread_mutex_destroy(&buckets->locks[i].mutex);
	free(buckets->slots);
	free(buckets);
}

static uint64_t hash_of(const struct buckets *buckets, unsigned kind, struct text key)
{
	uint8_t input[1 + KEY_BYTES_MAX];
	size_t  length = key.length < KEY_BYTES_MAX ? key.length : KEY_BYTES_MAX;
	input[0]       = (uint8_t)kind;
	memcpy(input + 1, key.data, length);
	uint64_t hash = hash_keyed(buckets->secret, input, 1 + length);
	return hash == 0 ? 1 : hash;
}

/* Under the set's lock: the key's slot, or that of the fullest. */
static struct slot *find(struct buckets *buckets, size_t set, uint64_t key, int64_t now_ns)
{
	struct slot *slots   = &buckets->slots[set * BUCKETS_SLOTS_OF_SET];
	struct slot *fullest = slots;
	for (unsigned i = 0; i < BUCKETS_SLOTS_OF_SET; i++) {
		if (slots[i].key == key)
			return &slots[i];
		if (slots[i].full_ns < fullest->full_ns)
			fullest = &slots[i];
	}
	if (fullest->full_ns > now_ns)
		atomic_fetch_add_explicit(&buckets->evicted, 1, memory_order_relaxed);
	*fullest = (struct slot){.key = key, .full_ns = now_ns};
	return fullest;
}

static unsigned seconds_up(int64_t ns) { return (unsigned)((ns + SECOND_NS - 1) / SECOND_NS); }

static void describe(const struct bucket_size *size, int64_t debt_ns, bool taken,
                     struct bucket_state *ret_state)
{
	int64_t drop_ns = SECOND_NS / size->rate;
	int64_t full_ns = size->burst * drop_ns;
	*ret_state      = (struct bucket_state){.limit     = size->burst,
	                                        .remaining = (full_ns - debt_ns) / drop_ns,
	                                        .reset_s   = seconds_up(debt_ns)};
	if (!taken)
		ret_state->retry_after_s = seconds_up(debt_ns + drop_ns - full_ns);
}

bool buckets_take(struct buckets *buckets, unsigned kind, struct text key,
                  const struct bucket_size *size, int64_t now_ns, struct bucket_state *ret_state)
{
	*ret_state = (struct bucket_state){0};
	if (size->rate == 0)
		return true;
	assert(size->rate <= BUCKETS_RATE_MAX && size->burst >= 1 && size->burst <= BUCKETS_RATE_MAX);
	uint64_t         hash    = hash_of(buckets, kind, key);
	size_t           set     = hash & (buckets->set_count - 1);
	int64_t          drop_ns = SECOND_NS / size->rate;
	pthread_mutex_t *lock    = &buckets->locks[set % BUCKETS_LOCKS].mutex;

	pthread_mutex_lock(lock);
	struct slot *slot    = find(buckets, set, hash, now_ns);
	int64_t      debt_ns = slot->full_ns > now_ns ? slot->full_ns - now_ns : 0;
	/* A bucket that was made smaller meanwhile is empty, not in debt. */
	if (debt_ns > size->burst * drop_ns)
		debt_ns = size->burst * drop_ns;
	bool taken = debt_ns + drop_ns <= size->burst * drop_ns;
	if (taken)
		debt_ns += drop_ns;
	slot->full_ns = now_ns + debt_ns;
	pthread_mutex_unlock(lock);
	describe(size, debt_ns, taken, ret_state);
	return taken;
}

uint64_t buckets_evicted(const struct buckets *buckets)
{
	return atomic_load_explicit(&buckets->evicted, memory_order_relaxed);
}

size_t buckets_slot_count(const struct buckets *buckets)
{
	return buckets->set_count * BUCKETS_SLOTS_OF_SET;
}
