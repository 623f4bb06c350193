#include "job/retention.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "job/job_internal.h"

enum { ATTEMPTS_MAX = 5, PRIORITY = -50 };
#define BACKOFF_MS_FIRST (1 * MINUTE_MS)
#define BACKOFF_MS_MAX   (60 * MINUTE_MS)

struct retention {
	struct jobs           *jobs;
	struct store          *store;
	int64_t                wait_ms;
	struct retention_thing things[RETENTION_THINGS_MAX];
	size_t                 count;

	pthread_mutex_t         lock;                          /* over what follows */
	struct retention_amount dropped[RETENTION_THINGS_MAX]; /* since the start */
};

const char *retention_plan_name(enum retention_plan plan)
{
	static const char *const names[] = {"keep", "report", "wait", "drop", "others"};
	return names[plan];
}

/* ---- What is to be done ---- */

int64_t retention_age_ms(const struct retention_thing *thing)
{
	return thing->age_ms == NULL ? INSTANT_MS_NEVER
	                             : __atomic_load_n(thing->age_ms, __ATOMIC_RELAXED);
}

/* What the store knows of a thing; zeroed times are INSTANT_MS_NONE. */
static struct store_retention find(const struct store_retention *stored, size_t count,
                                   const struct retention_thing *thing)
{
	for (size_t i = 0; i < count; i++)
		if (text_equal(stored[i].name, text_of(thing->name)))
			return stored[i];
	return (struct store_retention){.name        = text_of(thing->name),
	                                .age_ms      = retention_age_ms(thing),
	                                .reported_ms = INSTANT_MS_NONE,
	                                .dropped_ms  = INSTANT_MS_NONE};
}

static int64_t before_of(const struct retention_thing *thing, int64_t now_ms)
{
	int64_t age_ms = retention_age_ms(thing);
	return age_ms == INSTANT_MS_NEVER || thing->drop == NULL ? INSTANT_MS_NONE : now_ms - age_ms;
}

static enum retention_plan plan_of(const struct retention_row *row, int64_t now_ms)
{
	if (row->thing->drop == NULL)
		return RETENTION_OTHERS;
	if (row->look.due.count == 0)
		return RETENTION_KEEP;
	if (row->reported_ms == INSTANT_MS_NONE)
		return RETENTION_REPORT;
	return now_ms < row->drops_from_ms ? RETENTION_WAIT : RETENTION_DROP;
}

static enum status look_at(const struct retention *retention, const struct retention_thing *thing,
                           const struct store_retention *stored, int64_t now_ms,
                           struct retention_row *ret_row, struct error *err)
{
	struct retention_row row = {.thing         = thing,
	                            .look          = {.oldest_ms = INSTANT_MS_NONE},
	                            .reported_ms   = stored->reported_ms,
	                            .drops_from_ms = INSTANT_MS_NONE,
	                            .dropped_ms    = stored->dropped_ms,
	                            .dropped       = {stored->dropped_count, stored->dropped_bytes}};
	enum status status = thing->look(thing->context, before_of(thing, now_ms), &row.look, err);
	if (status != STATUS_OK)
		return status;
	if (retention_age_ms(thing) < stored->age_ms)
		row.reported_ms = INSTANT_MS_NONE; /* of another limit */
	if (row.reported_ms != INSTANT_MS_NONE)
		row.drops_from_ms = row.reported_ms + retention->wait_ms;
	row.plan = plan_of(&row, now_ms);
	*ret_row = row;
	return STATUS_OK;
}

