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

static void grow(struct buffer *buffer, size_t more)
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

char *buffer_reserve(struct buffer *buffer, size_t more)
{
	/* Also for nothing: the answer is never NULL. */
	if (more > buffer->capacity - buffer->length || buffer->data == NULL)
		grow(buffer, more);
	return buffer->data + buffer->length;
}

void buffer_add(struct buffer *buffer, const void *data, size_t length)
{
	if (length == 0)
		return;
	memcpy(buffer_reserve(buffer, length), data, length);
	buffer->length += length;
}

void buffer_add_text(struct buffer *buffer, struct text text)
{
	buffer_add(buffer, text.data, text.length);
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

#define ADD_FIXED(name, type)                                                                      \
	void name(struct buffer *buffer, type value)                                                   \
	{                                                                                              \
		memcpy(buffer_reserve(buffer, sizeof value), &value, sizeof value);                        \
		buffer->length += sizeof value;                                                            \
	}
ADD_FIXED(buffer_add_u8, uint8_t)
ADD_FIXED(buffer_add_u16, uint16_t)
ADD_FIXED(buffer_add_u32, uint32_t)
ADD_FIXED(buffer_add_u64, uint64_t)
ADD_FIXED(buffer_add_i64, int64_t)
ADD_FIXED(buffer_add_f64, double)

void buffer_add_varint(struct buffer *buffer, uint64_t value)
{
	uint8_t *into = (uint8_t *)buffer_reserve(buffer, 10);
	for (; value >= 0x80; value >>= 7, buffer->length++)
		*into++ = (uint8_t)(value | 0x80);
	*into = (uint8_t)value;
	buffer->length++;
}

void buffer_add_sized(struct buffer *buffer, struct text text)
{
	buffer_add_varint(buffer, text.length);
	buffer_add_text(buffer, text);
}
