/* POST /api/v1/audience/overlap: how two to five audiences share their members. */

#include "api/audience/asking.h"
#include "api/call_audit.h"
#include "api/audience/audiences.h"
#include "api/audience/saved.h"
#include "api/handlers.h"
#include "query/member_list.h"

struct overlap {
	struct asking           asking; /* first */
	struct calculation_wish wish;
	struct text             ids[QUERY_SETS_MAX];
	struct text             names[QUERY_SETS_MAX]; /* data NULL: not saved */
	enum audience_kind      kinds[QUERY_SETS_MAX];
};

static const char *const kind_names[] = {
	[AUDIENCE_UNSAVED]  = "calculated",
	[AUDIENCE_LIVE]     = "live",
	[AUDIENCE_SNAPSHOT] = "snapshot",
};

/* ---- What was asked ---- */

/* One that has an id. */
static enum status take_known(struct api_call *call, struct text id, struct overlap *state,
                              unsigned index, struct error *err)
{
	struct audience audience;
	enum status     status = audiences_find(call->api->audiences, id, call->arena, &audience, err);
	if (status != STATUS_OK)
		return status;
	if (audience.kind == AUDIENCE_UNSAVED && audience.as_of_ms != INSTANT_MS_NONE &&
	    audience.as_of_ms != state->wish.as_of_ms)
		return error_set(err, STATUS_INVALID,
		                 "It was calculated for a past instant: give the same as_of");
	state->ids[index]   = arena_text(call->arena, text_of(audience.id));
	state->kinds[index] = audience.kind;
	if (audience.kind != AUDIENCE_UNSAVED)
		state->names[index] = audience.saved.name;
	if (audience.kind == AUDIENCE_SNAPSHOT)
		return saved_members(call->api, audience.id, &state->wish.lists[index], err);
	state->wish.sets[index] = audience.canonical;
	state->wish.derived     = state->wish.derived || audience.derived;
	return STATUS_OK;
}

static enum status take_asked(struct api_call *call, struct json value, struct overlap *state,
                              unsigned index, struct error *err)
{
	static const char *const none[] = {NULL};
	struct question          question;
	enum status              status = question_read(call, value, none, true, &question, err);
	if (status != STATUS_OK)
		return status;
	call_audit_filters(call, &question);
	struct unsaved_audience audience = {.written   = question.written,
	                                    .canonical = question.canonical,
	                                    .derived   = question.derived,
	                                    .as_of_ms  = state->wish.as_of_ms};
	unsaved_put(call->api->audiences->unsaved, &audience);
	state->ids[index]       = arena_text(call->arena, text_of(audience.id));
	state->wish.sets[index] = question.canonical;
	state->wish.derived     = state->wish.derived || question.derived;
	return STATUS_OK;
}

static enum status take(struct api_call *call, struct json value, struct overlap *state,
                        unsigned index, struct error *err)
{
	static const char *const known[] = {"audience_id", NULL};
	struct text              id;
	enum status              status;
	if (json_type(value) == JSON_STRING)
		return take_known(call, json_string(value), state, index, err);
	if (json_type(value) != JSON_OBJECT)
		return error_set(err, STATUS_INVALID, "It must be an id, or an object with a definition");
	if (json_type(json_get(value, "audience_id")) <= JSON_NULL)
		return take_asked(call, value, state, index, err);
	if ((status = call_only(value, known, err)) != STATUS_OK ||
	    (status = call_string(value, "audience_id", false, 1, 64, &id, err)) != STATUS_OK)
		return status;
	return take_known(call, id, state, index, err);
}

