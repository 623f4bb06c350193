/* POST /api/v1/audience/calculate: who is asked for, in figures. */

#include "api/audience/asking.h"
#include "api/audience/audiences.h"
#include "api/audience/filter_set.h"
#include "api/audience/sampled.h"
#include "api/call_audit.h"
#include "api/handlers.h"
#include "api/segment/segment_warnings.h"
#include "model/filter.h"

struct calculate {
	struct asking             asking; /* first */
	struct question           question;
	struct calculation_wish   wish;
	struct question_breakdown breakdowns[QUERY_DIMENSIONS_MAX];
	bool                      sampled;
	bool                      explained;
	struct sampled           *shown; /* NULL: no sample was asked for */
	struct segment_names      names;
	struct text               note_key; /* of the warnings, by which they are kept */
	bool                      noted;    /* the warnings are those that were found before */
	struct text               warnings; /* JSON array */
};

static const char *const other_members[] = {"as_of", "breakdowns", "sample", "explain", NULL};

/* ---- What was asked ---- */

static enum status read_explain(struct json body, bool *ret_explained, struct error *err)
{
	struct json value = json_get(body, "explain");
	if (json_type(value) <= JSON_NULL)
		return STATUS_OK;
	if (json_type(value) != JSON_BOOL)
		return error_set_field(err, STATUS_INVALID, "explain", "It must be true or false");
	*ret_explained = json_bool(value);
	return STATUS_OK;
}

/* All that warnings name, as it was written. */
static struct text note_key_of(struct api_call *call, const struct calculate *state)
{
	struct buffer key = {0};
	buffer_add_text(&key, state->question.written);
	for (unsigned i = 0; i < state->wish.dimension_count; i++) {
		buffer_add_u8(&key, state->breakdowns[i].is_filter);
		buffer_add_sized(&key, state->breakdowns[i].name);
	}
	struct text text = arena_text(call->arena, buffer_text(&key));
	buffer_done(&key);
	return text;
}

static enum status read_wish(struct api_call *call, struct calculate *state, struct error *err)
{
	struct calculation_wish *wish = &state->wish;
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = question_read(call, body, other_members, true, &state->question, err)) !=
	        STATUS_OK ||
	    (status = question_read_as_of(body, &wish->as_of_ms, err)) != STATUS_OK ||
	    (status = question_read_count(body, "sample", QUERY_SAMPLE_MAX, 0, &wish->sample_count,
	                                  err)) != STATUS_OK ||
	    (status = read_explain(body, &state->explained, err)) != STATUS_OK ||
	    (status = question_read_breakdowns(call->api, call->arena, json_get(body, "breakdowns"),
	                                       state->breakdowns, &wish->dimension_count, err)) !=
	        STATUS_OK)
		return status;
	call_audit_filters(call, &state->question);
	for (unsigned i = 0; i < wish->dimension_count; i++)
		wish->dimensions[i] = state->breakdowns[i].dimension;
	state->note_key    = note_key_of(call, state);
	state->sampled     = json_type(json_get(body, "sample")) > JSON_NULL;
	wish->set_count    = 1;
	wish->sets[0]      = state->question.canonical;
	wish->derived      = state->question.derived;
	wish->min_position = call->min_position;
	wish->revenue      = true;
	wish->anew         = asking_anew(call);
	return STATUS_OK;
}

/* ---- The answer ---- */

static void write_dimension(struct json_writer *w, const struct query_dimension *dimension)
{
	json_add_key(w, TEXT("dimension"));
	json_begin_object(w);
	if (dimension->trait.length > 0) {
		json_member_string(w, "trait", dimension->trait);
	} else {
		json_member_string(w, "event", dimension->event.length > 0 ? dimension->event : TEXT("*"));
		json_member_string(w, "property", dimension->property);
		if (dimension->within_ms > 0) {
			char into[DURATION_TEXT_BYTES];
			json_member_string(w, "within", duration_format(dimension->within_ms, into));
		}
	}
	json_end_object(w);
}

static void write_breakdown(struct json_writer *w, const struct question_breakdown *breakdown,
                            const struct query_groups *groups)
{
	json_begin_object(w);
	json_member_string(w, "name", breakdown->name);
	write_dimension(w, &breakdown->dimension);
	json_add_key(w, TEXT("groups"));
	json_begin_array(w);
	for (uint32_t i = 0; i < groups->count; i++) {
		json_begin_object(w);
		json_add_key(w, TEXT("value"));
		value_write_json(w, &groups->groups[i].value);
		json_member_int(w, "size", (int64_t)groups->groups[i].size);
		json_end_object(w);
	}
	json_end_array(w);
	json_member_int(w, "others", (int64_t)groups->others);
	json_end_object(w);
}

static void write_breakdowns(struct json_writer *w, const struct calculate *state,
                             const struct query_answer *answer)
{
	json_add_key(w, TEXT("breakdowns"));
	json_begin_array(w);
	for (unsigned i = 0; i < answer->dimension_count; i++)
		write_breakdown(w, &state->breakdowns[i], &answer->dimensions[i]);
	json_end_array(w);
}

