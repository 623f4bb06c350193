/* Saving audiences, changing, refreshing and deleting saved ones. What is to be known of their
 * members is calculated first; then, under one lock, the store is changed. A live one and its
 * segment are changed together, in one transaction of the store, through the definitions: there is
 * no instant at which one is there without the other. */

#include "api/audience/kept_columns.h"
#include "api/audience/saved.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "query/slot_list.h"

struct saving {
	struct saved            saved; /* first */
	struct store_audience   row;   /* as it is to be */
	struct question         question;
	struct calculation_wish wish;
	bool                    redefined;
	bool                    renamed;

	struct store_audience_share *shares;
	size_t                       share_count;
};

static const char *const create_members[] = {"name",        "description", "kind",
                                             "audience_id", "as_of",       NULL};
static const char *const update_members[] = {"name", "description", "kind", "audience_id", NULL};

/* ---- What was asked ---- */

static enum status read_texts(struct json body, bool create, struct saving *state,
                              struct error *err)
{
	struct text name, description;
	enum status status;
	if ((status = call_string(body, "name", !create, 1, AUDIENCE_NAME_BYTES_MAX, &name, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "description", true, 0, AUDIENCE_DESCRIPTION_BYTES_MAX,
	                          &description, err)) != STATUS_OK)
		return status;
	if (name.data != NULL && !text_equal(name, state->row.name)) {
		state->row.name = name;
		state->renamed  = true;
	}
	if (description.data != NULL && !text_equal(description, state->row.description)) {
		state->row.description = description;
		state->renamed         = true;
	}
	return STATUS_OK;
}

static enum status read_kind(struct json body, struct saving *state, struct error *err)
{
	struct text kind;
	enum status status = call_string(body, "kind", true, 1, 16, &kind, err);
	if (status != STATUS_OK)
		return status;
	state->row.kind = STORE_AUDIENCE_LIVE;
	if (kind.data == NULL || text_equal(kind, TEXT("live")))
		return STATUS_OK;
	if (!text_equal(kind, TEXT("snapshot")))
		return error_set_field(err, STATUS_INVALID, "kind", "It must be \"live\" or \"snapshot\"");
	state->row.kind = STORE_AUDIENCE_SNAPSHOT;
	return STATUS_OK;
}

static bool has(struct json body, const char *member)
{
	return json_type(json_get(body, member)) > JSON_NULL;
}

/* The definition of one that was calculated, or that is written here. */
static enum status read_definition(struct api_call *call, struct json body,
                                   const char *const *others, struct saving *state,
                                   struct error *err)
{
	struct audience audience;
	struct text     id;
	enum status     status;
	if (!has(body, "audience_id"))
		return question_read(call, body, others, false, &state->question, err);
	if ((status = call_only(body, others, err)) != STATUS_OK ||
	    (status = call_string(body, "audience_id", false, 1, 64, &id, err)) != STATUS_OK ||
	    (status = question_at("audience_id.",
	                          audiences_find(call->api->audiences, id, call->arena, &audience, err),
	                          err)) != STATUS_OK)
		return status;
	if (audience.kind == AUDIENCE_UNSAVED && state->wish.as_of_ms == INSTANT_MS_NONE)
		state->wish.as_of_ms = audience.as_of_ms;
	return question_of(call->api, call->arena, audience.written, &state->question, err);
}

static enum status check_as_of(const struct saving *state, struct error *err)
{
	if (state->row.kind == STORE_AUDIENCE_LIVE && state->wish.as_of_ms != INSTANT_MS_NONE)
		return error_set_field(err, STATUS_INVALID, "as_of",
		                       "A live audience has no instant; save it as a snapshot");
	return STATUS_OK;
}

static enum status check_room(struct api_call *call, struct error *err)
{
	struct store          *store = call->api->config.store;
	struct store_audience *rows;
	size_t                 count;
	uint64_t               total;
	enum status            status =
		store->ops->audience_list(store, 0, 1, call->arena, &rows, &count, &total, err);
	if (status == STATUS_OK && total >= AUDIENCES_MAX)
		status = error_set(err, STATUS_CONFLICT, "There are %d audiences already", AUDIENCES_MAX);
	return status;
}

/* ---- Asking ---- */

static void ask(struct api_call *call, call_step_fn *then)
{
	struct saving           *state = call->state;
	struct calculation_wish *wish  = &state->wish;
	wish->set_count                = 1;
	wish->sets[0]                  = state->question.canonical;
	wish->derived                  = state->question.derived;
	wish->min_position             = call->min_position;
	wish->revenue                  = true;
	wish->anew                     = true;
	wish->members                  = state->row.kind == STORE_AUDIENCE_SNAPSHOT;
	asking_ask(call, wish, then);
}

static struct text write_figures(struct arena *arena, const struct query_answer *answer)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	asking_write_figures(&w, answer);
	json_end_object(&w);
	struct text text = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return text;
}

