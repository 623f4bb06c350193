#include "api/access/grant.h"

#include "api/access/person_json.h"
#include "api/call_audit.h"

/* Before the session is there: the trail knows whose it is, whatever comes of the call. Who goes to
 * another workspace is known already. */
static void session_begins(void *context, const char *person_id, const char *session_id)
{
	struct api_call *call = context;
	if (call->audit.actor.length > 0)
		return;
	call_audit_actor(call, text_of(arena_printf(call->arena, "person:%s", person_id)));
	call_audit_target(call, text_of(session_id));
}

struct login grant_login(struct api_call *call)
{
	struct login login = {.address = text_of(http_client_address(call->request)),
	                      .begins  = session_begins,
	                      .context = call};
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
