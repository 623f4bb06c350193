#ifndef SONNIM_INGEST_UNFINISHED_H
#define SONNIM_INGEST_UNFINISHED_H

/* Merges that the vault knows of and the journal perhaps not. A link is durable in the vault before
 * the records of its request are appended; when that fails, or the process ends in between, the
 * visitor's events would never reach the user. So what failed waits here and goes along with the
 * next request; at start, whatever the vault has linked and the engine not merged is put here.
 * Telling a merge twice is harmless: the engine knows who has left.
 *
 * Threads: any. */

#include <pthread.h>
#include <stdatomic.h>

#include "base/vector.h"
#include "journal/journal.h"
#include "vault/vault.h"

enum { UNFINISHED_TAKEN_MAX = 10000 }; /* at once */

typedef VECTOR(struct vault_merge) merge_list;

struct unfinished {
	pthread_mutex_t lock;
	merge_list      list;
	_Atomic size_t  count;
};

void unfinished_init(struct unfinished *unfinished);
void unfinished_done(struct unfinished *unfinished);

void unfinished_add(struct unfinished *unfinished, const struct vault_merge *merges, size_t count);

/* Moves UNFINISHED_TAKEN_MAX at most to the end of `*list`. Cheap when there are none. */
void unfinished_take(struct unfinished *unfinished, merge_list *list);

#endif
