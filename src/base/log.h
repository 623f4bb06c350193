#ifndef SONNIM_BASE_LOG_H
#define SONNIM_BASE_LOG_H

/* The process's log: one JSON object a line on standard error,
 *   {"time":"2025-01-07T10:30:00.123Z","level":"info","message":"listening","traceId":"…",
 *    "address":"127.0.0.1:8080"}
 * Never payloads, tokens or personal data. Any thread; a line is one write(2).
 * The trace id of the request that this thread works on is added by itself (log_trace_set). */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log_field {
	const char *name;
	const char *string; /* NULL: `number` counts */
	int64_t     number;
};

#define LOG_STRING(name, value) ((struct log_field){(name), (value), 0})
#define LOG_NUMBER(name, value) ((struct log_field){(name), NULL, (int64_t)(value)})

void log_level_set(enum log_level least);
bool log_enabled(enum log_level level);   /* for lines that cost something to make */
void log_trace_set(const char *trace_id); /* copied; NULL or "" clears */
void log_fields(enum log_level level, const char *message, const struct log_field *fields,
                unsigned count);

/* log_line(LOG_INFO, "listening", LOG_STRING("address", a)); at least one field. */
#define log_line(level, message, ...)                                                              \
	log_fields((level), (message), (struct log_field[]){__VA_ARGS__},                              \
	           sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_message(level, message) log_fields((level), (message), NULL, 0)

/* The error's code, field and reason as fields. */
void log_error(const char *message, const struct error *err);

#endif
