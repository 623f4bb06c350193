#include "backup/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/restore_journal.h"
#include "backup/restore_plan.h"
#include "base/clock.h"
#include "base/file.h"
#include "vault/keys_log.h"

enum { DESCRIPTORS = 16 };

struct restore {
	struct repository         *repository;
	const struct restore_wish *wish;
	struct restore_plan        plan;
	uint64_t                   done_bytes;
	uint64_t                   written_bytes;
	struct buffer              content;
	struct buffer              present;
};

static enum status path_in(const char *data, const char *name, char into[PATH_MAX],
                           struct error *err)
{
	return snprintf(into, PATH_MAX, "%s/%s", data, name) < PATH_MAX
	           ? STATUS_OK
	           : error_set(err, STATUS_INVALID, "%s: the path is too long", data);
}

enum status restore_check(const char *data, struct error *err)
{
	char        path[PATH_MAX];
	enum status status = path_in(data, RESTORE_MARKER, path, err);
	if (status != STATUS_OK || access(path, F_OK) != 0)
		return status;
	return error_set(err, STATUS_CONFLICT,
	                 "%s holds a restore that was interrupted: run `sonnim restore` again", data);
}

enum status restore_first_start(const char *data, bool *ret_first, int64_t *ret_reaches_ms,
                                struct error *err)
{
	char          path[PATH_MAX];
	struct buffer bytes  = {0};
	struct error  absent = {0};
	enum status   status = path_in(data, RESTORE_DONE, path, err);
	if (status != STATUS_OK)
		return status;
	status     = file_read(path, sizeof *ret_reaches_ms, &bytes, &absent);
	*ret_first = status == STATUS_OK && bytes.length == sizeof *ret_reaches_ms;
	if (*ret_first)
		memcpy(ret_reaches_ms, bytes.data, sizeof *ret_reaches_ms);
	else if (status == STATUS_OK)
		status = error_set(err, STATUS_CORRUPT, "%s: it is damaged", path);
	else if (status == STATUS_NOT_FOUND)
		status = STATUS_OK;
	else if (err != NULL)
		*err = absent;
	buffer_done(&bytes);
	return status;
}

enum status restore_started(const char *data, struct error *err)
{
	char        path[PATH_MAX];
	enum status status = path_in(data, RESTORE_DONE, path, err);
	if (status == STATUS_OK && unlink(path) != 0 && errno != ENOENT)
		status = file_error(err, errno, "remove", path);
	return status;
}

/* ---- The directory ---- */

