#include "api/access/grant.h"

#include "api/access/person_json.h"
#include "api/call_audit.h"

struct login grant_login(struct api_call *call)
{
	struct login login = {.address = text_of(http_client_address(call->request))};
	http_header(call->request, "User-Agent", &login.agent);
	return login;
}

void grant_answer(struct api_call *call, unsigned http_status, const struct grant *grant)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	call_note_use(call);
	call_audit_actor(call, text_of(arena_printf(call->arena, "person:%s", grant->account.row.id)));
	if (grant->challenge[0] == '\0')
		call_audit_target(call, text_of(grant->session_id));
	person_json_grant(&w, grant);
	http_add_header(call->request, "Cache-Control", TEXT("no-store"));
	call_answer(call, http_status, &out);
}
