#include "engine/apply/indexed.h"

#include <string.h>

#include "base/hash.h"
#include "base/instant.h"
#include "model/birthday.h"
#include "model/personal.h"
#include "model/value.h"

/* ---- Opening ---- */

static bool waits(const struct traits *traits, uint32_t at)
{
	struct text name = traits->sealed[at].name;
	struct text list = {traits->list, traits->list_size};
	return personal_indexed(name) != PERSONAL_NOT_INDEXED &&
	       value_find(list, name, hash_name(name)).type == VALUE_PERSONAL;
}

/* Adds what was sealed as index of a trait of which this block has the newest value. */
static unsigned add_indexes(const struct traits *traits, const struct sealed_block *block,
                            struct text plain, struct buffer *scratch, struct buffer *known)
{
	struct byte_reader reader = byte_reader_of(plain.data, plain.length);
	unsigned           count  = 0;
	read_sized(&reader); /* the values themselves */
	read_sized(&reader);
	if (reader.failed || read_left(&reader) == 0)
		return 0;
	for (struct value_reader r = value_read(read_sized(&reader)); value_next(&r);)
		for (uint32_t i = 0; i < traits->sealed_count; i++)
			if (traits->sealed[i].block == block && text_equal(traits->sealed[i].name, r.name) &&
			    waits(traits, i)) {
				struct value index = value_index(scratch, &r.value);
				value_add(known, r.name, &index);
				count++;
			}
	return count;
}

static unsigned open_block(const struct traits *traits, uint32_t at,
                           const struct unsealer *unsealer, struct buffer *known)
{
	const struct sealed_block *block = traits->sealed[at].block;
	struct buffer              plain = {0}, scratch = {0};
	struct text                sealed = {block->bytes, block->size};
	unsigned                   count  = 0;
	if (unsealer->open(unsealer->context, block->sealer, sealed, &plain))
		count = add_indexes(traits, block, buffer_text(&plain), &scratch, known);
	if (plain.length > 0)
		explicit_bzero(plain.data, plain.length);
	buffer_done(&plain);
	buffer_done(&scratch);
	return count;
}

/* Whether an earlier trait that waits has the same block. */
static bool seen_before(const struct traits *traits, uint32_t at)
{
	for (uint32_t i = 0; i < at; i++)
		if (traits->sealed[i].block == traits->sealed[at].block && waits(traits, i))
			return true;
	return false;
}

/* The profile's list with the values of `set` in the places of those of the same name, or behind
 * them. */
static void put(struct profiles *profiles, struct profile *profile, struct text set)
{
	struct buffer list  = {0};
	size_t        begin = value_list_begin(&list);
	unsigned      count = 0;
	for (struct value_reader r = value_read(profile_traits(profile)); value_next(&r); count++) {
		struct value value = value_find(set, r.name, r.hash);
		value_add(&list, r.name, value.type == VALUE_NONE ? &r.value : &value);
	}
	for (struct value_reader r = value_read(set); value_next(&r);) {
		if (value_find(profile_traits(profile), r.name, r.hash).type != VALUE_NONE)
			continue;
		value_add(&list, r.name, &r.value);
		count++;
	}
	value_list_end(&list, begin, count);
	profile_replace_traits(profiles, profile, buffer_text(&list));
	buffer_done(&list);
}

void indexed_restore(struct profiles *profiles, struct profile *profile,
                     const struct unsealer *unsealer)
{
	const struct traits *traits = profile->traits;
	struct buffer        known  = {0};
	size_t               begin  = 0;
	unsigned             count  = 0;
	if (traits == NULL || unsealer == NULL)
		return;
	for (uint32_t i = 0; i < traits->sealed_count; i++) {
		if (!waits(traits, i) || seen_before(traits, i))
			continue;
		if (known.length == 0)
			begin = value_list_begin(&known);
		count += open_block(traits, i, unsealer, &known);
	}
	if (count > 0) {
		value_list_end(&known, begin, count);
		put(profiles, profile, buffer_text(&known));
	}
	buffer_done(&known);
}

/* ---- The age ---- */

static bool birthday_of(const struct profile *profile, struct birthday *ret_birthday)
{
	struct text  name  = TEXT("birthday");
	struct value value = value_find(profile_traits(profile), name, hash_name(name));
	if (value.type != VALUE_INDEXED)
		return false;
	value = value_tested(&value);
	return value.type == VALUE_OBJECT && birthday_read(value.text, ret_birthday);
}

bool indexed_set_age(struct profiles *profiles, struct profile *profile, int64_t now_ms)
{
	struct birthday birthday;
	struct text     name = TEXT("age_band");
	if (!birthday_of(profile, &birthday))
		return false;
	struct text  band = birthday_age_band(&birthday, now_ms);
	struct value old  = value_find(profile_traits(profile), name, hash_name(name));
	if (band.length == 0 || (old.type == VALUE_STRING && text_equal(old.text, band)))
		return false;

	struct buffer set   = {0};
	size_t        begin = value_list_begin(&set);
	value_add(&set, name, &(struct value){.type = VALUE_STRING, .text = band});
	value_list_end(&set, begin, 1);
	put(profiles, profile, buffer_text(&set));
	buffer_done(&set);
	return true;
}

int64_t indexed_age_next_ms(const struct profile *profile, int64_t now_ms)
{
	struct birthday birthday;
	return birthday_of(profile, &birthday) ? birthday_next_ms(&birthday, now_ms) : INSTANT_MS_NEVER;
}

/* ---- Writing ---- */

struct text indexed_strip(struct text list, struct buffer *into)
{
	static const struct value personal = {.type = VALUE_PERSONAL};
	bool                      any      = false;
	for (struct value_reader r = value_read(list); !any && value_next(&r);)
		any = r.value.type == VALUE_INDEXED;
	if (!any)
		return list;

	unsigned count = 0;
	buffer_clear(into);
	size_t begin = value_list_begin(into);
	for (struct value_reader r = value_read(list); value_next(&r); count++)
		value_add(into, r.name, r.value.type == VALUE_INDEXED ? &personal : &r.value);
	value_list_end(into, begin, count);
	return buffer_text(into);
}
