/* Registered event types. */

#include "store/sqlite_internal.h"

enum status sqlite_event_type_list(struct store *base, struct arena *arena,
                                   struct store_event_type **ret_types, size_t *ret_count,
                                   struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;

	struct store_event_type *types = NULL;
	size_t                   count = 0, capacity = 0;
	sqlite3_stmt            *statement = sqlite_statement(store, SQL_EVENT_TYPE_LIST);
	for (bool row = true;;) {
		status = sqlite_row(store, statement, &row, err);
		if (status != STATUS_OK || !row)
			break;
		types          = sqlite_grow(arena, types, count, &capacity, sizeof *types);
		types[count++] = (struct store_event_type){
			.name        = sqlite_text(statement, 0, arena),
			.description = sqlite_text(statement, 1, arena),
			.created_ms  = sqlite3_column_int64(statement, 2),
		};
	}

	status = sqlite_end(store, status, err);
	if (status == STATUS_OK) {
		*ret_types = types;
		*ret_count = count;
	}
	return status;
}

enum status sqlite_event_type_add(struct store *base, const struct store_event_type *type,
                                  struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_EVENT_TYPE_ADD);
	sqlite_bind_text_of(statement, 1, type->name);
	sqlite_bind_text_of(statement, 2, type->description);
	sqlite_bind_number(statement, 3, type->created_ms);
	return sqlite_end(store, sqlite_run(store, statement, err), err);
}
