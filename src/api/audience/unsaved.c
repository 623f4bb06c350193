#include "api/audience/unsaved.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/map.h"

struct entry {
	char          id[UUID_TEXT_BYTES];
	char         *texts; /* written, then canonical */
	size_t        written_bytes, canonical_bytes;
	bool          derived;
	int64_t       as_of_ms;
	int64_t       used_ms; /* of the monotonic clock */
	struct entry *older, *newer;
};

struct unsaved {
	const struct audience_settings *settings;
	pthread_mutex_t                 lock;
	struct map_text                 entries;
	struct entry                   *oldest, *newest;
	size_t                          bytes;
};

struct unsaved *unsaved_new(const struct audience_settings *settings)
{
	struct unsaved *unsaved = calloc(1, sizeof *unsaved);
	assert(unsaved != NULL);
	unsaved->settings = settings;
	pthread_mutex_init(&unsaved->lock, NULL);
	return unsaved;
}

static size_t bytes_of(const struct entry *entry)
{
	return sizeof *entry + entry->written_bytes + entry->canonical_bytes;
}

static void unlink_entry(struct unsaved *unsaved, struct entry *entry)
{
	*(entry->older != NULL ? &entry->older->newer : &unsaved->oldest) = entry->newer;
	*(entry->newer != NULL ? &entry->newer->older : &unsaved->newest) = entry->older;
	entry->older = entry->newer = NULL;
}

static void link_newest(struct unsaved *unsaved, struct entry *entry)
{
	entry->older                                                            = unsaved->newest;
	*(unsaved->newest != NULL ? &unsaved->newest->newer : &unsaved->oldest) = entry;
	unsaved->newest                                                         = entry;
}

static void drop(struct unsaved *unsaved, struct entry *entry)
{
	map_text_remove(&unsaved->entries, text_of(entry->id));
	unlink_entry(unsaved, entry);
	unsaved->bytes -= bytes_of(entry);
	free(entry->texts);
	free(entry);
}

static void drop_old(struct unsaved *unsaved)
{
	int64_t now_ms = clock_monotonic_ms();
	while (unsaved->oldest != NULL &&
	       (unsaved->entries.count > (size_t)unsaved->settings->unsaved_max ||
	        unsaved->bytes > UNSAVED_BYTES_MAX ||
	        now_ms - unsaved->oldest->used_ms >= unsaved->settings->unsaved_ms))
		drop(unsaved, unsaved->oldest);
}

void unsaved_free(struct unsaved *unsaved)
{
	if (unsaved == NULL)
		return;
	while (unsaved->oldest != NULL)
		drop(unsaved, unsaved->oldest);
	map_text_done(&unsaved->entries);
	pthread_mutex_destroy(&unsaved->lock);
	free(unsaved);
}

/* A UUID of version 8 (RFC 9562): the form of an id, the content a hash. */
static void write_id(const struct unsaved_audience *audience, char ret_id[UUID_TEXT_BYTES])
{
	struct buffer what = {0};
	uint8_t       digest[SHA256_BYTES];
	char          hex[33];
	buffer_add_sized(&what, audience->canonical);
	buffer_add_i64(&what, audience->as_of_ms);
	hash_sha256(what.data, what.length, digest);
	buffer_done(&what);
	digest[6] = (uint8_t)((digest[6] & 0x0f) | 0x80);
	digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80);
	hash_hex(digest, 16, hex);
	snprintf(ret_id, UUID_TEXT_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
	         hex + 20);
}

static struct entry *new_entry(const struct unsaved_audience *audience)
{
	struct entry *entry = calloc(1, sizeof *entry);
	assert(entry != NULL);
	memcpy(entry->id, audience->id, sizeof entry->id);
	entry->written_bytes   = audience->written.length;
	entry->canonical_bytes = audience->canonical.length;
	entry->derived         = audience->derived;
	entry->as_of_ms        = audience->as_of_ms;
	entry->texts           = malloc(entry->written_bytes + entry->canonical_bytes + 1);
	assert(entry->texts != NULL);
	memcpy(entry->texts, audience->written.data, entry->written_bytes);
	memcpy(entry->texts + entry->written_bytes, audience->canonical.data, entry->canonical_bytes);
	return entry;
}

void unsaved_put(struct unsaved *unsaved, struct unsaved_audience *audience)
{
	write_id(audience, audience->id);
	pthread_mutex_lock(&unsaved->lock);
	struct entry *entry = map_text_get(&unsaved->entries, text_of(audience->id));
	if (entry != NULL) {
		unlink_entry(unsaved, entry);
	} else {
		entry = new_entry(audience);
		unsaved->bytes += bytes_of(entry);
		*map_text_put(&unsaved->entries, text_of(entry->id)) = entry;
	}
	entry->used_ms = clock_monotonic_ms();
	link_newest(unsaved, entry);
	drop_old(unsaved);
	pthread_mutex_unlock(&unsaved->lock);
}

bool unsaved_get(struct unsaved *unsaved, struct text id, struct arena *arena,
                 struct unsaved_audience *ret_audience)
{
	pthread_mutex_lock(&unsaved->lock);
	drop_old(unsaved);
	const struct entry *entry = map_text_get(&unsaved->entries, id);
	if (entry != NULL) {
		memcpy(ret_audience->id, entry->id, sizeof entry->id);
		ret_audience->written =
			arena_text(arena, (struct text){entry->texts, entry->written_bytes});
		ret_audience->canonical = arena_text(
			arena, (struct text){entry->texts + entry->written_bytes, entry->canonical_bytes});
		ret_audience->derived  = entry->derived;
		ret_audience->as_of_ms = entry->as_of_ms;
	}
	pthread_mutex_unlock(&unsaved->lock);
	return entry != NULL;
}

void unsaved_status(struct unsaved *unsaved, struct unsaved_status *ret_status)
{
	pthread_mutex_lock(&unsaved->lock);
	*ret_status = (struct unsaved_status){unsaved->entries.count, unsaved->bytes};
	pthread_mutex_unlock(&unsaved->lock);
}
