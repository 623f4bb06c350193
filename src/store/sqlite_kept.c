/* What parts of the server want to have at their next start. */

#include "store/sqlite_internal.h"

struct kept {
	struct text text;
	int64_t     at_ms;
};

static void read_kept(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct kept *)ret_item = (struct kept){
		.text  = sqlite_text(row, 0, arena),
		.at_ms = sqlite3_column_int64(row, 1),
	};
}

enum status sqlite_kept_get(struct store *base, struct text name, struct arena *arena,
                            struct text *ret_text, int64_t *ret_at_ms, struct error *err)
{
	const struct sqlite_reader reader = {.read      = read_kept,
	                                     .item_size = sizeof(struct kept),
	                                     .arena     = arena,
	                                     .missing   = "nothing is kept under that name"};
	struct kept                kept;
	enum status status = sqlite_find_by(base, SQL_KEPT_GET, name, &reader, &kept, err);
	if (status == STATUS_OK) {
		*ret_text  = kept.text;
		*ret_at_ms = kept.at_ms;
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
