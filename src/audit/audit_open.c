/* Where a trail ends, when it is opened. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit_internal.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/instant.h"
#include "base/json.h"

enum { ALLOCATE_BYTES = 1 << 20 };

/* What the newest file that has a record says. */
struct tail {
	struct audit_link last;
	uint64_t          head_seq;    /* the newest signed record */
	uint64_t          whole;       /* bytes of whole lines in the newest file */
	uint64_t          torn;        /* behind them */
	bool              damaged;     /* a line is none, or does not go on from the one before */
	bool              contradicts; /* the anchor's record is there, with another hash */
};

static void walk(struct text content, const struct audit_head *anchor, struct tail *tail)
{
	struct audit_lines i = {.rest = content};
	while (audit_lines_next(&i)) {
		struct audit_line line;
		struct error      ignored;
		if (audit_line_read(i.line, &line, &ignored) != STATUS_OK) {
			tail->damaged = true;
			continue;
		}
		if (tail->last.seq != 0 && (line.link.seq != tail->last.seq + 1 ||
		                            memcmp(line.prev, tail->last.hash, sizeof line.prev) != 0))
			tail->damaged = true;
		if (line.link.seq == anchor->seq &&
		    memcmp(line.link.hash, anchor->hash, sizeof anchor->hash) != 0)
			tail->contradicts = true;
		if (line.link.seq > tail->last.seq)
			tail->last = line.link;
		if (line.is_signed)
			tail->head_seq = line.link.seq;
	}
	tail->whole = content.length - i.rest.length;
	tail->torn  = i.rest.length;
}

/* From the newest file back to the first that has a record: behind a new file that nothing was
 * written to yet lies a whole one. */
static enum status find_tail(struct audit *audit, const struct audit_head *anchor,
                             struct tail *tail, struct error *err)
{
	struct buffer content = {0};
	enum status   status  = STATUS_OK;
	for (size_t i = audit->files.count; i > 0 && tail->last.seq == 0 && status == STATUS_OK; i--) {
		struct tail found = {0};
		buffer_clear(&content);
		status = audit_file_read(audit->directory, audit->files.items[i - 1].first_seq,
		                         (uint64_t)AUDIT_FILE_BYTES_MAX, &content, err);
		walk(buffer_text(&content), anchor, &found);
		bool newest   = i == audit->files.count;
		found.damaged = found.damaged || tail->damaged || (!newest && found.torn > 0);
		found.whole   = newest ? found.whole : tail->whole;
		found.torn    = newest ? found.torn : tail->torn;
		*tail         = found;
	}
	buffer_done(&content);
	return status;
}

static const char *why_broken(const struct tail *tail, const struct audit_head *anchor)
{
	if (tail->damaged)
		return "damaged";
	if (tail->contradicts)
		return "changed";
	return tail->last.seq < anchor->seq ? "cut" : NULL;
}

static void describe(const char *why, const struct tail *tail, const struct audit_head *anchor,
                     struct buffer *out)
{
	char               hash[2 * SHA256_BYTES + 1];
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_member_string(&w, "reason", text_of(why));
	json_member_int(&w, "found_seq", (int64_t)tail->last.seq);
	json_member_int(&w, "expected_seq", (int64_t)anchor->seq);
	hash_hex(anchor->hash, sizeof anchor->hash, hash);
	json_member_string(&w, "expected_hash", text_of(hash));
	json_end_object(&w);
}

enum status audit_new_file(struct audit *audit, uint64_t first_seq, uint64_t bytes,
                           struct error *err)
{
	char path[AUDIT_PATH_BYTES];
	audit_file_path(audit->directory, first_seq, path);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return file_error(err, errno, "create", path);
	uint64_t    wanted = bytes + ALLOCATE_BYTES;
	int         number = audit->system->allocate(fd, 0, wanted);
	enum status status = number != 0 ? file_error(err, number, "allocate", path)
	                                 : directory_sync(audit->directory, err);
	if (status != STATUS_OK) {
		close(fd);
		(void)unlink(path);
		return status;
	}
	if (audit->fd >= 0)
		close(audit->fd);
	audit->fd        = fd;
	audit->allocated = wanted;
	audit->end = audit->written = 0;
	VECTOR_ADD(&audit->files,
	           (struct audit_file){.first_seq = first_seq, .first_ms = INSTANT_MS_NONE});
	return STATUS_OK;
}

/* Cuts off what a crash has left: zeros, and a line that nobody was told of. */
static enum status go_on(struct audit *audit, const struct tail *tail, struct error *err)
{
	struct audit_file *file = &audit->files.items[audit->files.count - 1];
	char               path[AUDIT_PATH_BYTES];
	audit_file_path(audit->directory, file->first_seq, path);
	audit->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (audit->fd < 0)
		return file_error(err, errno, "open", path);
	if (ftruncate(audit->fd, (off_t)tail->whole) != 0)
		return file_error(err, errno, "cut", path);
	audit->end = audit->written = audit->allocated = tail->whole;
	file->bytes                                    = tail->whole;
	return STATUS_OK;
}

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

enum status audit_find_end(struct audit *audit, const struct audit_head *anchor,
                           struct buffer *ret_broken, struct error *err)
{
	struct tail tail   = {0};
	enum status status = audit_files_list(audit->directory, &audit->files, err);
	if (status == STATUS_OK)
		status = find_tail(audit, anchor, &tail, err);
	if (status != STATUS_OK)
		return status;
	const char *why = why_broken(&tail, anchor);
	audit->last     = tail.last;
	audit->head_seq = tail.head_seq;
	if (tail.last.seq > tail.head_seq)
		audit->unsigned_ms = clock_monotonic_ms();
	if (why == NULL && audit->files.count > 0)
		return go_on(audit, &tail, err);
	if (why == NULL)
		return audit_new_file(audit, 1, 0, err);

	/* Numbers are never used again: a head that was sent elsewhere may bear one of those lost. */
	uint64_t used = larger(tail.last.seq, anchor->seq);
	if (audit->files.count > 0)
		used = larger(used, audit->files.items[audit->files.count - 1].first_seq);
	describe(why, &tail, anchor, ret_broken);
	audit->last.seq = used;
	return audit_new_file(audit, used + 1, 0, err);
}
