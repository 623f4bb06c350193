/* POST /api/v1/master-key/rotate: the keyring gets a new master key while everything goes on. */

#include "api/call.h"
#include "api/handlers.h"

static void rotate(struct api_call *call)
{
	struct error err;
	size_t       count;
	if (vault_rotate(call->api->config.vault, &count, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_member_int(&w, "rewrapped", (int64_t)count);
	json_end_object(&w);
	call_answer(call, 200, &out);
}

void master_key_rotate(struct api_call *call) { call_on_worker(call, rotate); }
