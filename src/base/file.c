#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, PATH_BYTES_MAX = 4096 };

enum status file_error(struct error *err, int error_number, const char *what, const char *path)
{
	enum status status = STATUS_IO;
	if (error_number == ENOENT)
		status = STATUS_NOT_FOUND;
	else if (error_number == ENOSPC || error_number == EDQUOT)
		status = STATUS_NO_SPACE;
	return error_set_errno(err, status, error_number, "cannot %s %s", what, path);
}

/* open(2), again when a signal came in between. */
static int open_file(const char *path, int flags, mode_t mode)
{
	int fd;
	do
		fd = open(path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

enum status file_read(const char *path, size_t bytes_max, struct buffer *out, struct error *err)
{
	int fd = open_file(path, O_RDONLY, 0);
	if (fd < 0)
		return file_error(err, errno, "open", path);

	enum status status = STATUS_OK;
	size_t      begin  = out->length;
	for (;;) {
		ssize_t got = read(fd, buffer_reserve(out, READ_BYTES), READ_BYTES);
		if (got == 0)
			break;
		if (got > 0) {
			out->length += (size_t)got;
			if (out->length - begin <= bytes_max)
				continue;
			status =
				error_set(err, STATUS_TOO_LARGE, "%s has more than %zu bytes", path, bytes_max);
			break;
		}
		if (errno == EINTR)
			continue;
		status = file_error(err, errno, "read", path);
		break;
	}
	close(fd);
	if (status != STATUS_OK)
		out->length = begin;
	return status;
}

enum status file_write_all(int fd, const void *data, size_t length, const char *path,
                           struct error *err)
{
	const char *at = data;
	while (length > 0) {
		ssize_t written = write(fd, at, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return file_error(err, errno, "write", path);
		at += written;
		length -= (size_t)written;
	}
	return STATUS_OK;
}

enum status file_write_at(int fd, const void *data, size_t length, uint64_t offset,
                          const char *path, struct error *err)
{
	const char *at = data;
	while (length > 0) {
		ssize_t written = pwrite(fd, at, length, (off_t)offset);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return file_error(err, errno, "write", path);
		at += written;
		offset += (size_t)written;
		length -= (size_t)written;
	}
	return STATUS_OK;
}

enum status file_read_at(int fd, void *into, size_t length, uint64_t offset, const char *path,
                         struct error *err)
{
	char *at = into;
	while (length > 0) {
		ssize_t got = pread(fd, at, length, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return file_error(err, errno, "read", path);
		if (got == 0)
			return error_set(err, STATUS_CORRUPT, "%s ends too early", path);
		at += got;
		offset += (uint64_t)got;
		length -= (size_t)got;
	}
	return STATUS_OK;
}

/* The directory in which `path` lies. */
static enum status parent_of(const char *path, char into[PATH_BYTES_MAX], struct error *err)
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL) {
		memcpy(into, ".", 2);
		return STATUS_OK;
	}
	size_t length = slash == path ? 1 : (size_t)(slash - path);
	if (length >= PATH_BYTES_MAX)
		return file_error(err, ENAMETOOLONG, "open", path);
	memcpy(into, path, length);
	into[length] = '\0';
	return STATUS_OK;
}

static enum status write_new(const char *path, mode_t mode, const void *data, size_t length,
                             struct error *err)
{
	int fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 0600);
	if (fd < 0)
		return file_error(err, errno, "create", path);

	enum status status = file_write_all(fd, data, length, path, err);
	if (status == STATUS_OK && fchmod(fd, mode) != 0)
		status = file_error(err, errno, "set the mode of", path);
	if (status == STATUS_OK && fsync(fd) != 0)
		status = file_error(err, errno, "sync", path);
	if (close(fd) != 0 && status == STATUS_OK)
		status = file_error(err, errno, "close", path);
	return status;
}

enum status file_open(const char *path, int *ret_fd, uint64_t *ret_bytes, struct error *err)
{
	struct stat info;
	int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &info) != 0) {
		int error_number = errno;
		if (fd >= 0)
			close(fd);
		return file_error(err, error_number, "open", path);
	}
	*ret_fd    = fd;
	*ret_bytes = (uint64_t)info.st_size;
	return STATUS_OK;
}

enum status file_replace(const char *path, mode_t mode, const void *data, size_t length,
                         struct error *err)
{
	char directory[PATH_BYTES_MAX];
	char temporary[PATH_BYTES_MAX];
	int  written = snprintf(temporary, sizeof temporary, "%s.new", path);
	if (written < 0 || (size_t)written >= sizeof temporary)
		return file_error(err, ENAMETOOLONG, "create", path);
	enum status status = parent_of(path, directory, err);
	if (status != STATUS_OK)
		return status;

	/* A crash may have left one. */
	if (unlink(temporary) != 0 && errno != ENOENT)
		return file_error(err, errno, "remove", temporary);
	status = write_new(temporary, mode, data, length, err);
	if (status == STATUS_OK && rename(temporary, path) != 0)
		status = file_error(err, errno, "replace", path);
	if (status != STATUS_OK) {
		unlink(temporary);
		return status;
	}
	return directory_sync(directory, err);
}

enum status directory_create(const char *path, mode_t mode, struct error *err)
{
	char   partial[PATH_BYTES_MAX];
	size_t length = strlen(path);
	if (length == 0 || length >= sizeof partial)
		return file_error(err, length == 0 ? ENOENT : ENAMETOOLONG, "create", path);
	memcpy(partial, path, length + 1);

	for (size_t i = 1; i <= length; i++) {
		if (partial[i] != '/' && partial[i] != '\0')
			continue;
		partial[i] = '\0';
		if (mkdir(partial, mode) != 0 && errno != EEXIST)
			return file_error(err, errno, "create", partial);
		if (i < length)
			partial[i] = '/';
	}

	struct stat info;
	if (stat(path, &info) != 0)
		return file_error(err, errno, "create", path);
	return S_ISDIR(info.st_mode) ? STATUS_OK : file_error(err, ENOTDIR, "create", path);
}

enum status directory_sync(const char *path, struct error *err)
{
	int fd = open_file(path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return file_error(err, errno, "open", path);
	enum status status = STATUS_OK;
	if (fsync(fd) != 0)
		status = file_error(err, errno, "sync", path);
	close(fd);
	return status;
}

enum status directory_lock(const char *path, int *ret_fd, struct error *err)
{
	int fd = open_file(path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return file_error(err, errno, "open", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		*ret_fd = fd;
		return STATUS_OK;
	}
	enum status status = errno == EWOULDBLOCK ? error_set(err, STATUS_CONFLICT,
	                                                      "%s is in use by another process", path)
	                                          : file_error(err, errno, "lock", path);
	close(fd);
	return status;
}