enum status retention_list(struct retention *retention, struct arena *arena,
                           struct retention_row **ret_rows, size_t *ret_count, struct error *err)
{
	struct store           *store  = retention->store;
	int64_t                 now_ms = retention->jobs->now_ms(retention->jobs->now_context);
	struct store_retention *stored;
	size_t                  count;
	enum status             status = store->ops->retention_list(store, arena, &stored, &count, err);
	if (status != STATUS_OK)
		return status;
	struct retention_row *rows = ARENA_ARRAY(arena, struct retention_row, retention->count);
	for (size_t i = 0; i < retention->count; i++) {
		struct store_retention one = find(stored, count, &retention->things[i]);
		if ((status = look_at(retention, &retention->things[i], &one, now_ms, &rows[i], err)) !=
		    STATUS_OK)
			return status;
	}
	*ret_rows  = rows;
	*ret_count = retention->count;
	return STATUS_OK;
}

/* ---- The job ---- */

static void write_amount(struct json_writer *w, const char *name,
                         const struct retention_amount *amount)
{
	json_add_key(w, text_of(name));
	json_begin_object(w);
	json_member_int(w, "count", (int64_t)amount->count);
	json_member_int(w, "bytes", (int64_t)amount->bytes);
	json_end_object(w);
}

static void report_row(struct json_writer *w, const struct retention_row *row,
                       const struct retention_amount *dropped)
{
	json_begin_object(w);
	json_member_string(w, "name", text_of(row->thing->name));
	json_member_string(w, "done", text_of(retention_plan_name(row->plan)));
	write_amount(w, "due", &row->look.due);
	write_amount(w, "dropped", dropped);
	if (row->drops_from_ms == INSTANT_MS_NONE)
		json_member_null(w, "dropsFrom");
	else
		json_member_instant(w, "dropsFrom", row->drops_from_ms);
	json_end_object(w);
}

static enum status keep_row(struct retention *retention, const struct retention_row *row,
                            struct error *err)
{
	struct store_retention stored = {.name          = text_of(row->thing->name),
	                                 .age_ms        = retention_age_ms(row->thing),
	                                 .reported_ms   = row->reported_ms,
	                                 .dropped_ms    = row->dropped_ms,
	                                 .dropped_count = row->dropped.count,
	                                 .dropped_bytes = row->dropped.bytes};
	return retention->store->ops->retention_put(retention->store, &stored, err);
}

static enum status drop(struct retention *retention, struct retention_row *row, struct job *job,
                        int64_t now_ms, struct error *err)
{
	const struct retention_thing *thing   = row->thing;
	struct retention_amount       dropped = {0};
	enum status status = thing->drop(thing->context, job, before_of(thing, now_ms), &dropped, err);
	pthread_mutex_lock(&retention->lock);
	struct retention_amount *since_start = &retention->dropped[thing - retention->things];
	since_start->count += dropped.count;
	since_start->bytes += dropped.bytes;
	pthread_mutex_unlock(&retention->lock);
	if (dropped.count > 0) {
		row->dropped_ms = now_ms;
		row->dropped    = dropped;
	}
	return status;
}

/* One thing, with its lines in the report. */
static enum status treat(struct retention *retention, struct retention_row *row, struct job *job,
                         int64_t now_ms, struct json_writer *report, struct error *err)
{
	struct retention_amount dropped = {0};
	enum status             status  = STATUS_OK;
	if (row->plan == RETENTION_REPORT) {
		row->reported_ms   = now_ms;
		row->drops_from_ms = now_ms + retention->wait_ms;
	} else if (row->plan == RETENTION_DROP) {
		status  = drop(retention, row, job, now_ms, err);
		dropped = row->dropped;
		if (row->dropped_ms != now_ms)
			dropped = (struct retention_amount){0};
	}
	report_row(report, row, &dropped);
	struct error not_kept;
	enum status  kept =
        row->plan == RETENTION_OTHERS ? STATUS_OK : keep_row(retention, row, &not_kept);
	if (status == STATUS_OK && kept != STATUS_OK) {
		*err   = not_kept;
		status = kept;
	}
	return status;
}

