#include "journal/file_log_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/vector.h"

/* Room for the frame's header, the payload, and zeros up to a whole page. */
enum { QUEUE_BYTES = JOURNAL_QUEUE_BYTES_MAX + 4096 };

enum { WAIT_MS_MAX = 24 * 3600 * 1000 }; /* a wait may end early */

_Static_assert(JOURNAL_APPEND_BYTES_MAX < JOURNAL_QUEUE_BYTES_MAX / 2, "an append fits");

struct log_clock_sources file_log_sources(const struct file_log *log)
{
	return (struct log_clock_sources){log->system.wall_ms(), log->system.monotonic_ms()};
}

void file_log_condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

struct timespec file_log_deadline(int64_t timeout_ms)
{
	if (timeout_ms > WAIT_MS_MAX)
		timeout_ms = WAIT_MS_MAX;
	return clock_deadline(timeout_ms);
}

void file_log_index_add(struct log_entry *entry, const struct frame *frame, uint64_t offset)
{
	struct log_place place = {frame->first_position, frame->log_time_ms, offset};
	if (entry->index.count == 0 ||
	    entry->index.items[entry->index.count - 1].offset + FILE_LOG_INDEX_BYTES <= offset)
		VECTOR_ADD(&entry->index, place);
}

/* Appending. */

/* What a queue may refuse; the queue lock is held. */
static enum status check_acceptance(const struct file_log *log, const struct log_queue *queue,
                                    size_t bytes, struct error *err)
{
	bool refusing = log->refuse_until_ms != 0 && clock_monotonic_ms() < log->refuse_until_ms;
	if (log->failed || refusing) {
		if (err != NULL)
			*err = log->refusal;
		return log->refusal.status;
	}
	if (log->stopping)
		return error_set(err, STATUS_UNAVAILABLE, "the journal is closing");
	if (queue->payload_bytes + bytes > JOURNAL_QUEUE_BYTES_MAX ||
	    queue->appends.count >= FILE_LOG_APPENDS_MAX)
		return error_set(err, STATUS_UNAVAILABLE, "too much waits for the journal");
	return STATUS_OK;
}

static void enqueue(struct log_queue *queue, const struct journal_batch *batches,
                    size_t batch_count, struct log_waiting waiting)
{
	uint8_t *at = queue->bytes + FRAME_HEADER_BYTES + queue->payload_bytes;
	for (size_t i = 0; i < batch_count; i++) {
		at += frame_batch_encode(at, &batches[i]);
		queue->record_count += batches[i].record_count;
	}
	queue->payload_bytes = (size_t)(at - queue->bytes) - FRAME_HEADER_BYTES;
	queue->batch_count += (uint32_t)batch_count;
	waiting.record_end = queue->record_count;
	VECTOR_ADD(&queue->appends, waiting);
}

static enum status append(struct journal *journal, const struct journal_batch *batches,
                          size_t batch_count, journal_appended_fn *appended, void *context,
                          struct error *err)
{
	assert(batch_count > 0);
	size_t record_bytes = 0;
	for (size_t i = 0; i < batch_count; i++) {
		assert(batches[i].record_count > 0 && batches[i].records.length >= batches[i].record_count);
		record_bytes += batches[i].records.length;
	}
	if (record_bytes > JOURNAL_APPEND_BYTES_MAX)
		return error_set(err, STATUS_TOO_LARGE, "%zu bytes in one append; at most %d", record_bytes,
		                 JOURNAL_APPEND_BYTES_MAX);

	struct file_log *log = file_log_of(journal);
	pthread_mutex_lock(&log->queue_lock);
	struct log_queue *queue = &log->queues[log->filling];
	enum status       status =
		check_acceptance(log, queue, record_bytes + batch_count * FRAME_BATCH_BYTES, err);
	if (status == STATUS_OK)
		enqueue(queue, batches, batch_count, (struct log_waiting){appended, context, 0});
	bool wake = status == STATUS_OK && log->writer_waits;
	log->writer_waits &= !wake;
	pthread_mutex_unlock(&log->queue_lock);
	if (wake)
		pthread_cond_signal(&log->queue_filled);
	return status;
}

