#include "ingest/unfinished.h"

#include <string.h>

void unfinished_init(struct unfinished *unfinished)
{
	*unfinished = (struct unfinished){0};
	pthread_mutex_init(&unfinished->lock, NULL);
}

void unfinished_done(struct unfinished *unfinished)
{
	pthread_mutex_destroy(&unfinished->lock);
	VECTOR_DONE(&unfinished->list);
}

void unfinished_add(struct unfinished *unfinished, const struct vault_merge *merges, size_t count)
{
	pthread_mutex_lock(&unfinished->lock);
	for (size_t i = 0; i < count; i++)
		VECTOR_ADD(&unfinished->list, merges[i]);
	atomic_store(&unfinished->count, unfinished->list.count);
	pthread_mutex_unlock(&unfinished->lock);
}

void unfinished_take(struct unfinished *unfinished, merge_list *list)
{
	if (atomic_load_explicit(&unfinished->count, memory_order_relaxed) == 0)
		return;
	pthread_mutex_lock(&unfinished->lock);
	for (size_t i = 0; i < UNFINISHED_TAKEN_MAX && unfinished->list.count > 0; i++)
		VECTOR_ADD(list, unfinished->list.items[--unfinished->list.count]);
	atomic_store(&unfinished->count, unfinished->list.count);
	pthread_mutex_unlock(&unfinished->lock);
}
