#include "engine/checkpoint/checkpoint_block.h"

#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "engine/apply/indexed.h"
#include "engine/apply/step.h"
#include "model/value.h"

enum {
	PROFILE_IDENTIFIED  = 1,
	PROFILE_TRAITS      = 2,
	PROFILE_FEATURES    = 4,
	PROFILE_MEMBERSHIPS = 8,
	PROFILE_CLOSED      = 16,
	PROFILE_ERASED      = 64, /* with PROFILE_CLOSED */
	PROFILE_AMENDED     = 32, /* with the instant of the next change of what is seen */
};

void checkpoint_marks_done(struct checkpoint_marks *marks)
{
	VECTOR_DONE(&marks->feature_places);
	VECTOR_DONE(&marks->rule_places);
	VECTOR_DONE(&marks->features);
	VECTOR_DONE(&marks->rules);
}

/* ---- Writing ---- */

static void prepare_marks(struct checkpoint_marks *marks, const struct catalog *catalog)
{
	while (marks->feature_places.count < catalog->features.count)
		VECTOR_ADD(&marks->feature_places, 0);
	while (marks->rule_places.count < catalog->rules.count)
		VECTOR_ADD(&marks->rule_places, 0);
}

/* The number of an index in the block's list, added where it is not there yet. */
static uint32_t place_of(uint32_t *places, index_list *list, uint32_t index)
{
	if (places[index] == 0) {
		VECTOR_ADD(list, index);
		places[index] = (uint32_t)list->count;
	}
	return places[index] - 1;
}

static void write_traits(const struct traits *traits, struct buffer *out)
{
	struct buffer stripped = {0};
	buffer_add_i64(out, traits->next_ms);
	buffer_add_sized(out, indexed_strip((struct text){traits->list, traits->list_size}, &stripped));
	buffer_done(&stripped);
	buffer_add_varint(out, traits->sealed_count);
	for (uint32_t i = 0; i < traits->sealed_count; i++) {
		/* A block that several traits share stands with the first of them. */
		uint32_t first = 0;
		while (traits->sealed[first].block != traits->sealed[i].block)
			first++;
		buffer_add_sized(out, traits->sealed[i].name);
		buffer_add_varint(out, first);
		if (first != i)
			continue;
		const struct sealed_block *block = traits->sealed[i].block;
		buffer_add_u64(out, person_number(block->sealer));
		buffer_add_sized(out, (struct text){block->bytes, block->size});
	}
}

static void write_profile(const struct partition *partition, uint32_t slot,
                          const struct profile *profile, struct checkpoint_marks *marks,
                          struct buffer *out)
{
	const struct feature_set    *features    = profile->features;
	const struct membership_set *memberships = profile->memberships;
	buffer_add_u8(out, (uint8_t)((profile->identified ? PROFILE_IDENTIFIED : 0) |
	                             (profile->closed ? PROFILE_CLOSED : 0) |
	                             (profile->amended ? PROFILE_AMENDED : 0) |
	                             (profile->erased ? PROFILE_ERASED : 0) |
	                             (profile->traits != NULL ? PROFILE_TRAITS : 0) |
	                             (features != NULL ? PROFILE_FEATURES : 0) |
	                             (memberships != NULL ? PROFILE_MEMBERSHIPS : 0)));
	buffer_add_varint(out, profile->newest_change);
	buffer_add_i64(out, profile->created_ms);
	buffer_add_i64(out, profile->armed_ms);
	buffer_add_i64(out, profile->newest_event_ms);
	if (profile->amended)
		buffer_add_i64(out, facts_next_ms(partition, slot));
	if (profile->traits != NULL)
		write_traits(profile->traits, out);
	if (features != NULL) {
		buffer_add_varint(out, features->count);
		for (uint32_t i = 0; i < features->count; i++) {
			buffer_add_varint(out, place_of(marks->feature_places.items, &marks->features,
			                                features->items[i].feature));
			buffer_add_i64(out, features->items[i].next_ms);
			series_write(features->items[i].series, out);
		}
	}
	if (memberships != NULL) {
		buffer_add_varint(out, memberships->count);
		for (uint32_t i = 0; i < memberships->count; i++) {
			buffer_add_varint(
				out,
				place_of(marks->rule_places.items, &marks->rules, memberships->items[i].rule) * 2 +
					(memberships->items[i].member != 0));
			buffer_add_i64(out, memberships->items[i].since_ms);
		}
	}
}

/* The lists stand behind the profiles, since they are known only then. */
static void write_lists(const struct catalog *catalog, struct checkpoint_marks *marks,
                        struct buffer *out)
{
	for (size_t i = 0; i < marks->features.count; i++) {
		buffer_add_u64(out, catalog->features.items[marks->features.items[i]].plan->key_hash);
		marks->feature_places.items[marks->features.items[i]] = 0;
	}
	for (size_t i = 0; i < marks->rules.count; i++) {
		const struct rule *rule = &catalog->rules.items[marks->rules.items[i]];
		buffer_add_u32(out, rule->segment);
		buffer_add_u32(out, rule->plan->version);
		marks->rule_places.items[marks->rules.items[i]] = 0;
	}
	buffer_add_u32(out, (uint32_t)marks->features.count);
	buffer_add_u32(out, (uint32_t)marks->rules.count);
	marks->features.count = marks->rules.count = 0;
}

