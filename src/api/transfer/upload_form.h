#ifndef SONNIM_API_UPLOAD_FORM_H
#define SONNIM_API_UPLOAD_FORM_H

/* Where in an upload the file lies: all of it, or, in a form (multipart/form-data, RFC 7578), the
 * part called "file", which must be the last. A part "mapping" before it says what the file's
 * columns mean. Nothing is copied: the upload stays as it came. */

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

enum { UPLOAD_FORM_HEAD_BYTES_MAX = 128 << 10 }; /* all before the file's content */

struct upload_form {
	uint64_t    offset;
	uint64_t    bytes;
	struct text name;    /* of the file, as the client calls it; empty: not said */
	struct text mapping; /* empty: there is none */
};

/* `content_type` is the request's; texts come from the arena. STATUS_INVALID with what is wrong. */
MUST_USE enum status upload_form_read(int fd, uint64_t bytes, struct text content_type,
                                      struct arena *arena, struct upload_form *ret_form,
                                      struct error *err);

#endif
