#include "journal/file_log_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/vector.h"

/* The machine's clocks and which boot this is; nothing to go by under the manual clock. */
static struct frame_mark clock_mark(const struct file_log *log, struct log_clock_sources sources)
{
	struct frame_mark mark = {.monotonic_ms = sources.monotonic_ms};
	if (log->clock.mode == LOG_CLOCK_WALL)
		memcpy(mark.boot_id, log->boot_id, sizeof mark.boot_id);
	else
		mark.monotonic_ms = 0;
	return mark;
}

static int64_t read_clock(struct file_log *log, struct log_clock_sources sources)
{
	pthread_mutex_lock(&log->state_lock);
	int64_t now_ms = log_clock_read(&log->clock, sources);
	pthread_mutex_unlock(&log->state_lock);
	return now_ms;
}

/* Takes the log time of the next frame. Until it is published, safe times stop there. */
static int64_t stamp(struct file_log *log)
{
	pthread_mutex_lock(&log->state_lock);
	log->stamped_ms = log_clock_read(&log->clock, file_log_sources(log));
	log->stamped    = true;
	pthread_mutex_unlock(&log->state_lock);
	return log->stamped_ms;
}

/* Space. */

static void set_full(struct file_log *log, bool full)
{
	pthread_mutex_lock(&log->state_lock);
	log->counts.full = full;
	pthread_mutex_unlock(&log->state_lock);
}

static bool is_full(int error_number) { return error_number == ENOSPC || error_number == EDQUOT; }

static enum status no_space(struct file_log *log, struct error *err)
{
	log->allocate_after_ms = clock_monotonic_ms() + FILE_LOG_SPACE_RETRY_MS;
	set_full(log, true);
	return error_set(err, STATUS_NO_SPACE, "no space is left for the journal in %s",
	                 log->directory);
}

/* Preallocates, durably. STATUS_NO_SPACE: the disk is full. */
static enum status allocate(struct file_log *log, struct log_file *file, uint64_t bytes,
                            struct error *err)
{
	uint64_t from         = file->header.file_bytes;
	int      error_number = log->system.allocate(file->fd, from, bytes - from);
	if (is_full(error_number))
		return no_space(log, err);
	if (error_number != 0)
		return log_write_failed(err, error_number, "allocate", file->path);
	enum status status = log_write_sync(&log->system, file, err);
	if (status != STATUS_OK)
		return status;
	file->header.file_bytes = bytes;
	set_full(log, false);
	return STATUS_OK;
}

static void drop_spare(struct file_log *log)
{
	if (log->spare.fd < 0)
		return;
	log_file_close(&log->spare);
	unlink(log->spare.path);
}

static enum status open_spare(struct file_log *log, struct error *err)
{
	struct log_file *spare = &log->spare;
	spare->header          = (struct log_file_header){0};
	snprintf(spare->path, sizeof spare->path, "%s/%s", log->directory, FILE_LOG_SPARE_NAME);
	spare->fd = open(spare->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (spare->fd >= 0)
		return STATUS_OK;
	if (is_full(errno))
		return no_space(log, err);
	/* Too many open files, say: nothing is lost, and it may go better later. */
	return error_set_errno(err, STATUS_UNAVAILABLE, errno, "cannot create %s", spare->path);
}

/* Makes the next file ready for a name, with room for `bytes`. */
static enum status prepare_spare(struct file_log *log, uint64_t bytes, struct error *err)
{
	if (bytes < log->file_bytes)
		bytes = log->file_bytes;
	bytes = (bytes + LOG_FILE_UNIT_BYTES - 1) / LOG_FILE_UNIT_BYTES * LOG_FILE_UNIT_BYTES;
	if (log->spare.fd >= 0 && log->spare.header.file_bytes >= bytes)
		return STATUS_OK;
	if (clock_monotonic_ms() < log->allocate_after_ms)
		return error_set(err, STATUS_NO_SPACE, "no space is left for the journal in %s",
		                 log->directory);

