#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *code;
	bool        retriable;
} statuses[] = {
#define X(status, code, retriable) [status] = {code, retriable},
	STATUS_TABLE(X)
#undef X
};

/* A text that was cut off must not end in the middle of a character. */
static void drop_partial_character(char *text)
{
	size_t length = strlen(text);
	size_t begin  = length;
	while (begin > 0 && length - begin < 4 && ((unsigned char)text[begin - 1] & 0xc0) == 0x80)
		begin--;
	if (begin == 0)
		return;

	unsigned char lead = (unsigned char)text[begin - 1];
	size_t        need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (length - (begin - 1) < need)
		text[begin - 1] = '\0';
}

static void copy_cut(char *into, size_t capacity, const char *text)
{
	size_t length = strlen(text);
	bool   cut    = length >= capacity;
	if (cut)
		length = capacity - 1;
	memcpy(into, text, length);
	into[length] = '\0';
	if (cut)
		drop_partial_character(into);
}

static void set(struct error *err, enum status status, const char *field, const char *format,
                va_list arguments)
{
	assert(status != STATUS_OK && status < STATUS_COUNT);
	if (err == NULL)
		return;

	/* The reason first, into a copy: its arguments may point into `err`. */
	char reason[ERROR_REASON_BYTES_MAX];
	int  length = vsnprintf(reason, sizeof reason, format, arguments);
	if (length >= (int)sizeof reason)
		drop_partial_character(reason);
	char place[ERROR_FIELD_BYTES_MAX];
	copy_cut(place, sizeof place, field);

	err->status = status;
	err->fatal  = false;
	memcpy(err->field, place, sizeof place);
	memcpy(err->reason, reason, sizeof reason);
}

enum status error_set(struct error *err, enum status status, const char *reason_format, ...)
{
	va_list arguments;
	va_start(arguments, reason_format);
	set(err, status, "", reason_format, arguments);
	va_end(arguments);
	return status;
}

enum status error_set_field(struct error *err, enum status status, const char *field,
                            const char *reason_format, ...)
{
	va_list arguments;
	va_start(arguments, reason_format);
	set(err, status, field, reason_format, arguments);
	va_end(arguments);
	return status;
}

enum status error_set_errno(struct error *err, enum status status, int error_number,
                            const char *reason_format, ...)
{
	va_list arguments;
	va_start(arguments, reason_format);
	set(err, status, "", reason_format, arguments);
	va_end(arguments);
	if (err == NULL)
		return status;

	char        text[128];
	const char *why    = strerror_r(error_number, text, sizeof text);
	size_t      length = strlen(err->reason);
	char        reason[ERROR_REASON_BYTES_MAX + 128];
	snprintf(reason, sizeof reason, "%.*s: %s", (int)length, err->reason, why);
	copy_cut(err->reason, sizeof err->reason, reason);
	return status;
}

const char *status_code(enum status status)
{
	assert(status < STATUS_COUNT);
	return statuses[status].code;
}

bool status_retriable(enum status status)
{
	assert(status < STATUS_COUNT);
	return statuses[status].retriable;
}
