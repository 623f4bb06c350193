#ifndef SONNIM_BASE_EDIT_DISTANCE_H
#define SONNIM_BASE_EDIT_DISTANCE_H

/* How many slips lie between two names: insertions, removals and replacements of a byte
 * (Levenshtein), to name what somebody may have meant. */

#include "base/text.h"

enum { EDIT_DISTANCE_BYTES_MAX = 256 };

/* The distance where it is below `limit`; else, and for texts of more than EDIT_DISTANCE_BYTES_MAX
 * bytes, `limit`. Cost: at most the product of the lengths, less the smaller the limit. */
size_t edit_distance(struct text a, struct text b, size_t limit);

/* The one of `names` (ended by NULL) that may have been meant: at most two slips away, and not
 * more than half of the name; the first of several that are equally near. NULL: none is. */
const char *edit_nearest(struct text name, const char *const *names);

#endif
