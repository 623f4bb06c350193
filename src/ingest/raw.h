#ifndef SONNIM_INGEST_RAW_H
#define SONNIM_INGEST_RAW_H

/* Where the messages of a body stand in its text: the parsed form does not tell. Only for bodies
 * that were parsed, so that nothing is checked again; without recursion. */

#include <stdbool.h>

#include "base/text.h"

/* struct raw_items items = raw_items(body, "batch");
 * while (raw_next(&items)) … items.item …
 * Over the items of the array that is the last member `member` of the object `body`, or of the
 * array that `body` is. None where there is no such array, or the name is written with escapes. */
struct raw_items {
	struct text item;
	const char *at;
	const char *end;
};

struct raw_items raw_items(struct text body, struct text member);
bool             raw_next(struct raw_items *items);

#endif
