#include "store/sqlite.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite_internal.h"

enum { BUSY_MS_MAX = 5000 };

enum { APPLICATION_ID = 1399811694 /* as in sql/sqlite_0001_definitions.sql */ };

/* "UNIQUE constraint failed: source.write_key" → write_key */
static enum status conflict(sqlite3 *db, struct error *err)
{
	const char *message = sqlite3_errmsg(db);
	const char *dot     = strrchr(message, '.');
	return error_set_field(err, STATUS_CONFLICT, dot ? dot + 1 : "", "is taken already");
}

enum status sqlite_error(sqlite3 *db, const char *what, struct error *err)
{
	int result = sqlite3_extended_errcode(db);
	if (result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY)
		return conflict(db, err);

	int         system_errno = sqlite3_system_errno(db);
	enum status status       = STATUS_INTERNAL;
	switch (result & 0xff) {
	case SQLITE_FULL:
		status = STATUS_NO_SPACE;
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		status = STATUS_UNAVAILABLE;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		status = STATUS_CORRUPT;
		break;
	case SQLITE_NOMEM:
		status = STATUS_NO_MEMORY;
		break;
	case SQLITE_IOERR:
		/* Where SQLite itself does not tell a full disk or quota apart. */
		status = system_errno == ENOSPC || system_errno == EDQUOT ? STATUS_NO_SPACE : STATUS_IO;
		break;
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		status = STATUS_IO;
		break;
	default:
		break;
	}
	return error_set(err, status, "store: cannot %s: %s", what,
	                 status == STATUS_NO_SPACE ? "the disk is full" : sqlite3_errmsg(db));
}

sqlite3_stmt *sqlite_statement(struct sqlite_store *store, enum sql_query query)
{
	sqlite3_stmt *statement = store->statements[query];
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return statement;
}

/* Binding fails only for a parameter that the statement does not have, or without memory. */
static void bound(int result)
{
	assert(result == SQLITE_OK);
	(void)result;
}

void sqlite_bind_text_of(sqlite3_stmt *statement, int parameter, struct text text)
{
	bound(sqlite3_bind_text64(statement, parameter, text.length > 0 ? text.data : "", text.length,
	                          SQLITE_STATIC, SQLITE_UTF8));
}

void sqlite_bind_string(sqlite3_stmt *statement, int parameter, const char *string)
{
	sqlite_bind_text_of(statement, parameter, text_of(string));
}

void sqlite_bind_bytes(sqlite3_stmt *statement, int parameter, const void *data, size_t length)
{
	bound(sqlite3_bind_blob64(statement, parameter, length > 0 ? data : "", length, SQLITE_STATIC));
}

void sqlite_bind_number(sqlite3_stmt *statement, int parameter, int64_t number)
{
	bound(sqlite3_bind_int64(statement, parameter, number));
}

enum status sqlite_row(struct sqlite_store *store, sqlite3_stmt *statement, bool *ret_row,
                       struct error *err)
{
	int result = sqlite3_step(statement);
	if (result != SQLITE_ROW && result != SQLITE_DONE) {
		enum status status = sqlite_error(store->db, "run a statement", err);
		sqlite3_reset(statement);
		return status;
	}
	*ret_row = result == SQLITE_ROW;
	if (!*ret_row)
		sqlite3_reset(statement);
	return STATUS_OK;
}

