#include "api/sentence/sentence_internal.h"

#include "base/decimal.h"
#include "base/instant.h"

static const struct sentence_words *const languages[SENTENCE_LANGUAGES] = {
	[SENTENCE_KOREAN]  = &sentence_korean,
	[SENTENCE_ENGLISH] = &sentence_english,
};

struct clauses {
	struct clause items[SENTENCE_CLAUSES_MAX];
	size_t        count; /* may be larger: what did not fit */
};

static void add_clause(struct clauses *clauses, const struct explain_node *node, bool negated)
{
	if (clauses->count < SENTENCE_CLAUSES_MAX)
		clauses->items[clauses->count] = (struct clause){node, negated};
	clauses->count++;
}

static void collect(struct clauses *clauses, const struct explain_node *node, bool negated)
{
	enum expr_kind kind = node->expr->kind;
	if (kind == EXPR_NOT) {
		collect(clauses, &node->operands[0], !negated);
		return;
	}
	if (kind != EXPR_AND && kind != EXPR_OR) {
		add_clause(clauses, node, negated);
		return;
	}
	/* Of an `and` that fails only what fails matters, of an `or` that holds what holds. */
	bool some = node->holds == (kind == EXPR_OR);
	for (unsigned i = 0; i < node->count; i++)
		if (!some || node->operands[i].holds == node->holds)
			collect(clauses, &node->operands[i], negated);
}

static void write_clauses(struct buffer *out, const struct sentence_words *words,
                          const struct explain_node *node, enum clause_end end,
                          const struct sentence_names *names)
{
	struct clauses clauses = {.count = 0};
	collect(&clauses, node, false);
	size_t shown = clauses.count < SENTENCE_CLAUSES_MAX ? clauses.count : SENTENCE_CLAUSES_MAX;
	for (size_t i = 0; i < shown; i++)
		words->clause(out, &clauses.items[i], i + 1 < clauses.count ? CLAUSE_AND : end, names);
	if (clauses.count > shown)
		words->more(out, clauses.count - shown, end);
}

void sentence_of_member(struct buffer *out, enum sentence_language language,
                        const struct explanation *explanation, struct text key,
                        const struct sentence_names *names)
{
	const struct sentence_words *words = languages[language];
	write_clauses(out, words, &explanation->root, CLAUSE_SO, names);
	words->member(out, key, explanation->member);
	words->member_future(out, &explanation->root.flip, explanation->member);
}

void sentence_of_node(struct buffer *out, enum sentence_language language,
                      const struct explain_node *node, const struct sentence_names *names)
{
	const struct sentence_words *words = languages[language];
	uint64_t                     more  = 0;
	if (node->flip.at_ms == INSTANT_MS_NEVER && !explain_more_events(node, &more)) {
		write_clauses(out, words, node, CLAUSE_END, names);
		return;
	}
	write_clauses(out, words, node, CLAUSE_WHILE, names);
	words->node_future(out, &node->flip, node->holds, more);
}

bool sentence_number(const struct explain_node *node, double *ret_number)
{
	const struct leaf_value *leaf = &node->leaf;
	if (leaf->missing)
		return false;
	switch (node->expr->event.aggregate) {
	case EXPR_COUNT:
	case EXPR_DISTINCT:
	case EXPR_DAYS_SINCE_LAST:
	case EXPR_DAYS_SINCE_FIRST:
		*ret_number = (double)leaf->count;
		return true;
	case EXPR_SUM:
		*ret_number = decimal_to_double(leaf->sum);
		return true;
	case EXPR_AVG:
		*ret_number = decimal_to_double(leaf->sum) / (double)leaf->count;
		return true;
	default:
		return value_number(&leaf->value, ret_number);
	}
}
