#include "journal/log_file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/vector.h"
#include "journal/log_pack.h"

enum { VERSION = 1, NAME_DIGITS = 20 };

static const char magic[8]        = {'S', 'O', 'N', 'N', 'I', 'M', 'J', 'L'};
static const char name_ending[]   = ".log";
static const char packed_ending[] = ".log.zst";

/* As it lies in the file. */
struct header_bytes {
	char              magic[8];
	uint32_t          version;
	uint32_t          zero;
	uint8_t           workspace_id[16];
	uint64_t          mark;
	uint64_t          first_position;
	uint64_t          file_bytes;
	uint64_t          previous_position;
	uint64_t          previous_end;
	int64_t           log_time_ms;
	struct frame_mark clock;
	uint8_t           zeros[16];
	uint64_t          checksum;
};
_Static_assert(sizeof(struct header_bytes) == LOG_FILE_HEADER_BYTES, "no padding");

enum { CHECKED_BYTES = offsetof(struct header_bytes, checksum) };

static void path_with(char ret_path[LOG_PATH_BYTES_MAX], const char *directory,
                      uint64_t first_position, const char *ending)
{
	int length = snprintf(ret_path, LOG_PATH_BYTES_MAX, "%s/%0*" PRIu64 "%s", directory,
	                      NAME_DIGITS, first_position, ending);
	assert(length > 0 && length < LOG_PATH_BYTES_MAX);
}

void log_file_path(char ret_path[LOG_PATH_BYTES_MAX], const char *directory,
                   uint64_t first_position)
{
	path_with(ret_path, directory, first_position, name_ending);
}

void log_file_packed_path(char ret_path[LOG_PATH_BYTES_MAX], const char *directory,
                          uint64_t first_position)
{
	path_with(ret_path, directory, first_position, packed_ending);
}

enum status log_file_damaged(struct error *err, const char *path, uint64_t offset,
                             const char *reason)
{
	error_set(err, STATUS_CORRUPT, "%s is damaged at offset %" PRIu64 ": %s", path, offset, reason);
	if (err != NULL)
		err->fatal = true;
	return STATUS_CORRUPT;
}

void log_file_header_encode(const struct log_file_header *header,
                            uint8_t                       ret_bytes[LOG_FILE_HEADER_BYTES])
{
	struct header_bytes bytes = {
		.version           = VERSION,
		.mark              = header->mark,
		.first_position    = header->first_position,
		.file_bytes        = header->file_bytes,
		.previous_position = header->previous_position,
		.previous_end      = header->previous_end,
		.log_time_ms       = header->log_time_ms,
		.clock             = header->clock,
	};
	memcpy(bytes.magic, magic, sizeof magic);
	memcpy(bytes.workspace_id, header->workspace_id, sizeof bytes.workspace_id);
	bytes.checksum = hash_bytes(&bytes, CHECKED_BYTES);
	memcpy(ret_bytes, &bytes, sizeof bytes);
}

/* NULL, or what is wrong. */
static const char *decode_header(const uint8_t           data[LOG_FILE_HEADER_BYTES],
                                 struct log_file_header *ret_header)
{
	struct header_bytes bytes;
	memcpy(&bytes, data, sizeof bytes);
	if (memcmp(bytes.magic, magic, sizeof magic) != 0)
		return "not a file of the journal";
	if (hash_bytes(&bytes, CHECKED_BYTES) != bytes.checksum)
		return "the header's checksum is wrong";
	if (bytes.version != VERSION)
		return "written by a newer version";
	if (bytes.mark == 0 || bytes.first_position == 0 || bytes.first_position > UINT64_MAX / 2)
		return "the header makes no sense";
	*ret_header = (struct log_file_header){
		.mark              = bytes.mark,
		.first_position    = bytes.first_position,
		.file_bytes        = bytes.file_bytes,
		.previous_position = bytes.previous_position,
		.previous_end      = bytes.previous_end,
		.log_time_ms       = bytes.log_time_ms,
		.clock             = bytes.clock,
	};
	memcpy(ret_header->workspace_id, bytes.workspace_id, sizeof bytes.workspace_id);
	return NULL;
}

