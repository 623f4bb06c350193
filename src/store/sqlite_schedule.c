/* Schedules: what adds jobs by the clock. */

#include <assert.h>

#include "base/instant.h"
#include "store/sqlite_internal.h"

static void read_schedule(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_schedule schedule = {
		.name       = sqlite_text(row, 0, arena),
		.kind       = sqlite_text(row, 1, arena),
		.params     = sqlite_text(row, 2, arena),
		.cron       = sqlite_text(row, 3, arena),
		.priority   = sqlite3_column_int(row, 4),
		.active     = sqlite3_column_int(row, 5) != 0,
		.created_ms = sqlite3_column_int64(row, 6),
		.updated_ms = sqlite3_column_int64(row, 7),
		.next_ms    = sqlite3_column_int64(row, 8),
		.last_ms    = sqlite3_column_int64(row, 9),
	};
	sqlite_id(row, 10, schedule.last_id);
	*(struct store_schedule *)ret_item = schedule;
}

enum status sqlite_schedule_list(struct store *base, struct arena *arena,
                                 struct store_schedule **ret_schedules, size_t *ret_count,
                                 struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_schedule, .item_size = sizeof **ret_schedules, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SCHEDULE_LIST);
	return sqlite_list(store, statement, &reader, ret_schedules, ret_count, err);
}

static struct sqlite_reader one(struct arena *arena)
{
	return (struct sqlite_reader){.read      = read_schedule,
	                              .item_size = sizeof(struct store_schedule),
	                              .arena     = arena,
	                              .missing   = "There is no such schedule"};
}

enum status sqlite_schedule_get(struct store *base, struct text name, struct arena *arena,
                                struct store_schedule *ret_schedule, struct error *err)
{
	const struct sqlite_reader reader = one(arena);
	return sqlite_find_by(base, SQL_SCHEDULE_GET, name, &reader, ret_schedule, err);
}

enum status sqlite_schedule_delete(struct store *base, struct text name, struct error *err)
{
	const struct sqlite_reader reader = one(NULL);
	return sqlite_find_by(base, SQL_SCHEDULE_DELETE, name, &reader, NULL, err);
}

enum status sqlite_schedule_put(struct store *base, struct store_schedule *schedule,
                                struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SCHEDULE_PUT);
	sqlite_bind_text_of(statement, 1, schedule->name);
	sqlite_bind_text_of(statement, 2, schedule->kind);
	sqlite_bind_text_of(statement, 3, schedule->params);
	sqlite_bind_text_of(statement, 4, schedule->cron);
	sqlite_bind_number(statement, 5, schedule->priority);
	sqlite_bind_number(statement, 6, schedule->active);
	sqlite_bind_number(statement, 7, schedule->updated_ms);
	sqlite_bind_number(statement, 8, schedule->next_ms);
	sqlite_bind_number(statement, 9, INSTANT_MS_NONE);
	struct store_schedule stored = *schedule;
	bool                  row    = false;
	status                       = sqlite_row(store, statement, &row, err);
	if (status == STATUS_OK) {
		assert(row);
		stored.created_ms = sqlite3_column_int64(statement, 0);
		stored.last_ms    = sqlite3_column_int64(statement, 1);
		sqlite_id(statement, 2, stored.last_id);
	}
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		*schedule = stored;
	return status;
}

enum status sqlite_schedule_fire(struct store *base, struct text name, int64_t expected_next_ms,
                                 int64_t next_ms, struct store_job *job, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	struct store_job     added  = *job;
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SCHEDULE_FIRE);
	sqlite_bind_number(statement, 1, next_ms);
	sqlite_bind_string(statement, 2, job->id);
	sqlite_bind_text_of(statement, 3, name);
	sqlite_bind_number(statement, 4, expected_next_ms);
	bool found = false;
	status     = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		status = error_set(err, STATUS_PRECONDITION, "The schedule has changed");
	if (status == STATUS_OK)
		status = sqlite_job_insert(store, &added, err);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		*job = added;
	return status;
}
