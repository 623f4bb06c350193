#include "journal/file_log_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/vector.h"

/* What opening has read so far. */
struct recovery {
	struct file_log *log;
	struct log_file  previous; /* fd −1: there is none */
	struct log_file  last;
	struct log_scan  scan; /* of the last file */
	bool             previous_unsealed;
};

/* A file with a follower: its last frame has to be a SEAL. Where it is not, a crash may have come
 * between the follower's name and the SEAL, if the follower is the last file. */
static enum status check_seal(struct recovery *recovery, const struct log_file *next, bool is_last,
                              struct error *err)
{
	struct log_file *previous = &recovery->previous;
	uint64_t         offset   = next->header.previous_end;
	struct log_chunk chunk    = {0};
	struct frame     frame;
	size_t           bytes;
	enum frame_check check;

	if (offset > previous->length)
		return log_file_damaged(err, previous->path, previous->length,
		                        "the file is shorter than it was");
	enum status status =
		log_chunk_frame(&chunk, previous, offset, previous->length, &check, &frame, &bytes, err);
	log_chunk_done(&chunk);
	if (status != STATUS_OK)
		return status;
	if (check == FRAME_GOOD && frame.kind == FRAME_SEAL &&
	    frame.first_position == next->header.first_position)
		return STATUS_OK;
	if (!is_last || previous->pack != NULL)
		return log_file_damaged(err, previous->path, offset, "it has no end");
	recovery->previous_unsealed = true;
	return STATUS_OK;
}

/* Opens file number `i` and checks that it belongs here. */
static enum status enter_file(struct recovery *recovery, const struct log_file_list *list, size_t i,
                              struct error *err)
{
	struct file_log *log     = recovery->log;
	struct log_file  file    = {.fd = -1};
	bool             is_last = i + 1 == list->count;
	enum status      status =
		log_file_open(log->directory, list->items[i], log->follows ? O_RDONLY : O_RDWR, &file, err);
	if (status == STATUS_OK && log->follows && i == 0)
		memcpy(log->workspace_id, file.header.workspace_id, sizeof log->workspace_id);
	if (status == STATUS_OK &&
	    memcmp(file.header.workspace_id, log->workspace_id, sizeof log->workspace_id) != 0)
		status = log_file_damaged(err, file.path, 0, "it belongs to another workspace");
	if (status == STATUS_OK && i > 0)
		status = log_file_check_link(list->items[i - 1], &file, err);
	if (status == STATUS_OK && i > 0)
		status = check_seal(recovery, &file, is_last, err);
	if (status != STATUS_OK) {
		log_file_close(&file);
		return status;
	}

	struct log_entry entry = {.first_position = list->items[i],
	                          .log_time_ms    = file.header.log_time_ms,
	                          .disk_bytes     = file.stored_bytes,
	                          .packed         = file.pack != NULL};
	if (i > 0)
		log->files.items[i - 1].end = file.header.previous_end + FRAME_HEADER_BYTES;
	VECTOR_ADD(&log->files, entry);
	if (is_last) {
		recovery->last = file;
	} else {
		log_file_close(&recovery->previous);
		recovery->previous = file;
	}
	return STATUS_OK;
}

static void index_frame(void *context, const struct frame *frame, uint64_t offset)
{
	struct file_log *log = context;
	file_log_index_add(&log->files.items[log->files.count - 1], frame, offset);
}

static enum status scan_last(struct recovery *recovery, struct error *err)
{
	const struct log_file *last   = &recovery->last;
	struct log_scan       *scan   = &recovery->scan;
	enum status            status = log_scan(last, index_frame, recovery->log, scan, err);
	if (status != STATUS_OK)
		return status;
	if (scan->end == LOG_SCAN_DAMAGED)
		return log_file_damaged(err, last->path, scan->end_offset, scan->reason);
	if (scan->end == LOG_SCAN_SEALED)
		return log_file_damaged(err, last->path, scan->end_offset,
		                        "the file that follows it is missing");
	return STATUS_OK;
}

/* Finishes what a crash left half done: a rotation without its SEAL, a torn tail. */
static enum status repair(struct recovery *recovery, struct error *err)
{
	struct file_log       *log    = recovery->log;
	const struct log_file *last   = &recovery->last;
	struct log_scan       *scan   = &recovery->scan;
	enum status            status = STATUS_OK;

	if (recovery->previous_unsealed) {
		/* Nothing is written into a file before the one before it has its SEAL. */
		if (scan->end_offset > LOG_FILE_HEADER_BYTES)
			return log_file_damaged(err, recovery->previous.path, last->header.previous_end,
			                        "it has no end");
		status = log_write_seal(&log->system, &recovery->previous, last->header.previous_end,
		                        last->header.first_position, last->header.log_time_ms, err);
	}
	if (status != STATUS_OK || scan->end != LOG_SCAN_TORN)
		return status;