void checkpoint_block_write(const struct partition *partition, uint32_t block,
                            struct checkpoint_marks *marks, struct buffer *out)
{
	prepare_marks(marks, &partition->catalog);
	for (uint32_t i = 0; i < PROFILES_PER_BLOCK; i++) {
		uint32_t              slot    = block * PROFILES_PER_BLOCK + i;
		const struct profile *profile = profiles_known(&partition->profiles, slot);
		if (profile == NULL)
			continue;
		buffer_add_u16(out, (uint16_t)i);
		write_profile(partition, slot, profile, marks, out);
	}
	buffer_add_u16(out, PROFILES_PER_BLOCK);
	write_lists(&partition->catalog, marks, out);
}

/* ---- Reading ---- */

static uint64_t rule_key(uint32_t segment, uint32_t version)
{
	return (uint64_t)segment << 32 | version;
}

void checkpoint_indices_init(struct checkpoint_indices *indices, const struct catalog *catalog)
{
	*indices = (struct checkpoint_indices){0};
	for (size_t i = 0; i < catalog->features.count; i++) {
		*map_u64_put(&indices->features, catalog->features.items[i].plan->key_hash) = i + 1;
	}
	for (size_t i = 0; i < catalog->rules.count; i++) {
		const struct rule *rule = &catalog->rules.items[i];
		*map_u64_put(&indices->rules, rule_key(rule->segment, rule->plan->version)) = i + 1;
	}
}

void checkpoint_indices_done(struct checkpoint_indices *indices)
{
	map_u64_done(&indices->features);
	map_u64_done(&indices->rules);
}

/* A block being read, with its lists as indices of the catalog. */
struct block_reader {
	struct partition  *partition;
	struct byte_reader bytes;
	index_list         features;
	index_list         rules;
};

static bool look_up(const struct map_u64 *map, uint64_t key, index_list *list)
{
	const uint64_t *found = map_u64_find(map, key);
	if (found == NULL)
		return false;
	VECTOR_ADD(list, (uint32_t)(*found - 1));
	return true;
}

static bool read_lists(struct block_reader *reader, const struct checkpoint_indices *indices,
                       struct text bytes)
{
	if (bytes.length < 8)
		return false;
	struct byte_reader counts   = byte_reader_of(bytes.data + bytes.length - 8, 8);
	uint64_t           features = read_u32(&counts), rules = read_u32(&counts);
	uint64_t           size = (features + rules) * 8 + 8;
	if (size > bytes.length)
		return false;
	reader->bytes            = byte_reader_of(bytes.data, bytes.length - size);
	struct byte_reader lists = byte_reader_of(bytes.data + bytes.length - size, size - 8);
	bool               found = true;
	for (uint64_t i = 0; found && i < features; i++)
		found = look_up(&indices->features, read_u64(&lists), &reader->features);
	for (uint64_t i = 0; found && i < rules; i++) {
		uint32_t segment = read_u32(&lists);
		found = look_up(&indices->rules, rule_key(segment, read_u32(&lists)), &reader->rules);
	}
	return found;
}

/* The name as it lies in the list. */
static struct text name_in(struct text list, struct text name)
{
	for (struct value_reader reader = value_read(list); value_next(&reader);)
		if (text_equal(reader.name, name))
			return reader.name;
	return (struct text){0};
}

static bool read_sealed(struct traits *traits, uint32_t at, struct byte_reader *bytes,
                        uint64_t *ret_size)
{
	struct text name  = name_in((struct text){traits->list, traits->list_size}, read_sized(bytes));
	uint64_t    first = read_varint(bytes);
	if (name.data == NULL || first > at)
		return false;
	struct sealed_block *block = first < at ? traits->sealed[first].block : NULL;
	if (block == NULL) {
		struct person sealer = person_of_number(read_u64(bytes));
		struct text   sealed = read_sized(bytes);
		block                = malloc(sizeof *block + sealed.length);
		if (block == NULL)
			abort();
		*block = (struct sealed_block){.size = (uint32_t)sealed.length, .sealer = sealer};
		memcpy(block->bytes, sealed.data, sealed.length);
		*ret_size += sealed.length;
	}
	block->references++;
	traits->sealed[at] = (struct sealed_trait){name, block};
	traits->sealed_count++;
	return !bytes->failed;
}

