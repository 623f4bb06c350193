/* /api/v1/people and /api/v1/invitations: who there is, and who is to come. Nobody changes himself
 * here, so that the last who may cannot lock himself out; and of two who take it from one another
 * only the first does. */

#include "access/people.h"

#include "access/role.h"
#include "api/access/guards.h"
#include "api/access/person_json.h"
#include "api/call.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/instant.h"

enum { SECRET_TEXT_BYTES_MAX = 512, TIER_BYTES_MAX = 32 };

static struct text id_of(struct api_call *call) { return http_param(call->request, "id"); }

static void answer_person(struct api_call *call, unsigned http_status, enum status status,
                          const struct account *account, const struct error *err)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	if (status != STATUS_OK) {
		call_fail(call, err);
		return;
	}
	person_json_write(&w, account);
	call_answer(call, http_status, &out);
}

static enum status not_oneself(struct api_call *call, struct error *err)
{
	if (text_equal(id_of(call), text_of(call->token.person_id)))
		return error_set(err, STATUS_CONFLICT, "Nobody changes or deletes himself");
	return STATUS_OK;
}

static void add_name(struct buffer *names, struct text name)
{
	if (names->length > 0)
		buffer_add_text(names, TEXT(" "));
	buffer_add_text(names, name);
}

/* An array of names as a text with blanks between; data NULL when it is absent. */
static enum status read_roles(struct api_call *call, struct json body, bool optional,
                              struct text *ret_roles, struct error *err)
{
	struct json   roles  = json_get(body, "roles");
	struct buffer text   = {0};
	enum status   status = STATUS_OK;
	*ret_roles           = (struct text){0};
	if (optional && json_type(roles) == JSON_NONE)
		return STATUS_OK;
	if (json_type(roles) != JSON_ARRAY)
		return error_set_field(err, STATUS_INVALID, "roles", "It must be a list of roles");
	for (struct json_iterator i = json_iterate(roles); status == STATUS_OK && json_next(&i);) {
		struct text name = json_type(i.value) == JSON_STRING ? json_string(i.value) : TEXT("");
		if (name.length == 0 || name.length > ROLE_NAME_BYTES_MAX ||
		    memchr(name.data, ' ', name.length) != NULL)
			status = error_set_field(err, STATUS_INVALID, "roles", "It must hold names of roles");
		else
			add_name(&text, name);
	}
	*ret_roles = arena_text(call->arena, buffer_text(&text));
	buffer_done(&text);
	return status;
}

static enum status read_tier(struct json body, struct text *ret_tier, struct error *err)
{
	enum status status =
		call_string(body, "subscription_tier", true, 1, TIER_BYTES_MAX, ret_tier, err);
	if (status == STATUS_OK && ret_tier->data == NULL)
		*ret_tier = TEXT("free");
	return status;
}

/* Of somebody who is added as of somebody who is invited. */
static enum status read_wish(struct api_call *call, struct json body, struct person_wish *wish,
                             struct error *err)
{
	enum status status =
		call_string(body, "email", false, 1, PERSON_EMAIL_BYTES, &wish->email, err);
	if (status == STATUS_OK)
		status = read_tier(body, &wish->tier, err);
	return status == STATUS_OK ? read_roles(call, body, false, &wish->roles, err) : status;
}

/* ---- People ---- */

static enum status add(struct api_call *call, struct account *ret_account, struct error *err)
{
	static const char *const known[] = {"email", "name", "password", "roles", "subscription_tier",
	                                    NULL};
	struct person_wish       wish    = {0};
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = read_wish(call, body, &wish, err)) != STATUS_OK ||
	    (status = call_string(body, "name", false, 1, PERSON_NAME_BYTES, &wish.name, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "password", false, 1, SECRET_TEXT_BYTES_MAX, &wish.password,
	                          err)) != STATUS_OK)
		return status;
	return people_add(call->api->config.access, &wish, call->token.scopes, clock_wall_ms(),
	                  call->arena, ret_account, err);
}

static void add_step(struct api_call *call)
{
	struct account account;
	struct error   err    = {0};
	enum status    status = add(call, &account, &err);
	answer_person(call, 201, status, &account, &err);
}

void people_api_create(struct api_call *call) { call_on_password_worker(call, add_step); }

/* A page of `count` items in their order, of which the cursor is how many were listed. */
struct page {
	size_t        begin, end;
	struct buffer next;
};

