#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/instant.h"
#include "query/columns_internal.h"

enum {
	AHEAD      = 8,  /* persons whose traits the processor is asked for beforehand */
	CODE_BYTES = 96, /* about what a code takes beside its text, twice */
};

/* ---- Values ---- */

static struct column_codes *codes_of(struct column *column)
{
	if (column->codes == NULL) {
		column->codes = calloc(1, sizeof *column->codes);
		if (column->codes == NULL)
			abort();
		arena_init(&column->codes->texts);
	}
	return column->codes;
}

static bool has_text(const struct value *value)
{
	return value->type == VALUE_STRING || value->type == VALUE_STRING_SET ||
	       value->type == VALUE_INDEXED;
}

static struct slices_value code_of(struct columns *columns, struct column *column,
                                   const struct value *value)
{
	struct column_codes *codes = codes_of(column);
	struct text          text  = has_text(value) ? value->text : (struct text){0};
	if (text.length > COLUMN_CODE_BYTES)
		return (struct slices_value){COLUMN_UNKNOWN, 0};
	buffer_clear(&codes->scratch);
	buffer_add_u8(&codes->scratch, (uint8_t)value->type);
	buffer_add_text(&codes->scratch, text);
	uintptr_t known = (uintptr_t)map_text_get(&codes->numbers, buffer_text(&codes->scratch));
	if (known != 0)
		return (struct slices_value){COLUMN_CODE, (int64_t)known - 1};
	uint64_t bytes = 2 * text.length + CODE_BYTES;
	if (codes->values.count == COLUMN_CODES_MAX || codes->bytes + bytes > COLUMN_CODES_BYTES)
		return (struct slices_value){COLUMN_UNKNOWN, 0};
	struct value kept = *value;
	if (has_text(value))
		kept.text = arena_text(&codes->texts, text);
	VECTOR_ADD(&codes->values, kept);
	codes->bytes += bytes;
	atomic_fetch_add_explicit(&columns->budget->used_bytes, bytes, memory_order_relaxed);
	*map_text_put(&codes->numbers, buffer_text(&codes->scratch)) =
		(void *)(uintptr_t)codes->values.count;
	return (struct slices_value){COLUMN_CODE, (int64_t)codes->values.count - 1};
}

struct slices_value column_trait_value(struct columns *columns, struct column *column,
                                       const struct value *value)
{
	double  number;
	int64_t at_ms;
	switch (value->type) {
	case VALUE_INT:
	case VALUE_UINT:
	case VALUE_DOUBLE:
		value_number(value, &number);
		return (struct slices_value){COLUMN_NUMBER, slices_double_key(number)};
	case VALUE_STRING:
		/* Instants begin with a digit. */
		if (value->text.length > 0 && isdigit((unsigned char)value->text.data[0]) &&
		    instant_parse(value->text, &at_ms))
			return (struct slices_value){COLUMN_TIME, at_ms};
		return code_of(columns, column, value);
	case VALUE_FALSE:
	case VALUE_TRUE:
	case VALUE_STRING_SET:
	case VALUE_PERSONAL:
	case VALUE_INDEXED:
		return code_of(columns, column, value);
	default: /* arrays and objects are missing to every test */
		return (struct slices_value){COLUMN_MISSING, 0};
	}
}

/* ---- Columns ---- */

struct trait_column *column_trait_find(const struct columns *columns, struct text name)
{
	const uint64_t *at = map_u64_find(&columns->trait_of, hash_name(name));
	if (at == NULL)
		return NULL;
	struct trait_column *trait = columns->traits.items[*at - 1];
	return text_equal(trait->name, name) ? trait : NULL;
}

/* Of one that occurs for the first time everybody looked at before has none, unless it may be in
 * objects, where nobody has looked. `for_sure`: or others were refused before. */
static struct trait_column *add_trait(struct columns *columns, struct text name, bool for_sure)
{
	if (columns->traits.count == COLUMN_TRAITS_MAX || columns_over_budget(columns) ||
	    map_u64_find(&columns->trait_of, hash_name(name)) != NULL) {
		columns->traits_full = true;
		return NULL;
	}
	struct trait_column *trait = calloc(1, sizeof *trait);
	if (trait == NULL)
		abort();
	trait->name = arena_text(&columns->names, name);
	value_path_init(&trait->path, trait->name, &columns->names);
	VECTOR_ADD(&columns->traits, trait);
	*map_u64_put(&columns->trait_of, hash_name(name)) = columns->traits.count;
	bool dotted                                       = trait->path.part_count > 0;
	if (dotted)
		VECTOR_ADD(&columns->dotted, trait);
	bool again = dotted || (for_sure && columns->traits_full);
	column_init(&trait->column, columns, again ? 0 : columns->pass_block);
	trait->column.doubles = true;
	columns->pass_again |= again;
	return trait;
}

struct trait_column *column_trait_put(struct columns *columns, struct text name)
{
	struct trait_column *trait = column_trait_find(columns, name);
	return trait != NULL ? trait : add_trait(columns, name, true);
}

void column_trait_free(struct columns *columns, struct trait_column *trait)
{
	column_done(columns, &trait->column);
	free(trait);
}

/* ---- One person ---- */

