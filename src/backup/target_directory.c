#include "backup/target_directory.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

struct target_directory {
	struct target    base;
	char            *path;
	int              lock_fd; /* -1: opened to read */
	_Atomic unsigned next;    /* names under way */
};

static const char under_way[]      = ".new";
static const char sharded_folder[] = "objects/";

enum { SHARD_CHARACTERS = 2, SHARDS = 256 };

static struct target_directory *directory_of(struct target *target)
{
	return (struct target_directory *)target;
}

/* Where a name lies. */
static enum status path_of(const struct target_directory *directory, const char *name,
                           char into[PATH_MAX], struct error *err)
{
	size_t folder = strlen(sharded_folder);
	int    length;
	if (strncmp(name, sharded_folder, folder) == 0)
		length = snprintf(into, PATH_MAX, "%s/%s%.*s/%s", directory->path, sharded_folder,
		                  SHARD_CHARACTERS, name + folder, name + folder);
	else
		length = snprintf(into, PATH_MAX, "%s/%s", directory->path, name);
	return length < PATH_MAX ? STATUS_OK
	                         : error_set(err, STATUS_INVALID, "%s: the path is too long", name);
}

/* The directory in which a path lies, made when it is absent. */
static enum status sync_parent(const char *path, bool make, struct error *err)
{
	char parent[PATH_MAX];
	snprintf(parent, sizeof parent, "%s", path);
	*strrchr(parent, '/') = '\0';
	if (make)
		return directory_create(parent, 0700, err);
	return directory_sync(parent, err);
}

static enum status write_new(const char *path, struct text bytes, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_error(err, errno, "create", path);
	enum status status = file_write_all(fd, bytes.data, bytes.length, path, err);
	if (status == STATUS_OK && fdatasync(fd) != 0)
		status = file_error(err, errno, "sync", path);
	if (close(fd) != 0 && status == STATUS_OK)
		status = file_error(err, errno, "close", path);
	return status;
}

/* A link, unlike a rename, does not take a name that is taken. */
static enum status name_it(const char *path, const char *to, struct error *err)
{
	enum status status = sync_parent(to, true, err);
	if (status == STATUS_OK && link(path, to) != 0)
		status = errno == EEXIST ? error_set(err, STATUS_CONFLICT, "%s is there already", to)
		                         : file_error(err, errno, "name", to);
	return status == STATUS_OK ? sync_parent(to, false, err) : status;
}

static enum status directory_put(struct target *target, const char *name, struct text bytes,
                                 struct error *err)
{
	struct target_directory *directory = directory_of(target);
	assert(directory->lock_fd >= 0);
	char path[PATH_MAX], fresh[PATH_MAX];
	int  length = snprintf(fresh, sizeof fresh, "%s/%s/%u", directory->path, under_way,
	                       atomic_fetch_add(&directory->next, 1));
	if (length >= PATH_MAX)
		return error_set(err, STATUS_INVALID, "%s: the path is too long", name);
	enum status status = path_of(directory, name, path, err);
	if (status != STATUS_OK)
		return status;
	if ((status = write_new(fresh, bytes, err)) == STATUS_OK)
		status = name_it(fresh, path, err);
	unlink(fresh);
	return status;
}

static enum status directory_get(struct target *target, const char *name, size_t bytes_max,
                                 struct buffer *out, struct error *err)
{
	char        path[PATH_MAX];
	enum status status = path_of(directory_of(target), name, path, err);
	if (status != STATUS_OK)
		return status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return file_error(err, errno, "open", path);
	/* What was written just now is to come from the disk, too. */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	return file_read(path, bytes_max, out, err);
}

static enum status directory_size(struct target *target, const char *name, uint64_t *ret_bytes,
                                  struct error *err)
{
	char        path[PATH_MAX];
	struct stat info;
	enum status status = path_of(directory_of(target), name, path, err);
	if (status != STATUS_OK)
		return status;
	if (stat(path, &info) != 0)
		return file_error(err, errno, "find", path);
	*ret_bytes = (uint64_t)info.st_size;
	return STATUS_OK;
}

