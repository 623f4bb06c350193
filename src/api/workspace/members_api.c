/* /api/v1/workspaces/{id}/members and …/switch, /api/v1/users/me/workspaces: who of home may enter
 * another workspace, and going there. His row there bears the id that he has at home
 * (access/linked.h). */

#include "access/linked.h"
#include "api/access/grant.h"
#include "api/access/guards.h"
#include "api/access/person_json.h"
#include "api/call_audit.h"
#include "api/handlers.h"
#include "api/workspace/workspaces_json.h"
#include "base/clock.h"

enum { ROLE_NAMES_BYTES_MAX = 4096 };

static struct text person_of(struct api_call *call)
{
	return http_param(call->request, "personId");
}

static enum status find(struct api_call *call, const struct api_workspaces *workspaces,
                        struct api_workspace *ret_workspace, struct error *err)
{
	return workspaces->get(workspaces->context, http_param(call->request, "id"), call->arena,
	                       ret_workspace, err);
}

/* ---- Letting in ---- */

static enum status put_there(struct api_call *call, const struct api_workspaces *workspaces,
                             const struct api_workspace *workspace, const struct account *home,
                             struct text roles, struct error *err)
{
	struct api *there;
	void *held = workspaces->find(workspaces->context, WORKSPACE_BY_ID, text_of(workspace->id));
	if (held == NULL)
		return error_set(err, STATUS_NOT_FOUND, "There is no such workspace");
	enum status status = workspaces->enter(held, &there, err);
	if (status == STATUS_OK)
		status = linked_put(there->config.access, home, roles, clock_wall_ms(), call->arena, err);
	if (status == STATUS_OK)
		guards_changed(there->guards);
	workspaces->leave(held, status == STATUS_OK);
	return status;
}

/* There first: the row alone lets nobody in. */
enum status members_put(struct api_call *call, const struct api_workspaces *workspaces,
                        const struct api_workspace *workspace, struct text person_id,
                        struct text roles, struct error *err)
{
	struct store       *store  = call->api->config.store;
	struct store_member member = {.roles = roles, .created_ms = clock_wall_ms()};
	struct account      home;
	enum status status = people_get(call->api->config.access, person_id, call->arena, &home, err);
	if (status == STATUS_OK)
		status = put_there(call, workspaces, workspace, &home, roles, err);
	if (status != STATUS_OK)
		return status;
	memcpy(member.workspace_id, workspace->id, sizeof member.workspace_id);
	memcpy(member.person_id, home.row.id, sizeof member.person_id);
	return store->ops->member_put(store, &member, err);
}

static enum status read_roles(struct api_call *call, struct json body, struct text *ret_roles,
                              struct error *err)
{
	struct json   names = json_get(body, "roles");
	struct buffer text  = {0};
	enum status   status =
        json_type(names) == JSON_ARRAY && json_count(names) > 0 ? STATUS_OK : STATUS_INVALID;
	for (struct json_iterator i = json_iterate(names); status == STATUS_OK && json_next(&i);) {
		struct text name = json_type(i.value) == JSON_STRING ? json_string(i.value) : TEXT("");
		if (name.length == 0 || memchr(name.data, ' ', name.length) != NULL ||
		    text.length + name.length > ROLE_NAMES_BYTES_MAX)
			status = STATUS_INVALID;
		if (text.length > 0)
			buffer_add_text(&text, TEXT(" "));
		buffer_add_text(&text, name);
	}
	*ret_roles = arena_text(call->arena, buffer_text(&text));
	buffer_done(&text);
	if (status != STATUS_OK)
		return error_set_field(err, status, "roles", "It must be a list of names of roles");
	return STATUS_OK;
}

static void write_member(struct json_writer *w, const char *person_id, struct text roles,
                         int64_t created_ms)
{
	json_begin_object(w);
	json_member_string(w, "personId", text_of(person_id));
	json_add_key(w, TEXT("roles"));
	person_json_names(w, roles);
	json_member_instant(w, "createdAt", created_ms);
	json_end_object(w);
}

static enum status put(struct api_call *call, const struct api_workspaces *workspaces,
                       struct text *ret_roles, struct error *err)
{
	static const char *const known[] = {"roles", NULL};
	struct api_workspace     workspace;
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = read_roles(call, body, ret_roles, err)) != STATUS_OK ||
	    (status = find(call, workspaces, &workspace, err)) != STATUS_OK)
		return status;
	return members_put(call, workspaces, &workspace, person_of(call), *ret_roles, err);
}