static bool parse_name(const char *name, uint64_t *ret_position)
{
	uint64_t position = 0;
	for (int i = 0; i < NAME_DIGITS; i++) {
		unsigned digit = (unsigned)(name[i] - '0');
		if (digit > 9 || __builtin_mul_overflow(position, 10, &position) ||
		    __builtin_add_overflow(position, digit, &position))
			return false;
	}
	*ret_position = position;
	return strcmp(name + NAME_DIGITS, name_ending) == 0 ||
	       strcmp(name + NAME_DIGITS, packed_ending) == 0;
}

static int compare_positions(const void *a, const void *b)
{
	uint64_t left  = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return (left > right) - (left < right);
}

/* A crash may leave a file plain and packed. */
static void drop_doubles(struct log_file_list *list)
{
	size_t kept = 0;
	for (size_t i = 0; i < list->count; i++)
		if (kept == 0 || list->items[kept - 1] != list->items[i])
			list->items[kept++] = list->items[i];
	list->count = kept;
}

enum status log_file_list(const char *directory, struct log_file_list *ret_list, struct error *err)
{
	DIR *opened = opendir(directory);
	if (opened == NULL)
		return file_error(err, errno, "read directory", directory);

	struct log_file_list list = {0};
	for (;;) {
		errno                      = 0;
		const struct dirent *entry = readdir(opened);
		if (entry == NULL)
			break;
		uint64_t position;
		if (parse_name(entry->d_name, &position))
			VECTOR_ADD(&list, position);
	}
	int error_number = errno;
	closedir(opened);
	if (error_number != 0) {
		log_file_list_done(&list);
		return file_error(err, error_number, "read directory", directory);
	}
	if (list.count > 0)
		qsort(list.items, list.count, sizeof list.items[0], compare_positions);
	drop_doubles(&list);
	*ret_list = list;
	return STATUS_OK;
}

void log_file_list_done(struct log_file_list *list) { VECTOR_DONE(list); }

enum status log_file_read_at(int fd, const char *path, void *into, size_t length, uint64_t offset,
                             size_t *ret_length, struct error *err)
{
	size_t done = 0;
	while (done < length) {
		ssize_t got = pread(fd, (char *)into + done, length - done, (off_t)(offset + done));
		if (got == 0)
			break;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			file_error(err, errno, "read", path);
			if (err != NULL)
				err->fatal = true;
			return STATUS_IO;
		}
		done += (size_t)got;
	}
	*ret_length = done;
	return STATUS_OK;
}

enum status log_file_read(const struct log_file *file, void *into, size_t length, uint64_t offset,
                          size_t *ret_length, struct error *err)
{
	*ret_length = 0;
	return file->pack != NULL
	           ? log_pack_read(file->pack, into, length, offset, ret_length, err)
	           : log_file_read_at(file->fd, file->path, into, length, offset, ret_length, err);
}

static enum status read_header(struct log_file *file, uint64_t first_position, struct error *err)
{
	struct stat stat;
	if (fstat(file->fd, &stat) != 0)
		return file_error(err, errno, "stat", file->path);
	file->stored_bytes = (uint64_t)stat.st_size;
	file->length       = file->pack != NULL ? log_pack_length(file->pack) : (uint64_t)stat.st_size;

	uint8_t     bytes[LOG_FILE_HEADER_BYTES];
	size_t      length;
	enum status status = log_file_read(file, bytes, sizeof bytes, 0, &length, err);
	if (status != STATUS_OK)
		return status;
	if (length < sizeof bytes)
		return log_file_damaged(err, file->path, length, "it ends within its header");
	const char *wrong = decode_header(bytes, &file->header);
	if (wrong != NULL)
		return log_file_damaged(err, file->path, 0, wrong);
	if (file->header.first_position != first_position)
		return log_file_damaged(err, file->path, 0, "its name is another file's");
	return STATUS_OK;
}

enum status log_file_open(const char *directory, uint64_t first_position, int flags,
                          struct log_file *ret_file, struct error *err)
{
	enum status status = STATUS_OK;
	ret_file->pack     = NULL;
	log_file_path(ret_file->path, directory, first_position);
	ret_file->fd = open(ret_file->path, flags | O_CLOEXEC);
	if (ret_file->fd < 0 && errno == ENOENT) {
		char path[LOG_PATH_BYTES_MAX];
		log_file_packed_path(path, directory, first_position);
		ret_file->fd = open(path, O_RDONLY | O_CLOEXEC);
		if (ret_file->fd >= 0) {
			memcpy(ret_file->path, path, sizeof path);
			status = log_pack_open(ret_file->fd, path, &ret_file->pack, err);
		}
	}
	if (ret_file->fd < 0)
		return file_error(err, errno, "open", ret_file->path);
	if (status == STATUS_OK)
		status = read_header(ret_file, first_position, err);
	if (status != STATUS_OK)
		log_file_close(ret_file);
	return status;
}

