#ifndef SONNIM_API_CONSUMER_CURSOR_H
#define SONNIM_API_CONSUMER_CURSOR_H

/* How far somebody has read the change stream of all partitions. An entry's place in the stream of
 * its partition never changes, over restarts too. */

#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

struct consumer_cursor {
	uint32_t  turn; /* the partition that the next page begins with */
	uint32_t  partition_count;
	uint64_t *after; /* entries read, by partition */
};

/* The empty text is the begin of the stream. STATUS_INVALID at field "cursor". */
MUST_USE enum status consumer_cursor_read(struct text text, uint32_t partition_count,
                                          struct arena *arena, struct consumer_cursor *ret_cursor,
                                          struct error *err);
void consumer_cursor_write(const struct consumer_cursor *cursor, struct buffer *out);

#endif
