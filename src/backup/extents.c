#include "backup/extents.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static const struct object_id zeros;

bool extent_is_zeros(const struct extent *extent)
{
	return memcmp(&extent->id, &zeros, sizeof zeros) == 0;
}

void extents_write(const extent_list *extents, struct buffer *out)
{
	buffer_add_varint(out, extents->count);
	for (size_t i = 0; i < extents->count; i++) {
		const struct extent *extent = &extents->items[i];
		buffer_add_u64(out, extent->offset);
		buffer_add_u32(out, extent->length);
		buffer_add(out, extent->id.bytes, sizeof extent->id.bytes);
	}
}

bool extents_read(struct byte_reader *reader, extent_list *ret_extents)
{
	uint64_t    count = read_varint(reader);
	extent_list list  = {0};
	for (uint64_t i = 0; i < count && !reader->failed; i++) {
		struct extent extent = {.offset = read_u64(reader), .length = read_u32(reader)};
		read_fixed(reader, extent.id.bytes, sizeof extent.id.bytes);
		if (extent.length == 0 || extent.length > OBJECT_BYTES_MAX ||
		    extent.offset > (UINT64_MAX >> 1))
			reader->failed = true;
		VECTOR_ADD(&list, extent);
	}
	if (reader->failed)
		VECTOR_DONE(&list);
	*ret_extents = list;
	return !reader->failed;
}

/* ---- Files ---- */

static void file_done(struct backup_file *file)
{
	free(file->path);
	VECTOR_DONE(&file->extents);
}

void backup_files_done(backup_file_list *files)
{
	for (size_t i = 0; i < files->count; i++)
		file_done(&files->items[i]);
	VECTOR_DONE(files);
}

void backup_files_write(const backup_file_list *files, struct buffer *out)
{
	buffer_add_varint(out, files->count);
	for (size_t i = 0; i < files->count; i++) {
		const struct backup_file *file = &files->items[i];
		buffer_add_sized(out, text_of(file->path));
		buffer_add_u64(out, file->length);
		buffer_add_u64(out, file->inode);
		buffer_add_i64(out, file->modified_ns);
		extents_write(&file->extents, out);
	}
}

/* "a/b.c": what a restore may write below the data directory. */
static bool path_stays_within(struct text path)
{
	if (path.length == 0 || path.length > 255 || path.data[0] == '/')
		return false;
	for (size_t i = 0; i < path.length; i++) {
		bool begins = i == 0 || path.data[i - 1] == '/';
		if (path.data[i] == '\0' || (begins && (path.data[i] == '.' || path.data[i] == '/')))
			return false;
	}
	return path.data[path.length - 1] != '/';
}

bool backup_files_read(struct text bytes, backup_file_list *ret_files)
{
	struct byte_reader reader = byte_reader_of(bytes.data, bytes.length);
	uint64_t           count  = read_varint(&reader);
	backup_file_list   files  = {0};
	for (uint64_t i = 0; i < count && !reader.failed; i++) {
		struct text        path = read_sized(&reader);
		struct backup_file file = {.path = strndup(path.data, path.length)};
		file.length             = read_u64(&reader);
		file.inode              = read_u64(&reader);
		file.modified_ns        = read_i64(&reader);
		if (!extents_read(&reader, &file.extents) || !path_stays_within(path))
			reader.failed = true;
		VECTOR_ADD(&files, file);
	}
	bool good = !reader.failed && read_left(&reader) == 0;
	if (!good)
		backup_files_done(&files);
	*ret_files = files;
	return good;
}

/* ---- Copying ---- */

static bool all_zeros(const char *data, size_t length)
{
	return length == 0 || (data[0] == 0 && memcmp(data, data + 1, length - 1) == 0);
}

static enum status copy_run(struct copy *copy, struct text content, uint64_t offset,
                            extent_list *extents, struct error *err)
{
	struct extent extent = {.offset = offset, .length = (uint32_t)content.length};
	uint64_t      stored = 0;
	enum status   status = STATUS_OK;
	if (!all_zeros(content.data, content.length))
		status = repository_put(copy->repository, content, &extent.id, &stored, err);
	if (status != STATUS_OK)
		return status;
	copy->read_bytes += content.length;
	copy->new_bytes += stored > 0 ? content.length : 0;
	copy->stored_bytes += stored;
	VECTOR_ADD(extents, extent);
	return STATUS_OK;
}

enum status copy_range(struct copy *copy, copy_read_fn *read, void *source, uint64_t begin,
                       uint64_t end, size_t run_bytes, extent_list *extents, struct error *err)
{
	struct buffer run    = {0};
	enum status   status = STATUS_OK;
	assert(run_bytes > 0 && run_bytes <= OBJECT_BYTES_MAX);
	for (uint64_t offset = begin; offset < end && status == STATUS_OK;) {
		/* Runs end at multiples, wherever the first one begins. */
		uint64_t next   = (offset / run_bytes + 1) * run_bytes;
		size_t   length = (size_t)((next < end ? next : end) - offset);
		size_t   got    = 0;
		if (copy->pace != NULL)
			status = copy->pace(copy->pace_context, length, err);
		if (status == STATUS_OK)
			status = read(source, buffer_reserve(&run, length), length, offset, &got, err);
		if (status == STATUS_OK && got < length)
			status = error_set(err, STATUS_CORRUPT, "a file is shorter than it was");
		if (status == STATUS_OK)
			status = copy_run(copy, (struct text){run.data, length}, offset, extents, err);
		offset += length;
	}
	buffer_done(&run);
	return status;
}

struct plain_file {
	int         fd;
	const char *path;
};

static enum status read_plain(void *source, void *into, size_t length, uint64_t offset,
                              size_t *ret_length, struct error *err)
{
	const struct plain_file *file = source;
	size_t                   done = 0;
	while (done < length) {
		ssize_t got = pread(file->fd, (char *)into + done, length - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return file_error(err, errno, "read", file->path);
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*ret_length = done;
	return STATUS_OK;
}

enum status copy_file(struct copy *copy, const char *path, uint64_t begin, uint64_t end,
                      size_t run_bytes, extent_list *extents, struct error *err)
{
	struct plain_file file = {open(path, O_RDONLY | O_CLOEXEC), path};
	if (file.fd < 0)
		return file_error(err, errno, "open", path);
	enum status status = copy_range(copy, read_plain, &file, begin, end, run_bytes, extents, err);
	/* What was read once for a copy is not to push out of memory what is used. */
	(void)posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED);
	close(file.fd);
	return status;
}
