/* /api/v1/workspaces: the other workspaces of this server, made and deleted in the home workspace.
 * What waits until one is open is done by workers of its own, and holds up nothing else. */

#include <stdio.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/workspace/workspaces_json.h"
#include "base/clock.h"
#include "base/instant.h"
#include "model/person.h"

enum { RETENTION_DAYS_MAX = 36500 };

static struct text id_of(struct api_call *call) { return http_param(call->request, "id"); }

const struct api_workspaces *workspaces_of(struct api_call *call)
{
	const struct api_workspaces *workspaces = call->api->config.workspaces;
	struct error                 err;
	if (workspaces == NULL) {
		error_set(&err, STATUS_NOT_FOUND, "Workspaces are managed in the default one");
		call_fail(call, &err);
	}
	return workspaces;
}

/* ---- JSON ---- */

static void write_limits(struct json_writer *w, const struct workspace_limits *limits)
{
	json_begin_object(w);
#define X(member, name, smallest)                                                                  \
	if (limits->member > 0)                                                                        \
		json_member_int(w, name, limits->member);                                                  \
	else                                                                                           \
		json_member_null(w, name);
	WORKSPACE_LIMITS(X)
#undef X
	json_end_object(w);
}

void workspaces_json_members(struct json_writer *w, const struct api_workspace *workspace)
{
	json_member_string(w, "id", text_of(workspace->id));
	json_member_string(w, "slug", workspace->slug);
	json_member_string(w, "name", workspace->name);
}

static void write_workspace(struct json_writer *w, const struct api_workspace *workspace,
                            const struct workspace_keys *keys)
{
	json_begin_object(w);
	workspaces_json_members(w, workspace);
	json_member_string(w, "state", text_of(workspace->state));
	json_member_bool(w, "open", workspace->open);
	json_member_int(w, "partitions", workspace->partition_count);
	json_member_int(w, "retentionDays", workspace->retention_ms / DAY_MS);
	json_add_key(w, TEXT("limits"));
	write_limits(w, &workspace->limits);
	json_member_int(w, "version", workspace->version);
	json_member_instant(w, "createdAt", workspace->created_ms);
	json_member_instant(w, "updatedAt", workspace->updated_ms);
	if (keys != NULL) {
		json_member_string(w, "token", text_of(keys->token));
		json_member_string(w, "writeKey", text_of(keys->write_key));
	}
	json_end_object(w);
}

static void answer_workspace(struct api_call *call, unsigned http_status, enum status status,
                             const struct api_workspace  *workspace,
                             const struct workspace_keys *keys, const struct error *err)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	if (status != STATUS_OK) {
		call_fail(call, err);
		return;
	}
	write_workspace(&w, workspace, keys);
	if (keys != NULL)
		http_add_header(call->request, "Cache-Control", TEXT("no-store"));
	call_add_version(call, workspace->version);
	call_answer(call, http_status, &out);
}

/* ---- What is wished ---- */

static enum status read_limit(struct json limits, const char *name, int64_t smallest,
                              int64_t *ret_limit, struct error *err)
{
	struct json value = json_get(limits, name);
	char        field[48];
	*ret_limit = 0;
	if (json_type(value) == JSON_NONE || json_type(value) == JSON_NULL)
		return STATUS_OK;
	snprintf(field, sizeof field, "limits.%s", name);
	if (json_type(value) != JSON_INT || json_int(value) < smallest)
		return error_set_field(err, STATUS_INVALID, field, "It must be null or %lld at least",
		                       (long long)smallest);
	*ret_limit = json_int(value);
	return STATUS_OK;
}

