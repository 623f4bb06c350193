#include "engine/apply/names.h"

#include "base/hash.h"
#include "model/value.h"

void names_done(struct names *names)
{
	for (unsigned i = 0; i < NAME_KIND_COUNT; i++) {
		map_u64_done(&names->sets[i].known);
		buffer_done(&names->sets[i].written);
	}
	*names = (struct names){0};
}

/* Where the number of the name lies; NULL: there is no room for it. */
static uint64_t *see(struct name_set *set, uint32_t event, struct text name, uint32_t hash)
{
	uint64_t  key   = (uint64_t)event << 32 | hash;
	uint64_t *found = map_u64_find(&set->known, key);
	if (found != NULL || name.length > NAMES_BYTES_MAX)
		return found;
	if (set->count == NAMES_MAX) {
		set->full = true;
		return NULL;
	}
	buffer_add_u32(&set->written, event);
	buffer_add_sized(&set->written, name);
	found  = map_u64_put(&set->known, key);
	*found = ++set->count;
	return found;
}

void names_see_event(struct names *names, struct text event, struct text properties,
                     uint64_t position)
{
	uint64_t *number = see(&names->sets[NAME_EVENT], 0, event, hash_name(event));
	if (number == NULL)
		return;
	if (*number >> 32 < NAMES_EVENTS_FIRST)
		*number += UINT64_C(1) << 32;
	else if (position % NAMES_POSITIONS != 0)
		return;
	for (struct value_reader reader = value_read(properties); value_next(&reader);)
		see(&names->sets[NAME_PROPERTY], (uint32_t)*number, reader.name, reader.hash);
}

void names_see_traits(struct names *names, struct text traits)
{
	for (struct value_reader reader = value_read(traits); value_next(&reader);)
		see(&names->sets[NAME_TRAIT], 0, reader.name, reader.hash);
}

void names_write(const struct names *names, struct buffer *out)
{
	for (unsigned i = 0; i < NAME_KIND_COUNT; i++) {
		buffer_add_u8(out, names->sets[i].full);
		buffer_add_sized(out, buffer_text(&names->sets[i].written));
	}
}

bool names_read(struct byte_reader *entries, uint32_t *ret_event, struct text *ret_name)
{
	if (read_left(entries) == 0)
		return false;
	*ret_event = read_u32(entries);
	*ret_name  = read_sized(entries);
	return true;
}

/* Only events were looked into; of others the count is 0. */
static uint64_t *number_of(const struct name_set *set, uint32_t event, struct text name)
{
	return map_u64_find(&set->known, (uint64_t)event << 32 | hash_name(name));
}

void names_save(const struct names *names, struct buffer *out)
{
	for (unsigned i = 0; i < NAME_KIND_COUNT; i++) {
		const struct name_set *set = &names->sets[i];
		buffer_add_u8(out, set->full);
		buffer_add_sized(out, buffer_text(&set->written));
		struct byte_reader entries = byte_reader_of(set->written.data, set->written.length);
		uint32_t           event;
		struct text        name;
		while (names_read(&entries, &event, &name))
			buffer_add_varint(out, *number_of(set, event, name) >> 32);
	}
}

static bool load_set(struct name_set *set, struct byte_reader *reader)
{
	set->full                  = read_u8(reader) != 0;
	struct text        written = read_sized(reader);
	struct byte_reader entries = byte_reader_of(written.data, written.length);
	uint32_t           event;
	struct text        name;
	buffer_add_text(&set->written, written);
	while (names_read(&entries, &event, &name)) {
		uint64_t looked = read_varint(reader);
		if (entries.failed || reader->failed || set->count == NAMES_MAX)
			return false;
		*map_u64_put(&set->known, (uint64_t)event << 32 | hash_name(name)) =
			looked << 32 | ++set->count;
	}
	return !reader->failed;
}

bool names_load(struct names *names, struct byte_reader *reader)
{
	bool good = true;
	for (unsigned i = 0; i < NAME_KIND_COUNT && good; i++)
		good = load_set(&names->sets[i], reader);
	return good;
}
