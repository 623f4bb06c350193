#include "events/fuse_filter.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEADER_BYTES       = 24,
	SEGMENT_LENGTH_MAX = 1 << 18,
	ATTEMPTS_MAX       = 1000, /* each fails with a chance of a few in a hundred at most */
	PLACES             = 3,
	DIGIT_BITS         = 11,
	DIGITS             = 1 << DIGIT_BITS,
};

static uint64_t mix(uint64_t key, uint64_t seed)
{
	key += seed;
	key ^= key >> 33;
	key *= UINT64_C(0xff51afd7ed558ccd);
	key ^= key >> 33;
	key *= UINT64_C(0xc4ceb9fe1a85ec53);
	return key ^ key >> 33;
}

static uint8_t fingerprint(uint64_t hash) { return (uint8_t)(hash ^ hash >> 32); }

/* Three places in three neighbouring segments; the upper bits of the hash choose the first one. */
static void places(const struct fuse_filter *filter, uint64_t hash, uint32_t at[PLACES])
{
	uint32_t mask = filter->segment_length - 1;
	at[0]         = (uint32_t)((unsigned __int128)hash * filter->segment_count_length >> 64);
	at[1]         = (at[0] + filter->segment_length) ^ ((uint32_t)(hash >> 18) & mask);
	at[2]         = (at[0] + 2 * filter->segment_length) ^ ((uint32_t)hash & mask);
}

bool fuse_filter_has(const struct fuse_filter *filter, uint64_t key)
{
	if (filter->count == 0)
		return false;
	uint64_t hash = mix(key, filter->seed);
	uint32_t at[PLACES];
	places(filter, hash, at);
	return (filter->fingerprints[at[0]] ^ filter->fingerprints[at[1]] ^
	        filter->fingerprints[at[2]]) == fingerprint(hash);
}

void fuse_filter_prefetch(const struct fuse_filter *filter, uint64_t key)
{
	if (filter->count == 0)
		return;
	uint32_t at[PLACES];
	places(filter, mix(key, filter->seed), at);
	for (unsigned i = 0; i < PLACES; i++)
		__builtin_prefetch(&filter->fingerprints[at[i]]);
}

/* The sizes of the paper's section 3, for `count` keys. */
static struct fuse_filter sized_for(size_t count)
{
	struct fuse_filter filter = {0};
	if (count == 0)
		return filter;
	double exponent       = count < 2 ? 2 : floor(log((double)count) / log(3.33) + 2.25);
	filter.segment_length = exponent >= 18 ? SEGMENT_LENGTH_MAX : (uint32_t)1 << (unsigned)exponent;
	double   factor = count < 2 ? 2 : fmax(1.125, 0.875 + 0.25 * log(1000000) / log((double)count));
	uint64_t room   = (uint64_t)round((double)count * factor);

	uint64_t segments           = (room + filter.segment_length - 1) / filter.segment_length;
	segments                    = segments <= PLACES - 1 ? 1 : segments - (PLACES - 1);
	filter.segment_count_length = (uint32_t)(segments * filter.segment_length);
	filter.count                = (uint32_t)((segments + PLACES - 1) * filter.segment_length);
	return filter;
}

/* Sorts by the upper bits, two digits from the less significant one on, then the little rest. */
static size_t sort_unique(uint64_t *hashes, uint64_t *other, size_t count)
{
	for (unsigned shift = 64 - 2 * DIGIT_BITS; shift < 64; shift += DIGIT_BITS) {
		size_t begins[DIGITS + 1] = {0};
		for (size_t i = 0; i < count; i++)
			begins[(hashes[i] >> shift & (DIGITS - 1)) + 1]++;
		for (unsigned i = 0; i < DIGITS; i++)
			begins[i + 1] += begins[i];
		for (size_t i = 0; i < count; i++)
			other[begins[hashes[i] >> shift & (DIGITS - 1)]++] = hashes[i];
		uint64_t *sorted = other;
		other            = hashes;
		hashes           = sorted;
	}
	size_t unique = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t hash = hashes[i];
		size_t   at   = unique;
		while (at > 0 && hashes[at - 1] > hash)
			at--;
		if (at > 0 && hashes[at - 1] == hash)
			continue;
		memmove(&hashes[at + 1], &hashes[at], (unique - at) * sizeof *hashes);
		hashes[at] = hash;
		unique++;
	}
	return unique;
}

/* What is known of a place while keys are peeled off. */
struct place {
	uint64_t hashes; /* of those that it has, XORed */
	uint32_t count;
};

struct peeled {
	uint64_t hash;
	uint32_t at; /* the place that only it had */
};

