#include "base/log.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

enum { TRACE_ID_BYTES_MAX = 64 };

static const char *const level_names[] = {
	[LOG_DEBUG]   = "debug",
	[LOG_INFO]    = "info",
	[LOG_WARNING] = "warning",
	[LOG_ERROR]   = "error",
};

static _Atomic enum log_level least_level = LOG_INFO;
static _Thread_local char     trace[TRACE_ID_BYTES_MAX + 1];

void log_level_set(enum log_level least)
{
	atomic_store_explicit(&least_level, least, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

void log_trace_set(const char *trace_id)
{
	snprintf(trace, sizeof trace, "%s", trace_id == NULL ? "" : trace_id);
}

void log_fields(enum log_level level, const char *message, const struct log_field *fields,
                unsigned count)
{
	assert(level >= LOG_DEBUG && level <= LOG_ERROR);
	if (level < atomic_load_explicit(&least_level, memory_order_relaxed))
		return;

	struct buffer      line   = {0};
	struct json_writer writer = json_writer_of(&line);
	json_begin_object(&writer);
	json_member_instant(&writer, "time", clock_wall_ms());
	json_member_string(&writer, "level", text_of(level_names[level]));
	json_member_string(&writer, "message", text_of(message));
	if (trace[0] != '\0')
		json_member_string(&writer, "traceId", text_of(trace));
	for (unsigned i = 0; i < count; i++) {
		if (fields[i].string != NULL)
			json_member_string(&writer, fields[i].name, text_of(fields[i].string));
		else
			json_member_int(&writer, fields[i].name, fields[i].number);
	}
	json_end_object(&writer);
	buffer_add_u8(&line, '\n');

	/* A log that cannot be written has nowhere to say so. */
	ssize_t ignored = write(STDERR_FILENO, line.data, line.length);
	(void)ignored;
	buffer_done(&line);
}

void log_error(const char *message, const struct error *err)
{
	const struct log_field fields[] = {
		LOG_STRING("code", status_code(err->status)),
		LOG_STRING("reason", err->reason),
		LOG_STRING("field", err->field),
	};
	unsigned count = sizeof fields / sizeof fields[0];
	log_fields(LOG_ERROR, message, fields, err->field[0] == '\0' ? count - 1 : count);
}
