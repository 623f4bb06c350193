#include "transfer/import/import_sort.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum {
	HEAD_BYTES        = 20,
	READ_BYTES_MIN    = 64 << 10,
	READ_BYTES_MAX    = 4 << 20,
	WRITE_BYTES       = 4 << 20,
	MESSAGE_BYTES_MAX = 8 << 20,
};

static const char run_prefix[] = ".run-";

struct sort_run {
	int                  fd;
	struct buffer        window;
	size_t               at;
	uint64_t             left; /* bytes in the file behind the window */
	struct import_sorted head;
	size_t               read_bytes; /* at a time */
};

static void run_path(const struct import_sort *sort, uint32_t number, const char *suffix,
                     char into[PATH_MAX])
{
	int length = snprintf(into, PATH_MAX, "%s/%s%u%s", sort->directory, run_prefix, number, suffix);
	assert(length < PATH_MAX);
}

/* Runs from `from` on, and what was being written. */
static void remove_from(const char *directory, unsigned long from)
{
	DIR *open = opendir(directory);
	if (open == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(open)) != NULL;) {
		char *end;
		if (strncmp(entry->d_name, run_prefix, sizeof run_prefix - 1) != 0)
			continue;
		unsigned long number = strtoul(entry->d_name + sizeof run_prefix - 1, &end, 10);
		if (number >= from || *end != '\0')
			(void)unlinkat(dirfd(open), entry->d_name, 0);
	}
	closedir(open);
}

void import_sort_remove(const char *directory) { remove_from(directory, 0); }

enum status import_sort_init(struct import_sort *sort, const char *directory, uint32_t run_count,
                             struct error *err)
{
	char path[PATH_MAX];
	*sort = (struct import_sort){.directory = strdup(directory), .run_count = run_count};
	if (sort->directory == NULL)
		abort();
	remove_from(directory, run_count);
	for (uint32_t i = 0; i < run_count; i++) {
		run_path(sort, i, "", path);
		if (access(path, R_OK) != 0)
			return file_error(err, errno, "cannot find", path);
	}
	return STATUS_OK;
}

void import_sort_done(struct import_sort *sort)
{
	for (size_t i = 0; sort->runs != NULL && i < sort->run_count; i++) {
		buffer_done(&sort->runs[i].window);
		if (sort->runs[i].fd >= 0)
			close(sort->runs[i].fd);
	}
	free(sort->runs);
	free(sort->directory);
	buffer_done(&sort->texts);
	VECTOR_DONE(&sort->items);
}

/* ---- Runs ---- */

bool import_sort_add(struct import_sort *sort, int64_t time_ms, uint64_t line, struct text message)
{
	VECTOR_ADD(&sort->items,
	           (struct sort_item){time_ms, line, sort->texts.length, (uint32_t)message.length});
	buffer_add_text(&sort->texts, message);
	return sort->texts.length + sort->items.count * sizeof sort->items.items[0] >=
	       IMPORT_SORT_BYTES;
}

static int by_time(const void *a, const void *b)
{
	const struct sort_item *left = a, *right = b;
	if (left->time_ms != right->time_ms)
		return left->time_ms < right->time_ms ? -1 : 1;
	return (left->line > right->line) - (left->line < right->line);
}

static enum status write_items(const struct import_sort *sort, int fd, const char *path,
                               struct error *err)
{
	struct buffer out    = {0};
	enum status   status = STATUS_OK;
	for (size_t i = 0; status == STATUS_OK && i < sort->items.count; i++) {
		const struct sort_item *item = &sort->items.items[i];
		buffer_add_i64(&out, item->time_ms);
		buffer_add_u64(&out, item->line);
		buffer_add_u32(&out, item->length);
		buffer_add(&out, sort->texts.data + item->offset, item->length);
		if (out.length < WRITE_BYTES && i + 1 < sort->items.count)
			continue;
		status = file_write_all(fd, out.data, out.length, path, err);
		buffer_clear(&out);
	}
	if (status == STATUS_OK && fdatasync(fd) != 0)
		status = file_error(err, errno, "cannot sync", path);
	buffer_done(&out);
	return status;
}

enum status import_sort_spill(struct import_sort *sort, struct error *err)
{
	char part[PATH_MAX], path[PATH_MAX];
	if (sort->items.count == 0)
		return STATUS_OK;
	if (sort->run_count == IMPORT_RUNS_MAX)
		return error_set(err, STATUS_TOO_LARGE, "the file is too large to be sorted");
	run_path(sort, sort->run_count, ".part", part);
	run_path(sort, sort->run_count, "", path);
	qsort(sort->items.items, sort->items.count, sizeof sort->items.items[0], by_time);
	int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_error(err, errno, "cannot write", part);
	enum status status = write_items(sort, fd, part, err);
	close(fd);
	if (status == STATUS_OK && rename(part, path) != 0)
		status = file_error(err, errno, "cannot rename", part);
	if (status == STATUS_OK)
		status = directory_sync(sort->directory, err);
	if (status != STATUS_OK)
		return status;
	sort->run_count++;
	sort->items.count = 0;
	buffer_clear(&sort->texts);
	return STATUS_OK;
}

/* ---- Merging ---- */

static enum status damaged(struct error *err)
{
	return error_set(err, STATUS_CORRUPT, "a sorted run is damaged");
}

