#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "store/sqlite_internal.h"

static enum status run(sqlite3 *db, const char *sql, struct error *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK
	           ? STATUS_OK
	           : sqlite_error(db, "migrate the schema", err);
}

static enum status check_applied(sqlite3_stmt *row, struct error *err)
{
	int number = sqlite3_column_int(row, 0);
	if (number > SQL_MIGRATION_COUNT)
		return error_set(err, STATUS_UNSUPPORTED,
		                 "store: a newer version wrote it (schema %d, known are %d)", number,
		                 SQL_MIGRATION_COUNT);
	assert(number >= 1);
	const char *sha256 = (const char *)sqlite3_column_text(row, 1);
	if (!sha256 || strcmp(sha256, sql_migrations[number - 1].sha256) != 0)
		return error_set(err, STATUS_CORRUPT, "store: migration %s is not the one applied",
		                 sql_migrations[number - 1].name);
	return STATUS_OK;
}

/* How many migrations the database has, each checked against ours. */
static enum status count_applied(sqlite3 *db, int *ret_count, struct error *err)
{
	/* The first migration makes the table, so that no crash leaves one without our mark. */
	if (sqlite3_table_column_metadata(db, NULL, "schema_version", NULL, NULL, NULL, NULL, NULL,
	                                  NULL) != SQLITE_OK) {
		*ret_count = 0;
		return STATUS_OK;
	}

	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(db, "SELECT number, sha256 FROM schema_version ORDER BY number", -1,
	                       &statement, NULL) != SQLITE_OK)
		return sqlite_error(db, "read the schema's version", err);

	enum status status = STATUS_OK;
	int         count  = 0, result;
	while ((result = sqlite3_step(statement)) == SQLITE_ROW && status == STATUS_OK) {
		status = check_applied(statement, err);
		count++;
	}
	if (status == STATUS_OK && result != SQLITE_DONE)
		status = sqlite_error(db, "read the schema's version", err);
	sqlite3_finalize(statement);
	if (status == STATUS_OK)
		*ret_count = count;
	return status;
}

static enum status note_applied(sqlite3 *db, const struct sql_migration *migration,
                                struct error *err)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(db, "INSERT INTO schema_version VALUES ($1, $2, $3, $4)", -1, &statement,
	                       NULL) != SQLITE_OK)
		return sqlite_error(db, "note a migration", err);
	sqlite_bind_number(statement, 1, migration->number);
	sqlite_bind_string(statement, 2, migration->name);
	sqlite_bind_string(statement, 3, migration->sha256);
	sqlite_bind_number(statement, 4, clock_wall_ms());
	enum status status = sqlite3_step(statement) == SQLITE_DONE
	                         ? STATUS_OK
	                         : sqlite_error(db, "note a migration", err);
	sqlite3_finalize(statement);
	return status;
}

static enum status apply(sqlite3 *db, const struct sql_migration *migration, struct error *err)
{
	enum status status = run(db, "BEGIN IMMEDIATE", err);
	if (status == STATUS_OK)
		status = run(db, migration->text, err);
	if (status == STATUS_OK)
		status = note_applied(db, migration, err);
	if (status == STATUS_OK)
		status = run(db, "COMMIT", err);
	if (status != STATUS_OK && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return status;
}

enum status sqlite_migrate(sqlite3 *db, struct error *err)
{
	int         applied = 0;
	enum status status  = count_applied(db, &applied, err);
	while (status == STATUS_OK && applied < SQL_MIGRATION_COUNT)
		status = apply(db, &sql_migrations[applied++], err);
	return status;
}
