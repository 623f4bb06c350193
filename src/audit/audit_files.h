#ifndef SONNIM_AUDIT_FILES_H
#define SONNIM_AUDIT_FILES_H

/* The files of a trail: DIRECTORY/00000000000000000001.jsonl, named by the number of their first
 * record; each goes on where the one before ends. The last one may end in zeros, which were
 * allocated ahead, and in a part of a line that a crash has left. */

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "base/vector.h"

enum { AUDIT_PATH_BYTES = 4096 };

/* A file is read as a whole; files end long before this, but while the disk is full. */
#define AUDIT_FILE_BYTES_MAX (INT64_C(1) << 30)

struct audit_file {
	uint64_t first_seq;
	int64_t  first_ms; /* time of its first record; INSTANT_MS_NONE: it has none that is whole */
	uint64_t bytes;    /* as the disk has it */
};

typedef VECTOR(struct audit_file) audit_file_list;

void audit_file_path(const char *directory, uint64_t first_seq, char ret_path[AUDIT_PATH_BYTES]);

/* By number; a directory that is not there has none. Reads the first line of each. */
MUST_USE enum status audit_files_list(const char *directory, audit_file_list *ret_files,
                                      struct error *err);

/* Adds the content, at most `bytes_max` of it, without the zeros at its end. */
MUST_USE enum status audit_file_read(const char *directory, uint64_t first_seq, uint64_t bytes_max,
                                     struct buffer *out, struct error *err);

/* for (struct audit_lines i = {.rest = content}; audit_lines_next(&i);) … i.line …
 * Whole lines, without their newlines; `rest` is then what stands behind the last one. */
struct audit_lines {
	struct text rest;
	struct text line;
};
bool audit_lines_next(struct audit_lines *lines);

#endif