	enum status status = log->spare.fd >= 0 ? STATUS_OK : open_spare(log, err);
	if (status == STATUS_OK)
		status = allocate(log, &log->spare, bytes, err);
	if (status != STATUS_OK) {
		log->allocate_after_ms = clock_monotonic_ms() + FILE_LOG_SPACE_RETRY_MS;
		/* A part of it may have been allocated: others may need that more. */
		drop_spare(log);
	}
	return status;
}

static uint64_t new_mark(void)
{
	uint64_t mark;
	do
		random_bytes(&mark, sizeof mark);
	while (mark == 0);
	return mark;
}

/* Gives the spare file its header and its name, durably: from then on it is the last one. */
static enum status name_spare(struct file_log *log, uint64_t previous_position,
                              uint64_t previous_end, struct error *err)
{
	struct log_clock_sources sources = file_log_sources(log);
	struct log_file         *spare   = &log->spare;
	spare->header                    = (struct log_file_header){
						   .mark              = new_mark(),
						   .first_position    = log->next_position,
						   .file_bytes        = spare->header.file_bytes,
						   .previous_position = previous_position,
						   .previous_end      = previous_end,
						   .log_time_ms       = read_clock(log, sources),
						   .clock             = clock_mark(log, sources),
    };
	memcpy(spare->header.workspace_id, log->workspace_id, sizeof spare->header.workspace_id);
	enum status status = log_write_header(&log->system, spare, err);
	if (status != STATUS_OK)
		return status;

	char path[LOG_PATH_BYTES_MAX];
	log_file_path(path, log->directory, log->next_position);
	if (rename(spare->path, path) != 0) {
		if (is_full(errno))
			return no_space(log, err);
		return log_write_failed(err, errno, "rename", spare->path);
	}
	snprintf(spare->path, sizeof spare->path, "%s", path);
	if (fsync(log->directory_fd) != 0)
		return log_write_failed(err, errno, "sync", log->directory);
	return STATUS_OK;
}

/* Makes the named spare the file that is written. */
static void enter_spare(struct file_log *log)
{
	log->file             = log->spare;
	log->spare.fd         = -1;
	log->offset           = LOG_FILE_HEADER_BYTES;
	struct log_entry next = {.first_position = log->next_position,
	                         .log_time_ms    = log->file.header.log_time_ms,
	                         .disk_bytes     = log->file.header.file_bytes};

	pthread_mutex_lock(&log->state_lock);
	log->log_time_ms = log->file.header.log_time_ms;
	if (log->files.count > 0)
		log->files.items[log->files.count - 1].end =
			log->file.header.previous_end + FRAME_HEADER_BYTES;
	VECTOR_ADD(&log->files, next);
	log->durable_end = log->offset;
	pthread_cond_signal(&log->keeper_wake);
	pthread_mutex_unlock(&log->state_lock);
}

enum status file_log_first_file(struct file_log *log, struct error *err)
{
	enum status status = prepare_spare(log, 0, err);
	if (status == STATUS_OK)
		status = name_spare(log, 0, 0, err);
	if (status != STATUS_OK) {
		drop_spare(log);
		return status;
	}
	enter_spare(log);
	return STATUS_OK;
}

/* The next file gets its name before this one gets its SEAL: a SEAL proves that there is a next
 * file, and the next file's header proves where this one ends. */
static enum status rotate(struct file_log *log, struct error *err)
{
	enum status status = name_spare(log, log->file.header.first_position, log->offset, err);
	if (status == STATUS_OK)
		status = log_write_seal(&log->system, &log->file, log->offset, log->next_position,
		                        log->log_time_ms, err);
	if (status != STATUS_OK)
		return status;
	log_file_close(&log->file);
	enter_spare(log);
	return STATUS_OK;
}

/* The last file holds no record yet, so another one would have its name: it grows instead. */
static enum status extend_file(struct file_log *log, uint64_t bytes, struct error *err)
{
	if (clock_monotonic_ms() < log->allocate_after_ms)
		return error_set(err, STATUS_NO_SPACE, "no space is left for the journal in %s",
		                 log->directory);
	bytes = (bytes + LOG_FILE_UNIT_BYTES - 1) / LOG_FILE_UNIT_BYTES * LOG_FILE_UNIT_BYTES;
	enum status status = allocate(log, &log->file, bytes, err);
	if (status != STATUS_OK)
		return status;
	pthread_mutex_lock(&log->state_lock);
	log->files.items[log->files.count - 1].disk_bytes = bytes;
	pthread_mutex_unlock(&log->state_lock);
	return log_write_header(&log->system, &log->file, err);
}

/* Makes sure that a frame fits into the last file. */
static enum status make_room(struct file_log *log, uint64_t bytes, struct error *err)
{
	uint64_t needed = bytes + FILE_LOG_RESERVE_BYTES;
	if (log->offset + needed <= log->file.header.file_bytes)
		return STATUS_OK;
	if (log->next_position == log->file.header.first_position)
		return extend_file(log, log->offset + needed, err);

