#include "api/collection/write_keys.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <strings.h>

#include "api/collection/source_settings.h"
#include "base/log.h"
#include "base/map.h"

struct write_keys {
	struct store    *store;
	struct sources  *sources;
	pthread_rwlock_t lock;
	struct map_text  cache;   /* key → struct source */
	uint64_t         version; /* grows with each write_keys_forget() */
};

struct write_keys *write_keys_new(struct store *store, struct sources *sources)
{
	struct write_keys *keys = calloc(1, sizeof *keys);
	assert(keys != NULL);
	keys->store   = store;
	keys->sources = sources;
	pthread_rwlock_init(&keys->lock, NULL);
	return keys;
}

void write_keys_free(struct write_keys *keys)
{
	if (keys == NULL)
		return;
	map_text_done(&keys->cache);
	pthread_rwlock_destroy(&keys->lock);
	free(keys);
}

static void clear(struct write_keys *keys)
{
	map_text_done(&keys->cache);
	keys->cache = (struct map_text){0};
}

void write_keys_forget(struct write_keys *keys, struct source *source,
                       const struct source_settings *settings)
{
	pthread_rwlock_wrlock(&keys->lock);
	clear(keys);
	keys->version++;
	if (settings != NULL)
		source_set(source, settings);
	pthread_rwlock_unlock(&keys->lock);
}

bool write_keys_cached(struct write_keys *keys, struct text key, struct source **ret_source)
{
	pthread_rwlock_rdlock(&keys->lock);
	*ret_source = map_text_get(&keys->cache, key);
	pthread_rwlock_unlock(&keys->lock);
	return *ret_source != NULL;
}

/* What was asked before a change is not kept, and its settings do not hold. */
static void keep(struct write_keys *keys, struct text key, struct source *source,
                 const struct source_settings *settings, uint64_t version)
{
	pthread_rwlock_wrlock(&keys->lock);
	if (keys->version == version) {
		if (keys->cache.count >= WRITE_KEY_CACHE_MAX)
			clear(keys);
		source_set(source, settings);
		*map_text_put(&keys->cache, key) = source;
	}
	pthread_rwlock_unlock(&keys->lock);
}

static enum status ask(struct write_keys *keys, struct text key, struct arena *arena,
                       struct source **ret_source, struct error *err)
{
	struct store_source    stored;
	struct source_settings settings;
	pthread_rwlock_rdlock(&keys->lock);
	uint64_t version = keys->version;
	pthread_rwlock_unlock(&keys->lock);

	enum status status = keys->store->ops->source_by_key(keys->store, key, arena, &stored, err);
	if (status == STATUS_OK)
		status = source_settings_parse(stored.settings, arena, &settings, err);
	if (status != STATUS_OK)
		return status;
	*ret_source = source_of(keys->sources, stored.number);
	keep(keys, key, *ret_source, &settings, version);
	return STATUS_OK;
}

enum status write_keys_look_up(struct write_keys *keys, struct text key, struct source **ret_source,
                               struct error *err)
{
	struct arena arena;
	struct error failed;
	enum status  status = STATUS_NOT_FOUND;
	arena_init(&arena);
	if (key.length > 0 && key.length <= WRITE_KEY_BYTES_MAX)
		status = ask(keys, key, &arena, ret_source, &failed);
	arena_done(&arena);
	if (status == STATUS_NOT_FOUND)
		return error_set(err, STATUS_UNAUTHORIZED, "No source has this write key");
	if (status != STATUS_OK) {
		log_error("a write key could not be looked up", &failed);
		return error_set(err, STATUS_UNAVAILABLE, "Write keys cannot be looked up now");
	}
	return STATUS_OK;
}

bool write_key_of_basic(struct text header, char ret_key[WRITE_KEY_BYTES_MAX], size_t *ret_length)
{
	static const char scheme[] = "basic ";
	size_t            prefix   = sizeof scheme - 1;
	size_t            length;
	if (header.length <= prefix || strncasecmp(header.data, scheme, prefix) != 0)
		return false;
	const char *begin = header.data + prefix, *end = header.data + header.length;
	while (end > begin && (end[-1] == '=' || end[-1] == ' '))
		end--; /* with or without padding */
	if (sodium_base642bin((uint8_t *)ret_key, WRITE_KEY_BYTES_MAX, begin, (size_t)(end - begin),
	                      " ", &length, NULL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0)
		return false;
	const char *colon = memchr(ret_key, ':', length);
	*ret_length       = colon != NULL ? (size_t)(colon - ret_key) : length;
	return *ret_length > 0;
}