enum status sqlite_run(struct sqlite_store *store, sqlite3_stmt *statement, struct error *err)
{
	bool row = true;
	while (row) {
		enum status status = sqlite_row(store, statement, &row, err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

enum status sqlite_begin(struct sqlite_store *store, struct error *err)
{
	pthread_mutex_lock(&store->lock);
	enum status status = sqlite_run(store, sqlite_statement(store, SQL_BEGIN), err);
	if (status != STATUS_OK)
		pthread_mutex_unlock(&store->lock);
	return status;
}

static void reset_all(struct sqlite_store *store)
{
	/* A statement that was left in the midst of its rows would keep the transaction open. */
	for (int i = 0; i < SQL_QUERY_COUNT; i++)
		sqlite3_reset(store->statements[i]);
}

enum status sqlite_end(struct sqlite_store *store, enum status status, struct error *err)
{
	reset_all(store);
	if (status == STATUS_OK)
		status = sqlite_run(store, sqlite_statement(store, SQL_COMMIT), err);
	/* After some errors SQLite has rolled back by itself. */
	if (status != STATUS_OK && !sqlite3_get_autocommit(store->db)) {
		sqlite3_step(sqlite_statement(store, SQL_ROLLBACK));
		sqlite3_reset(store->statements[SQL_ROLLBACK]);
	}
	pthread_mutex_unlock(&store->lock);
	return status;
}

struct text sqlite_text(sqlite3_stmt *statement, int column, struct arena *arena)
{
	const char *data   = (const char *)sqlite3_column_text(statement, column);
	size_t      length = (size_t)sqlite3_column_bytes(statement, column);
	return arena_text(arena, (struct text){data ? data : "", length});
}

struct text sqlite_bytes(sqlite3_stmt *statement, int column, struct arena *arena)
{
	const char *data   = sqlite3_column_blob(statement, column);
	size_t      length = (size_t)sqlite3_column_bytes(statement, column);
	return arena_text(arena, (struct text){data ? data : "", length});
}

void sqlite_id(sqlite3_stmt *statement, int column, char ret_id[37])
{
	const char *data   = (const char *)sqlite3_column_text(statement, column);
	size_t      length = data ? strnlen(data, 36) : 0;
	memcpy(ret_id, data ? data : "", length);
	ret_id[length] = '\0';
}

void sqlite_hash(sqlite3_stmt *statement, int column, uint8_t ret_hash[32])
{
	/* The schema has a CHECK on the length. */
	const void *data = sqlite3_column_blob(statement, column);
	assert(data && sqlite3_column_bytes(statement, column) == 32);
	memcpy(ret_hash, data, 32);
}

/* Makes room for one more; the old array stays in the arena. */
static void *grow(struct arena *arena, void *items, size_t count, size_t *capacity,
                  size_t item_size)
{
	if (count < *capacity)
		return items;
	*capacity   = *capacity == 0 ? 16 : *capacity * 2;
	void *grown = arena_alloc(arena, *capacity * item_size);
	if (count > 0)
		memcpy(grown, items, count * item_size);
	return grown;
}

enum status sqlite_rows(struct sqlite_store *store, sqlite3_stmt *statement,
                        const struct sqlite_reader *reader, void *ret_items, size_t *ret_count,
                        struct error *err)
{
	char  *items = NULL;
	size_t count = 0, capacity = 0;
	bool   row;
	for (;;) {
		enum status status = sqlite_row(store, statement, &row, err);
		if (status != STATUS_OK)
			return status;
		if (!row)
			break;
		items = grow(reader->arena, items, count, &capacity, reader->item_size);
		reader->read(statement, reader->arena, items + count++ * reader->item_size);
	}
	memcpy(ret_items, &items, sizeof items);
	*ret_count = count;
	return STATUS_OK;
}

enum status sqlite_list(struct sqlite_store *store, sqlite3_stmt *statement,
                        const struct sqlite_reader *reader, void *ret_items, size_t *ret_count,
                        struct error *err)
{
	void       *items  = NULL;
	size_t      count  = 0;
	enum status status = sqlite_rows(store, statement, reader, &items, &count, err);
	status             = sqlite_end(store, status, err);
	if (status == STATUS_OK) {
		memcpy(ret_items, &items, sizeof items);
		*ret_count = count;
	}
	return status;
}

enum status sqlite_find(struct sqlite_store *store, sqlite3_stmt *statement,
                        const struct sqlite_reader *reader, void *ret_item, struct error *err)
{
	void       *item   = NULL;
	bool        found  = false;
	enum status status = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		status = error_set(err, STATUS_NOT_FOUND, "%s", reader->missing);
	if (status == STATUS_OK && ret_item != NULL) {
		item = arena_alloc(reader->arena, reader->item_size);
		reader->read(statement, reader->arena, item);
	}
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK && ret_item != NULL)
		memcpy(ret_item, item, reader->item_size);
	return status;
}

enum status sqlite_find_by(struct store *base, enum sql_query query, struct text key,
                           const struct sqlite_reader *reader, void *ret_item, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, query);
	sqlite_bind_text_of(statement, 1, key);
	return sqlite_find(store, statement, reader, ret_item, err);
}

enum status sqlite_counter_next(struct sqlite_store *store, const char *name, uint64_t *ret_value,
                                struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_COUNTER_NEXT);
	sqlite_bind_string(statement, 1, name);
	bool        row    = false;
	enum status status = sqlite_row(store, statement, &row, err);
	if (status != STATUS_OK)
		return status;
	assert(row); /* the migration added it */
	*ret_value = (uint64_t)sqlite3_column_int64(statement, 0);
	return sqlite_run(store, statement, err);
}

