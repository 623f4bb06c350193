/* /api/v1/audience/filters: what may be asked for without an expression, and what a deployment adds
 * to it. */

#include "api/audience/filter_set.h"
#include "api/call.h"
#include "api/handlers.h"
#include "base/clock.h"

/* ---- Writing ---- */

static void write_label(struct json_writer *w, const struct filter_label *label)
{
	json_add_key(w, TEXT("label"));
	json_begin_object(w);
	json_member_string(w, "ko", label->ko);
	json_member_string(w, "en", label->en);
	json_end_object(w);
}

static void write_values(struct json_writer *w, const struct filter *filter)
{
	json_add_key(w, TEXT("values"));
	json_begin_array(w);
	for (unsigned i = 0; i < filter->choice_count; i++) {
		json_begin_object(w);
		json_member_string(w, "value", filter->choices[i].value);
		write_label(w, &filter->choices[i].label);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_filter(struct json_writer *w, const struct filter *filter)
{
	json_begin_object(w);
	json_member_string(w, "name", filter->name);
	write_label(w, &filter->label);
	json_member_string(w, "type", text_of(filter_type_name(filter->type)));
	json_member_string(w, "origin", text_of(filter_origin_name(filter->origin)));
	json_member_string(w, "evaluation", filter->column ? TEXT("column") : TEXT("scan"));
	if (filter->days == 0)
		json_member_null(w, "days");
	else
		json_member_int(w, "days", filter->days);
	json_member_string(w, "template", filter->text);
	json_member_bool(w, "closed", filter->closed);
	write_values(w, filter);
	json_end_object(w);
}

static enum status write_named(struct api_call *call, struct text name, struct buffer *out,
                               struct error *err)
{
	struct json_writer   w      = json_writer_of(out);
	const struct filter *filter = filters_find(filter_set_lock(call->api->filters), name);
	if (filter != NULL)
		write_filter(&w, filter);
	filter_set_unlock(call->api->filters);
	return filter != NULL ? STATUS_OK : error_set(err, STATUS_NOT_FOUND, "There is no such filter");
}

/* ---- GET ---- */

static enum status write_one(struct api_call *call, struct buffer *out, struct error *err)
{
	return write_named(call, http_param(call->request, "name"), out, err);
}

static void get_step(struct api_call *call) { call_answer_written(call, write_one); }

void filters_api_get(struct api_call *call) { call_on_worker(call, get_step); }

/* The cursor is how many were listed. */
static enum status write_list(struct api_call *call, struct buffer *out, struct error *err)
{
	struct byte_reader cursor;
	struct buffer      next = {0};
	size_t             limit;
	enum status        status = call_limit(call, &limit, err);
	if (status == STATUS_OK)
		status = call_cursor(call, CURSOR_OFFSET, &cursor, err);
	if (status != STATUS_OK)
		return status;
	struct json_writer    w       = call_begin_list(out);
	const struct filters *filters = filter_set_lock(call->api->filters);
	size_t                total   = filters->count;
	size_t                at      = read_left(&cursor) > 0 ? read_u32(&cursor) : 0;
	size_t                end     = at + limit < total ? at + limit : total;
	for (; at < end; at++)
		write_filter(&w, &filters->list[at]);
	filter_set_unlock(call->api->filters);
	if (at < total)
		buffer_add_u32(&next, (uint32_t)at);
	call_end_list(&w, CURSOR_OFFSET, buffer_text(&next), (int64_t)total, clock_wall_ms());
	buffer_done(&next);
	return STATUS_OK;
}

static void list_step(struct api_call *call) { call_answer_written(call, write_list); }

void filters_api_list(struct api_call *call) { call_on_worker(call, list_step); }

/* ---- POST, PUT, DELETE ---- */

/* An own filter's name is the path's, or, of POST, in the body. */
static void put_step(struct api_call *call)
{
	bool          named = strchr(call->route->path, '{') != NULL;
	struct text   name  = named ? http_param(call->request, "name") : TEXT("");
	struct buffer out   = {0};
	struct json   body;
	struct text   given;
	struct error  err;
	enum status   status = call_body(call, &body, &err);
	if (status == STATUS_OK)
		status = filter_set_put(call->api->filters, name, body, call->arena, &given, &err);
	if (status == STATUS_OK)
		status = write_named(call, given, &out, &err);
	if (status == STATUS_OK) {
		call_answer(call, named ? 200 : 201, &out);
		return;
	}
	buffer_done(&out);
	call_fail(call, &err);
}

void filters_api_create(struct api_call *call) { call_on_worker(call, put_step); }
void filters_api_put(struct api_call *call) { call_on_worker(call, put_step); }

static void delete_step(struct api_call *call)
{
	struct error err;
	if (filter_set_delete(call->api->filters, http_param(call->request, "name"), &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_answer_empty(call, 204);
}

void filters_api_delete(struct api_call *call) { call_on_worker(call, delete_step); }