/* Takes away one after the other a key that has a place for itself; false when some are left. */
static bool peel(const struct fuse_filter *filter, struct place *table, size_t count,
                 struct peeled *order, uint32_t *queue)
{
	size_t queued = 0, taken = 0;
	for (uint32_t i = 0; i < filter->count; i++)
		if (table[i].count == 1)
			queue[queued++] = i;
	while (queued > 0) {
		uint32_t alone = queue[--queued];
		if (table[alone].count != 1)
			continue;
		uint64_t hash  = table[alone].hashes;
		order[taken++] = (struct peeled){hash, alone};
		uint32_t at[PLACES];
		places(filter, hash, at);
		for (unsigned i = 0; i < PLACES; i++) {
			table[at[i]].hashes ^= hash;
			if (--table[at[i]].count == 1)
				queue[queued++] = at[i];
		}
	}
	return taken == count;
}

static bool fill(struct fuse_filter *filter, const uint64_t *hashes, size_t count,
                 uint8_t *fingerprints)
{
	struct place  *table = calloc(filter->count, sizeof *table);
	struct peeled *order = calloc(count, sizeof *order);
	uint32_t      *queue = calloc(filter->count + PLACES * count, sizeof *queue);
	if (table == NULL || order == NULL || queue == NULL)
		abort();
	for (size_t i = 0; i < count; i++) {
		uint32_t at[PLACES];
		places(filter, hashes[i], at);
		for (unsigned j = 0; j < PLACES; j++) {
			table[at[j]].hashes ^= hashes[i];
			table[at[j]].count++;
		}
	}
	bool filled = peel(filter, table, count, order, queue);
	for (size_t i = count; filled && i > 0; i--) {
		const struct peeled *key = &order[i - 1];
		uint32_t             at[PLACES];
		places(filter, key->hash, at);
		uint8_t value = fingerprint(key->hash);
		for (unsigned j = 0; j < PLACES; j++)
			if (at[j] != key->at)
				value ^= fingerprints[at[j]];
		fingerprints[key->at] = value;
	}
	free(table);
	free(order);
	free(queue);
	return filled;
}

void fuse_filter_write(uint64_t *keys, size_t key_count, struct buffer *out)
{
	assert(key_count <= UINT32_MAX / 2);
	uint64_t *hashes = calloc(2 * key_count + 1, sizeof *hashes);
	if (hashes == NULL)
		abort();

	struct fuse_filter filter = {0};
	size_t             begin  = out->length;
	bool               filled = false;
	for (unsigned attempt = 0; !filled; attempt++) {
		assert(attempt < ATTEMPTS_MAX);
		uint64_t seed = attempt * UINT64_C(0x9e3779b97f4a7c15);
		for (size_t i = 0; i < key_count; i++)
			hashes[i] = mix(keys[i], seed);
		size_t count = sort_unique(hashes, hashes + key_count, key_count);
		filter       = sized_for(count);
		filter.seed  = seed;

		out->length = begin;
		buffer_add_u64(out, filter.seed);
		buffer_add_u32(out, filter.segment_length);
		buffer_add_u32(out, filter.segment_count_length);
		buffer_add_u32(out, filter.count);
		buffer_add_u32(out, 0);
		uint8_t *fingerprints = (uint8_t *)buffer_reserve(out, filter.count);
		memset(fingerprints, 0, filter.count);
		out->length += filter.count;
		filled = count == 0 || fill(&filter, hashes, count, fingerprints);
	}
	free(hashes);
}

bool fuse_filter_read(struct text bytes, struct fuse_filter *ret_filter)
{
	struct byte_reader reader = byte_reader_of(bytes.data, bytes.length);
	struct fuse_filter filter = {.seed                 = read_u64(&reader),
	                             .segment_length       = read_u32(&reader),
	                             .segment_count_length = read_u32(&reader),
	                             .count                = read_u32(&reader)};
	read_u32(&reader);
	filter.fingerprints = reader.at;
	if (reader.failed || read_left(&reader) < filter.count)
		return false;
	/* The last place of any key: two segments behind the last one that a first place may lie in. */
	if (filter.count > 0 &&
	    (filter.segment_length == 0 || (filter.segment_length & (filter.segment_length - 1)) != 0 ||
	     filter.segment_count_length == 0 ||
	     filter.segment_count_length % filter.segment_length != 0 ||
	     (uint64_t)filter.segment_count_length + 2 * (uint64_t)filter.segment_length >
	         filter.count))
		return false;
	*ret_filter = filter;
	return true;
}