static void sqlite_free(struct store *store)
{
	struct sqlite_store *sqlite = sqlite_store_of(store);
	for (int i = 0; i < SQL_QUERY_COUNT; i++)
		sqlite3_finalize(sqlite->statements[i]);
	if (sqlite->db)
		sqlite3_close(sqlite->db);
	pthread_mutex_destroy(&sqlite->lock);
	free(sqlite);
}

static const struct store_ops sqlite_ops = {
	.name                 = "sqlite",
	.workspace_open       = sqlite_workspace_open,
	.source_list          = sqlite_source_list,
	.source_put           = sqlite_source_put,
	.source_delete        = sqlite_source_delete,
	.source_by_key        = sqlite_source_by_key,
	.count_add            = sqlite_count_add,
	.count_list           = sqlite_count_list,
	.plan_list            = sqlite_plan_list,
	.plan_get             = sqlite_plan_get,
	.plan_put             = sqlite_plan_put,
	.observation_list     = sqlite_observation_list,
	.observation_put      = sqlite_observation_put,
	.observation_drop     = sqlite_observation_drop,
	.letter_add           = sqlite_letter_add,
	.letter_get           = sqlite_letter_get,
	.letter_list          = sqlite_letter_list,
	.letter_again         = sqlite_letter_again,
	.letter_delete        = sqlite_letter_delete,
	.letter_all           = sqlite_letter_all,
	.letter_reseal        = sqlite_letter_reseal,
	.letter_expire        = sqlite_letter_expire,
	.letter_totals        = sqlite_letter_totals,
	.token_add            = sqlite_token_add,
	.token_by_hash        = sqlite_token_by_hash,
	.token_list           = sqlite_token_list,
	.token_delete         = sqlite_token_delete,
	.person_list          = sqlite_person_list,
	.person_get           = sqlite_person_get,
	.person_by_email      = sqlite_person_by_email,
	.person_add           = sqlite_person_add,
	.person_change        = sqlite_person_change,
	.person_delete        = sqlite_person_delete,
	.session_add          = sqlite_session_add,
	.session_get          = sqlite_session_get,
	.session_list         = sqlite_session_list,
	.session_renew        = sqlite_session_renew,
	.session_delete       = sqlite_session_delete,
	.session_delete_of    = sqlite_session_delete_of,
	.session_expire       = sqlite_session_expire,
	.session_count        = sqlite_session_count,
	.invitation_add       = sqlite_invitation_add,
	.invitation_list      = sqlite_invitation_list,
	.invitation_by_hash   = sqlite_invitation_by_hash,
	.invitation_delete    = sqlite_invitation_delete,
	.role_list            = sqlite_role_list,
	.role_put             = sqlite_role_put,
	.role_delete          = sqlite_role_delete,
	.factor_get           = sqlite_factor_get,
	.factor_begin         = sqlite_factor_begin,
	.factor_confirm       = sqlite_factor_confirm,
	.factor_use_step      = sqlite_factor_use_step,
	.factor_use_recovery  = sqlite_factor_use_recovery,
	.factor_delete        = sqlite_factor_delete,
	.person_by_link       = sqlite_person_by_link,
	.person_link          = sqlite_person_link,
	.sso_provider_list    = sqlite_sso_provider_list,
	.sso_provider_get     = sqlite_sso_provider_get,
	.sso_provider_put     = sqlite_sso_provider_put,
	.sso_provider_delete  = sqlite_sso_provider_delete,
	.event_type_list      = sqlite_event_type_list,
	.event_type_add       = sqlite_event_type_add,
	.consumer_list        = sqlite_consumer_list,
	.consumer_get         = sqlite_consumer_get,
	.consumer_put         = sqlite_consumer_put,
	.consumer_delete      = sqlite_consumer_delete,
	.filter_list          = sqlite_filter_list,
	.filter_put           = sqlite_filter_put,
	.filter_delete        = sqlite_filter_delete,
	.segment_list         = sqlite_segment_list,
	.segment_list_deleted = sqlite_segment_list_deleted,
	.segment_get          = sqlite_segment_get,
	.segment_reserve      = sqlite_segment_reserve,
	.segment_commit       = sqlite_segment_commit,
	.segment_delete       = sqlite_segment_delete,
	.segment_settle       = sqlite_segment_settle,
	.segment_abandon      = sqlite_segment_abandon,
	.outbox_list          = sqlite_outbox_list,
	.outbox_done          = sqlite_outbox_done,
	.job_add              = sqlite_job_add,
	.job_get              = sqlite_job_get,
	.job_list             = sqlite_job_list,
	.job_ready            = sqlite_job_ready,
	.job_next_run         = sqlite_job_next_run,
	.job_change           = sqlite_job_change,
	.job_cancel           = sqlite_job_cancel,
	.job_delete           = sqlite_job_delete,
	.job_count            = sqlite_job_count,
	.schedule_list        = sqlite_schedule_list,
	.schedule_get         = sqlite_schedule_get,
	.schedule_put         = sqlite_schedule_put,
	.schedule_fire        = sqlite_schedule_fire,
	.schedule_delete      = sqlite_schedule_delete,
	.retention_list       = sqlite_retention_list,
	.retention_put        = sqlite_retention_put,
	.audience_list        = sqlite_audience_list,
	.audience_get         = sqlite_audience_get,
	.audience_by_segment  = sqlite_audience_by_segment,
	.audience_add         = sqlite_audience_add,
	.audience_change      = sqlite_audience_change,
	.audience_delete      = sqlite_audience_delete,
	.audience_versions    = sqlite_audience_versions,
	.audience_members     = sqlite_audience_members,
	.workspace_list       = sqlite_workspace_list,
	.workspace_add        = sqlite_workspace_add,
	.workspace_change     = sqlite_workspace_change,
	.workspace_due        = sqlite_workspace_due,
	.workspace_delete     = sqlite_workspace_delete,
	.member_list          = sqlite_member_list,
	.member_put           = sqlite_member_put,
	.member_delete        = sqlite_member_delete,
	.visit_add            = sqlite_visit_add,
	.visit_check          = sqlite_visit_check,
	.destination_list     = sqlite_destination_list,
	.destination_get      = sqlite_destination_get,
	.destination_add      = sqlite_destination_add,
	.destination_change   = sqlite_destination_change,
	.destination_delete   = sqlite_destination_delete,
	.kept_get             = sqlite_kept_get,
	.kept_put             = sqlite_kept_put,
	.revision             = sqlite_revision,
	.snapshot             = sqlite_snapshot,
	.free                 = sqlite_free,
};