static enum status is_empty(const char *data, bool *ret_empty, struct error *err)
{
	DIR *opened = opendir(data);
	if (opened == NULL)
		return file_error(err, errno, "read directory", data);
	*ret_empty = true;
	for (const struct dirent *entry; (entry = readdir(opened)) != NULL;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			*ret_empty = false;
	closedir(opened);
	return STATUS_OK;
}

/* nftw() has no context. */
static _Thread_local struct {
	const struct restore_plan *plan;
	size_t                     skip; /* of the path: "DATA/" */
	struct error              *err;
} walk_state;

static int remove_foreign(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	if (walk->level == 0 || type == FTW_DP || strcmp(path + walk_state.skip, RESTORE_MARKER) == 0)
		return 0;
	for (size_t i = 0; i < walk_state.plan->files.count; i++)
		if (strcmp(walk_state.plan->files.items[i].path, path + walk_state.skip) == 0)
			return 0;
	if (unlink(path) == 0)
		return 0;
	(void)file_error(walk_state.err, errno, "remove", path);
	return 1;
}

/* What an interrupted restore, maybe of another backup, has left and does not belong here. */
static enum status clear_foreign(const struct restore *restore, struct error *err)
{
	const char  *data    = restore->wish->data;
	struct error failure = {.status = STATUS_IO};
	walk_state.plan      = &restore->plan;
	walk_state.skip      = strlen(data) + 1;
	walk_state.err       = &failure;
	if (nftw(data, remove_foreign, DESCRIPTORS, FTW_DEPTH | FTW_PHYS) == 0)
		return STATUS_OK;
	if (err != NULL)
		*err = failure;
	return failure.status;
}

static enum status enter_directory(const struct restore *restore, const char *marker,
                                   struct error *err)
{
	const char *data    = restore->wish->data;
	bool        resumes = access(marker, F_OK) == 0, empty = false;
	enum status status = is_empty(data, &empty, err);
	if (status != STATUS_OK)
		return status;
	if (!empty && !resumes)
		return error_set(err, STATUS_CONFLICT, "%s is not empty: a restore needs a fresh directory",
		                 data);
	/* Not by way of another name: whatever a kill leaves here, the marker is there before it. */
	int fd = open(marker, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return file_error(err, errno, "create", marker);
	close(fd);
	if ((status = directory_sync(data, err)) != STATUS_OK)
		return status;
	return resumes ? clear_foreign(restore, err) : STATUS_OK;
}

/* The keyring must be that of the workspace; whether it has all keys is seen at the start. */
static enum status check_keyring(const struct restore *restore, struct error *err)
{
	char             path[PATH_MAX];
	struct key_entry entry;
	if (restore->wish->keyring == NULL)
		return STATUS_OK;
	enum status status = path_in(restore->wish->keyring, "keys.log", path, err);
	if (status != STATUS_OK)
		return status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return file_error(err, errno, "open the present keyring's", path);
	status = pread(fd, &entry, sizeof entry, 0) == (ssize_t)sizeof entry
	             ? key_entry_check_header(&entry, path, restore->plan.summary.workspace_id, err)
	             : error_set(err, STATUS_CORRUPT, "%s: it is cut off", path);
	close(fd);
	return status;
}

/* ---- Files ---- */

/* Whether the bytes of an extent are in the file already. */
static bool is_there(struct restore *restore, int fd, const struct extent *extent)
{
	char   *present = buffer_reserve(&restore->present, extent->length);
	ssize_t got     = pread(fd, present, extent->length, (off_t)extent->offset);
	if (got != (ssize_t)extent->length)
		return false;
	struct text text = {present, extent->length};
	if (extent_is_zeros(extent))
		return present[0] == 0 && memcmp(present, present + 1, extent->length - 1) == 0;
	struct object_id id = repository_id_of(restore->repository, text);
	return memcmp(&id, &extent->id, sizeof id) == 0;
}

static enum status write_extent(struct restore *restore, int fd, const char *path,
                                const struct extent *extent, struct error *err)
{
	buffer_clear(&restore->content);
	if (extent_is_zeros(extent)) {
		memset(buffer_reserve(&restore->content, extent->length), 0, extent->length);
		restore->content.length = extent->length;
	} else {
		enum status status =
			repository_get(restore->repository, &extent->id, &restore->content, err);
		if (status != STATUS_OK)
			return status;
	}
	if (restore->content.length != extent->length)
		return error_set(err, STATUS_CORRUPT, "%s: an object of it has another length", path);
	restore->written_bytes += extent->length;
	return file_write_at(fd, restore->content.data, extent->length, extent->offset, path, err);
}

static enum status write_file(struct restore *restore, const struct backup_file *file, int fd,
                              const char *path, struct error *err)
{
	struct stat info;
	enum status status = STATUS_OK;
	if (fstat(fd, &info) != 0)
		return file_error(err, errno, "find", path);
	for (size_t i = 0; i < file->extents.count && status == STATUS_OK; i++) {
		const struct extent *extent = &file->extents.items[i];
		if (info.st_size == 0 || !is_there(restore, fd, extent))
			status = write_extent(restore, fd, path, extent, err);
		restore->done_bytes += extent->length;
		if (restore->wish->tell != NULL)
			restore->wish->tell(restore->wish->tell_context, restore->done_bytes,
			                    restore->plan.bytes);
	}
	if (status == STATUS_OK && ftruncate(fd, (off_t)file->length) != 0)
		status = file_error(err, errno, "cut", path);
	if (status == STATUS_OK && fdatasync(fd) != 0)
		status = file_error(err, errno, "sync", path);
	return status;
}

static enum status restore_file(struct restore *restore, const struct backup_file *file,
                                struct error *err)
{
	char        path[PATH_MAX], parent[PATH_MAX];
	enum status status = path_in(restore->wish->data, file->path, path, err);
	if (status != STATUS_OK)
		return status;
	snprintf(parent, sizeof parent, "%s", path);
	*strrchr(parent, '/') = '\0';
	if ((status = directory_create(parent, 0700, err)) != STATUS_OK)
		return status;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return file_error(err, errno, "create", path);
	status = write_file(restore, file, fd, path, err);
	if (close(fd) != 0 && status == STATUS_OK)
		status = file_error(err, errno, "close", path);
	return status;
}

static int sync_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)walk;
	return type == FTW_DP && directory_sync(path, walk_state.err) != STATUS_OK;
}

