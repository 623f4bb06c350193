#include "http/percent.h"

#include <stdint.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of the well-formed sequence that begins here (Unicode 15, table 3-7); 0: none. */
static size_t sequence_length(const uint8_t *at, size_t left)
{
	uint8_t lead = at[0];
	uint8_t low = 0x80, high = 0xBF;
	size_t  length;

	if (lead < 0x80)
		return 1;
	if (lead >= 0xC2 && lead <= 0xDF)
		length = 2;
	else if (lead >= 0xE0 && lead <= 0xEF)
		length = 3;
	else if (lead >= 0xF0 && lead <= 0xF4)
		length = 4;
	else
		return 0;
	if (lead == 0xE0)
		low = 0xA0;
	else if (lead == 0xED)
		high = 0x9F;
	else if (lead == 0xF0)
		low = 0x90;
	else if (lead == 0xF4)
		high = 0x8F;
	if (left < length || at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((at[i] & 0xC0) != 0x80)
			return 0;
	return length;
}

static bool is_clean(struct text text)
{
	const uint8_t *at = (const uint8_t *)text.data;

	for (size_t i = 0; i < text.length;) {
		if (at[i] < 0x20 || at[i] == 0x7F)
			return false;
		size_t length = sequence_length(at + i, text.length - i);
		if (length == 0)
			return false;
		i += length;
	}
	return true;
}

static bool unescape(struct arena *arena, struct text encoded, struct text *ret_decoded)
{
	char  *decoded = arena_alloc(arena, encoded.length);
	size_t length  = 0;

	for (size_t i = 0; i < encoded.length; i++) {
		if (encoded.data[i] != '%') {
			decoded[length++] = encoded.data[i];
			continue;
		}
		if (encoded.length - i < 3)
			return false;
		int high = hex_value(encoded.data[i + 1]);
		int low  = hex_value(encoded.data[i + 2]);
		if (high < 0 || low < 0)
			return false;
		decoded[length++] = (char)(high << 4 | low);
		i += 2;
	}
	*ret_decoded = (struct text){decoded, length};
	return true;
}

bool percent_decode(struct arena *arena, struct text encoded, struct text *ret_decoded)
{
	struct text decoded = encoded;

	if (encoded.length > 0 && memchr(encoded.data, '%', encoded.length) &&
	    !unescape(arena, encoded, &decoded))
		return false;
	if (!is_clean(decoded))
		return false;
	*ret_decoded = decoded;
	return true;
}
