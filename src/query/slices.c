#include "query/slices.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	CODES_BEGIN   = 2,  /* behind missing and unknown */
	INTERVALS_MAX = 24, /* of codes: for more, codes are read and looked for */
	BLOCK_WORDS   = COLUMN_BLOCK_WORDS,
	MATCH_ROOM    = 16, /* of slices_query_room() */
	/* Up to so many slices a walk through them is cheaper than reading each code. */
	WALK_WIDTH_MAX  = 6,
	CODES_WIDTH_MAX = 13, /* of so many slices there may be more codes than strings have */
};

/* Rooms up to here are rounded up, so that what grows slowly does not make the chunk anew. */
#define ROOM_ROUNDED_MAX (UINT64_C(1) << 40)

/* ---- Keys ---- */

int64_t slices_double_key(double number)
{
	int64_t bits;
	memcpy(&bits, &number, sizeof bits);
	return bits >= 0 ? bits : -(bits & INT64_MAX);
}

double slices_key_double(int64_t key)
{
	double  number;
	int64_t bits = key >= 0 ? key : (int64_t)((uint64_t)-key | UINT64_C(1) << 63);
	memcpy(&number, &bits, sizeof number);
	return number;
}

/* ---- Codes ---- */

static bool range_code(const struct slices_range *range, int64_t key, uint64_t *ret_code)
{
	uint64_t offset = (uint64_t)key - (uint64_t)range->base;
	if (range->room == 0 || key < range->base || offset % range->step != 0 ||
	    offset / range->step >= range->room)
		return false;
	*ret_code = range->begin + offset / range->step;
	return true;
}

/* False: the chunk has no code for it. */
static bool code_of(const struct slices_chunk *chunk, struct slices_value value, uint64_t *ret_code)
{
	switch (value.class) {
	case COLUMN_MISSING:
		*ret_code = 0;
		return true;
	case COLUMN_UNKNOWN:
		*ret_code = 1;
		return chunk->width > 0;
	case COLUMN_CODE:
		*ret_code = CODES_BEGIN + (uint64_t)value.key;
		return (uint64_t)value.key < chunk->codes_room;
	case COLUMN_NUMBER:
		return range_code(&chunk->numbers, value.key, ret_code);
	default:
		return range_code(&chunk->times, value.key, ret_code);
	}
}

static int64_t range_key(const struct slices_range *range, uint64_t code)
{
	return (int64_t)((uint64_t)range->base + (code - range->begin) * range->step);
}

static struct slices_value value_of(const struct slices_chunk *chunk, uint64_t code)
{
	if (code < CODES_BEGIN)
		return (struct slices_value){code == 0 ? COLUMN_MISSING : COLUMN_UNKNOWN, 0};
	if (code - CODES_BEGIN < chunk->codes_room)
		return (struct slices_value){COLUMN_CODE, (int64_t)(code - CODES_BEGIN)};
	if (chunk->times.room == 0 || code < chunk->times.begin)
		return (struct slices_value){COLUMN_NUMBER, range_key(&chunk->numbers, code)};
	return (struct slices_value){COLUMN_TIME, range_key(&chunk->times, code)};
}

/* ---- Bits ---- */

/* Bit b of word w becomes bit w of word b (Warren, Hacker's Delight, 7-3). */
static void transpose(uint64_t words[64])
{
	uint64_t mask = UINT32_MAX;
	for (unsigned step = 32; step > 0; step /= 2, mask ^= mask << step)
		for (unsigned at = 0; at < 64; at = ((at | step) + 1) & ~step) {
			uint64_t swapped = ((words[at] >> step) ^ words[at | step]) & mask;
			words[at] ^= swapped << step;
			words[at | step] ^= swapped;
		}
}

static uint64_t *block_slices(const struct slices_chunk *chunk, uint32_t block)
{
	return chunk->slices + (size_t)block * chunk->width * BLOCK_WORDS;
}

/* The codes of slots 64 × word on of a block. */
static void read_codes(const struct slices_chunk *chunk, uint32_t block, unsigned word,
                       uint64_t codes[64])
{
	const uint64_t *slices = chunk->width == 0 ? NULL : block_slices(chunk, block) + word;
	for (unsigned slice = 0; slice < 64; slice++)
		codes[slice] = slice < chunk->width ? slices[slice * BLOCK_WORDS] : 0;
	if (chunk->width > 0)
		transpose(codes);
}

