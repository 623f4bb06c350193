/* What parts of the server want to have at their next start. */

#include "store/sqlite_internal.h"

enum status sqlite_kept_get(struct store *base, struct text name, struct arena *arena,
                            struct text *ret_text, int64_t *ret_at_ms, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_KEPT_GET);
	sqlite_bind_text_of(statement, 1, name);
	struct text text  = {0};
	int64_t     at_ms = 0;
	bool        row   = false;
	status            = sqlite_row(store, statement, &row, err);
	if (status == STATUS_OK && !row) {
		status = error_set(err, STATUS_NOT_FOUND, "nothing is kept under that name");
	} else if (status == STATUS_OK) {
		text  = sqlite_text(statement, 0, arena);
		at_ms = sqlite3_column_int64(statement, 1);
	}
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK) {
		*ret_text  = text;
		*ret_at_ms = at_ms;
	}
	return status;
}

enum status sqlite_kept_put(struct store *base, struct text name, struct text text, int64_t at_ms,
                            struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_KEPT_PUT);
	sqlite_bind_text_of(statement, 1, name);
	sqlite_bind_text_of(statement, 2, text);
	sqlite_bind_number(statement, 3, at_ms);
	return sqlite_end(store, sqlite_run(store, statement, err), err);
}
