#include <assert.h>
#include <stdlib.h>

#include "model/expr_internal.h"

/* The canonical form is built from the leaves up: each node's own bytes, and for `and` and `or`
 * also the operands that they were made of, so that what is above may take them over. All in an
 * arena that lives as long as the writing; EXPR_BYTES_MAX × EXPR_DEPTH_MAX bounds it. */
enum form_kind { FORM_LEAF, FORM_AND, FORM_OR };
struct form {
	enum form_kind kind;
	struct text    bytes;
	unsigned       count; /* operands of FORM_AND, FORM_OR: sorted, unique, of other kinds */
	struct form  **operands;
};

struct composer {
	struct arena  arena;
	struct buffer scratch;
};

static struct json_writer begin(struct composer *composer)
{
	buffer_clear(&composer->scratch);
	return json_writer_of(&composer->scratch);
}

static struct form *form_of_scratch(struct composer *composer, enum form_kind kind)
{
	struct form *form = ARENA_NEW(&composer->arena, struct form);
	form->kind        = kind;
	form->bytes       = arena_text(&composer->arena, buffer_text(&composer->scratch));
	return form;
}

static int compare_texts(const void *a, const void *b)
{
	return text_compare(*(const struct text *)a, *(const struct text *)b);
}

static struct text scalar_bytes(struct composer *composer, const struct expr_scalar *scalar)
{
	struct buffer      bytes  = {0};
	struct json_writer writer = json_writer_of(&bytes);
	if (scalar->type == EXPR_STRING)
		json_add_string(&writer, scalar->text);
	else if (scalar->type == EXPR_NUMBER)
		json_add_double(&writer, scalar->number);
	else
		json_add_bool(&writer, scalar->boolean);
	struct text text = arena_text(&composer->arena, buffer_text(&bytes));
	buffer_done(&bytes);
	return text;
}

static void write_list(struct composer *composer, struct json_writer *writer,
                       const struct expr_test *test)
{
	struct text *items = ARENA_ARRAY(&composer->arena, struct text, test->value_count);
	for (unsigned i = 0; i < test->value_count; i++)
		items[i] = scalar_bytes(composer, &test->values[i]);
	qsort(items, test->value_count, sizeof *items, compare_texts);

	json_begin_array(writer);
	for (unsigned i = 0; i < test->value_count; i++)
		if (i == 0 || !text_equal(items[i], items[i - 1]))
			json_add_raw(writer, items[i]);
	json_end_array(writer);
}

/* RFC 8785 sorts members by name; each writer below is called between its neighbours. */
static void write_op(struct json_writer *writer, const struct expr_test *test)
{
	json_member_string(writer, "op", text_of(expr_op_name(test->op)));
}

static void write_value(struct composer *composer, struct json_writer *writer,
                        const struct expr_test *test)
{
	switch (test->op) {
	case EXPR_EXISTS:
	case EXPR_ABSENT:
		return;
	case EXPR_WITHIN_LAST:
	case EXPR_WITHIN_NEXT:
		json_member_int(writer, "value", test->duration_ms);
		return;
	case EXPR_BEFORE:
	case EXPR_AFTER:
		json_member_int(writer, "value", test->instant_ms);
		return;
	default:
		break;
	}
	json_add_key(writer, TEXT("value"));
	if (test->op == EXPR_IN || test->op == EXPR_NOT_IN)
		write_list(composer, writer, test);
	else
		json_add_raw(writer, scalar_bytes(composer, &test->values[0]));
}

static int compare_forms(const void *a, const void *b)
{
	return text_compare((*(struct form *const *)a)->bytes, (*(struct form *const *)b)->bytes);
}

/* The operands of `forms`, those of the same kind replaced by their own, sorted and unique. */
static void take_operands(struct composer *composer, struct form *into, struct form **forms,
                          unsigned count)
{
	unsigned total = 0;
	for (unsigned i = 0; i < count; i++)
		total += forms[i]->kind == into->kind ? forms[i]->count : 1;
	into->operands = ARENA_ARRAY(&composer->arena, struct form *, total);
	unsigned taken = 0;
	for (unsigned i = 0; i < count; i++) {
		bool          same = forms[i]->kind == into->kind;
		struct form **from = same ? forms[i]->operands : &forms[i];
		unsigned      more = same ? forms[i]->count : 1;
		memcpy(&into->operands[taken], from, more * sizeof(struct form *));
		taken += more;
	}
	qsort(into->operands, total, sizeof(struct form *), compare_forms);

	for (unsigned i = 0; i < total; i++)
		if (i == 0 || !text_equal(into->operands[i]->bytes, into->operands[into->count - 1]->bytes))
			into->operands[into->count++] = into->operands[i];
}

static struct form *form_joined(struct composer *composer, enum form_kind kind, struct form **forms,
                                unsigned count)
{
	struct form joined = {.kind = kind};
	take_operands(composer, &joined, forms, count);
	if (joined.count == 1)
		return joined.operands[0];

	struct json_writer writer = begin(composer);
	json_begin_object(&writer);
	json_add_key(&writer, kind == FORM_AND ? TEXT("and") : TEXT("or"));
	json_begin_array(&writer);
	for (unsigned i = 0; i < joined.count; i++)
		json_add_raw(&writer, joined.operands[i]->bytes);
	json_end_array(&writer);
	json_end_object(&writer);

	struct form *form = form_of_scratch(composer, kind);
	form->count       = joined.count;
	form->operands    = joined.operands;
	return form;
}

static struct form *form_negated(struct composer *composer, const struct form *operand)
{
	struct json_writer writer = begin(composer);
	json_begin_object(&writer);
	json_add_key(&writer, TEXT("not"));
	json_add_raw(&writer, operand->bytes);
	json_end_object(&writer);
	return form_of_scratch(composer, FORM_LEAF);
}

