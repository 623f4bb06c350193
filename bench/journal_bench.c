/* The file log alone: appends and megabytes a second for batches of 1, 10 and 100 events of 200
 * bytes from 1 and 2 threads, the cost of append() itself, and a reader's megabytes a second.
 *
 *   journal_bench [DIRECTORY [SECONDS]]      a new directory below DIRECTORY (.), 2 s a row
 *
 * An appender keeps up to 4,096 appends waiting, at most 8 MiB, as an HTTP server with that many
 * connections does. Beside it stands what the disk does alone: the same bytes, written and synced
 * one by one (the figure that group commit has to beat). */

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "journal/file_log.h"
#include "journal/journal.h"

enum {
	EVENT_BYTES         = 200,
	BATCH_MAX           = 100,
	IN_FLIGHT_MAX       = 4096,
	IN_FLIGHT_BYTES_MAX = 8 << 20,
	PARTITIONS          = 16,
	THREADS_MAX         = 2,
	FILE_BYTES          = 256 << 20,
	PATH_BYTES_MAX      = 1024,
};

static char records[BATCH_MAX * EVENT_BYTES];

static void die(const char *what, const struct error *err)
{
	fprintf(stderr, "%s: %s\n", what, err->reason);
	exit(1);
}

static void make_records(void)
{
	uint32_t state = 1;
	for (size_t i = 0; i < sizeof records; i++) {
		state      = state * 1664525 + 1013904223;
		records[i] = (char)(state >> 24);
	}
	for (size_t i = 0; i < BATCH_MAX; i++) {
		uint32_t size = EVENT_BYTES - 4;
		memcpy(records + i * EVENT_BYTES, &size, sizeof size);
	}
}

struct appender {
	struct journal *journal;
	uint32_t        events; /* of one append */
	int64_t         until_ns;
	atomic_int      in_flight;
	atomic_ullong   done;
	uint64_t        append_calls;
	int64_t         append_ns;
	pthread_t       thread;
};

static void on_appended(void *context, enum status status, uint64_t position, int64_t log_time_ms,
                        const struct error *err)
{
	(void)position;
	(void)log_time_ms;
	struct appender *appender = context;
	if (status != STATUS_OK)
		die("append", err);
	atomic_fetch_add_explicit(&appender->done, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&appender->in_flight, 1, memory_order_relaxed);
}

static void *run_appender(void *context)
{
	struct appender *appender = context;
	struct error     err;
	int              in_flight_max = IN_FLIGHT_BYTES_MAX / (int)(appender->events * EVENT_BYTES);
	if (in_flight_max > IN_FLIGHT_MAX)
		in_flight_max = IN_FLIGHT_MAX;
	for (uint32_t i = 0; clock_monotonic_ns() < appender->until_ns; i++) {
		int free_slots = in_flight_max - atomic_load(&appender->in_flight);
		if (free_slots <= in_flight_max / 2) {
			usleep(20);
			continue;
		}
		struct journal_batch batch = {
			i % PARTITIONS, appender->events, {records, appender->events * EVENT_BYTES}};
		int64_t begin_ns = clock_monotonic_ns();
		int     appended = 0;
		for (; appended < free_slots; appended++) {
			atomic_fetch_add_explicit(&appender->in_flight, 1, memory_order_relaxed);
			if (appender->journal->ops->append(appender->journal, &batch, 1, on_appended, appender,
			                                   &err) != STATUS_OK) {
				atomic_fetch_sub(&appender->in_flight, 1);
				if (err.status != STATUS_UNAVAILABLE)
					die("append", &err);
				break;
			}
		}
		appender->append_ns += clock_monotonic_ns() - begin_ns;
		appender->append_calls += (uint64_t)appended;
	}
	while (atomic_load(&appender->in_flight) > 0)
		usleep(100);
	return NULL;
}

