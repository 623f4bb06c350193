#include <strings.h>

#include "model/expr_internal.h"

/* --- JSON --- */

static void write_scalar(struct json_writer *writer, const struct expr_scalar *scalar)
{
	switch (scalar->type) {
	case EXPR_STRING:
		json_add_string(writer, scalar->text);
		break;
	case EXPR_NUMBER:
		json_add_double(writer, scalar->number);
		break;
	case EXPR_BOOL:
		json_add_bool(writer, scalar->boolean);
		break;
	}
}

static bool takes_list(enum expr_op op) { return op == EXPR_IN || op == EXPR_NOT_IN; }

static void write_list(struct json_writer *writer, const struct expr_test *test)
{
	json_begin_array(writer);
	for (unsigned i = 0; i < test->value_count; i++)
		write_scalar(writer, &test->values[i]);
	json_end_array(writer);
}

static void write_duration(struct json_writer *writer, const char *name, int64_t ms)
{
	char into[DURATION_TEXT_BYTES];
	json_member_string(writer, name, duration_format(ms, into));
}

static void write_test(struct json_writer *writer, const struct expr_test *test)
{
	json_member_string(writer, "op", text_of(expr_op_name(test->op)));
	if (test->op == EXPR_EXISTS || test->op == EXPR_ABSENT)
		return;
	if (expr_test_is_relative(test)) {
		write_duration(writer, "value", test->duration_ms);
	} else if (test->op == EXPR_BEFORE || test->op == EXPR_AFTER) {
		json_member_string(writer, "value", test->instant_text);
	} else {
		json_add_key(writer, TEXT("value"));
		if (takes_list(test->op))
			write_list(writer, test);
		else
			write_scalar(writer, &test->values[0]);
	}
}

void expr_write_json_where(struct json_writer *writer, const struct expr_where *where)
{
	static const char *const names[] = {
		[EXPR_WHERE_AND] = "and", [EXPR_WHERE_OR] = "or", [EXPR_WHERE_NOT] = "not"};

	json_begin_object(writer);
	if (where->kind == EXPR_WHERE_TEST) {
		json_member_string(writer, "property", where->property);
		write_test(writer, &where->test);
	} else {
		json_add_key(writer, text_of(names[where->kind]));
		if (where->kind != EXPR_WHERE_NOT)
			json_begin_array(writer);
		for (unsigned i = 0; i < where->count; i++)
			expr_write_json_where(writer, where->operands[i]);
		if (where->kind != EXPR_WHERE_NOT)
			json_end_array(writer);
	}
	json_end_object(writer);
}

static void write_what(struct json_writer *writer, struct text name, const struct expr_where *where)
{
	json_member_string(writer, "event", name);
	if (where != NULL) {
		json_add_key(writer, TEXT("where"));
		expr_write_json_where(writer, where);
	}
}

static void write_event(struct json_writer *writer, const struct expr_event *event)
{
	write_what(writer, event->name, event->where);
	if (event->aggregate != EXPR_COUNT)
		json_member_string(writer, "aggregate", text_of(expr_aggregate_name(event->aggregate)));
	if (event->property.length > 0)
		json_member_string(writer, "property", event->property);
	if (event->within_ms != 0)
		write_duration(writer, "within", event->within_ms);
	if (event->from_ms != INSTANT_MS_NONE) {
		json_add_key(writer, TEXT("between"));
		json_begin_array(writer);
		json_add_string(writer, event->from_text);
		json_add_string(writer, event->to_text);
		json_end_array(writer);
	}
	if (event->until_ms != 0)
		write_duration(writer, "until", event->until_ms);
	write_test(writer, &event->test);
}

static void write_sequence(struct json_writer *writer, const struct expr_sequence *sequence)
{
	json_add_key(writer, TEXT("sequence"));
	json_begin_array(writer);
	for (unsigned i = 0; i < sequence->step_count; i++) {
		json_begin_object(writer);
		write_what(writer, sequence->steps[i].name, sequence->steps[i].where);
		json_end_object(writer);
	}
	json_end_array(writer);
	if (sequence->within_ms != 0)
		write_duration(writer, "within", sequence->within_ms);
	if (sequence->ended_within_ms != 0)
		write_duration(writer, "ended_within", sequence->ended_within_ms);
}

static void write_operands(struct json_writer *writer, const char *name, const struct expr *expr)
{
	json_add_key(writer, text_of(name));
	json_begin_array(writer);
	for (unsigned i = 0; i < expr->count; i++)
		expr_write_json(writer, expr->operands[i]);
	json_end_array(writer);
}