static bool read_traits(struct block_reader *reader, struct profile *profile)
{
	struct byte_reader *bytes   = &reader->bytes;
	int64_t             next_ms = read_i64(bytes);
	struct text         list    = read_sized(bytes);
	uint64_t            count   = read_varint(bytes);
	uint64_t            size    = sizeof(struct traits) + list.length;
	if (bytes->failed || count > read_left(bytes))
		return false;
	struct traits *traits = malloc(size);
	if (traits == NULL)
		abort();
	*traits = (struct traits){.next_ms = next_ms, .list_size = (uint32_t)list.length};
	memcpy(traits->list, list.data, list.length);
	profile->traits = traits;
	if (count > 0 && (traits->sealed = calloc(count, sizeof *traits->sealed)) == NULL)
		abort();
	for (uint32_t i = 0; i < count; i++)
		if (!read_sealed(traits, i, bytes, &size))
			return false;
	reader->partition->profiles.bytes += size;
	indexed_restore(&reader->partition->profiles, profile, reader->partition->unsealer);
	return true;
}

static bool read_features(struct block_reader *reader, struct profile *profile)
{
	uint64_t count = read_varint(&reader->bytes);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t       place   = read_varint(&reader->bytes);
		int64_t        next_ms = read_i64(&reader->bytes);
		struct series *series;
		if (!series_read(&reader->bytes, &series) || place >= reader->features.count ||
		    profile_feature(profile, reader->features.items[place]) != NULL) {
			series_free(series);
			return false;
		}
		struct person_feature *kept = profile_feature_add(&reader->partition->profiles, profile,
		                                                  reader->features.items[place]);
		kept->next_ms               = next_ms;
		kept->series                = series;
		profiles_count_series(&reader->partition->profiles, 0, series_bytes(series));
	}
	return true;
}

static bool read_memberships(struct block_reader *reader, uint32_t slot, struct profile *profile)
{
	struct partition *partition = reader->partition;
	uint64_t          count     = read_varint(&reader->bytes);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t place    = read_varint(&reader->bytes);
		int64_t  since_ms = read_i64(&reader->bytes);
		bool     member   = place % 2 != 0;
		if (reader->bytes.failed || place / 2 >= reader->rules.count)
			return false;
		step_set_member(partition, slot, profile, reader->rules.items[place / 2], member, since_ms);
	}
	return true;
}

static bool read_profile(struct block_reader *reader, uint32_t slot)
{
	struct partition   *partition = reader->partition;
	struct byte_reader *bytes     = &reader->bytes;
	struct profile     *profile   = profiles_place(&partition->profiles, slot);
	if (profile->exists || profile->closed)
		return false;
	uint8_t flags            = read_u8(bytes);
	profile->closed          = (flags & PROFILE_CLOSED) != 0;
	profile->exists          = !profile->closed;
	profile->erased          = (flags & PROFILE_ERASED) != 0;
	profile->amended         = (flags & PROFILE_AMENDED) != 0;
	profile->identified      = (flags & PROFILE_IDENTIFIED) != 0;
	profile->armed_ms        = INSTANT_MS_NEVER;
	profile->newest_change   = (uint32_t)read_varint(bytes);
	profile->created_ms      = read_i64(bytes);
	int64_t armed_ms         = read_i64(bytes);
	profile->newest_event_ms = read_i64(bytes);
	partition->profiles.person_count += profile->exists;
	partition->profiles.identified_count += profile->exists && profile->identified;
	if (profile->erased) {
		partition->profiles.erased_count++;
		events_forget(partition->events, slot, 0);
	}
	if (profile->amended)
		facts_set_next_ms(partition, slot, read_i64(bytes));
	if ((flags & PROFILE_TRAITS && !read_traits(reader, profile)) ||
	    (flags & PROFILE_FEATURES && !read_features(reader, profile)) ||
	    (flags & PROFILE_MEMBERSHIPS && !read_memberships(reader, slot, profile)))
		return false;
	/* What is due must have fired before the checkpoint was made. */
	if (bytes->failed || armed_ms <= partition->timers.now_ms)
		return false;
	step_arm(partition, slot, profile, armed_ms);
	return true;
}

static bool read_profiles(struct block_reader *reader, uint32_t block)
{
	for (;;) {
		uint16_t at = read_u16(&reader->bytes);
		if (at == PROFILES_PER_BLOCK && !reader->bytes.failed)
			return read_left(&reader->bytes) == 0;
		if (reader->bytes.failed || at > PROFILES_PER_BLOCK ||
		    !read_profile(reader, block * PROFILES_PER_BLOCK + at))
			return false;
	}
}

enum status checkpoint_block_read(struct partition *partition, uint32_t block,
                                  const struct checkpoint_indices *indices, struct text bytes,
                                  struct error *err)
{
	struct block_reader reader = {.partition = partition};
	bool                good = read_lists(&reader, indices, bytes) && read_profiles(&reader, block);
	VECTOR_DONE(&reader.features);
	VECTOR_DONE(&reader.rules);
	if (!good)
		return error_set(err, STATUS_CORRUPT, "the persons of block %u cannot be read", block);
	return STATUS_OK;
}