/* The entries of one directory, under `folder` as their names have it. */
static enum status each_in(const char *path, const char *folder, target_visit_fn *visit,
                           void *context, struct error *err)
{
	DIR *opened = opendir(path);
	if (opened == NULL)
		return errno == ENOENT ? STATUS_OK : file_error(err, errno, "read directory", path);
	enum status status = STATUS_OK;
	while (status == STATUS_OK) {
		errno                      = 0;
		const struct dirent *entry = readdir(opened);
		if (entry == NULL) {
			if (errno != 0)
				status = file_error(err, errno, "read directory", path);
			break;
		}
		char name[PATH_MAX];
		if (entry->d_name[0] == '.' ||
		    snprintf(name, sizeof name, "%s/%s", folder, entry->d_name) >= PATH_MAX)
			continue;
		status = visit(context, name, err);
	}
	closedir(opened);
	return status;
}

static enum status directory_each(struct target *target, const char *folder, target_visit_fn *visit,
                                  void *context, struct error *err)
{
	const struct target_directory *directory = directory_of(target);
	char                           path[PATH_MAX];
	bool        sharded = strncmp(folder, sharded_folder, strlen(sharded_folder) - 1) == 0;
	enum status status  = STATUS_OK;
	for (unsigned shard = 0; shard < (sharded ? SHARDS : 1) && status == STATUS_OK; shard++) {
		int length = sharded
		                 ? snprintf(path, sizeof path, "%s/%s/%02x", directory->path, folder, shard)
		                 : snprintf(path, sizeof path, "%s/%s", directory->path, folder);
		if (length >= PATH_MAX)
			return error_set(err, STATUS_INVALID, "%s: the path is too long", folder);
		status = each_in(path, folder, visit, context, err);
	}
	return status;
}

static enum status directory_remove(struct target *target, const char *name, struct error *err)
{
	char        path[PATH_MAX];
	enum status status = path_of(directory_of(target), name, path, err);
	if (status == STATUS_OK && unlink(path) != 0 && errno != ENOENT)
		status = file_error(err, errno, "remove", path);
	return status;
}

static enum status directory_rename(struct target *target, const char *name, const char *to,
                                    struct error *err)
{
	char        from[PATH_MAX], into[PATH_MAX];
	enum status status;
	if ((status = path_of(directory_of(target), name, from, err)) != STATUS_OK ||
	    (status = path_of(directory_of(target), to, into, err)) != STATUS_OK ||
	    (status = sync_parent(into, true, err)) != STATUS_OK)
		return status;
	if (rename(from, into) != 0)
		return file_error(err, errno, "rename", from);
	return sync_parent(into, false, err);
}

static void directory_free(struct target *target)
{
	struct target_directory *directory = directory_of(target);
	if (directory->lock_fd >= 0)
		close(directory->lock_fd);
	free(directory->path);
	free(directory);
}

static const struct target_ops directory_ops = {
	.name   = "directory",
	.put    = directory_put,
	.get    = directory_get,
	.size   = directory_size,
	.each   = directory_each,
	.remove = directory_remove,
	.rename = directory_rename,
	.free   = directory_free,
};

/* What a crash has left. */
static enum status clear_under_way(const struct target_directory *directory, struct error *err)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/%s", directory->path, under_way) >= PATH_MAX)
		return error_set(err, STATUS_INVALID, "%s: the path is too long", directory->path);
	enum status status = directory_create(path, 0700, err);
	if (status != STATUS_OK)
		return status;
	DIR *opened = opendir(path);
	if (opened == NULL)
		return file_error(err, errno, "read directory", path);
	for (const struct dirent *entry; (entry = readdir(opened)) != NULL;)
		if (entry->d_name[0] != '.' && unlinkat(dirfd(opened), entry->d_name, 0) != 0)
			status = file_error(err, errno, "clear", path);
	closedir(opened);
	return status;
}

enum status target_directory_open(const char *path, bool write, struct target **ret_target,
                                  struct error *err)
{
	struct target_directory *directory = calloc(1, sizeof *directory);
	if (directory == NULL || (directory->path = strdup(path)) == NULL)
		abort();
	directory->base.ops = &directory_ops;
	directory->lock_fd  = -1;
	enum status status  = STATUS_OK;
	if (!write && access(path, R_OK | X_OK) != 0)
		status = file_error(err, errno, "read the backups in", path);
	if (write && (status = directory_create(path, 0700, err)) == STATUS_OK &&
	    (status = directory_lock(path, &directory->lock_fd, err)) == STATUS_OK)
		status = clear_under_way(directory, err);
	if (status != STATUS_OK) {
		directory_free(&directory->base);
		return status;
	}
	*ret_target = &directory->base;
	return STATUS_OK;
}
