/* /api/v1/consumers: named places in the change stream, kept for those who act on it. They are data
 * only: nothing waits for a consumer. All of it asks the store, so all of it runs on workers. */

#include "api/stream/consumers.h"

#include "api/call.h"
#include "api/stream/consumer_cursor.h"
#include "api/handlers.h"
#include "base/clock.h"

enum { NAME_BYTES_MAX = 64, CONSUMERS_MAX = 64 };

static uint64_t lag_of(struct api *api, const struct store_consumer *consumer,
                       const struct engine_status *engine)
{
	struct arena           arena;
	struct consumer_cursor cursor;
	struct error           err;
	uint64_t               read = 0;
	arena_init(&arena);
	if (consumer_cursor_read(consumer->cursor, api->config.partition_count, &arena, &cursor,
	                         &err) == STATUS_OK)
		for (uint32_t i = 0; i < cursor.partition_count; i++)
			read += cursor.after[i];
	arena_done(&arena);
	return engine->changes > read ? engine->changes - read : 0;
}

static void write_consumer(struct json_writer *w, struct api *api,
                           const struct store_consumer *consumer)
{
	struct engine_status engine;
	engine_status(api->config.engine, &engine);
	json_begin_object(w);
	json_member_string(w, "name", consumer->name);
	json_member_string(w, "cursor", consumer->cursor);
	json_member_int(w, "lag", (int64_t)lag_of(api, consumer, &engine));
	json_member_instant(w, "createdAt", consumer->created_ms);
	json_member_instant(w, "updatedAt", consumer->updated_ms);
	json_end_object(w);
}

static void answer(struct api_call *call, const struct store_consumer *consumer)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	write_consumer(&w, call->api, consumer);
	call_answer(call, 200, &out);
}

/* ---- Setting one ---- */

static enum status check_name(struct text name, struct error *err)
{
	bool valid = name.length >= 1 && name.length <= NAME_BYTES_MAX;
	for (size_t i = 0; valid && i < name.length; i++) {
		char c = name.data[i];
		valid  = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		        c == '-' || c == '_' || c == '.';
	}
	return valid ? STATUS_OK
	             : error_set_field(err, STATUS_INVALID, "name",
	                               "A name is made of 1 to %d letters, digits, \"-\", \"_\" and "
	                               "\".\"",
	                               NAME_BYTES_MAX);
}

static enum status check_room(struct api_call *call, struct text name, struct error *err)
{
	struct store          *store = call->api->config.store;
	struct store_consumer *consumers;
	size_t                 count;
	enum status status = store->ops->consumer_list(store, call->arena, &consumers, &count, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < count; i++)
		if (text_equal(consumers[i].name, name))
			return STATUS_OK;
	return count < CONSUMERS_MAX
	           ? STATUS_OK
	           : error_set(err, STATUS_CONFLICT, "There are %d consumers already", CONSUMERS_MAX);
}

static enum status put(struct api_call *call, struct store_consumer *ret_consumer,
                       struct error *err)
{
	static const char *const known[] = {"cursor", NULL};
	struct store            *store   = call->api->config.store;
	struct consumer_cursor   cursor;
	struct json              body;
	enum status              status;
	*ret_consumer = (struct store_consumer){.name       = http_param(call->request, "name"),
	                                        .updated_ms = clock_wall_ms()};
	if ((status = check_name(ret_consumer->name, err)) != STATUS_OK ||
	    (status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "cursor", true, 0, CURSOR_TEXT_BYTES_MAX, &ret_consumer->cursor,
	                          err)) != STATUS_OK)
		return status;
	if (ret_consumer->cursor.data == NULL)
		ret_consumer->cursor = TEXT("");
	if ((status = consumer_cursor_read(ret_consumer->cursor, call->api->config.partition_count,
	                                   call->arena, &cursor, err)) != STATUS_OK ||
	    (status = check_room(call, ret_consumer->name, err)) != STATUS_OK)
		return status;
	return store->ops->consumer_put(store, ret_consumer, err);
}

static void put_step(struct api_call *call)
{
	struct store_consumer consumer;
	struct error          err;
	if (put(call, &consumer, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		answer(call, &consumer);
}

void consumers_put(struct api_call *call) { call_on_worker(call, put_step); }

/* ---- Reading and deleting ---- */

static void get_step(struct api_call *call)
{
	struct store         *store = call->api->config.store;
	struct store_consumer consumer;
	struct error          err;
	if (store->ops->consumer_get(store, http_param(call->request, "name"), call->arena, &consumer,
	                             &err) != STATUS_OK)
		call_fail(call, &err);
	else
		answer(call, &consumer);
}

void consumers_get(struct api_call *call) { call_on_worker(call, get_step); }

static void list_step(struct api_call *call)
{
	struct store          *store = call->api->config.store;
	struct store_consumer *consumers;
	size_t                 count;
	struct error           err;
	if (store->ops->consumer_list(store, call->arena, &consumers, &count, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	struct buffer      out = {0};
	struct json_writer w   = call_begin_list(&out);
	for (size_t i = 0; i < count; i++)
		write_consumer(&w, call->api, &consumers[i]);
	struct journal *journal = call->api->config.journal;
	call_end_list(&w, CURSOR_CHANGES, (struct text){0}, (int64_t)count,
	              journal->ops->log_time_ms(journal));
	call_answer(call, 200, &out);
}

void consumers_list(struct api_call *call) { call_on_worker(call, list_step); }

static void delete_step(struct api_call *call)
{
	struct store *store = call->api->config.store;
	struct error  err;
	if (store->ops->consumer_delete(store, http_param(call->request, "name"), &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_answer_empty(call, 204);
}

void consumers_delete(struct api_call *call) { call_on_worker(call, delete_step); }

/* ---- Metrics ---- */

void consumers_write_metrics(struct buffer *out, struct api *api)
{
	struct store          *store = api->config.store;
	struct store_consumer *consumers;
	struct engine_status   engine;
	struct arena           arena;
	struct error           err;
	size_t                 count = 0;
	arena_init(&arena);
	engine_status(api->config.engine, &engine);
	if (store->ops->consumer_list(store, &arena, &consumers, &count, &err) != STATUS_OK)
		count = 0;
	if (count > 0)
		buffer_printf(out, "# HELP sonnim_consumer_lag_changes Entries of the change stream that "
		                   "a consumer has not confirmed\n"
		                   "# TYPE sonnim_consumer_lag_changes gauge\n");
	for (size_t i = 0; i < count; i++)
		buffer_printf(out, "sonnim_consumer_lag_changes{consumer=\"%.*s\"} %llu\n",
		              TEXT_FORMAT(consumers[i].name),
		              (unsigned long long)lag_of(api, &consumers[i], &engine));
	arena_done(&arena);
}
