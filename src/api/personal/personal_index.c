#include "api/personal/personal_index.h"

#include "api/call_audit.h"

static bool index_of(void *context, enum personal_index kind, struct text value,
                     char ret_index[PERSONAL_INDEX_BYTES], const char **ret_reason)
{
	return vault_index(context, kind, value, ret_index, ret_reason);
}

enum status personal_index(struct api_call *call, struct expr *expr, const char *field,
                           bool *ret_changed, struct error *err)
{
	enum status status = expr_index_personal(expr, field, index_of, call->api->config.vault,
	                                         call->arena, ret_changed, err);
	if (status == STATUS_OK && *ret_changed && !call_shows_personal(call))
		return error_set(err, STATUS_FORBIDDEN,
		                 "Comparing with an e-mail address or a telephone number needs the "
		                 "permission pii.read");
	return status;
}

struct text personal_index_text(const struct expr *expr, struct arena *arena)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	expr_write_json(&w, expr);
	struct text text = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return text;
}