/* Every directory; the files are synced. */
static enum status sync_all(const char *data, struct error *err)
{
	struct error failure = {.status = STATUS_IO};
	walk_state.err       = &failure;
	if (nftw(data, sync_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS) == 0)
		return STATUS_OK;
	if (err != NULL)
		*err = failure;
	return failure.status;
}

static int64_t reaches_ms(const struct restore *restore)
{
	int64_t to_ms = restore->wish->to_ms, ends_ms = restore->plan.ends_ms;
	return to_ms < ends_ms ? to_ms : ends_ms;
}

static enum status restore_all(struct restore *restore, const char *marker,
                               struct restore_report *report, struct error *err)
{
	const char *data = restore->wish->data;
	char        journal[PATH_MAX], done[PATH_MAX];
	int64_t     reached_ms = reaches_ms(restore);
	enum status status;
	if ((status = path_in(data, "journal", journal, err)) != STATUS_OK ||
	    (status = path_in(data, RESTORE_DONE, done, err)) != STATUS_OK ||
	    (status = enter_directory(restore, marker, err)) != STATUS_OK)
		return status;
	for (size_t i = 0; i < restore->plan.files.count && status == STATUS_OK; i++)
		status = restore_file(restore, &restore->plan.files.items[i], err);
	if (status != STATUS_OK ||
	    (status = restore_journal_finish(journal, restore->plan.cut_ms, &report->last_position,
	                                     err)) != STATUS_OK ||
	    (status = file_replace(done, 0600, &reached_ms, sizeof reached_ms, err)) != STATUS_OK ||
	    (status = sync_all(data, err)) != STATUS_OK)
		return status;
	if (unlink(marker) != 0)
		return file_error(err, errno, "remove", marker);
	return directory_sync(data, err);
}

/* The lock keeps a server from starting beside it. */
static enum status restore_locked(struct restore *restore, struct restore_report *report,
                                  struct error *err)
{
	const char *data = restore->wish->data;
	char        marker[PATH_MAX];
	int         lock_fd;
	enum status status;
	if ((status = path_in(data, RESTORE_MARKER, marker, err)) != STATUS_OK ||
	    (status = check_keyring(restore, err)) != STATUS_OK ||
	    (status = directory_create(data, 0700, err)) != STATUS_OK ||
	    (status = directory_lock(data, &lock_fd, err)) != STATUS_OK)
		return status;
	status = restore_all(restore, marker, report, err);
	close(lock_fd);
	return status;
}

enum status restore_run(struct repository *repository, const struct restore_wish *wish,
                        struct restore_report *ret_report, struct error *err)
{
	struct restore        restore  = {.repository = repository, .wish = wish};
	struct restore_report report   = {0};
	int64_t               begun_ms = clock_monotonic_ms();
	enum status           status =
		restore_plan_make(repository, wish->to_ms, wish->backup, &restore.plan, err);
	if (status == STATUS_OK)
		status = restore_locked(&restore, &report, err);
	if (status == STATUS_OK) {
		char name[CHAIN_NAME_BYTES];
		chain_name(CHAIN_BACKUPS, &restore.plan.summary.link, name);
		snprintf(report.backup, sizeof report.backup, "%s", name + sizeof CHAIN_BACKUPS);
		report.reaches_ms    = reaches_ms(&restore);
		report.files         = restore.plan.files.count;
		report.bytes         = restore.plan.bytes;
		report.written_bytes = restore.written_bytes;
		report.took_ms       = clock_monotonic_ms() - begun_ms;
		*ret_report          = report;
	}
	restore_plan_done(&restore.plan);
	buffer_done(&restore.content);
	buffer_done(&restore.present);
	return status;
}
