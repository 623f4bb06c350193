#include "events/column_builder.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "events/column.h"

/* A dictionary pays when its texts come again: at least twice each on average. */
enum { DICT_ENTRIES_MAX = 1 << 16, DICT_UNCHECKED = 64 };

void column_builder_init(struct column_builder *builder, enum column_role role,
                         enum column_content content, uint32_t rows)
{
	*builder = (struct column_builder){.role = role, .content = content, .rows = rows};
	if (role >= ROLE_TIME) {
		builder->present = calloc(((size_t)rows + 63) / 64, sizeof *builder->present);
		if (builder->present == NULL)
			abort();
	}
}

void column_builder_done(struct column_builder *builder)
{
	free(builder->present);
	VECTOR_DONE(&builder->ints);
	VECTOR_DONE(&builder->doubles);
	VECTOR_DONE(&builder->texts);
}

static void note(struct column_builder *builder, uint32_t row)
{
	assert(row < builder->rows);
	if (builder->present != NULL)
		builder->present[row / 64] |= (uint64_t)1 << row % 64;
	builder->count++;
}

void column_builder_add_int(struct column_builder *builder, uint32_t row, int64_t value)
{
	note(builder, row);
	VECTOR_ADD(&builder->ints, value);
}

void column_builder_add_double(struct column_builder *builder, uint32_t row, double value)
{
	note(builder, row);
	VECTOR_ADD(&builder->doubles, value);
}

void column_builder_add_text(struct column_builder *builder, uint32_t row, struct text value)
{
	note(builder, row);
	VECTOR_ADD(&builder->texts, value);
}

static void pad(struct buffer *out)
{
	while (out->length % PART_ALIGNMENT != 0)
		buffer_add_u8(out, 0);
}

static void write_presence(const struct column_builder *builder, struct buffer *out,
                           struct part_column *entry)
{
	if (builder->present == NULL || builder->count == builder->rows)
		return;
	size_t   begin = out->length;
	size_t   words = ((size_t)builder->rows + 63) / 64;
	uint32_t rank  = 0;
	for (size_t i = 0; i <= builder->rows / PRESENCE_RANK_ROWS; i++) {
		buffer_add_u32(out, rank);
		for (size_t j = 0; j < PRESENCE_RANK_ROWS / 64; j++) {
			size_t word = i * (PRESENCE_RANK_ROWS / 64) + j;
			if (word < words)
				rank += (uint32_t)__builtin_popcountll(builder->present[word]);
		}
	}
	pad(out);
	buffer_add(out, builder->present, words * sizeof *builder->present);
	entry->presence_bytes = out->length - begin;
}

static uint8_t width_for(uint64_t largest)
{
	if (largest == 0)
		return 0;
	return largest <= UINT8_MAX ? 1 : largest <= UINT16_MAX ? 2 : largest <= UINT32_MAX ? 4 : 8;
}

static void add_number(struct buffer *out, uint8_t width, uint64_t number)
{
	buffer_add(out, &number, width); /* little-endian: the lower bytes come first */
}

/* Numbers as what they lie above the least of them. */
static void write_ints(const int64_t *ints, uint32_t count, struct buffer *out,
                       struct part_column *entry)
{
	int64_t min = count == 0 ? 0 : ints[0], max = min;
	for (uint32_t i = 1; i < count; i++) {
		if (ints[i] < min)
			min = ints[i];
		if (ints[i] > max)
			max = ints[i];
	}
	entry->encoding = ENCODING_INTS;
	entry->base     = min;
	entry->width    = width_for((uint64_t)max - (uint64_t)min);
	entry->min      = (uint64_t)min;
	entry->max      = (uint64_t)max;
	buffer_reserve(out, (size_t)count * 8);
	for (uint32_t i = 0; i < count && entry->width > 0; i++)
		add_number(out, entry->width, (uint64_t)ints[i] - (uint64_t)min);
	entry->number_bytes = (uint64_t)count * entry->width;
	pad(out);
}

/* Whether every double is a whole number ÷ 10^scale, to the bit. */
static bool are_decimals(const double *doubles, uint32_t count, unsigned scale, int64_t *ret_ints)
{
	double power = column_power(scale);
	for (uint32_t i = 0; i < count; i++) {
		double whole = nearbyint(doubles[i] * power);
		if (!(fabs(whole) < 9007199254740992.0))
			return false;
		double again = whole / power;
		if (again != doubles[i])
			return false;
		ret_ints[i] = (int64_t)whole;
		if ((double)ret_ints[i] / power != again || (whole == 0 && signbit(doubles[i])))
			return false; /* minus zero is none */
	}
	return true;
}

