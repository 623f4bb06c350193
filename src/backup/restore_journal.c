#include "backup/restore_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/file.h"
#include "journal/log_scan.h"

struct cut {
	int64_t  to_ms;
	bool     found;
	uint64_t offset; /* of the first frame behind the instant */
	uint64_t next_position;
};

static void look_at(void *context, const struct frame *frame, uint64_t offset)
{
	struct cut *cut = context;
	if (cut->found)
		return;
	if (frame->log_time_ms > cut->to_ms) {
		cut->found  = true;
		cut->offset = offset;
		return;
	}
	cut->next_position = frame->first_position + frame->record_count;
}

static enum status remove_file(const struct log_file *file, struct error *err)
{
	return unlink(file->path) == 0 ? STATUS_OK : file_error(err, errno, "remove", file->path);
}

/* Ends the file at `end`, with zeros behind, as one that is written to. */
static enum status end_file(const struct log_file *file, uint64_t end, struct error *err)
{
	uint64_t bytes = file->header.file_bytes > end ? file->header.file_bytes : end;
	if (ftruncate(file->fd, (off_t)end) != 0)
		return file_error(err, errno, "cut", file->path);
	int failed = posix_fallocate(file->fd, 0, (off_t)bytes);
	if (failed != 0)
		return file_error(err, failed, "allocate", file->path);
	return fdatasync(file->fd) == 0 ? STATUS_OK : file_error(err, errno, "sync", file->path);
}

/* Looks into one file, from the last one back. `*ret_over`: it is the last one now. */
static enum status finish_file(const struct log_file *file, bool first, int64_t to_ms,
                               bool *ret_over, uint64_t *ret_last_position, struct error *err)
{
	struct cut      cut = {.to_ms = to_ms, .next_position = file->header.first_position};
	struct log_scan scan;
	*ret_over = true;
	if (!first && file->header.log_time_ms > to_ms) {
		*ret_over = false;
		return remove_file(file, err);
	}
	enum status status = log_scan(file, look_at, &cut, &scan, err);
	if (status != STATUS_OK)
		return status;
	if (scan.end == LOG_SCAN_DAMAGED)
		return log_file_damaged(err, file->path, scan.end_offset, scan.reason);
	*ret_last_position = cut.next_position - 1;
	/* Where the file ends with a SEAL, which says that another one follows, that is cut off, too:
	 * `end_offset` lies before it. */
	return end_file(file, cut.found ? cut.offset : scan.end_offset, err);
}

/* What was copied ends with the last frame; a file that is shorter than it was made would be taken
 * for one that has lost something. The holes of a finished one are never written to. */
static enum status lengthen(const char *directory, uint64_t first_position, struct error *err)
{
	struct log_file file;
	enum status     status = log_file_open(directory, first_position, O_RDWR, &file, err);
	if (status != STATUS_OK)
		return status;
	if (file.length < file.header.file_bytes &&
	    (ftruncate(file.fd, (off_t)file.header.file_bytes) != 0 || fdatasync(file.fd) != 0))
		status = file_error(err, errno, "lengthen", file.path);
	log_file_close(&file);
	return status;
}

enum status restore_journal_finish(const char *directory, int64_t to_ms,
                                   uint64_t *ret_last_position, struct error *err)
{
	struct log_file_list list   = {0};
	bool                 over   = false;
	enum status          status = log_file_list(directory, &list, err);
	for (size_t i = 0; i < list.count && status == STATUS_OK; i++)
		status = lengthen(directory, list.items[i], err);
	for (size_t i = list.count; i-- > 0 && status == STATUS_OK && !over;) {
		struct log_file file;
		status = log_file_open(directory, list.items[i], O_RDWR, &file, err);
		if (status != STATUS_OK)
			break;
		status = finish_file(&file, i == 0, to_ms, &over, ret_last_position, err);
		log_file_close(&file);
	}
	if (status == STATUS_OK && !over)
		status = error_set(err, STATUS_CORRUPT, "%s: there is no journal", directory);
	log_file_list_done(&list);
	return status;
}