static void collect_share(struct api_call *call, const struct query *query, uint32_t partition)
{
	struct saving              *state = call->state;
	struct store_audience_share share = {.partition = partition};
	struct buffer               slots = {0};
	uint32_t                    last  = UINT32_MAX, slot;
	for (uint32_t from = 0; query_next_member(query, partition, from, &slot); from = slot + 1) {
		slot_list_add(&slots, &last, slot);
		share.count++;
	}
	if (share.count > 0) {
		share.slots                         = arena_text(call->arena, buffer_text(&slots));
		state->shares[state->share_count++] = share;
	}
	buffer_done(&slots);
}

/* Takes what was calculated over into the row. */
static void take_answer(struct api_call *call, const struct query_answer *answer)
{
	struct saving *state = call->state;
	state->row.as_of_ms  = answer->as_of_ms;
	state->row.figures   = write_figures(call->arena, answer);
	if (state->row.kind != STORE_AUDIENCE_SNAPSHOT)
		return;
	uint32_t partitions = call->api->config.partition_count;
	state->shares       = ARENA_ARRAY(call->arena, struct store_audience_share, partitions);
	for (uint32_t p = 0; p < partitions; p++)
		collect_share(call, calculation_query(state->saved.asking.waiter.calculation), p);
}

/* What a segment of the same definition is made of, and whose it is. */
static struct definition_wish segment_wish(struct api_call *call)
{
	struct saving         *state = call->state;
	struct definition_wish wish  = {.name        = state->row.name,
	                                .description = state->row.description,
	                                .expr        = state->question.expr,
	                                .active      = true,
	                                .audience    = &state->row};
	struct buffer          out   = {0};
	struct json_writer     w     = json_writer_of(&out);
	if (state->question.expr != NULL) {
		json_begin_object(&w);
		json_add_key(&w, TEXT("expression"));
		expr_write_json(&w, state->question.expr);
		json_end_object(&w);
		wish.body = arena_text(call->arena, buffer_text(&out));
	}
	buffer_done(&out);
	return wish;
}

/* ---- Creating ---- */

static enum status add(struct api_call *call, struct error *err)
{
	struct saving    *state = call->state;
	struct store     *store = call->api->config.store;
	struct definition definition;
	enum status       status = check_room(call, err);
	if (status != STATUS_OK)
		return status;
	if (state->row.kind == STORE_AUDIENCE_SNAPSHOT)
		return store->ops->audience_add(store, &state->row, state->shares, state->share_count, err);
	struct definition_wish wish = segment_wish(call);
	return definition_create(call->api->definitions, &wish, call->arena, &definition, err);
}

static void create_calculated(struct api_call *call)
{
	struct saving             *state  = call->state;
	const struct query_answer *answer = asking_answer(call);
	struct error               err;
	if (answer == NULL)
		return;
	take_answer(call, answer);
	pthread_mutex_lock(&call->api->audiences->saving);
	enum status status = add(call, &err);
	pthread_mutex_unlock(&call->api->audiences->saving);
	if (status != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	kept_columns_set(call->api->audiences->kept, state->row.id, state->question.canonical);
	call_add_position(call, 0);
	saved_answer_one(call, 201, &state->row);
}

static enum status read_create(struct api_call *call, struct error *err)
{
	struct saving *state = call->state;
	struct json    body;
	enum status    status;
	state->row = (struct store_audience){
		.version = 1, .created_ms = clock_wall_ms(), .description = TEXT("")};
	uuid_new(state->row.id);
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = read_texts(body, true, state, err)) != STATUS_OK ||
	    (status = read_kind(body, state, err)) != STATUS_OK ||
	    (status = question_read_as_of(body, &state->wish.as_of_ms, err)) != STATUS_OK ||
	    (status = read_definition(call, body, create_members, state, err)) != STATUS_OK ||
	    (status = check_as_of(state, err)) != STATUS_OK)
		return status;
	state->row.definition = state->question.written;
	return STATUS_OK;
}

