#include "base/edit_distance.h"

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

size_t edit_distance(struct text a, struct text b, size_t limit)
{
	size_t longer = a.length > b.length ? a.length - b.length : b.length - a.length;
	if (longer >= limit || a.length > EDIT_DISTANCE_BYTES_MAX || b.length > EDIT_DISTANCE_BYTES_MAX)
		return limit;

	/* Row by row; row[j]: from the first i bytes of `a` to the first j of `b`. */
	size_t row[EDIT_DISTANCE_BYTES_MAX + 1];
	for (size_t j = 0; j <= b.length; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.length; i++) {
		size_t diagonal = row[0];
		size_t least = row[0] = i;
		for (size_t j = 1; j <= b.length; j++) {
			size_t replaced = diagonal + (a.data[i - 1] != b.data[j - 1]);
			diagonal        = row[j];
			row[j]          = smaller(replaced, smaller(row[j], row[j - 1]) + 1);
			least           = smaller(least, row[j]);
		}
		/* Later rows are never below the least of this one. */
		if (least >= limit)
			return limit;
	}
	return smaller(row[b.length], limit);
}

const char *edit_nearest(struct text name, const char *const *names)
{
	enum { SLIPS_MAX = 2 };
	const char *best          = NULL;
	size_t      best_distance = SLIPS_MAX + 1;
	for (; *names != NULL; names++) {
		size_t distance = edit_distance(name, text_of(*names), best_distance);
		if (distance < best_distance && distance * 2 < strlen(*names) + 1) {
			best          = *names;
			best_distance = distance;
		}
	}
	return best;
}
