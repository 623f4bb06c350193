#include "api/audience/question.h"

#include <stdio.h>

#include "api/audience/filter_set.h"
#include "api/personal/personal_index.h"
#include "api/segment/segment_body.h"
#include "api/personal/classification.h"
#include "base/edit_distance.h"
#include "model/rules.h"

static const char *const definition_members[] = {"expression", "filters", NULL};

static bool is_among(const char *const *names, struct text name)
{
	for (; *names != NULL; names++)
		if (text_equal(text_of(*names), name))
			return true;
	return false;
}

static bool is_ours(const char *const *others, struct text name)
{
	return is_among(definition_members, name) || is_among(others, name);
}

static struct text json_text(struct arena *arena, struct json value)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_add_value(&w, value);
	struct text text = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return text;
}

static bool has_expression(struct json object)
{
	return json_type(json_get(object, "expression")) > JSON_NULL;
}

/* ---- Reading ---- */

enum status question_at(const char *prefix, enum status status, struct error *err)
{
	if (status == STATUS_OK || prefix[0] == '\0')
		return status;
	struct error inner = *err;
	char         field[ERROR_FIELD_BYTES_MAX];
	snprintf(field, sizeof field, "%s%.*s", prefix, (int)(sizeof field - 1 - strlen(prefix)),
	         inner.field);
	size_t length = strlen(field);
	if (inner.field[0] == '\0' && length > 0) /* of the whole: "audiences[1]" */
		field[length - 1] = '\0';
	error_set_field(err, status, field, "%s", inner.reason);
	err->fatal = inner.fatal;
	return status;
}

/* `asker`: NULL for what was stored, which holds indexes already. */
static enum status read_expression(struct api_call *asker, struct arena *arena, struct json object,
                                   struct question *question, struct expr **ret_expr,
                                   struct error *err)
{
	const struct classes *classes =
		asker == NULL ? &classes_of_what_is_kept : classification_now(asker->api);
	struct json value = json_get(object, "expression");
	*ret_expr         = NULL;
	if (!has_expression(object))
		return STATUS_OK;
	enum status status  = expr_parse_json_with(value, "expression", classes, arena, ret_expr, err);
	bool        indexed = false;
	if (status == STATUS_OK && asker != NULL)
		status = personal_index(asker, *ret_expr, "expression", &indexed, err);
	if (status == STATUS_OK)
		question->expression =
			indexed ? personal_index_text(*ret_expr, arena) : json_text(arena, value);
	return status;
}

/* References become numbers, and what they name is looked at. */
static enum status resolve(struct api *api, struct arena *arena, struct question *question,
                           struct error *err)
{
	struct definition_preview preview;
	struct definition_wish    wish = {.body = question->written, .expr = question->expr};
	enum status status = segment_body_check_windows(question->expr, api->config.retention_ms, err);
	if (status == STATUS_OK)
		status =
			definition_preview(api->definitions, (struct text){0}, &wish, arena, &preview, err);
	if (status != STATUS_OK)
		return status;
	question->canonical = preview.canonical;
	question->derived   = expr_is_derived(question->expr);
	return STATUS_OK;
}

static struct text write_written(struct arena *arena, const struct question *question)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	if (question->expression.length > 0) {
		json_add_key(&w, TEXT("expression"));
		json_add_raw(&w, question->expression);
	}
	if (question->filters.length > 0) {
		json_add_key(&w, TEXT("filters"));
		json_add_raw(&w, question->filters);
	}
	json_end_object(&w);
	struct text text = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return text;
}

enum status question_only(struct json object, const char *const *others, struct error *err)
{
	for (struct json_iterator i = json_iterate(object); json_next(&i);)
		if (!is_ours(others, i.name)) {
			char field[ERROR_FIELD_BYTES_MAX];
			snprintf(field, sizeof field, "%.*s", TEXT_FORMAT(i.name));
			return error_set_field(err, STATUS_INVALID, field, "There is no such field here");
		}
	return STATUS_OK;
}

/* The members that are filters, as an object of their own. */
static struct text flat_text(struct arena *arena, struct json object, const char *const *others)
{
	struct buffer      out   = {0};
	struct json_writer w     = json_writer_of(&out);
	unsigned           count = 0;
	json_begin_object(&w);
	for (struct json_iterator i = json_iterate(object); json_next(&i);)
		if (!is_ours(others, i.name)) {
			json_add_key(&w, i.name);
			json_add_value(&w, i.value);
			count++;
		}
	json_end_object(&w);
	struct text text = count == 0 ? (struct text){0} : arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return text;
}

