/* POST and GET /api/v1/event-types: which types the platform's own events API takes. */

#include "api/call.h"
#include "api/collection/collect.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "ingest/event_types.h"
#include "model/rules.h"

enum { DESCRIPTION_BYTES_MAX = 1024 };

static const char *const built_in[] = {"addToCart", "clicks", "installs", "orders"};
enum { BUILT_IN_COUNT = sizeof built_in / sizeof built_in[0] };

static void write_type(struct json_writer *w, struct text name, struct text description,
                       int64_t created_ms)
{
	struct text event = rules_event_name(name);
	json_begin_object(w);
	json_member_string(w, "name", name);
	json_member_string(w, "event", event);
	json_member_string(w, "description", description);
	json_member_bool(w, "builtIn", !text_equal(event, name));
	if (created_ms == INSTANT_MS_NONE)
		json_member_null(w, "createdAt");
	else
		json_member_instant(w, "createdAt", created_ms);
	json_end_object(w);
}

/* ---- POST ---- */

static enum status read_wish(struct api_call *call, struct store_event_type *type,
                             struct error *err)
{
	static const char *const known[] = {"name", "description", NULL};
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "name", false, 1, EVENT_TYPE_BYTES_MAX, &type->name, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "description", true, 0, DESCRIPTION_BYTES_MAX,
	                          &type->description, err)) != STATUS_OK)
		return status;
	if (type->name.data[0] == '$')
		return error_set_field(err, STATUS_INVALID, "name",
		                       "Names that begin with $ are the platform's own");
	if (!text_equal(rules_event_name(type->name), type->name))
		return error_set_field(err, STATUS_CONFLICT, "name", "This type is built in");
	return STATUS_OK;
}

static enum status add(struct api_call *call, const struct store_event_type *type,
                       struct error *err)
{
	struct store            *store = call->api->config.store;
	struct store_event_type *types;
	size_t                   count;
	enum status status = store->ops->event_type_list(store, call->arena, &types, &count, err);
	if (status != STATUS_OK)
		return status;
	if (count >= EVENT_TYPES_MAX)
		return error_set(err, STATUS_CONFLICT, "There are %d event types already", EVENT_TYPES_MAX);
	status = store->ops->event_type_add(store, type, err);
	if (status == STATUS_CONFLICT)
		return error_set_field(err, STATUS_CONFLICT, "name", "There is such a type already");
	return status;
}

static void create_step(struct api_call *call)
{
	struct store_event_type type = {.created_ms = clock_wall_ms()};
	struct error            err;
	if (read_wish(call, &type, &err) != STATUS_OK || add(call, &type, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	event_types_add(ingest_event_types(call->api->config.ingest), type.name);
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	write_type(&w, type.name, type.description, type.created_ms);
	call_answer(call, 201, &out);
}

void event_types_create(struct api_call *call) { call_on_worker(call, create_step); }

/* ---- GET ---- */

/* The built-in ones, then the registered ones by name; the cursor is how many were listed. */
static enum status write_list(struct api_call *call, struct buffer *out, struct error *err)
{
	struct store            *store = call->api->config.store;
	struct store_event_type *types;
	struct byte_reader       cursor;
	size_t                   count, limit;
	enum status              status;
	if ((status = call_limit(call, &limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_OFFSET, &cursor, err)) != STATUS_OK ||
	    (status = store->ops->event_type_list(store, call->arena, &types, &count, err)) !=
	        STATUS_OK)
		return status;
	size_t             total = BUILT_IN_COUNT + count;
	size_t             at    = read_left(&cursor) > 0 ? read_u32(&cursor) : 0;
	size_t             end   = at + limit < total ? at + limit : total;
	struct buffer      next  = {0};
	struct json_writer w     = call_begin_list(out);
	for (; at < end; at++) {
		if (at < BUILT_IN_COUNT) {
			write_type(&w, text_of(built_in[at]), TEXT(""), INSTANT_MS_NONE);
			continue;
		}
		const struct store_event_type *type = &types[at - BUILT_IN_COUNT];
		write_type(&w, type->name, type->description, type->created_ms);
	}
	if (at < total)
		buffer_add_u32(&next, (uint32_t)at);
	call_end_list(&w, CURSOR_OFFSET, buffer_text(&next), (int64_t)total, clock_wall_ms());
	buffer_done(&next);
	return STATUS_OK;
}

static void list_step(struct api_call *call) { call_answer_written(call, write_list); }

void event_types_list(struct api_call *call) { call_on_worker(call, list_step); }

/* ---- At start ---- */

enum status collect_load(struct api *api, struct error *err)
{
	struct store            *store = api->config.store;
	struct store_event_type *types;
	struct arena             arena;
	size_t                   count;
	arena_init(&arena);
	enum status status = store->ops->event_type_list(store, &arena, &types, &count, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		event_types_add(ingest_event_types(api->config.ingest), types[i].name);
	arena_done(&arena);
	return status;
}