/* Of entries with the same name the last one counts, and is put last. */
static void put_entry(struct columns *columns, uint32_t slot, const struct value_reader *entry)
{
	const uint64_t      *at = map_u64_find(&columns->trait_of, entry->hash);
	struct trait_column *trait;
	if (at == NULL) {
		/* What nobody can ask for, or is entered by paths, needs none. */
		if (columns->traits_full || entry->name.length > EXPR_NAME_BYTES_MAX ||
		    entry->value.type == VALUE_OBJECT || entry->value.type == VALUE_ARRAY)
			return;
		trait = add_trait(columns, entry->name, false);
	} else {
		trait = columns->traits.items[*at - 1];
	}
	if (trait == NULL || trait->column.refused)
		return;
	if (!text_equal(trait->name, entry->name)) {
		columns->traits_full = true; /* two names with one hash: the later has no column */
		return;
	}
	if (trait->path.part_count == 0)
		column_put(&trait->column, slot,
		           column_trait_value(columns, &trait->column, &entry->value));
}

static void set_exists(struct columns *columns, uint32_t slot, bool exists)
{
	uint64_t bit = UINT64_C(1) << slot % 64;
	if (exists)
		columns->exists[slot / 64] |= bit;
	else
		columns->exists[slot / 64] &= ~bit;
}

/* `cleared`: nothing is kept of him yet, so that what he has not is missing already. */
static void look_at(struct columns *columns, uint32_t slot, bool cleared)
{
	const struct profile *profile = profiles_find(&columns->partition->profiles, slot);
	const struct text     list    = profile == NULL ? (struct text){0} : profile_traits(profile);
	set_exists(columns, slot, profile != NULL);
	struct slices_value identified = {COLUMN_MISSING, 0};
	if (profile != NULL)
		identified = (struct slices_value){COLUMN_CODE, profile->identified};
	column_put(&columns->identified, slot, identified);
	for (size_t i = 0; i < columns->traits.count && !cleared; i++)
		column_put(&columns->traits.items[i]->column, slot,
		           (struct slices_value){COLUMN_MISSING, 0});
	if (list.length == 0)
		return;
	for (struct value_reader reader = value_read(list); value_next(&reader);)
		put_entry(columns, slot, &reader);
	for (size_t i = 0; i < columns->dotted.count; i++) {
		struct trait_column *trait = columns->dotted.items[i];
		if (trait->column.refused)
			continue;
		struct value value = value_at(list, &trait->path);
		column_put(&trait->column, slot, column_trait_value(columns, &trait->column, &value));
	}
}

/* ---- All of them ---- */

static void reserve_exists(struct columns *columns, uint32_t block_count)
{
	if (block_count <= columns->exists_room)
		return;
	uint32_t room = columns->exists_room == 0 ? 16 : columns->exists_room;
	while (room < block_count)
		room *= 2;
	size_t before   = columns->exists_room * COLUMN_BLOCK_WORDS * sizeof(uint64_t);
	size_t after    = room * COLUMN_BLOCK_WORDS * sizeof(uint64_t);
	columns->exists = realloc(columns->exists, after);
	if (columns->exists == NULL)
		abort();
	memset((char *)columns->exists + before, 0, after - before);
	columns->exists_room = room;
}

bool column_trait_refresh(struct columns *columns, int64_t end_ns)
{
	uint64_t words[COLUMN_BLOCK_WORDS];
	uint32_t block;
	reserve_exists(columns, columns_block_count(columns));
	while (dirty_take(&columns->persons, &block, words)) {
		for (unsigned word = 0; word < COLUMN_BLOCK_WORDS; word++)
			for (uint64_t left = words[word]; left != 0; left &= left - 1)
				look_at(columns,
				        block * COLUMN_BLOCK_SLOTS + word * 64 + (unsigned)__builtin_ctzll(left),
				        false);
		if (end_ns != INT64_MAX && clock_monotonic_ns() >= end_ns)
			return columns->persons.blocks.count == 0;
	}
	return true;
}

static void prefetch(const struct columns *columns, uint32_t slot)
{
	const struct profile *profile = profiles_find(&columns->partition->profiles, slot);
	if (profile == NULL || profile->traits == NULL)
		return;
	const char *traits = (const char *)profile->traits;
	__builtin_prefetch(traits);
	__builtin_prefetch(traits + 64);
	__builtin_prefetch(traits + 128);
}

static void advance_all(struct columns *columns, bool last)
{
	if (columns->identified.built_blocks == columns->pass_block)
		column_advance(&columns->identified, last);
	for (size_t i = 0; i < columns->traits.count; i++)
		if (columns->traits.items[i]->column.built_blocks == columns->pass_block)
			column_advance(&columns->traits.items[i]->column, last);
}

bool column_trait_pass(struct columns *columns, int64_t end_ns)
{
	if (columns->pass_block == BLOCKS_ALL && columns->pass_again) {
		columns->pass_block = 0;
		columns->pass_again = false;
	}
	while (columns->pass_block != BLOCKS_ALL) {
		uint32_t count = columns_block_count(columns);
		uint32_t first = columns->pass_block * COLUMN_BLOCK_SLOTS;
		if (clock_monotonic_ns() >= end_ns)
			return false;
		reserve_exists(columns, count);
		for (uint32_t i = 0; i < COLUMN_BLOCK_SLOTS && columns->pass_block < count; i++) {
			prefetch(columns, first + i + AHEAD);
			look_at(columns, first + i, true);
		}
		bool last = columns->pass_block + 1 >= count;
		advance_all(columns, last);
		columns->pass_block = last ? BLOCKS_ALL : columns->pass_block + 1;
	}
	return true;
}
