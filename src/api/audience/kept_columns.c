#include "api/audience/kept_columns.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/vector.h"

struct kept {
	char        id[UUID_TEXT_BYTES];
	struct text canonical; /* owned */
};

struct kept_columns {
	struct queries *queries;
	pthread_mutex_t lock;
	VECTOR(struct kept) all;
};

struct kept_columns *kept_columns_new(struct queries *queries)
{
	struct kept_columns *kept = calloc(1, sizeof *kept);
	assert(kept != NULL);
	kept->queries = queries;
	pthread_mutex_init(&kept->lock, NULL);
	return kept;
}

void kept_columns_free(struct kept_columns *kept)
{
	if (kept == NULL)
		return;
	for (size_t i = 0; i < kept->all.count; i++)
		free((void *)kept->all.items[i].canonical.data);
	VECTOR_DONE(&kept->all);
	pthread_mutex_destroy(&kept->lock);
	free(kept);
}

/* The lock is held. */
static struct kept *find(struct kept_columns *kept, const char *id)
{
	for (size_t i = 0; i < kept->all.count; i++)
		if (strcmp(kept->all.items[i].id, id) == 0)
			return &kept->all.items[i];
	return NULL;
}

/* Whether it was kept. Without columns it is scanned: slower, and the same. */
static bool keep(struct kept_columns *kept, const char *id, struct text canonical)
{
	struct error err;
	if (canonical.length == 0)
		return false;
	if (queries_keep(kept->queries, canonical, &err) == STATUS_OK)
		return true;
	log_line(LOG_WARNING, "a saved audience is scanned, not kept as columns",
	         LOG_STRING("audience", id), LOG_STRING("error", err.reason));
	return false;
}

static struct kept entry_of(const char *id, struct text canonical)
{
	struct kept entry;
	char       *copy = malloc(canonical.length);
	assert(copy != NULL);
	memcpy(copy, canonical.data, canonical.length);
	memcpy(entry.id, id, sizeof entry.id);
	entry.canonical = (struct text){copy, canonical.length};
	return entry;
}

void kept_columns_set(struct kept_columns *kept, const char *id, struct text canonical)
{
	pthread_mutex_lock(&kept->lock);
	struct kept *before   = find(kept, id);
	bool         room     = before != NULL || kept->all.count < KEPT_AUDIENCES_MAX;
	bool         kept_now = room && keep(kept, id, canonical); /* first: what both look at stays */
	if (before != NULL) {
		queries_forget(kept->queries, before->canonical);
		free((void *)before->canonical.data);
		*before = kept->all.items[--kept->all.count];
	}
	if (kept_now)
		VECTOR_ADD(&kept->all, entry_of(id, canonical));
	pthread_mutex_unlock(&kept->lock);
}