static void write_codes(const struct slices_chunk *chunk, uint32_t block, unsigned word,
                        uint64_t codes[64])
{
	uint64_t *slices = block_slices(chunk, block) + word;
	transpose(codes);
	for (unsigned slice = 0; slice < chunk->width; slice++)
		slices[slice * BLOCK_WORDS] = codes[slice];
}

static uint64_t read_code(const struct slices_chunk *chunk, uint32_t slot)
{
	if (chunk->width == 0)
		return 0;
	uint64_t        code = 0;
	const uint64_t *slices =
		block_slices(chunk, slot / COLUMN_BLOCK_SLOTS) + slot % COLUMN_BLOCK_SLOTS / 64;
	for (unsigned slice = 0; slice < chunk->width; slice++)
		code |= (slices[slice * BLOCK_WORDS] >> slot % 64 & 1) << slice;
	return code;
}

static void write_code(const struct slices_chunk *chunk, uint32_t slot, uint64_t code)
{
	if (chunk->width == 0)
		return;
	uint64_t *slices =
		block_slices(chunk, slot / COLUMN_BLOCK_SLOTS) + slot % COLUMN_BLOCK_SLOTS / 64;
	for (unsigned slice = 0; slice < chunk->width; slice++) {
		uint64_t *word = &slices[slice * BLOCK_WORDS];
		*word          = (*word & ~(UINT64_C(1) << slot % 64)) | (code >> slice & 1) << slot % 64;
	}
}

/* ---- Memory ---- */

static void count_bytes(struct slices *slices, size_t before, size_t after)
{
	slices->bytes += after - before;
	if (slices->used_bytes != NULL)
		atomic_fetch_add_explicit(slices->used_bytes, after - before, memory_order_relaxed);
}

static size_t chunk_bytes(const struct slices_chunk *chunk)
{
	return (size_t)chunk->block_room * chunk->width * BLOCK_WORDS * sizeof(uint64_t);
}

static uint64_t *zeroed_lines(size_t bytes)
{
	if (bytes == 0)
		return NULL;
	uint64_t *lines = aligned_alloc(64, bytes);
	if (lines == NULL)
		abort();
	memset(lines, 0, bytes);
	return lines;
}

void slices_init(struct slices *slices, _Atomic uint64_t *used_bytes)
{
	*slices = (struct slices){.used_bytes = used_bytes, .lanes = lanes_best()};
}

void slices_done(struct slices *slices)
{
	for (uint32_t i = 0; i < slices->chunk_count; i++)
		free(slices->chunks[i].slices);
	free(slices->chunks);
	count_bytes(slices, slices->bytes, 0);
	slices->chunks      = NULL;
	slices->chunk_count = slices->block_count = 0;
}

static uint32_t blocks_of(const struct slices *slices, uint32_t chunk)
{
	uint32_t before = chunk * COLUMN_RUN_BLOCKS;
	uint32_t blocks = slices->block_count > before ? slices->block_count - before : 0;
	return blocks < COLUMN_RUN_BLOCKS ? blocks : COLUMN_RUN_BLOCKS;
}

static void grow_chunk(struct slices *slices, struct slices_chunk *chunk, uint32_t block_count)
{
	uint32_t room = chunk->block_room == 0 ? 1 : chunk->block_room;
	while (room < block_count)
		room *= 2;
	if (room == chunk->block_room)
		return;
	size_t before     = chunk_bytes(chunk);
	chunk->block_room = room;
	uint64_t *larger  = zeroed_lines(chunk_bytes(chunk));
	if (larger != NULL && before > 0)
		memcpy(larger, chunk->slices, before);
	free(chunk->slices);
	chunk->slices = larger;
	count_bytes(slices, before, chunk_bytes(chunk));
}

