#include "journal/file_log_internal.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "journal/log_pack.h"

struct journal_reader {
	struct file_log *log;
	bool            *wanted;
	uint32_t         partition_count;
	uint64_t         after; /* what lies up to here is not handed out */

	struct log_file  file;
	struct log_chunk chunk;
	uint64_t         offset; /* of the next frame */
	uint64_t         limit;  /* what is known to be durable in this file */

	/* The wanted batches of the present frame that are left. `next` is the one to hand out, so
	 * that it can be told whether it is the last. */
	struct frame_batches batches;
	struct journal_read  next;
	bool                 has_next;
	uint64_t             through;        /* all wanted up to here was handed out */
	uint64_t             frame_position; /* of the last record of the present frame */

	enum status  status; /* STATUS_OK, or why it cannot go on */
	struct error failure;

	pthread_mutex_t        lock;
	pthread_cond_t         wake;
	bool                   woken;
	struct journal_reader *next_reader; /* state lock */
};

/* Opening. */

static void link_reader(struct journal_reader *reader)
{
	struct file_log *log = reader->log;
	pthread_mutex_lock(&log->state_lock);
	reader->next_reader = log->readers;
	log->readers        = reader;
	pthread_mutex_unlock(&log->state_lock);
}

static void unlink_reader(struct journal_reader *reader)
{
	struct file_log *log = reader->log;
	pthread_mutex_lock(&log->state_lock);
	struct journal_reader **at = &log->readers;
	while (*at != reader)
		at = &(*at)->next_reader;
	*at = reader->next_reader;
	pthread_mutex_unlock(&log->state_lock);
}

static void init_wake(struct journal_reader *reader)
{
	file_log_condition_init(&reader->wake);
	pthread_mutex_init(&reader->lock, NULL);
}

static enum status deleted(struct error *err, uint64_t position)
{
	return error_set(err, STATUS_NOT_FOUND, "position %" PRIu64 " is not in the journal any more",
	                 position);
}

struct log_entry *file_log_find_entry(struct file_log *log, uint64_t position)
{
	size_t low = 0, high = log->files.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (log->files.items[middle].first_position <= position)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? NULL : &log->files.items[low - 1];
}

/* The last place of the index from which `position` can be reached. */
static uint64_t find_place(const struct log_entry *entry, uint64_t position)
{
	size_t low = 0, high = entry->index.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (entry->index.items[middle].position <= position)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? LOG_FILE_HEADER_BYTES : entry->index.items[low - 1].offset;
}

/* Goes to the frame that holds `position`, or to one before it. */
static enum status go_to(struct journal_reader *reader, uint64_t position, struct error *err)
{
	struct file_log *log            = reader->log;
	uint64_t         first_position = 0;
	pthread_mutex_lock(&log->state_lock);
	const struct log_entry *entry = file_log_find_entry(log, position);
	if (entry != NULL) {
		first_position = entry->first_position;
		reader->offset = find_place(entry, position);
	}
	pthread_mutex_unlock(&log->state_lock);
	if (entry == NULL)
		return deleted(err, position);