static void bench_append(struct journal *journal, uint32_t events, unsigned threads, double seconds)
{
	static struct appender appenders[THREADS_MAX];
	struct file_log_status before, after;
	file_log_status(journal, &before);
	int64_t begin_ns = clock_monotonic_ns();
	for (unsigned i = 0; i < threads; i++) {
		struct appender *appender = &appenders[i];
		memset(appender, 0, sizeof *appender);
		appender->journal  = journal;
		appender->events   = events;
		appender->until_ns = begin_ns + (int64_t)(seconds * 1e9);
		pthread_create(&appender->thread, NULL, run_appender, appender);
	}
	uint64_t done = 0, calls = 0;
	int64_t  call_ns = 0;
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(appenders[i].thread, NULL);
		done += appenders[i].done;
		calls += appenders[i].append_calls;
		call_ns += appenders[i].append_ns;
	}
	double took = (double)(clock_monotonic_ns() - begin_ns) / 1e9;
	file_log_status(journal, &after);
	uint64_t frames = after.frames - before.frames;
	printf("%8u %8u %12.0f %12.0f %9.1f %10.0f %9.3f %10.0f\n", events, threads,
	       (double)done / took, (double)(done * events) / took,
	       (double)(done * events * EVENT_BYTES) / took / 1e6, (double)done / (double)frames,
	       (double)(after.sync_ns_total - before.sync_ns_total) / 1e6 / (double)frames,
	       (double)call_ns / (double)calls);
}

/* What the disk does alone, with the bytes of one append. */
static void bench_disk(const char *directory, uint32_t events, double seconds)
{
	char path[PATH_BYTES_MAX + 16];
	snprintf(path, sizeof path, "%s/disk", directory);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || fallocate(fd, 0, 0, FILE_BYTES) != 0 || fsync(fd) != 0) {
		perror(path);
		exit(1);
	}
	size_t   bytes    = (size_t)events * EVENT_BYTES;
	int64_t  begin_ns = clock_monotonic_ns(), now_ns;
	uint64_t count    = 0;
	do {
		off_t offset = (off_t)(count * bytes % (FILE_BYTES - bytes));
		if (pwrite(fd, records, bytes, offset) != (ssize_t)bytes || fdatasync(fd) != 0) {
			perror(path);
			exit(1);
		}
		count++;
		now_ns = clock_monotonic_ns();
	} while (now_ns < begin_ns + (int64_t)(seconds * 1e9));
	double took = (double)(now_ns - begin_ns) / 1e9;
	printf("%8u %8s %12.0f %12.0f %9.1f %10s %9.3f\n", events, "disk", (double)count / took,
	       (double)(count * events) / took, (double)(count * bytes) / took / 1e6, "1",
	       took * 1e3 / (double)count);
	close(fd);
	unlink(path);
}

static void bench_read(struct journal *journal)
{
	bool wanted[PARTITIONS];
	memset(wanted, true, sizeof wanted);
	struct journal_reader *reader;
	struct error           err;
	if (journal->ops->reader_open(journal, wanted, PARTITIONS, 0, &reader, &err) != STATUS_OK)
		die("reader", &err);
	struct journal_read read;
	int64_t             safe_time_ms, begin_ns = clock_monotonic_ns();
	uint64_t            through, count = 0, bytes = 0;
	enum status         status;
	while ((status = journal->ops->read(reader, &read, &safe_time_ms, &through, &err)) ==
	       STATUS_OK) {
		count += read.record_count;
		bytes += read.records.length;
	}
	if (status != STATUS_AGAIN)
		die("read", &err);
	double took = (double)(clock_monotonic_ns() - begin_ns) / 1e9;
	printf("reader: %llu events, %.0f events/s, %.0f MB/s\n", (unsigned long long)count,
	       (double)count / took, (double)bytes / took / 1e6);
	journal->ops->reader_close(reader);
}

static void remove_all(const char *path)
{
	DIR *directory = opendir(path);
	for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory != NULL)
		closedir(directory);
	rmdir(path);
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? atof(argv[2]) : 2;
	char   directory[PATH_BYTES_MAX];
	snprintf(directory, sizeof directory, "%s/journal-bench-XXXXXX", argc > 1 ? argv[1] : ".");
	if (mkdtemp(directory) == NULL) {
		perror(directory);
		return 1;
	}
	make_records();

	printf("%8s %8s %12s %12s %9s %10s %9s %10s\n", "events", "threads", "appends/s", "events/s",
	       "MB/s", "a frame", "sync ms", "append ns");
	static const uint32_t batches[] = {1, 10, 100};
	for (unsigned b = 0; b < sizeof batches / sizeof batches[0]; b++) {
		bench_disk(directory, batches[b], seconds / 2);
		for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
			const struct file_log_config config = {.directory  = directory,
			                                       .file_bytes = FILE_BYTES};
			struct journal              *journal;
			struct error                 err;
			if (file_log_open(&config, &journal, &err) != STATUS_OK)
				die("open", &err);
			bench_append(journal, batches[b], threads, seconds);
			if (batches[b] == BATCH_MAX && threads == THREADS_MAX)
				bench_read(journal);
			journal->ops->free(journal);
		}
	}
	remove_all(directory);
	return 0;
}