void expr_write_json(struct json_writer *writer, const struct expr *expr)
{
	json_begin_object(writer);
	switch (expr->kind) {
	case EXPR_AND:
		write_operands(writer, "and", expr);
		break;
	case EXPR_OR:
		write_operands(writer, "or", expr);
		break;
	case EXPR_NOT:
		json_add_key(writer, TEXT("not"));
		expr_write_json(writer, expr->operands[0]);
		break;
	case EXPR_EVENT:
		write_event(writer, &expr->event);
		break;
	case EXPR_TRAIT:
		json_member_string(writer, "trait", expr->trait.name);
		write_test(writer, &expr->trait.test);
		break;
	case EXPR_SEGMENT:
		json_member_string(writer, "segment", expr->segment.reference);
		break;
	case EXPR_SEQUENCE:
		write_sequence(writer, &expr->sequence);
		break;
	}
	json_end_object(writer);
}

/* --- text --- */

/* Of a name they are read as what they mean, so names like these are quoted. */
static const char *const keywords[] = {
	"and",
	"or",
	"not",
	"segment",
	"trait",
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
	"of",
	"where",
	"within",
	"until",
	"between",
	"sequence",
	"then",
	"ended_within",
	"in",
	"contains",
	"starts_with",
	"ends_with",
	"exists",
	"absent",
	"within_last",
	"within_next",
	"before",
	"after",
	"true",
	"false",
};

static bool is_keyword(struct text name)
{
	for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
		if (strlen(keywords[i]) == name.length &&
		    strncasecmp(keywords[i], name.data, name.length) == 0)
			return true;
	return false;
}

static bool begins_name(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '$';
}

static bool may_be_bare(struct text name)
{
	if (name.length == 0 || !begins_name(name.data[0]) || is_keyword(name))
		return false;
	for (size_t i = 1; i < name.length; i++)
		if (!begins_name(name.data[i]) && name.data[i] != '.' &&
		    !(name.data[i] >= '0' && name.data[i] <= '9'))
			return false;
	return true;
}

static void text_string(struct buffer *out, struct text text)
{
	struct json_writer writer = json_writer_of(out);
	json_add_string(&writer, text);
}

static void text_name(struct buffer *out, struct text name)
{
	if (may_be_bare(name))
		buffer_add_text(out, name);
	else
		text_string(out, name);
}

static void text_scalar(struct buffer *out, const struct expr_scalar *scalar)
{
	struct json_writer writer = json_writer_of(out);
	write_scalar(&writer, scalar);
}

static void text_duration(struct buffer *out, const char *before, int64_t ms)
{
	char into[DURATION_TEXT_BYTES];
	buffer_printf(out, " %s ", before);
	buffer_add_text(out, duration_format(ms, into));
}

static void text_list(struct buffer *out, const struct expr_test *test)
{
	buffer_add_text(out, TEXT("["));
	for (unsigned i = 0; i < test->value_count; i++) {
		if (i > 0)
			buffer_add_text(out, TEXT(", "));
		text_scalar(out, &test->values[i]);
	}
	buffer_add_text(out, TEXT("]"));
}

static void text_test(struct buffer *out, const struct expr_test *test)
{
	static const char *const signs[EXPR_OP_COUNT] = {
		[EXPR_EQ] = "=", [EXPR_NEQ] = "!=", [EXPR_GT] = ">",          [EXPR_GTE] = ">=",
		[EXPR_LT] = "<", [EXPR_LTE] = "<=", [EXPR_NOT_IN] = "not in",
	};
	const char *sign = signs[test->op] != NULL ? signs[test->op] : expr_op_name(test->op);

	if (expr_test_is_relative(test)) {
		text_duration(out, sign, test->duration_ms);
		return;
	}
	buffer_printf(out, " %s", sign);
	if (test->op == EXPR_EXISTS || test->op == EXPR_ABSENT)
		return;
	buffer_add_text(out, TEXT(" "));
	if (takes_list(test->op))
		text_list(out, test);
	else if (test->op == EXPR_BEFORE || test->op == EXPR_AFTER)
		text_string(out, test->instant_text);
	else
		text_scalar(out, &test->values[0]);
}

/* How tightly a form binds: what binds looser than its place demands gets parentheses. */
enum binding { BINDING_OR, BINDING_AND, BINDING_NOT, BINDING_ATOM };

