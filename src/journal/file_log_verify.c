#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "journal/file_log.h"
#include "journal/log_scan.h"
#include "journal/log_write.h"

/* Where the good part of the log ends. */
struct good_end {
	size_t   file;   /* number in the list; everything behind it goes */
	bool     keep;   /* false: the file itself goes, too */
	uint64_t offset; /* keep: from here on its bytes go */
	uint64_t bytes;  /* so many of them are not 0 */
};

struct verification {
	const char            *directory;
	struct log_file_list   list;
	file_log_visit_fn     *visit;
	void                  *context;
	struct file_log_report report;
	struct log_file        file; /* the present one */
	struct log_scan        scan; /* of it */
	struct log_scan        previous;
	uint8_t                workspace_id[16];
	bool                   previous_unsealed;
	struct good_end        end;
};

static void visit_frame(void *context, const struct frame *frame, uint64_t offset)
{
	(void)offset;
	struct verification *verification = context;
	if (verification->visit == NULL || frame->kind != FRAME_DATA)
		return;
	struct journal_read  read;
	struct frame_batches batches = frame_batches(frame);
	while (frame_batch_next(&batches, &read))
		verification->visit(verification->context, &read);
}

/* Damage at the begin of file `i`: it has to go, and with it what says that it exists. */
static enum status refuse_file(struct verification *verification, size_t i, enum status status)
{
	verification->end = (struct good_end){.file = i, .keep = false};
	if (i > 0 && verification->previous.end == LOG_SCAN_SEALED)
		verification->end = (struct good_end){
			.file   = i - 1,
			.keep   = true,
			.offset = verification->previous.end_offset,
			.bytes  = FRAME_HEADER_BYTES,
		};
	else if (i > 0)
		verification->end = (struct good_end){
			.file = i - 1, .keep = true, .offset = verification->previous.end_offset};
	return status;
}

/* Damage within file `i`. */
static enum status refuse_tail(struct verification *verification, size_t i, struct error *err,
                               const char *reason)
{
	const struct log_scan *scan = &verification->scan;
	verification->end           = (struct good_end){
				  .file   = i,
				  .keep   = true,
				  .offset = scan->end_offset,
				  .bytes  = scan->end == LOG_SCAN_SEALED ? FRAME_HEADER_BYTES : scan->tail_bytes,
    };
	return log_file_damaged(err, verification->file.path, scan->end_offset, reason);
}

/* Opens file `i` and checks that it goes on where the one before it ends. */
static enum status enter_file(struct verification *verification, size_t i, struct error *err)
{
	const struct log_file_list *list = &verification->list;
	struct log_file            *file = &verification->file;
	enum status                 status =
		log_file_open(verification->directory, list->items[i], O_RDONLY, file, err);
	if (status != STATUS_OK)
		return status == STATUS_CORRUPT ? refuse_file(verification, i, status) : status;

	const struct log_file_header *header = &file->header;
	if (i == 0)
		memcpy(verification->workspace_id, header->workspace_id, sizeof header->workspace_id);
	else
		status = log_file_check_link(list->items[i - 1], file, err);
	if (status == STATUS_OK &&
	    memcmp(header->workspace_id, verification->workspace_id, sizeof header->workspace_id) != 0)
		status = log_file_damaged(err, file->path, 0, "it belongs to another workspace");
	if (status == STATUS_OK && i > 0 &&
	    (header->previous_end != verification->previous.end_offset ||
	     header->first_position != verification->previous.next_position ||
	     header->log_time_ms < verification->previous.log_time_ms))
		status =
			log_file_damaged(err, file->path, 0, "it does not go on where the file before it ends");
	return status == STATUS_OK ? status : refuse_file(verification, i, status);
}

/* Whether file `i` may end as it does. */
static enum status check_end(struct verification *verification, size_t i, struct error *err)
{
	const struct log_scan *scan   = &verification->scan;
	size_t                 behind = verification->list.count - 1 - i;
	if (scan->end == LOG_SCAN_DAMAGED)
		return refuse_tail(verification, i, err, scan->reason);
	if (scan->end == LOG_SCAN_SEALED)
		return behind > 0
		           ? STATUS_OK
		           : refuse_tail(verification, i, err, "the file that follows it is missing");
	if (verification->previous_unsealed && scan->end_offset > LOG_FILE_HEADER_BYTES) {
		char path[LOG_PATH_BYTES_MAX];
		log_file_path(path, verification->directory, verification->list.items[i - 1]);
		return refuse_file(
			verification, i,
			log_file_damaged(err, path, verification->previous.end_offset, "it has no end"));
	}
	/* A crash may have come between the name of the last file and the SEAL of the one before. */
	verification->previous_unsealed = behind == 1;
	if (behind > 1)
		return refuse_tail(verification, i, err, "no good frame here, and no SEAL");
	if (behind == 0)
		verification->report.torn_bytes = scan->tail_bytes;
	return STATUS_OK;
}

