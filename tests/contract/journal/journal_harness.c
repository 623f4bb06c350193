#include "journal_harness.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/vector.h"
#include "journal/log_file.h"

/* Files. */

char *temporary_directory(void)
{
	const char *base = getenv("TMPDIR");
	char       *path;
	int         length = asprintf(&path, "%s/sonnim-journal-XXXXXX", base ? base : "/tmp");
	assert(length > 0);
	char *made = mkdtemp(path);
	assert(made != NULL);
	return path;
}

static char *join(const char *directory, const char *name)
{
	char *path;
	int   length = asprintf(&path, "%s/%s", directory, name);
	assert(length > 0);
	return path;
}

void remove_directory(char *path)
{
	DIR *directory = opendir(path);
	assert(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		char *child = join(path, entry->d_name);
		if (unlink(child) != 0)
			remove_directory(child);
		else
			free(child);
	}
	closedir(directory);
	rmdir(path);
	free(path);
}

static void copy_file(const char *from, const char *to)
{
	int in  = open(from, O_RDONLY);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert(in >= 0 && out >= 0);
	static char chunk[1 << 16];
	off_t       offset = 0;
	for (ssize_t got; (got = read(in, chunk, sizeof chunk)) > 0; offset += got) {
		/* Holes stay holes: the files are mostly zeros. */
		bool zeros = chunk[0] == 0 && memcmp(chunk, chunk + 1, (size_t)got - 1) == 0;
		if (!zeros) {
			ssize_t written = pwrite(out, chunk, (size_t)got, offset);
			assert(written == got);
		}
	}
	int cut = ftruncate(out, offset);
	assert(cut == 0);
	close(in);
	close(out);
}

char *copy_directory(const char *path)
{
	char *copy      = temporary_directory();
	DIR  *directory = opendir(path);
	assert(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		char *from = join(path, entry->d_name);
		char *to   = join(copy, entry->d_name);
		copy_file(from, to);
		free(from);
		free(to);
	}
	closedir(directory);
	return copy;
}

uint8_t file_byte(const char *path, uint64_t offset)
{
	int     fd = open(path, O_RDONLY);
	uint8_t byte;
	ssize_t got = pread(fd, &byte, 1, (off_t)offset);
	assert(got == 1);
	close(fd);
	return byte;
}

void file_flip(const char *path, uint64_t offset, unsigned bit)
{
	uint8_t byte = file_byte(path, offset) ^ (uint8_t)(1u << bit);
	int     fd   = open(path, O_WRONLY);
	ssize_t put  = pwrite(fd, &byte, 1, (off_t)offset);
	assert(put == 1);
	close(fd);
}

uint64_t file_length(const char *path)
{
	struct stat info;
	int         got = stat(path, &info);
	assert(got == 0);
	return (uint64_t)info.st_size;
}

void file_zero_from(const char *path, uint64_t offset)
{
	off_t length = (off_t)file_length(path);
	int   cut    = truncate(path, (off_t)offset) | truncate(path, length);
	assert(cut == 0);
}

const char *log_path(const char *directory, uint64_t position)
{
	static char path[1024];
	snprintf(path, sizeof path, "%s/%020" PRIu64 ".log", directory, position);
	return path;
}

const char *packed_path(const char *directory, uint64_t position)
{
	static char path[1024];
	snprintf(path, sizeof path, "%s/%020" PRIu64 ".log.zst", directory, position);
	return path;
}

/* What another thread is about to do. */
static void pause_briefly(void) { usleep(2000); }

uint64_t delete_before(struct journal *journal, const char *directory, uint64_t position)
{
	struct log_file_list list;
	uint64_t             first  = 0;
	enum status          listed = log_file_list(directory, &list, NULL);
	assert(listed == STATUS_OK);
	for (size_t i = 0; i < list.count; i++)
		if (i == 0 || list.items[i] <= position)
			first = list.items[i];
	log_file_list_done(&list);
	journal->ops->needed(journal, position);
	while (journal->ops->first_position(journal) != first)
		pause_briefly();
	return first;
}

void wait_until_packed(struct journal *journal)
{
	struct file_log_status status;
	for (;; pause_briefly()) {
		file_log_status(journal, &status);
		if (status.files_packed + 1 == status.files)
			return;
	}
}

bool names_place(const char *reason, const char *file_name, uint64_t offset)
{
	char place[64];
	snprintf(place, sizeof place, "offset %" PRIu64 ":", offset);
	return strstr(reason, file_name) != NULL && strstr(reason, place) != NULL;
}

/* Appending. */

