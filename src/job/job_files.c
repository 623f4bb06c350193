/* Directories of jobs: DIRECTORY/ID/NAME, flat. */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"
#include "job/job_internal.h"

bool job_files_name_valid(struct text name)
{
	bool valid = name.length >= 1 && name.length <= JOB_FILE_NAME_MAX;
	for (size_t i = 0; valid && i < name.length; i++) {
		char c = name.data[i];
		valid  = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		        c == '.' || c == '-' || c == '_';
	}
	return valid && !text_equal(name, TEXT(".")) && !text_equal(name, TEXT(".."));
}

static enum status path_of(struct jobs *jobs, const char *id, struct text name,
                           char ret_path[JOB_PATH_BYTES], struct error *err)
{
	int length = snprintf(ret_path, JOB_PATH_BYTES, "%s/%s%s%.*s", jobs->directory, id,
	                      name.length > 0 ? "/" : "", TEXT_FORMAT(name));
	return length < JOB_PATH_BYTES
	           ? STATUS_OK
	           : error_set(err, STATUS_INVALID, "The path of the jobs' directory is too long");
}

enum status jobs_reserve(struct jobs *jobs, char ret_id[37], char ret_path[JOB_PATH_BYTES],
                         struct error *err)
{
	char        id[37];
	enum status status;
	uuid_new(id);
	if ((status = path_of(jobs, id, (struct text){0}, ret_path, err)) != STATUS_OK ||
	    (status = directory_create(ret_path, 0700, err)) != STATUS_OK)
		return status;
	memcpy(ret_id, id, sizeof id);
	return STATUS_OK;
}

/* ---- Reading ---- */

static int by_name(const void *a, const void *b)
{
	return text_compare(((const struct job_file *)a)->name, ((const struct job_file *)b)->name);
}

static size_t read_files(DIR *directory, struct arena *arena, struct job_file files[JOB_FILES_MAX])
{
	size_t         count = 0;
	struct stat    info;
	struct dirent *entry;
	while (count < JOB_FILES_MAX && (entry = readdir(directory)) != NULL) {
		struct text name = text_of(entry->d_name);
		if (name.data[0] == '.' || !job_files_name_valid(name) ||
		    fstatat(dirfd(directory), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(info.st_mode))
			continue;
		files[count++] = (struct job_file){arena_text(arena, name), (uint64_t)info.st_size};
	}
	qsort(files, count, sizeof *files, by_name);
	return count;
}

enum status jobs_files(struct jobs *jobs, const char *id, struct arena *arena,
                       struct job_file **ret_files, size_t *ret_count, struct error *err)
{
	char        path[JOB_PATH_BYTES];
	enum status status = path_of(jobs, id, (struct text){0}, path, err);
	if (status != STATUS_OK)
		return status;
	*ret_files     = ARENA_ARRAY(arena, struct job_file, JOB_FILES_MAX);
	*ret_count     = 0;
	DIR *directory = opendir(path);
	if (directory == NULL)
		return errno == ENOENT ? STATUS_OK : file_error(err, errno, "read", path);
	*ret_count = read_files(directory, arena, *ret_files);
	closedir(directory);
	return STATUS_OK;
}

enum status jobs_directory(struct jobs *jobs, const char *id, char ret_path[JOB_PATH_BYTES],
                           struct error *err)
{
	return path_of(jobs, id, TEXT(""), ret_path, err);
}

enum status jobs_file_path(struct jobs *jobs, const struct store_job *job, struct text name,
                           char ret_path[JOB_PATH_BYTES], struct error *err)
{
	struct stat info;
	if (!job_files_name_valid(name) || name.data[0] == '.')
		return error_set(err, STATUS_NOT_FOUND, "There is no such file");
	enum status status = path_of(jobs, job->id, name, ret_path, err);
	if (status != STATUS_OK)
		return status;
	if (lstat(ret_path, &info) != 0 || !S_ISREG(info.st_mode))
		return jobs_file_missing(jobs, job, "There is no such file", err);
	return STATUS_OK;
}

/* ---- Deleting ---- */

static enum status empty(DIR *directory, const char *path, struct error *err)
{
	struct dirent *entry;
	while ((entry = readdir(directory)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    unlinkat(dirfd(directory), entry->d_name, 0) != 0)
			return file_error(err, errno, "delete a file in", path);
	return STATUS_OK;
}

enum status job_files_remove(struct jobs *jobs, const char *id, struct error *err)
{
	char        path[JOB_PATH_BYTES];
	enum status status = path_of(jobs, id, (struct text){0}, path, err);
	if (status != STATUS_OK)
		return status;
	DIR *directory = opendir(path);
	if (directory == NULL)
		return errno == ENOENT ? STATUS_OK : file_error(err, errno, "read", path);
	status = empty(directory, path, err);
	closedir(directory);
	if (status == STATUS_OK && rmdir(path) != 0)
		status = file_error(err, errno, "delete", path);
	return status;
}

enum status jobs_drop_files(struct jobs *jobs, const char *id, uint64_t *ret_removed,
                            struct error *err)
{
	char           path[JOB_PATH_BYTES];
	struct dirent *entry;
	*ret_removed       = 0;
	enum status status = path_of(jobs, id, (struct text){0}, path, err);
	if (status != STATUS_OK)
		return status;
	DIR *directory = opendir(path);
	if (directory == NULL)
		return errno == ENOENT ? STATUS_OK : file_error(err, errno, "read", path);
	while ((entry = readdir(directory)) != NULL)
		*ret_removed += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(directory);
	return job_files_remove(jobs, id, err);
}

/* Whether nothing was put into it for a day. */
static bool is_old(DIR *directory, const char *name)
{
	struct stat info;
	return fstatat(dirfd(directory), name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (int64_t)info.st_mtim.tv_sec * 1000 < clock_wall_ms() - DAY_MS;
}

static enum status sweep(struct jobs *jobs, const char *id, struct error *err)
{
	struct store_job job;
	struct arena     arena;
	arena_init(&arena);
	enum status status = jobs->store->ops->job_get(jobs->store, id, &arena, &job, err);
	arena_done(&arena);
	return status == STATUS_NOT_FOUND ? job_files_remove(jobs, id, err) : status;
}

enum status job_files_sweep(struct jobs *jobs, struct error *err)
{
	enum status    status    = STATUS_OK;
	DIR           *directory = opendir(jobs->directory);
	struct dirent *entry;
	if (directory == NULL)
		return file_error(err, errno, "read", jobs->directory);
	while (status == STATUS_OK && (entry = readdir(directory)) != NULL)
		if (uuid_valid(text_of(entry->d_name)) && is_old(directory, entry->d_name))
			status = sweep(jobs, entry->d_name, err);
	closedir(directory);
	return status;
}
