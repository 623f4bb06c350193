#include "api/cursor.h"

#include <sodium.h>
#include <stdio.h>

#include "base/hash.h"

enum { VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING, POSITION_DIGITS = 20 };

void cursor_write(struct buffer *out, enum cursor_kind kind, struct text content)
{
	struct buffer raw = {0};
	buffer_add_u32(&raw, 0);
	buffer_add_u8(&raw, (uint8_t)kind);
	buffer_add_text(&raw, content);
	uint32_t check = (uint32_t)hash_bytes(raw.data + 4, raw.length - 4);
	memcpy(raw.data, &check, sizeof check);

	size_t size = sodium_base64_encoded_len(raw.length, VARIANT);
	sodium_bin2base64(buffer_reserve(out, size), size, (const uint8_t *)raw.data, raw.length,
	                  VARIANT);
	out->length += size - 1; /* without the NUL */
	buffer_done(&raw);
}

static bool decode(struct text text, enum cursor_kind kind, struct buffer *raw)
{
	size_t length;
	if (text.length > CURSOR_TEXT_BYTES_MAX)
		return false;
	if (sodium_base642bin((uint8_t *)buffer_reserve(raw, text.length), text.length, text.data,
	                      text.length, NULL, &length, NULL, VARIANT) != 0)
		return false;
	raw->length = length;

	struct byte_reader reader = byte_reader_of(raw->data, raw->length);
	uint32_t           check  = read_u32(&reader);
	return !reader.failed && check == (uint32_t)hash_bytes(raw->data + 4, raw->length - 4) &&
	       read_u8(&reader) == kind && !reader.failed;
}

enum status cursor_read(struct text text, enum cursor_kind kind, struct buffer *ret_content,
                        struct error *err)
{
	struct buffer raw = {0};
	bool          ok  = decode(text, kind, &raw);
	if (ok)
		buffer_add(ret_content, raw.data + 5, raw.length - 5);
	buffer_done(&raw);
	if (!ok)
		return error_set_field(err, STATUS_INVALID, "cursor",
		                       "The cursor is not one that this list answered as \"next\"");
	return STATUS_OK;
}

static unsigned position_check(uint64_t position)
{
	return (unsigned)(hash_bytes(&position, sizeof position) & 0xffff);
}

void position_write(uint64_t position, char into[POSITION_TEXT_BYTES])
{
	snprintf(into, POSITION_TEXT_BYTES, "%016llx%04x", (unsigned long long)position,
	         position_check(position));
}

bool position_read(struct text text, uint64_t *ret_position)
{
	uint8_t bytes[POSITION_DIGITS / 2];
	if (text.length != POSITION_DIGITS || !hash_unhex(text, bytes, sizeof bytes))
		return false;
	uint64_t position = 0;
	for (int i = 0; i < 8; i++)
		position = position << 8 | bytes[i];
	if (position_check(position) != ((unsigned)bytes[8] << 8 | bytes[9]))
		return false;
	*ret_position = position;
	return true;
}