static void text_where(struct buffer *out, const struct expr_where *where, enum binding demanded)
{
	if (where->kind == EXPR_WHERE_TEST) {
		text_name(out, where->property);
		text_test(out, &where->test);
		return;
	}
	if (where->kind != EXPR_WHERE_NOT && where->count == 1) {
		text_where(out, where->operands[0], demanded);
		return;
	}

	static const enum binding bindings[] = {[EXPR_WHERE_AND] = BINDING_AND,
	                                        [EXPR_WHERE_OR]  = BINDING_OR,
	                                        [EXPR_WHERE_NOT] = BINDING_NOT};
	enum binding              own        = bindings[where->kind];
	bool                      open       = own < demanded;
	buffer_add_text(out, open ? TEXT("(") : TEXT(""));
	buffer_add_text(out, own == BINDING_NOT ? TEXT("not ") : TEXT(""));
	for (unsigned i = 0; i < where->count; i++) {
		if (i > 0)
			buffer_add_text(out, own == BINDING_OR ? TEXT(" or ") : TEXT(" and "));
		text_where(out, where->operands[i], own + 1);
	}
	buffer_add_text(out, open ? TEXT(")") : TEXT(""));
}

static void text_what(struct buffer *out, struct text name, const struct expr_where *where)
{
	if (text_equal(name, TEXT("*")))
		buffer_add_text(out, name);
	else
		text_name(out, name);
	if (where != NULL) {
		buffer_add_text(out, TEXT(" where "));
		text_where(out, where, BINDING_OR);
	}
}

static void text_event(struct buffer *out, const struct expr_event *event)
{
	buffer_printf(out, "%s(", expr_aggregate_name(event->aggregate));
	if (event->property.length > 0) {
		text_name(out, event->property);
		buffer_add_text(out, TEXT(" of "));
	}
	text_what(out, event->name, event->where);
	buffer_add_text(out, TEXT(")"));

	if (event->within_ms != 0)
		text_duration(out, "within", event->within_ms);
	if (event->until_ms != 0)
		text_duration(out, "until", event->until_ms);
	if (event->from_ms != INSTANT_MS_NONE) {
		buffer_add_text(out, TEXT(" between "));
		text_string(out, event->from_text);
		buffer_add_text(out, TEXT(" and "));
		text_string(out, event->to_text);
	}
	text_test(out, &event->test);
}

static void text_sequence(struct buffer *out, const struct expr_sequence *sequence)
{
	buffer_add_text(out, TEXT("sequence("));
	for (unsigned i = 0; i < sequence->step_count; i++) {
		buffer_add_text(out, i == 0 ? TEXT("") : TEXT(" then "));
		text_what(out, sequence->steps[i].name, sequence->steps[i].where);
	}
	buffer_add_text(out, TEXT(")"));
	if (sequence->within_ms != 0)
		text_duration(out, "within", sequence->within_ms);
	if (sequence->ended_within_ms != 0)
		text_duration(out, "ended_within", sequence->ended_within_ms);
}

static void text_expr(struct buffer *out, const struct expr *expr, enum binding demanded);

static void text_operands(struct buffer *out, const struct expr *expr, enum binding demanded)
{
	static const enum binding bindings[] = {
		[EXPR_AND] = BINDING_AND, [EXPR_OR] = BINDING_OR, [EXPR_NOT] = BINDING_NOT};

	if (expr->kind != EXPR_NOT && expr->count == 1) {
		text_expr(out, expr->operands[0], demanded);
		return;
	}
	enum binding own  = bindings[expr->kind];
	bool         open = own < demanded;
	buffer_add_text(out, open ? TEXT("(") : TEXT(""));
	buffer_add_text(out, own == BINDING_NOT ? TEXT("not ") : TEXT(""));
	for (unsigned i = 0; i < expr->count; i++) {
		if (i > 0)
			buffer_add_text(out, own == BINDING_OR ? TEXT(" or ") : TEXT(" and "));
		text_expr(out, expr->operands[i], own + 1);
	}
	buffer_add_text(out, open ? TEXT(")") : TEXT(""));
}

static void text_expr(struct buffer *out, const struct expr *expr, enum binding demanded)
{
	switch (expr->kind) {
	case EXPR_AND:
	case EXPR_OR:
	case EXPR_NOT:
		text_operands(out, expr, demanded);
		break;
	case EXPR_EVENT:
		text_event(out, &expr->event);
		break;
	case EXPR_TRAIT:
		buffer_add_text(out, TEXT("trait("));
		text_name(out, expr->trait.name);
		buffer_add_text(out, TEXT(")"));
		text_test(out, &expr->trait.test);
		break;
	case EXPR_SEGMENT:
		buffer_add_text(out, TEXT("segment("));
		text_name(out, expr->segment.reference);
		buffer_add_text(out, TEXT(")"));
		break;
	case EXPR_SEQUENCE:
		text_sequence(out, &expr->sequence);
		break;
	}
}

void expr_write_text(struct buffer *out, const struct expr *expr)
{
	text_expr(out, expr, BINDING_OR);
}

void expr_write_text_where(struct buffer *out, const struct expr_where *where)
{
	text_where(out, where, BINDING_OR);
}
