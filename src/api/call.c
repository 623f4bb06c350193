#include "api/call.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "api/call_audit.h"
#include "api/call_limit.h"
#include "api/errors.h"
#include "api/workspace/closed.h"
#include "api/workspace/workspaces.h"
#include "base/clock.h"
#include "base/log.h"

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* ---- Dispatch ---- */

static void handle(struct api_call *call) { call->route->handler(call); }

/* On the trail's thread. Nothing was begun, so nothing is recorded. */
static void intended(void *context, enum status status, const struct error *err)
{
	struct api_call *call = context;
	if (status == STATUS_OK) {
		call_on_worker(call, handle);
	} else {
		call_audit_cancel(call);
		call_fail(call, err);
	}
}

static void begin_handler(struct api_call *call)
{
	struct error err;
	if (call_audit_begin(call, &err) != STATUS_OK) {
		call_fail(call, &err);
	} else if (call->route->audit == AUDIT_DURABLE) {
		call_suspend(call);
		audit_intend_durably(call->api->config.audit, intended, call);
	} else {
		call->route->handler(call);
	}
}

static void authorized(struct api_call *call)
{
	struct error err;
	if (!call_limit_token(call))
		return;
	enum status status = token_check(&call->token, call->route->scope, clock_wall_ms(), &err);
	if (status == STATUS_OK && call->route->access == ACCESS_PERSON &&
	    call->token.person_id[0] == '\0')
		status = error_set(&err, STATUS_FORBIDDEN, "Only for people who have logged in");
	if (status != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	call_note_use(call);
	begin_handler(call);
}

static void look_up_token(struct api_call *call)
{
	struct error err;
	struct text  header, text;
	http_header(call->request, "Authorization", &header);
	bool bearer = token_of_header(header, &text);
	assert(bearer);
	if (tokens_look_up(call->api->tokens, text, &call->token, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		authorized(call);
}

static void authorize(struct api_call *call)
{
	struct error err;
	struct text  header, text;
	if (!http_header(call->request, "Authorization", &header) || !token_of_header(header, &text)) {
		error_set(&err, STATUS_UNAUTHORIZED, "A token is needed: \"Authorization: Bearer TOKEN\"");
		call_fail(call, &err);
	} else if (tokens_cached(call->api->tokens, text, &call->token)) {
		authorized(call);
	} else if (!call_move(call, text) && call_limit_address(call, LIMIT_ADDRESS)) {
		call_on_worker(call, look_up_token);
	}
}

static enum status read_min_position(struct api_call *call, struct error *err)
{
	struct text text;
	if (!http_header(call->request, "X-Sonnim-Min-Position", &text))
		return STATUS_OK;
	if (!position_read(text, &call->min_position))
		return error_set_field(err, STATUS_INVALID, "X-Sonnim-Min-Position",
		                       "It is not a position that this server answered");
	return STATUS_OK;
}

/* What holds for every route before anybody is asked who he is. */
static enum status admit(struct api_call *call, struct error *err)
{
	struct api *api = call->api;
	if ((call->route->flags & ROUTE_STARTING) == 0 && !api_is_open(api))
		return api_closed_error(api, err);
	if ((call->route->flags & ROUTE_MANUAL_CLOCK) != 0 && !api->config.manual_clock)
		return error_set(err, STATUS_NOT_FOUND,
		                 "There is no clock to set: the server runs on the "
		                 "wall clock (--clock=manual is chosen when the data "
		                 "directory is made)");
	if (call->counted && atomic_load(&api->call_count) > API_CALLS_MAX)
		return error_set(err, STATUS_UNAVAILABLE, "Too many requests are being answered");
	return read_min_position(call, err);
}

/* By the address, where nobody is known yet. Who watches over the server is not limited, and what
 * comes from the home workspace was counted there. */
static bool limit_address(struct api_call *call)
{
	if (!api_is_home(call->api) && !call->named)
		return true;
	switch (call->route->access) {
	case ACCESS_PUBLIC:
		return (call->route->flags & ROUTE_STARTING) != 0 ||
		       call_limit_address(call, LIMIT_ADDRESS);
	case ACCESS_WRITE_KEY:
		return call_limit_address(call, LIMIT_COLLECTION);
	case ACCESS_SOCKET:
		return call_limit_address(call, LIMIT_SOCKET_ADDRESS);
	case ACCESS_TOKEN:
	case ACCESS_PERSON:
		return true;
	}
	return true;
}

static struct api_call *begin(struct api *api, const struct api_route *route,
                              struct http_request *request, bool suspended, bool named)
{
	struct api_call *call   = ARENA_NEW(http_arena(request), struct api_call);
	call->api               = api;
	call->route             = route;
	call->request           = request;
	call->suspended         = suspended;
	call->named             = named;
	call->arena             = http_arena(request);
	call->audit.result_size = -1;
	call->counted = call->route->access != ACCESS_WRITE_KEY; /* SDKs: journal and vault limit */
	atomic_fetch_add(&call->api->in_flight, 1);
	if (call->counted)
		atomic_fetch_add(&call->api->call_count, 1);
	return call;
}

static void serve(struct api_call *call)
{
	struct error err;
	if (admit(call, &err) != STATUS_OK)
		call_fail(call, &err);
	else if (!limit_address(call))
		return;
	else if (call->route->access == ACCESS_TOKEN || call->route->access == ACCESS_PERSON)
		authorize(call);
	else if (call->route->access == ACCESS_PUBLIC)
		begin_handler(call);
	else
		call->route->handler(call);
}

void call_take(struct api *api, const struct api_route *route, struct http_request *request,
               bool suspended)
{
	struct text pattern = text_of(http_pattern(request));
	bool        named   = text_starts_with(pattern, TEXT(WORKSPACE_PREFIX "/"));
	serve(begin(api, route, request, suspended, named));
}

void call_dispatch(struct http_request *request, void *user)
{
	const struct api_binding *binding = user;
	serve(begin(binding->api, binding->route, request, false, false));
}

/* ---- Other workspaces ---- */

/* What was counted for the call, which ends without an answer. */
static void uncount(struct api_call *call)
{
	if (call->waits != NULL)
		atomic_fetch_sub(call->waits, 1);
	if (call->counted)
		atomic_fetch_sub(&call->api->call_count, 1);
	atomic_fetch_sub(&call->api->in_flight, 1);
}

static void hand_over(struct api_call *call, void *held)
{
	const struct api_workspaces *others  = call->api->config.workspaces;
	const struct api_route      *route   = call->route;
	struct http_request         *request = call->request;
	json_parser_free(call->parser);
	uncount(call);
	others->serve(held, route, request);
}

/* Whether somebody may ask at all cannot be known before it is open. */
void call_open(struct api_call *call)
{
	void *held = call->held;
	if (!call_limit_address(call, LIMIT_ADDRESS))
		return;
	call->held = NULL;
	hand_over(call, held);
}

/* To the workspace `held`, which knows who asks. `credential` NULL: the path has named it. */
static void move_to(struct api_call *call, void *held, const struct text *credential)
{
	const struct api_workspaces *others = call->api->config.workspaces;
	struct workspace_closed     *closed = ARENA_NEW(call->arena, struct workspace_closed);
	if (!others->is_closed(held, call->arena, closed)) {
		hand_over(call, held);
		return;
	}
	call->held   = held;
	call->closed = closed;
	if (credential != NULL)
		closed_serve_credential(call, *credential);
	else
		closed_serve(call);
}

static void refuse_name(struct http_request *request)
{
	struct error  err;
	struct buffer body = {0};
	error_set(&err, STATUS_NOT_FOUND, "There is no workspace of this name");
	errors_write(&body, &err, NULL, http_trace_id(request), clock_wall_ms());
	http_respond(request, errors_http_status(err.status), "application/json", &body);
}

void call_dispatch_named(struct http_request *request, void *user)
{
	const struct api_binding    *binding = user;
	const struct api_workspaces *others  = binding->api->config.workspaces;
	struct text                  name    = http_param(request, "workspace");
	struct api_call             *call = begin(binding->api, binding->route, request, false, true);
	if (text_equal(name, TEXT(WORKSPACE_HOME_SLUG))) {
		serve(call);
		return;
	}
	void *held = others == NULL ? NULL : others->find(others->context, WORKSPACE_BY_SLUG, name);
	if (held != NULL) {
		move_to(call, held, NULL);
	} else if (call_limit_address(call, LIMIT_ADDRESS)) { /* names are guessed */
		uncount(call);
		refuse_name(request);
	}
}

bool call_move(struct api_call *call, struct text credential)
{
	const struct api_workspaces *others = call->api->config.workspaces;
	char                         code[WORKSPACE_CODE_BYTES];
	if (others == NULL || call->named || call->suspended || !credential_code(credential, code))
		return false;
	void *held = others->find(others->context, WORKSPACE_BY_CODE, text_of(code));
	if (held == NULL)
		return false;
	move_to(call, held, &credential);
	return true;
}

void call_note_use(struct api_call *call) { api_note_use(call->request); }

/* ---- On the way ---- */

static void run_step(struct worker_job *job)
{
	struct api_call *call = container_of(job, struct api_call, job);
	call->step(call);
}

static void go_on_by(struct api_call *call, struct workers *workers, call_step_fn *step)
{
	call->step    = step;
	call->job.run = run_step;
	workers_submit(workers, &call->job);
}

static void go_on(struct api_call *call, call_step_fn *step)
{
	go_on_by(call, call->api->workers, step);
}

bool call_is_suspended(const struct api_call *call) { return call->suspended; }

void call_suspend(struct api_call *call)
{
	if (!call->suspended)
		http_suspend(call->request);
	call->suspended = true;
}

void call_on_worker(struct api_call *call, call_step_fn *step)
{
	call_suspend(call);
	go_on(call, step);
}

void call_on_waiting_worker(struct api_call *call, call_step_fn *step)
{
	struct workers *waiting = call->api->waiting_workers;
	call_suspend(call);
	go_on_by(call, waiting != NULL ? waiting : call->api->workers, step);
}

/* On workers of their own, of whom so many may wait. */
static void call_on_others(struct api_call *call, struct workers *workers, _Atomic int *count,
                           int max, const char *reason, call_step_fn *step)
{
	struct error err;
	call->waits = count;
	if (atomic_fetch_add(count, 1) >= max) {
		error_set(&err, STATUS_LIMITED, "%s", reason);
		call_fail(call, &err);
		return;
	}
	call_suspend(call);
	go_on_by(call, workers, step);
}

void call_on_password_worker(struct api_call *call, call_step_fn *step)
{
	struct api *api = call->api;
	call_on_others(call, api->password_worker, &api->password_count, API_PASSWORDS_MAX,
	               "Too many passwords are being compared", step);
}

void call_on_sso_worker(struct api_call *call, call_step_fn *step)
{
	struct api *api = call->api;
	call_on_others(call, api->sso_workers, &api->sso_count, API_SSO_MAX,
	               "Too many logins wait for a provider", step);
}

static void read_run(struct engine_read *read, struct view *view)
{
	struct api_call *call = container_of(read, struct api_call, read);
	call->run(call, view);
}

static void read_failed(struct api_call *call) { call_fail(call, call->read_error); }

static void step_on_loop(struct http_request *request, void *context)
{
	struct api_call *call = context;
	(void)request;
	call->short_step = false;
	call->step(call);
}

static void read_done(struct engine_read *read, enum status status, const struct error *err)
{
	struct api_call *call = container_of(read, struct api_call, read);
	if (status != STATUS_OK) {
		call->read_error         = ARENA_NEW(call->arena, struct error);
		*call->read_error        = *err;
		call->read_error->status = status;
	}
	if (status != STATUS_OK)
		call->step = call->read_failed != NULL ? call->read_failed : read_failed;
	if (call->short_step)
		http_go_on(call->request, step_on_loop, call);
	else
		go_on(call, call->step);
}

static void prepare_read(struct api_call *call, call_run_fn *run, call_step_fn *step)
{
	call_suspend(call);
	call->run  = run;
	call->step = step;
	call->read = (struct engine_read){.run          = read_run,
	                                  .done         = read_done,
	                                  .min_position = call->min_position,
	                                  .timeout_ms   = call->read_timeout_ms};
}

void call_read_person(struct api_call *call, uint32_t partition, call_run_fn *run,
                      call_step_fn *step)
{
	prepare_read(call, run, step);
	engine_read_person(call->api->config.engine, partition, &call->read);
}

void call_look_up(struct api_call *call, uint32_t partition, call_run_fn *run, call_step_fn *step)
{
	call->short_step = true;
	call_read_person(call, partition, run, step);
}

void call_read_all(struct api_call *call, call_run_fn *run, call_step_fn *step)
{
	prepare_read(call, run, step);
	engine_read_all(call->api->config.engine, &call->read);
}

int64_t call_as_of_ms(const struct api_call *call) { return call->read.as_of_ms; }

/* ---- Answers ---- */

/* The record was added before; of what ends without an answer of its own, now. */
void call_end(struct api_call *call)
{
	call_audit_end(call, call->route->success, NULL, NULL);
	if (call->cleanup != NULL)
		call->cleanup(call);
	if (call->held != NULL)
		call->api->config.workspaces->leave(call->held, false);
	json_parser_free(call->parser);
	uncount(call);
}

/* The call is gone behind it. */
static void send_reply(struct api_call *call)
{
	struct http_request *request = call->request;
	struct call_reply    reply   = call->reply;
	call_end(call);
	if (reply.is_file)
		http_respond_file(request, reply.http_status, reply.content_type, reply.fd, reply.bytes);
	else
		http_respond(request, reply.http_status, reply.content_type, &reply.body);
}

/* What was done is done: but nobody may take it for a success that stands in no record. */
static void recorded(void *context, enum status status, const struct error *err)
{
	struct api_call *call = context;
	if (status != STATUS_OK) {
		struct error failed;
		error_set(&failed, status, "The request was carried out. %s", err->reason);
		if (call->reply.is_file)
			close(call->reply.fd);
		buffer_clear(&call->reply.body);
		call->reply.is_file      = false;
		call->reply.http_status  = errors_http_status(status);
		call->reply.content_type = "application/json";
		errors_write(&call->reply.body, &failed, NULL, http_trace_id(call->request),
		             clock_wall_ms());
	}
	send_reply(call);
}

/* `body` is moved. */
static void reply(struct api_call *call, unsigned http_status, const char *content_type,
                  struct buffer *body)
{
	call->reply.http_status  = http_status;
	call->reply.content_type = content_type;
	if (body != NULL) {
		call->reply.body = *body;
		*body            = (struct buffer){0};
	}
	if (!call_audit_end(call, http_status, &call->reply.body, recorded))
		send_reply(call);
}

void call_answer(struct api_call *call, unsigned http_status, struct buffer *body)
{
	reply(call, http_status, "application/json", body);
}

void call_answer_written(struct api_call *call, call_write_fn *write)
{
	struct buffer out = {0};
	struct error  err = {0};
	if (write(call, &out, &err) == STATUS_OK) {
		call_answer(call, 200, &out);
	} else {
		buffer_done(&out);
		call_fail(call, &err);
	}
}

void call_answer_file(struct api_call *call, call_open_fn *open, const char *content_type)
{
	struct http_request *request = call->request;
	struct error         err     = {0};
	struct call_file     file    = {.fd = -1};
	if (open(call, &file, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	http_add_header(request, "X-Content-Type-Options", TEXT("nosniff"));
	http_add_header(request, "Content-Disposition",
	                file.name.length == 0
	                    ? TEXT("attachment")
	                    : text_of(arena_printf(call->arena, "attachment; filename=\"%.*s\"",
	                                           TEXT_FORMAT(file.name))));
	call->reply.is_file     = true;
	call->reply.fd          = file.fd;
	call->reply.bytes       = file.bytes;
	call->audit.result_size = (int64_t)file.bytes;
	reply(call, 200, content_type, NULL);
}

void call_answer_empty(struct api_call *call, unsigned http_status)
{
	reply(call, http_status, NULL, NULL);
}

void call_answer_static(struct api_call *call, const char *content_type, struct text body)
{
	struct http_request *request = call->request;
	call_end(call);
	http_respond_static(request, 200, content_type, body);
}

void call_fail(struct api_call *call, const struct error *err) { call_fail_code(call, err, NULL); }

void call_fail_code(struct api_call *call, const struct error *err, const char *code)
{
	struct buffer body        = {0};
	unsigned      http_status = errors_http_status(err->status);
	if (http_status == 500) {
		log_trace_set(http_trace_id(call->request));
		log_error("a request failed", err);
		log_trace_set(NULL);
	}
	errors_write(&body, err, code, http_trace_id(call->request), clock_wall_ms());
	reply(call, http_status, "application/json", &body);
}

struct text call_public_url(struct api_call *call)
{
	const struct api *api = call->api;
	if (api->config.public_url != NULL)
		return text_of(api->config.public_url);
	return text_of(arena_printf(call->arena, "%s://%s%s",
	                            http_is_secure(call->request) ? "https" : "http",
	                            http_server_address(api->server), api->config.path_prefix));
}

void call_add_retry_after(struct api_call *call, int64_t wait_ms)
{
	if (wait_ms > 0)
		http_add_header(
			call->request, "Retry-After",
			text_of(arena_printf(call->arena, "%lld", (long long)((wait_ms + 999) / 1000))));
}

void call_add_version(struct api_call *call, uint32_t version)
{
	http_add_header(call->request, "ETag", text_of(arena_printf(call->arena, "\"%u\"", version)));
}

void call_add_position(struct api_call *call, uint64_t position)
{
	struct journal *journal = call->api->config.journal;
	char            text[POSITION_TEXT_BYTES];
	position_write(position != 0 ? position : journal->ops->position(journal), text);
	http_add_header(call->request, "X-Sonnim-Position", text_of(text));
}

/* ---- Lists ---- */

struct json_writer call_begin_list(struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_add_key(&w, TEXT("items"));
	json_begin_array(&w);
	return w;
}

void call_end_list(struct json_writer *writer, enum cursor_kind kind, struct text next,
                   int64_t total, int64_t as_of_ms)
{
	json_end_array(writer);
	if (next.length == 0) {
		json_member_null(writer, "next");
	} else {
		struct buffer cursor = {0};
		cursor_write(&cursor, kind, next);
		json_member_string(writer, "next", buffer_text(&cursor));
		buffer_done(&cursor);
	}
	if (total < 0)
		json_member_null(writer, "total");
	else
		json_member_int(writer, "total", total);
	json_member_instant(writer, "as_of", as_of_ms);
	json_end_object(writer);
}

struct vault_id call_person_id(struct api_call *call, struct person person)
{
	struct vault_id id;
	struct error    err;
	if (vault_external_id(call->api->config.vault, person, call->arena, &id, &err) != STATUS_OK)
		return (struct vault_id){.namespace = VAULT_USER};
	return id;
}

void call_write_id(struct json_writer *writer, const struct vault_id *id)
{
	if (id->id.data == NULL)
		json_member_null(writer, "userId");
	else
		json_member_string(writer, id->namespace == VAULT_USER ? "userId" : "anonymousId", id->id);
}

void call_write_person(struct api_call *call, struct json_writer *writer, struct person person)
{
	struct vault_id id = call_person_id(call, person);
	call_write_id(writer, &id);
}
