#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/change/change_record.h"
#include "engine/survey.h"
#include "engine/view.h"
#include "query/query_internal.h"

enum {
	COLUMNS_SHARE = 4, /* of the engine's memory limit, what columns may take is a fourth */
	EVER_MS       = INT32_MAX,
};

static void *zeroed(size_t count, size_t size)
{
	void *memory = calloc(count + 1, size);
	if (memory == NULL)
		abort();
	return memory;
}

/* ---- What is to be kept ---- */

static struct kept_plan **find(struct queries *queries, struct text canonical)
{
	struct kept_plan **place = &queries->kept;
	while (*place != NULL && !text_equal((*place)->canonical, canonical))
		place = &(*place)->next;
	return place;
}

static void free_kept(struct kept_plan *kept)
{
	plan_unref(kept->plan);
	free(kept->known);
	free((char *)kept->canonical.data);
	free(kept);
}

/* What this partition does not know yet. Under the lock. */
static void apply(struct queries *queries, uint32_t partition)
{
	struct columns *columns = queries->columns[partition];
	for (struct kept_plan **place = &queries->kept; *place != NULL;) {
		struct kept_plan *kept = *place;
		if (kept->count > 0 && !kept->known[partition]) {
			/* What finds no room is scanned. */
			columns_keep(columns, kept->plan);
			kept->known[partition] = true;
			kept->applied++;
		} else if (kept->count == 0 && kept->known[partition]) {
			columns_forget(columns, kept->plan);
			kept->known[partition] = false;
			kept->applied--;
		}
		if (kept->count == 0 && kept->applied == 0) {
			*place = kept->next;
			free_kept(kept);
		} else {
			place = &kept->next;
		}
	}
}

/* Each time something is kept or let go, every partition is told, whatever came in between. */
struct telling {
	struct engine_read read;
	struct queries    *queries;
};

static void tell(struct engine_read *read, struct view *view)
{
	struct queries *queries = ((struct telling *)read)->queries;
	pthread_mutex_lock(&queries->lock);
	if (queries->columns[view_partition(view)] != NULL)
		apply(queries, view_partition(view));
	pthread_mutex_unlock(&queries->lock);
}

static void told(struct engine_read *read, enum status status, const struct error *err)
{
	(void)status;
	(void)err;
	free(read);
}

static void tell_all(struct queries *queries)
{
	struct telling *telling = zeroed(1, sizeof *telling);
	telling->queries        = queries;
	telling->read = (struct engine_read){.run = tell, .done = told, .timeout_ms = EVER_MS};
	engine_read_all(queries->engine, &telling->read);
}

/* From the canonical form of some rules. */
static enum status keep(struct queries *queries, struct text key, struct plan *plan,
                        struct error *err)
{
	struct queries_status status;
	queries_status(queries, &status);
	pthread_mutex_lock(&queries->lock);
	struct kept_plan **place = find(queries, key);
	if (*place != NULL) {
		bool anew = (*place)->count++ == 0;
		pthread_mutex_unlock(&queries->lock);
		plan_unref(plan);
		if (anew)
			tell_all(queries);
		return STATUS_OK;
	}
	if (status.memory_bytes >= queries->budget.limit_bytes) {
		pthread_mutex_unlock(&queries->lock);
		plan_unref(plan);
		return error_set(err, STATUS_LIMITED, "No memory is left for another column");
	}
	struct kept_plan *kept = zeroed(1, sizeof *kept);
	char             *copy = zeroed(key.length, 1);
	memcpy(copy, key.data, key.length);
	*kept  = (struct kept_plan){.canonical = {copy, key.length},
	                            .plan      = plan,
	                            .count     = 1,
	                            .known     = zeroed(queries->partition_count, sizeof(bool))};
	*place = kept;
	pthread_mutex_unlock(&queries->lock);
	tell_all(queries);
	return STATUS_OK;
}

enum status queries_keep(struct queries *queries, struct text canonical, struct error *err)
{
	struct buffer        body   = {0};
	struct change_rule   rule   = {.canonical = canonical};
	struct change_record record = {.rule_count = 1, .rules = &rule};
	struct plan         *plan;
	change_record_write_prepare(&body, &record);
	enum status status =
		plan_compile(buffer_text(&body), engine_retention_ms(queries->engine), &plan, err);
	buffer_done(&body);
	return status == STATUS_OK ? keep(queries, canonical, plan, err) : status;
}

