#ifndef SONNIM_HTTP_PERCENT_H
#define SONNIM_HTTP_PERCENT_H

/* Percent-encoding (RFC 3986, section 2.1) of path segments and query parameters. */

#include <stdbool.h>

#include "base/arena.h"
#include "base/text.h"

/* Decodes; points into `encoded` when there is nothing to decode, else into the arena. False: a
 * broken escape, a NUL or control character, or no valid UTF-8. '+' stays. */
bool percent_decode(struct arena *arena, struct text encoded, struct text *ret_decoded);

#endif