void slices_reserve(struct slices *slices, uint32_t block_count)
{
	uint32_t old = slices->block_count;
	if (block_count <= old)
		return;
	uint32_t chunks = (block_count - 1) / COLUMN_RUN_BLOCKS + 1;
	if (chunks > slices->chunk_count) {
		size_t before  = slices->chunk_count * sizeof *slices->chunks;
		size_t after   = chunks * sizeof *slices->chunks;
		slices->chunks = realloc(slices->chunks, after);
		if (slices->chunks == NULL)
			abort();
		memset((char *)slices->chunks + before, 0, after - before);
		count_bytes(slices, before, after);
		slices->chunk_count = chunks;
	}
	slices->block_count = block_count;
	for (uint32_t i = old / COLUMN_RUN_BLOCKS; i < chunks; i++) {
		uint32_t first = i * COLUMN_RUN_BLOCKS;
		uint32_t had   = old > first ? old - first : 0;
		grow_chunk(slices, &slices->chunks[i], blocks_of(slices, i));
		slices->chunks[i].classes[COLUMN_MISSING] +=
			(blocks_of(slices, i) - had) * COLUMN_BLOCK_SLOTS;
	}
}

/* ---- A chunk's frame ---- */

/* The keys of one class. */
struct spread {
	uint32_t count;
	int64_t  low;
	int64_t  high;
	uint64_t step; /* of their distances; 0: they are all one */
};

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;
		a             = b;
		b             = rest;
	}
	return a;
}

