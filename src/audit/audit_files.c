#include "audit/audit_files.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit_line.h"
#include "base/file.h"
#include "base/instant.h"

enum { NAME_DIGITS = 20 };

static const char suffix[] = ".jsonl";

void audit_file_path(const char *directory, uint64_t first_seq, char ret_path[AUDIT_PATH_BYTES])
{
	int length =
		snprintf(ret_path, AUDIT_PATH_BYTES, "%s/%020" PRIu64 "%s", directory, first_seq, suffix);
	if (length >= AUDIT_PATH_BYTES)
		abort(); /* directories are checked when a trail is opened */
}

static bool read_name(const char *name, uint64_t *ret_seq)
{
	*ret_seq = 0;
	if (strlen(name) != NAME_DIGITS + sizeof suffix - 1 || strcmp(name + NAME_DIGITS, suffix) != 0)
		return false;
	for (int i = 0; i < NAME_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9' || *ret_seq > UINT64_MAX / 10 - 1)
			return false;
		*ret_seq = *ret_seq * 10 + (uint64_t)(name[i] - '0');
	}
	return *ret_seq > 0;
}

static int compare_files(const void *a, const void *b)
{
	uint64_t left  = ((const struct audit_file *)a)->first_seq;
	uint64_t right = ((const struct audit_file *)b)->first_seq;
	return (left > right) - (left < right);
}

/* What is wrong with a file is for others to tell. */
static enum status look(const char *directory, struct audit_file *file, struct error *err)
{
	char        path[AUDIT_PATH_BYTES];
	struct stat info;
	audit_file_path(directory, file->first_seq, path);
	if (stat(path, &info) != 0)
		return file_error(err, errno, "find", path);
	file->bytes    = (uint64_t)info.st_size;
	file->first_ms = INSTANT_MS_NONE;

	struct buffer head = {0};
	enum status   status =
		audit_file_read(directory, file->first_seq, AUDIT_LINE_BYTES_MAX, &head, err);
	struct audit_line line;
	struct error      ignored;
	if (status == STATUS_OK) {
		struct audit_lines i = {.rest = buffer_text(&head)};
		if (audit_lines_next(&i) && audit_line_read(i.line, &line, &ignored) == STATUS_OK)
			file->first_ms = line.link.at_ms;
	}
	buffer_done(&head);
	return status;
}

enum status audit_files_list(const char *directory, audit_file_list *ret_files, struct error *err)
{
	audit_file_list files  = {0};
	enum status     status = STATUS_OK;
	DIR            *dir    = opendir(directory);
	if (dir == NULL && errno != ENOENT)
		return file_error(err, errno, "open", directory);
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		struct audit_file file = {0};
		if (read_name(entry->d_name, &file.first_seq))
			VECTOR_ADD(&files, file);
	}
	if (dir != NULL)
		closedir(dir);
	if (files.count > 0)
		qsort(files.items, files.count, sizeof *files.items, compare_files);
	for (size_t i = 0; i < files.count && status == STATUS_OK; i++)
		status = look(directory, &files.items[i], err);
	if (status != STATUS_OK) {
		VECTOR_DONE(&files);
		return status;
	}
	*ret_files = files;
	return STATUS_OK;
}

/* As far as there is something: the zeros behind its end may be cut off just now. */
static enum status read_some(int fd, char *into, uint64_t *bytes, const char *path,
                             struct error *err)
{
	uint64_t at = 0;
	while (at < *bytes) {
		ssize_t got = pread(fd, into + at, *bytes - at, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return file_error(err, errno, "read", path);
		if (got == 0)
			break;
		at += (uint64_t)got;
	}
	*bytes = at;
	return STATUS_OK;
}

enum status audit_file_read(const char *directory, uint64_t first_seq, uint64_t bytes_max,
                            struct buffer *out, struct error *err)
{
	char        path[AUDIT_PATH_BYTES];
	int         fd;
	uint64_t    bytes;
	enum status status;
	audit_file_path(directory, first_seq, path);
	if ((status = file_open(path, &fd, &bytes, err)) != STATUS_OK)
		return status;
	if (bytes > bytes_max)
		bytes = bytes_max;
	if (bytes > (uint64_t)AUDIT_FILE_BYTES_MAX)
		status =
			error_set(err, STATUS_TOO_LARGE, "%s is too large for a file of the audit trail", path);
	if (status == STATUS_OK)
		status = read_some(fd, buffer_reserve(out, bytes), &bytes, path, err);
	close(fd);
	if (status != STATUS_OK)
		return status;
	while (bytes > 0 && out->data[out->length + bytes - 1] == '\0')
		bytes--;
	out->length += bytes;
	return STATUS_OK;
}

bool audit_lines_next(struct audit_lines *lines)
{
	const char *end =
		lines->rest.length == 0 ? NULL : memchr(lines->rest.data, '\n', lines->rest.length);
	if (end == NULL)
		return false;
	lines->line = (struct text){lines->rest.data, (size_t)(end - lines->rest.data)};
	lines->rest.length -= lines->line.length + 1;
	lines->rest.data = end + 1;
	return true;
}
