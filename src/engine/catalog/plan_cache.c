#include "engine/catalog/plan_cache.h"

#include <pthread.h>
#include <stdlib.h>

enum { PLANS_KEPT_MAX = 64 };

/* Plans that partitions still meet: the newest ones. An older one is compiled again. */
struct plan_cache {
	pthread_mutex_t lock;
	int64_t         retention_ms;
	struct plan    *plans[PLANS_KEPT_MAX];
	unsigned        next;
};

struct plan_cache *plan_cache_new(int64_t retention_ms)
{
	struct plan_cache *cache = calloc(1, sizeof *cache);
	if (cache == NULL)
		abort();
	pthread_mutex_init(&cache->lock, NULL);
	cache->retention_ms = retention_ms;
	return cache;
}

void plan_cache_free(struct plan_cache *cache)
{
	for (unsigned i = 0; i < PLANS_KEPT_MAX; i++)
		plan_unref(cache->plans[i]);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static enum status cache_get_locked(struct plan_cache *cache, uint64_t change_id, struct text body,
                                    struct plan **ret_plan, struct error *err)
{
	for (unsigned i = 0; i < PLANS_KEPT_MAX; i++) {
		if (cache->plans[i] == NULL || cache->plans[i]->id != change_id)
			continue;
		*ret_plan = plan_ref(cache->plans[i]);
		return STATUS_OK;
	}
	struct plan *plan;
	enum status  status = plan_compile(body, cache->retention_ms, &plan, err);
	if (status != STATUS_OK)
		return status;
	plan_unref(cache->plans[cache->next]);
	cache->plans[cache->next] = plan_ref(plan);
	cache->next               = (cache->next + 1) % PLANS_KEPT_MAX;
	*ret_plan                 = plan;
	return STATUS_OK;
}

enum status plan_cache_get(struct plan_cache *cache, uint64_t change_id, struct text body,
                           struct plan **ret_plan, struct error *err)
{
	pthread_mutex_lock(&cache->lock);
	enum status status = cache_get_locked(cache, change_id, body, ret_plan, err);
	pthread_mutex_unlock(&cache->lock);
	return status;
}