static void write_doubles(const struct column_builder *builder, struct buffer *out,
                          struct part_column *entry)
{
	const double *doubles = builder->doubles.items;
	int64_t      *ints    = malloc((builder->count + 1) * sizeof *ints);
	if (ints == NULL)
		abort();
	bool decimal = false;
	for (unsigned scale = 0; scale <= COLUMN_SCALE_MAX && !decimal; scale++) {
		decimal = are_decimals(doubles, builder->count, scale, ints);
		if (decimal) {
			write_ints(ints, builder->count, out, entry);
			entry->encoding = ENCODING_DECIMALS;
			entry->scale    = (uint8_t)scale;
		}
	}
	free(ints);
	double min = INFINITY, max = -INFINITY;
	for (uint32_t i = 0; i < builder->count; i++) {
		min = fmin(min, doubles[i]);
		max = fmax(max, doubles[i]);
	}
	memcpy(&entry->min, &min, sizeof min);
	memcpy(&entry->max, &max, sizeof max);
	if (decimal)
		return;
	entry->encoding = ENCODING_DOUBLES;
	buffer_add(out, doubles, builder->count * sizeof *doubles);
	entry->number_bytes = builder->count * sizeof *doubles;
}

static void write_bits(const struct column_builder *builder, struct buffer *out,
                       struct part_column *entry)
{
	size_t    words = ((size_t)builder->count + 63) / 64;
	uint64_t *bits  = calloc(words + 1, sizeof *bits);
	if (bits == NULL)
		abort();
	for (uint32_t i = 0; i < builder->count; i++)
		bits[i / 64] |= (uint64_t)(builder->ints.items[i] != 0) << i % 64;
	buffer_add(out, bits, words * sizeof *bits);
	entry->encoding     = ENCODING_BITS;
	entry->number_bytes = words * sizeof *bits;
	free(bits);
}

/* A dictionary under way: open addressing over the texts' hashes. */
struct dict {
	struct dict_slot {
		uint64_t hash;
		uint32_t code; /* + 1; 0: empty */
	} * slots;
	uint32_t mask;
	uint32_t distinct;
	uint64_t seed; /* random: outsiders choose the texts */
	VECTOR(struct text) entries;
	uint32_t *codes; /* by index */
};

static uint32_t dict_code(struct dict *dict, struct text text)
{
	uint64_t hash = hash_bytes_seeded(text.data, text.length, dict->seed);
	for (uint32_t at = (uint32_t)hash & dict->mask;; at = (at + 1) & dict->mask) {
		struct dict_slot *slot = &dict->slots[at];
		if (slot->code == 0) {
			*slot = (struct dict_slot){hash, ++dict->distinct};
			VECTOR_ADD(&dict->entries, text);
			return dict->distinct - 1;
		}
		if (slot->hash == hash && text_equal(dict->entries.items[slot->code - 1], text))
			return slot->code - 1;
	}
}

/* False when too many differ for a dictionary to pay. */
static bool dict_build(struct dict *dict, const struct column_builder *builder)
{
	size_t slots = 2 * DICT_ENTRIES_MAX;
	while (slots > 256 && slots / 2 > builder->count)
		slots /= 2;
	*dict = (struct dict){.slots = calloc(slots, sizeof *dict->slots),
	                      .mask  = (uint32_t)slots - 1,
	                      .codes = malloc((builder->count + 1) * sizeof *dict->codes)};
	if (dict->slots == NULL || dict->codes == NULL)
		abort();
	random_bytes(&dict->seed, sizeof dict->seed);
	for (uint32_t i = 0; i < builder->count; i++) {
		if (dict->distinct >= DICT_ENTRIES_MAX - 1 ||
		    (dict->distinct > DICT_UNCHECKED && dict->distinct > i / 2 + 1 &&
		     dict->distinct > builder->count / 8))
			return false;
		dict->codes[i] = dict_code(dict, builder->texts.items[i]);
	}
	return dict->distinct <= builder->count / 2;
}

static void dict_done(struct dict *dict)
{
	free(dict->slots);
	free(dict->codes);
	VECTOR_DONE(&dict->entries);
}