/* What `filters` and the flat ones say, in one object. */
static struct text joined_text(struct arena *arena, struct text nested, struct text flat)
{
	if (nested.length <= 2 || flat.length <= 2)
		return nested.length > 2 ? nested : flat;
	return text_of(arena_printf(arena, "%.*s,%.*s", (int)nested.length - 1, nested.data,
	                            (int)flat.length - 1, flat.data + 1));
}

static enum status read_filter_text(struct api *api, struct arena *arena, struct text text,
                                    const char *field, struct expr **ret_expr, struct error *err)
{
	struct json_parser *parser = json_parser_new();
	struct json         object;
	enum status         status = json_parse_text(parser, text, &object, err);
	if (status == STATUS_OK)
		status = filter_set_expr(api->filters, object, field, arena, ret_expr, err);
	json_parser_free(parser);
	return status;
}

/* What is kept of a question is one object of filters: none can stand there twice. */
static enum status check_once(struct json flat, struct json nested, const char *const *others,
                              struct error *err)
{
	for (struct json_iterator i = json_iterate(flat); json_next(&i);)
		for (struct json_iterator o = json_iterate(nested); json_next(&o);)
			if (!is_ours(others, i.name) && text_equal(i.name, o.name)) {
				char field[ERROR_FIELD_BYTES_MAX];
				snprintf(field, sizeof field, "%.*s", TEXT_FORMAT(i.name));
				return error_set_field(err, STATUS_INVALID, field,
				                       "The filter stands in \"filters\" too");
			}
	return STATUS_OK;
}

/* A member that is no filter, and nearly one of the others. */
static enum status check_others(struct api *api, struct arena *arena, struct json object,
                                const char *const *others, struct error *err)
{
	const struct filters *filters = filter_set_lock(api->filters);
	enum status           status  = STATUS_OK;
	for (struct json_iterator i = json_iterate(object); status == STATUS_OK && json_next(&i);) {
		char        field[ERROR_FIELD_BYTES_MAX];
		const char *nearest = edit_nearest(i.name, others);
		if (nearest == NULL || is_ours(others, i.name) || filters_find(filters, i.name) != NULL ||
		    filters_nearest(filters, i.name, arena) != NULL)
			continue;
		snprintf(field, sizeof field, "%.*s", TEXT_FORMAT(i.name));
		status = error_set_field(err, STATUS_INVALID, field,
		                         "There is no such filter or field: did you mean \"%s\"?", nearest);
	}
	filter_set_unlock(api->filters);
	return status;
}

static enum status read_filters(struct api *api, struct arena *arena, struct json object,
                                const char *const *others, bool flat, struct question *question,
                                struct expr *ret_exprs[2], struct error *err)
{
	struct json value       = json_get(object, "filters");
	struct text nested_text = {0}, others_text = {0};
	enum status status = STATUS_OK;
	if (json_type(value) > JSON_NULL) {
		nested_text = json_text(arena, value);
		status      = filter_set_expr(api->filters, value, "filters", arena, &ret_exprs[0], err);
	}
	if (status == STATUS_OK && flat) {
		others_text = flat_text(arena, object, others);
		status      = check_once(object, value, others, err);
		if (status == STATUS_OK)
			status = check_others(api, arena, object, others, err);
		if (status == STATUS_OK && others_text.length > 0)
			status = read_filter_text(api, arena, others_text, "", &ret_exprs[1], err);
	}
	if (status == STATUS_OK)
		question->filters = joined_text(arena, nested_text, others_text);
	return status;
}

static enum status read(struct api *api, struct api_call *asker, struct arena *arena,
                        struct json object, const char *const *others, bool flat,
                        struct question *question, struct error *err)
{
	struct expr *parts[3] = {NULL};
	unsigned     count    = 0;
	enum status  status;
	if (!flat && (status = question_only(object, others, err)) != STATUS_OK)
		return status;
	if ((status = read_expression(asker, arena, object, question, &parts[0], err)) != STATUS_OK ||
	    (status = read_filters(api, arena, object, others, flat, question, &parts[1], err)) !=
	        STATUS_OK)
		return status;
	for (unsigned i = 0; i < 3; i++)
		if (parts[i] != NULL)
			parts[count++] = parts[i];
	if (count == 0)
		return error_set_field(err, STATUS_INVALID, "expression",
		                       "An expression or at least one filter is needed");
	struct expr **operands = ARENA_ARRAY(arena, struct expr *, count);
	memcpy(operands, parts, count * sizeof *operands);
	if ((status = expr_all_of(operands, count, "expression", arena, &question->expr, err)) !=
	    STATUS_OK)
		return status;
	question->written = write_written(arena, question);
	return STATUS_OK;
}

