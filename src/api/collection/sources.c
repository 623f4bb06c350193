/* /api/v1/sources: who may send events, each with a write key and settings. The store is asked on
 * workers. */

#include "api/call_audit.h"
#include "api/collection/source_settings.h"
#include "api/collection/sources.h"
#include "api/collection/tracking_plan.h"
#include "api/collection/write_keys.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/hash.h"

enum { NAME_BYTES_MAX = 256, SOURCES_MAX = 1000 };

static enum status write_source(struct api_call *call, struct json_writer *w,
                                const struct store_source *source, struct error *err)
{
	struct source_settings settings;
	enum status status = source_settings_parse(source->settings, call->arena, &settings, err);
	if (status != STATUS_OK)
		return status;
	json_begin_object(w);
	json_member_string(w, "id", text_of(source->id));
	json_member_string(w, "name", source->name);
	json_member_string(w, "writeKey", source->write_key);
	json_member_instant(w, "createdAt", source->created_ms);
	source_settings_write(w, &settings);
	json_end_object(w);
	return STATUS_OK;
}

static void answer(struct api_call *call, unsigned http_status, const struct store_source *source)
{
	struct error       err;
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	if (write_source(call, &w, source, &err) == STATUS_OK)
		call_answer(call, http_status, &out);
	else
		call_fail(call, &err);
	buffer_done(&out);
}

/* The fields of the body over those of `source`, and what its settings are then. */
static enum status read_wish(struct api_call *call, struct store_source *source,
                             struct source_settings *ret_settings, struct error *err)
{
	static const char *const known[] = {"name", "allowedOrigins", "rateLimit", "quota", NULL};
	struct json              body;
	struct text              name;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "name", source->name.length > 0, 1, NAME_BYTES_MAX, &name,
	                          err)) != STATUS_OK ||
	    (status = source_settings_parse(source->settings, call->arena, ret_settings, err)) !=
	        STATUS_OK ||
	    (status = source_settings_read(body, call->arena, ret_settings, err)) != STATUS_OK)
		return status;
	if (name.data != NULL)
		source->name = name;
	source->settings = source_settings_store(ret_settings, call->arena);
	return STATUS_OK;
}

static enum status list(struct api_call *call, struct store_source **ret_sources, size_t *ret_count,
                        struct error *err)
{
	struct store *store = call->api->config.store;
	return store->ops->source_list(store, call->arena, ret_sources, ret_count, err);
}

enum status sources_find(struct api_call *call, struct store_source *ret_source, struct error *err)
{
	struct store_source *sources;
	size_t               count;
	struct text          id     = http_param(call->request, "id");
	enum status          status = list(call, &sources, &count, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		if (text_equal(id, text_of(sources[i].id))) {
			*ret_source = sources[i];
			return STATUS_OK;
		}
	return status != STATUS_OK ? status
	                           : error_set(err, STATUS_NOT_FOUND, "There is no such source");
}

enum status sources_find_number(struct api_call *call, uint32_t *ret_number, struct error *err)
{
	struct store_source source;
	if (text_equal(http_param(call->request, "id"), TEXT(SOURCES_API_ID))) {
		*ret_number = SOURCE_OF_API;
		return STATUS_OK;
	}
	enum status status = sources_find(call, &source, err);
	if (status == STATUS_OK)
		*ret_number = source.number;
	return status;
}

static enum status create(struct api_call *call, struct store_source *source, struct error *err)
{
	struct store          *store = call->api->config.store;
	struct store_source   *sources;
	struct source_settings settings;
	size_t                 count;
	enum status            status;
	*source = (struct store_source){.created_ms = clock_wall_ms()};
	if ((status = read_wish(call, source, &settings, err)) != STATUS_OK ||
	    (status = list(call, &sources, &count, err)) != STATUS_OK)
		return status;
	if (count >= SOURCES_MAX)
		return error_set(err, STATUS_CONFLICT, "There are %d sources already", SOURCES_MAX);
	char key[API_WRITE_KEY_BYTES];
	api_write_key_new(call->api->config.code, key);
	uuid_new(source->id);
	call_audit_target(call, text_of(source->id));
	source->write_key  = arena_text(call->arena, text_of(key));
	source->updated_ms = source->created_ms;
	return store->ops->source_put(store, source, true, err);
}

static void create_step(struct api_call *call)
{
	struct store_source source;
	struct error        err;
	if (create(call, &source, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		answer(call, 201, &source);
}

void sources_create(struct api_call *call) { call_on_worker(call, create_step); }

static void get_step(struct api_call *call)
{
	struct store_source source;
	struct error        err;
	if (sources_find(call, &source, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		answer(call, 200, &source);
}

void sources_get(struct api_call *call) { call_on_worker(call, get_step); }

static enum status update(struct api_call *call, struct store_source *ret_source, struct error *err)
{
	struct store          *store = call->api->config.store;
	struct source_settings settings;
	enum status            status;
	if ((status = sources_find(call, ret_source, err)) != STATUS_OK ||
	    (status = read_wish(call, ret_source, &settings, err)) != STATUS_OK)
		return status;
	ret_source->updated_ms = clock_wall_ms();
	if ((status = store->ops->source_put(store, ret_source, false, err)) == STATUS_OK)
		write_keys_forget(call->api->write_keys,
		                  source_of(ingest_sources(call->api->config.ingest), ret_source->number),
		                  &settings);
	return status;
}

static void update_step(struct api_call *call)
{
	struct store_source source;
	struct error        err;
	if (update(call, &source, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		answer(call, 200, &source);
}

void sources_update(struct api_call *call) { call_on_worker(call, update_step); }

static void delete_step(struct api_call *call)
{
	struct store       *store = call->api->config.store;
	struct store_source source;
	struct error        err;
	if (sources_find(call, &source, &err) != STATUS_OK ||
	    store->ops->source_delete(store, source.id, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	write_keys_forget(call->api->write_keys, NULL, NULL);
	if (tracking_plan_forget(call->api, source.number, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	call_answer_empty(call, 204);
}

void sources_delete(struct api_call *call) { call_on_worker(call, delete_step); }

/* In the order of their making; the cursor is the number of the last one listed. */
static enum status write_list(struct api_call *call, struct buffer *out, struct error *err)
{
	struct store_source *sources;
	struct byte_reader   cursor;
	size_t               count, limit, written = 0;
	enum status          status;
	if ((status = call_limit(call, &limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_OFFSET, &cursor, err)) != STATUS_OK ||
	    (status = list(call, &sources, &count, err)) != STATUS_OK)
		return status;
	uint32_t           after = read_left(&cursor) > 0 ? read_u32(&cursor) : 0;
	struct buffer      next  = {0};
	struct json_writer w     = call_begin_list(out);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		if (sources[i].number <= after)
			continue;
		if (written++ == limit) {
			buffer_add_u32(&next, after);
			break;
		}
		status = write_source(call, &w, &sources[i], err);
		after  = sources[i].number;
	}
	call_end_list(&w, CURSOR_OFFSET, buffer_text(&next), (int64_t)count, clock_wall_ms());
	buffer_done(&next);
	return status;
}

static void list_step(struct api_call *call) { call_answer_written(call, write_list); }

void sources_list(struct api_call *call) { call_on_worker(call, list_step); }