static enum status verify_file(struct verification *verification, size_t i, struct error *err)
{
	struct file_log_report *report = &verification->report;
	enum status             status = enter_file(verification, i, err);
	if (status == STATUS_OK)
		status = log_scan(&verification->file, visit_frame, verification, &verification->scan, err);
	if (status != STATUS_OK) {
		log_file_close(&verification->file);
		return status;
	}
	const struct log_scan *scan = &verification->scan;
	report->files += 1;
	report->frames += scan->frames;
	report->records += scan->records;
	report->bytes += scan->end_offset;
	report->last_position    = scan->next_position - 1;
	report->last_log_time_ms = scan->log_time_ms;
	status                   = check_end(verification, i, err);
	verification->previous   = *scan;
	log_file_close(&verification->file);
	return status;
}

/* Cutting. */

static enum status make_damaged_directory(const char *directory, char ret_path[LOG_PATH_BYTES_MAX],
                                          struct error *err)
{
	snprintf(ret_path, LOG_PATH_BYTES_MAX, "%s/damaged", directory);
	enum status status = directory_create(ret_path, 0700, err);
	return status != STATUS_OK ? status : directory_sync(directory, err);
}

static enum status move_path(struct verification *verification, const char *from,
                             const char *damaged, struct error *err)
{
	char        to[LOG_PATH_BYTES_MAX];
	struct stat stat_of_file;
	int         length = snprintf(to, sizeof to, "%s%s", damaged, strrchr(from, '/'));
	assert(length < (int)sizeof to); /* LOG_DIRECTORY_BYTES_MAX leaves room */
	if (stat(from, &stat_of_file) != 0)
		return file_error(err, errno, "stat", from);
	if (rename(from, to) != 0)
		return file_error(err, errno, "move", from);
	verification->report.removed_bytes += (uint64_t)stat_of_file.st_size;
	return STATUS_OK;
}

/* Moves file `position` into the directory of damaged ones, be it plain, packed or both. */
static enum status move_file(struct verification *verification, const char *damaged,
                             uint64_t position, struct error *err)
{
	char        plain[LOG_PATH_BYTES_MAX], packed[LOG_PATH_BYTES_MAX];
	enum status status = STATUS_OK;
	log_file_path(plain, verification->directory, position);
	log_file_packed_path(packed, verification->directory, position);
	if (access(packed, F_OK) == 0)
		status = move_path(verification, packed, damaged, err);
	if (status == STATUS_OK && access(plain, F_OK) == 0)
		status = move_path(verification, plain, damaged, err);
	return status;
}

/* Copies a file's bytes, as far as it has them. */
static enum status copy_bytes(const struct log_file *file, uint64_t offset, uint64_t length,
                              const char *path, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_error(err, errno, "create", path);
	struct log_chunk chunk  = {0};
	enum status      status = STATUS_OK;
	uint64_t         end    = offset + length < file->length ? offset + length : file->length;
	while (offset < end && status == STATUS_OK) {
		const uint8_t *bytes;
		size_t         count;
		status = log_chunk_need(&chunk, file, offset, 1, end, &bytes, &count, err);
		if (status == STATUS_OK)
			status = file_write_all(fd, bytes, count, path, err);
		offset += count;
	}
	if (status == STATUS_OK && fdatasync(fd) != 0)
		status = file_error(err, errno, "sync", path);
	close(fd);
	log_chunk_done(&chunk);
	return status;
}

static enum status give_length(const struct log_file *file, struct error *err)
{
	int error_number = log_write_system.allocate(file->fd, 0, file->header.file_bytes);
	return error_number == 0 ? STATUS_OK : file_error(err, error_number, "allocate", file->path);
}

