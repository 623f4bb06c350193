#ifndef SONNIM_MODEL_EXPR_TEXT_H
#define SONNIM_MODEL_EXPR_TEXT_H

/* Words, names and signs of the text notation: what its reader and its writer share.
 *
 *   token   = word | string | number | duration | sign | end
 *   word    = [A-Za-z_$][A-Za-z0-9_$.]*   a keyword, in any case, or a bare name
 *   string, number                        as in JSON
 *   duration = [0-9]+[A-Za-z]+            the unit is checked later
 *   sign    = one of ( ) [ ] , * = != > >= < <=
 *
 * Blanks, tabs and ends of lines stand between them. */

#include "model/expr.h"

enum token_type {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_STRING, /* with its quotes, checked: it is a string of JSON too */
	TOKEN_NUMBER, /* checked */
	TOKEN_DURATION,
	TOKEN_SIGN,
	TOKEN_BROKEN, /* none of them; `hint` says why */
};
struct token {
	enum token_type type;
	size_t          at;   /* of its first byte */
	struct text     text; /* as written */
	const char     *hint; /* of TOKEN_BROKEN; may be NULL */
};

/* The token at or behind `at`. The next one begins at token.at + token.text.length. */
struct token token_read(struct text text, size_t at);

/* A keyword, whatever its case; the list of them ends with NULL. */
bool                     token_is(const struct token *token, const char *keyword);
bool                     expr_text_is_keyword(struct text word);
extern const char *const expr_text_keywords[];

/* Whether a name may stand without quotes. */
bool expr_text_is_bare(struct text name);

/* The sign of an operator ("="); NULL: it has none. */
const char *expr_text_sign(enum expr_op op);

#endif
