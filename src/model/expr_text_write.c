#include "model/expr_internal.h"
#include "model/expr_text.h"

static void text_string(struct buffer *out, struct text text)
{
	struct json_writer writer = json_writer_of(out);
	json_add_string(&writer, text);
}

static void text_name(struct buffer *out, struct text name)
{
	if (expr_text_is_bare(name))
		buffer_add_text(out, name);
	else
		text_string(out, name);
}

static void text_scalar(struct buffer *out, const struct expr_scalar *scalar)
{
	struct json_writer writer = json_writer_of(out);
	expr_write_json_scalar(&writer, scalar);
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
	const char *sign = expr_text_sign(test->op);
	if (sign == NULL)
		sign = test->op == EXPR_NOT_IN ? "not in" : expr_op_name(test->op);

	if (expr_test_is_relative(test)) {
		text_duration(out, sign, test->duration_ms);
		return;
	}
	buffer_printf(out, " %s", sign);
	if (test->op == EXPR_EXISTS || test->op == EXPR_ABSENT)
		return;
	buffer_add_text(out, TEXT(" "));
	if (expr_takes_list(test->op))
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

static void text_event_value(struct buffer *out, const struct expr_event *event)
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
}

static void text_trait_value(struct buffer *out, struct text name)
{
	buffer_add_text(out, TEXT("trait("));
	text_name(out, name);
	buffer_add_text(out, TEXT(")"));
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
		text_event_value(out, &expr->event);
		text_test(out, &expr->event.test);
		break;
	case EXPR_TRAIT:
		text_trait_value(out, expr->trait.name);
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

void expr_write_text_value(struct buffer *out, const struct expr *expr)
{
	if (expr->kind == EXPR_TRAIT)
		text_trait_value(out, expr->trait.name);
	else
		text_event_value(out, &expr->event);
}

void expr_write_text_where(struct buffer *out, const struct expr_where *where)
{
	text_where(out, where, BINDING_OR);
}