struct pending {
	pthread_mutex_t lock;
	pthread_cond_t  answered;
	bool            done;
	struct answer   answer;
};

static void on_appended(void *context, enum status status, uint64_t position, int64_t log_time_ms,
                        const struct error *err)
{
	struct pending *pending = context;
	pthread_mutex_lock(&pending->lock);
	assert(!pending->done); /* once for each append */
	pending->answer = (struct answer){
		.status      = status,
		.called_back = true,
		.position    = position,
		.log_time_ms = log_time_ms,
	};
	if (status != STATUS_OK)
		pending->answer.err = *err;
	pending->done = true;
	pthread_cond_signal(&pending->answered);
	pthread_mutex_unlock(&pending->lock);
}

struct pending *append_begin(struct journal *journal, const struct journal_batch *batches,
                             size_t count)
{
	struct pending *pending = calloc(1, sizeof *pending);
	pthread_mutex_init(&pending->lock, NULL);
	pthread_cond_init(&pending->answered, NULL);
	struct error err    = {0};
	enum status  status = journal->ops->append(journal, batches, count, on_appended, pending, &err);
	if (status != STATUS_OK) {
		pending->answer = (struct answer){.status = status, .err = err};
		pending->done   = true;
	}
	return pending;
}

struct answer append_end(struct pending *pending)
{
	pthread_mutex_lock(&pending->lock);
	while (!pending->done)
		pthread_cond_wait(&pending->answered, &pending->lock);
	struct answer answer = pending->answer;
	pthread_mutex_unlock(&pending->lock);
	pthread_mutex_destroy(&pending->lock);
	pthread_cond_destroy(&pending->answered);
	free(pending);
	return answer;
}

struct answer append_batches(struct journal *journal, const struct journal_batch *batches,
                             size_t count)
{
	return append_end(append_begin(journal, batches, count));
}

void record_add(struct buffer *out, const char *text)
{
	buffer_add_u32(out, (uint32_t)strlen(text));
	buffer_add(out, text, strlen(text));
}

struct answer append_one(struct journal *journal, uint32_t partition, const char *text)
{
	struct buffer records = {0};
	record_add(&records, text);
	struct journal_batch batch  = {partition, 1, buffer_text(&records)};
	struct answer        answer = append_batches(journal, &batch, 1);
	buffer_done(&records);
	return answer;
}

struct answer append_many(struct journal *journal, uint32_t partition, unsigned count, size_t bytes)
{
	struct buffer records = {0};
	char         *text    = malloc(bytes + 1);
	for (unsigned i = 0; i < count; i++) {
		memset(text, 'a' + (int)(i % 26), bytes);
		text[bytes] = '\0';
		record_add(&records, text);
	}
	struct journal_batch batch  = {partition, count, buffer_text(&records)};
	struct answer        answer = append_batches(journal, &batch, 1);
	buffer_done(&records);
	free(text);
	return answer;
}

/* Reading. */

void gots_add(struct gots *gots, const struct journal_read *read)
{
	struct byte_reader bytes = byte_reader_of(read->records.data, read->records.length);
	for (uint32_t i = 0; i < read->record_count; i++) {
		struct text content = read_bytes(&bytes, read_u32(&bytes));
		struct got  got     = {
				 .partition      = read->partition,
				 .position       = read->first_position + i,
				 .log_time_ms    = read->log_time_ms,
				 .frame_position = read->frame_position,
				 .frame_end      = read->frame_end,
				 .text           = strndup(content.data, content.length),
				 .length         = content.length,
        };
		VECTOR_ADD(gots, got);
	}
	assert(!bytes.failed && read_left(&bytes) == 0);
}

void gots_read(struct gots *gots, struct journal *journal, struct journal_reader *reader)
{
	struct journal_read read;
	for (;;) {
		gots->status =
			journal->ops->read(reader, &read, &gots->safe_time_ms, &gots->through, &gots->err);
		if (gots->status != STATUS_OK)
			return;
		gots_add(gots, &read);
	}
}

struct gots read_all(struct journal *journal, uint64_t after)
{
	bool wanted[PARTITIONS];
	memset(wanted, true, sizeof wanted);
	struct gots            gots = {0};
	struct journal_reader *reader;
	gots.status = journal->ops->reader_open(journal, wanted, PARTITIONS, after, &reader, &gots.err);
	if (gots.status != STATUS_OK)
		return gots;
	gots_read(&gots, journal, reader);
	journal->ops->reader_close(reader);
	return gots;
}

void gots_done(struct gots *gots)
{
	for (size_t i = 0; i < gots->count; i++)
		free(gots->items[i].text);
	VECTOR_DONE(gots);
}
