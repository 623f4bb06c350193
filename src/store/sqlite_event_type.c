/* Registered event types. */

#include "store/sqlite_internal.h"

static void read_type(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct store_event_type *)ret_item = (struct store_event_type){
		.name        = sqlite_text(row, 0, arena),
		.description = sqlite_text(row, 1, arena),
		.created_ms  = sqlite3_column_int64(row, 2),
	};
}

enum status sqlite_event_type_list(struct store *base, struct arena *arena,
                                   struct store_event_type **ret_types, size_t *ret_count,
                                   struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_type, .item_size = sizeof **ret_types, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_EVENT_TYPE_LIST);
	return sqlite_list(store, statement, &reader, ret_types, ret_count, err);
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
