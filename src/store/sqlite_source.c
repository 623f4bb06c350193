/* The workspace, sources and tokens. */

#include <assert.h>

#include "store/sqlite_internal.h"

void sqlite_read_workspace(sqlite3_stmt *row, struct store_workspace *ret_workspace)
{
	sqlite_id(row, 0, ret_workspace->id);
	ret_workspace->partition_count = (uint32_t)sqlite3_column_int64(row, 1);
	ret_workspace->created_ms      = sqlite3_column_int64(row, 2);
	ret_workspace->manual_clock    = sqlite3_column_int(row, 3) != 0;
	ret_workspace->retention_ms    = sqlite3_column_int64(row, 4);
}

static enum status add_workspace(struct sqlite_store          *store,
                                 const struct store_workspace *workspace, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_WORKSPACE_ADD);
	sqlite_bind_string(statement, 1, workspace->id);
	sqlite_bind_number(statement, 2, workspace->partition_count);
	sqlite_bind_number(statement, 3, workspace->created_ms);
	sqlite_bind_number(statement, 4, workspace->manual_clock);
	sqlite_bind_number(statement, 5, workspace->retention_ms);
	return sqlite_run(store, statement, err);
}

enum status sqlite_workspace_open(struct store *base, struct store_workspace *workspace,
                                  bool *ret_created, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;

	struct store_workspace stored    = {0};
	bool                   exists    = false;
	sqlite3_stmt          *statement = sqlite_statement(store, SQL_WORKSPACE_GET);
	status                           = sqlite_row(store, statement, &exists, err);
	if (status == STATUS_OK && exists)
		sqlite_read_workspace(statement, &stored);
	else if (status == STATUS_OK)
		status = add_workspace(store, workspace, err);

	status = sqlite_end(store, status, err);
	if (status == STATUS_OK) {
		*ret_created = !exists;
		if (exists)
			*workspace = stored;
	}
	return status;
}

static void read_source(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_source source = {
		.number     = (uint32_t)sqlite3_column_int64(row, 1),
		.name       = sqlite_text(row, 2, arena),
		.write_key  = sqlite_text(row, 3, arena),
		.created_ms = sqlite3_column_int64(row, 4),
		.updated_ms = sqlite3_column_int64(row, 5),
		.settings   = sqlite_text(row, 6, arena),
	};
	sqlite_id(row, 0, source.id);
	*(struct store_source *)ret_item = source;
}

enum status sqlite_source_list(struct store *base, struct arena *arena,
                               struct store_source **ret_sources, size_t *ret_count,
                               struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_source, .item_size = sizeof **ret_sources, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SOURCE_LIST);
	return sqlite_list(store, statement, &reader, ret_sources, ret_count, err);
}

static enum status add_source(struct sqlite_store *store, struct store_source *source,
                              struct error *err)
{
	uint64_t    number = 0;
	enum status status = sqlite_counter_next(store, "source", &number, err);
	if (status != STATUS_OK)
		return status;
	assert(number <= UINT32_MAX);

	sqlite3_stmt *statement = sqlite_statement(store, SQL_SOURCE_ADD);
	sqlite_bind_string(statement, 1, source->id);
	sqlite_bind_number(statement, 2, (int64_t)number);
	sqlite_bind_text_of(statement, 3, source->name);
	sqlite_bind_text_of(statement, 4, source->write_key);
	sqlite_bind_number(statement, 5, source->created_ms);
	sqlite_bind_number(statement, 6, source->updated_ms);
	sqlite_bind_text_of(statement, 7, source->settings);
	status = sqlite_run(store, statement, err);
	if (status == STATUS_OK)
		source->number = (uint32_t)number;
	return status;
}

static enum status change_source(struct sqlite_store *store, struct store_source *source,
                                 struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SOURCE_CHANGE);
	sqlite_bind_text_of(statement, 1, source->name);
	sqlite_bind_number(statement, 2, source->updated_ms);
	sqlite_bind_text_of(statement, 3, source->settings);
	sqlite_bind_string(statement, 4, source->id);
	bool        found  = false;
	enum status status = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		status = error_set(err, STATUS_NOT_FOUND, "no such source");
	if (status == STATUS_OK)
		source->number = (uint32_t)sqlite3_column_int64(statement, 0);
	return status;
}

enum status sqlite_source_put(struct store *base, struct store_source *source, bool create,
                              struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	uint32_t before = source->number;
	status          = create ? add_source(store, source, err) : change_source(store, source, err);
	status          = sqlite_end(store, status, err);
	if (status != STATUS_OK)
		source->number = before;
	return status;
}