static enum status treat_all(struct retention *retention, struct job *job,
                             struct json_writer *report, struct error *err)
{
	int64_t               now_ms = job_now_ms(job);
	struct retention_row *rows;
	struct arena          arena;
	size_t                count;
	arena_init(&arena);
	enum status status = retention_list(retention, &arena, &rows, &count, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++) {
		job_progress(job, (int64_t)i, (int64_t)count, "things", rows[i].thing->name);
		if (job_stopping(job) != JOB_GO_ON)
			status = error_set(err, STATUS_AGAIN, "The job was told to stop");
		else
			status = treat(retention, &rows[i], job, now_ms, report, err);
	}
	if (status == STATUS_OK)
		job_progress(job, (int64_t)count, (int64_t)count, "things", "");
	arena_done(&arena);
	return status;
}

static enum status run(void *context, struct job *job, struct error *err)
{
	struct buffer      out    = {0};
	struct json_writer report = json_writer_of(&out);
	json_begin_object(&report);
	json_add_key(&report, TEXT("things"));
	json_begin_array(&report);
	enum status status = treat_all(context, job, &report, err);
	json_end_array(&report);
	json_end_object(&report);
	job_set_result(job, buffer_text(&out));
	buffer_done(&out);
	return status;
}

/* ---- Life ---- */

struct retention *retention_new(struct jobs *jobs, struct store *store, int64_t wait_ms)
{
	struct retention *retention = calloc(1, sizeof *retention);
	assert(retention != NULL);
	retention->jobs    = jobs;
	retention->store   = store;
	retention->wait_ms = wait_ms;
	pthread_mutex_init(&retention->lock, NULL);
	const struct job_kind kind = {.name           = "retention",
	                              .summary        = "Drops what is older than it is to be kept",
	                              .check          = job_check_none,
	                              .run            = run,
	                              .context        = retention,
	                              .beside_max     = 1,
	                              .priority       = PRIORITY,
	                              .attempts_max   = ATTEMPTS_MAX,
	                              .backoff_ms     = BACKOFF_MS_FIRST,
	                              .backoff_ms_max = BACKOFF_MS_MAX};
	jobs_register(jobs, &kind);
	return retention;
}

void retention_free(struct retention *retention)
{
	if (retention == NULL)
		return;
	pthread_mutex_destroy(&retention->lock);
	free(retention);
}

void retention_register(struct retention *retention, const struct retention_thing *thing)
{
	assert(retention->count < RETENTION_THINGS_MAX);
	assert(thing->look != NULL);
	retention->things[retention->count++] = *thing;
}

enum status retention_begin(struct retention *retention, struct error *err)
{
	const struct store_schedule nightly = {.name     = TEXT("retention"),
	                                       .kind     = TEXT("retention"),
	                                       .cron     = TEXT("37 2 * * *"),
	                                       .priority = PRIORITY,
	                                       .active   = true};
	return jobs_schedule_default(retention->jobs, &nightly, err);
}

void retention_write_metrics(struct retention *retention, struct buffer *out)
{
	buffer_printf(out, "# HELP sonnim_retention_dropped_total Items that retention has dropped\n"
	                   "# TYPE sonnim_retention_dropped_total counter\n");
	pthread_mutex_lock(&retention->lock);
	for (size_t i = 0; i < retention->count; i++)
		if (retention->things[i].drop != NULL)
			buffer_printf(out, "sonnim_retention_dropped_total{thing=\"%s\"} %llu\n",
			              retention->things[i].name,
			              (unsigned long long)retention->dropped[i].count);
	buffer_printf(out, "# HELP sonnim_retention_dropped_bytes_total Their bytes, where known\n"
	                   "# TYPE sonnim_retention_dropped_bytes_total counter\n");
	for (size_t i = 0; i < retention->count; i++)
		if (retention->things[i].drop != NULL)
			buffer_printf(out, "sonnim_retention_dropped_bytes_total{thing=\"%s\"} %llu\n",
			              retention->things[i].name,
			              (unsigned long long)retention->dropped[i].bytes);
	pthread_mutex_unlock(&retention->lock);
}
