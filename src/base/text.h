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

/* For printf: printf("%.*s", TEXT_FORMAT(text)). */
#define TEXT_FORMAT(text) (int)(text).length, (text).data

#endif
