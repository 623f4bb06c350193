#include "api/call_limit.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/access/guards.h"
#include "api/metrics/metrics_text.h"
#include "base/clock.h"

enum { SOCKETS_RETRY_S = 1 };

static void set_number(struct http_request *request, const char *name, int64_t number)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRId64, number);
	http_set_header(request, name, text_of(text));
}

void call_limit_headers(struct http_request *request, const struct bucket_state *state)
{
	if (state->limit == 0)
		return;
	set_number(request, "X-RateLimit-Limit", state->limit);
	set_number(request, "X-RateLimit-Remaining", state->remaining);
	set_number(request, "X-RateLimit-Reset", state->reset_s);
}

void call_limited(struct api_call *call, const char *limit, const char *message,
                  unsigned retry_after_s)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_add_key(&w, TEXT("error"));
	json_begin_object(&w);
	json_member_string(&w, "code", text_of(status_code(STATUS_LIMITED)));
	json_member_string(&w, "message", text_of(message));
	json_add_key(&w, TEXT("details"));
	json_begin_object(&w);
	json_member_string(&w, "limit", text_of(limit));
	json_member_string(&w, "reason", text_of(message));
	json_end_object(&w);
	json_member_instant(&w, "timestamp", clock_wall_ms());
	json_member_string(&w, "traceId", text_of(http_trace_id(call->request)));
	json_end_object(&w);
	json_end_object(&w);
	set_number(call->request, "Retry-After", retry_after_s);
	call_answer(call, 429, &out);
}

static bool take(struct api_call *call, struct limits *limits, enum limit limit, struct text key,
                 const struct bucket_size *own)
{
	struct bucket_state state;
	char                message[160];
	if (key.length == 0)
		return true;
	bool taken = limits_take(limits, limit, key, own, clock_monotonic_ns(), &state);
	/* Collection answers so often that it says so only when it refuses. */
	if (!taken || limit != LIMIT_COLLECTION)
		call_limit_headers(call->request, &state);
	if (taken)
		return true;
	snprintf(message, sizeof message,
	         "Too many requests: the limit by %s is reached; try again in %u seconds",
	         limit_name(limit), state.retry_after_s);
	call_limited(call, limit_name(limit), message, state.retry_after_s);
	return false;
}

bool call_limit_address(struct api_call *call, enum limit limit)
{
	uint8_t bytes[LIMITS_NETWORK_BYTES];
	if (!limits_has(call->api->address_limits, limit))
		return true;
	return take(call, call->api->address_limits, limit,
	            limits_network(http_client_address(call->request), bytes), NULL);
}

static bool is_person(const struct token *token) { return token->person_id[0] != '\0'; }

bool call_limit_token(struct api_call *call)
{
	const struct token      *token = &call->token;
	const struct bucket_size own   = {token->rate, token->burst};
	if (is_person(token))
		return take(call, call->api->config.limits, LIMIT_PERSON, text_of(token->person_id), NULL);
	return take(call, call->api->config.limits, LIMIT_TOKEN, text_of(token->id),
	            token->rate != 0 ? &own : NULL);
}

bool call_limit_socket(struct api_call *call)
{
	const struct token *token = &call->token;
	int64_t             most  = limits_sockets_max(call->api->config.limits);
	if (most != 0 && guards_count(call->api->guards, token) >= (size_t)most) {
		call_limited(call, "websockets",
		             "Too many WebSockets are open: the limit of one token or "
		             "person is reached",
		             SOCKETS_RETRY_S);
		return false;
	}
	return take(call, call->api->config.limits, LIMIT_SOCKET,
	            text_of(is_person(token) ? token->person_id : token->id), NULL);
}

/* ---- Metrics ---- */

/* Those by address are the server's: they show with home's. */
void call_limit_write_metrics(const struct api *api, struct buffer *out)
{
	const struct limits *all[]                = {api->config.limits, api->address_limits};
	unsigned             count                = api_is_home(api) ? 2 : 1;
	uint64_t             refused[LIMIT_COUNT] = {0}, slots = 0, evicted = 0;
	for (unsigned l = 0; l < count; l++) {
		for (unsigned i = 0; i < LIMIT_COUNT; i++)
			refused[i] += limits_refused(all[l], (enum limit)i);
		slots += limits_slot_count(all[l]);
		evicted += limits_evicted(all[l]);
	}
	metric_head(out, "sonnim_rate_limited_total", "counter",
	            "Requests that were answered 429, by the limit that was reached");
	for (unsigned i = 0; i < LIMIT_COUNT; i++)
		buffer_printf(out, "sonnim_rate_limited_total{limit=\"%s\"} %" PRIu64 "\n",
		              limit_name((enum limit)i), refused[i]);
	metric_one(out, "sonnim_rate_limit_buckets_max", "gauge",
	           "Tokens, persons and addresses whose use is remembered at a time", slots);
	metric_one(out, "sonnim_rate_limit_forgotten_total", "counter",
	           "Of them those that were forgotten for want of room, and began anew", evicted);
}