/* Clock and state. */

static uint64_t position(struct journal *journal)
{
	return atomic_load_explicit(&file_log_of(journal)->durable_position, memory_order_acquire);
}

int64_t file_log_now_ms(struct file_log *log)
{
	/* A manual clock that was set and is not durable yet may be forgotten: what it says to readers
	 * is the last durable stamp. */
	if (log->clock.mode == LOG_CLOCK_MANUAL)
		return log->log_time_ms;
	return log_clock_read(&log->clock, file_log_sources(log));
}

static int64_t log_time_ms(struct journal *journal)
{
	struct file_log *log = file_log_of(journal);
	pthread_mutex_lock(&log->state_lock);
	int64_t now_ms = file_log_now_ms(log);
	pthread_mutex_unlock(&log->state_lock);
	return now_ms;
}

static enum status clock_set(struct journal *journal, int64_t now_ms, struct error *err)
{
	struct file_log *log = file_log_of(journal);
	pthread_mutex_lock(&log->state_lock);
	enum status status = log_clock_set(&log->clock, now_ms, err);
	pthread_mutex_unlock(&log->state_lock);
	return status;
}

static void clock_reach(struct journal *journal, int64_t now_ms)
{
	struct file_log *log = file_log_of(journal);
	pthread_mutex_lock(&log->state_lock);
	log_clock_reach(&log->clock, now_ms);
	pthread_mutex_unlock(&log->state_lock);
}

void file_log_set_keeping(struct journal *journal, int64_t retention_ms, uint64_t pack_bytes_s)
{
	struct file_log *log = file_log_of(journal);
	pthread_mutex_lock(&log->state_lock);
	log->retention_ms = retention_ms;
	log->pack_bytes_s = pack_bytes_s;
	pthread_cond_signal(&log->keeper_wake);
	pthread_mutex_unlock(&log->state_lock);
}

void file_log_status(struct journal *journal, struct file_log_status *ret_status)
{
	struct file_log *log = file_log_of(journal);
	pthread_mutex_lock(&log->state_lock);
	*ret_status                 = log->counts;
	ret_status->clock_held      = log->clock.held;
	ret_status->first_position  = log->files.items[0].first_position;
	ret_status->first_ms        = log->files.items[0].log_time_ms;
	ret_status->needed_position = log->needed_position;
	ret_status->files           = log->files.count;
	for (size_t i = 0; i < log->files.count; i++) {
		ret_status->files_packed += log->files.items[i].packed;
		ret_status->disk_bytes += log->files.items[i].disk_bytes;
	}
	pthread_mutex_unlock(&log->state_lock);

	pthread_mutex_lock(&log->queue_lock);
	ret_status->failed      = log->failed;
	ret_status->queue_bytes = log->failed ? 0 : log->queues[log->filling].payload_bytes;
	pthread_mutex_unlock(&log->queue_lock);
}

void file_log_extents(struct journal *journal, struct file_log_extent **ret_extents,
                      size_t *ret_count, uint64_t *ret_last_position, int64_t *ret_last_ms)
{
	struct file_log *log = file_log_of(journal);
	pthread_mutex_lock(&log->state_lock);
	size_t                  count   = log->files.count;
	struct file_log_extent *extents = calloc(count, sizeof *extents);
	if (extents == NULL)
		abort();
	for (size_t i = 0; i < count; i++) {
		const struct log_entry *entry = &log->files.items[i];
		extents[i].first_position     = entry->first_position;
		extents[i].end                = i + 1 < count ? entry->end : log->durable_end;
	}
	*ret_last_position = atomic_load(&log->durable_position);
	*ret_last_ms       = log->log_time_ms;
	pthread_mutex_unlock(&log->state_lock);
	*ret_extents = extents;
	*ret_count   = count;
}

static uint64_t first_position(struct journal *journal)
{
	struct file_log *log = file_log_of(journal);
	pthread_mutex_lock(&log->state_lock);
	uint64_t first = log->files.items[0].first_position;
	pthread_mutex_unlock(&log->state_lock);
	return first;
}

