#ifndef SONNIM_APP_IMPORT_PROGRESS_H
#define SONNIM_APP_IMPORT_PROGRESS_H

/* How far an import is: one line on the standard error, drawn again and again while that is a
 * terminal,
 *
 *   [===========>            ]  46%  1,204,000 rows  98,400/s  12 rejected
 *
 * and lines about bad rows, which it makes room for: IMPORT_LINES_MAX of those at most. */

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum { IMPORT_LINES_MAX = 100 };

struct import_progress {
	bool     terminal;
	bool     drawn;
	int64_t  begin_ms;
	int64_t  drawn_ms;
	unsigned lines;
};

void import_progress_begin(struct import_progress *progress);

/* `position` of `size` bytes read (size 0: unknown). */
void import_progress_draw(struct import_progress *progress, uint64_t position, uint64_t size,
                          uint64_t rows, uint64_t rejected);

/* "sonnim import: line 17: INVALID_TIMESTAMP: …"; `code` may be NULL. */
void import_progress_bad_row(struct import_progress *progress, uint64_t line, struct text code,
                             struct text reason);

/* Clears the line. */
void import_progress_end(struct import_progress *progress);

/* "1,204,000" */
enum { IMPORT_NUMBER_BYTES = 32 };
const char *import_number(uint64_t number, char into[IMPORT_NUMBER_BYTES]);

#endif
