#ifndef SONNIM_APP_PROGRESS_H
#define SONNIM_APP_PROGRESS_H

/* A line with a bar on the standard error, drawn over itself, while that is a terminal:
 *
 *     running  [===========>                  ]  38 %  5,120,000 bytes
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Zeroed memory is one of which nothing is drawn yet. */
struct progress {
	int64_t drawn_ms;
	bool    drawn;
};

/* Draws, unless it did so just now. `total` 0: not known, there is no bar. */
void progress_draw(struct progress *progress, struct text what, uint64_t done, uint64_t total,
                   struct text unit);

/* Takes the line away, so that something else can be printed. */
void progress_end(struct progress *progress);

/* "1,204,000" */
enum { PROGRESS_NUMBER_BYTES = 32 };
const char *progress_number(uint64_t number, char into[PROGRESS_NUMBER_BYTES]);

#endif