static uint64_t distance(int64_t a, int64_t b)
{
	return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

static void spread_add(struct spread *spread, int64_t key)
{
	if (spread->count++ == 0) {
		spread->low = spread->high = key;
		return;
	}
	if (spread->step != 1)
		spread->step = common_divisor(distance(key, spread->low), spread->step);
	spread->low  = key < spread->low ? key : spread->low;
	spread->high = key > spread->high ? key : spread->high;
}

/* Lets the range begin earlier, by half of what it spans: others will follow. */
static void spread_lower(struct spread *spread)
{
	uint64_t step  = spread->step == 0 ? 1 : spread->step;
	uint64_t lower = distance(spread->high, spread->low) / step / 2 * step;
	if (lower < (UINT64_C(1) << 61) && spread->low > -SLICES_KEY_MAX + (int64_t)lower)
		spread->low -= (int64_t)lower;
}

static uint64_t rounded(uint64_t room)
{
	if (room <= 1 || room > ROOM_ROUNDED_MAX)
		return room;
	return UINT64_C(1) << (64 - __builtin_clzll(room - 1));
}

static struct slices_range range_of(const struct spread *spread, uint64_t begin)
{
	struct slices_range range = {.begin = begin};
	if (spread->count == 0)
		return range;
	range.base = spread->low;
	range.step = spread->step == 0 ? 1 : spread->step;
	range.room = distance(spread->high, spread->low) / range.step + 1;
	return range;
}

/* The last range gets all codes that are left. */
static void set_frame(struct slices_chunk *chunk, uint64_t code_count, const struct spread *numbers,
                      const struct spread *times)
{
	bool last = numbers->count == 0 && times->count == 0;

	chunk->codes_room = last ? code_count : rounded(code_count);
	chunk->numbers    = range_of(numbers, CODES_BEGIN + chunk->codes_room);
	if (times->count > 0)
		chunk->numbers.room = rounded(chunk->numbers.room);
	chunk->times = range_of(times, chunk->numbers.begin + chunk->numbers.room);

	uint64_t code_max = chunk->times.begin + chunk->times.room - 1;
	bool     nothing  = last && code_count == 0 && chunk->classes[COLUMN_UNKNOWN] == 0;
	chunk->width      = nothing ? 0 : (uint8_t)(64 - __builtin_clzll(code_max));
	/* Of 64 bits it wraps round, as it should. */
	uint64_t end = chunk->width == 64 ? 0 : UINT64_C(1) << chunk->width;
	if (times->count > 0)
		chunk->times.room = end - chunk->times.begin;
	else if (numbers->count > 0)
		chunk->numbers.room = end - chunk->numbers.begin;
	else if (!nothing)
		chunk->codes_room = end - CODES_BEGIN;
}

static void write_chunk(const struct slices_chunk *chunk, const struct slices_value *values,
                        uint32_t block_count)
{
	for (uint32_t block = 0; block < block_count && chunk->width > 0; block++)
		for (unsigned word = 0; word < BLOCK_WORDS; word++) {
			uint64_t codes[64];
			for (unsigned i = 0; i < 64; i++) {
				bool fits = code_of(chunk, *values++, &codes[i]);
				assert(fits);
				(void)fits;
			}
			write_codes(chunk, block, word, codes);
		}
}

/* `lower`: the class of a value that lay below its range; others will. */
static void fill(struct slices *slices, uint32_t index, const struct slices_value *values,
                 uint32_t block_count, enum column_class lower)
{
	struct slices_chunk *chunk   = &slices->chunks[index];
	uint64_t             codes   = 0;
	struct spread        numbers = {0}, times = {0};
	memset(chunk->classes, 0, sizeof chunk->classes);
	for (uint32_t i = 0; i < block_count * COLUMN_BLOCK_SLOTS; i++) {
		chunk->classes[values[i].class]++;
		if (values[i].class == COLUMN_CODE && (uint64_t)values[i].key >= codes)
			codes = (uint64_t)values[i].key + 1;
		else if (values[i].class == COLUMN_NUMBER)
			spread_add(&numbers, values[i].key);
		else if (values[i].class == COLUMN_TIME)
			spread_add(&times, values[i].key);
	}
	if (lower == COLUMN_NUMBER)
		spread_lower(&numbers);
	else if (lower == COLUMN_TIME)
		spread_lower(&times);

	size_t before = chunk_bytes(chunk);
	free(chunk->slices);
	set_frame(chunk, codes, &numbers, &times);
	chunk->slices = zeroed_lines(chunk_bytes(chunk));
	count_bytes(slices, before, chunk_bytes(chunk));
	chunk->frame++;
	write_chunk(chunk, values, block_count);
}

void slices_fill(struct slices *slices, uint32_t chunk, const struct slices_value *values,
                 uint32_t block_count)
{
	slices_reserve(slices, chunk * COLUMN_RUN_BLOCKS + block_count);
	assert(blocks_of(slices, chunk) == block_count);
	fill(slices, chunk, values, block_count, COLUMN_MISSING);
}

/* ---- One value ---- */

struct slices_value slices_get(const struct slices *slices, uint32_t slot)
{
	uint32_t index = slot / SLICES_CHUNK_SLOTS;
	if (slot / COLUMN_BLOCK_SLOTS >= slices->block_count)
		return (struct slices_value){COLUMN_MISSING, 0};
	const struct slices_chunk *chunk = &slices->chunks[index];
	return value_of(chunk, read_code(chunk, slot % SLICES_CHUNK_SLOTS));
}

void slices_prefetch(const struct slices *slices, uint32_t slot)
{
	if (slot / COLUMN_BLOCK_SLOTS >= slices->block_count)
		return;
	const struct slices_chunk *chunk = &slices->chunks[slot / SLICES_CHUNK_SLOTS];
	if (chunk->width == 0)
		return;
	slot %= SLICES_CHUNK_SLOTS;
	const uint64_t *lines = block_slices(chunk, slot / COLUMN_BLOCK_SLOTS);
	for (unsigned slice = 0; slice < chunk->width; slice++)
		__builtin_prefetch(lines + slice * BLOCK_WORDS + slot % COLUMN_BLOCK_SLOTS / 64, 1);
}

static bool is_below(const struct slices_chunk *chunk, struct slices_value value)
{
	const struct slices_range *range =
		value.class == COLUMN_NUMBER ? &chunk->numbers : &chunk->times;
	return range->room > 0 && value.key < range->base;
}

static void make_anew(struct slices *slices, uint32_t index, uint32_t slot,
                      struct slices_value value)
{
	const struct slices_chunk *chunk  = &slices->chunks[index];
	uint32_t                   blocks = blocks_of(slices, index);
	struct slices_value *values = malloc((size_t)blocks * COLUMN_BLOCK_SLOTS * sizeof *values);
	if (values == NULL)
		abort();
	for (uint32_t block = 0; block < blocks; block++)
		slices_read(slices, index * COLUMN_RUN_BLOCKS + block,
		            values + (size_t)block * COLUMN_BLOCK_SLOTS);
	values[slot] = value;
	fill(slices, index, values, blocks, is_below(chunk, value) ? value.class : COLUMN_MISSING);
	free(values);
}

void slices_set(struct slices *slices, uint32_t slot, struct slices_value value)
{
	slices_reserve(slices, slot / COLUMN_BLOCK_SLOTS + 1);
	uint32_t             index = slot / SLICES_CHUNK_SLOTS;
	struct slices_chunk *chunk = &slices->chunks[index];
	uint32_t             place = slot % SLICES_CHUNK_SLOTS;
	uint64_t             code;
	if (!code_of(chunk, value, &code)) {
		make_anew(slices, index, place, value);
		return;
	}
	chunk->classes[value_of(chunk, read_code(chunk, place)).class]--;
	chunk->classes[value.class]++;
	write_code(chunk, place, code);
}

void slices_read(const struct slices *slices, uint32_t block,
                 struct slices_value ret_values[COLUMN_BLOCK_SLOTS])
{
	const struct slices_chunk *chunk = &slices->chunks[block / COLUMN_RUN_BLOCKS];
	for (unsigned word = 0; word < BLOCK_WORDS; word++) {
		uint64_t codes[64];
		read_codes(chunk, block % COLUMN_RUN_BLOCKS, word, codes);
		for (unsigned i = 0; i < 64; i++)
			*ret_values++ = value_of(chunk, codes[i]);
	}
}

/* ---- Many ---- */

struct code_list {
	struct slices_codes *items;
	uint32_t             count;
};

static void add_codes(struct code_list *list, uint64_t low, uint64_t high)
{
	if (list->count > 0 && list->items[list->count - 1].high + 1 == low)
		list->items[list->count - 1].high = high;
	else
		list->items[list->count++] = (struct slices_codes){low, high};
}

static void add_bits(struct code_list *list, const struct slices_chunk *chunk,
                     const struct slices_set *set)
{
	for (uint64_t code = 0; code < set->code_count && code < chunk->codes_room; code++)
		if ((set->codes[code / 64] >> code % 64 & 1) != 0)
			add_codes(list, CODES_BEGIN + code, CODES_BEGIN + code);
}

static void add_keys(struct code_list *list, const struct slices_range *range,
                     const struct slices_interval *intervals, uint32_t count)
{
	for (uint32_t i = 0; i < count && range->room > 0; i++) {
		uint64_t low = 0, high;
		if (intervals[i].high < range->base)
			continue;
		if (intervals[i].low > range->base)
			low = (distance(intervals[i].low, range->base) - 1) / range->step + 1;
		high = distance(intervals[i].high, range->base) / range->step;
		if (high >= range->room)
			high = range->room - 1;
		if (low <= high)
			add_codes(list, range->begin + low, range->begin + high);
	}
}

static uint64_t code_max(const struct slices_chunk *chunk)
{
	return chunk->width == 64 ? UINT64_MAX : (UINT64_C(1) << chunk->width) - 1;
}

/* Ascending, as the classes lie. */
static void find_codes(const struct slices_chunk *chunk, const struct slices_set *set,
                       struct code_list *list)
{
	if (set->missing)
		add_codes(list, 0, 0);
	if (set->unknown && chunk->width > 0)
		add_codes(list, 1, 1);
	if (set->codes != NULL)
		add_bits(list, chunk, set);
	add_keys(list, &chunk->numbers, set->numbers, set->number_count);
	add_keys(list, &chunk->times, set->times, set->time_count);
}

static void find_others(const struct slices_chunk *chunk, const struct code_list *list,
                        struct code_list *others)
{
	uint64_t next = 0;
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->items[i].low > next)
			add_codes(others, next, list->items[i].low - 1);
		next = list->items[i].high + 1;
		if (list->items[i].high == code_max(chunk))
			return;
	}
	add_codes(others, next, code_max(chunk));
}

