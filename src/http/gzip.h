#ifndef SONNIM_HTTP_GZIP_H
#define SONNIM_HTTP_GZIP_H

/* Decompression of request bodies (RFC 1952), several members in a row too. */

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"

/* Appends what `compressed` holds to `out`. STATUS_TOO_LARGE beyond `bytes_max`, STATUS_INVALID
 * when it is damaged, cut off or followed by anything else. */
MUST_USE enum status gzip_decompress(struct text compressed, size_t bytes_max, struct buffer *out,
                                     struct error *err);

#endif
