/* Where audiences are sent. */

#include "store/sqlite_internal.h"

static void read_destination(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_destination destination = {
		.name        = sqlite_text(row, 1, arena),
		.kind        = sqlite_text(row, 2, arena),
		.settings    = sqlite_text(row, 3, arena),
		.credentials = sqlite_bytes(row, 4, arena),
		.version     = (uint32_t)sqlite3_column_int64(row, 5),
		.created_ms  = sqlite3_column_int64(row, 6),
		.updated_ms  = sqlite3_column_int64(row, 7),
	};
	sqlite_id(row, 0, destination.id);
	*(struct store_destination *)ret_item = destination;
}

enum status sqlite_destination_list(struct store *base, struct arena *arena,
                                    struct store_destination **ret_destinations, size_t *ret_count,
                                    struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_destination, .item_size = sizeof **ret_destinations, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_DESTINATION_LIST);
	return sqlite_list(store, statement, &reader, ret_destinations, ret_count, err);
}

static struct sqlite_reader one(struct arena *arena)
{
	return (struct sqlite_reader){.read      = read_destination,
	                              .item_size = sizeof(struct store_destination),
	                              .arena     = arena,
	                              .missing   = "There is no such destination"};
}

enum status sqlite_destination_get(struct store *base, struct text id_or_name, struct arena *arena,
                                   struct store_destination *ret_destination, struct error *err)
{
	const struct sqlite_reader reader = one(arena);
	return sqlite_find_by(base, SQL_DESTINATION_GET, id_or_name, &reader, ret_destination, err);
}

enum status sqlite_destination_delete(struct store *base, struct text id_or_name, struct error *err)
{
	const struct sqlite_reader reader = one(NULL);
	return sqlite_find_by(base, SQL_DESTINATION_DELETE, id_or_name, &reader, NULL, err);
}

enum status sqlite_destination_add(struct store *base, const struct store_destination *destination,
                                   struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_DESTINATION_ADD);
	sqlite_bind_string(statement, 1, destination->id);
	sqlite_bind_text_of(statement, 2, destination->name);
	sqlite_bind_text_of(statement, 3, destination->kind);
	sqlite_bind_text_of(statement, 4, destination->settings);
	sqlite_bind_bytes(statement, 5, destination->credentials.data, destination->credentials.length);
	sqlite_bind_number(statement, 6, destination->created_ms);
	return sqlite_end(store, sqlite_run(store, statement, err), err);
}

enum status sqlite_destination_change(struct store *base, struct store_destination *destination,
                                      struct error *err)
{
	struct sqlite_store *store   = sqlite_store_of(base);
	bool                 changed = false;
	uint32_t             version = 0;
	enum status          status  = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_DESTINATION_CHANGE);
	sqlite_bind_text_of(statement, 1, destination->name);
	sqlite_bind_text_of(statement, 2, destination->settings);
	sqlite_bind_bytes(statement, 3, destination->credentials.data, destination->credentials.length);
	sqlite_bind_number(statement, 4, destination->updated_ms);
	sqlite_bind_string(statement, 5, destination->id);
	sqlite_bind_number(statement, 6, destination->version);
	status = sqlite_row(store, statement, &changed, err);
	if (status == STATUS_OK && changed)
		version = (uint32_t)sqlite3_column_int64(statement, 0);
	else if (status == STATUS_OK)
		status = error_set(err, STATUS_PRECONDITION, "The destination was changed meanwhile");
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		destination->version = version;
	return status;
}
