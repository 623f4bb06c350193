/* /api/v1/roles, /api/v1/signing-keys and /.well-known/jwks.json. */

#include <stdio.h>

#include "access/people.h"
#include "access/role.h"
#include "access/scope.h"
#include "api/access/guards.h"
#include "api/call.h"
#include "api/handlers.h"
#include "base/clock.h"

enum { DESCRIPTION_BYTES_MAX = 1024 };

/* ---- Roles ---- */

static void write_built_in(struct json_writer *w, const struct role *role)
{
	json_begin_object(w);
	json_member_string(w, "name", text_of(role->name));
	json_member_string(w, "description", text_of(role->description));
	json_member_string(w, "description_ko", text_of(role->description_ko));
	json_add_key(w, TEXT("permissions"));
	scope_set_write_json(w, role->scopes);
	json_member_bool(w, "built_in", true);
	json_end_object(w);
}

static void write_role(struct json_writer *w, const struct store_role *role)
{
	json_begin_object(w);
	json_member_string(w, "name", role->name);
	json_member_string(w, "description", role->description);
	json_add_key(w, TEXT("permissions"));
	scope_set_write_json(w, scope_set_read(role->scopes));
	json_member_bool(w, "built_in", false);
	json_member_instant(w, "created_at", role->created_ms);
	json_member_instant(w, "updated_at", role->updated_ms);
	json_end_object(w);
}

static enum status write_roles(struct api_call *call, struct buffer *out, struct error *err)
{
	struct store      *store = call->api->config.store;
	struct store_role *roles;
	size_t             count;
	enum status        status = store->ops->role_list(store, call->arena, &roles, &count, err);
	if (status != STATUS_OK)
		return status;
	struct json_writer w = call_begin_list(out);
	for (size_t i = 0; i < roles_built_in_count; i++)
		write_built_in(&w, &roles_built_in[i]);
	for (size_t i = 0; i < count; i++)
		write_role(&w, &roles[i]);
	call_end_list(&w, CURSOR_OFFSET, (struct text){0}, (int64_t)(roles_built_in_count + count),
	              clock_wall_ms());
	return STATUS_OK;
}

static void list_step(struct api_call *call) { call_answer_written(call, write_roles); }

void roles_list(struct api_call *call) { call_on_worker(call, list_step); }

static enum status read_permissions(struct api_call *call, struct json body, struct text *ret_names,
                                    struct error *err)
{
	struct json   names = json_get(body, "permissions");
	unsigned      index = 0;
	uint32_t      set   = 0;
	struct buffer text  = {0};
	if (json_type(names) != JSON_ARRAY || json_count(names) == 0)
		return error_set_field(err, STATUS_INVALID, "permissions",
		                       "It must be a list of permissions");
	for (struct json_iterator i = json_iterate(names); json_next(&i); index++) {
		char       field[40];
		enum scope scope =
			json_type(i.value) == JSON_STRING ? scope_of(json_string(i.value)) : SCOPE_NONE;
		snprintf(field, sizeof field, "permissions[%u]", index);
		if (scope == SCOPE_NONE)
			return error_set_field(err, STATUS_INVALID, field, "There is no such permission");
		set |= scope;
	}
	scope_set_write(&text, set);
	*ret_names = arena_text(call->arena, buffer_text(&text));
	buffer_done(&text);
	return STATUS_OK;
}

static enum status put(struct api_call *call, struct store_role *role, struct error *err)
{
	static const char *const known[] = {"description", "permissions", NULL};
	struct json              body;
	enum status              status;
	*role = (struct store_role){.name = http_param(call->request, "name")};
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "description", true, 0, DESCRIPTION_BYTES_MAX,
	                          &role->description, err)) != STATUS_OK ||
	    (status = read_permissions(call, body, &role->scopes, err)) != STATUS_OK)
		return status;
	return people_put_role(call->api->config.access, role, call->token.scopes, clock_wall_ms(),
	                       call->arena, err);
}

static void put_step(struct api_call *call)
{
	struct store_role role;
	struct error      err = {0};
	if (put(call, &role, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	guards_changed(call->api->guards);
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	write_role(&w, &role);
	call_answer(call, 200, &out);
}

void roles_put(struct api_call *call) { call_on_worker(call, put_step); }

static void delete_step(struct api_call *call)
{
	struct error err = {0};
	if (people_delete_role(call->api->config.access, http_param(call->request, "name"),
	                       call->token.scopes, call->arena, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_answer_empty(call, 204);
}

void roles_delete(struct api_call *call) { call_on_worker(call, delete_step); }

/* ---- Keys ---- */

static enum status write_keys(struct api_call *call, struct buffer *out, struct error *err)
{
	struct signing_key_info keys[SIGNING_KEYS_MAX];
	int64_t                 now_ms = clock_wall_ms();
	size_t count = signing_keys_list(access_signing_keys(call->api->config.access), now_ms, keys);
	struct json_writer w = call_begin_list(out);
	(void)err;
	for (size_t i = 0; i < count; i++) {
		json_begin_object(&w);
		json_member_string(&w, "kid", text_of(keys[i].id));
		json_member_string(&w, "alg", text_of(jwt_algorithm_name(keys[i].algorithm)));
		json_member_bool(&w, "signs", keys[i].signs);
		json_member_instant(&w, "created_at", keys[i].created_ms);
		json_member_instant(&w, "signs_from", keys[i].signs_from_ms);
		json_end_object(&w);
	}
	call_end_list(&w, CURSOR_OFFSET, (struct text){0}, (int64_t)count, now_ms);
	return STATUS_OK;
}

static void keys_step(struct api_call *call) { call_answer_written(call, write_keys); }

/* On workers: while a key is made, others wait for it. */
void signing_keys_get(struct api_call *call) { call_on_worker(call, keys_step); }

static void rotate_step(struct api_call *call)
{
	struct signing_keys *keys = access_signing_keys(call->api->config.access);
	struct error         err  = {0};
	if (signing_keys_rotate(keys, clock_wall_ms(), &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_answer_written(call, write_keys);
}

void signing_keys_post(struct api_call *call) { call_on_password_worker(call, rotate_step); }

static void jwks_step(struct api_call *call)
{
	struct buffer out = {0};
	signing_keys_write_public(access_signing_keys(call->api->config.access), &out);
	http_add_header(call->request, "Cache-Control", TEXT("public, max-age=300"));
	call_answer(call, 200, &out);
}

void jwks_get(struct api_call *call) { call_on_worker(call, jwks_step); }
