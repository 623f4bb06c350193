#ifndef SONNIM_INGEST_TAPE_H
#define SONNIM_INGEST_TAPE_H

/* What can be learned of a parsed value by one walk along its tape, without recursion: a text from
 * outside may be nested as deep as it likes. */

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

struct tape_scan {
	unsigned depth;          /* of arrays and objects: 0 for a scalar, 1 for [] */
	bool     overflow;       /* holds a number that is not finite as a double */
	size_t   text_bytes_max; /* of its longest string, names included */
};
struct tape_scan tape_scan(struct json value);

/* The size of its JSON text without white space, escapes counted as the characters they stand
 * for. */
size_t tape_text_bytes(struct json value);

/* Whether that is at most `limit`; costs next to nothing where it is far below and `next`, what
 * follows it in its array (JSON_NONE: unknown), is an object. */
bool tape_fits(struct json value, struct json next, size_t limit);

#endif