	struct log_file file;
	enum status     status = log_file_open(log->directory, first_position, O_RDONLY, &file, err);
	if (status == STATUS_NOT_FOUND)
		return deleted(err, position);
	if (status != STATUS_OK)
		return status;
	log_file_close(&reader->file);
	log_chunk_clear(&reader->chunk);
	reader->file = file;
	/* It may have been packed meanwhile. */
	if (file.pack != NULL)
		reader->offset = log_pack_find_position(file.pack, position);
	reader->limit = reader->offset;
	posix_fadvise(file.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return STATUS_OK;
}

enum status file_log_reader_open(struct journal *journal, const bool *partitions,
                                 uint32_t partition_count, uint64_t after,
                                 struct journal_reader **ret_reader, struct error *err)
{
	assert(partition_count > 0);
	struct journal_reader *reader = calloc(1, sizeof *reader);
	bool                  *wanted = malloc(partition_count * sizeof *wanted);
	if (reader == NULL || wanted == NULL)
		abort();
	memcpy(wanted, partitions, partition_count * sizeof *wanted);
	*reader = (struct journal_reader){
		.log             = file_log_of(journal),
		.wanted          = wanted,
		.partition_count = partition_count,
		.after           = after,
		.through         = after,
		.file.fd         = -1,
	};
	enum status status = go_to(reader, after + 1, err);
	if (status != STATUS_OK) {
		free(wanted);
		free(reader);
		return status;
	}
	init_wake(reader);
	link_reader(reader);
	*ret_reader = reader;
	return STATUS_OK;
}

void file_log_reader_close(struct journal_reader *reader)
{
	unlink_reader(reader);
	log_file_close(&reader->file);
	log_chunk_done(&reader->chunk);
	pthread_mutex_destroy(&reader->lock);
	pthread_cond_destroy(&reader->wake);
	free(reader->wanted);
	free(reader);
}

/* Reading. */

/* Learns how far this file may be read. STATUS_AGAIN: all is read; with the safe time, under the
 * same lock as stamping, so that no record can come in between. */
static enum status extend_limit(struct journal_reader *reader, int64_t *ret_safe_time_ms,
                                struct error *err)
{
	struct file_log *log    = reader->log;
	enum status      status = STATUS_OK;
	pthread_mutex_lock(&log->state_lock);
	uint64_t                first = reader->file.header.first_position;
	const struct log_entry *entry = file_log_find_entry(log, first);
	if (log->follow_failure.status != STATUS_OK) {
		*err   = log->follow_failure;
		status = err->status;
	} else if (entry == NULL || entry->first_position != first)
		status = deleted(err, first);
	else
		reader->limit = entry->end != 0 ? entry->end : log->durable_end;
	if (status == STATUS_OK && reader->limit == reader->offset) {
		status = STATUS_AGAIN;
		/* A frame that is stamped may become durable at any moment, with just this stamp. */
		*ret_safe_time_ms = log->stamped ? log->stamped_ms : file_log_now_ms(log);
	}
	pthread_mutex_unlock(&log->state_lock);
	return status;
}

static const char *frame_fault(enum frame_check check)
{
	switch (check) {
	case FRAME_ABSENT:
		return "there is no frame";
	case FRAME_MALFORMED:
		return "the checksum holds but the frame makes no sense";
	default:
		return "the frame's checksum is wrong";
	}
}

/* The next frame with records, whichever its partitions are. */
static enum status next_frame(struct journal_reader *reader, struct frame *ret_frame,
                              int64_t *ret_safe_time_ms, struct error *err)
{
	for (;;) {
		enum status status = STATUS_OK;
		if (reader->offset == reader->limit)
			status = extend_limit(reader, ret_safe_time_ms, err);
		if (status != STATUS_OK)
			return status;

		enum frame_check check;
		size_t           bytes;
		status = log_chunk_frame(&reader->chunk, &reader->file, reader->offset, reader->limit,
		                         &check, ret_frame, &bytes, err);
		if (status != STATUS_OK)
			return status;
		if (check != FRAME_GOOD)
			return log_file_damaged(err, reader->file.path, reader->offset, frame_fault(check));
		reader->offset += bytes;
		if (ret_frame->kind == FRAME_DATA)
			return STATUS_OK;
		if (ret_frame->kind == FRAME_SEAL)
			status = go_to(reader, ret_frame->first_position, err);
		if (status != STATUS_OK)
			return status;
	}
}

/* Takes the records up to `after` out of a batch that holds both. */
static bool cut_begin(struct journal_read *read, uint64_t after)
{
	struct byte_reader bytes = byte_reader_of(read->records.data, read->records.length);
	for (; read->first_position <= after; read->first_position++, read->record_count--)
		read_bytes(&bytes, read_u32(&bytes));
	read->records = (struct text){(const char *)bytes.at, read_left(&bytes)};
	return !bytes.failed && read->records.length > 0;
}

/* Finds the next wanted batch of the present frame. */
static void find_next(struct journal_reader *reader)
{
	do
		reader->has_next = frame_batch_next(&reader->batches, &reader->next);
	while (reader->has_next &&
	       (reader->next.partition >= reader->partition_count ||
	        !reader->wanted[reader->next.partition] ||
	        reader->next.first_position + reader->next.record_count - 1 <= reader->after));
}

static enum status enter_frame(struct journal_reader *reader, const struct frame *frame,
                               struct error *err)
{
	reader->batches        = frame_batches(frame);
	reader->frame_position = reader->batches.frame_position;
	find_next(reader);
	if (reader->has_next && reader->next.first_position <= reader->after &&
	    !cut_begin(&reader->next, reader->after))
		return log_file_damaged(err, reader->file.path,
		                        reader->offset - frame_bytes(frame->payload.length),
		                        "a batch does not hold the records that it names");
	return STATUS_OK;
}

static void hand_out(struct journal_reader *reader, struct journal_read *ret_read,
                     uint64_t *ret_through)
{
	*ret_read    = reader->next;
	*ret_through = reader->through;
	find_next(reader);
	ret_read->frame_end = !reader->has_next;
}

/* All wanted of the present frame was handed out. */
static void leave_frame(struct journal_reader *reader)
{
	if (reader->frame_position > reader->through)
		reader->through = reader->frame_position;
}

enum status file_log_read(struct journal_reader *reader, struct journal_read *ret_read,
                          int64_t *ret_safe_time_ms, uint64_t *ret_through, struct error *err)
{
	while (reader->status == STATUS_OK) {
		if (reader->has_next) {
			hand_out(reader, ret_read, ret_through);
			return STATUS_OK;
		}
		leave_frame(reader);
		struct frame frame;
		enum status  status = next_frame(reader, &frame, ret_safe_time_ms, &reader->failure);
		if (status == STATUS_AGAIN) {
			*ret_through = reader->through;
			return STATUS_AGAIN;
		}
		if (status == STATUS_OK)
			status = enter_frame(reader, &frame, &reader->failure);
		reader->status = status;
	}
	reader->failure.fatal = true;
	if (err != NULL)
		*err = reader->failure;
	return reader->status;
}

/* Waiting. */

void file_log_reader_wait(struct journal_reader *reader, int64_t timeout_ms)
{
	struct timespec until = file_log_deadline(timeout_ms);
	pthread_mutex_lock(&reader->lock);
	while (!reader->woken && pthread_cond_timedwait(&reader->wake, &reader->lock, &until) == 0)
		continue;
	reader->woken = false;
	pthread_mutex_unlock(&reader->lock);
}

void file_log_reader_wake(struct journal_reader *reader)
{
	pthread_mutex_lock(&reader->lock);
	reader->woken = true;
	pthread_cond_signal(&reader->wake);
	pthread_mutex_unlock(&reader->lock);
}

void file_log_wake_readers(struct file_log *log)
{
	for (struct journal_reader *reader = log->readers; reader != NULL; reader = reader->next_reader)
		file_log_reader_wake(reader);
}
