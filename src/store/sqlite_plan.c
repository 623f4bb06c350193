/* Tracking plans of sources, and what was observed of them. */

#include "store/sqlite_internal.h"

static void read_plan(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct store_plan *)ret_item = (struct store_plan){
		.source_number = (uint32_t)sqlite3_column_int64(row, 0),
		.version       = (uint32_t)sqlite3_column_int64(row, 1),
		.created_ms    = sqlite3_column_int64(row, 2),
		.updated_ms    = sqlite3_column_int64(row, 3),
		.plan          = sqlite_text(row, 4, arena),
	};
}

enum status sqlite_plan_list(struct store *base, struct arena *arena, struct store_plan **ret_plans,
                             size_t *ret_count, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;

	const struct sqlite_reader reader = {
		.read = read_plan, .item_size = sizeof **ret_plans, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_PLAN_LIST);
	return sqlite_list(store, statement, &reader, ret_plans, ret_count, err);
}

/* Within a transaction; deleted or not. `ret_plan->version` 0: never made. */
static enum status find_plan(struct sqlite_store *store, uint32_t source_number,
                             struct arena *arena, struct store_plan *ret_plan, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_PLAN_GET);
	sqlite_bind_number(statement, 1, source_number);
	bool        found  = false;
	enum status status = sqlite_row(store, statement, &found, err);
	*ret_plan          = (struct store_plan){0};
	if (status == STATUS_OK && found)
		read_plan(statement, arena, ret_plan);
	return status;
}

static enum status missing(struct error *err)
{
	return error_set(err, STATUS_NOT_FOUND, "The source has no tracking plan");
}

enum status sqlite_plan_get(struct store *base, uint32_t source_number, struct arena *arena,
                            struct store_plan *ret_plan, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	struct store_plan plan;
	status = find_plan(store, source_number, arena, &plan, err);
	if (status == STATUS_OK && plan.plan.length == 0)
		status = missing(err);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		*ret_plan = plan;
	return status;
}

static enum status write_plan(struct sqlite_store *store, const struct store_plan *plan,
                              struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_PLAN_PUT);
	sqlite_bind_number(statement, 1, plan->source_number);
	sqlite_bind_number(statement, 2, plan->version);
	sqlite_bind_number(statement, 3, plan->created_ms);
	sqlite_bind_number(statement, 4, plan->updated_ms);
	sqlite_bind_text_of(statement, 5, plan->plan);
	return sqlite_run(store, statement, err);
}

/* `*plan` over `before`. */
static enum status change_plan(struct sqlite_store *store, const struct store_plan *before,
                               struct store_plan *plan, uint32_t expected_version,
                               struct error *err)
{
	bool exists = before->plan.length > 0;
	if (!exists && plan->plan.length == 0)
		return missing(err);
	if (expected_version != 0 && expected_version != before->version)
		return error_set(err, STATUS_PRECONDITION, "the tracking plan is at version %u, not %u",
		                 before->version, expected_version);
	if (exists && text_equal(before->plan, plan->plan)) {
		*plan = *before;
		return STATUS_OK;
	}
	plan->version    = before->version + 1;
	plan->created_ms = exists ? before->created_ms : plan->updated_ms;
	return write_plan(store, plan, err);
}

enum status sqlite_plan_put(struct store *base, struct store_plan *plan, uint32_t expected_version,
                            struct error *err)
{
	struct sqlite_store *store = sqlite_store_of(base);
	struct store_plan    before, changed = *plan;
	struct arena         arena;
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	arena_init(&arena);
	status = find_plan(store, plan->source_number, &arena, &before, err);
	if (status == STATUS_OK)
		status = change_plan(store, &before, &changed, expected_version, err);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK) {
		changed.plan = plan->plan; /* the same text, in the caller's memory */
		*plan        = changed;
	}
	arena_done(&arena);
	return status;
}

/* ---- Observations ---- */

static void read_observation(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct store_observation *)ret_item = (struct store_observation){
		.source_number = (uint32_t)sqlite3_column_int64(row, 0),
		.family        = sqlite3_column_int(row, 1),
		.event         = sqlite_text(row, 2, arena),
		.property      = sqlite_text(row, 3, arena),
		.kind          = sqlite_text(row, 4, arena),
		.count         = sqlite3_column_int64(row, 5),
		.first_ms      = sqlite3_column_int64(row, 6),
		.last_ms       = sqlite3_column_int64(row, 7),
		.sample        = sqlite_text(row, 8, arena),
	};
}

enum status sqlite_observation_list(struct store *base, struct arena *arena,
                                    struct store_observation **ret_rows, size_t *ret_count,
                                    struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;

	const struct sqlite_reader reader = {
		.read = read_observation, .item_size = sizeof **ret_rows, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_OBSERVATION_LIST);
	return sqlite_list(store, statement, &reader, ret_rows, ret_count, err);
}

static enum status put_observation(struct sqlite_store *store, const struct store_observation *row,
                                   struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_OBSERVATION_PUT);
	sqlite_bind_number(statement, 1, row->source_number);
	sqlite_bind_number(statement, 2, row->family);
	sqlite_bind_text_of(statement, 3, row->event);
	sqlite_bind_text_of(statement, 4, row->property);
	sqlite_bind_text_of(statement, 5, row->kind);
	sqlite_bind_number(statement, 6, row->count);
	sqlite_bind_number(statement, 7, row->first_ms);
	sqlite_bind_number(statement, 8, row->last_ms);
	sqlite_bind_text_of(statement, 9, row->sample);
	return sqlite_run(store, statement, err);
}

enum status sqlite_observation_put(struct store *base, const struct store_observation *rows,
                                   size_t count, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		status = put_observation(store, &rows[i], err);
	return sqlite_end(store, status, err);
}

enum status sqlite_observation_drop(struct store *base, uint32_t source_number, int family,
                                    struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_OBSERVATION_DROP);
	sqlite_bind_number(statement, 1, source_number);
	sqlite_bind_number(statement, 2, family);
	return sqlite_end(store, sqlite_run(store, statement, err), err);
}
