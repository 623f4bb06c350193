#ifndef SONNIM_ENGINE_PLAN_CACHE_H
#define SONNIM_ENGINE_PLAN_CACHE_H

/* Plans by change id: the partitions of an engine meet the same PREPARE at different times, and
 * share what was compiled once. Any thread. */

#include "engine/catalog/plan.h"

struct plan_cache;

struct plan_cache *plan_cache_new(int64_t retention_ms);
void               plan_cache_free(struct plan_cache *cache);

/* One reference for the caller. Errors as plan_compile(). */
MUST_USE enum status plan_cache_get(struct plan_cache *cache, uint64_t change_id, struct text body,
                                    struct plan **ret_plan, struct error *err);

#endif