static enum status read_wish(struct api_call *call, struct overlap *state, struct error *err)
{
	static const char *const known[] = {"audiences", "as_of", NULL};
	struct calculation_wish *wish    = &state->wish;
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = question_read_as_of(body, &wish->as_of_ms, err)) != STATUS_OK)
		return status;
	struct json list = json_get(body, "audiences");
	if (json_type(list) != JSON_ARRAY || json_count(list) < 2 || json_count(list) > QUERY_SETS_MAX)
		return error_set_field(err, STATUS_INVALID, "audiences",
		                       "It must be an array of 2 to %d audiences", QUERY_SETS_MAX);
	for (struct json_iterator i = json_iterate(list); json_next(&i); wish->set_count++) {
		const char *prefix = arena_printf(call->arena, "audiences[%u].", wish->set_count);
		status = question_at(prefix, take(call, i.value, state, wish->set_count, err), err);
		if (status != STATUS_OK)
			return status;
	}
	wish->min_position = call->min_position;
	wish->anew         = asking_anew(call);
	return STATUS_OK;
}

/* ---- The answer ---- */

/* Persons in every set of `mask`, whatever else they are in. */
static uint64_t size_of(const struct query_answer *answer, unsigned set_count, unsigned mask)
{
	uint64_t size = 0;
	for (unsigned region = 1; region < 1u << set_count; region++)
		if ((region & mask) == mask)
			size += answer->regions[region];
	return size;
}

static void write_numbers(struct json_writer *w, unsigned set_count, unsigned mask)
{
	json_add_key(w, TEXT("audiences"));
	json_begin_array(w);
	for (unsigned i = 0; i < set_count; i++)
		if ((mask >> i & 1) != 0)
			json_add_int(w, i);
	json_end_array(w);
}

static void write_sets(struct json_writer *w, const struct overlap *state,
                       const struct query_answer *answer)
{
	unsigned count = state->wish.set_count;
	json_add_key(w, TEXT("audiences"));
	json_begin_array(w);
	for (unsigned i = 0; i < count; i++) {
		json_begin_object(w);
		json_member_string(w, "audience_id", state->ids[i]);
		if (state->names[i].data != NULL)
			json_member_string(w, "name", state->names[i]);
		else
			json_member_null(w, "name");
		json_member_string(w, "kind", text_of(kind_names[state->kinds[i]]));
		json_member_int(w, "size", (int64_t)size_of(answer, count, 1u << i));
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_counts(struct json_writer *w, const struct overlap *state,
                         const struct query_answer *answer, bool pairs)
{
	unsigned count = state->wish.set_count;
	json_add_key(w, pairs ? TEXT("pairs") : TEXT("regions"));
	json_begin_array(w);
	for (unsigned mask = 1; mask < 1u << count; mask++) {
		if (pairs && __builtin_popcount(mask) != 2)
			continue;
		json_begin_object(w);
		write_numbers(w, count, mask);
		json_member_int(w, "size",
		                (int64_t)(pairs ? size_of(answer, count, mask) : answer->regions[mask]));
		json_end_object(w);
	}
	json_end_array(w);
}

static void calculated(struct api_call *call)
{
	const struct overlap      *state  = call->state;
	const struct query_answer *answer = asking_answer(call);
	if (answer == NULL)
		return;
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	write_sets(&w, state, answer);
	write_counts(&w, state, answer, true);
	write_counts(&w, state, answer, false);
	json_member_int(&w, "union", (int64_t)size_of(answer, state->wish.set_count, 0));
	json_member_int(&w, "total_users", (int64_t)answer->person_count);
	json_member_instant(&w, "as_of", answer->as_of_ms);
	json_member_bool(&w, "exact", answer->exact);
	asking_write_end(&w, call);
	json_end_object(&w);
	call_answer(call, 200, &out);
}

static void look_up(struct api_call *call)
{
	struct overlap     *state = call->state;
	struct error        err;
	enum status         status = read_wish(call, state, &err);
	struct member_list *lists[QUERY_SETS_MAX];
	memcpy(lists, state->wish.lists, sizeof lists);
	if (status != STATUS_OK)
		call_fail(call, &err);
	else
		asking_ask(call, &state->wish, calculated); /* which may be the call's end */
	for (unsigned i = 0; i < QUERY_SETS_MAX; i++)
		member_list_unref(lists[i]);
}

void audience_overlap(struct api_call *call)
{
	asking_begin(call, sizeof(struct overlap), look_up);
}
