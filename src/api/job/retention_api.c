/* /api/v1/retention: what is kept for a time, and what the next run will drop. Asks the store and
 * looks at files, so it runs on a worker. */

#include "api/call.h"
#include "api/handlers.h"
#include "base/instant.h"
#include "job/retention.h"

static void member_instant(struct json_writer *w, const char *name, int64_t ms)
{
	if (ms == INSTANT_MS_NONE)
		json_member_null(w, name);
	else
		json_member_instant(w, name, ms);
}

static void write_amount(struct json_writer *w, const struct retention_amount *amount)
{
	json_begin_object(w);
	json_member_int(w, "count", (int64_t)amount->count);
	json_member_int(w, "bytes", (int64_t)amount->bytes);
	json_end_object(w);
}

static void write_age(struct json_writer *w, const struct retention_thing *thing)
{
	char    text[DURATION_TEXT_BYTES];
	int64_t age_ms = retention_age_ms(thing);
	if (age_ms == INSTANT_MS_NEVER)
		json_member_null(w, "keptFor");
	else
		json_member_string(w, "keptFor", duration_format(age_ms - age_ms % 1000, text));
	if (thing->setting == NULL)
		json_member_null(w, "setting");
	else
		json_member_string(w, "setting", text_of(thing->setting));
}

static void write_last_drop(struct json_writer *w, const struct retention_row *row)
{
	if (row->dropped_ms == INSTANT_MS_NONE) {
		json_member_null(w, "lastDrop");
		return;
	}
	json_add_key(w, TEXT("lastDrop"));
	json_begin_object(w);
	json_member_instant(w, "at", row->dropped_ms);
	json_member_int(w, "count", (int64_t)row->dropped.count);
	json_member_int(w, "bytes", (int64_t)row->dropped.bytes);
	json_end_object(w);
}

static void write_row(struct json_writer *w, const struct retention_row *row)
{
	json_begin_object(w);
	json_member_string(w, "name", text_of(row->thing->name));
	json_member_string(w, "summary", text_of(row->thing->summary));
	write_age(w, row->thing);
	json_member_int(w, "count", (int64_t)row->look.all.count);
	json_member_int(w, "bytes", (int64_t)row->look.all.bytes);
	member_instant(w, "oldest", row->look.oldest_ms);
	json_member_string(w, "next", text_of(retention_plan_name(row->plan)));
	json_add_key(w, TEXT("due"));
	if (row->plan == RETENTION_OTHERS)
		json_add_null(w);
	else
		write_amount(w, &row->look.due);
	member_instant(w, "reportedAt", row->reported_ms);
	member_instant(w, "dropsFrom", row->drops_from_ms);
	write_last_drop(w, row);
	json_end_object(w);
}

static enum status write_list(struct api_call *call, struct buffer *out, struct error *err)
{
	struct journal       *journal = call->api->config.journal;
	struct retention_row *rows;
	size_t                count;
	enum status           status =
		retention_list(call->api->config.retention, call->arena, &rows, &count, err);
	if (status != STATUS_OK)
		return status;
	struct json_writer w = call_begin_list(out);
	for (size_t i = 0; i < count; i++)
		write_row(&w, &rows[i]);
	call_end_list(&w, CURSOR_OFFSET, (struct text){0}, (int64_t)count,
	              journal->ops->log_time_ms(journal));
	return STATUS_OK;
}

static void list_step(struct api_call *call) { call_answer_written(call, write_list); }

void retention_get(struct api_call *call) { call_on_worker(call, list_step); }
