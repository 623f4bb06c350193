#ifndef SONNIM_API_ERRORS_H
#define SONNIM_API_ERRORS_H

/* From the one enum of statuses to HTTP, and the form of every error (docs/api.md, "Errors"):
 *   {"error":{"code":"VALIDATION_ERROR","message":"…","details":{"field":"…","reason":"…"},
 *             "timestamp":"2025-01-07T10:30:00Z","traceId":"…"}} */

#include "base/buffer.h"
#include "base/error.h"

enum { RETRY_AFTER_S = 1 };

/* 400 for STATUS_INVALID; 500 for what is nobody's fault outside. Never for STATUS_OK. */
unsigned errors_http_status(enum status status);

/* Whether an answer with this HTTP status bears Retry-After. */
bool errors_wants_retry_after(unsigned http_status);

/* Appends the body. `timestamp_ms` is epoch milliseconds. What went wrong inside (500) is named by
 * its code only: paths and texts of the operating system stay in the log. `code` stands in for the
 * status's own one; NULL: that. */
void errors_write(struct buffer *out, const struct error *err, const char *code,
                  const char *trace_id, int64_t timestamp_ms);

#endif
