#include "api/audience/asking.h"

#include "api/audience/audiences.h"
#include "base/clock.h"
#include "base/decimal.h"

static struct asking *asking_of(const struct api_call *call) { return call->state; }

static void client_gone(void *user)
{
	struct asking *asking = user;
	atomic_store_explicit(&asking->waiter.gone, true, memory_order_relaxed);
}

static void clean_up(struct api_call *call)
{
	calculation_unref(asking_of(call)->waiter.calculation);
}

void asking_begin(struct api_call *call, size_t state_bytes, call_step_fn *step)
{
	struct asking *asking = arena_zalloc(call->arena, state_bytes);
	asking->call          = call;
	call->state           = asking;
	call->cleanup         = clean_up;
	if (!call_is_suspended(call)) { /* else its token was looked up elsewhere: not watched */
		call_suspend(call);
		http_on_cancel(call->request, client_gone, asking);
	}
	call_on_worker(call, step);
}

static void calculated(struct calculation_waiter *waiter)
{
	struct asking *asking =
		(struct asking *)(void *)((char *)waiter - offsetof(struct asking, waiter));
	call_on_worker(asking->call, asking->then);
}

void asking_ask(struct api_call *call, const struct calculation_wish *wish, call_step_fn *then)
{
	struct asking *asking = asking_of(call);
	struct error   err;
	if (atomic_load_explicit(&asking->waiter.gone, memory_order_relaxed)) {
		error_set(&err, STATUS_UNAVAILABLE, "The client is gone");
		call_fail(call, &err);
		return;
	}
	calculation_unref(asking->waiter.calculation); /* of the question before */
	asking->then        = then;
	asking->waiter.done = calculated;
	calculations_ask(call->api->audiences->calculations, wish, &asking->waiter);
}

const struct query_answer *asking_answer(struct api_call *call)
{
	struct error               err;
	const struct query_answer *answer =
		calculation_answer(asking_of(call)->waiter.calculation, &err);
	if (answer == NULL)
		call_fail(call, &err);
	return answer;
}

bool asking_anew(const struct api_call *call)
{
	static const char word[] = "no-cache";
	struct text       value;
	return http_header(call->request, "Cache-Control", &value) &&
	       memmem(value.data, value.length, word, sizeof word - 1) != NULL;
}

void asking_write_figures(struct json_writer *writer, const struct query_answer *answer)
{
	double revenue = decimal_to_double(answer->revenue);
	json_member_int(writer, "audience_size", (int64_t)answer->size);
	json_member_int(writer, "total_users", (int64_t)answer->person_count);
	json_member_double(
		writer, "ratio",
		answer->person_count == 0 ? 0 : (double)answer->size / (double)answer->person_count);
	if (answer->order_count == 0)
		json_member_null(writer, "average_order_value");
	else
		json_member_double(writer, "average_order_value", revenue / (double)answer->order_count);
	json_member_double(writer, "expected_revenue", revenue);
	json_member_instant(writer, "as_of", answer->as_of_ms);
	json_member_bool(writer, "exact", answer->exact);
}

void asking_write_end(struct json_writer *writer, const struct api_call *call)
{
	int64_t took_us = (clock_monotonic_ns() - http_received_ns(call->request)) / 1000;
	json_member_bool(writer, "cached", asking_of(call)->waiter.cached);
	json_member_double(writer, "took_ms", (double)took_us / 1000);
}