/* At least `wanted` bytes from `at` on in the window. */
static enum status fill(struct sort_run *run, size_t wanted, struct error *err)
{
	struct buffer *window = &run->window;
	if (window->length - run->at >= wanted)
		return STATUS_OK;
	if (run->at > 0)
		memmove(window->data, window->data + run->at, window->length - run->at);
	window->length -= run->at;
	run->at = 0;
	while (window->length < wanted) {
		size_t  room = wanted > run->read_bytes ? wanted : run->read_bytes;
		char   *into = buffer_reserve(window, room - window->length);
		size_t  most = room - window->length < run->left ? room - window->length : run->left;
		ssize_t got  = most == 0 ? 0 : read(run->fd, into, most);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_errno(err, STATUS_IO, errno, "cannot read a sorted run");
		if (got == 0)
			return damaged(err);
		window->length += (size_t)got;
		run->left -= (uint64_t)got;
	}
	return STATUS_OK;
}

/* The next of the run into `head`; STATUS_NOT_FOUND: there is none. */
static enum status advance(struct sort_run *run, struct error *err)
{
	if (run->left == 0 && run->at >= run->window.length)
		return STATUS_NOT_FOUND;
	enum status status = fill(run, HEAD_BYTES, err);
	if (status != STATUS_OK)
		return status;
	struct byte_reader reader = byte_reader_of(run->window.data + run->at, HEAD_BYTES);
	run->head.time_ms         = read_i64(&reader);
	run->head.line            = read_u64(&reader);
	uint32_t length           = read_u32(&reader);
	if (length > MESSAGE_BYTES_MAX)
		return damaged(err);
	if ((status = fill(run, HEAD_BYTES + length, err)) != STATUS_OK)
		return status;
	run->head.message = (struct text){run->window.data + run->at + HEAD_BYTES, length};
	run->at += HEAD_BYTES + length;
	return STATUS_OK;
}

static bool is_before(const struct sort_run *a, const struct sort_run *b)
{
	if (a->head.time_ms != b->head.time_ms)
		return a->head.time_ms < b->head.time_ms;
	return a->head.line < b->head.line;
}

/* Puts the run at `index` into its place among those below it: a heap, the first one on top. */
static void sift_down(struct import_sort *sort, size_t index)
{
	for (;;) {
		size_t least = index;
		for (size_t child = 2 * index + 1; child <= 2 * index + 2; child++)
			if (child < sort->left && is_before(&sort->runs[child], &sort->runs[least]))
				least = child;
		if (least == index)
			return;
		struct sort_run moved = sort->runs[index];
		sort->runs[index]     = sort->runs[least];
		sort->runs[least]     = moved;
		index                 = least;
	}
}

/* A run that is over goes behind those that are not. */
static void retire(struct import_sort *sort, size_t index)
{
	struct sort_run over   = sort->runs[index];
	sort->runs[index]      = sort->runs[--sort->left];
	sort->runs[sort->left] = over;
}

static enum status open_run(struct import_sort *sort, uint32_t number, struct error *err)
{
	char             path[PATH_MAX];
	struct sort_run *run = &sort->runs[number];
	run_path(sort, number, "", path);
	run->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (run->fd < 0)
		return file_error(err, errno, "cannot open", path);
	off_t size = lseek(run->fd, 0, SEEK_END);
	if (size < 0 || lseek(run->fd, 0, SEEK_SET) < 0)
		return file_error(err, errno, "cannot read", path);
	run->left       = (uint64_t)size;
	run->read_bytes = IMPORT_SORT_BYTES / sort->run_count;
	if (run->read_bytes < READ_BYTES_MIN)
		run->read_bytes = READ_BYTES_MIN;
	if (run->read_bytes > READ_BYTES_MAX)
		run->read_bytes = READ_BYTES_MAX;
	return STATUS_OK;
}

static enum status begin(struct import_sort *sort, struct error *err)
{
	VECTOR_DONE(&sort->items);
	buffer_done(&sort->texts);
	sort->begun = true;
	sort->runs  = calloc((size_t)sort->run_count + 1, sizeof *sort->runs);
	if (sort->runs == NULL)
		abort();
	for (uint32_t i = 0; i < sort->run_count; i++)
		sort->runs[i].fd = -1;
	for (uint32_t i = 0; i < sort->run_count; i++) {
		enum status status = open_run(sort, i, err);
		if (status == STATUS_OK)
			status = advance(&sort->runs[i], err);
		if (status != STATUS_OK)
			return status == STATUS_NOT_FOUND ? damaged(err) : status; /* none is empty */
	}
	sort->left = sort->run_count;
	for (size_t i = sort->left; i-- > 0;)
		sift_down(sort, i);
	return STATUS_OK;
}

/* The message handed out lies in its run's window: that goes on with the next call. */
static enum status go_on(struct import_sort *sort, struct error *err)
{
	enum status status = advance(&sort->runs[0], err);
	if (status == STATUS_NOT_FOUND)
		retire(sort, 0);
	else if (status != STATUS_OK)
		return status;
	sift_down(sort, 0);
	return STATUS_OK;
}

enum status import_sort_next(struct import_sort *sort, struct import_sorted *ret_sorted,
                             struct error *err)
{
	enum status status = sort->begun ? STATUS_OK : begin(sort, err);
	if (status == STATUS_OK && sort->handed_out)
		status = go_on(sort, err);
	if (status != STATUS_OK)
		return status;
	sort->handed_out = sort->left > 0;
	if (sort->left == 0)
		return STATUS_NOT_FOUND;
	*ret_sorted = sort->runs[0].head;
	return STATUS_OK;
}
