/* POST /api/v1/clock: tests move the log time. The new time is a record in every partition; the
 * answer comes when everything due by then has happened. */

#include "api/call.h"
#include "api/handlers.h"
#include "base/instant.h"
#include "model/record.h"

enum { TIMERS_TIMEOUT_MS = 60 * 1000 }; /* a jump by a year fires all that is due within it */

struct clock_state {
	int64_t      now_ms;
	uint64_t     position;
	enum status  status;
	struct error err;
};

static enum status read_now(struct api_call *call, int64_t *ret_ms, struct error *err)
{
	static const char *const known[] = {"now", NULL};
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK)
		return status;
	struct json now   = json_get(body, "now");
	bool        valid = false;
	if (json_type(now) == JSON_STRING) {
		valid = instant_parse(json_string(now), ret_ms);
	} else if (json_type(now) == JSON_INT) {
		*ret_ms = json_int(now);
		valid   = *ret_ms >= 0 && *ret_ms <= INT64_C(253402300799999);
	}
	if (!valid)
		return error_set_field(err, STATUS_INVALID, "now",
		                       "It must be an RFC 3339 instant or epoch milliseconds");
	return STATUS_OK;
}

static void nothing(struct api_call *call, struct view *view)
{
	(void)call;
	(void)view;
}

static void answer(struct api_call *call)
{
	const struct clock_state *state = call->state;
	struct buffer             out   = {0};
	struct json_writer        w     = json_writer_of(&out);
	json_begin_object(&w);
	json_member_instant(&w, "now", state->now_ms);
	json_end_object(&w);
	call_add_position(call, state->position);
	call_answer(call, 200, &out);
}

static void wait_for_timers(struct api_call *call)
{
	struct clock_state *state = call->state;
	if (state->status != STATUS_OK) {
		call_fail(call, &state->err);
		return;
	}
	call->min_position    = state->position;
	call->read_timeout_ms = TIMERS_TIMEOUT_MS;
	call_read_all(call, nothing, answer);
}

static void appended(void *context, enum status status, uint64_t position, int64_t log_time_ms,
                     const struct error *err)
{
	struct api_call    *call  = context;
	struct clock_state *state = call->state;
	(void)log_time_ms;
	state->status   = status;
	state->position = position;
	if (status != STATUS_OK) {
		state->err        = *err;
		state->err.status = status;
	}
	call_on_worker(call, wait_for_timers);
}

/* One record of the clock in each partition. */
static enum status append(struct api_call *call, struct error *err)
{
	struct journal       *journal = call->api->config.journal;
	uint32_t              count   = call->api->config.partition_count;
	struct record         record  = {.kind = RECORD_CLOCK, .slot = SLOT_NONE};
	struct buffer         bytes   = {0};
	struct journal_batch *batches = ARENA_ARRAY(call->arena, struct journal_batch, count);
	record_encode(&bytes, &record);
	for (uint32_t p = 0; p < count; p++)
		batches[p] = (struct journal_batch){p, 1, buffer_text(&bytes)};
	enum status status = journal->ops->append(journal, batches, count, appended, call, err);
	buffer_done(&bytes);
	return status;
}

static void move(struct api_call *call)
{
	struct clock_state *state   = call->state;
	struct journal     *journal = call->api->config.journal;
	struct error        err;
	if (journal->ops->clock_set(journal, state->now_ms, &err) != STATUS_OK ||
	    append(call, &err) != STATUS_OK)
		call_fail(call, &err);
}

/* What was accepted so far happens at the old time, with what it causes elsewhere. */
static void set(struct api_call *call)
{
	struct clock_state *state   = ARENA_NEW(call->arena, struct clock_state);
	struct journal     *journal = call->api->config.journal;
	struct error        err;
	call->state = state;
	if (read_now(call, &state->now_ms, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	call->min_position    = journal->ops->position(journal);
	call->read_timeout_ms = TIMERS_TIMEOUT_MS;
	call_read_all(call, nothing, move);
}

void clock_post(struct api_call *call) { call_on_worker(call, set); }