enum status question_read(struct api_call *call, struct json object, const char *const *others,
                          bool flat, struct question *ret_question, struct error *err)
{
	struct api     *api      = call->api;
	struct arena   *arena    = call->arena;
	struct question question = {0};
	enum status     status   = read(api, call, arena, object, others, flat, &question, err);
	if (status == STATUS_OK)
		status = classification_check(api, question.expr, "expression", err);
	if (status == STATUS_OK)
		status = resolve(api, arena, &question, err);
	if (status == STATUS_OK)
		*ret_question = question;
	return status;
}

static enum status of(struct api *api, struct arena *arena, struct text written, bool resolved,
                      struct question *ret_question, struct error *err)
{
	static const char *const none[]   = {NULL};
	struct json_parser      *parser   = json_parser_new();
	struct question          question = {0};
	struct json              object;
	enum status              status = json_parse_text(parser, written, &object, err);
	if (status == STATUS_OK)
		status = read(api, NULL, arena, object, none, false, &question, err);
	if (status == STATUS_OK && resolved)
		status = resolve(api, arena, &question, err);
	json_parser_free(parser);
	if (status == STATUS_OK)
		*ret_question = question;
	return status;
}

enum status question_of(struct api *api, struct arena *arena, struct text written,
                        struct question *ret_question, struct error *err)
{
	return of(api, arena, written, true, ret_question, err);
}

enum status question_show(struct api *api, struct arena *arena, struct text written,
                          struct question *ret_question, struct error *err)
{
	return of(api, arena, written, false, ret_question, err);
}

void question_write(struct json_writer *writer, const struct question *question)
{
	struct buffer text = {0};
	json_add_key(writer, TEXT("expression"));
	if (question->filters.length == 0 && question->expression.data[0] == '{')
		json_add_raw(writer, question->expression);
	else
		expr_write_json(writer, question->expr);
	json_add_key(writer, TEXT("filters"));
	if (question->filters.length == 0)
		json_add_null(writer);
	else
		json_add_raw(writer, question->filters);
	expr_write_text(&text, question->expr);
	json_member_string(writer, "text", buffer_text(&text));
	buffer_done(&text);
}

/* ---- What is asked about it ---- */

static enum status read_event_dimension(struct json value, const char *field,
                                        struct query_dimension *dimension, struct error *err)
{
	struct text within;
	enum status status;
	if ((status = call_string(value, "event", true, 1, EXPR_NAME_BYTES_MAX, &dimension->event,
	                          err)) != STATUS_OK ||
	    (status = call_string(value, "property", false, 1, EXPR_NAME_BYTES_MAX,
	                          &dimension->property, err)) != STATUS_OK ||
	    (status = call_string(value, "within", true, 1, DURATION_TEXT_BYTES, &within, err)) !=
	        STATUS_OK)
		return question_at(field, status, err);
	if (text_equal(dimension->event, TEXT("*")))
		dimension->event = TEXT("");
	dimension->event = rules_event_name(dimension->event);
	if (within.data != NULL && !duration_parse(within, &dimension->within_ms))
		return question_at(field,
		                   error_set_field(err, STATUS_INVALID, "within",
		                                   "It must be a duration from 60s to 1095d, such as "
		                                   "\"30d\""),
		                   err);
	return STATUS_OK;
}

/* The parts of a birthday can be asked for, but a division by them would tell them. */
static enum status check_trait(struct text name, const char *field, struct error *err)
{
	if (!personal_by_name(PERSONAL_IN_TRAITS, name) ||
	    personal_tests(PERSONAL_IN_TRAITS, name) != PERSONAL_ALL_TESTS)
		return STATUS_OK;
	return question_at(field,
	                   error_set(err, STATUS_INVALID,
	                             "Members are not divided by what is personal: take age_band"),
	                   err);
}

/* A filter divides by what it looks at; any other name is that of a trait. */
static enum status read_named_breakdown(struct api *api, struct arena *arena, struct text name,
                                        const char *field, struct question_breakdown *breakdown,
                                        struct error *err)
{
	breakdown->name            = name;
	breakdown->dimension.trait = name;
	if (name.length == 0 || name.length > EXPR_NAME_BYTES_MAX)
		return question_at(field, error_set(err, STATUS_INVALID, "A name is needed"), err);
	const struct filters *filters = filter_set_lock(api->filters);
	const struct filter  *filter  = filters_find(filters, name);
	bool                  grouped =
		filter == NULL || filter_set_dimension(filters, filter, arena, &breakdown->dimension);
	breakdown->is_filter = filter != NULL;
	filter_set_unlock(api->filters);
	return grouped ? check_trait(breakdown->dimension.trait, field, err)
	               : question_at(field,
	                             error_set(err, STATUS_INVALID,
	                                       "The filter \"%.*s\" looks at no one value that members "
	                                       "could be grouped by",
	                                       TEXT_FORMAT(name)),
	                             err);
}

