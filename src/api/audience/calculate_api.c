/* POST /api/v1/audience/calculate: who is asked for, in figures. */

#include "api/audience/asking.h"
#include "api/audience/audiences.h"
#include "api/call_audit.h"
#include "api/handlers.h"
#include "api/segment/segment_warnings.h"

struct calculate {
	struct asking             asking; /* first */
	struct question           question;
	struct calculation_wish   wish;
	struct question_breakdown breakdowns[QUERY_DIMENSIONS_MAX];
	bool                      sampled;
	bool                      explained;
	struct segment_names      names;
	struct text               warnings; /* JSON array; empty: not looked for yet */
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

static enum status read_wish(struct api_call *call, struct calculate *state, struct error *err)
{
	struct calculation_wish *wish = &state->wish;
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = question_read(call->api, call->arena, body, other_members, true, &state->question,
	                            err)) != STATUS_OK ||
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

static void write_sample(struct api_call *call, struct json_writer *w,
                         const struct query_sample *sample)
{
	json_add_key(w, TEXT("sample"));
	json_begin_array(w);
	for (uint32_t i = 0; i < sample->count; i++) {
		json_begin_object(w);
		call_write_person(call, w, sample->persons[i].person);
		json_end_object(w);
	}
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
	if (state->sampled)
		write_sample(call, &w, &answer->members);
	if (state->explained)
		write_steps(&w, answer);
	json_end_object(&w);
	call_answer(call, 200, &out);
}

/* ---- Warnings: the names of every partition, once for each answer that is kept ---- */

static void copy_names(struct api_call *call, struct view *view)
{
	struct calculate *state = call->state;
	segment_names_copy(&state->names, view);
}

static void write_with_warnings(struct api_call *call)
{
	struct calculate  *state = call->state;
	struct buffer      out   = {0};
	struct json_writer w     = json_writer_of(&out);
	segment_warnings_write(&w, (struct json){0}, state->question.expr, &state->names);
	segment_names_done(&state->names);
	state->warnings = arena_text(call->arena, buffer_text(&out));
	buffer_done(&out);
	calculation_note(state->asking.waiter.calculation, state->question.written, state->warnings);
	write_answer(call);
}

static void write_without_warnings(struct api_call *call)
{
	struct calculate *state = call->state;
	segment_names_done(&state->names);
	state->warnings = TEXT("[]");
	write_answer(call);
}

static void calculated(struct api_call *call)
{
	struct calculate *state = call->state;
	if (calculation_noted(state->asking.waiter.calculation, state->question.written, call->arena,
	                      &state->warnings)) {
		write_answer(call);
		return;
	}
	struct error err;
	if (calculation_answer(state->asking.waiter.calculation, &err) == NULL) {
		call_fail(call, &err);
		return;
	}
	segment_names_init(&state->names, call->api->config.partition_count, call->arena);
	call->read_failed = write_without_warnings;
	call_read_all(call, copy_names, write_with_warnings);
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
