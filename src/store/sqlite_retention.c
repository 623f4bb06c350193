/* What retention has reported and dropped. */

#include "store/sqlite_internal.h"

enum status sqlite_retention_list(struct store *base, struct arena *arena,
                                  struct store_retention **ret_rows, size_t *ret_count,
                                  struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	struct store_retention *rows  = NULL;
	size_t                  count = 0, capacity = 0;
	sqlite3_stmt           *statement = sqlite_statement(store, SQL_RETENTION_LIST);
	for (bool row = true;;) {
		status = sqlite_row(store, statement, &row, err);
		if (status != STATUS_OK || !row)
			break;
		rows          = sqlite_grow(arena, rows, count, &capacity, sizeof *rows);
		rows[count++] = (struct store_retention){
			.name          = sqlite_text(statement, 0, arena),
			.age_ms        = sqlite3_column_int64(statement, 1),
			.reported_ms   = sqlite3_column_int64(statement, 2),
			.dropped_ms    = sqlite3_column_int64(statement, 3),
			.dropped_count = (uint64_t)sqlite3_column_int64(statement, 4),
			.dropped_bytes = (uint64_t)sqlite3_column_int64(statement, 5),
		};
	}
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK) {
		*ret_rows  = rows;
		*ret_count = count;
	}
	return status;
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
