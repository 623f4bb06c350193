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

/* For printf: printf("%.*s", TEXT_FORMAT(text)). */
#define TEXT_FORMAT(text) (int)(text).length, (text).data

#endif
