#include "model/expr_internal.h"

void expr_write_json_scalar(struct json_writer *writer, const struct expr_scalar *scalar)
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

static void write_list(struct json_writer *writer, const struct expr_test *test)
{
	json_begin_array(writer);
	for (unsigned i = 0; i < test->value_count; i++)
		expr_write_json_scalar(writer, &test->values[i]);
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
		if (expr_takes_list(test->op))
			write_list(writer, test);
		else
			expr_write_json_scalar(writer, &test->values[0]);
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
