#include "model/expr_template.h"

#include <assert.h>
#include <stdio.h>

#include "model/expr_draft.h"

/* What is filled beyond it is no expression, even if some of it stands there twice. Values stand in
 * each hole, and in holes of what is repeated as often again. */
enum { FILLED_BYTES_MAX = 4 * EXPR_BYTES_MAX };

const char *expr_parameter_name(enum expr_parameter parameter)
{
	static const char *const names[EXPR_PARAMETER_COUNT] = {
		[EXPR_PARAMETER_VALUE] = "$value", [EXPR_PARAMETER_MIN] = "$min",
		[EXPR_PARAMETER_MAX] = "$max",     [EXPR_PARAMETER_DAYS] = "$days",
		[EXPR_PARAMETER_FROM] = "$from",   [EXPR_PARAMETER_TO] = "$to",
	};
	assert(parameter < EXPR_PARAMETER_COUNT);
	return names[parameter];
}

static const struct draft *member_of(const struct draft *object, const char *name)
{
	const struct draft *child = object->first;
	while (child != NULL && strcmp(child->name, name) != 0)
		child = child->next;
	return child;
}

/* ---- Reading ---- */

static struct text name_in(const struct draft *object, const char *member, struct arena *arena)
{
	const struct draft *draft = member_of(object, member);
	struct json         value;
	struct text         name = {0};
	if (draft == NULL)
		return name;
	struct json_parser *parser = json_parser_new();
	enum status         status = json_parse_text(parser, draft->raw, &value, NULL);
	assert(status == STATUS_OK); /* it was read already */
	name = arena_text(arena, json_string(value));
	json_parser_free(parser);
	return name;
}

static bool holds_value(const struct draft *test)
{
	const struct draft *value = member_of(test, "value");
	if (value != NULL && value->kind == DRAFT_ARRAY)
		for (value = value->first; value != NULL && value->kind != DRAFT_HOLE;)
			value = value->next;
	return value != NULL && value->kind == DRAFT_HOLE && value->hole == EXPR_PARAMETER_VALUE;
}

/* Notes what stands in a draft below `event` (NULL: none). */
static void look_through(struct expr_template *template, const struct draft *draft,
                         const struct draft *event, struct arena *arena)
{
	if (draft->kind == DRAFT_HOLE)
		template->parameters |= 1U << draft->hole;
	if (draft->kind == DRAFT_OBJECT) {
		if (member_of(draft, "event") != NULL)
			event = draft;
		if (holds_value(draft) && template->trait.length == 0 && template->property.length == 0) {
			template->trait    = name_in(draft, "trait", arena);
			template->property = name_in(draft, "property", arena);
			if (event != NULL)
				template->event = name_in(event, "event", arena);
		}
	}
	if (draft->kind == DRAFT_OBJECT || draft->kind == DRAFT_ARRAY)
		for (const struct draft *inner = draft->first; inner != NULL; inner = inner->next)
			look_through(template, inner, event, arena);
}

static void find_personal(void *context, const struct expr *leaf)
{
	bool *found = context;
	if (leaf->kind == EXPR_TRAIT &&
	    personal_tests(PERSONAL_IN_TRAITS, leaf->trait.name) == PERSONAL_EQUALITY)
		*found |= leaf->trait.test.value_count > 0;
}

enum status expr_template_read(struct text text, const char *field, struct arena *arena,
                               struct expr_template **ret_template, struct error *err)
{
	struct expr_template *template = ARENA_NEW(arena, struct expr_template);
	struct draft *draft;
	struct expr  *sample;
	enum status   status = draft_read(arena_text(arena, text), field, arena, &draft, &sample, err);
	if (status != STATUS_OK)
		return status;
	bool compares = false;
	expr_visit_leaves(sample, find_personal, &compares);
	if (compares)
		return error_set_field(err, STATUS_INVALID, field,
		                       "a filter cannot compare e-mail addresses or phones: what it is "
		                       "given is kept as it is written");
	template->draft  = draft;
	template->sample = sample;
	look_through(template, draft, NULL, arena);
	*ret_template = template;
	return STATUS_OK;
}

/* ---- Filling ---- */

/* Whether anything is left of it. */
static bool stays(const struct draft *draft, const struct expr_filling *filling)
{
	bool joined = false;
	switch (draft->kind) {
	case DRAFT_RAW:
		return true;
	case DRAFT_HOLE:
		return (filling->given >> draft->hole & 1) != 0;
	case DRAFT_ARRAY: /* operands, items of a list, steps */
		for (const struct draft *inner = draft->first; inner != NULL; inner = inner->next)
			if (stays(inner, filling))
				return true;
		return false;
	case DRAFT_OBJECT:
		for (const struct draft *inner = draft->first; inner != NULL; inner = inner->next) {
			joined = strcmp(inner->name, "where") == 0; /* goes alone */
			if (!joined && !stays(inner, filling))
				return false;
		}
		return true;
	}
	return true;
}

static void write_hole(struct json_writer *w, const struct draft *hole,
                       const struct expr_filling *filling, unsigned value)
{
	char text[INSTANT_TEXT_BYTES];
	switch ((enum expr_parameter)hole->hole) {
	case EXPR_PARAMETER_VALUE:
		json_add_string(w, filling->values[value]);
		return;
	case EXPR_PARAMETER_MIN:
		json_add_double(w, filling->min);
		return;
	case EXPR_PARAMETER_MAX:
		json_add_double(w, filling->max);
		return;
	case EXPR_PARAMETER_DAYS:
		snprintf(text, sizeof text, hole->duration ? "\"%lldd\"" : "%lld",
		         (long long)filling->days);
		json_add_raw(w, text_of(text));
		return;
	case EXPR_PARAMETER_FROM:
		json_add_string(w, instant_format(filling->from_ms, text));
		return;
	case EXPR_PARAMETER_TO:
		json_add_string(w, instant_format(filling->to_ms, text));
		return;
	case EXPR_PARAMETER_COUNT:
		break;
	}
	assert(false);
}