static struct form *form_of_where(struct composer *composer, const struct expr_where *where)
{
	if (where->kind == EXPR_WHERE_TEST) {
		struct json_writer writer = begin(composer);
		json_begin_object(&writer);
		write_op(&writer, &where->test);
		json_member_string(&writer, "property", where->property);
		write_value(composer, &writer, &where->test);
		json_end_object(&writer);
		return form_of_scratch(composer, FORM_LEAF);
	}
	if (where->kind == EXPR_WHERE_NOT)
		return form_negated(composer, form_of_where(composer, where->operands[0]));

	struct form **forms = ARENA_ARRAY(&composer->arena, struct form *, where->count);
	for (unsigned i = 0; i < where->count; i++)
		forms[i] = form_of_where(composer, where->operands[i]);
	return form_joined(composer, where->kind == EXPR_WHERE_AND ? FORM_AND : FORM_OR, forms,
	                   where->count);
}

static struct form *form_of_event(struct composer *composer, const struct expr_event *event)
{
	struct form *where = event->where == NULL ? NULL : form_of_where(composer, event->where);

	struct json_writer writer = begin(composer);
	json_begin_object(&writer);
	json_member_string(&writer, "aggregate", text_of(expr_aggregate_name(event->aggregate)));
	if (event->from_ms != INSTANT_MS_NONE) {
		json_add_key(&writer, TEXT("between"));
		json_begin_array(&writer);
		json_add_int(&writer, event->from_ms);
		json_add_int(&writer, event->to_ms);
		json_end_array(&writer);
	}
	json_member_string(&writer, "event", event->name);
	write_op(&writer, &event->test);
	if (event->property.length > 0)
		json_member_string(&writer, "property", event->property);
	if (event->until_ms != 0)
		json_member_int(&writer, "until", event->until_ms);
	write_value(composer, &writer, &event->test);
	if (where != NULL) {
		json_add_key(&writer, TEXT("where"));
		json_add_raw(&writer, where->bytes);
	}
	if (event->within_ms != 0)
		json_member_int(&writer, "within", event->within_ms);
	json_end_object(&writer);
	return form_of_scratch(composer, FORM_LEAF);
}

static struct form *form_of_sequence(struct composer            *composer,
                                     const struct expr_sequence *sequence)
{
	struct form *wheres[EXPR_STEPS_MAX] = {0};
	assert(sequence->step_count <= EXPR_STEPS_MAX);
	for (unsigned i = 0; i < sequence->step_count; i++)
		if (sequence->steps[i].where != NULL)
			wheres[i] = form_of_where(composer, sequence->steps[i].where);

	struct json_writer writer = begin(composer);
	json_begin_object(&writer);
	if (sequence->ended_within_ms != 0)
		json_member_int(&writer, "ended_within", sequence->ended_within_ms);
	json_add_key(&writer, TEXT("sequence"));
	json_begin_array(&writer);
	for (unsigned i = 0; i < sequence->step_count; i++) {
		json_begin_object(&writer);
		json_member_string(&writer, "event", sequence->steps[i].name);
		if (wheres[i] != NULL) {
			json_add_key(&writer, TEXT("where"));
			json_add_raw(&writer, wheres[i]->bytes);
		}
		json_end_object(&writer);
	}
	json_end_array(&writer);
	if (sequence->within_ms != 0)
		json_member_int(&writer, "within", sequence->within_ms);
	json_end_object(&writer);
	return form_of_scratch(composer, FORM_LEAF);
}

static struct form *form_of_leaf(struct composer *composer, const struct expr *expr)
{
	if (expr->kind == EXPR_EVENT)
		return form_of_event(composer, &expr->event);
	if (expr->kind == EXPR_SEQUENCE)
		return form_of_sequence(composer, &expr->sequence);

	struct json_writer writer = begin(composer);
	json_begin_object(&writer);
	if (expr->kind == EXPR_TRAIT) {
		write_op(&writer, &expr->trait.test);
		json_member_string(&writer, "trait", expr->trait.name);
		write_value(composer, &writer, &expr->trait.test);
	} else {
		assert(expr->segment.number != 0);
		json_member_int(&writer, "segment", expr->segment.number);
	}
	json_end_object(&writer);
	return form_of_scratch(composer, FORM_LEAF);
}

static struct form *form_of_expr(struct composer *composer, const struct expr *expr)
{
	if (expr->kind == EXPR_NOT)
		return form_negated(composer, form_of_expr(composer, expr->operands[0]));
	if (expr->kind != EXPR_AND && expr->kind != EXPR_OR)
		return form_of_leaf(composer, expr);

	struct form **forms = ARENA_ARRAY(&composer->arena, struct form *, expr->count);
	for (unsigned i = 0; i < expr->count; i++)
		forms[i] = form_of_expr(composer, expr->operands[i]);
	return form_joined(composer, expr->kind == EXPR_AND ? FORM_AND : FORM_OR, forms, expr->count);
}

static void finish(struct composer *composer)
{
	arena_done(&composer->arena);
	buffer_done(&composer->scratch);
}

void expr_write_canonical(struct buffer *out, const struct expr *expr)
{
	struct composer composer = {0};
	buffer_add_text(out, form_of_expr(&composer, expr)->bytes);
	finish(&composer);
}

void expr_write_canonical_where(struct buffer *out, const struct expr_where *where)
{
	if (where == NULL)
		return;
	struct composer composer = {0};
	buffer_add_text(out, form_of_where(&composer, where)->bytes);
	finish(&composer);
}