	log_line(LOG_WARNING, "cut a torn tail off the journal", LOG_STRING("file", last->path),
	         LOG_NUMBER("offset", scan->end_offset), LOG_NUMBER("bytes", scan->tail_bytes));
	log->counts.tail_cut_bytes = scan->tail_bytes;
	return log_write_zeros(&log->system, last, scan->end_offset, scan->tail_bytes, err);
}

/* The clock goes on from the last stamp; the last mark tells how long ago it was, on this boot. */
static void start_clock(struct file_log *log, const struct file_log_config *config,
                        const struct log_scan *scan)
{
	static const uint8_t unknown[sizeof log->boot_id];

	bool same_boot = scan != NULL && memcmp(log->boot_id, unknown, sizeof unknown) != 0 &&
	                 memcmp(scan->mark.boot_id, log->boot_id, sizeof unknown) == 0;
	log_clock_init(&log->clock, config->clock, config->accept_clock, file_log_sources(log),
	               scan == NULL ? 0 : scan->log_time_ms, same_boot ? &scan->mark : NULL,
	               scan == NULL ? 0 : scan->mark_ms);
}

static enum status resume(struct recovery *recovery, const struct file_log_config *config,
                          struct error *err)
{
	struct file_log       *log    = recovery->log;
	const struct log_scan *scan   = &recovery->scan;
	enum status            status = scan_last(recovery, err);
	if (status == STATUS_OK)
		status = repair(recovery, err);
	if (status != STATUS_OK)
		return status;

	log->file          = recovery->last;
	recovery->last.fd  = -1;
	log->offset        = scan->end_offset;
	log->durable_end   = scan->end_offset;
	log->next_position = scan->next_position;
	log->log_time_ms   = scan->log_time_ms;
	atomic_store(&log->durable_position, scan->next_position - 1);
	start_clock(log, config, scan);
	/* From now on damage to the last frame of the former run cannot pass for a torn tail. */
	return scan->ends_with_mark ? STATUS_OK : file_log_write_mark(log, err);
}

static enum status recover_files(struct file_log *log, const struct file_log_config *config,
                                 const struct log_file_list *list, struct error *err)
{
	struct recovery recovery = {.log = log, .previous.fd = -1, .last.fd = -1};
	enum status     status   = STATUS_OK;
	for (size_t i = 0; i < list->count && status == STATUS_OK; i++)
		status = enter_file(&recovery, list, i, err);
	if (status == STATUS_OK)
		status = resume(&recovery, config, err);
	log_file_close(&recovery.previous);
	log_file_close(&recovery.last);
	return status;
}

/* A file that never got its name. */
static enum status remove_nameless(const struct file_log *log, const char *name, struct error *err)
{
	if (unlinkat(log->directory_fd, name, 0) != 0 && errno != ENOENT)
		return error_set_errno(err, STATUS_IO, errno, "cannot remove %s/%s", log->directory, name);
	return STATUS_OK;
}

enum status file_log_recover(struct file_log *log, const struct file_log_config *config,
                             struct error *err)
{
	struct log_file_list list   = {0};
	enum status          status = remove_nameless(log, FILE_LOG_SPARE_NAME, err);
	if (status == STATUS_OK)
		status = remove_nameless(log, FILE_LOG_PACKING_NAME, err);
	if (status == STATUS_OK)
		status = log_file_list(log->directory, &list, err);
	if (status != STATUS_OK)
		return status;
	if (list.count > 0) {
		status = recover_files(log, config, &list, err);
	} else {
		log->next_position = 1;
		start_clock(log, config, NULL);
		status = file_log_first_file(log, err);
	}
	log_file_list_done(&list);
	return status;
}

enum status file_log_recover_follower(struct file_log *log, struct error *err)
{
	struct recovery      recovery = {.log = log, .previous.fd = -1, .last.fd = -1};
	struct log_file_list list     = {0};
	enum status          status   = log_file_list(log->directory, &list, err);
	if (status == STATUS_OK && list.count == 0)
		status = error_set(err, STATUS_NOT_FOUND, "there is no journal in %s", log->directory);
	for (size_t i = 0; i < list.count && status == STATUS_OK; i++)
		status = enter_file(&recovery, &list, i, err);
	log_file_close(&recovery.previous);
	log_file_list_done(&list);
	if (status != STATUS_OK) {
		log_file_close(&recovery.last);
		return status;
	}
	log->file          = recovery.last;
	log->offset        = LOG_FILE_HEADER_BYTES;
	log->durable_end   = log->offset;
	log->next_position = log->file.header.first_position;
	log->log_time_ms   = log->file.header.log_time_ms;
	atomic_store(&log->durable_position, log->next_position - 1);
	return STATUS_OK;
}
