#ifndef SONNIM_TRANSFER_IMPORT_REPORT_H
#define SONNIM_TRANSFER_IMPORT_REPORT_H

/* What came of the rows of an import: how many were taken, and of each mistake how many rows have
 * it and on which lines the first stand. It is a part of the import's saved state, so that after an
 * interruption every row is counted once. No value of a row is in it. One owner. */

#include "base/arena.h"
#include "base/json.h"
#include "base/vector.h"

enum {
	IMPORT_MISTAKES_MAX      = 64, /* kinds of them; further ones are counted together */
	IMPORT_MISTAKE_LINES_MAX = 5,
	IMPORT_MISTAKE_BYTES_MAX = 200,
	IMPORT_IGNORED_BYTES_MAX = 4096,
};

struct import_mistake {
	char     code[32];
	char     reason[IMPORT_MISTAKE_BYTES_MAX];
	uint64_t count;
	uint64_t lines[IMPORT_MISTAKE_LINES_MAX];
	unsigned line_count;
};

struct import_report {
	uint64_t rows;
	uint64_t accepted;
	uint64_t rejected;
	int64_t  first_ms; /* of the timestamps; INSTANT_MS_NONE: no row had one */
	int64_t  last_ms;
	uint64_t position; /* of the last record in the journal */
	VECTOR(struct import_mistake) mistakes;
};

void import_report_init(struct import_report *report);
void import_report_done(struct import_report *report);

/* A row that was read; its timestamp or INSTANT_MS_NONE. */
void import_report_row(struct import_report *report, int64_t time_ms);

/* A row that is not taken. Texts too long are cut off. */
void import_report_reject(struct import_report *report, uint64_t line, struct text code,
                          struct text reason);

/* Members of an object: rows, accepted, rejected, mistakes, … */
void import_report_write(const struct import_report *report, struct json_writer *writer);

/* Takes back what was written; what is not there, or wrong, is left out. */
void import_report_read(struct import_report *report, struct json object);

#endif
