/* What only the SQLite backend promises (store/sqlite.h). */

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "backend.h"
#include "base/file.h"
#include "fault_vfs.h"
#include "store/sqlite.h"

static const char *path_of(struct fixture *f)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/store.db", f->directory);
	return path;
}

/* Runs SQL on the file from outside, while the store is closed. */
static void alter(struct fixture *f, const char *sql)
{
	f->store->ops->free(f->store);
	f->store = NULL;
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path_of(f), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static bool occurs_in_file(const char *path, const char *what)
{
	struct buffer bytes = {0};
	struct error  err;
	assert_int_equal(file_read(path, 1 << 30, &bytes, &err), STATUS_OK);
	bool occurs = memmem(bytes.data, bytes.length, what, strlen(what)) != NULL;
	buffer_done(&bytes);
	return occurs;
}

static void the_file_is_its_owners_alone(void **state)
{
	struct fixture *f = *state;
	struct stat     info;
	assert_int_equal(stat(path_of(f), &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);

	char wal[160];
	snprintf(wal, sizeof wal, "%s-wal", path_of(f));
	assert_int_equal(stat(wal, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
}

static void a_schema_of_a_newer_version_is_refused(void **state)
{
	struct fixture *f = *state;
	alter(f, "INSERT INTO schema_version VALUES (99999, 'future', 'x', 0)");
	assert_int_equal(sqlite_store_open(path_of(f), &f->store, &f->err), STATUS_UNSUPPORTED);
	assert_null(f->store);
}

static void a_migration_that_is_not_the_one_applied_is_refused(void **state)
{
	struct fixture *f = *state;
	alter(f, "UPDATE schema_version SET sha256 = 'other' WHERE number = 1");
	assert_int_equal(sqlite_store_open(path_of(f), &f->store, &f->err), STATUS_CORRUPT);
}

static void a_foreign_database_is_refused(void **state)
{
	struct fixture *f = *state;
	alter(f, "PRAGMA application_id = 7");
	assert_int_equal(sqlite_store_open(path_of(f), &f->store, &f->err), STATUS_CORRUPT);
	assert_non_null(strstr(f->err.reason, path_of(f)));
}

static void a_file_that_is_no_database_is_corrupt(void **state)
{
	struct fixture *f = *state;
	f->store->ops->free(f->store);
	f->store   = NULL;
	FILE *file = fopen(path_of(f), "w");
	for (int i = 0; i < 500; i++)
		fputs("these are no pages of a database\n", file);
	fclose(file);
	assert_int_equal(sqlite_store_open(path_of(f), &f->store, &f->err), STATUS_CORRUPT);
}

static void a_directory_that_is_not_there_is_an_io_error(void **state)
{
	struct fixture *f     = *state;
	struct store   *other = NULL;
	assert_int_equal(sqlite_store_open("/nonexistent/store.db", &other, &f->err), STATUS_IO);
	assert_null(other);
}

static void a_full_disk_at_the_first_open_leaves_a_file_that_opens_later(void **state)
{
	struct fixture *f     = *state;
	struct store   *other = NULL;
	char            path[160];
	snprintf(path, sizeof path, "%s/other.db", f->directory);
	fault_vfs_disk_full(true);
	enum status status = sqlite_store_open(path, &other, &f->err);
	fault_vfs_disk_full(false);
	assert_int_equal(status, STATUS_NO_SPACE);

	assert_ok(f, sqlite_store_open(path, &other, &f->err));
	other->ops->free(other);
	remove(path);
}

/* Also of the pages that are free: backups copy them. */
static void what_was_deleted_is_not_in_the_file(void **state)
{
	enum { BYTES = 20000 };
	struct fixture            *f      = *state;
	struct store_letter_limits limits = {100, 1000000};
	static char                content[BYTES];
	struct store_letter       *letters;
	size_t                     count, deleted;
	uint64_t                   total;
	for (size_t i = 0; i + 8 <= sizeof content; i += 8)
		memcpy(content + i, "MARKED--", 8);
	const struct store_letter        letter = {.source_number = 1,
	                                           .at_ms         = 10,
	                                           .code          = TEXT("A"),
	                                           .place         = TEXT("b"),
	                                           .kind          = 4,
	                                           .bytes         = BYTES,
	                                           .content       = {content, sizeof content}};
	const struct store_letter_filter filter = {
		.source_number = 1, .until_ms = INT64_MAX, .limit = 10};
	assert_ok(f, f->store->ops->letter_add(f->store, &letter, 1, &limits, &f->err));
	fixture_reopen(f);
	assert_true(occurs_in_file(path_of(f), "MARKED--"));
	assert_ok(f, f->store->ops->letter_list(f->store, &filter, &f->arena, &letters, &count, &total,
	                                        &f->err));
	assert_int_equal(count, 1);
	assert_ok(f, f->store->ops->letter_delete(f->store, 1, &letters[0].id, 1, &deleted, &f->err));
	assert_int_equal(deleted, 1);
	fixture_reopen(f);
	assert_false(occurs_in_file(path_of(f), "MARKED--"));
}

static void a_failed_sync_is_an_error_and_the_write_is_not_there(void **state)
{
	struct fixture    *f     = *state;
	struct store_token token = {.id = "t-1", .name = TEXT("a"), .scopes = TEXT("b")};
	fault_vfs_sync_fails(true);
	enum status status = f->store->ops->token_add(f->store, &token, &f->err);
	fault_vfs_sync_fails(false);
	assert_int_equal(status, STATUS_IO);

	struct store_token *tokens;
	size_t              count;
	assert_ok(f, f->store->ops->token_list(f->store, &f->arena, &tokens, &count, &f->err));
	assert_int_equal(count, 0);
}

static size_t token_count(struct fixture *f, struct store *store)
{
	struct store_token *tokens;
	size_t              count;
	assert_ok(f, store->ops->token_list(store, &f->arena, &tokens, &count, &f->err));
	return count;
}

static void a_snapshot_is_a_store_of_that_moment_and_takes_no_name_twice(void **state)
{
	struct fixture    *f     = *state;
	struct store_token first = {.id = "t-1", .name = TEXT("a"), .scopes = TEXT("b")};
	struct store_token next  = {.id = "t-2", .hash = {1}, .name = TEXT("c"), .scopes = TEXT("d")};
	struct store      *copy;
	struct stat        info;
	char               path[160];
	snprintf(path, sizeof path, "%s/copy.db", f->directory);
	assert_ok(f, f->store->ops->token_add(f->store, &first, &f->err));
	assert_ok(f, f->store->ops->snapshot(f->store, path, &f->err));
	assert_ok(f, f->store->ops->token_add(f->store, &next, &f->err));
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_not_equal(f->store->ops->snapshot(f->store, path, &f->err), STATUS_OK);

	assert_ok(f, sqlite_store_open(path, &copy, &f->err));
	assert_int_equal(token_count(f, copy), 1);
	assert_int_equal(token_count(f, f->store), 2);
	copy->ops->free(copy);
	remove(path);
}

static void the_revision_changes_with_what_is_written_and_with_nothing_else(void **state)
{
	struct fixture    *f      = *state;
	struct store_token token  = {.id = "t-1", .name = TEXT("a"), .scopes = TEXT("b")};
	uint64_t           before = f->store->ops->revision(f->store);
	token_count(f, f->store);
	assert_int_equal(f->store->ops->revision(f->store), before);
	assert_ok(f, f->store->ops->token_add(f->store, &token, &f->err));
	assert_true(f->store->ops->revision(f->store) > before);
}

int run_sqlite_tests(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(the_file_is_its_owners_alone),
		STORE_TEST(a_schema_of_a_newer_version_is_refused),
		STORE_TEST(a_migration_that_is_not_the_one_applied_is_refused),
		STORE_TEST(a_foreign_database_is_refused),
		STORE_TEST(a_file_that_is_no_database_is_corrupt),
		STORE_TEST(a_directory_that_is_not_there_is_an_io_error),
		STORE_TEST(a_full_disk_at_the_first_open_leaves_a_file_that_opens_later),
		STORE_TEST(what_was_deleted_is_not_in_the_file),
		STORE_TEST(a_failed_sync_is_an_error_and_the_write_is_not_there),
		STORE_TEST(a_snapshot_is_a_store_of_that_moment_and_takes_no_name_twice),
		STORE_TEST(the_revision_changes_with_what_is_written_and_with_nothing_else),
	};
	return cmocka_run_group_tests_name("sqlite alone", tests, NULL, NULL);
}