static void write_texts(const struct text *texts, uint32_t count, struct buffer *out,
                        struct part_column *entry)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < count; i++)
		sum += texts[i].length;
	entry->end_width = sum <= UINT32_MAX ? 4 : 8;
	entry->end_bytes = (uint64_t)count * entry->end_width;
	uint64_t end     = 0;
	for (uint32_t i = 0; i < count; i++) {
		end += texts[i].length;
		add_number(out, entry->end_width, end);
	}
	pad(out);
	for (uint32_t i = 0; i < count; i++)
		buffer_add_text(out, texts[i]);
	entry->text_bytes = sum;
	pad(out);
}

struct ranked {
	struct text text;
	uint32_t    code;
};

static int compare_ranked(const void *left, const void *right)
{
	return text_compare(((const struct ranked *)left)->text, ((const struct ranked *)right)->text);
}

/* Entries in their order, so that one is found by bisection. */
static void write_dict(struct dict *dict, uint32_t count, struct buffer *out,
                       struct part_column *entry)
{
	struct ranked *ranked = calloc(dict->distinct + 1, sizeof *ranked);
	uint32_t      *ranks  = calloc(dict->distinct + 1, sizeof *ranks);
	struct text   *sorted = calloc(dict->distinct + 1, sizeof *sorted);
	if (ranked == NULL || ranks == NULL || sorted == NULL)
		abort();
	for (uint32_t i = 0; i < dict->distinct; i++)
		ranked[i] = (struct ranked){dict->entries.items[i], i};
	qsort(ranked, dict->distinct, sizeof *ranked, compare_ranked);
	for (uint32_t i = 0; i < dict->distinct; i++) {
		ranks[ranked[i].code] = i;
		sorted[i]             = ranked[i].text;
	}
	entry->encoding     = ENCODING_DICT;
	entry->distinct     = dict->distinct;
	entry->width        = width_for(dict->distinct - 1);
	entry->number_bytes = (uint64_t)count * entry->width;
	for (uint32_t i = 0; i < count && entry->width > 0; i++)
		add_number(out, entry->width, ranks[dict->codes[i]]);
	pad(out);
	write_texts(sorted, dict->distinct, out, entry);
	free(ranked);
	free(ranks);
	free(sorted);
}

static bool same_lengths(const struct column_builder *builder)
{
	for (uint32_t i = 1; i < builder->count; i++)
		if (builder->texts.items[i].length != builder->texts.items[0].length)
			return false;
	return true;
}

static void write_text_column(const struct column_builder *builder, struct buffer *out,
                              struct part_column *entry)
{
	struct dict dict;
	if (dict_build(&dict, builder)) {
		write_dict(&dict, builder->count, out, entry);
	} else if (same_lengths(builder)) {
		entry->encoding = ENCODING_FIXED;
		entry->base     = (int64_t)builder->texts.items[0].length;
		for (uint32_t i = 0; i < builder->count; i++)
			buffer_add_text(out, builder->texts.items[i]);
		entry->text_bytes = (uint64_t)builder->count * (uint64_t)entry->base;
		pad(out);
	} else {
		entry->encoding = ENCODING_TEXTS;
		write_texts(builder->texts.items, builder->count, out, entry);
	}
	dict_done(&dict);
}

void column_builder_write(const struct column_builder *builder, struct buffer *out,
                          struct part_column *ret_entry)
{
	assert(out->length % PART_ALIGNMENT == 0 && builder->count > 0);
	struct part_column entry = {.role   = (uint8_t)builder->role,
	                            .type   = builder->type,
	                            .count  = builder->count,
	                            .offset = out->length};
	write_presence(builder, out, &entry);
	switch (builder->content) {
	case CONTENT_INTS:
		write_ints(builder->ints.items, builder->count, out, &entry);
		break;
	case CONTENT_DOUBLES:
		write_doubles(builder, out, &entry);
		break;
	case CONTENT_BITS:
		write_bits(builder, out, &entry);
		break;
	case CONTENT_TEXTS:
		write_text_column(builder, out, &entry);
		break;
	}
	entry.checksum = hash_bytes(out->data + entry.offset, out->length - entry.offset);
	*ret_entry     = entry;
}

void column_write_bytes(enum column_role role, struct text bytes, struct buffer *out,
                        struct part_column *ret_entry)
{
	struct part_column entry = {.role       = (uint8_t)role,
	                            .encoding   = ENCODING_BYTES,
	                            .offset     = out->length,
	                            .text_bytes = bytes.length};
	buffer_add_text(out, bytes);
	pad(out);
	entry.checksum = hash_bytes(out->data + entry.offset, out->length - entry.offset);
	*ret_entry     = entry;
}