uint32_t slices_query_room(const struct slices_set *set)
{
	uint32_t codes = set->codes == NULL ? 0 : set->code_count / 2 + 1;
	return 2 * (3 + codes + set->number_count + set->time_count);
}

void slices_query_init(struct slices_query *query, const struct slices *slices,
                       const struct slices_set *set, struct slices_codes *room)
{
	*query = (struct slices_query){.slices = slices, .set = set, .room = room, .chunk = UINT32_MAX};
}

/* Which codes of the chunk are meant, in the form that takes the fewest intervals. */
static void aim_at(struct slices_query *query, uint32_t index)
{
	const struct slices_chunk *chunk = &query->slices->chunks[index];
	if (query->chunk == index && query->frame == chunk->frame)
		return;
	struct code_list list   = {.items = query->room};
	struct code_list others = {.items = query->room + slices_query_room(query->set) / 2};
	find_codes(chunk, query->set, &list);
	find_others(chunk, &list, &others);
	query->chunk    = index;
	query->frame    = chunk->frame;
	query->all      = others.count == 0;
	query->contrary = list.count > others.count && others.count <= INTERVALS_MAX;
	query->codes    = query->contrary ? others.items : list.items;
	query->count    = query->contrary ? others.count : list.count;
}

static bool is_within(const struct slices_query *query, uint64_t code)
{
	uint32_t begin = 0, end = query->count;
	while (begin < end) {
		uint32_t middle = begin + (end - begin) / 2;
		if (query->codes[middle].high < code)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin < query->count && query->codes[begin].low <= code;
}

/* Of so many intervals each person's code is looked for among them. */
static void look_for_each(const struct slices_query *query, uint32_t block, uint32_t count,
                          const uint64_t *among, uint64_t *holds)
{
	for (uint32_t i = 0; i < count * BLOCK_WORDS; i++) {
		uint64_t codes[64], found = 0;
		if (among[i] != 0)
			read_codes(&query->slices->chunks[query->chunk], block + i / BLOCK_WORDS,
			           i % BLOCK_WORDS, codes);
		for (uint64_t left = among[i]; left != 0; left &= left - 1) {
			int bit = __builtin_ctzll(left);
			found |= (uint64_t)is_within(query, codes[bit]) << bit;
		}
		holds[i] = found;
	}
}

/* lanes->within() of all intervals together, into what may be `among`. */
static void match(const struct slices_query *query, uint32_t block, uint32_t count,
                  const uint64_t *among, uint64_t *holds)
{
	const struct slices_chunk *chunk = &query->slices->chunks[query->chunk];
	uint64_t                   found[COLUMN_RUN_BLOCKS * BLOCK_WORDS];
	const size_t               words  = (size_t)count * BLOCK_WORDS;
	const struct lanes_blocks  blocks = {block_slices(chunk, block), chunk->width, count};
	memset(found, 0, words * sizeof *found);
	for (uint32_t i = 0; i < query->count; i++)
		query->slices->lanes->within(&blocks, query->codes[i].low, query->codes[i].high, among,
		                             found);
	for (size_t i = 0; i < words; i++)
		holds[i] = query->contrary ? among[i] & ~found[i] : found[i];
}

void slices_query_run(struct slices_query *query, uint32_t block, uint32_t count,
                      const uint64_t *among, uint64_t *ret_holds)
{
	const size_t bytes = (size_t)count * BLOCK_WORDS * sizeof(uint64_t);
	assert(count > 0 && block / COLUMN_RUN_BLOCKS == (block + count - 1) / COLUMN_RUN_BLOCKS &&
	       block + count <= query->slices->block_count);
	aim_at(query, block / COLUMN_RUN_BLOCKS);
	block %= COLUMN_RUN_BLOCKS;
	if (query->all)
		memmove(ret_holds, among, bytes);
	else if (query->count == 0)
		memset(ret_holds, 0, bytes);
	else if (query->count <= INTERVALS_MAX)
		match(query, block, count, among, ret_holds);
	else
		look_for_each(query, block, count, among, ret_holds);
}

void slices_match(const struct slices *slices, const struct slices_set *set, uint32_t block,
                  uint32_t count, const uint64_t *among, uint64_t *ret_holds)
{
	struct slices_codes room[MATCH_ROOM];
	struct slices_query query;
	assert(slices_query_room(set) <= MATCH_ROOM);
	slices_query_init(&query, slices, set, room);
	slices_query_run(&query, block, count, among, ret_holds);
}

bool slices_may_match(const struct slices *slices, const struct slices_set *set, uint32_t block)
{
	const uint32_t *classes = slices->chunks[block / COLUMN_RUN_BLOCKS].classes;
	return (set->missing && classes[COLUMN_MISSING] > 0) ||
	       (set->unknown && classes[COLUMN_UNKNOWN] > 0) ||
	       (set->codes != NULL && classes[COLUMN_CODE] > 0) ||
	       (set->number_count > 0 && classes[COLUMN_NUMBER] > 0) ||
	       (set->time_count > 0 && classes[COLUMN_TIME] > 0);
}

void slices_sum(const struct slices *slices, uint32_t block, uint32_t count, const uint64_t *mask,
                __int128 *sum)
{
	const struct slices_chunk *chunk = &slices->chunks[block / COLUMN_RUN_BLOCKS];
	const struct slices_range *range = &chunk->numbers;
	if (chunk->classes[COLUMN_NUMBER] == 0)
		return;
	uint64_t numbers[COLUMN_RUN_BLOCKS * BLOCK_WORDS];
	uint64_t totals[LANES_WIDTH_MAX] = {0};
	/* What is missing has the code 0, and adds nothing. */
	if (chunk->classes[COLUMN_UNKNOWN] + chunk->classes[COLUMN_CODE] + chunk->classes[COLUMN_TIME] >
	    0) {
		struct slices_interval all = {INT64_MIN, INT64_MAX};
		struct slices_set      set = {.numbers = &all, .number_count = 1};
		slices_match(slices, &set, block, count, mask, numbers);
		mask = numbers;
	}
	const struct lanes_blocks blocks = {block_slices(chunk, block % COLUMN_RUN_BLOCKS),
	                                    chunk->width, count};
	uint64_t                  among  = slices->lanes->weigh(&blocks, mask, totals);
	__int128                  codes  = 0;
	for (unsigned slice = 0; slice < chunk->width; slice++)
		codes += (__int128)totals[slice] << slice;
	codes -= (__int128)among * range->begin;
	*sum += codes * range->step + (__int128)among * range->base;
}

/* Walks down the slices, with who is left on each side. */
static void count_below(const struct slices_chunk *chunk, const uint64_t *slices, int slice,
                        uint64_t code, const uint64_t *mask, uint64_t *counts)
{
	uint64_t any = 0;
	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		any |= mask[i];
	if (any == 0)
		return;
	if (slice < 0) {
		for (unsigned i = 0; i < BLOCK_WORDS; i++)
			counts[code] += (unsigned)__builtin_popcountll(mask[i]);
		return;
	}
	uint64_t sides[2][BLOCK_WORDS];
	for (unsigned i = 0; i < BLOCK_WORDS; i++) {
		sides[0][i] = mask[i] & ~slices[(size_t)slice * BLOCK_WORDS + i];
		sides[1][i] = mask[i] & slices[(size_t)slice * BLOCK_WORDS + i];
	}
	count_below(chunk, slices, slice - 1, code, sides[0], counts);
	count_below(chunk, slices, slice - 1, code | UINT64_C(1) << slice, sides[1], counts);
}

/* Of those in `mask` every code is below COLUMN_CODES_MAX + CODES_BEGIN. */
static void count_block(const struct slices_chunk *chunk, uint32_t block, const uint64_t *mask,
                        uint64_t *counts)
{
	if (chunk->width <= WALK_WIDTH_MAX) {
		count_below(chunk, chunk->width == 0 ? NULL : block_slices(chunk, block), chunk->width - 1,
		            0, mask, counts);
		return;
	}
	for (unsigned word = 0; word < BLOCK_WORDS; word++) {
		uint64_t codes[64];
		if (mask[word] != 0)
			read_codes(chunk, block, word, codes);
		for (uint64_t left = mask[word]; left != 0; left &= left - 1)
			counts[codes[__builtin_ctzll(left)]]++;
	}
}

void slices_count(const struct slices *slices, uint32_t block, uint32_t count, const uint64_t *mask,
                  uint64_t counts[COLUMN_CODES_MAX], uint64_t *missing, uint64_t *rest)
{
	const struct slices_chunk *chunk  = &slices->chunks[block / COLUMN_RUN_BLOCKS];
	struct slices_interval     all    = {INT64_MIN, INT64_MAX};
	const struct slices_set    others = {
		   .unknown = true, .numbers = &all, .number_count = 1, .times = &all, .time_count = 1};
	const size_t words = (size_t)count * BLOCK_WORDS;
	uint64_t     found[COLUMN_CODES_MAX + CODES_BEGIN];
	uint32_t     codes =
        chunk->width < CODES_WIDTH_MAX ? 1U << chunk->width : COLUMN_CODES_MAX + CODES_BEGIN;
	memset(found, 0, codes * sizeof *found);
	memset(rest, 0, words * sizeof *rest);
	if (slices_may_match(slices, &others, block))
		slices_match(slices, &others, block, count, mask, rest);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t left[BLOCK_WORDS];
		for (unsigned word = 0; word < BLOCK_WORDS; word++)
			left[word] = mask[i * BLOCK_WORDS + word] & ~rest[i * BLOCK_WORDS + word];
		count_block(chunk, block % COLUMN_RUN_BLOCKS + i, left, found);
	}
	*missing += found[0];
	for (uint32_t code = CODES_BEGIN; code < codes; code++)
		counts[code - CODES_BEGIN] += found[code];
}