/* Deletes what the statement finds; it answers a row for it. */
static enum status delete_by_id(struct sqlite_store *store, enum sql_query query, const char *id,
                                const char *missing, struct error *err)
{
	enum status status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, query);
	sqlite_bind_string(statement, 1, id);
	bool found = false;
	status     = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		status = error_set(err, STATUS_NOT_FOUND, "%s", missing);
	return sqlite_end(store, status, err);
}

enum status sqlite_source_delete(struct store *base, const char *id, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SOURCE_DELETE);
	sqlite_bind_string(statement, 1, id);
	bool    found  = false;
	int64_t number = 0;
	status         = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && found)
		number = sqlite3_column_int64(statement, 0);
	else if (status == STATUS_OK)
		status = error_set(err, STATUS_NOT_FOUND, "no such source");
	static const enum sql_query forget[] = {SQL_COUNT_FORGET, SQL_LETTER_FORGET, SQL_PLAN_FORGET,
	                                        SQL_OBSERVATION_FORGET};
	for (unsigned i = 0; status == STATUS_OK && i < sizeof forget / sizeof forget[0]; i++) {
		statement = sqlite_statement(store, forget[i]);
		sqlite_bind_number(statement, 1, number);
		status = sqlite_run(store, statement, err);
	}
	return sqlite_end(store, status, err);
}

enum status sqlite_source_by_key(struct store *base, struct text write_key, struct arena *arena,
                                 struct store_source *ret_source, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader    = {.read      = read_source,
	                                        .item_size = sizeof *ret_source,
	                                        .arena     = arena,
	                                        .missing   = "no source has this write key"};
	sqlite3_stmt              *statement = sqlite_statement(store, SQL_SOURCE_BY_KEY);
	sqlite_bind_text_of(statement, 1, write_key);
	return sqlite_find(store, statement, &reader, ret_source, err);
}

enum status sqlite_token_add(struct store *base, const struct store_token *token, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_TOKEN_ADD);
	sqlite_bind_string(statement, 1, token->id);
	sqlite_bind_text_of(statement, 2, token->name);
	sqlite_bind_bytes(statement, 3, token->hash, sizeof token->hash);
	sqlite_bind_text_of(statement, 4, token->scopes);
	sqlite_bind_number(statement, 5, token->created_ms);
	sqlite_bind_number(statement, 6, token->expires_ms);
	sqlite_bind_string(statement, 7, token->person_id);
	sqlite_bind_number(statement, 8, token->rate);
	sqlite_bind_number(statement, 9, token->burst);
	return sqlite_end(store, sqlite_run(store, statement, err), err);
}

static void read_token(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_token token = {
		.name       = sqlite_text(row, 1, arena),
		.scopes     = sqlite_text(row, 3, arena),
		.created_ms = sqlite3_column_int64(row, 4),
		.expires_ms = sqlite3_column_int64(row, 5),
		.rate       = sqlite3_column_int64(row, 7),
		.burst      = sqlite3_column_int64(row, 8),
	};
	sqlite_id(row, 0, token.id);
	sqlite_hash(row, 2, token.hash);
	sqlite_id(row, 6, token.person_id);
	*(struct store_token *)ret_item = token;
}

enum status sqlite_token_by_hash(struct store *base, const uint8_t hash[STORE_TOKEN_HASH_BYTES],
                                 struct arena *arena, struct store_token *ret_token,
                                 struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader    = {.read      = read_token,
	                                        .item_size = sizeof *ret_token,
	                                        .arena     = arena,
	                                        .missing   = "no such token"};
	sqlite3_stmt              *statement = sqlite_statement(store, SQL_TOKEN_BY_HASH);
	sqlite_bind_bytes(statement, 1, hash, STORE_TOKEN_HASH_BYTES);
	return sqlite_find(store, statement, &reader, ret_token, err);
}

enum status sqlite_token_list(struct store *base, struct arena *arena,
                              struct store_token **ret_tokens, size_t *ret_count, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_token, .item_size = sizeof **ret_tokens, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_TOKEN_LIST);
	return sqlite_list(store, statement, &reader, ret_tokens, ret_count, err);
}

enum status sqlite_token_delete(struct store *base, const char *id, struct error *err)
{
	return delete_by_id(sqlite_store_of(base), SQL_TOKEN_DELETE, id, "no such token", err);
}