static void create_step(struct api_call *call)
{
	struct error err;
	if (read_create(call, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		ask(call, create_calculated);
}

void audiences_create(struct api_call *call)
{
	asking_begin(call, sizeof(struct saving), create_step);
}

/* ---- Changing ---- */

static enum status find(struct api_call *call, struct saving *state, struct error *err)
{
	struct store *store = call->api->config.store;
	uint32_t      expected;
	enum status   status = call_if_match(call, &expected, err);
	if (status == STATUS_OK)
		status = store->ops->audience_get(store, http_param(call->request, "id"), call->arena,
		                                  &state->row, err);
	if (status == STATUS_OK && expected != 0 && expected != state->row.version)
		status = error_set_field(err, STATUS_PRECONDITION, "If-Match",
		                         "The audience is at version %u", state->row.version);
	return status;
}

/* Under the lock. The version of the row is still the one that was read: nothing was changed while
 * it was calculated. */
static enum status change(struct api_call *call, struct error *err)
{
	struct saving        *state = call->state;
	struct store         *store = call->api->config.store;
	struct store_audience stored;
	uint32_t              version = state->row.version;
	struct definition     definition;
	enum status           status =
		store->ops->audience_get(store, text_of(state->row.id), call->arena, &stored, err);
	if (status != STATUS_OK)
		return status;
	if (stored.version != version)
		return error_set_field(err, STATUS_PRECONDITION, "If-Match",
		                       "The audience was changed meanwhile: it is at version %u",
		                       stored.version);
	if (state->redefined || state->renamed) {
		state->row.version++;
		state->row.updated_ms = clock_wall_ms();
	}
	if (state->row.version != version && state->row.kind == STORE_AUDIENCE_LIVE) {
		struct definition_wish wish = segment_wish(call);
		return definition_update(call->api->definitions, text_of(state->row.segment_id), 0, &wish,
		                         call->arena, &definition, err);
	}
	return store->ops->audience_change(store, &state->row, version, state->shares,
	                                   state->share_count, err);
}

static void finish(struct api_call *call)
{
	struct saving *state = call->state;
	struct error   err;
	pthread_mutex_lock(&call->api->audiences->saving);
	enum status status = change(call, &err);
	pthread_mutex_unlock(&call->api->audiences->saving);
	if (status != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	if (state->redefined)
		kept_columns_set(call->api->audiences->kept, state->row.id, state->question.canonical);
	call_add_position(call, 0);
	saved_answer_one(call, 200, &state->row);
}

static void calculated(struct api_call *call)
{
	const struct query_answer *answer = asking_answer(call);
	if (answer == NULL)
		return;
	take_answer(call, answer);
	finish(call);
}

/* An equal definition makes no version, however it is written. */
static void note_redefined(struct api_call *call, struct saving *state)
{
	struct question before;
	struct error    err;
	state->redefined =
		question_of(call->api, call->arena, state->row.definition, &before, &err) != STATUS_OK ||
		!text_equal(before.canonical, state->question.canonical);
	if (state->redefined)
		state->row.definition = state->question.written;
	else
		state->question = (struct question){0};
}

static enum status read_update(struct api_call *call, struct error *err)
{
	struct saving *state = call->state;
	struct json    body;
	enum status    status;
	state->wish.as_of_ms = INSTANT_MS_NONE;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = find(call, state, err)) != STATUS_OK)
		return status;
	if (has(body, "kind") && !(json_type(json_get(body, "kind")) == JSON_STRING &&
	                           text_equal(json_string(json_get(body, "kind")),
	                                      text_of(saved_kind_name(state->row.kind)))))
		return error_set_field(err, STATUS_INVALID, "kind",
		                       "The kind cannot be changed: save another audience");
	if ((status = read_texts(body, false, state, err)) != STATUS_OK)
		return status;
	if (!has(body, "audience_id") && !has(body, "expression") && !has(body, "filters"))
		return question_only(body, update_members, err);
	if ((status = read_definition(call, body, update_members, state, err)) != STATUS_OK ||
	    (status = check_as_of(state, err)) != STATUS_OK)
		return status;
	note_redefined(call, state);
	return STATUS_OK;
}

static void update_step(struct api_call *call)
{
	struct saving *state = call->state;
	struct error   err;
	if (read_update(call, &err) != STATUS_OK)
		call_fail(call, &err);
	else if (state->redefined)
		ask(call, calculated);
	else if (state->renamed)
		finish(call);
	else
		saved_answer_one(call, 200, &state->row);
}

void audiences_update(struct api_call *call)
{
	asking_begin(call, sizeof(struct saving), update_step);
}

static void refresh_step(struct api_call *call)
{
	struct saving *state = call->state;
	struct error   err;
	state->wish.as_of_ms = INSTANT_MS_NONE;
	if (find(call, state, &err) != STATUS_OK ||
	    question_of(call->api, call->arena, state->row.definition, &state->question, &err) !=
	        STATUS_OK)
		call_fail(call, &err);
	else
		ask(call, calculated);
}

void audiences_refresh(struct api_call *call)
{
	asking_begin(call, sizeof(struct saving), refresh_step);
}

/* ---- Deleting ---- */

static enum status remove_audience(struct api_call *call, struct error *err)
{
	struct store         *store = call->api->config.store;
	struct store_audience audience;
	enum status           status = store->ops->audience_get(store, http_param(call->request, "id"),
	                                                        call->arena, &audience, err);
	if (status == STATUS_OK && audience.kind == STORE_AUDIENCE_LIVE)
		status = definition_delete(call->api->definitions, text_of(audience.segment_id), err);
	else if (status == STATUS_OK)
		status = store->ops->audience_delete(store, text_of(audience.id), err);
	if (status == STATUS_OK)
		kept_columns_set(call->api->audiences->kept, audience.id, TEXT(""));
	return status;
}

static void delete_step(struct api_call *call)
{
	struct error err;
	pthread_mutex_lock(&call->api->audiences->saving);
	enum status status = remove_audience(call, &err);
	pthread_mutex_unlock(&call->api->audiences->saving);
	if (status != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	call_add_position(call, 0);
	call_answer_empty(call, 204);
}

void audiences_delete(struct api_call *call) { call_on_worker(call, delete_step); }
