#include "journal/file_log_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/vector.h"

enum {
	LOOK_MS       = 10,   /* between two looks at the end of the log */
	FRAMES_A_LOOK = 1024, /* shown to readers at once */
	ATTEMPTS_MAX  = 100,  /* at listing files that are just being deleted */
};

/* A frame that was found behind the end known so far. */
struct found {
	struct frame frame; /* without its payload */
	uint64_t     offset;
	uint64_t     bytes;
};

struct look {
	struct found frames[FRAMES_A_LOOK];
	size_t       count;
	uint64_t     offset; /* behind the last one */
	uint64_t     next_position;
	int64_t      log_time_ms;
	bool         sealed;
};

/* The file as it is now: an empty one may have grown. */
static enum status learn_length(struct log_file *file, struct error *err)
{
	struct stat stat;
	if (fstat(file->fd, &stat) != 0)
		return file_error(err, errno, "stat", file->path);
	if (file->pack == NULL)
		file->length = (uint64_t)stat.st_size;
	return STATUS_OK;
}

/* Whether a frame has begun at `offset`: a look at 8 bytes, before more is read. */
static enum status has_begun(const struct log_file *file, uint64_t offset, bool *ret_begun,
                             struct error *err)
{
	uint64_t mark = file->header.mark;
	size_t   got  = sizeof mark;
	*ret_begun    = offset + FRAME_HEADER_BYTES <= file->length;
	if (!*ret_begun || file->pack != NULL)
		return STATUS_OK;
	enum status status =
		log_file_read_at(file->fd, file->path, &mark, sizeof mark, offset, &got, err);
	*ret_begun = got == sizeof mark && mark == file->header.mark;
	return status;
}

/* Takes a good frame. What the writer writes follows on; anything else is damage. */
static enum status take_frame(struct look *look, const struct log_file *file,
                              const struct frame *frame, uint64_t bytes, struct error *err)
{
	if (frame->first_position != look->next_position || frame->log_time_ms < look->log_time_ms)
		return log_file_damaged(err, file->path, look->offset,
		                        "a frame does not go on where the one before it ends");
	look->frames[look->count++] = (struct found){*frame, look->offset, bytes};
	look->offset += bytes;
	look->next_position += frame->record_count;
	look->log_time_ms = frame->log_time_ms;
	look->sealed      = frame->kind == FRAME_SEAL;
	return STATUS_OK;
}

/* Reads the frames that are there. One that is not whole may be so at the next look: what is torn
 * is the writer's business. */
static enum status read_frames(struct file_log *log, struct look *look, struct error *err)
{
	struct log_file *file   = &log->file;
	struct log_chunk chunk  = {0};
	enum status      status = learn_length(file, err);
	while (status == STATUS_OK && look->count < FRAMES_A_LOOK && !look->sealed) {
		enum frame_check check = FRAME_ABSENT;
		struct frame     frame;
		size_t           bytes;
		bool             begun;
		status = has_begun(file, look->offset, &begun, err);
		if (status == STATUS_OK && begun)
			status = log_chunk_frame(&chunk, file, look->offset, file->length, &check, &frame,
			                         &bytes, err);
		if (status != STATUS_OK || check != FRAME_GOOD)
			break;
		status = take_frame(look, file, &frame, bytes, err);
	}
	log_chunk_done(&chunk);
	return status;
}

/* What the writer has written need not be durable yet. A sync of our own makes it so; should it
 * fail, the writer learns it from its own. */
static enum status make_durable(struct file_log *log, struct error *err)
{
	if (log->file.pack == NULL && log->system.sync(log->file.fd) != 0)
		return file_error(err, errno, "sync", log->file.path);
	return STATUS_OK;
}

static void publish(struct file_log *log, const struct look *look)
{
	log->offset        = look->offset;
	log->next_position = look->next_position;
	pthread_mutex_lock(&log->state_lock);
	struct log_entry *last = &log->files.items[log->files.count - 1];
	for (size_t i = 0; i < look->count; i++) {
		const struct found *found = &look->frames[i];
		file_log_index_add(last, &found->frame, found->offset);
		log->counts.frames += found->frame.kind == FRAME_DATA;
		log->counts.bytes += found->bytes;
		log->counts.records += found->frame.record_count;
	}
	log->log_time_ms = look->log_time_ms;
	/* A reader that meets the SEAL looks for the next file: they are shown together. */
	log->durable_end = look->sealed ? look->offset - FRAME_HEADER_BYTES : look->offset;
	atomic_store_explicit(&log->durable_position, look->next_position - 1, memory_order_release);
	file_log_wake_readers(log);
	pthread_mutex_unlock(&log->state_lock);
}

