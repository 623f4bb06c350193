#include "base/csv.h"

#include <string.h>

static bool has(struct text text, const char *bytes)
{
	for (size_t i = 0; i < text.length; i++)
		if (strchr(bytes, text.data[i]) != NULL) /* the NUL is among them */
			return true;
	return false;
}

static void add(struct buffer *out, const char *before, struct text text)
{
	bool quoted = has(text, "\",;\t\r\n");
	buffer_add_text(out, quoted ? TEXT("\"") : TEXT(""));
	buffer_add_text(out, text_of(before));
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] == '"')
			buffer_add_u8(out, '"');
		buffer_add_u8(out, (uint8_t)text.data[i]);
	}
	buffer_add_text(out, quoted ? TEXT("\"") : TEXT(""));
}

void csv_add_field(struct buffer *out, struct text text) { add(out, "", text); }

/* Spreadsheets of East Asia take the wide forms for the same. */
static bool begins_formula(struct text text)
{
	static const char *const wide[] = {"\uff1d", "\uff0b", "\uff0d", "\uff20"};
	for (unsigned i = 0; i < sizeof wide / sizeof wide[0]; i++)
		if (text_starts_with(text, text_of(wide[i])))
			return true;
	return text.length > 0 && memchr("=+-@\t\r\n", text.data[0], 7) != NULL;
}

/* "-12.5", "+82-10-1234-5678", and the same masked. */
static bool is_number(struct text text)
{
	if (text.length == 0 || (text.data[0] != '+' && text.data[0] != '-'))
		return false;
	for (size_t i = 1; i < text.length; i++)
		if (memchr("0123456789 .-()*", text.data[i], 16) == NULL)
			return false;
	return true;
}

void csv_add_text(struct buffer *out, struct text text)
{
	add(out, begins_formula(text) && !is_number(text) ? "'" : "", text);
}
