/* Copies of the whole database beside its use. */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "store/sqlite_internal.h"

enum { BUSY_MS_MAX = 5000 };

uint64_t sqlite_revision(struct store *base)
{
	struct sqlite_store *store = sqlite_store_of(base);
	pthread_mutex_lock(&store->lock);
	uint64_t revision = (uint64_t)sqlite3_total_changes64(store->db);
	pthread_mutex_unlock(&store->lock);
	return revision;
}

/* Page by page, so that what did not change between two copies lies at the same place in both. */
static enum status copy_pages(sqlite3 *from, sqlite3 *into, struct error *err)
{
	sqlite3_backup *copy = sqlite3_backup_init(into, "main", from, "main");
	if (copy == NULL)
		return sqlite_error(into, "copy it", err);
	/* All in one step, and so in one read transaction: what is written meanwhile is not seen. */
	int result = sqlite3_backup_step(copy, -1);
	sqlite3_backup_finish(copy);
	if (result == SQLITE_DONE)
		return STATUS_OK;
	return result == SQLITE_BUSY || result == SQLITE_LOCKED
	           ? error_set(err, STATUS_UNAVAILABLE, "store: it is busy")
	           : sqlite_error(into, "copy it", err);
}

static enum status open_copy(const char *path, int flags, sqlite3 **ret_db, struct error *err)
{
	if (sqlite3_open_v2(path, ret_db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return *ret_db != NULL ? sqlite_error(*ret_db, "open it", err)
		                       : error_set(err, STATUS_NO_MEMORY, "no memory to open %s", path);
	sqlite3_extended_result_codes(*ret_db, 1);
	sqlite3_busy_timeout(*ret_db, BUSY_MS_MAX);
	return STATUS_OK;
}

/* A connection of its own reads, so that nobody waits for it. */
enum status sqlite_snapshot(struct store *base, const char *path, struct error *err)
{
	struct sqlite_store *store = sqlite_store_of(base);
	pthread_mutex_lock(&store->lock);
	const char *source = sqlite3_db_filename(store->db, "main"); /* lives as long as the store */
	pthread_mutex_unlock(&store->lock);

	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_error(err, errno, "create", path);
	close(fd);
	sqlite3    *from = NULL, *into = NULL;
	enum status status = open_copy(source, SQLITE_OPEN_READONLY, &from, err);
	if (status == STATUS_OK)
		status = open_copy(path, SQLITE_OPEN_READWRITE, &into, err);
	/* The copy is thrown away when the machine fails: no journal, no syncs. */
	if (status == STATUS_OK &&
	    sqlite3_exec(into, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;", NULL, NULL,
	                 NULL) != SQLITE_OK)
		status = sqlite_error(into, "set the copy up", err);
	if (status == STATUS_OK)
		status = copy_pages(from, into, err);
	sqlite3_close(into);
	sqlite3_close(from);
	if (status != STATUS_OK)
		unlink(path);
	return status;
}