static enum status page_of(struct api_call *call, size_t count, struct page *ret_page,
                           struct error *err)
{
	struct byte_reader cursor;
	size_t             limit;
	enum status        status;
	*ret_page = (struct page){0};
	if ((status = call_limit(call, &limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_OFFSET, &cursor, err)) != STATUS_OK)
		return status;
	size_t begin    = read_left(&cursor) > 0 ? read_u32(&cursor) : 0;
	ret_page->begin = begin < count ? begin : count;
	ret_page->end   = count - ret_page->begin > limit ? ret_page->begin + limit : count;
	if (ret_page->end < count)
		buffer_add_u32(&ret_page->next, (uint32_t)ret_page->end);
	return STATUS_OK;
}

static void end_page(struct json_writer *w, struct page *page, size_t count)
{
	call_end_list(w, CURSOR_OFFSET, buffer_text(&page->next), (int64_t)count, clock_wall_ms());
	buffer_done(&page->next);
}

static enum status write_people(struct api_call *call, struct buffer *out, struct error *err)
{
	struct account *accounts;
	struct page     page;
	size_t          count;
	enum status status = people_list(call->api->config.access, call->arena, &accounts, &count, err);
	if (status == STATUS_OK)
		status = page_of(call, count, &page, err);
	if (status != STATUS_OK)
		return status;
	struct json_writer w = call_begin_list(out);
	for (size_t i = page.begin; i < page.end; i++)
		person_json_write(&w, &accounts[i]);
	end_page(&w, &page, count);
	return STATUS_OK;
}

static void list_step(struct api_call *call) { call_answer_written(call, write_people); }

void people_api_list(struct api_call *call) { call_on_worker(call, list_step); }

static void get_step(struct api_call *call)
{
	struct account account;
	struct error   err = {0};
	enum status    status =
		people_get(call->api->config.access, id_of(call), call->arena, &account, &err);
	answer_person(call, 200, status, &account, &err);
}

void people_api_get(struct api_call *call) { call_on_worker(call, get_step); }

static enum status change(struct api_call *call, struct account *ret_account, struct error *err)
{
	static const char *const known[] = {"name", "roles", "subscription_tier", "active", NULL};
	struct person_change     change  = {0};
	struct json              body, active;
	bool                     value;
	enum status              status;
	if ((status = not_oneself(call, err)) != STATUS_OK ||
	    (status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "name", true, 1, PERSON_NAME_BYTES, &change.name, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "subscription_tier", true, 1, TIER_BYTES_MAX, &change.tier,
	                          err)) != STATUS_OK ||
	    (status = read_roles(call, body, true, &change.roles, err)) != STATUS_OK)
		return status;
	active = json_get(body, "active");
	if (json_type(active) == JSON_BOOL) {
		value         = json_bool(active);
		change.active = &value;
	} else if (json_type(active) != JSON_NONE) {
		return error_set_field(err, STATUS_INVALID, "active", "It must be true or false");
	}
	return people_change(call->api->config.access, id_of(call), &change, call->token.scopes,
	                     clock_wall_ms(), call->arena, ret_account, err);
}

/* One at a time, by who has not lost it since he was let in. */
static enum status lock_people(struct api_call *call, struct error *err)
{
	pthread_mutex_lock(&call->api->people_lock);
	enum status status = tokens_recheck(call->api->tokens, &call->token, err);
	if (status == STATUS_OK)
		status = token_check(&call->token, call->route->scope, clock_wall_ms(), err);
	if (status != STATUS_OK)
		pthread_mutex_unlock(&call->api->people_lock);
	return status;
}

static void unlock_people(struct api_call *call) { pthread_mutex_unlock(&call->api->people_lock); }

static void change_step(struct api_call *call)
{
	struct account account;
	struct error   err    = {0};
	enum status    status = lock_people(call, &err);
	if (status == STATUS_OK) {
		status = change(call, &account, &err);
		unlock_people(call);
	}
	if (status == STATUS_OK)
		guards_changed(call->api->guards);
	answer_person(call, 200, status, &account, &err);
}

void people_api_put(struct api_call *call) { call_on_worker(call, change_step); }

static void delete_step(struct api_call *call)
{
	struct error err    = {0};
	enum status  status = not_oneself(call, &err);
	if (status == STATUS_OK && (status = lock_people(call, &err)) == STATUS_OK) {
		status = people_delete(call->api->config.access, id_of(call), call->token.scopes, &err);
		unlock_people(call);
	}
	guards_answer(call, status, &err);
}

