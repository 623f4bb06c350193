#include "events/column.h"

#include <assert.h>

static uint64_t padded(uint64_t bytes)
{
	return (bytes + PART_ALIGNMENT - 1) & ~(uint64_t)(PART_ALIGNMENT - 1);
}

uint64_t column_region_bytes(const struct part_column *entry)
{
	const uint64_t pieces[] = {entry->presence_bytes, entry->number_bytes, entry->end_bytes,
	                           entry->text_bytes};
	uint64_t       sum      = 0;
	for (unsigned i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		if (pieces[i] > (uint64_t)1 << 48)
			return UINT64_MAX;
		sum += padded(pieces[i]);
	}
	return sum;
}

static bool is_width(uint8_t width)
{
	return width == 0 || width == 1 || width == 2 || width == 4 || width == 8;
}

static bool texts_fit(const struct part_column *entry)
{
	switch (entry->encoding) {
	case ENCODING_DICT:
		return entry->number_bytes == (uint64_t)entry->count * entry->width &&
		       (entry->end_width == 4 || entry->end_width == 8) &&
		       entry->end_bytes == (uint64_t)entry->distinct * entry->end_width;
	case ENCODING_TEXTS:
		return (entry->end_width == 4 || entry->end_width == 8) &&
		       entry->end_bytes == (uint64_t)entry->count * entry->end_width;
	case ENCODING_FIXED:
		return entry->base >= 0 && entry->base <= INT32_MAX &&
		       entry->text_bytes == (uint64_t)entry->count * (uint64_t)entry->base;
	default:
		return false;
	}
}

/* Whether the pieces are as large as the values need. */
static bool pieces_fit(const struct part_column *entry)
{
	switch (entry->encoding) {
	case ENCODING_DECIMALS:
	case ENCODING_INTS:
		return entry->number_bytes == (uint64_t)entry->count * entry->width &&
		       entry->scale <= COLUMN_SCALE_MAX;
	case ENCODING_DOUBLES:
		return entry->number_bytes == (uint64_t)entry->count * sizeof(double);
	case ENCODING_BITS:
		return entry->number_bytes == ((uint64_t)entry->count + 63) / 64 * sizeof(uint64_t);
	case ENCODING_BYTES:
		return true;
	default:
		return texts_fit(entry);
	}
}

static uint64_t rank_bytes(uint32_t rows)
{
	return padded(((uint64_t)rows / PRESENCE_RANK_ROWS + 1) * sizeof(uint32_t));
}

static uint64_t presence_bytes(uint32_t rows)
{
	return rank_bytes(rows) + ((uint64_t)rows + 63) / 64 * sizeof(uint64_t);
}

bool column_open(const struct part_column *entry, const char *region, uint32_t rows,
                 struct text name, struct column *ret_column)
{
	if (!is_width(entry->width) || !pieces_fit(entry) || entry->type >= VALUE_TYPE_COUNT)
		return false;
	bool by_row = entry->role >= ROLE_TIME;
	if (by_row && entry->presence_bytes == 0 && entry->count != rows)
		return false;
	if (entry->presence_bytes > 0 &&
	    (!by_row || entry->count > rows || entry->presence_bytes != presence_bytes(rows)))
		return false;

	const char *numbers = region + padded(entry->presence_bytes);
	const char *ends    = numbers + padded(entry->number_bytes);
	*ret_column         = (struct column){
				.role       = entry->role,
				.type       = entry->type,
				.encoding   = entry->encoding,
				.width      = entry->width,
				.end_width  = entry->end_width,
				.scale      = entry->scale,
				.rows       = rows,
				.count      = entry->count,
				.distinct   = entry->distinct,
				.base       = entry->base,
				.numbers    = (const uint8_t *)numbers,
				.ends       = (const uint8_t *)ends,
				.texts      = ends + padded(entry->end_bytes),
				.text_bytes = entry->text_bytes,
				.name       = name,
    };
	if (entry->presence_bytes > 0) {
		ret_column->ranks = (const uint32_t *)(const void *)region;
		ret_column->words = (const uint64_t *)(const void *)(region + rank_bytes(rows));
	}
	return true;
}

bool column_index(const struct column *column, uint32_t row, uint32_t *ret_index)
{
	assert(row < column->rows);
	if (column->ranks == NULL) {
		*ret_index = row;
		return true;
	}
	uint32_t word  = row / 64;
	uint64_t bit   = (uint64_t)1 << row % 64;
	uint32_t begin = row / PRESENCE_RANK_ROWS;
	uint32_t first = begin * (PRESENCE_RANK_ROWS / 64);
	column_touch(column, column->words + first, (word - first + 1) * sizeof *column->words);
	if ((column->words[word] & bit) == 0)
		return false;
	column_touch(column, column->ranks + begin, sizeof *column->ranks);
	uint32_t index = column->ranks[begin];
	for (uint32_t i = first; i < word; i++)
		index += (uint32_t)__builtin_popcountll(column->words[i]);
	index += (uint32_t)__builtin_popcountll(column->words[word] & (bit - 1));
	*ret_index = index;
	return index < column->count;
}

double column_power(unsigned scale)
{
	static const double powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
	assert(scale <= COLUMN_SCALE_MAX);
	return powers[scale];
}

double column_double(const struct column *column, uint32_t index)
{
	if (column->encoding == ENCODING_DOUBLES) {
		const double *numbers = (const double *)(const void *)column->numbers;
		column_touch(column, numbers + index, sizeof *numbers);
		return numbers[index];
	}
	return (double)column_int(column, index) / column_power(column->scale);
}

bool column_bool(const struct column *column, uint32_t index)
{
	const uint64_t *words = (const uint64_t *)(const void *)column->numbers;
	column_touch(column, words + index / 64, sizeof *words);
	return (words[index / 64] >> index % 64 & 1) != 0;
}

bool column_entry(const struct column *column, uint32_t code, struct text *ret_text)
{
	uint32_t before = code == 0 ? 0 : 1;
	column_touch(column, column->ends + (uint64_t)(code - before) * column->end_width,
	             (before + 1) * column->end_width);
	uint64_t begin = code == 0 ? 0 : column_number_at(column->ends, column->end_width, code - 1);
	uint64_t end   = column_number_at(column->ends, column->end_width, code);
	if (begin > end || end > column->text_bytes)
		return false;
	*ret_text = (struct text){column->texts + begin, end - begin};
	column_touch(column, ret_text->data, ret_text->length);
	return true;
}

bool column_text(const struct column *column, uint32_t index, struct text *ret_text)
{
	if (column->encoding == ENCODING_FIXED) {
		*ret_text = (struct text){column->texts + (uint64_t)index * (uint64_t)column->base,
		                          (size_t)column->base};
		column_touch(column, ret_text->data, ret_text->length);
		return true;
	}
	if (column->encoding == ENCODING_DICT) {
		column_touch_number(column, index);
		uint64_t code = column_number_at(column->numbers, column->width, index);
		return code < column->distinct && column_entry(column, (uint32_t)code, ret_text);
	}
	return column->encoding == ENCODING_TEXTS && column_entry(column, index, ret_text);
}

bool column_code(const struct column *column, struct text text, uint32_t *ret_code)
{
	assert(column->encoding == ENCODING_DICT);
	uint32_t low = 0, high = column->distinct;
	while (low < high) {
		uint32_t    middle = low + (high - low) / 2;
		struct text entry;
		if (!column_entry(column, middle, &entry))
			return false;
		int order = text_compare(entry, text);
		if (order == 0) {
			*ret_code = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}