static void write_steps(struct json_writer *w, const struct query_answer *answer)
{
	json_add_key(w, TEXT("steps"));
	json_begin_array(w);
	for (unsigned i = 0; i < answer->step_count; i++) {
		const struct query_step *step    = &answer->steps[i];
		int64_t                  took_us = step->took_ns / 1000;
		json_begin_object(w);
		json_member_string(w, "part", text_of(query_part_name(step->part)));
		json_member_string(w, "text", step->text);
		json_member_string(w, "way", text_of(query_way_name(step->way)));
		json_member_int(w, "persons", (int64_t)step->persons);
		json_member_int(w, "rows", (int64_t)step->rows);
		if (step->part == QUERY_CONDITION)
			json_member_int(w, "passed", (int64_t)step->passed);
		json_member_double(w, "took_ms", (double)took_us / 1000);
		json_end_object(w);
	}
	json_end_array(w);
}

static struct unsaved_audience remember(struct api_call *call, const struct calculate *state)
{
	struct unsaved_audience audience = {.written   = state->question.written,
	                                    .canonical = state->question.canonical,
	                                    .derived   = state->question.derived,
	                                    .as_of_ms  = state->wish.as_of_ms};
	unsaved_put(call->api->audiences->unsaved, &audience);
	return audience;
}

static void write_answer(struct api_call *call)
{
	const struct calculate    *state  = call->state;
	const struct query_answer *answer = asking_answer(call);
	if (answer == NULL)
		return;
	struct unsaved_audience audience = remember(call, state);
	struct buffer           out      = {0};
	struct json_writer      w        = json_writer_of(&out);
	json_begin_object(&w);
	json_member_string(&w, "audience_id", text_of(audience.id));
	asking_write_figures(&w, answer);
	asking_write_end(&w, call);
	question_write(&w, &state->question);
	json_add_key(&w, TEXT("warnings"));
	json_add_raw(&w, state->warnings);
	if (answer->dimension_count > 0)
		write_breakdowns(&w, state, answer);
	if (state->shown != NULL) {
		json_add_key(&w, TEXT("sample"));
		sampled_write(call, &w, state->shown);
		sampled_done(state->shown);
	}
	if (state->explained)
		write_steps(&w, answer);
	json_end_object(&w);
	call_answer(call, 200, &out);
}

/* ---- What is read of the partitions for it: who is shown, and, once for each answer that is kept,
 * the names for warnings ---- */

static void copy(struct api_call *call, struct view *view)
{
	struct calculate *state = call->state;
	if (!state->noted)
		segment_names_copy(&state->names, view);
	if (state->shown != NULL)
		sampled_copy(state->shown, view);
}

/* What a filter looks at may come later; of all else that nobody has, the name was a slip. */
static size_t find_groups(struct api_call *call, struct segment_group groups[QUERY_DIMENSIONS_MAX])
{
	const struct calculate *state = call->state;
	const char *const      *names = filters_names(filter_set_lock(call->api->filters), call->arena);
	size_t                  count = 0;
	filter_set_unlock(call->api->filters);
	for (unsigned i = 0; i < state->wish.dimension_count; i++) {
		const struct query_dimension *dimension = &state->breakdowns[i].dimension;
		if (!state->breakdowns[i].is_filter)
			groups[count++] = (struct segment_group){
				.field    = arena_printf(call->arena, "breakdowns[%u]", i),
				.trait    = dimension->trait,
				.event    = dimension->event.length > 0 ? dimension->event : TEXT("*"),
				.property = dimension->property,
				.others   = names};
	}
	return count;
}

static void find_warnings(struct api_call *call)
{
	struct calculate    *state = call->state;
	struct buffer        out   = {0};
	struct json_writer   w     = json_writer_of(&out);
	struct segment_group groups[QUERY_DIMENSIONS_MAX];
	size_t               count = find_groups(call, groups);
	segment_warnings_write(&w, (struct json){0}, state->question.expr, groups, count,
	                       &state->names);
	segment_names_done(&state->names);
	state->warnings = arena_text(call->arena, buffer_text(&out));
	buffer_done(&out);
	calculation_note(state->asking.waiter.calculation, state->note_key, state->warnings);
}

static void copied(struct api_call *call)
{
	struct calculate *state = call->state;
	if (!state->noted)
		find_warnings(call);
	write_answer(call);
}

/* An answer does without warnings, and not without the sample. */
static void not_copied(struct api_call *call)
{
	struct calculate *state = call->state;
	if (!state->noted) {
		segment_names_done(&state->names);
		state->warnings = TEXT("[]");
	}
	if (state->shown == NULL) {
		write_answer(call);
		return;
	}
	sampled_done(state->shown);
	call_fail(call, call->read_error);
}

static void calculated(struct api_call *call)
{
	struct calculate          *state       = call->state;
	struct calculation        *calculation = state->asking.waiter.calculation;
	const struct query_answer *answer      = asking_answer(call);
	if (answer == NULL)
		return;
	state->noted = calculation_noted(calculation, state->note_key, call->arena, &state->warnings);
	if (state->noted && !state->sampled) {
		write_answer(call);
		return;
	}
	if (!state->noted)
		segment_names_init(&state->names, call->api->config.partition_count, call->arena);
	if (state->sampled) {
		state->shown = arena_zalloc(call->arena, sizeof *state->shown);
		sampled_init(state->shown, &answer->members);
	}
	call->read_failed = not_copied;
	call_read_all(call, copy, copied);
}

static void look_up(struct api_call *call)
{
	struct calculate *state = call->state;
	struct error      err;
	if (read_wish(call, state, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		asking_ask(call, &state->wish, calculated);
}

void audience_calculate(struct api_call *call)
{
	asking_begin(call, sizeof(struct calculate), look_up);
}
