/* Audiences that were saved. */

#include <string.h>

#include "store/sqlite_internal.h"

enum { COLUMN_VERSION = 7 };

/* The columns as the statements that read audiences have them. */
static void read_audience(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_audience audience = {
		.number      = (uint64_t)sqlite3_column_int64(row, 1),
		.kind        = (enum store_audience_kind)sqlite3_column_int(row, 2),
		.name        = sqlite_text(row, 3, arena),
		.description = sqlite_text(row, 4, arena),
		.definition  = sqlite_text(row, 5, arena),
		.version     = (uint32_t)sqlite3_column_int64(row, COLUMN_VERSION),
		.created_ms  = sqlite3_column_int64(row, 8),
		.updated_ms  = sqlite3_column_int64(row, 9),
		.as_of_ms    = sqlite3_column_int64(row, 10),
		.figures     = sqlite_text(row, 11, arena),
	};
	sqlite_id(row, 0, audience.id);
	sqlite_id(row, 6, audience.segment_id);
	*(struct store_audience *)ret_item = audience;
}

static enum status read_total(struct sqlite_store *store, uint64_t *ret_total, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_AUDIENCE_TOTAL);
	bool          row       = false;
	enum status   status    = sqlite_row(store, statement, &row, err);
	if (status == STATUS_OK)
		*ret_total = row ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
	return status;
}

enum status sqlite_audience_list(struct store *base, uint64_t after_number, size_t limit,
                                 struct arena *arena, struct store_audience **ret_audiences,
                                 size_t *ret_count, uint64_t *ret_total, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	struct store_audience     *audiences = NULL;
	size_t                     count     = 0;
	uint64_t                   total     = 0;
	const struct sqlite_reader reader    = {
		   .read = read_audience, .item_size = sizeof *audiences, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_AUDIENCE_LIST);
	sqlite_bind_number(statement, 1, (int64_t)after_number);
	sqlite_bind_number(statement, 2, (int64_t)limit);
	status = sqlite_rows(store, statement, &reader, &audiences, &count, err);
	if (status == STATUS_OK)
		status = read_total(store, &total, err);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK) {
		*ret_audiences = audiences;
		*ret_count     = count;
		*ret_total     = total;
	}
	return status;
}

static const char missing[] = "There is no such audience";

static enum status get(struct store *base, enum sql_query query, struct text id,
                       struct arena *arena, struct store_audience *ret_audience, struct error *err)
{
	const struct sqlite_reader reader = {.read      = read_audience,
	                                     .item_size = sizeof *ret_audience,
	                                     .arena     = arena,
	                                     .missing   = missing};
	return sqlite_find_by(base, query, id, &reader, ret_audience, err);
}

enum status sqlite_audience_get(struct store *base, struct text id, struct arena *arena,
                                struct store_audience *ret_audience, struct error *err)
{
	return get(base, SQL_AUDIENCE_GET, id, arena, ret_audience, err);
}

enum status sqlite_audience_by_segment(struct store *base, const char *segment_id,
                                       struct arena *arena, struct store_audience *ret_audience,
                                       struct error *err)
{
	return get(base, SQL_AUDIENCE_BY_SEGMENT, text_of(segment_id), arena, ret_audience, err);
}

/* ---- Writing; within a transaction ---- */

static enum status add_version(struct sqlite_store *store, const struct store_audience *audience,
                               struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_AUDIENCE_VERSION_ADD);
	sqlite_bind_string(statement, 1, audience->id);
	sqlite_bind_number(statement, 2, audience->version);
	sqlite_bind_text_of(statement, 3, audience->name);
	sqlite_bind_text_of(statement, 4, audience->description);
	sqlite_bind_text_of(statement, 5, audience->definition);
	sqlite_bind_number(statement, 6, audience->updated_ms);
	return sqlite_run(store, statement, err);
}

static enum status set_members(struct sqlite_store *store, const char *id,
                               const struct store_audience_share *shares, size_t count,
                               struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_AUDIENCE_MEMBERS_CLEAR);
	sqlite_bind_string(statement, 1, id);
	enum status status = sqlite_run(store, statement, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++) {
		statement = sqlite_statement(store, SQL_AUDIENCE_MEMBERS_ADD);
		sqlite_bind_string(statement, 1, id);
		sqlite_bind_number(statement, 2, shares[i].partition);
		sqlite_bind_number(statement, 3, (int64_t)shares[i].count);
		sqlite_bind_bytes(statement, 4, shares[i].slots.data, shares[i].slots.length);
		status = sqlite_run(store, statement, err);
	}
	return status;
}

static enum status insert(struct sqlite_store *store, const struct store_audience *audience,
                          struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_AUDIENCE_ADD);
	sqlite_bind_string(statement, 1, audience->id);
	sqlite_bind_number(statement, 2, (int64_t)audience->number);
	sqlite_bind_number(statement, 3, audience->kind);
	sqlite_bind_text_of(statement, 4, audience->name);
	sqlite_bind_text_of(statement, 5, audience->description);
	sqlite_bind_text_of(statement, 6, audience->definition);
	sqlite_bind_string(statement, 7, audience->segment_id);
	sqlite_bind_number(statement, 8, audience->version);
	sqlite_bind_number(statement, 9, audience->created_ms);
	sqlite_bind_number(statement, 10, audience->as_of_ms);
	sqlite_bind_text_of(statement, 11, audience->figures);
	return sqlite_run(store, statement, err);
}

