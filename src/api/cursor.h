#ifndef SONNIM_API_CURSOR_H
#define SONNIM_API_CURSOR_H

/* Opaque texts that come back to us: where a list goes on, and positions of the journal. Both bear
 * a check, so that a text that was cut, mixed up or made up is refused by name instead of answered
 * with something else.
 *
 *   cursor    base64url of: u32 check, u8 kind, content        check = XXH3 of kind and content
 *   position  16 hexadecimal digits of the number, 4 of its check */

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"

/* Which list a cursor belongs to: part of the format of cursors, checked when one comes back. */
enum cursor_kind {
	CURSOR_MEMBERS         = 1,
	CURSOR_SEGMENT_HISTORY = 2,
	CURSOR_USER_HISTORY    = 3,
	CURSOR_USER_EVENTS     = 4,
	CURSOR_USER_SEGMENTS   = 5,
	CURSOR_OFFSET          = 6,
	CURSOR_CHANGES         = 7,
	CURSOR_JOBS            = 8,
	CURSOR_LETTERS         = 9,
	CURSOR_AUDIENCES       = 10,
	CURSOR_DIMENSION       = 11,
	CURSOR_AUDIT           = 12,
};

enum { CURSOR_TEXT_BYTES_MAX = 16 * 1024, POSITION_TEXT_BYTES = 24 };

/* Appends the cursor's text. */
void cursor_write(struct buffer *out, enum cursor_kind kind, struct text content);

/* Appends the content of a cursor to `ret_content`. STATUS_INVALID at field "cursor". */
MUST_USE enum status cursor_read(struct text text, enum cursor_kind kind,
                                 struct buffer *ret_content, struct error *err);

void position_write(uint64_t position, char into[POSITION_TEXT_BYTES]);

/* False: not a position of ours. */
bool position_read(struct text text, uint64_t *ret_position);

#endif
