/* What retention has reported and dropped. */

#include "store/sqlite_internal.h"

static void read_retention(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct store_retention *)ret_item = (struct store_retention){
		.name          = sqlite_text(row, 0, arena),
		.age_ms        = sqlite3_column_int64(row, 1),
		.reported_ms   = sqlite3_column_int64(row, 2),
		.dropped_ms    = sqlite3_column_int64(row, 3),
		.dropped_count = (uint64_t)sqlite3_column_int64(row, 4),
		.dropped_bytes = (uint64_t)sqlite3_column_int64(row, 5),
	};
}

enum status sqlite_retention_list(struct store *base, struct arena *arena,
                                  struct store_retention **ret_rows, size_t *ret_count,
                                  struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_retention, .item_size = sizeof **ret_rows, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_RETENTION_LIST);
	return sqlite_list(store, statement, &reader, ret_rows, ret_count, err);
}

enum status sqlite_retention_put(struct store *base, const struct store_retention *row,
                                 struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_RETENTION_PUT);
	sqlite_bind_text_of(statement, 1, row->name);
	sqlite_bind_number(statement, 2, row->age_ms);
	sqlite_bind_number(statement, 3, row->reported_ms);
	sqlite_bind_number(statement, 4, row->dropped_ms);
	sqlite_bind_number(statement, 5, (int64_t)row->dropped_count);
	sqlite_bind_number(statement, 6, (int64_t)row->dropped_bytes);
	return sqlite_end(store, sqlite_run(store, statement, err), err);
}
