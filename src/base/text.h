#ifndef SONNIM_BASE_TEXT_H
#define SONNIM_BASE_TEXT_H

/* A run of bytes that somebody else owns, usually UTF-8, not ended by a NUL. */

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text {
	const char *data; /* may be NULL when length is 0 */
	size_t      length;
};

#define TEXT(literal) ((struct text){("" literal), sizeof(literal) - 1})

static inline struct text text_of(const char *string)
{
	return (struct text){string, strlen(string)};
}

static inline bool text_equal(struct text a, struct text b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* By bytes, the shorter first where one begins the other: < 0, 0, > 0. */
static inline int text_compare(struct text a, struct text b)
{
	size_t common = a.length < b.length ? a.length : b.length;
	int    order  = common == 0 ? 0 : memcmp(a.data, b.data, common);
	return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static inline bool text_starts_with(struct text text, struct text prefix)
{
	return text.length >= prefix.length &&
	       (prefix.length == 0 || memcmp(text.data, prefix.data, prefix.length) == 0);
}

static inline bool text_ends_with(struct text text, struct text suffix)
{
	return text.length >= suffix.length &&
	       (suffix.length == 0 ||
	        memcmp(text.data + text.length - suffix.length, suffix.data, suffix.length) == 0);
}

/* Line and column of a byte, both from 1; columns count characters. */
static inline void text_find_line(struct text text, size_t at, unsigned *ret_line,
                                  unsigned *ret_column)
{
	*ret_line   = 1;
	*ret_column = 1;
	for (size_t i = 0; i < at; i++) {
		bool ends = text.data[i] == '\n';
		bool goes = ((unsigned char)text.data[i] & 0xc0) == 0x80; /* on with a character */
		*ret_line += ends;
		*ret_column = ends ? 1 : *ret_column + !goes;
	}
}

/* How many bytes at `at` are a character that is not to be shown as it is: a control character, or
 * one that ends a line or turns the direction of what follows (U+2028 to 202E, 2066 to 2069); 0:
 * none of these. Of UTF-8. */
static inline size_t text_unshown(struct text text, size_t at)
{
	const unsigned char *c    = (const unsigned char *)text.data + at;
	size_t               left = text.length - at;
	if (c[0] < ' ' || c[0] == 0x7f)
		return 1;
	if (left >= 2 && c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
		return 2;
	if (left < 3 || c[0] != 0xe2)
		return 0;
	bool turns = (c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae) ||
	             (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
	return turns ? 3 : 0;
}

/* Whether it can be shown to people, in one line, as it is. */
static inline bool text_is_line(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if (text_unshown(text, i) > 0)
			return false;
	return true;
}

/* For printf: printf("%.*s", TEXT_FORMAT(text)). */
#define TEXT_FORMAT(text) (int)(text).length, (text).data

#endif
