/* Providers of single sign-on. Who is whom there: sqlite_person.c. */

#include "store/sqlite_internal.h"

static void read_provider(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_sso_provider provider = {
		.name        = sqlite_text(row, 0, arena),
		.settings    = sqlite_text(row, 2, arena),
		.credentials = sqlite_bytes(row, 3, arena),
		.created_ms  = sqlite3_column_int64(row, 4),
		.updated_ms  = sqlite3_column_int64(row, 5),
	};
	sqlite_id(row, 1, provider.id);
	*(struct store_sso_provider *)ret_item = provider;
}

static struct sqlite_reader reader_of(struct arena *arena)
{
	return (struct sqlite_reader){.read      = read_provider,
	                              .item_size = sizeof(struct store_sso_provider),
	                              .arena     = arena,
	                              .missing   = "There is no such provider"};
}

enum status sqlite_sso_provider_list(struct store *base, struct arena *arena,
                                     struct store_sso_provider **ret_providers, size_t *ret_count,
                                     struct error *err)
{
	struct sqlite_store       *store  = sqlite_store_of(base);
	const struct sqlite_reader reader = reader_of(arena);
	enum status                status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	return sqlite_list(store, sqlite_statement(store, SQL_SSO_PROVIDER_LIST), &reader,
	                   ret_providers, ret_count, err);
}

enum status sqlite_sso_provider_get(struct store *base, struct text name, struct arena *arena,
                                    struct store_sso_provider *ret_provider, struct error *err)
{
	const struct sqlite_reader reader = reader_of(arena);
	return sqlite_find_by(base, SQL_SSO_PROVIDER_GET, name, &reader, ret_provider, err);
}

enum status sqlite_sso_provider_put(struct store *base, struct store_sso_provider *provider,
                                    struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	bool                 row    = false;
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SSO_PROVIDER_PUT);
	sqlite_bind_text_of(statement, 1, provider->name);
	sqlite_bind_string(statement, 2, provider->id);
	sqlite_bind_text_of(statement, 3, provider->settings);
	sqlite_bind_bytes(statement, 4, provider->credentials.data, provider->credentials.length);
	sqlite_bind_number(statement, 5, provider->updated_ms);
	status = sqlite_row(store, statement, &row, err);
	if (status == STATUS_OK && row) {
		sqlite_id(statement, 0, provider->id);
		provider->created_ms = sqlite3_column_int64(statement, 1);
	}
	return sqlite_end(store, status, err);
}

enum status sqlite_sso_provider_delete(struct store *base, struct text name, struct error *err)
{
	const struct sqlite_reader reader = reader_of(NULL);
	return sqlite_find_by(base, SQL_SSO_PROVIDER_DELETE, name, &reader, NULL, err);
}
