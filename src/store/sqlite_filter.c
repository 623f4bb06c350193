/* Filters of audiences that were added. */

#include "store/sqlite_internal.h"

static void read_filter(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct store_filter *)ret_item = (struct store_filter){
		.name       = sqlite_text(row, 0, arena),
		.definition = sqlite_text(row, 1, arena),
		.created_ms = sqlite3_column_int64(row, 2),
		.updated_ms = sqlite3_column_int64(row, 3),
	};
}

enum status sqlite_filter_list(struct store *base, struct arena *arena,
                               struct store_filter **ret_filters, size_t *ret_count,
                               struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_filter, .item_size = sizeof **ret_filters, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_FILTER_LIST);
	return sqlite_list(store, statement, &reader, ret_filters, ret_count, err);
}

enum status sqlite_filter_put(struct store *base, struct store_filter *filter, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_FILTER_PUT);
	sqlite_bind_text_of(statement, 1, filter->name);
	sqlite_bind_text_of(statement, 2, filter->definition);
	sqlite_bind_number(statement, 3, filter->updated_ms);
	bool    row        = false;
	int64_t created_ms = 0;
	status             = sqlite_row(store, statement, &row, err);
	if (status == STATUS_OK && row)
		created_ms = sqlite3_column_int64(statement, 0);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		filter->created_ms = created_ms;
	return status;
}

enum status sqlite_filter_delete(struct store *base, struct text name, struct error *err)
{
	const struct sqlite_reader reader = {.missing = "There is no such filter"};
	return sqlite_find_by(base, SQL_FILTER_DELETE, name, &reader, NULL, err);
}
