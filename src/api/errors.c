#include "api/errors.h"

#include "base/json.h"

static const unsigned short http_status_of[STATUS_COUNT] = {
	[STATUS_OK] = 200,          [STATUS_AGAIN] = 503,        [STATUS_INVALID] = 400,
	[STATUS_UNSUPPORTED] = 400, [STATUS_UNAUTHORIZED] = 401, [STATUS_FORBIDDEN] = 403,
	[STATUS_NOT_FOUND] = 404,   [STATUS_GONE] = 410,         [STATUS_METHOD] = 405,
	[STATUS_CONFLICT] = 409,    [STATUS_PRECONDITION] = 412, [STATUS_TOO_LARGE] = 413,
	[STATUS_LIMITED] = 429,     [STATUS_UNAVAILABLE] = 503,  [STATUS_TIMEOUT] = 503,
	[STATUS_NO_SPACE] = 503,    [STATUS_NO_MEMORY] = 503,    [STATUS_FAILED] = 503,
	[STATUS_IO] = 500,          [STATUS_CORRUPT] = 500,      [STATUS_INTERNAL] = 500,
};

unsigned errors_http_status(enum status status)
{
	unsigned http_status = status < STATUS_COUNT ? http_status_of[status] : 500;
	return http_status == 0 ? 500 : http_status;
}

bool errors_wants_retry_after(unsigned http_status)
{
	return http_status == 503 || http_status == 429;
}

void errors_write(struct buffer *out, const struct error *err, const char *code,
                  const char *trace_id, int64_t timestamp_ms)
{
	bool        hidden = errors_http_status(err->status) == 500;
	const char *reason =
		hidden ? "The server failed; its log has the reason under this trace id" : err->reason;

	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_add_key(&w, TEXT("error"));
	json_begin_object(&w);
	json_member_string(&w, "code", text_of(code != NULL ? code : status_code(err->status)));
	json_member_string(&w, "message", text_of(reason));
	json_add_key(&w, TEXT("details"));
	json_begin_object(&w);
	if (err->field[0] != '\0' && !hidden)
		json_member_string(&w, "field", text_of(err->field));
	json_member_string(&w, "reason", text_of(reason));
	json_end_object(&w);
	json_member_instant(&w, "timestamp", timestamp_ms);
	json_member_string(&w, "traceId", text_of(trace_id));
	json_end_object(&w);
	json_end_object(&w);
}