static void write_filled(struct json_writer *w, const struct draft *draft,
                         const struct expr_filling *filling, unsigned value);

static bool is_full(const struct json_writer *w) { return w->out->length > FILLED_BYTES_MAX; }

static void write_members(struct json_writer *w, const struct draft *object,
                          const struct expr_filling *filling, unsigned value)
{
	json_begin_object(w);
	for (const struct draft *inner = object->first; inner != NULL; inner = inner->next)
		if (stays(inner, filling)) {
			json_add_key(w, text_of(inner->name));
			write_filled(w, inner, filling, value);
		}
	json_end_object(w);
}

/* Whether it is a test or leaf that is to hold for one of several values. */
static bool is_repeated(const struct draft *object, const struct expr_filling *filling)
{
	const struct draft *value = member_of(object, "value");
	return filling->value_count > 1 && value != NULL && value->kind == DRAFT_HOLE &&
	       value->hole == EXPR_PARAMETER_VALUE;
}

static void write_object(struct json_writer *w, const struct draft *object,
                         const struct expr_filling *filling, unsigned value)
{
	if (!is_repeated(object, filling)) {
		write_members(w, object, filling, value);
		return;
	}
	json_begin_object(w);
	json_add_key(w, TEXT("or"));
	json_begin_array(w);
	for (unsigned i = 0; i < filling->value_count && !is_full(w); i++)
		write_members(w, object, filling, i);
	json_end_array(w);
	json_end_object(w);
}

static void write_array(struct json_writer *w, const struct draft *array,
                        const struct expr_filling *filling, unsigned value)
{
	json_begin_array(w);
	for (const struct draft *inner = array->first; inner != NULL; inner = inner->next) {
		bool all = inner->kind == DRAFT_HOLE && inner->hole == EXPR_PARAMETER_VALUE;
		if (!stays(inner, filling))
			continue;
		for (unsigned i = 0; all && i < filling->value_count && !is_full(w); i++)
			write_hole(w, inner, filling, i);
		if (!all)
			write_filled(w, inner, filling, value);
	}
	json_end_array(w);
}

static void write_filled(struct json_writer *w, const struct draft *draft,
                         const struct expr_filling *filling, unsigned value)
{
	switch (draft->kind) {
	case DRAFT_RAW:
		json_add_raw(w, draft->raw);
		return;
	case DRAFT_HOLE:
		write_hole(w, draft, filling, value);
		return;
	case DRAFT_ARRAY:
		write_array(w, draft, filling, value);
		return;
	case DRAFT_OBJECT:
		write_object(w, draft, filling, value);
		return;
	}
}

enum status expr_template_fill(const struct expr_template *template,
                               const struct expr_filling *filling, const char *field,
                               struct arena *arena, struct expr **ret_expr, struct error *err)
{
	assert((filling->given >> EXPR_PARAMETER_VALUE & 1) == (filling->value_count > 0));
	if (!stays(template->draft, filling))
		return error_set_field(err, STATUS_INVALID, field, "says nothing");
	struct buffer       out    = {0};
	struct json_writer  w      = json_writer_of(&out);
	struct json_parser *parser = json_parser_new();
	struct error        why    = {0};
	struct json         value;
	if (filling->negated) {
		json_begin_object(&w);
		json_add_key(&w, TEXT("not"));
	}
	write_filled(&w, template->draft, filling, 0);
	if (filling->negated)
		json_end_object(&w);
	enum status status =
		is_full(&w) ? error_set(&why, STATUS_INVALID, "is longer than %d bytes", EXPR_BYTES_MAX)
					: json_parse_text(parser, buffer_text(&out), &value, &why);
	if (status == STATUS_OK)
		status = expr_parse_json(value, field, arena, ret_expr, &why);
	if (status != STATUS_OK) /* the place in the template would tell nobody anything */
		status = error_set_field(err, status, field, "%s", why.reason);
	json_parser_free(parser);
	buffer_done(&out);
	return status;
}

/* ---- Columns ---- */

static bool has_parameter(const struct draft *draft)
{
	if (draft->kind == DRAFT_HOLE)
		return true;
	if (draft->kind == DRAFT_OBJECT || draft->kind == DRAFT_ARRAY)
		for (const struct draft *inner = draft->first; inner != NULL; inner = inner->next)
			if (has_parameter(inner))
				return true;
	return false;
}

/* That no `where` has a parameter. */
static bool picks_freely(const struct draft *draft)
{
	if (draft->kind == DRAFT_OBJECT || draft->kind == DRAFT_ARRAY)
		for (const struct draft *inner = draft->first; inner != NULL; inner = inner->next) {
			bool where = inner->name != NULL && strcmp(inner->name, "where") == 0;
			if (where ? has_parameter(inner) : !picks_freely(inner))
				return false;
		}
	return true;
}

static void check_leaf(void *context, const struct expr *leaf)
{
	bool *column = context;
	if (leaf->kind == EXPR_TRAIT)
		return;
	*column = *column && leaf->kind == EXPR_EVENT && leaf->event.to_ms == INSTANT_MS_NONE &&
	          leaf->event.aggregate != EXPR_FIRST && leaf->event.aggregate != EXPR_LAST &&
	          !expr_where_is_relative(leaf->event.where);
}

bool expr_template_is_column(const struct expr_template *template)
{
	bool column = picks_freely(template->draft);
	expr_visit_leaves(template->sample, check_leaf, &column);
	return column;
}
