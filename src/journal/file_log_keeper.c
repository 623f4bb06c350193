#include "journal/file_log_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/vector.h"
#include "journal/log_pack.h"

enum {
	LOOK_MS  = 60 * 1000, /* whether something has become old */
	RETRY_MS = 60 * 1000, /* behind a failure */
	NICENESS = 10,        /* those who wait for an answer come first */
};

/* Sleeps until the deadline or until it is told to stop (then false). The state lock is held. */
static bool sleep_until(struct file_log *log, struct timespec until)
{
	while (!log->keeper_stop &&
	       pthread_cond_timedwait(&log->keeper_wake, &log->state_lock, &until) == 0)
		continue;
	return !log->keeper_stop;
}

static bool stops(struct file_log *log)
{
	pthread_mutex_lock(&log->state_lock);
	bool stop = log->keeper_stop;
	pthread_mutex_unlock(&log->state_lock);
	return stop;
}

static void complain(struct file_log *log, const char *what, const char *path,
                     const struct error *err)
{
	log_line(LOG_WARNING, what, LOG_STRING("file", path), LOG_STRING("reason", err->reason));
	pthread_mutex_lock(&log->state_lock);
	log->counts.keeping_failures += 1;
	pthread_mutex_unlock(&log->state_lock);
}

/* Deleting. */

/* Whether the first file lies wholly before what is needed and is old: all of it was stamped before
 * the next one was begun. The state lock is held. */
static bool is_due(struct file_log *log)
{
	if (log->files.count < 2)
		return false;
	const struct log_entry *next = &log->files.items[1];
	return next->first_position <= log->needed_position &&
	       next->first_position <= log->held_position &&
	       file_log_now_ms(log) - next->log_time_ms >= log->retention_ms;
}

static enum status remove_file(const char *path, struct error *err)
{
	if (unlink(path) != 0 && errno != ENOENT)
		return file_error(err, errno, "remove", path);
	return STATUS_OK;
}

/* A file may be there both plain and packed. */
static enum status remove_both(struct file_log *log, uint64_t first_position, struct error *err)
{
	char        path[LOG_PATH_BYTES_MAX];
	enum status status;
	log_file_path(path, log->directory, first_position);
	if ((status = remove_file(path, err)) != STATUS_OK)
		return status;
	log_file_packed_path(path, log->directory, first_position);
	return remove_file(path, err);
}

/* The first file, when it is due. */
static bool find_due(struct file_log *log, uint64_t *ret_position)
{
	pthread_mutex_lock(&log->state_lock);
	bool due      = is_due(log) && !log->keeper_stop;
	*ret_position = log->files.items[0].first_position;
	pthread_mutex_unlock(&log->state_lock);
	return due;
}

static void forget_first(struct file_log *log)
{
	pthread_mutex_lock(&log->state_lock);
	VECTOR_DONE(&log->files.items[0].index);
	log->files.count -= 1;
	memmove(log->files.items, log->files.items + 1, log->files.count * sizeof log->files.items[0]);
	log->counts.files_deleted += 1;
	pthread_mutex_unlock(&log->state_lock);
}

/* Oldest first, each durably before the next, so that whatever a crash or a failure leaves goes on
 * without a gap. False after a failure. */
static bool delete_due(struct file_log *log)
{
	uint64_t position;
	while (find_due(log, &position)) {
		struct error err;
		enum status  status = remove_both(log, position, &err);
		if (status == STATUS_OK && fsync(log->directory_fd) != 0)
			status = file_error(&err, errno, "sync", log->directory);
		if (status != STATUS_OK) {
			complain(log, "cannot delete a file of the journal", log->directory, &err);
			return false;
		}
		forget_first(log);
	}
	return true;
}

/* Packing. */

