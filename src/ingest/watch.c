#include "ingest/watch.h"

#include <pthread.h>
#include <stdlib.h>

struct watch {
	pthread_mutex_t lock;
	VECTOR(struct shapes *) threads;
};

struct watch *watch_new(void)
{
	struct watch *watch = calloc(1, sizeof *watch);
	if (watch == NULL)
		abort();
	pthread_mutex_init(&watch->lock, NULL);
	return watch;
}

void watch_free(struct watch *watch)
{
	VECTOR_DONE(&watch->threads);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

void watch_join(struct watch *watch, struct shapes *shapes)
{
	pthread_mutex_lock(&watch->lock);
	VECTOR_ADD(&watch->threads, shapes);
	pthread_mutex_unlock(&watch->lock);
}

void watch_leave(struct watch *watch, struct shapes *shapes)
{
	pthread_mutex_lock(&watch->lock);
	for (size_t i = 0; i < watch->threads.count; i++)
		if (watch->threads.items[i] == shapes)
			watch->threads.items[i--] = watch->threads.items[--watch->threads.count];
	pthread_mutex_unlock(&watch->lock);
}

static void on_each(struct watch *watch, void (*act)(struct shapes *shapes))
{
	pthread_mutex_lock(&watch->lock);
	for (size_t i = 0; i < watch->threads.count; i++)
		act(watch->threads.items[i]);
	pthread_mutex_unlock(&watch->lock);
}

static void let_pass(struct shapes *shapes)
{
	shapes_lock(shapes);
	shapes_unlock(shapes);
}

void watch_set_plan(struct watch *watch, struct source *source, struct plan *plan)
{
	struct plan *before = source_exchange_plan(source, plan);
	if (before != NULL)
		on_each(watch, let_pass);
	plan_free(before);
}

void watch_flush(struct watch *watch) { on_each(watch, shapes_flush); }

void watch_forget(struct watch *watch, struct source *source, enum observed_family family)
{
	struct observed *observed = source_observed(source, family);
	observed_retire(observed);
	if (family == OBSERVED_TYPES)
		on_each(watch, shapes_forget);
	else
		on_each(watch, let_pass);
	observed_free_retired(observed);
}