void queries_forget(struct queries *queries, struct text canonical)
{
	pthread_mutex_lock(&queries->lock);
	struct kept_plan *kept = *find(queries, canonical);
	bool              last = kept != NULL && kept->count > 0 && --kept->count == 0;
	pthread_mutex_unlock(&queries->lock);
	if (last)
		tell_all(queries);
}

enum status queries_keep_revenue(struct queries *queries, struct text order_event,
                                 struct text refund_event, struct error *err)
{
	struct buffer key    = {0};
	enum status   status = STATUS_OK;
	buffer_add_text(&key, TEXT("revenue "));
	buffer_add_sized(&key, order_event);
	buffer_add_sized(&key, refund_event);
	pthread_mutex_lock(&queries->lock);
	bool known = *find(queries, buffer_text(&key)) != NULL;
	pthread_mutex_unlock(&queries->lock);
	if (!known)
		status = keep(queries, buffer_text(&key),
		              revenue_plan(order_event, refund_event, engine_retention_ms(queries->engine)),
		              err);
	buffer_done(&key);
	return status;
}

/* ---- Life ---- */

static void open_columns(struct engine_read *read, struct view *view)
{
	struct queries *queries =
		(struct queries *)(void *)((char *)read - offsetof(struct queries, opening));
	uint32_t partition = view_partition(view);
	pthread_mutex_lock(&queries->lock);
	queries->columns[partition] = columns_new(survey_partition(view), &queries->budget);
	apply(queries, partition);
	pthread_mutex_unlock(&queries->lock);
}

/* When the engine stops before it has replayed, nobody asks any more. */
static void opened(struct engine_read *read, enum status status, const struct error *err)
{
	(void)read;
	(void)status;
	(void)err;
}

enum status queries_start(struct engine *engine, struct queries **ret_queries, struct error *err)
{
	(void)err;
	struct queries      *queries = zeroed(1, sizeof *queries);
	struct engine_status status;
	engine_status(engine, &status);
	queries->engine             = engine;
	queries->partition_count    = engine_partition_count(engine);
	queries->columns            = zeroed(queries->partition_count, sizeof *queries->columns);
	queries->budget.limit_bytes = status.memory_limit_bytes / COLUMNS_SHARE;
	pthread_mutex_init(&queries->lock, NULL);
	queries->opening =
		(struct engine_read){.run = open_columns, .done = opened, .timeout_ms = EVER_MS};
	*ret_queries = queries;
	engine_read_all(engine, &queries->opening);
	return STATUS_OK;
}

void queries_stop(struct queries *queries)
{
	if (queries == NULL)
		return;
	for (uint32_t i = 0; i < queries->partition_count; i++)
		columns_free(queries->columns[i]);
	while (queries->kept != NULL) {
		struct kept_plan *kept = queries->kept;
		queries->kept          = kept->next;
		free_kept(kept);
	}
	free(queries->columns);
	pthread_mutex_destroy(&queries->lock);
	free(queries);
}

void queries_status(struct queries *queries, struct queries_status *ret_status)
{
	*ret_status = (struct queries_status){
		.memory_bytes =
			atomic_load(&queries->budget.used_bytes) + atomic_load(&queries->memory_bytes),
		.memory_bytes_max = queries->budget.limit_bytes,
		.started          = atomic_load(&queries->started),
		.running          = atomic_load(&queries->running),
		.persons_scanned  = atomic_load(&queries->persons_scanned),
		.persons_asked    = atomic_load(&queries->persons_asked),
	};
	for (uint32_t i = 0; i < queries->partition_count; i++) {
		struct columns_status columns = {0};
		if (queries->columns[i] != NULL)
			columns_status(queries->columns[i], &columns);
		if (columns.columns > ret_status->columns)
			ret_status->columns = columns.columns;
		if (i == 0 || columns.columns_built < ret_status->columns_built)
			ret_status->columns_built = columns.columns_built;
	}
}

uint64_t queries_changes(struct queries *queries) { return engine_steps(queries->engine); }