/* Life. */

static void stop_keeper(struct file_log *log)
{
	pthread_mutex_lock(&log->state_lock);
	log->keeper_stop = true;
	pthread_mutex_unlock(&log->state_lock);
	pthread_cond_signal(&log->keeper_wake);
	pthread_join(log->keeper, NULL);
}

static void stop_writer(struct file_log *log)
{
	pthread_mutex_lock(&log->queue_lock);
	log->stopping = true;
	pthread_mutex_unlock(&log->queue_lock);
	pthread_cond_signal(&log->queue_filled);
	pthread_join(log->writer, NULL);
}

static void release(struct file_log *log)
{
	for (unsigned i = 0; i < 2; i++) {
		if (log->queues[i].bytes != NULL)
			munmap(log->queues[i].bytes, QUEUE_BYTES);
		VECTOR_DONE(&log->queues[i].appends);
	}
	for (size_t i = 0; i < log->files.count; i++)
		VECTOR_DONE(&log->files.items[i].index);
	VECTOR_DONE(&log->files);
	pthread_mutex_destroy(&log->queue_lock);
	pthread_mutex_destroy(&log->state_lock);
	pthread_cond_destroy(&log->queue_filled);
	pthread_cond_destroy(&log->keeper_wake);
	log_file_close(&log->file);
	log_file_close(&log->spare);
	if (log->directory_fd >= 0)
		close(log->directory_fd);
	free(log->directory);
	free(log);
}

static void close_log(struct journal *journal)
{
	struct file_log *log = file_log_of(journal);
	stop_keeper(log);
	stop_writer(log);
	log->file.fd  = -1; /* the writer closed its files */
	log->spare.fd = -1;
	assert(log->readers == NULL);
	release(log);
}

static const struct journal_ops ops = {
	.name           = "file log",
	.append         = append,
	.reader_open    = file_log_reader_open,
	.read           = file_log_read,
	.reader_wait    = file_log_reader_wait,
	.reader_wake    = file_log_reader_wake,
	.reader_close   = file_log_reader_close,
	.position       = position,
	.log_time_ms    = log_time_ms,
	.clock_set      = clock_set,
	.clock_reach    = clock_reach,
	.needed         = file_log_needed,
	.first_position = first_position,
	.find_time      = file_log_find_time,
	.free           = close_log,
};

/* Following: the same log without a writer. */

static enum status refuse_append(struct journal *journal, const struct journal_batch *batches,
                                 size_t batch_count, journal_appended_fn *appended, void *context,
                                 struct error *err)
{
	(void)journal, (void)batches, (void)batch_count, (void)appended, (void)context;
	return error_set(err, STATUS_UNSUPPORTED, "a follower of the journal does not write");
}

static enum status refuse_clock(struct journal *journal, int64_t now_ms, struct error *err)
{
	(void)journal, (void)now_ms;
	return error_set(err, STATUS_UNSUPPORTED, "a follower of the journal has no clock");
}

/* The writer's clock is not the follower's to move. */
static void ignore_reach(struct journal *journal, int64_t now_ms) { (void)journal, (void)now_ms; }

static void ignore_needed(struct journal *journal, uint64_t position)
{
	(void)journal, (void)position;
}

static void close_follower(struct journal *journal)
{
	struct file_log *log = file_log_of(journal);
	stop_keeper(log);
	assert(log->readers == NULL);
	release(log);
}

static const struct journal_ops follower_ops = {
	.name           = "file log, followed",
	.append         = refuse_append,
	.reader_open    = file_log_reader_open,
	.read           = file_log_read,
	.reader_wait    = file_log_reader_wait,
	.reader_wake    = file_log_reader_wake,
	.reader_close   = file_log_reader_close,
	.position       = position,
	.log_time_ms    = log_time_ms,
	.clock_set      = refuse_clock,
	.clock_reach    = ignore_reach,
	.needed         = ignore_needed,
	.first_position = first_position,
	.find_time      = file_log_find_time,
	.free           = close_follower,
};

