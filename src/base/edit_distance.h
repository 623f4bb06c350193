#ifndef SONNIM_BASE_EDIT_DISTANCE_H
#define SONNIM_BASE_EDIT_DISTANCE_H

/* How many slips lie between two names: insertions, removals and replacements of a byte
 * (Levenshtein), to name what somebody may have meant. */

#include "base/text.h"

enum { EDIT_DISTANCE_BYTES_MAX = 256 };

/* The distance where it is below `limit`; else, and for texts of more than EDIT_DISTANCE_BYTES_MAX
 * bytes, `limit`. Cost: at most the product of the lengths, less the smaller the limit. */
size_t edit_distance(struct text a, struct text b, size_t limit);

#endif
