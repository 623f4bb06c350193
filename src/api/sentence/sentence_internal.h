#ifndef SONNIM_API_SENTENCE_INTERNAL_H
#define SONNIM_API_SENTENCE_INTERNAL_H

/* Shared by sentence.c (which clauses, in which order) and the languages (their words). */

#include "api/sentence/sentence.h"

/* A leaf that decides; below a `not` its condition is one that must not hold. */
struct clause {
	const struct explain_node *node;
	bool                       negated;
};

/* What follows a clause: another one, what it has as consequence, its own future, or nothing. */
enum clause_end { CLAUSE_AND, CLAUSE_SO, CLAUSE_WHILE, CLAUSE_END, CLAUSE_ENDS };

struct sentence_words {
	void (*clause)(struct buffer *out, const struct clause *clause, enum clause_end end,
	               const struct sentence_names *names);
	void (*more)(struct buffer *out, size_t count, enum clause_end end); /* clauses left out */
	void (*member)(struct buffer *out, struct text key, bool member);
	/* When it changes: the end of the sentence. `more` > 0: what many more events would do. */
	void (*member_future)(struct buffer *out, const struct explain_flip *flip, bool member);
	void (*node_future)(struct buffer *out, const struct explain_flip *flip, bool holds,
	                    uint64_t more);
};

extern const struct sentence_words sentence_korean, sentence_english;

/* The number that an aggregate is now; false: it is none (a text), or missing. */
bool sentence_number(const struct explain_node *node, double *ret_number);

#endif
