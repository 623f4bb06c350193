#include "base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 64 };

void buffer_init(struct buffer *buffer) { *buffer = (struct buffer){0}; }

void buffer_done(struct buffer *buffer)
{
	free(buffer->data);
	buffer_init(buffer);
}

void buffer_grow(struct buffer *buffer, size_t more)
{
	if (more > SIZE_MAX / 4 - buffer->length)
		abort();
	size_t capacity = buffer->capacity == 0 ? CAPACITY_MIN : buffer->capacity;
	while (capacity < buffer->length + more)
		capacity *= 2;
	buffer->data = realloc(buffer->data, capacity);
	if (buffer->data == NULL)
		abort();
	buffer->capacity = capacity;
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	assert(format != NULL);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	assert(length >= 0);

	char *into = buffer_reserve(buffer, (size_t)length + 1);
	va_start(arguments, format);
	vsnprintf(into, (size_t)length + 1, format, arguments);
	va_end(arguments);
	buffer->length += (size_t)length;
}

void buffer_add_percent(struct buffer *buffer, struct text text)
{
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < text.length; i++) {
		uint8_t c = (uint8_t)text.data[i], lower = c | 0x20;
		if ((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '-' || c == '.' ||
		    c == '_' || c == '~') {
			buffer_add_u8(buffer, c);
			continue;
		}
		buffer_add_u8(buffer, '%');
		buffer_add_u8(buffer, (uint8_t)digits[c >> 4]);
		buffer_add_u8(buffer, (uint8_t)digits[c & 15]);
	}
}
