/* /api/v1/destinations: where audiences are sent. Credentials come in and never go out. */

#include "api/call_audit.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/edit_distance.h"
#include "base/hash.h"
#include "destination/destination.h"

static struct text id_of(struct api_call *call) { return http_param(call->request, "id"); }

static void answer(struct api_call *call, unsigned http_status,
                   const struct destination *destination)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	destination_write(&w, destination);
	http_add_header(call->request, "ETag",
	                text_of(arena_printf(call->arena, "\"%u\"", destination->version)));
	call_answer(call, http_status, &out);
}

static enum status find(struct api_call *call, struct destination *ret_destination,
                        struct error *err)
{
	return destination_load(call->api->config.store, call->api->config.vault, id_of(call),
	                        call->arena, ret_destination, err);
}

/* ---- POST ---- */

static enum status check_room(struct api_call *call, struct error *err)
{
	struct store             *store = call->api->config.store;
	struct store_destination *rows;
	size_t                    count;
	enum status status = store->ops->destination_list(store, call->arena, &rows, &count, err);
	if (status == STATUS_OK && count >= DESTINATIONS_MAX)
		return error_set(err, STATUS_CONFLICT, "There are %d destinations already",
		                 DESTINATIONS_MAX);
	return status;
}

/* Files lie in the bucket that a platform's source names. */
static enum status check_source(struct api_call *call, const struct destination *destination,
                                struct error *err)
{
	struct store             *store = call->api->config.store;
	struct store_destination *rows;
	size_t                    count, buckets = 0;
	/* NULL: a new one that was given none. */
	struct text source = destination->source == NULL ? TEXT("") : text_of(destination->source);
	if (destination->kind != DESTINATION_MARKETING_PLATFORM || source.length == 0)
		return STATUS_OK;
	enum status status = store->ops->destination_list(store, call->arena, &rows, &count, err);
	if (status != STATUS_OK)
		return status;
	const char **names = ARENA_ARRAY(call->arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++) {
		if (!text_equal(rows[i].kind, text_of(destination_kind_name(DESTINATION_S3))))
			continue;
		if (text_equal(rows[i].name, source))
			return STATUS_OK;
		names[buckets++] = arena_text(call->arena, rows[i].name).data;
	}
	const char *nearest = edit_nearest(source, names);
	if (nearest != NULL)
		return error_set_field(err, STATUS_INVALID, "source",
		                       "There is no such destination: did you mean \"%s\"?", nearest);
	return error_set_field(err, STATUS_INVALID, "source",
	                       "There is no destination of the kind s3 of this name");
}

static bool names_source(const struct store_destination *platform, struct text name)
{
	struct json_parser *parser = json_parser_new();
	struct json         settings;
	struct error        ignored;
	bool                names = false;
	if (json_parse_text(parser, platform->settings, &settings, &ignored) == STATUS_OK) {
		struct json source = json_get(settings, "source");
		names = json_type(source) == JSON_STRING && text_equal(json_string(source), name);
	}
	json_parser_free(parser);
	return names;
}

/* What a platform's source names stays, under that name. */
static enum status check_unused(struct api_call *call, struct text name, const char *field,
                                struct error *err)
{
	struct store             *store = call->api->config.store;
	struct store_destination *rows;
	size_t                    count;
	enum status status = store->ops->destination_list(store, call->arena, &rows, &count, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		if (names_source(&rows[i], name))
			status = error_set_field(err, STATUS_CONFLICT, field,
			                         "It is the source of the destination \"%.*s\": change or "
			                         "delete that one first",
			                         TEXT_FORMAT(rows[i].name));
	return status;
}

static enum status name_taken(enum status status, struct error *err)
{
	if (status != STATUS_CONFLICT)
		return status;
	return error_set_field(err, STATUS_CONFLICT, "name", "There is a destination of this name");
}

static enum status create(struct api_call *call, struct destination *destination, struct error *err)
{
	struct store            *store = call->api->config.store;
	struct store_destination row;
	struct json              body;
	enum status              status;
	*destination            = (struct destination){.version = 1, .created_ms = clock_wall_ms()};
	destination->updated_ms = destination->created_ms;
	uuid_new(destination->id);
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = destination_read(body, true, call->arena, destination, err)) != STATUS_OK ||
	    (status = check_source(call, destination, err)) != STATUS_OK ||
	    (status = check_room(call, err)) != STATUS_OK)
		return status;
	destination_seal(destination, call->api->config.vault, call->arena, &row);
	call_audit_target(call, text_of(destination->id));
	return name_taken(store->ops->destination_add(store, &row, err), err);
}