static enum status read_limits(struct api_call *call, struct json body,
                               const struct workspace_limits **ret_limits, struct error *err)
{
	static const char *const known[] = {
#define X(member, name, smallest) name,
		WORKSPACE_LIMITS(X)
#undef X
			NULL};
	struct json              value  = json_get(body, "limits");
	struct workspace_limits *limits = ARENA_NEW(call->arena, struct workspace_limits);
	enum status              status = STATUS_OK;
	*ret_limits                     = NULL;
	if (json_type(value) == JSON_NONE || json_type(value) == JSON_NULL)
		return STATUS_OK;
	if (json_type(value) != JSON_OBJECT)
		return error_set_field(err, STATUS_INVALID, "limits", "It must be an object");
	status = call_only(value, known, err);
#define X(member, name, smallest)                                                                  \
	if (status == STATUS_OK)                                                                       \
		status = read_limit(value, name, smallest, &limits->member, err);
	WORKSPACE_LIMITS(X)
#undef X
	*ret_limits = limits;
	return status;
}

static enum status read_whole(struct json body, const char *name, int64_t min, int64_t max,
                              int64_t *ret_number, struct error *err)
{
	struct json value = json_get(body, name);
	*ret_number       = 0;
	if (json_type(value) == JSON_NONE || json_type(value) == JSON_NULL)
		return STATUS_OK;
	if (json_type(value) != JSON_INT || json_int(value) < min || json_int(value) > max)
		return error_set_field(err, STATUS_INVALID, name, "It must be a whole number, %lld to %lld",
		                       (long long)min, (long long)max);
	*ret_number = json_int(value);
	return STATUS_OK;
}

/* What is shown to people in one line. */
static enum status read_name(struct json body, bool optional, struct text *ret_name,
                             struct error *err)
{
	enum status status =
		call_string(body, "name", optional, 1, WORKSPACE_NAME_BYTES_MAX, ret_name, err);
	if (status == STATUS_OK && !text_is_line(*ret_name))
		return error_set_field(err, STATUS_INVALID, "name", "It must not have control characters");
	return status;
}

static enum status read_new(struct api_call *call, struct workspace_wish *wish, struct error *err)
{
	static const char *const known[] = {"name",          "slug",   "partitions",
	                                    "retentionDays", "limits", NULL};
	struct json              body;
	int64_t                  partitions, days;
	enum status              status;
	*wish = (struct workspace_wish){0};
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "slug", false, 1, WORKSPACE_SLUG_BYTES_MAX, &wish->slug,
	                          err)) != STATUS_OK ||
	    (status = read_name(body, false, &wish->name, err)) != STATUS_OK ||
	    (status = read_whole(body, "partitions", 1, PARTITION_COUNT_MAX, &partitions, err)) !=
	        STATUS_OK ||
	    (status = read_whole(body, "retentionDays", 2, RETENTION_DAYS_MAX, &days, err)) !=
	        STATUS_OK ||
	    (status = read_limits(call, body, &wish->limits, err)) != STATUS_OK)
		return status;
	wish->partitions   = (uint32_t)partitions;
	wish->retention_ms = days * DAY_MS;
	if (wish->limits == NULL)
		wish->limits = ARENA_NEW(call->arena, struct workspace_limits);
	return STATUS_OK;
}

/* ---- POST ---- */

/* Who makes one becomes its administrator; a program has its token. */
static enum status admit_maker(struct api_call *call, const struct api_workspaces *workspaces,
                               const struct api_workspace *workspace, struct error *err)
{
	if (call->token.person_id[0] == '\0')
		return STATUS_OK;
	return members_put(call, workspaces, workspace, text_of(call->token.person_id), TEXT("admin"),
	                   err);
}

static void create_step(struct api_call *call)
{
	const struct api_workspaces *workspaces = workspaces_of(call);
	struct workspace_wish        wish;
	struct api_workspace         workspace;
	struct workspace_keys        keys = {0};
	struct error                 err  = {0};
	if (workspaces == NULL)
		return;
	enum status status = read_new(call, &wish, &err);
	if (status == STATUS_OK)
		status =
			workspaces->create(workspaces->context, &wish, call->arena, &workspace, &keys, &err);
	if (status == STATUS_OK &&
	    (status = admit_maker(call, workspaces, &workspace, &err)) != STATUS_OK) {
		struct error ignored; /* nobody has its token: what is left of it goes at the next start */
		(void)workspaces->destroy(workspaces->context, text_of(workspace.id), &ignored);
	}
	answer_workspace(call, 201, status, &workspace, &keys, &err);
}

