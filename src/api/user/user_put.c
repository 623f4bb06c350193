#include "api/user/user_put.h"

#include "api/reads.h"

struct put {
	enum ingest_kind     kind;
	user_put_message_fn *message;
	collect_read_fn     *read;
};

static void step(struct api_call *call)
{
	const struct put *put     = call->state;
	struct buffer     message = {0};
	struct error      err;
	if (put->message(call, &message, &err) == STATUS_OK)
		collect_own(call, put->kind, &message, put->read);
	else
		call_fail(call, &err);
	buffer_done(&message);
}

void user_put(struct api_call *call, enum ingest_kind kind, user_put_message_fn *message,
              collect_read_fn *read)
{
	struct error err;
	if (reads_reserved(http_param(call->request, "id"), &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	struct put *put = ARENA_NEW(call->arena, struct put);
	*put            = (struct put){kind, message, read};
	call->state     = put;
	call_on_worker(call, step);
}

void user_put_identity(const struct api_call *call, struct json_writer *w)
{
	struct text id      = http_param(call->request, "id");
	bool        visitor = text_starts_with(id, TEXT("anonymous_id:"));
	struct text prefix  = visitor ? TEXT("anonymous_id:") : TEXT("user_id:");
	if (text_starts_with(id, prefix))
		id = (struct text){id.data + prefix.length, id.length - prefix.length};
	json_member_string(w, visitor ? "anonymousId" : "userId", id);
}
