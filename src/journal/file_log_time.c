#include <fcntl.h>
#include <unistd.h>

#include "journal/file_log_internal.h"
#include "journal/log_pack.h"

enum { ATTEMPTS_MAX = 100, PAUSE_US = 10 * 1000 };

/* A part of the log in which the record that is looked for lies, or behind which it is the
 * first. */
struct stretch {
	uint64_t first_position; /* of the file */
	uint64_t offset;         /* of a frame before that record */
	uint64_t end;            /* of the file, as far as it is durable */
};

/* The last file that was begun before `log_time_ms`: those before it hold earlier stamps only,
 * those behind it later ones. The state lock is held. */
static const struct log_entry *find_file(const struct file_log *log, int64_t log_time_ms)
{
	size_t low = 0, high = log->files.count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (log->files.items[middle].log_time_ms < log_time_ms)
			low = middle;
		else
			high = middle;
	}
	return &log->files.items[low];
}

static uint64_t find_place(const struct log_entry *entry, int64_t log_time_ms)
{
	uint64_t offset = LOG_FILE_HEADER_BYTES;
	for (size_t i = 0; i < entry->index.count; i++)
		if (entry->index.items[i].log_time_ms < log_time_ms)
			offset = entry->index.items[i].offset;
	return offset;
}

static struct stretch find_stretch(struct file_log *log, int64_t log_time_ms)
{
	pthread_mutex_lock(&log->state_lock);
	const struct log_entry *entry   = find_file(log, log_time_ms);
	struct stretch          stretch = {
				 .first_position = entry->first_position,
				 .offset         = find_place(entry, log_time_ms),
				 .end            = entry->end != 0 ? entry->end : log->durable_end,
    };
	pthread_mutex_unlock(&log->state_lock);
	return stretch;
}

static enum status walk(const struct log_file *file, struct stretch stretch, int64_t log_time_ms,
                        uint64_t *ret_position, struct error *err)
{
	struct log_chunk chunk    = {0};
	uint64_t         position = file->header.first_position;
	enum status      status   = STATUS_OK;
	while (stretch.offset < stretch.end) {
		enum frame_check check;
		struct frame     frame;
		size_t           bytes;
		status =
			log_chunk_frame(&chunk, file, stretch.offset, stretch.end, &check, &frame, &bytes, err);
		if (status == STATUS_OK && check != FRAME_GOOD)
			status = log_file_damaged(err, file->path, stretch.offset, "there is no good frame");
		if (status != STATUS_OK)
			break;
		position = frame.first_position;
		if (frame.log_time_ms >= log_time_ms)
			break;
		position += frame.record_count;
		stretch.offset += bytes;
	}
	log_chunk_done(&chunk);
	*ret_position = position;
	return status;
}

static enum status find_once(struct file_log *log, int64_t log_time_ms, uint64_t *ret_position,
                             struct error *err)
{
	struct stretch  stretch = find_stretch(log, log_time_ms);
	struct log_file file;
	enum status     status =
		log_file_open(log->directory, stretch.first_position, O_RDONLY, &file, err);
	if (status != STATUS_OK)
		return status;
	if (file.pack != NULL)
		stretch.offset = log_pack_find_time(file.pack, log_time_ms);
	status = walk(&file, stretch, log_time_ms, ret_position, err);
	log_file_close(&file);
	return status;
}

enum status file_log_find_time(struct journal *journal, int64_t log_time_ms, uint64_t *ret_position,
                               struct error *err)
{
	enum status status = STATUS_NOT_FOUND;
	/* A file that is just being deleted is gone before it leaves the list. */
	for (int i = 0; i < ATTEMPTS_MAX && status == STATUS_NOT_FOUND; i++) {
		if (i > 0)
			usleep(PAUSE_US);
		status = find_once(file_log_of(journal), log_time_ms, ret_position, err);
	}
	return status;
}
