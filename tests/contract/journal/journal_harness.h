#ifndef SONNIM_TESTS_CONTRACT_JOURNAL_HARNESS_H
#define SONNIM_TESTS_CONTRACT_JOURNAL_HARNESS_H

/* What the tests of journals share: a directory of their own, appends that wait for their answer,
 * and everything that a reader hands out, record by record. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "journal/file_log.h"
#include "journal/journal.h"

enum { PARTITIONS = 8 };

/* A new empty directory under $TMPDIR or /tmp; removed, with all below it, by the other. */
char *temporary_directory(void);
void  remove_directory(char *path);

/* Copies all files of a directory (one level) into a new temporary one. */
char *copy_directory(const char *path);

/* A record as the journal frames it: its size, then `text` as content. */
void record_add(struct buffer *out, const char *text);

/* One append of one record, or of several batches; waits for the answer. */
struct answer {
	enum status  status; /* of append() itself, else of the callback */
	bool         called_back;
	uint64_t     position;
	int64_t      log_time_ms;
	struct error err;
};
struct answer append_one(struct journal *journal, uint32_t partition, const char *text);
struct answer append_batches(struct journal *journal, const struct journal_batch *batches,
                             size_t count);
/* `count` records of `bytes` content each, named by a running number. */
struct answer append_many(struct journal *journal, uint32_t partition, unsigned count,
                          size_t bytes);

/* An append that does not wait: answer_wait() does. */
struct pending;
struct pending *append_begin(struct journal *journal, const struct journal_batch *batches,
                             size_t count);
struct answer   append_end(struct pending *pending); /* frees it */

/* One record that was read. */
struct got {
	uint32_t partition;
	uint64_t position;
	int64_t  log_time_ms;
	uint64_t frame_position;
	bool     frame_end; /* of its batch */
	char    *text;      /* content, NUL-ended */
	size_t   length;
};
struct gots {
	struct got  *items;
	size_t       count;
	size_t       capacity;
	enum status  status; /* how it ended: STATUS_AGAIN, or an error */
	int64_t      safe_time_ms;
	uint64_t     through;
	struct error err;
};
/* Reads on until there is no more. */
void gots_read(struct gots *gots, struct journal *journal, struct journal_reader *reader);
void gots_add(struct gots *gots, const struct journal_read *read);
/* Everything of all partitions behind `after`, with a reader of its own. */
struct gots read_all(struct journal *journal, uint64_t after);
void        gots_done(struct gots *gots);

/* Says that nothing before `position` is needed and waits until what can go has gone: the first
 * position that there is then. */
uint64_t delete_before(struct journal *journal, const char *directory, uint64_t position);

/* Waits until all sealed files are packed. */
void wait_until_packed(struct journal *journal);

/* "file", "offset" as verify and open name them: whether `reason` names this file and offset. */
bool names_place(const char *reason, const char *file_name, uint64_t offset);

/* Reads or writes a byte of a file; the size; fills with zeros from an offset on. */
uint8_t  file_byte(const char *path, uint64_t offset);
void     file_flip(const char *path, uint64_t offset, unsigned bit);
void     file_zero_from(const char *path, uint64_t offset);
uint64_t file_length(const char *path);
/* DIRECTORY/…position….log, in a static buffer; the same with ".zst". */
const char *log_path(const char *directory, uint64_t position);
const char *packed_path(const char *directory, uint64_t position);

#endif
