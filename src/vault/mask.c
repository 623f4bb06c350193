#include "vault/mask.h"

#include <strings.h>

#include "model/value.h"

enum {
	PHONE_DIGITS_MIN   = 9, /* fewer would say too much */
	PHONE_DIGITS_FIRST = 3,
	PHONE_DIGITS_LAST  = 4,
};

static struct text last_part(struct text name)
{
	const char *dot = name.length > 0 ? memrchr(name.data, '.', name.length) : NULL;
	if (dot == NULL)
		return name;
	size_t skip = (size_t)(dot + 1 - name.data);
	return (struct text){name.data + skip, name.length - skip};
}

static bool is_called(struct text name, const char *word)
{
	name = last_part(name);
	return name.length == strlen(word) && strncasecmp(name.data, word, name.length) == 0;
}

static size_t character_bytes(struct text text)
{
	size_t bytes = 1;
	while (bytes < text.length && ((unsigned char)text.data[bytes] & 0xc0) == 0x80)
		bytes++;
	return bytes;
}

static void mask_email(struct text value, struct buffer *out)
{
	const char *at = value.length > 0 ? memrchr(value.data, '@', value.length) : NULL;
	if (at != NULL && at > value.data)
		buffer_add(out, value.data, character_bytes(value));
	buffer_add_text(out, TEXT("***"));
	if (at != NULL)
		buffer_add(out, at, value.length - (size_t)(at - value.data));
}

static bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

static bool is_of_number(char byte)
{
	return is_digit(byte) || byte == '+' || byte == '-' || byte == ' ' || byte == '(' ||
	       byte == ')' || byte == '.';
}

static void mask_phone(struct text value, struct buffer *out)
{
	size_t digits = 0, seen = 0;
	for (size_t i = 0; i < value.length; i++) {
		digits += is_digit(value.data[i]);
		if (!is_of_number(value.data[i]))
			digits = 0, i = value.length - 1;
	}
	if (digits < PHONE_DIGITS_MIN) {
		buffer_add_text(out, TEXT("***"));
		return;
	}
	for (size_t i = 0; i < value.length; i++) {
		char byte = value.data[i];
		if (is_digit(byte)) {
			if (seen >= PHONE_DIGITS_FIRST && seen < digits - PHONE_DIGITS_LAST)
				byte = '*';
			seen++;
		}
		buffer_add_u8(out, (uint8_t)byte);
	}
}

void mask_value(struct text name, struct text value, struct buffer *out)
{
	if (is_called(name, "email"))
		mask_email(value, out);
	else if (is_called(name, "phone"))
		mask_phone(value, out);
	else
		buffer_add_text(out, TEXT("***"));
}

void mask_list(struct text list, struct buffer *out)
{
	struct buffer masked = {0};
	unsigned      count  = 0;
	size_t        begin  = value_list_begin(out);
	for (struct value_reader r = value_read(list); value_next(&r); count++) {
		buffer_clear(&masked);
		if (r.value.type == VALUE_STRING)
			mask_value(r.name, r.value.text, &masked);
		else
			buffer_add_text(&masked, TEXT("***"));
		struct value value = {.type = VALUE_STRING, .text = buffer_text(&masked)};
		value_add(out, r.name, &value);
	}
	value_list_end(out, begin, count);
	buffer_done(&masked);
}
