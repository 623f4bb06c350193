/* Places in the change stream. */

#include "store/sqlite_internal.h"

static void read_consumer(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct store_consumer *)ret_item = (struct store_consumer){
		.name       = sqlite_text(row, 0, arena),
		.cursor     = sqlite_text(row, 1, arena),
		.created_ms = sqlite3_column_int64(row, 2),
		.updated_ms = sqlite3_column_int64(row, 3),
	};
}

enum status sqlite_consumer_list(struct store *base, struct arena *arena,
                                 struct store_consumer **ret_consumers, size_t *ret_count,
                                 struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_consumer, .item_size = sizeof **ret_consumers, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_CONSUMER_LIST);
	return sqlite_list(store, statement, &reader, ret_consumers, ret_count, err);
}

static struct sqlite_reader one(struct arena *arena)
{
	return (struct sqlite_reader){.read      = read_consumer,
	                              .item_size = sizeof(struct store_consumer),
	                              .arena     = arena,
	                              .missing   = "There is no such consumer"};
}

enum status sqlite_consumer_get(struct store *base, struct text name, struct arena *arena,
                                struct store_consumer *ret_consumer, struct error *err)
{
	const struct sqlite_reader reader = one(arena);
	return sqlite_find_by(base, SQL_CONSUMER_GET, name, &reader, ret_consumer, err);
}

enum status sqlite_consumer_delete(struct store *base, struct text name, struct error *err)
{
	const struct sqlite_reader reader = one(NULL);
	return sqlite_find_by(base, SQL_CONSUMER_DELETE, name, &reader, NULL, err);
}

enum status sqlite_consumer_put(struct store *base, struct store_consumer *consumer,
                                struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_CONSUMER_PUT);
	sqlite_bind_text_of(statement, 1, consumer->name);
	sqlite_bind_text_of(statement, 2, consumer->cursor);
	sqlite_bind_number(statement, 3, consumer->updated_ms);
	bool    row        = false;
	int64_t created_ms = 0;
	status             = sqlite_row(store, statement, &row, err);
	if (status == STATUS_OK && row)
		created_ms = sqlite3_column_int64(statement, 0);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		consumer->created_ms = created_ms;
	return status;
}