/* Goes on to the file behind a sealed one: it got its name before the SEAL was written. */
static enum status enter_next(struct file_log *log, struct error *err)
{
	struct log_file next;
	enum status status = log_file_open(log->directory, log->next_position, O_RDONLY, &next, err);
	if (status != STATUS_OK)
		return status;
	status = log_file_check_link(log->file.header.first_position, &next, err);
	if (status != STATUS_OK) {
		log_file_close(&next);
		return status;
	}
	log_file_close(&log->file);
	uint64_t sealed_end    = log->offset;
	log->file              = next;
	log->offset            = LOG_FILE_HEADER_BYTES;
	struct log_entry entry = {.first_position = log->next_position,
	                          .log_time_ms    = next.header.log_time_ms,
	                          .disk_bytes     = next.stored_bytes,
	                          .packed         = next.pack != NULL};

	pthread_mutex_lock(&log->state_lock);
	log->files.items[log->files.count - 1].end = sealed_end;
	VECTOR_ADD(&log->files, entry);
	log->durable_end = log->offset;
	log->log_time_ms = next.header.log_time_ms;
	file_log_wake_readers(log);
	pthread_mutex_unlock(&log->state_lock);
	return STATUS_OK;
}

/* Shows readers what has come. `*ret_more`: there may be more at once. */
static enum status look_once(struct file_log *log, bool *ret_more, struct error *err)
{
	struct look *look = calloc(1, sizeof *look);
	if (look == NULL)
		abort();
	look->offset        = log->offset;
	look->next_position = log->next_position;
	look->log_time_ms   = log->log_time_ms;
	enum status status  = read_frames(log, look, err);
	*ret_more           = look->count > 0;
	if (status == STATUS_OK && look->count > 0)
		status = make_durable(log, err);
	if (status == STATUS_OK && look->count > 0)
		publish(log, look);
	if (status == STATUS_OK && look->sealed)
		status = enter_next(log, err);
	free(look);
	return status;
}

/* Readers are told of it; nothing more comes. */
static void fail(struct file_log *log, const struct error *err)
{
	pthread_mutex_lock(&log->state_lock);
	log->follow_failure       = *err;
	log->follow_failure.fatal = true;
	file_log_wake_readers(log);
	pthread_mutex_unlock(&log->state_lock);
}

static void *follow(void *context)
{
	struct file_log *log    = context;
	enum status      status = STATUS_OK;
	struct error     err;
	bool             stop = false;
	while (!stop) {
		bool more = false;
		if (status == STATUS_OK && (status = look_once(log, &more, &err)) != STATUS_OK)
			fail(log, &err);
		struct timespec until = file_log_deadline(more ? 0 : LOOK_MS);
		pthread_mutex_lock(&log->state_lock);
		if (!more && !log->keeper_stop)
			pthread_cond_timedwait(&log->keeper_wake, &log->state_lock, &until);
		stop = log->keeper_stop;
		pthread_mutex_unlock(&log->state_lock);
	}
	return NULL;
}

/* Life. */

/* Everything up to the end as it is now. */
static enum status catch_up(struct file_log *log, struct error *err)
{
	enum status status = STATUS_OK;
	bool        more   = true;
	while (status == STATUS_OK && more)
		status = look_once(log, &more, err);
	return status;
}

/* The files that there are. One that was listed may be deleted before it is opened. */
static enum status list_files(struct file_log *log, struct error *err)
{
	enum status status = STATUS_NOT_FOUND;
	for (int i = 0; i < ATTEMPTS_MAX && status == STATUS_NOT_FOUND; i++) {
		log->files.count = 0; /* none of them has an index yet */
		status           = file_log_recover_follower(log, err);
	}
	return status;
}

enum status file_log_follow_start(struct file_log *log, struct error *err)
{
	enum status status = list_files(log, err);
	if (status == STATUS_OK)
		status = catch_up(log, err);
	if (status != STATUS_OK)
		return status;
	int error_number = pthread_create(&log->keeper, NULL, follow, log);
	if (error_number != 0)
		return error_set_errno(err, STATUS_INTERNAL, error_number,
		                       "cannot start the journal's thread");
	return STATUS_OK;
}