/* Writes the good part of a packed file as a plain one, which counts from its name on. */
static enum status unpack_file(struct verification *verification, const struct log_file *packed,
                               const char *damaged, struct error *err)
{
	struct log_file plain = {.header = packed->header};
	char            path[LOG_PATH_BYTES_MAX];
	snprintf(plain.path, sizeof plain.path, "%s/%s", verification->directory,
	         FILE_LOG_PACKING_NAME);
	enum status status = copy_bytes(packed, 0, verification->end.offset, plain.path, err);
	if (status != STATUS_OK)
		return status;
	plain.fd = open(plain.path, O_WRONLY | O_CLOEXEC);
	if (plain.fd < 0)
		return file_error(err, errno, "open", plain.path);
	status = give_length(&plain, err);
	if (status == STATUS_OK)
		status = log_write_sync(&log_write_system, &plain, err);
	log_file_close(&plain);
	log_file_path(path, verification->directory, packed->header.first_position);
	if (status == STATUS_OK && rename(plain.path, path) != 0)
		status = file_error(err, errno, "rename", plain.path);
	if (status == STATUS_OK)
		status = directory_sync(verification->directory, err);
	return status != STATUS_OK ? status : move_path(verification, packed->path, damaged, err);
}

/* Saves what lies behind the end of the good part and overwrites it with zeros; a file that was
 * shortened gets its length back. */
static enum status cut_file(struct verification *verification, const char *damaged,
                            struct error *err)
{
	const struct good_end *end = &verification->end;
	struct log_file        file;
	enum status status = log_file_open(verification->directory, verification->list.items[end->file],
	                                   O_RDWR, &file, err);
	if (status != STATUS_OK)
		return status;
	if (file.pack != NULL) {
		status = unpack_file(verification, &file, damaged, err);
		log_file_close(&file);
		return status;
	}
	if (end->bytes > 0) {
		char path[LOG_PATH_BYTES_MAX];
		int  length = snprintf(path, sizeof path, "%s/%020" PRIu64 ".%" PRIu64, damaged,
		                       file.header.first_position, end->offset);
		assert(length < (int)sizeof path); /* LOG_DIRECTORY_BYTES_MAX leaves room */
		status = copy_bytes(&file, end->offset, end->bytes, path, err);
		verification->report.removed_bytes += end->bytes;
	}
	if (status == STATUS_OK && file.length < file.header.file_bytes)
		status = give_length(&file, err);
	if (status == STATUS_OK)
		status = log_write_zeros(&log_write_system, &file, end->offset, end->bytes, err);
	log_file_close(&file);
	return status;
}

/* The last files first: whatever a crash leaves is a log that ends earlier, with a damaged end. */
static enum status cut(struct verification *verification, struct error *err)
{
	char                        damaged[LOG_PATH_BYTES_MAX];
	const struct good_end      *end  = &verification->end;
	const struct log_file_list *list = &verification->list;
	size_t                      kept = end->keep ? end->file + 1 : end->file;
	enum status status = make_damaged_directory(verification->directory, damaged, err);
	for (size_t i = list->count; i > kept && status == STATUS_OK; i--)
		status = move_file(verification, damaged, list->items[i - 1], err);
	if (status == STATUS_OK && end->keep)
		status = cut_file(verification, damaged, err);
	if (status == STATUS_OK)
		status = directory_sync(damaged, err);
	if (status == STATUS_OK)
		status = directory_sync(verification->directory, err);
	return status;
}

enum status file_log_verify(const char *directory, bool truncate, file_log_visit_fn *visit,
                            void *context, struct file_log_report *ret_report, struct error *err)
{
	if (strlen(directory) > LOG_DIRECTORY_BYTES_MAX)
		return error_set(err, STATUS_INVALID, "the journal's path has more than %d bytes",
		                 LOG_DIRECTORY_BYTES_MAX);
	struct verification verification = {
		.directory = directory, .visit = visit, .context = context, .file.fd = -1};
	struct error damage;
	enum status  status = log_file_list(directory, &verification.list, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < verification.list.count && status == STATUS_OK; i++)
		status = verify_file(&verification, i, &damage);
	if (status == STATUS_CORRUPT && truncate)
		status = cut(&verification, err);
	else if (status != STATUS_OK && err != NULL)
		*err = damage;
	*ret_report = verification.report;
	log_file_list_done(&verification.list);
	return status;
}
