#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/edit_distance.h"
#include "model/expr_draft.h"
#include "model/expr_internal.h"
#include "model/expr_template.h"
#include "model/expr_text.h"

/* The first mistake ends the reading: from then on there is only the end of the text. */

/* A tree 32 levels deep has 63 "not" and parentheses at most where it is written by us. */
enum { NESTING_MAX = 2 * EXPR_DEPTH_MAX, WORD_BYTES_SHOWN = 40 };

struct reader {
	struct expr_parser *parser;
	const char         *field;
	struct text         text;
	struct token        token; /* the next one */
	enum status         status;
	unsigned            nesting;
	unsigned            leaves;
	bool                parameters; /* may stand in it */
};

/* --- mistakes --- */

/* "line 2, column 14: …" */
static void refuse(struct reader *reader, size_t at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void refuse(struct reader *reader, size_t at, const char *format, ...)
{
	char     reason[ERROR_REASON_BYTES_MAX];
	unsigned line, column;
	va_list  arguments;
	if (reader->status != STATUS_OK)
		return;
	text_find_line(reader->text, at, &line, &column);
	va_start(arguments, format);
	vsnprintf(reason, sizeof reason, format, arguments);
	va_end(arguments);
	reader->status = error_set_field(reader->parser->err, STATUS_INVALID, reader->field,
	                                 "line %u, column %u: %s", line, column, reason);
	reader->token  = (struct token){.type = TOKEN_END, .at = reader->text.length, .text = {"", 0}};
}

/* As much of what stands there as is worth showing, whole characters. */
static struct text shown(struct text text)
{
	if (text.length <= WORD_BYTES_SHOWN)
		return text;
	text.length = WORD_BYTES_SHOWN;
	while (text.length > 0 && ((unsigned char)text.data[text.length] & 0xc0) == 0x80)
		text.length--;
	return text;
}

/* Refuses the next token, where `what` should stand; `words` are keywords that could. */
static void refuse_token(struct reader *reader, const char *what, const char *const *words)
{
	const struct token *token = &reader->token;
	struct text         text  = shown(token->text);
	const char         *meant = token->type == TOKEN_WORD ? edit_nearest(token->text, words) : NULL;
	if (token->type == TOKEN_BROKEN && token->hint != NULL)
		refuse(reader, token->at, "%s", token->hint);
	else if (token->type == TOKEN_END)
		refuse(reader, token->at, "expected %s, but the text ends", what);
	else if (meant != NULL)
		refuse(reader, token->at, "expected %s, not %.*s: did you mean %s?", what,
		       TEXT_FORMAT(text), meant);
	else
		refuse(reader, token->at, "expected %s, not %.*s", what, TEXT_FORMAT(text));
}

static const char *const no_words[] = {NULL};

/* --- tokens --- */

static void advance(struct reader *reader)
{
	if (reader->status == STATUS_OK)
		reader->token = token_read(reader->text, reader->token.at + reader->token.text.length);
}

static bool take_word(struct reader *reader, const char *keyword)
{
	bool is = token_is(&reader->token, keyword);
	if (is)
		advance(reader);
	return is;
}

static bool is_sign(const struct reader *reader, const char *sign)
{
	return reader->token.type == TOKEN_SIGN && text_equal(reader->token.text, text_of(sign));
}

static bool take_sign(struct reader *reader, const char *sign)
{
	bool is = is_sign(reader, sign);
	if (is)
		advance(reader);
	return is;
}

static void demand_sign(struct reader *reader, const char *sign, const char *what,
                        const char *const *words)
{
	if (!take_sign(reader, sign))
		refuse_token(reader, what, words);
}

/* One more "not" or parenthesis. */
static void descend(struct reader *reader)
{
	if (++reader->nesting > NESTING_MAX)
		refuse(reader, reader->token.at, "nested deeper than %d levels of and, or, not",
		       EXPR_DEPTH_MAX);
}

static void count_leaf(struct reader *reader, size_t at)
{
	if (++reader->leaves > EXPR_LEAVES_MAX)
		refuse(reader, at, "more than %d leaves and tests in one definition", EXPR_LEAVES_MAX);
}

/* --- drafts --- */

static struct draft *new_draft(struct reader *reader, enum draft_kind kind, size_t at)
{
	return draft_new(reader->parser->arena, kind, at);
}

static void add_raw(struct reader *reader, struct draft *container, const char *name,
                    struct text raw, size_t at)
{
	struct draft *draft = new_draft(reader, DRAFT_RAW, at);
	draft->raw          = raw;
	draft_add(container, name, draft);
}

static struct text quoted(struct reader *reader, struct text text)
{
	return text_of(arena_printf(reader->parser->arena, "\"%.*s\"", TEXT_FORMAT(text)));
}

/* {"and":[first, …]}, of which `first` is read already; each other one follows `keyword`. */
typedef struct draft *operand_fn(struct reader *reader);
static struct draft  *read_joined(struct reader *reader, const char *keyword, operand_fn *operand)
{
	size_t        at    = reader->token.at;
	struct draft *first = operand(reader);
	if (!token_is(&reader->token, keyword))
		return first;

	struct draft *list = new_draft(reader, DRAFT_ARRAY, at);
	draft_add(list, NULL, first);
	while (take_word(reader, keyword))
		draft_add(list, NULL, operand(reader));
	struct draft *joined = new_draft(reader, DRAFT_OBJECT, at);
	draft_add(joined, keyword, list);
	return joined;
}

static struct draft *read_negated(struct reader *reader, size_t at, operand_fn *operand)
{
	struct draft *negated = new_draft(reader, DRAFT_OBJECT, at);
	descend(reader);
	draft_add(negated, "not", operand(reader));
	reader->nesting--;
	return negated;
}

/* What stands in parentheses, of which the first is read already. */
static struct draft *read_enclosed(struct reader *reader, operand_fn *inner)
{
	static const char *const words[] = {"and", "or", NULL};
	descend(reader);
	struct draft *draft = inner(reader);
	demand_sign(reader, ")", "and, or or )", words);
	reader->nesting--;
	return draft;
}

/* --- names, durations, instants, values --- */

static void read_name(struct reader *reader, struct draft *into, const char *member,
                      const char *what)
{
	const struct token *token = &reader->token;
	struct text         word  = token->text;
	if (token->type == TOKEN_STRING) {
		add_raw(reader, into, member, token->text, token->at);
	} else if (token->type == TOKEN_WORD && !expr_text_is_keyword(word)) {
		add_raw(reader, into, member, quoted(reader, word), token->at);
	} else {
		if (token->type == TOKEN_WORD)
			refuse(reader, token->at,
			       "expected %s: a name that is a keyword stands in quotes, "
			       "\"%.*s\"",
			       what, TEXT_FORMAT(word));
		refuse_token(reader, what, no_words);
	}
	advance(reader);
}

/* Which parameters may stand at a place, and what its kind of JSON looks like. */
struct parameters {
	const char *samples[EXPR_PARAMETER_COUNT]; /* NULL: not there */
	bool        duration;
};
static const struct parameters value_parameters  = {.samples = {
														[EXPR_PARAMETER_VALUE] = "\"x\"",
														[EXPR_PARAMETER_MIN]   = "1",
														[EXPR_PARAMETER_MAX]   = "1",
														[EXPR_PARAMETER_DAYS]  = "1",
                                                   }};
static const struct parameters string_parameters = {.samples = {[EXPR_PARAMETER_VALUE] = "\"x\""}};
static const struct parameters duration_parameters = {.samples = {[EXPR_PARAMETER_DAYS] = "\"1d\""},
                                                      .duration = true};
static const struct parameters window_parameters   = {/* `until` is less */
                                                      .samples  = {[EXPR_PARAMETER_DAYS] =
                                                                       "\"1095d\""},
                                                      .duration = true};
static const struct parameters instant_parameters  = {
	 .samples = {[EXPR_PARAMETER_FROM] = "\"2000-01-01\"", [EXPR_PARAMETER_TO] = "\"2000-01-02\""}};

/* Takes the next token if it is a parameter that may stand here. */
static bool take_parameter(struct reader *reader, struct draft *into, const char *member,
                           const struct parameters *parameters)
{
	if (!reader->parameters || reader->token.type != TOKEN_WORD)
		return false;
	for (unsigned i = 0; i < EXPR_PARAMETER_COUNT; i++) {
		if (parameters->samples[i] == NULL ||
		    !text_equal(reader->token.text, text_of(expr_parameter_name(i))))
			continue;
		struct draft *draft = new_draft(reader, DRAFT_HOLE, reader->token.at);
		draft->raw          = text_of(parameters->samples[i]);
		draft->hole         = i;
		draft->duration     = parameters->duration;
		draft_add(into, member, draft);
		advance(reader);
		return true;
	}
	return false;
}

static void read_duration(struct reader *reader, struct draft *into, const char *member,
                          const struct parameters *parameters)
{
	const struct token *token = &reader->token;
	if (take_parameter(reader, into, member, parameters))
		return;
	if (token->type == TOKEN_DURATION)
		add_raw(reader, into, member, quoted(reader, token->text), token->at);
	else
		refuse_token(reader, "a duration such as 30m or 7d, without quotes", no_words);
	advance(reader);
}

static void read_string(struct reader *reader, struct draft *into, const char *member,
                        const char *what, const struct parameters *parameters)
{
	const struct token *token = &reader->token;
	if (take_parameter(reader, into, member, parameters))
		return;
	if (token->type == TOKEN_STRING)
		add_raw(reader, into, member, token->text, token->at);
	else
		refuse_token(reader, what, no_words);
	advance(reader);
}

static const char instant[] = "an instant such as \"2025-01-07T10:30:00Z\"";

static void read_value(struct reader *reader, struct draft *into, const char *member)
{
	static const char *const words[] = {"true", "false", NULL};
	const struct token      *token   = &reader->token;
	if (take_parameter(reader, into, member, &value_parameters))
		return;
	if (token->type == TOKEN_STRING || token->type == TOKEN_NUMBER)
		add_raw(reader, into, member, token->text, token->at);
	else if (token_is(token, "true"))
		add_raw(reader, into, member, TEXT("true"), token->at);
	else if (token_is(token, "false"))
		add_raw(reader, into, member, TEXT("false"), token->at);
	else
		refuse_token(reader, "a string in quotes, a number, true or false", words);
	advance(reader);
}

static void read_list(struct reader *reader, struct draft *into)
{
	struct draft *list  = new_draft(reader, DRAFT_ARRAY, reader->token.at);
	unsigned      count = 0;
	demand_sign(reader, "[", "a list in brackets, such as [\"a\", \"b\"]", no_words);
	do {
		if (++count > EXPR_LIST_MAX)
			refuse(reader, reader->token.at, "must have from 1 to %d items", EXPR_LIST_MAX);
		read_value(reader, list, NULL);
	} while (take_sign(reader, ","));
	demand_sign(reader, "]", "a comma or ]", no_words);
	draft_add(into, "value", list);
}

/* --- tests --- */

static void add_op(struct reader *reader, struct draft *into, enum expr_op op, size_t at)
{
	add_raw(reader, into, "op", quoted(reader, text_of(expr_op_name(op))), at);
}

/* An operator by its sign or word, but "in" and "not in"; EXPR_OP_COUNT: it is none. */
static enum expr_op operator_of(const struct reader *reader)
{
	for (enum expr_op op = 0; op < EXPR_OP_COUNT; op++) {
		const char *sign = expr_text_sign(op);
		if (sign != NULL ? is_sign(reader, sign) : token_is(&reader->token, expr_op_name(op)))
			return op;
	}
	return EXPR_OP_COUNT;
}

static void read_operand(struct reader *reader, struct draft *into, enum expr_op op)
{
	switch (op) {
	case EXPR_EXISTS:
	case EXPR_ABSENT:
		return;
	case EXPR_IN:
	case EXPR_NOT_IN:
		read_list(reader, into);
		return;
	case EXPR_CONTAINS:
	case EXPR_STARTS_WITH:
	case EXPR_ENDS_WITH:
		read_string(reader, into, "value", "a string in quotes", &string_parameters);
		return;
	case EXPR_WITHIN_LAST:
	case EXPR_WITHIN_NEXT:
		read_duration(reader, into, "value", &duration_parameters);
		return;
	case EXPR_BEFORE:
	case EXPR_AFTER:
		read_string(reader, into, "value", instant, &instant_parameters);
		return;
	default:
		read_value(reader, into, "value");
		return;
	}
}

/* `what` and `words` name what else might stand there. */
static void read_test(struct reader *reader, struct draft *into, const char *what,
                      const char *const *words)
{
	static const char *const in[] = {"in", NULL};
	size_t                   at   = reader->token.at;
	enum expr_op             op   = operator_of(reader);
	if (op != EXPR_OP_COUNT) {
		advance(reader);
	} else if (take_word(reader, "not")) {
		op = EXPR_NOT_IN;
		if (!take_word(reader, "in"))
			refuse_token(reader, "in, as in not in [\"a\", \"b\"]", in);
	} else {
		refuse_token(reader, what, words);
		return;
	}
	add_op(reader, into, op, at);
	read_operand(reader, into, op);
}

#define TEST_WORDS                                                                                 \
	"in", "not", "contains", "starts_with", "ends_with", "exists", "absent", "within_last",        \
		"within_next", "before", "after"
static const char        test[]       = "a test such as = 3, in [\"a\"] or exists";
static const char *const test_words[] = {TEST_WORDS, NULL};

static struct draft *read_tests(struct reader *reader);

static struct draft *read_one_test(struct reader *reader)
{
	size_t at = reader->token.at;
	if (take_sign(reader, "("))
		return read_enclosed(reader, read_tests);
	struct draft *draft = new_draft(reader, DRAFT_OBJECT, at);
	count_leaf(reader, at);
	read_name(reader, draft, "property", "the name of a property");
	read_test(reader, draft, test, test_words);
	return draft;
}

static struct draft *read_not_test(struct reader *reader)
{
	size_t at = reader->token.at;
	return take_word(reader, "not") ? read_negated(reader, at, read_one_test)
	                                : read_one_test(reader);
}

static struct draft *read_all_tests(struct reader *reader)
{
	return read_joined(reader, "and", read_not_test);
}

static struct draft *read_tests(struct reader *reader)
{
	return read_joined(reader, "or", read_all_tests);
}

/* --- leaves --- */

/* what [ "where" tests ] */
static void read_what(struct reader *reader, struct draft *into)
{
	if (is_sign(reader, "*")) {
		add_raw(reader, into, "event", TEXT("\"*\""), reader->token.at);
		advance(reader);
	} else {
		read_name(reader, into, "event", "the name of an event, or *");
	}
	if (take_word(reader, "where"))
		draft_add(into, "where", read_tests(reader));
}

/* [ "within" duration [ "until" duration ] | "until" duration
 * | "between" instant "and" instant ] */
static void read_span(struct reader *reader, struct draft *into)
{
	static const char *const words[] = {"and", NULL};
	size_t                   at      = reader->token.at;
	if (take_word(reader, "between")) {
		struct draft *both = new_draft(reader, DRAFT_ARRAY, at);
		read_string(reader, both, NULL, instant, &instant_parameters);
		if (!take_word(reader, "and"))
			refuse_token(reader, "and, before the second instant", words);
		read_string(reader, both, NULL, instant, &instant_parameters);
		draft_add(into, "between", both);
		return;
	}
	if (take_word(reader, "within"))
		read_duration(reader, into, "within", &window_parameters);
	if (take_word(reader, "until"))
		read_duration(reader, into, "until", &duration_parameters);
}

/* [ name "of" ] */
static void read_property(struct reader *reader, struct draft *into, enum expr_aggregate aggregate)
{
	struct token behind = token_read(reader->text, reader->token.at + reader->token.text.length);
	if (token_is(&behind, "of")) {
		read_name(reader, into, "property", "the name of a property");
		advance(reader);
	} else if (expr_takes_property(aggregate)) {
		refuse(reader, reader->token.at,
		       "expected the name of a property and of, as in %s(price of \"Order Completed\")",
		       expr_aggregate_name(aggregate));
	}
}

static struct draft *read_event(struct reader *reader, enum expr_aggregate aggregate)
{
	static const char *const inner[] = {"where", "of", "and", "or", NULL};
	static const char *const outer[] = {"within", "until", "between", TEST_WORDS, NULL};
	size_t                   at      = reader->token.at;
	struct draft            *draft   = new_draft(reader, DRAFT_OBJECT, at);
	add_raw(reader, draft, "aggregate", quoted(reader, text_of(expr_aggregate_name(aggregate))),
	        at);
	advance(reader);
	demand_sign(reader, "(", "(", no_words);
	read_property(reader, draft, aggregate);
	read_what(reader, draft);
	demand_sign(reader, ")", "where or )", inner);
	read_span(reader, draft);
	read_test(reader, draft, "within, until, between or a test such as >= 3", outer);
	return draft;
}

static struct draft *read_trait(struct reader *reader, size_t at)
{
	struct draft *draft = new_draft(reader, DRAFT_OBJECT, at);
	demand_sign(reader, "(", "(", no_words);
	read_name(reader, draft, "trait", "the name of a trait");
	demand_sign(reader, ")", ")", no_words);
	read_test(reader, draft, test, test_words);
	return draft;
}

static struct draft *read_segment(struct reader *reader, size_t at)
{
	struct draft *draft = new_draft(reader, DRAFT_OBJECT, at);
	demand_sign(reader, "(", "(", no_words);
	read_name(reader, draft, "segment", "the key or id of a segment");
	demand_sign(reader, ")", ")", no_words);
	return draft;
}

static struct draft *read_sequence(struct reader *reader, size_t at)
{
	static const char *const words[] = {"then", "where", "and", "or", NULL};
	struct draft            *draft   = new_draft(reader, DRAFT_OBJECT, at);
	struct draft            *steps   = new_draft(reader, DRAFT_ARRAY, at);
	unsigned                 count   = 0;
	demand_sign(reader, "(", "(", no_words);
	do {
		struct draft *step = new_draft(reader, DRAFT_OBJECT, reader->token.at);
		if (++count > EXPR_STEPS_MAX)
			refuse(reader, reader->token.at, "a sequence has %d to %d steps", EXPR_STEPS_MIN,
			       EXPR_STEPS_MAX);
		read_what(reader, step);
		draft_add(steps, NULL, step);
	} while (take_word(reader, "then"));
	demand_sign(reader, ")", "where, then or )", words);
	draft_add(draft, "sequence", steps);
	if (take_word(reader, "within"))
		read_duration(reader, draft, "within", &window_parameters);
	if (take_word(reader, "ended_within"))
		read_duration(reader, draft, "ended_within", &window_parameters);
	return draft;
}

/* --- the whole --- */

static struct draft *read_any(struct reader *reader);

static struct draft *read_leaf(struct reader *reader)
{
	static const char *const words[] = {"not",
	                                    "segment",
	                                    "trait",
	                                    "sequence",
	                                    "count",
	                                    "sum",
	                                    "avg",
	                                    "min",
	                                    "max",
	                                    "distinct",
	                                    "first",
	                                    "last",
	                                    "days_since_last",
	                                    "days_since_first",
	                                    NULL};
	size_t                   at      = reader->token.at;
	count_leaf(reader, at);
	for (enum expr_aggregate a = 0; a < EXPR_AGGREGATE_COUNT; a++)
		if (token_is(&reader->token, expr_aggregate_name(a)))
			return read_event(reader, a);
	if (take_word(reader, "trait"))
		return read_trait(reader, at);
	if (take_word(reader, "segment"))
		return read_segment(reader, at);
	if (take_word(reader, "sequence"))
		return read_sequence(reader, at);
	refuse_token(reader, "not, (, trait, segment, sequence or an aggregate such as count or sum",
	             words);
	return new_draft(reader, DRAFT_OBJECT, at);
}

static struct draft *read_atom(struct reader *reader)
{
	return take_sign(reader, "(") ? read_enclosed(reader, read_any) : read_leaf(reader);
}

static struct draft *read_not(struct reader *reader)
{
	size_t at = reader->token.at;
	return take_word(reader, "not") ? read_negated(reader, at, read_atom) : read_atom(reader);
}

static struct draft *read_all(struct reader *reader)
{
	return read_joined(reader, "and", read_not);
}

static struct draft *read_any(struct reader *reader) { return read_joined(reader, "or", read_all); }

static void check(struct reader *reader, const struct draft *draft, struct expr **ret_expr)
{
	struct expr_place   root = {NULL, TEXT("$"), -1};
	struct buffer       out  = {0};
	struct json_writer  w    = json_writer_of(&out);
	struct json_parser *json = json_parser_new();
	struct json         value;
	struct error        why = {0};
	struct error       *err = reader->parser->err;
	reader->parser->err     = &why;
	draft_write(&w, draft);
	enum status status = json_parse_text(json, buffer_text(&out), &value, &why);
	if (status == STATUS_OK)
		status = expr_read(reader->parser, value, &root, 0, ret_expr);
	if (status == STATUS_OK)
		status = expr_check_size(reader->parser, *ret_expr, &root);
	reader->parser->err = err;
	if (status != STATUS_OK)
		refuse(reader, why.field[0] == '\0' ? 0 : draft_find(draft, why.field + 1), "%s",
		       why.reason);
	json_parser_free(json);
	buffer_done(&out);
}

/* Notes in the leaves where in the text their references stand: whether there is such a segment is
 * seen later. Drafts and what was made of them have the same order. */
static void note_references(const struct reader *reader, const struct draft *draft,
                            struct expr **leaves, size_t *next)
{
	for (const struct draft *inner = draft->first; inner != NULL; inner = inner->next) {
		if (inner->name == NULL || strcmp(inner->name, "segment") != 0) {
			note_references(reader, inner, leaves, next);
			continue;
		}
		struct expr *leaf = leaves[(*next)++];
		text_find_line(reader->text, inner->at, &leaf->segment.line, &leaf->segment.column);
	}
}

/* The segment leaves in their order; `leaves` NULL: only how many there are. */
static size_t collect_references(struct expr *expr, struct expr **leaves)
{
	size_t count = 0;
	if (expr->kind == EXPR_SEGMENT) {
		if (leaves != NULL)
			leaves[0] = expr;
		return 1;
	}
	for (unsigned i = 0; i < expr->count; i++)
		count += collect_references(expr->operands[i], leaves == NULL ? NULL : leaves + count);
	return count;
}

static enum status read_whole(struct reader *reader, struct draft **ret_draft,
                              struct expr **ret_expr)
{
	static const char *const words[] = {"and", "or", NULL};
	struct arena            *arena   = reader->parser->arena;
	struct expr             *expr;
	if (reader->text.length > EXPR_NOTATION_MAX)
		return error_set_field(reader->parser->err, STATUS_INVALID, reader->field,
		                       "is longer than %d bytes", EXPR_NOTATION_MAX);
	reader->token       = token_read(reader->text, 0);
	struct draft *draft = read_any(reader);
	if (reader->token.type != TOKEN_END)
		refuse_token(reader, "and, or or the end", words);
	if (reader->status == STATUS_OK)
		check(reader, draft, &expr);
	if (reader->status != STATUS_OK)
		return reader->status;
	size_t        next   = 0;
	size_t        count  = collect_references(expr, NULL);
	struct expr **leaves = ARENA_ARRAY(arena, struct expr *, count);
	collect_references(expr, leaves);
	note_references(reader, draft, leaves, &next);
	assert(next == count);
	*ret_draft = draft;
	*ret_expr  = expr;
	return STATUS_OK;
}

enum status expr_parse_text(struct text text, const char *field, struct arena *arena,
                            struct expr **ret_expr, struct error *err)
{
	return expr_parse_text_with(text, field, NULL, arena, ret_expr, err);
}

enum status expr_parse_text_with(struct text text, const char *field, const struct classes *classes,
                                 struct arena *arena, struct expr **ret_expr, struct error *err)
{
	struct expr_parser parser = {.arena = arena, .err = err, .classes = classes};
	struct reader      reader = {.parser = &parser, .field = field, .text = text};
	struct draft      *draft;
	return read_whole(&reader, &draft, ret_expr);
}

enum status draft_read(struct text text, const char *field, struct arena *arena,
                       struct draft **ret_draft, struct expr **ret_sample, struct error *err)
{
	struct expr_parser parser = {.arena = arena, .err = err};
	struct reader reader = {.parser = &parser, .field = field, .text = text, .parameters = true};
	return read_whole(&reader, ret_draft, ret_sample);
}