	enum status status = prepare_spare(log, LOG_FILE_HEADER_BYTES + needed, err);
	return status != STATUS_OK ? status : rotate(log, err);
}

/* Ahead of need, so that a full disk is known early and a frame does not wait for it. Failing is no
 * loss: it is tried again when there is need. */
static void prepare_ahead(struct file_log *log)
{
	if (log->spare.fd < 0 && log->offset > log->file.header.file_bytes / 2 &&
	    clock_monotonic_ms() >= log->allocate_after_ms) {
		enum status ignored = prepare_spare(log, 0, NULL);
		(void)ignored;
	}
}

/* Frames. */

/* Writes and syncs a frame whose payload lies behind room for its header. */
static enum status write_frame(struct file_log *log, uint8_t *bytes, const struct frame *frame,
                               int64_t *ret_sync_ns, struct error *err)
{
	frame_encode(bytes, frame, log->file.header.mark, log->offset);
	enum status status = log_write(&log->system, &log->file, bytes,
	                               frame_bytes(frame->payload.length), log->offset, err);
	if (status != STATUS_OK)
		return status;
	int64_t begin_ns = clock_monotonic_ns();
	status           = log_write_sync(&log->system, &log->file, err);
	*ret_sync_ns     = clock_monotonic_ns() - begin_ns;
	return status;
}

/* Shows a durable frame to the readers. */
static void publish(struct file_log *log, const struct frame *frame, int64_t sync_ns)
{
	uint64_t bytes  = frame_bytes(frame->payload.length);
	uint64_t offset = log->offset;
	log->offset += bytes;
	log->next_position += frame->record_count;

	pthread_mutex_lock(&log->state_lock);
	log->log_time_ms = frame->log_time_ms;
	log->stamped     = false;
	log->durable_end = log->offset;
	atomic_store_explicit(&log->durable_position, log->next_position - 1, memory_order_release);
	file_log_index_add(&log->files.items[log->files.count - 1], frame, offset);
	log->counts.frames += 1;
	log->counts.bytes += bytes;
	log->counts.records += frame->record_count;
	log->counts.sync_ns_total += (uint64_t)sync_ns;
	file_log_wake_readers(log);
	pthread_mutex_unlock(&log->state_lock);
}

enum status file_log_write_mark(struct file_log *log, struct error *err)
{
	if (log->offset + FRAME_MARK_BYTES + FRAME_HEADER_BYTES > log->file.header.file_bytes)
		return STATUS_OK;

	struct log_clock_sources sources = file_log_sources(log);
	struct frame_mark        mark    = clock_mark(log, sources);
	uint8_t                  bytes[FRAME_MARK_BYTES];
	memcpy(bytes + FRAME_HEADER_BYTES, &mark, sizeof mark);
	const struct frame frame = {
		.first_position = log->next_position,
		.log_time_ms    = read_clock(log, sources),
		.kind           = FRAME_MARK,
		.payload        = {NULL, sizeof mark},
	};
	int64_t     sync_ns;
	enum status status = write_frame(log, bytes, &frame, &sync_ns, err);
	if (status == STATUS_OK)
		publish(log, &frame, sync_ns);
	return status;
}

static enum status write_queue(struct file_log *log, struct log_queue *queue,
                               struct frame *ret_frame, struct error *err)
{
	enum status status = make_room(log, frame_bytes(queue->payload_bytes), err);
	if (status != STATUS_OK)
		return status;