void workspaces_create(struct api_call *call) { call_on_waiting_worker(call, create_step); }

/* ---- GET ---- */

static void list_step(struct api_call *call)
{
	const struct api_workspaces *workspaces = workspaces_of(call);
	struct api_workspace        *rows;
	struct error                 err;
	struct buffer                out = {0};
	size_t                       count;
	if (workspaces == NULL)
		return;
	if (workspaces->list(workspaces->context, call->arena, &rows, &count, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	struct json_writer w = call_begin_list(&out);
	for (size_t i = 0; i < count; i++)
		write_workspace(&w, &rows[i], NULL);
	call_end_list(&w, CURSOR_OFFSET, (struct text){0}, (int64_t)count, clock_wall_ms());
	call_answer(call, 200, &out);
}

void workspaces_list(struct api_call *call) { call_on_worker(call, list_step); }

static void get_step(struct api_call *call)
{
	const struct api_workspaces *workspaces = workspaces_of(call);
	struct api_workspace         workspace;
	struct error                 err = {0};
	if (workspaces == NULL)
		return;
	enum status status =
		workspaces->get(workspaces->context, id_of(call), call->arena, &workspace, &err);
	answer_workspace(call, 200, status, &workspace, NULL, &err);
}

void workspaces_get(struct api_call *call) { call_on_worker(call, get_step); }

/* ---- PUT ---- */

static enum status put(struct api_call *call, const struct api_workspaces *workspaces,
                       struct api_workspace *ret_workspace, struct error *err)
{
	static const char *const known[] = {"name", "limits", NULL};
	struct workspace_wish    wish    = {0};
	uint32_t                 version = 0;
	struct json              body;
	enum status              status;
	if ((status = call_if_match(call, &version, err)) != STATUS_OK ||
	    (status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = read_name(body, true, &wish.name, err)) != STATUS_OK ||
	    (status = read_limits(call, body, &wish.limits, err)) != STATUS_OK)
		return status;
	return workspaces->change(workspaces->context, id_of(call), &wish, version, call->arena,
	                          ret_workspace, err);
}

static void put_step(struct api_call *call)
{
	const struct api_workspaces *workspaces = workspaces_of(call);
	struct api_workspace         workspace;
	struct error                 err = {0};
	if (workspaces == NULL)
		return;
	enum status status = put(call, workspaces, &workspace, &err);
	answer_workspace(call, 200, status, &workspace, NULL, &err);
}

void workspaces_put(struct api_call *call) { call_on_waiting_worker(call, put_step); }

/* ---- DELETE ---- */

static enum status delete (struct api_call *call, const struct api_workspaces *workspaces,
                           struct error *err) {
	struct api_workspace workspace; struct text confirmed;
	enum status status = workspaces->get(workspaces->context, id_of(call), call->arena, &workspace,
	                                     err);
	if (status != STATUS_OK) return status;
	if (!http_query(call->request, "confirm", &confirmed) ||
	    !text_equal(confirmed,
	                workspace.slug)) return error_set_field(err, STATUS_INVALID, "confirm",
	                                                        "It must be the workspace's slug: "
	                                                        "everything of it will be gone");
	return workspaces->destroy(workspaces->context, text_of(workspace.id), err);
}

static void delete_step(struct api_call *call)
{
	const struct api_workspaces *workspaces = workspaces_of(call);
	struct error                 err        = {0};
	if (workspaces == NULL)
		return;
	if (delete (call, workspaces, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_answer_empty(call, 204);
}

void workspaces_delete(struct api_call *call) { call_on_waiting_worker(call, delete_step); }