void log_file_close(struct log_file *file)
{
	if (file->fd >= 0) {
		close(file->fd);
		log_pack_free(file->pack);
	}
	file->fd   = -1;
	file->pack = NULL;
}

enum status log_file_check_link(uint64_t first_position, const struct log_file *next,
                                struct error *err)
{
	if (next->header.previous_position != first_position)
		return log_file_damaged(err, next->path, 0, "the file before it is missing");
	return STATUS_OK;
}

void log_chunk_done(struct log_chunk *chunk)
{
	free(chunk->data);
	*chunk = (struct log_chunk){0};
}

static void make_room(struct log_chunk *chunk, size_t bytes)
{
	if (bytes <= chunk->capacity)
		return;
	chunk->data = vector_grow(chunk->data, &chunk->capacity, bytes, 1);
}

/* Keeps what lies from `offset` on at the begin of the memory. */
static void move_to(struct log_chunk *chunk, uint64_t offset)
{
	if (offset >= chunk->offset && offset < chunk->offset + chunk->length) {
		size_t skipped = (size_t)(offset - chunk->offset);
		chunk->length -= skipped;
		memmove(chunk->data, chunk->data + skipped, chunk->length);
	} else {
		chunk->length = 0;
	}
	chunk->offset = offset;
}

static enum status fill(struct log_chunk *chunk, const struct log_file *file, size_t bytes,
                        uint64_t limit, struct error *err)
{
	uint64_t left   = limit - chunk->offset;
	uint64_t wanted = bytes > LOG_CHUNK_BYTES ? bytes : LOG_CHUNK_BYTES;
	size_t   target = (size_t)(wanted < left ? wanted : left);
	if (target <= chunk->length)
		return STATUS_OK;

	make_room(chunk, target);
	size_t       got;
	struct error failure;
	enum status  status = log_file_read(file, chunk->data + chunk->length, target - chunk->length,
	                                    chunk->offset + chunk->length, &got, &failure);
	chunk->length += got;
	/* Damage to what is only read ahead is met when it is needed. */
	size_t needed = bytes < left ? bytes : (size_t)left;
	if (chunk->length >= needed && status != STATUS_IO)
		return STATUS_OK;
	if (status == STATUS_OK)
		return log_file_damaged(err, file->path, chunk->offset + chunk->length,
		                        "it is shorter than it was");
	if (err != NULL)
		*err = failure;
	return status;
}

enum status log_chunk_need(struct log_chunk *chunk, const struct log_file *file, uint64_t offset,
                           size_t bytes, uint64_t limit, const uint8_t **ret_bytes,
                           size_t *ret_length, struct error *err)
{
	assert(offset <= limit);

	uint64_t end = offset + bytes < limit ? offset + bytes : limit;
	if (offset < chunk->offset || end > chunk->offset + chunk->length) {
		move_to(chunk, offset);
		enum status status = fill(chunk, file, bytes, limit, err);
		if (status != STATUS_OK)
			return status;
	}
	*ret_bytes  = chunk->data + (offset - chunk->offset);
	*ret_length = chunk->length - (size_t)(offset - chunk->offset);
	return STATUS_OK;
}

enum status log_chunk_frame(struct log_chunk *chunk, const struct log_file *file, uint64_t offset,
                            uint64_t limit, enum frame_check *ret_check, struct frame *ret_frame,
                            size_t *ret_bytes, struct error *err)
{
	size_t           bytes = FRAME_HEADER_BYTES;
	enum frame_check check = FRAME_SHORT;
	for (int attempt = 0; check == FRAME_SHORT && attempt < 2; attempt++) {
		if (offset + bytes > limit) {
			*ret_check = attempt == 0 ? FRAME_ABSENT : FRAME_BAD;
			return STATUS_OK;
		}
		const uint8_t *data;
		size_t         length;
		enum status status = log_chunk_need(chunk, file, offset, bytes, limit, &data, &length, err);
		if (status != STATUS_OK)
			return status;
		check = frame_check(data, length, file->header.mark, offset, ret_frame, &bytes);
	}
	assert(check != FRAME_SHORT);
	*ret_check = check;
	*ret_bytes = bytes;
	return STATUS_OK;
}
