#ifndef SONNIM_BASE_BUFFER_H
#define SONNIM_BASE_BUFFER_H

/* Bytes that grow at their end, and the little-endian and varint encodings that our formats use.
 * One owner, one thread at a time. Zeroed memory is an empty buffer. Running out of memory aborts.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

struct buffer {
	char  *data;
	size_t length;
	size_t capacity;
};

void buffer_init(struct buffer *buffer);
void buffer_done(struct buffer *buffer);

static inline void buffer_clear(struct buffer *buffer) { buffer->length = 0; }

static inline struct text buffer_text(const struct buffer *buffer)
{
	return (struct text){buffer->data, buffer->length};
}

/* Of buffer_reserve(): the case in which the memory must grow. */
void buffer_grow(struct buffer *buffer, size_t more);

/* Makes room for `more` bytes behind the present ones and returns where they begin (never NULL);
 * `length` stays. */
static inline char *buffer_reserve(struct buffer *buffer, size_t more)
{
	if (__builtin_expect(more > buffer->capacity - buffer->length || buffer->data == NULL, 0))
		buffer_grow(buffer, more);
	return buffer->data + buffer->length;
}

static inline void buffer_add(struct buffer *buffer, const void *data, size_t length)
{
	if (length == 0)
		return;
	memcpy(buffer_reserve(buffer, length), data, length);
	buffer->length += length;
}

static inline void buffer_add_text(struct buffer *buffer, struct text text)
{
	buffer_add(buffer, text.data, text.length);
}

/* Percent-encoded (RFC 3986): all but letters, digits and "-._~". */
void buffer_add_percent(struct buffer *buffer, struct text text);

void buffer_printf(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define ADD_FIXED(name, type)                                                                      \
	static inline void name(struct buffer *buffer, type value)                                     \
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
#undef ADD_FIXED

/* LEB128: 7 bits a byte, the least significant first; 1 to 10 bytes. */
enum { VARINT_BYTES_MAX = 10 };
static inline void buffer_add_varint(struct buffer *buffer, uint64_t value)
{
	uint8_t *at = (uint8_t *)buffer_reserve(buffer, VARINT_BYTES_MAX);
	for (; value >= 0x80; value >>= 7, buffer->length++)
		*at++ = (uint8_t)(value | 0x80);
	*at = (uint8_t)value;
	buffer->length++;
}

/* A varint of the length, then the bytes. */
static inline void buffer_add_sized(struct buffer *buffer, struct text text)
{
	buffer_add_varint(buffer, text.length);
	buffer_add_text(buffer, text);
}

/* Reads what the functions above wrote. After the first read behind the end `failed` is set and
 * stays, and every read yields 0 or an empty text: check once, at the end. Never allocates: texts
 * point into the bytes that are read. */
struct byte_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool           failed;
};

static inline struct byte_reader byte_reader_of(const void *data, size_t length)
{
	const uint8_t *begin = data == NULL ? (const uint8_t *)"" : (const uint8_t *)data;
	return (struct byte_reader){begin, begin + length, false};
}

static inline size_t read_left(const struct byte_reader *reader)
{
	return (size_t)(reader->end - reader->at);
}

static inline bool read_fixed(struct byte_reader *reader, void *into, size_t size)
{
	if (read_left(reader) < size) {
		reader->failed = true;
		reader->at     = reader->end;
		memset(into, 0, size);
		return false;
	}
	memcpy(into, reader->at, size);
	reader->at += size;
	return true;
}

#define READ_FIXED(name, type)                                                                     \
	static inline type name(struct byte_reader *reader)                                            \
	{                                                                                              \
		type value;                                                                                \
		read_fixed(reader, &value, sizeof value);                                                  \
		return value;                                                                              \
	}
READ_FIXED(read_u8, uint8_t)
READ_FIXED(read_u16, uint16_t)
READ_FIXED(read_u32, uint32_t)
READ_FIXED(read_u64, uint64_t)
READ_FIXED(read_i64, int64_t)
READ_FIXED(read_f64, double)
#undef READ_FIXED

static inline uint64_t read_varint(struct byte_reader *reader)
{
	/* Almost all fit one byte. */
	if (reader->at < reader->end && *reader->at < 0x80)
		return *reader->at++;

	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = read_u8(reader);
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	reader->failed = true;
	return 0;
}

static inline struct text read_bytes(struct byte_reader *reader, size_t length)
{
	if (read_left(reader) < length) {
		reader->failed = true;
		reader->at     = reader->end;
		return (struct text){"", 0};
	}
	struct text text = {(const char *)reader->at, length};
	reader->at += length;
	return text;
}

static inline struct text read_sized(struct byte_reader *reader)
{
	return read_bytes(reader, read_varint(reader));
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "formats are written as memory lies");

#endif