void people_api_delete(struct api_call *call) { call_on_worker(call, delete_step); }

static enum status write_sessions(struct api_call *call, struct buffer *out, struct error *err)
{
	struct access  *access = call->api->config.access;
	struct account  account;
	struct session *sessions;
	size_t          count;
	enum status     status;
	if ((status = people_get(access, id_of(call), call->arena, &account, err)) != STATUS_OK ||
	    (status = sessions_list(access, id_of(call), call->arena, &sessions, &count, err)) !=
	        STATUS_OK)
		return status;
	struct json_writer w = call_begin_list(out);
	for (size_t i = 0; i < count; i++)
		person_json_session(&w, &sessions[i], strcmp(sessions[i].row.id, call->token.id) == 0);
	call_end_list(&w, CURSOR_OFFSET, (struct text){0}, (int64_t)count, clock_wall_ms());
	return STATUS_OK;
}

static void sessions_step(struct api_call *call) { call_answer_written(call, write_sessions); }

void people_api_sessions(struct api_call *call) { call_on_worker(call, sessions_step); }

static void end_sessions_step(struct api_call *call)
{
	struct error err = {0};
	enum status  status =
		people_end_sessions(call->api->config.access, id_of(call), call->token.scopes, &err);
	guards_answer(call, status, &err);
}

void people_api_end_sessions(struct api_call *call) { call_on_worker(call, end_sessions_step); }

/* ---- Invitations ---- */

static void write_invitation(struct json_writer *w, const struct invitation *invitation,
                             const char *text)
{
	json_begin_object(w);
	json_member_string(w, "id", text_of(invitation->row.id));
	if (invitation->email.length == 0)
		json_member_null(w, "email");
	else
		json_member_string(w, "email", invitation->email);
	json_add_key(w, TEXT("roles"));
	person_json_names(w, invitation->row.roles);
	json_member_string(w, "subscription_tier", invitation->row.tier);
	if (text != NULL)
		json_member_string(w, "invitation", text_of(text));
	json_member_instant(w, "created_at", invitation->row.created_ms);
	if (invitation->row.expires_ms == INSTANT_MS_NEVER)
		json_member_null(w, "expires_at");
	else
		json_member_instant(w, "expires_at", invitation->row.expires_ms);
	json_end_object(w);
}

static enum status invite(struct api_call *call, struct invitation *ret_invitation,
                          char ret_text[INVITATION_TEXT_BYTES], struct error *err)
{
	static const char *const known[] = {"email", "roles", "subscription_tier", NULL};
	struct person_wish       wish    = {0};
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = read_wish(call, body, &wish, err)) != STATUS_OK)
		return status;
	return people_invite(call->api->config.access, &wish, call->token.scopes, clock_wall_ms(),
	                     call->arena, ret_invitation, ret_text, err);
}

static void invite_step(struct api_call *call)
{
	struct invitation invitation;
	char              text[INVITATION_TEXT_BYTES];
	struct error      err = {0};
	if (invite(call, &invitation, text, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	write_invitation(&w, &invitation, text);
	call_answer(call, 201, &out);
}

void invitations_create(struct api_call *call) { call_on_worker(call, invite_step); }

static enum status write_invitations(struct api_call *call, struct buffer *out, struct error *err)
{
	struct invitation *invitations;
	struct page        page;
	size_t             count;
	enum status        status =
		people_invitations(call->api->config.access, call->arena, &invitations, &count, err);
	if (status == STATUS_OK)
		status = page_of(call, count, &page, err);
	if (status != STATUS_OK)
		return status;
	struct json_writer w = call_begin_list(out);
	for (size_t i = page.begin; i < page.end; i++)
		write_invitation(&w, &invitations[i], NULL);
	end_page(&w, &page, count);
	return STATUS_OK;
}

static void invitations_step(struct api_call *call)
{
	call_answer_written(call, write_invitations);
}

void invitations_list(struct api_call *call) { call_on_worker(call, invitations_step); }

static void withdraw_step(struct api_call *call)
{
	struct store *store = call->api->config.store;
	struct error  err   = {0};
	if (store->ops->invitation_delete(store, id_of(call), &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_answer_empty(call, 204);
}

void invitations_delete(struct api_call *call) { call_on_worker(call, withdraw_step); }