static enum status add(struct sqlite_store *store, struct store_audience *audience,
                       struct error *err)
{
	audience->updated_ms = audience->created_ms;
	enum status status   = sqlite_counter_next(store, "audience", &audience->number, err);
	if (status == STATUS_OK)
		status = insert(store, audience, err);
	if (status == STATUS_OK)
		status = add_version(store, audience, err);
	return status;
}

enum status sqlite_audience_add(struct store *base, struct store_audience *audience,
                                const struct store_audience_share *shares, size_t share_count,
                                struct error *err)
{
	struct sqlite_store  *store  = sqlite_store_of(base);
	struct store_audience added  = *audience;
	enum status           status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	status = add(store, &added, err);
	if (status == STATUS_OK && share_count > 0)
		status = set_members(store, added.id, shares, share_count, err);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		*audience = added;
	return status;
}

static enum status find_version(struct sqlite_store *store, const char *id, uint32_t *ret_version,
                                struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_AUDIENCE_GET);
	sqlite_bind_string(statement, 1, id);
	bool        found  = false;
	enum status status = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		return error_set(err, STATUS_NOT_FOUND, "%s", missing);
	if (status == STATUS_OK)
		*ret_version = (uint32_t)sqlite3_column_int64(statement, COLUMN_VERSION);
	return status;
}

static enum status check_version(uint32_t stored, uint32_t version, uint32_t expected_version,
                                 struct error *err)
{
	if (expected_version != 0 && expected_version != stored)
		return error_set_field(err, STATUS_PRECONDITION, "If-Match",
		                       "The audience is at version %u", stored);
	if (version != stored && version != stored + 1)
		return error_set(err, STATUS_PRECONDITION, "The audience was changed meanwhile");
	return STATUS_OK;
}

static enum status replace(struct sqlite_store *store, const struct store_audience *audience,
                           struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_AUDIENCE_CHANGE);
	sqlite_bind_text_of(statement, 1, audience->name);
	sqlite_bind_text_of(statement, 2, audience->description);
	sqlite_bind_text_of(statement, 3, audience->definition);
	sqlite_bind_number(statement, 4, audience->version);
	sqlite_bind_number(statement, 5, audience->updated_ms);
	sqlite_bind_number(statement, 6, audience->as_of_ms);
	sqlite_bind_text_of(statement, 7, audience->figures);
	sqlite_bind_string(statement, 8, audience->id);
	return sqlite_run(store, statement, err);
}

static enum status change(struct sqlite_store *store, const struct store_audience *audience,
                          uint32_t expected_version, struct error *err)
{
	uint32_t    stored = 0;
	enum status status = find_version(store, audience->id, &stored, err);
	if (status == STATUS_OK)
		status = check_version(stored, audience->version, expected_version, err);
	if (status == STATUS_OK)
		status = replace(store, audience, err);
	if (status == STATUS_OK && audience->version != stored)
		status = add_version(store, audience, err);
	return status;
}

enum status sqlite_audience_put(struct sqlite_store *store, struct store_audience *audience,
                                struct error *err)
{
	return audience->number == 0 ? add(store, audience, err) : change(store, audience, 0, err);
}

enum status sqlite_audience_change(struct store *base, struct store_audience *audience,
                                   uint32_t                           expected_version,
                                   const struct store_audience_share *shares, size_t share_count,
                                   struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	status = change(store, audience, expected_version, err);
	if (status == STATUS_OK && shares != NULL)
		status = set_members(store, audience->id, shares, share_count, err);
	return sqlite_end(store, status, err);
}

enum status sqlite_audience_delete(struct store *base, struct text id, struct error *err)
{
	const struct sqlite_reader reader = {.missing = missing};
	return sqlite_find_by(base, SQL_AUDIENCE_DELETE, id, &reader, NULL, err);
}

/* ---- Versions and members ---- */

static void read_version(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct store_audience_version *)ret_item = (struct store_audience_version){
		.version     = (uint32_t)sqlite3_column_int64(row, 0),
		.name        = sqlite_text(row, 1, arena),
		.description = sqlite_text(row, 2, arena),
		.definition  = sqlite_text(row, 3, arena),
		.at_ms       = sqlite3_column_int64(row, 4),
	};
}

enum status sqlite_audience_versions(struct store *base, struct text id, struct arena *arena,
                                     struct store_audience_version **ret_versions,
                                     size_t *ret_count, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_version, .item_size = sizeof **ret_versions, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_AUDIENCE_VERSION_LIST);
	sqlite_bind_text_of(statement, 1, id);
	return sqlite_list(store, statement, &reader, ret_versions, ret_count, err);
}

static void read_share(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct store_audience_share *)ret_item = (struct store_audience_share){
		.partition = (uint32_t)sqlite3_column_int64(row, 0),
		.count     = (uint64_t)sqlite3_column_int64(row, 1),
		.slots     = sqlite_bytes(row, 2, arena),
	};
}

enum status sqlite_audience_members(struct store *base, struct text id, struct arena *arena,
                                    struct store_audience_share **ret_shares, size_t *ret_count,
                                    struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_share, .item_size = sizeof **ret_shares, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_AUDIENCE_MEMBERS_LIST);
	sqlite_bind_text_of(statement, 1, id);
	return sqlite_list(store, statement, &reader, ret_shares, ret_count, err);
}