/* The oldest sealed file that is not packed: 0 when there is none. */
static uint64_t next_to_pack(struct file_log *log, uint64_t *ret_end)
{
	uint64_t first_position = 0;
	pthread_mutex_lock(&log->state_lock);
	for (size_t i = 0; i + 1 < log->files.count && log->pack_bytes_s > 0; i++) {
		const struct log_entry *entry = &log->files.items[i];
		if (entry->packed || entry->unpackable)
			continue;
		first_position = entry->first_position;
		*ret_end       = entry->end;
		break;
	}
	pthread_mutex_unlock(&log->state_lock);
	return first_position;
}

/* After so many bytes, at its pace. False: it is to stop. */
static bool pace(struct file_log *log, struct timespec *next, uint64_t bytes)
{
	pthread_mutex_lock(&log->state_lock);
	uint64_t rate = log->pack_bytes_s; /* 0 by now: what was begun is ended without a pause */
	pthread_mutex_unlock(&log->state_lock);
	int64_t pause_ns = rate == 0 ? 0 : (int64_t)((double)bytes / (double)rate * 1e9);
	next->tv_nsec += pause_ns % 1000000000;
	next->tv_sec += pause_ns / 1000000000 + next->tv_nsec / 1000000000;
	next->tv_nsec %= 1000000000;
	pthread_mutex_lock(&log->state_lock);
	bool goes_on = sleep_until(log, *next);
	pthread_mutex_unlock(&log->state_lock);
	return goes_on;
}

/* STATUS_UNAVAILABLE: it was told to stop. */
static enum status write_packed(struct file_log *log, const struct log_file *file, uint64_t end,
                                int fd, const char *path, struct error *err)
{
	struct log_packer     *packer = log_packer_new(&log->system, file, end, fd, path);
	struct timespec        next   = file_log_deadline(0);
	struct log_pack_result result = {0};
	enum status            status;
	do
		status = log_packer_step(packer, &result, err);
	while (status == STATUS_OK && !result.done &&
	       (pace(log, &next, result.bytes) || (status = STATUS_UNAVAILABLE) == STATUS_OK));
	log_packer_free(packer);
	if (status == STATUS_OK && log->system.sync(fd) != 0)
		status = file_error(err, errno, "sync", path);
	return status;
}

/* Reads the packed file back, every frame of it: only then the plain one may go. */
static enum status check_packed(const struct log_file *plain, uint64_t end, const char *path,
                                uint64_t *ret_bytes, struct error *err)
{
	struct log_file packed = {.header = plain->header};
	snprintf(packed.path, sizeof packed.path, "%s", path);
	packed.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (packed.fd < 0)
		return file_error(err, errno, "open", path);
	struct log_scan scan   = {0};
	enum status     status = log_pack_open(packed.fd, path, &packed.pack, err);
	if (status == STATUS_OK) {
		packed.length = log_pack_length(packed.pack);
		status        = log_scan(&packed, NULL, NULL, &scan, err);
	}
	off_t bytes = lseek(packed.fd, 0, SEEK_END);
	log_file_close(&packed);
	if (status == STATUS_OK &&
	    (scan.end != LOG_SCAN_SEALED || scan.end_offset + FRAME_HEADER_BYTES != end || bytes < 0))
		status = error_set(err, STATUS_CORRUPT, "%s does not read back as it was written", path);
	*ret_bytes = (uint64_t)bytes;
	return status;
}

