/* Places in the change stream. */

#include "store/sqlite_internal.h"

static struct store_consumer read_consumer(sqlite3_stmt *row, struct arena *arena)
{
	return (struct store_consumer){
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

	struct store_consumer *consumers = NULL;
	size_t                 count = 0, capacity = 0;
	sqlite3_stmt          *statement = sqlite_statement(store, SQL_CONSUMER_LIST);
	for (bool row = true;;) {
		status = sqlite_row(store, statement, &row, err);
		if (status != STATUS_OK || !row)
			break;
		consumers          = sqlite_grow(arena, consumers, count, &capacity, sizeof *consumers);
		consumers[count++] = read_consumer(statement, arena);
	}

	status = sqlite_end(store, status, err);
	if (status == STATUS_OK) {
		*ret_consumers = consumers;
		*ret_count     = count;
	}
	return status;
}

/* Runs a statement about one consumer; NOT_FOUND when it answers no row. */
static enum status one(struct store *base, enum sql_query query, struct text name,
                       struct arena *arena, struct store_consumer *ret_consumer, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, query);
	sqlite_bind_text_of(statement, 1, name);
	struct store_consumer consumer = {0};
	bool                  found    = false;
	status                         = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		status = error_set(err, STATUS_NOT_FOUND, "There is no such consumer");
	else if (status == STATUS_OK && ret_consumer != NULL)
		consumer = read_consumer(statement, arena);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK && ret_consumer != NULL)
		*ret_consumer = consumer;
	return status;
}

enum status sqlite_consumer_get(struct store *base, struct text name, struct arena *arena,
                                struct store_consumer *ret_consumer, struct error *err)
{
	return one(base, SQL_CONSUMER_GET, name, arena, ret_consumer, err);
}

enum status sqlite_consumer_delete(struct store *base, struct text name, struct error *err)
{
	return one(base, SQL_CONSUMER_DELETE, name, NULL, NULL, err);
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