static void put_step(struct api_call *call)
{
	const struct api_workspaces *workspaces = workspaces_of(call);
	struct buffer                out        = {0};
	struct json_writer           w          = json_writer_of(&out);
	struct error                 err        = {0};
	struct text                  roles;
	if (workspaces == NULL)
		return;
	if (put(call, workspaces, &roles, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	write_member(&w, arena_text(call->arena, person_of(call)).data, roles, clock_wall_ms());
	call_answer(call, 200, &out);
}

void members_api_put(struct api_call *call) { call_on_waiting_worker(call, put_step); }

/* ---- Who is in ---- */

static enum status write_members(struct api_call *call, struct buffer *out, struct error *err)
{
	struct store        *store = call->api->config.store;
	struct api_workspace workspace;
	struct store_member *members;
	size_t               count;
	enum status          status = find(call, call->api->config.workspaces, &workspace, err);
	if (status == STATUS_OK)
		status = store->ops->member_list(store, text_of(workspace.id), call->arena, &members,
		                                 &count, err);
	if (status != STATUS_OK)
		return status;
	struct json_writer w = call_begin_list(out);
	for (size_t i = 0; i < count; i++)
		write_member(&w, members[i].person_id, members[i].roles, members[i].created_ms);
	call_end_list(&w, CURSOR_OFFSET, (struct text){0}, (int64_t)count, clock_wall_ms());
	return STATUS_OK;
}

static void list_step(struct api_call *call)
{
	if (workspaces_of(call) != NULL)
		call_answer_written(call, write_members);
}

void members_api_list(struct api_call *call) { call_on_worker(call, list_step); }

/* His visits go with the membership; his row there when it is next looked at. */
static void delete_step(struct api_call *call)
{
	const struct api_workspaces *workspaces = workspaces_of(call);
	struct store                *store      = call->api->config.store;
	struct api_workspace         workspace;
	struct error                 err = {0};
	if (workspaces == NULL)
		return;
	enum status status = find(call, workspaces, &workspace, &err);
	if (status == STATUS_OK)
		status = store->ops->member_delete(store, text_of(workspace.id), person_of(call), &err);
	guards_answer(call, status, &err);
}

void members_api_delete(struct api_call *call) { call_on_worker(call, delete_step); }

/* ---- Where one may go, and going ---- */

static enum status write_mine(struct api_call *call, struct buffer *out, struct error *err)
{
	const struct api_workspaces *workspaces = call->api->config.workspaces;
	struct store                *store      = call->api->config.store;
	struct api_workspace         workspace;
	struct store_member         *members;
	struct error                 ignored;
	size_t                       count, shown = 0;
	enum status status = store->ops->member_list(store, text_of(call->token.person_id), call->arena,
	                                             &members, &count, err);
	if (status != STATUS_OK)
		return status;
	struct json_writer w = call_begin_list(out);
	for (size_t i = 0; i < count && workspaces != NULL; i++) {
		if (workspaces->get(workspaces->context, text_of(members[i].workspace_id), call->arena,
		                    &workspace, &ignored) != STATUS_OK)
			continue;
		json_begin_object(&w);
		workspaces_json_members(&w, &workspace);
		json_add_key(&w, TEXT("roles"));
		person_json_names(&w, members[i].roles);
		json_end_object(&w);
		shown++;
	}
	call_end_list(&w, CURSOR_OFFSET, (struct text){0}, (int64_t)shown, clock_wall_ms());
	return STATUS_OK;
}

static void mine_step(struct api_call *call) { call_answer_written(call, write_mine); }

void workspaces_mine(struct api_call *call) { call_on_worker(call, mine_step); }

static enum status begin_session(struct api_call *call, const struct api *there,
                                 const struct api_workspace *workspace, struct grant *ret_grant,
                                 struct error *err)
{
	struct store      *store = call->api->config.store;
	struct login       login = grant_login(call);
	struct store_visit visit;
	struct account     account;
	struct error       why    = {0};
	enum status        status = people_get(there->config.access, text_of(call->token.person_id),
	                                       call->arena, &account, &why);
	if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !account.row.active))
		return error_set(err, STATUS_FORBIDDEN, "You may not enter that workspace");
	if (status == STATUS_OK)
		status = sessions_begin(there->config.access, &account, &login, clock_wall_ms(),
		                        call->arena, ret_grant, &why);
	if (status != STATUS_OK) {
		*err = why;
		return status;
	}
	memcpy(visit.session_id, ret_grant->session_id, sizeof visit.session_id);
	memcpy(visit.workspace_id, workspace->id, sizeof visit.workspace_id);
	memcpy(visit.person_id, call->token.person_id, sizeof visit.person_id);
	memcpy(visit.home_session_id, call->token.id, sizeof visit.home_session_id);
	return store->ops->visit_add(store, &visit, err);
}

static enum status check_member(struct api_call *call, const struct api_workspace *workspace,
                                struct error *err)
{
	struct store        *store = call->api->config.store;
	struct store_member *members;
	size_t               count;
	enum status status = store->ops->member_list(store, text_of(call->token.person_id), call->arena,
	                                             &members, &count, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < count; i++)
		if (strcmp(members[i].workspace_id, workspace->id) == 0)
			return STATUS_OK;
	return error_set(err, STATUS_NOT_FOUND, "There is no such workspace");
}

static enum status enter(struct api_call *call, const struct api_workspaces *workspaces,
                         struct api_workspace *ret_workspace, struct grant *ret_grant,
                         struct error *err)
{
	struct api *there;
	enum status status = STATUS_OK;
	if (call->token.scopes == 0) /* who owes a second factor, above all */
		return error_set(err, STATUS_FORBIDDEN, "You may do nothing here, so nothing there");
	status = find(call, workspaces, ret_workspace, err);
	if (status == STATUS_OK)
		status = check_member(call, ret_workspace, err);
	if (status != STATUS_OK)
		return status;
	void *held = workspaces->find(workspaces->context, WORKSPACE_BY_ID, text_of(ret_workspace->id));
	if (held == NULL)
		return error_set(err, STATUS_NOT_FOUND, "There is no such workspace");
	status = workspaces->enter(held, &there, err);
	if (status == STATUS_OK)
		status = begin_session(call, there, ret_workspace, ret_grant, err);
	workspaces->leave(held, status == STATUS_OK);
	return status;
}

static void switch_step(struct api_call *call)
{
	const struct api_workspaces *workspaces = workspaces_of(call);
	struct api_workspace         workspace;
	struct grant                 grant;
	struct buffer                out = {0};
	struct json_writer           w   = json_writer_of(&out);
	struct error                 err = {0};
	if (workspaces == NULL)
		return;
	if (enter(call, workspaces, &workspace, &grant, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	call_audit_target(call, text_of(workspace.id));
	person_json_grant(&w, &grant);
	http_add_header(call->request, "Cache-Control", TEXT("no-store"));
	call_answer(call, 200, &out);
}

void workspaces_switch(struct api_call *call) { call_on_waiting_worker(call, switch_step); }