	const struct frame frame = {
		.first_position = log->next_position,
		.log_time_ms    = stamp(log),
		.record_count   = queue->record_count,
		.batch_count    = queue->batch_count,
		.kind           = FRAME_DATA,
		.payload        = {NULL, queue->payload_bytes},
	};
	int64_t sync_ns;
	status = write_frame(log, queue->bytes, &frame, &sync_ns, err);
	if (status == STATUS_OK) {
		publish(log, &frame, sync_ns);
		*ret_frame = frame;
	}
	return status;
}

/* The thread. */

/* Waits for appends and takes them all. NULL: there are none left and the log is closing. */
static struct log_queue *take_queue(struct file_log *log)
{
	pthread_mutex_lock(&log->queue_lock);
	struct log_queue *queue = &log->queues[log->filling];
	while (queue->appends.count == 0 && !log->stopping) {
		log->writer_waits = true;
		pthread_cond_wait(&log->queue_filled, &log->queue_lock);
		log->writer_waits = false;
	}
	log->filling = 1 - log->filling;
	pthread_mutex_unlock(&log->queue_lock);
	return queue->appends.count == 0 ? NULL : queue;
}

static void answer(struct log_queue *queue, enum status status, const struct frame *frame,
                   const struct error *err)
{
	for (size_t i = 0; i < queue->appends.count; i++) {
		const struct log_waiting *waiting = &queue->appends.items[i];
		if (status == STATUS_OK)
			waiting->appended(waiting->context, STATUS_OK,
			                  frame->first_position + waiting->record_end - 1, frame->log_time_ms,
			                  NULL);
		else
			waiting->appended(waiting->context, status, 0, 0, err);
	}
}

static void clear_queue(struct log_queue *queue)
{
	if (queue->payload_bytes > FILE_LOG_QUEUE_KEEP_BYTES)
		madvise(queue->bytes + FILE_LOG_QUEUE_KEEP_BYTES,
		        queue->payload_bytes - FILE_LOG_QUEUE_KEEP_BYTES, MADV_DONTNEED);
	queue->payload_bytes = 0;
	queue->record_count  = 0;
	queue->batch_count   = 0;
	queue->appends.count = 0;
}

/* Refuses appends for a while (`reason`), or lets them in again (NULL). */
static void set_refusing(struct file_log *log, const struct error *reason)
{
	pthread_mutex_lock(&log->queue_lock);
	log->refuse_until_ms = 0;
	if (reason != NULL) {
		log->refuse_until_ms = clock_monotonic_ms() + FILE_LOG_SPACE_RETRY_MS;
		log->refusal         = *reason;
	}
	pthread_mutex_unlock(&log->queue_lock);
}

/* From here on nothing is accepted; what came meanwhile gets the same answer. Whoever is told of
 * the failure finds the log closed already. */
static void fail(struct file_log *log, struct log_queue *queue, const struct error *err)
{
	pthread_mutex_lock(&log->queue_lock);
	log->failed             = true;
	log->refusal            = *err;
	struct log_queue *later = &log->queues[log->filling];
	pthread_mutex_unlock(&log->queue_lock);

	answer(queue, err->status, NULL, err);
	answer(later, err->status, NULL, err);
	clear_queue(later);
}

/* False after a failure. */
static bool serve_queue(struct file_log *log, struct log_queue *queue, bool *refusing)
{
	struct error err    = {0};
	struct frame frame  = {0};
	enum status  status = write_queue(log, queue, &frame, &err);
	bool         failed = status == STATUS_FAILED;
	bool         refuse = status != STATUS_OK && !failed;
	if (refuse || *refusing)
		set_refusing(log, refuse ? &err : NULL);
	*refusing = refuse;

	if (failed)
		fail(log, queue, &err);
	else
		answer(queue, status, &frame, &err);
	clear_queue(queue);
	return !failed;
}

void *file_log_writer(void *context)
{
	struct file_log  *log      = context;
	bool              refusing = false;
	struct log_queue *queue;
	while ((queue = take_queue(log)) != NULL && serve_queue(log, queue, &refusing))
		prepare_ahead(log);
	if (queue == NULL) {
		/* If it cannot be written, the next open takes this for the crash that it is. */
		enum status ignored = file_log_write_mark(log, NULL);
		(void)ignored;
		drop_spare(log);
	}
	/* After a failure the spare may have become a file of the log: it stays as it is. */
	log_file_close(&log->spare);
	log_file_close(&log->file);
	return NULL;
}
