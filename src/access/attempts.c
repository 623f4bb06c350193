#include "access/attempts.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { BUCKET_SLOTS = 8, BUCKET_COUNT = ATTEMPTS_SLOTS / BUCKET_SLOTS, TEXT_BYTES_MAX = 512 };

struct slot {
	uint64_t key; /* 0: empty */
	uint32_t failures;
	int64_t  last_ms;
	int64_t  next_ms; /* not before */
};

struct attempts {
	pthread_mutex_t lock;
	uint8_t         key[HASH_KEY_BYTES]; /* nobody aims at a bucket */
	struct slot     slots[ATTEMPTS_SLOTS];
};

_Static_assert(sizeof(struct slot) == 32, "as the header says");

struct attempts *attempts_new(void)
{
	struct attempts *attempts = calloc(1, sizeof *attempts);
	assert(attempts != NULL);
	pthread_mutex_init(&attempts->lock, NULL);
	random_bytes(attempts->key, sizeof attempts->key);
	return attempts;
}

void attempts_free(struct attempts *attempts)
{
	if (attempts == NULL)
		return;
	pthread_mutex_destroy(&attempts->lock);
	free(attempts);
}

/* Of two texts that are told apart from any other two; never 0. */
static uint64_t hash_of(const struct attempts *attempts, char kind, struct text a, struct text b)
{
	uint8_t input[1 + SHA256_BYTES + SHA256_BYTES];
	input[0] = (uint8_t)kind;
	hash_sha256(a.data, a.length, input + 1);
	hash_sha256(b.data, b.length, input + 1 + SHA256_BYTES);
	uint64_t hash = hash_keyed(attempts->key, input, sizeof input);
	return hash == 0 ? 1 : hash;
}

/* What of an address somebody cannot change at will. */
static struct text network(struct text address, uint8_t into[sizeof(struct in6_addr)])
{
	char text[INET6_ADDRSTRLEN];
	if (address.length >= sizeof text)
		return address;
	memcpy(text, address.data, address.length);
	text[address.length] = '\0';
	if (inet_pton(AF_INET6, text, into) != 1)
		return address;
	bool is_v4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)into);
	return (struct text){(const char *)into, is_v4 ? sizeof(struct in6_addr) : 8};
}

struct attempt attempt_of(const struct attempts *attempts, struct text address, struct text person,
                          struct text device)
{
	uint8_t bytes[sizeof(struct in6_addr)] __attribute__((aligned(8)));
	if (device.length > 0)
		return (struct attempt){.pair = hash_of(attempts, 'd', device, person)};
	struct text of = network(address, bytes);
	return (struct attempt){.pair    = hash_of(attempts, 'p', of, person),
	                        .address = hash_of(attempts, 'a', of, (struct text){0})};
}

/* Its slot, NULL: there is none; `add`: made, in place of the one that was used longest ago. */
static struct slot *find(struct attempts *attempts, uint64_t key, bool add)
{
	struct slot *bucket = &attempts->slots[key % BUCKET_COUNT * BUCKET_SLOTS];
	struct slot *oldest = bucket;
	for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
		if (bucket[i].key == key)
			return &bucket[i];
		if (bucket[i].key == 0 || (oldest->key != 0 && bucket[i].last_ms < oldest->last_ms))
			oldest = &bucket[i];
	}
	if (!add)
		return NULL;
	*oldest = (struct slot){.key = key};
	return oldest;
}

static int64_t wait_ms(struct attempts *attempts, uint64_t key, int64_t now_ms)
{
	const struct slot *slot = key == 0 ? NULL : find(attempts, key, false);
	return slot == NULL || slot->next_ms <= now_ms ? 0 : slot->next_ms - now_ms;
}

enum status attempts_admit(struct attempts *attempts, const struct attempt *attempt, int64_t now_ms,
                           int64_t *ret_wait_ms, struct error *err)
{
	pthread_mutex_lock(&attempts->lock);
	int64_t wait    = wait_ms(attempts, attempt->pair, now_ms);
	int64_t address = wait_ms(attempts, attempt->address, now_ms);
	pthread_mutex_unlock(&attempts->lock);
	wait         = wait > address ? wait : address;
	*ret_wait_ms = wait;
	if (wait > 0)
		return error_set(err, STATUS_LIMITED, "Too many wrong attempts: try again in %lld seconds",
		                 (long long)((wait + 999) / 1000));
	return STATUS_OK;
}

static void count(struct attempts *attempts, uint64_t key, unsigned free_count, int64_t now_ms)
{
	if (key == 0)
		return;
	struct slot *slot = find(attempts, key, true);
	if (now_ms - slot->last_ms > ATTEMPTS_FORGET_MS)
		slot->failures = 0;
	slot->failures++;
	slot->last_ms = now_ms;
	if (slot->failures <= free_count)
		return;
	unsigned doublings = slot->failures - free_count - 1;
	int64_t  delay_ms =
        doublings < 20 ? INT64_C(1) * ATTEMPTS_DELAY_MS_MIN << doublings : ATTEMPTS_DELAY_MS_MAX;
	slot->next_ms = now_ms + (delay_ms < ATTEMPTS_DELAY_MS_MAX ? delay_ms : ATTEMPTS_DELAY_MS_MAX);
}

void attempts_failed(struct attempts *attempts, const struct attempt *attempt, int64_t now_ms)
{
	pthread_mutex_lock(&attempts->lock);
	count(attempts, attempt->pair, ATTEMPTS_FREE, now_ms);
	count(attempts, attempt->address, ATTEMPTS_FREE_ADDRESS, now_ms);
	pthread_mutex_unlock(&attempts->lock);
}

void attempts_succeeded(struct attempts *attempts, const struct attempt *attempt)
{
	pthread_mutex_lock(&attempts->lock);
	struct slot *slot = find(attempts, attempt->pair, false);
	if (slot != NULL)
		*slot = (struct slot){0};
	pthread_mutex_unlock(&attempts->lock);
}