/* SQLite would make the file readable by all; -wal and -shm take the mode of the file. */
static enum status create_private(const char *path, struct error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		enum status status = errno == ENOSPC || errno == EDQUOT ? STATUS_NO_SPACE : STATUS_IO;
		return error_set_errno(err, status, errno, "cannot open %s", path);
	}
	close(fd);
	return STATUS_OK;
}

static enum status run_text(sqlite3 *db, const char *sql, const char *what, struct error *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? STATUS_OK
	                                                            : sqlite_error(db, what, err);
}

/* One number that a statement answers. */
static enum status ask_number(sqlite3 *db, const char *sql, int64_t *ret_number, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	enum status   status    = STATUS_OK;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW)
		status = sqlite_error(db, "read the schema", err);
	else
		*ret_number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return status;
}

static enum status check_ours(sqlite3 *db, const char *path, struct error *err)
{
	int64_t     application = 0, tables = 0;
	enum status status = ask_number(db, "PRAGMA application_id", &application, err);
	if (status == STATUS_OK)
		status = ask_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
	if (status == STATUS_OK && tables > 0 && application != APPLICATION_ID)
		status = error_set(err, STATUS_CORRUPT, "%s is a database, but not one of Sonnim", path);
	return status;
}

static enum status configure(sqlite3 *db, struct error *err)
{
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, BUSY_MS_MAX);
	/* Refuses schemas that were tampered with, and SQL that writes where it must not. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return run_text(db,
	                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
	                "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
	                "PRAGMA cell_size_check = ON;"
	                /* What was deleted is in no page that is free, nor in a copy of it. */
	                "PRAGMA secure_delete = ON;",
	                "set it up", err);
}