static void create_step(struct api_call *call)
{
	struct destination destination;
	struct error       err;
	if (create(call, &destination, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		answer(call, 201, &destination);
}

void destinations_create(struct api_call *call) { call_on_worker(call, create_step); }

/* ---- GET ---- */

static void get_step(struct api_call *call)
{
	struct destination destination;
	struct error       err;
	if (find(call, &destination, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		answer(call, 200, &destination);
}

void destinations_get(struct api_call *call) { call_on_worker(call, get_step); }

/* By name; the cursor is how many were listed. */
static enum status write_list(struct api_call *call, struct buffer *out, struct error *err)
{
	struct store             *store = call->api->config.store;
	struct store_destination *rows;
	struct byte_reader        cursor;
	size_t                    count, limit;
	enum status               status;
	if ((status = call_limit(call, &limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_OFFSET, &cursor, err)) != STATUS_OK ||
	    (status = store->ops->destination_list(store, call->arena, &rows, &count, err)) !=
	        STATUS_OK)
		return status;
	size_t             at   = read_left(&cursor) > 0 ? read_u32(&cursor) : 0;
	size_t             end  = at + limit < count ? at + limit : count;
	struct buffer      next = {0};
	struct json_writer w    = call_begin_list(out);
	for (; status == STATUS_OK && at < end; at++) {
		struct destination destination;
		status =
			destination_open(&rows[at], call->api->config.vault, call->arena, &destination, err);
		if (status == STATUS_OK)
			destination_write(&w, &destination);
	}
	if (at < count)
		buffer_add_u32(&next, (uint32_t)at);
	call_end_list(&w, CURSOR_OFFSET, buffer_text(&next), (int64_t)count, clock_wall_ms());
	buffer_done(&next);
	return status;
}

static void list_step(struct api_call *call) { call_answer_written(call, write_list); }

void destinations_list(struct api_call *call) { call_on_worker(call, list_step); }

/* ---- PUT ---- */

static enum status change(struct api_call *call, struct destination *destination, struct error *err)
{
	struct store            *store = call->api->config.store;
	struct store_destination row;
	struct json              body;
	uint32_t                 expected;
	const char              *name;
	enum status              status;
	if ((status = call_if_match(call, &expected, err)) != STATUS_OK ||
	    (status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = find(call, destination, err)) != STATUS_OK)
		return status;
	if (expected != 0 && expected != destination->version)
		return error_set_field(err, STATUS_PRECONDITION, "If-Match", "It is at version %u",
		                       destination->version);
	name = destination->name;
	if ((status = destination_read(body, false, call->arena, destination, err)) != STATUS_OK ||
	    (status = check_source(call, destination, err)) != STATUS_OK ||
	    (strcmp(name, destination->name) != 0 &&
	     (status = check_unused(call, text_of(name), "name", err)) != STATUS_OK))
		return status;
	destination->updated_ms = clock_wall_ms();
	destination_seal(destination, call->api->config.vault, call->arena, &row);
	status = name_taken(store->ops->destination_change(store, &row, err), err);
	if (status == STATUS_OK)
		destination->version = row.version;
	return status;
}

static void change_step(struct api_call *call)
{
	struct destination destination;
	struct error       err;
	if (change(call, &destination, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		answer(call, 200, &destination);
}

void destinations_update(struct api_call *call) { call_on_worker(call, change_step); }

/* ---- DELETE ---- */

static enum status remove_destination(struct api_call *call, struct error *err)
{
	struct store            *store = call->api->config.store;
	struct store_destination row;
	enum status              status;
	if ((status = store->ops->destination_get(store, id_of(call), call->arena, &row, err)) !=
	        STATUS_OK ||
	    (status = check_unused(call, row.name, "id", err)) != STATUS_OK)
		return status;
	return store->ops->destination_delete(store, id_of(call), err);
}

static void delete_step(struct api_call *call)
{
	struct error err;
	if (remove_destination(call, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_answer_empty(call, 204);
}

void destinations_delete(struct api_call *call) { call_on_worker(call, delete_step); }
