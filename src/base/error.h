#ifndef SONNIM_BASE_ERROR_H
#define SONNIM_BASE_ERROR_H

/* How a function fails: it returns an `enum status` (never ignored) and describes the failure in
 * its last parameter, a `struct error` that the caller owns and that success leaves untouched.
 *
 * Lower layers return errors, they never log them: `api`, `ingest` and `app` log, once.
 * A reason is a sentence for a person: it never holds payloads, tokens or personal data.
 * A programmer's mistake is an assertion (kept in release builds), not an error. */

#include <stdbool.h>
#include <stdint.h>

/* status, code shown to the outside, whether the same call may succeed later */
#define STATUS_TABLE(X)                                                                            \
	X(STATUS_OK, "OK", false)                                                                      \
	X(STATUS_AGAIN, "AGAIN", true)               /* nothing there yet */                           \
	X(STATUS_INVALID, "VALIDATION_ERROR", false) /* the input; `field` says where */               \
	X(STATUS_UNSUPPORTED, "UNSUPPORTED", false)  /* valid, but not offered here */                 \
	X(STATUS_UNAUTHORIZED, "UNAUTHORIZED", false)                                                  \
	X(STATUS_FORBIDDEN, "FORBIDDEN", false)                                                        \
	X(STATUS_NOT_FOUND, "NOT_FOUND", false)                                                        \
	X(STATUS_GONE, "GONE", false) /* it was there, and will not be again */                        \
	X(STATUS_METHOD, "METHOD_NOT_ALLOWED", false)                                                  \
	X(STATUS_CONFLICT, "CONFLICT", false)                /* with the present state */              \
	X(STATUS_PRECONDITION, "PRECONDITION_FAILED", false) /* If-Match names another version */      \
	X(STATUS_TOO_LARGE, "PAYLOAD_TOO_LARGE", false)                                                \
	X(STATUS_LIMITED, "RATE_LIMITED", true)                                                        \
	X(STATUS_UNAVAILABLE, "UNAVAILABLE", true) /* starting, stopping, overloaded */                \
	X(STATUS_TIMEOUT, "TIMEOUT", true)                                                             \
	X(STATUS_NO_SPACE, "NO_SPACE", true)      /* the disk is full */                               \
	X(STATUS_NO_MEMORY, "MEMORY_LIMIT", true) /* a memory limit is reached */                      \
	X(STATUS_FAILED, "WRITES_STOPPED", false) /* after a failed write or sync */                   \
	X(STATUS_IO, "IO_ERROR", false)                                                                \
	X(STATUS_CORRUPT, "CORRUPT", false) /* a checksum or a format is wrong */                      \
	X(STATUS_INTERNAL, "INTERNAL_ERROR", false)

enum status {
#define X(status, code, retriable) status,
	STATUS_TABLE(X)
#undef X
		STATUS_COUNT
};

enum { ERROR_FIELD_BYTES_MAX = 256, ERROR_REASON_BYTES_MAX = 512 };

struct error {
	enum status status;
	bool        fatal; /* the object that failed takes no further calls until it is reopened */
	char        field[ERROR_FIELD_BYTES_MAX];   /* "rules[0].value"; "" when none */
	char        reason[ERROR_REASON_BYTES_MAX]; /* "Value must be greater than 0" */
};

#define MUST_USE __attribute__((warn_unused_result))

/* Fills `err` (may be NULL), without a field, and returns `status`. Texts are cut off at their
 * limits. */
enum status error_set(struct error *err, enum status status, const char *reason_format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with the place of the mistake. */
enum status error_set_field(struct error *err, enum status status, const char *field,
                            const char *reason_format, ...) __attribute__((format(printf, 4, 5)));

/* Adds the text of `error_number` (an errno) behind the reason: "cannot open x: No such file". */
enum status error_set_errno(struct error *err, enum status status, int error_number,
                            const char *reason_format, ...) __attribute__((format(printf, 4, 5)));

/* "VALIDATION_ERROR"; static. */
const char *status_code(enum status status);
bool        status_retriable(enum status status);

#endif