static enum status prepare_all(struct sqlite_store *store, struct error *err)
{
	for (int i = 0; i < SQL_QUERY_COUNT; i++) {
		int result = sqlite3_prepare_v3(store->db, sql_queries[i], -1, SQLITE_PREPARE_PERSISTENT,
		                                &store->statements[i], NULL);
		if (result != SQLITE_OK)
			return sqlite_error(store->db, "prepare a statement", err);
	}
	return STATUS_OK;
}

static enum status open_database(struct sqlite_store *store, const char *path, struct error *err)
{
	enum status status = create_private(path, err);
	if (status != STATUS_OK)
		return status;

	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
		return store->db ? sqlite_error(store->db, "open it", err)
		                 : error_set(err, STATUS_NO_MEMORY, "no memory to open %s", path);
	status = check_ours(store->db, path, err);
	if (status == STATUS_OK)
		status = configure(store->db, err);
	if (status == STATUS_OK)
		status = sqlite_migrate(store->db, err);
	if (status == STATUS_OK)
		status = prepare_all(store, err);
	return status;
}

enum status sqlite_store_open(const char *path, struct store **ret_store, struct error *err)
{
	struct sqlite_store *store = calloc(1, sizeof *store);
	assert(store);
	store->base.ops = &sqlite_ops;
	pthread_mutex_init(&store->lock, NULL);

	enum status status = open_database(store, path, err);
	if (status != STATUS_OK) {
		sqlite_free(&store->base);
		return status;
	}
	*ret_store = &store->base;
	return STATUS_OK;
}

static enum status read_workspace(sqlite3 *db, const char *path,
                                  struct store_workspace *ret_workspace, struct error *err)
{
	enum status status = check_ours(db, path, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = NULL;
	sqlite3_busy_timeout(db, BUSY_MS_MAX);
	if (sqlite3_prepare_v2(db, sql_queries[SQL_WORKSPACE_GET], -1, &statement, NULL) != SQLITE_OK)
		return sqlite_error(db, "read the workspace", err);
	int result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		sqlite_read_workspace(statement, ret_workspace);
	else if (result == SQLITE_DONE)
		status = error_set(err, STATUS_NOT_FOUND, "there is no workspace in %s", path);
	else
		status = sqlite_error(db, "read the workspace", err);
	sqlite3_finalize(statement);
	return status;
}

enum status sqlite_store_workspace(const char *path, struct store_workspace *ret_workspace,
                                   struct error *err)
{
	sqlite3 *db = NULL;
	if (access(path, F_OK) != 0)
		return error_set(err, STATUS_NOT_FOUND, "there is no %s", path);
	enum status status = STATUS_OK;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		status = db != NULL ? sqlite_error(db, "open it", err)
		                    : error_set(err, STATUS_NO_MEMORY, "no memory to open %s", path);
	if (status == STATUS_OK)
		status = read_workspace(db, path, ret_workspace, err);
	sqlite3_close(db);
	return status;
}