/* Gives the packed file its name, durably, before the plain one loses its own. */
static enum status take_over(struct file_log *log, uint64_t first_position, const char *packing,
                             uint64_t packed_bytes, struct error *err)
{
	char        plain[LOG_PATH_BYTES_MAX], packed[LOG_PATH_BYTES_MAX];
	enum status status = STATUS_OK;
	log_file_path(plain, log->directory, first_position);
	log_file_packed_path(packed, log->directory, first_position);
	if (rename(packing, packed) != 0)
		return file_error(err, errno, "rename", packing);
	if (fsync(log->directory_fd) != 0)
		return file_error(err, errno, "sync", log->directory);
	status = remove_file(plain, err);
	if (status != STATUS_OK)
		return status;

	pthread_mutex_lock(&log->state_lock);
	struct log_entry *entry = file_log_find_entry(log, first_position);
	assert(entry != NULL && entry->first_position == first_position); /* no other thread deletes */
	VECTOR_DONE(&entry->index);
	entry->packed     = true;
	entry->disk_bytes = packed_bytes;
	log->counts.bytes_packed += entry->end;
	log->counts.bytes_packed_to += packed_bytes;
	pthread_mutex_unlock(&log->state_lock);
	return STATUS_OK;
}

static enum status pack_opened(struct file_log *log, const struct log_file *file, uint64_t end,
                               struct error *err)
{
	char path[LOG_PATH_BYTES_MAX];
	snprintf(path, sizeof path, "%s/%s", log->directory, FILE_LOG_PACKING_NAME);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_error(err, errno, "create", path);
	uint64_t    bytes  = 0;
	enum status status = write_packed(log, file, end, fd, path, err);
	close(fd);
	if (status == STATUS_OK)
		status = check_packed(file, end, path, &bytes, err);
	if (status == STATUS_OK)
		status = take_over(log, file->header.first_position, path, bytes, err);
	if (status != STATUS_OK)
		unlink(path);
	return status;
}

static void set_unpackable(struct file_log *log, uint64_t first_position)
{
	pthread_mutex_lock(&log->state_lock);
	file_log_find_entry(log, first_position)->unpackable = true;
	pthread_mutex_unlock(&log->state_lock);
}

/* False after a failure that may pass. */
static bool pack(struct file_log *log, uint64_t first_position, uint64_t end)
{
	struct log_file file;
	struct error    err    = {0};
	enum status     status = log_file_open(log->directory, first_position, O_RDONLY, &file, &err);
	if (status == STATUS_OK) {
		status = pack_opened(log, &file, end, &err);
		log_file_close(&file);
	}
	if (status == STATUS_OK || stops(log))
		return true;
	complain(log, "cannot compress a file of the journal", file.path, &err);
	if (status == STATUS_CORRUPT) /* whoever reads it says so; it stays as it is */
		set_unpackable(log, first_position);
	return status == STATUS_CORRUPT;
}

/* The thread. */

void file_log_needed(struct journal *journal, uint64_t position)
{
	struct file_log *log = file_log_of(journal);
	pthread_mutex_lock(&log->state_lock);
	if (position > log->needed_position)
		log->needed_position = position;
	pthread_cond_signal(&log->keeper_wake);
	pthread_mutex_unlock(&log->state_lock);
}

void file_log_hold(struct journal *journal, uint64_t position)
{
	struct file_log *log = file_log_of(journal);
	pthread_mutex_lock(&log->state_lock);
	log->held_position = position;
	pthread_cond_signal(&log->keeper_wake);
	pthread_mutex_unlock(&log->state_lock);
}

/* Waits for more to do. */
static void wait_for_work(struct file_log *log, bool failed)
{
	struct timespec until = file_log_deadline(failed ? RETRY_MS : LOOK_MS);
	uint64_t        end;
	bool            packs = !failed && next_to_pack(log, &end) != 0;
	pthread_mutex_lock(&log->state_lock);
	if (!log->keeper_stop && (failed || (!packs && !is_due(log))))
		pthread_cond_timedwait(&log->keeper_wake, &log->state_lock, &until);
	pthread_mutex_unlock(&log->state_lock);
}

void *file_log_keeper(void *context)
{
	struct file_log *log = context;
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
	while (!stops(log)) {
		uint64_t end;
		bool     good           = delete_due(log);
		uint64_t first_position = next_to_pack(log, &end);
		if (good && first_position != 0)
			good = pack(log, first_position, end);
		wait_for_work(log, !good);
	}
	return NULL;
}