static enum status read_breakdown(struct api *api, struct arena *arena, struct json value,
                                  const char *field, struct question_breakdown *breakdown,
                                  struct error *err)
{
	static const char *const known[]    = {"trait", "event", "property", "within", NULL};
	struct query_dimension  *dimension  = &breakdown->dimension;
	bool                     has_others = false;
	enum status              status;
	if (json_type(value) == JSON_STRING)
		return read_named_breakdown(api, arena, json_string(value), field, breakdown, err);
	if (json_type(value) != JSON_OBJECT)
		return question_at(field,
		                   error_set(err, STATUS_INVALID,
		                             "It must be a name, or an object with \"trait\", or with "
		                             "\"event\" and \"property\""),
		                   err);
	if ((status = call_only(value, known, err)) != STATUS_OK ||
	    (status = call_string(value, "trait", true, 1, EXPR_NAME_BYTES_MAX, &dimension->trait,
	                          err)) != STATUS_OK)
		return question_at(field, status, err);
	breakdown->name = dimension->trait;
	for (unsigned i = 1; known[i] != NULL; i++)
		has_others = has_others || json_type(json_get(value, known[i])) > JSON_NULL;
	if (dimension->trait.data == NULL) {
		status          = read_event_dimension(value, field, dimension, err);
		breakdown->name = dimension->property;
		return status;
	}
	return !has_others ? check_trait(dimension->trait, field, err)
	                   : question_at(field,
	                                 error_set_field(err, STATUS_INVALID, "trait",
	                                                 "It stands alone: a trait has no window"),
	                                 err);
}

enum status question_read_breakdowns(struct api *api, struct arena *arena, struct json value,
                                     struct question_breakdown *ret_breakdowns, unsigned *ret_count,
                                     struct error *err)
{
	*ret_count = 0;
	if (json_type(value) <= JSON_NULL)
		return STATUS_OK;
	if (json_type(value) != JSON_ARRAY || json_count(value) > QUERY_DIMENSIONS_MAX)
		return error_set_field(err, STATUS_INVALID, "breakdowns",
		                       "It must be an array of at most %d dimensions",
		                       QUERY_DIMENSIONS_MAX);
	for (struct json_iterator i = json_iterate(value); json_next(&i); ++*ret_count) {
		struct question_breakdown *breakdown = &ret_breakdowns[*ret_count];
		const char                *field     = arena_printf(arena, "breakdowns[%u].", *ret_count);
		*breakdown                           = (struct question_breakdown){0};
		enum status status = read_breakdown(api, arena, i.value, field, breakdown, err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

enum status question_read_count(struct json body, const char *name, unsigned max, unsigned fallback,
                                unsigned *ret_count, struct error *err)
{
	struct json value = json_get(body, name);
	*ret_count        = fallback;
	if (json_type(value) <= JSON_NULL)
		return STATUS_OK;
	double count = json_is_number(value) ? json_number(value) : -1;
	if (!(count >= 0 && count <= max) || count != (double)(unsigned)count)
		return error_set_field(err, STATUS_INVALID, name, "It must be a whole number from 0 to %u",
		                       max);
	*ret_count = (unsigned)count;
	return STATUS_OK;
}

enum status question_read_as_of(struct json body, int64_t *ret_ms, struct error *err)
{
	struct json value = json_get(body, "as_of");
	bool        valid = false;
	*ret_ms           = INSTANT_MS_NONE;
	if (json_type(value) <= JSON_NULL)
		return STATUS_OK;
	if (json_type(value) == JSON_STRING) {
		valid = instant_parse(json_string(value), ret_ms);
	} else if (json_type(value) == JSON_INT) {
		*ret_ms = json_int(value);
		valid   = *ret_ms >= INSTANT_MS_MIN && *ret_ms <= INSTANT_MS_MAX;
	}
	return valid ? STATUS_OK
	             : error_set_field(err, STATUS_INVALID, "as_of",
	                               "It must be an RFC 3339 instant or epoch milliseconds");
}