static struct file_log *new_log(const struct file_log_config *config,
                                const struct journal_ops     *ops_of_it)
{
	struct file_log *log = calloc(1, sizeof *log);
	if (log == NULL)
		abort();
	log->journal.ops   = ops_of_it;
	log->held_position = UINT64_MAX;
	log->directory     = strdup(config->directory);
	log->directory_fd  = -1;
	log->file_bytes    = config->file_bytes;
	log->retention_ms  = config->retention_ms;
	log->pack_bytes_s  = config->pack_bytes_s;
	log->system        = config->system == NULL ? log_write_system : *config->system;
	log->file.fd       = -1;
	log->spare.fd      = -1;
	memcpy(log->workspace_id, config->workspace_id, sizeof log->workspace_id);
	log_clock_boot_id(log->boot_id);
	pthread_mutex_init(&log->queue_lock, NULL);
	pthread_mutex_init(&log->state_lock, NULL);
	pthread_cond_init(&log->queue_filled, NULL);
	file_log_condition_init(&log->keeper_wake);
	return log;
}

/* Memory is taken page by page as it is used. */
static enum status map_queues(struct file_log *log, struct error *err)
{
	for (unsigned i = 0; i < 2; i++) {
		void *bytes = mmap(NULL, QUEUE_BYTES, PROT_READ | PROT_WRITE,
		                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (bytes == MAP_FAILED)
			return error_set_errno(err, STATUS_NO_MEMORY, errno, "cannot map the journal's queue");
		log->queues[i].bytes = bytes;
	}
	return STATUS_OK;
}

static enum status open_directory(struct file_log *log, struct error *err)
{
	enum status status = directory_create(log->directory, 0700, err);
	if (status != STATUS_OK)
		return status;
	log->directory_fd = open(log->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log->directory_fd < 0)
		return file_error(err, errno, "open", log->directory);
	return STATUS_OK;
}

/* Signals are other threads' business: a sync must not be interrupted. */
static enum status start_threads(struct file_log *log, struct error *err)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error_number = pthread_create(&log->writer, NULL, file_log_writer, log);
	if (error_number == 0 &&
	    (error_number = pthread_create(&log->keeper, NULL, file_log_keeper, log)) != 0)
		stop_writer(log);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error_number != 0)
		return error_set_errno(err, STATUS_INTERNAL, error_number,
		                       "cannot start the journal's threads");
	return STATUS_OK;
}

enum status file_log_open(const struct file_log_config *config, struct journal **ret_journal,
                          struct error *err)
{
	assert(config->file_bytes >= FILE_LOG_FILE_BYTES_MIN);
	if (strlen(config->directory) > LOG_DIRECTORY_BYTES_MAX)
		return error_set(err, STATUS_INVALID, "the journal's path has more than %d bytes",
		                 LOG_DIRECTORY_BYTES_MAX);

	struct file_log *log    = new_log(config, &ops);
	enum status      status = open_directory(log, err);
	if (status == STATUS_OK)
		status = map_queues(log, err);
	if (status == STATUS_OK)
		status = file_log_recover(log, config, err);
	if (status == STATUS_OK)
		status = start_threads(log, err);
	if (status != STATUS_OK) {
		release(log);
		return status;
	}
	*ret_journal = &log->journal;
	return STATUS_OK;
}

enum status file_log_follow(const struct file_log_config *config, struct journal **ret_journal,
                            struct error *err)
{
	if (strlen(config->directory) > LOG_DIRECTORY_BYTES_MAX)
		return error_set(err, STATUS_INVALID, "the journal's path has more than %d bytes",
		                 LOG_DIRECTORY_BYTES_MAX);

	struct file_log *log = new_log(config, &follower_ops);
	log->follows         = true;
	log->clock.mode      = LOG_CLOCK_MANUAL; /* it knows of no time but the last stamp */
	enum status status   = file_log_follow_start(log, err);
	if (status != STATUS_OK) {
		release(log);
		return status;
	}
	*ret_journal = &log->journal;
	return STATUS_OK;
}
