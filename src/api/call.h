#ifndef SONNIM_API_CALL_H
#define SONNIM_API_CALL_H

/* One request of the API on its way: who asks, what for, and how it is answered. Handlers get it
 * and end it with exactly one of call_answer…, call_fail…, or hand it on:
 *
 *   handler ─► call_on_worker(step) ─► step ─► call_read_person(run, step) ─► run ─► step ─► answer
 *   (loop, or a worker)              (worker)                     (engine thread)  (worker)
 *
 * A handler that changes something (AUDIT_DURABLE) begins on a worker, when it is on the disk that
 * it is about to: call_audit.h.
 *
 * One thread at a time uses a call and its arena; only the `run` of call_read_all() is on several
 * at once and must not touch the arena. The call is gone when it was answered. */

#include "api/context.h"
#include "api/route.h"
#include "api/access/token.h"
#include "audit/audit.h"
#include "base/json.h"
#include "engine/view.h"

enum {
	CALL_BODY_BYTES_MAX = 1 << 20, /* of requests that bring no events */
	CALL_LIMIT_DEFAULT  = 100,
	CALL_LIMIT_MAX      = 1000,
};

/* What an answer consists of. */
struct call_reply {
	unsigned      http_status;
	const char   *content_type; /* NULL: none */
	struct buffer body;
	bool          is_file;
	int           fd; /* of a file */
	uint64_t      bytes;
};

typedef void call_step_fn(struct api_call *call);
typedef void call_run_fn(struct api_call *call, struct view *view);

struct api_call {
	struct api             *api;
	const struct api_route *route;
	struct http_request    *request;
	struct arena           *arena; /* the request's */
	struct token            token; /* who asks; of ACCESS_TOKEN and ACCESS_PERSON */
	uint64_t                min_position;
	int64_t                 read_timeout_ms; /* 0: READ_TIMEOUT_MS */
	void                   *state;           /* the handler's own, from the arena */
	void (*cleanup)(struct api_call *call);  /* frees what `state` has elsewhere; NULL: nothing */

	struct audit_record audit; /* what handlers tell of it: call_audit.h */

	/* private */
	bool                           named;  /* the path names the workspace */
	void                          *held;   /* a workspace that is closed; left with the call */
	const struct workspace_closed *closed; /* what is known of it */
	bool                           audit_reserved; /* room for it */
	bool                           audit_ended;    /* it was added */
	struct audit_intent            intent;         /* zeroed: none */
	struct call_reply              reply;          /* while it waits for its record */
	bool                           suspended;
	bool                           counted;
	_Atomic int                   *waits; /* among how many on workers of their own; NULL: none */
	struct json_parser            *parser;
	call_step_fn                  *step;
	call_run_fn                   *run;
	bool                           short_step; /* behind the read at hand: on the loop */
	struct worker_job              job;
	struct engine_read             read;
	call_step_fn *read_failed; /* instead of answering the error of a read; NULL: that */
	struct error *read_error;
};

/* What the router calls for every route: `user` is a struct api_binding (context.h). */
void call_dispatch(struct http_request *request, void *user);

/* The same for a path that begins with the name of a workspace (WORKSPACE_PREFIX). */
void call_dispatch_named(struct http_request *request, void *user);

/* What both come to. `suspended`: the request is taken off its handler already. */
void call_take(struct api *api, const struct api_route *route, struct http_request *request,
               bool suspended);

/* Whether `credential`, which is not known here so far, is one of another workspace: then that has
 * the request, and the call is gone. In the handler, before anything was done. */
bool call_move(struct api_call *call, struct text credential);

/* Of a call for a closed workspace (workspace/closed.h): has it opened, which gets the request, or
 * answers 429. The call is gone. */
void call_open(struct api_call *call);

/* Who asks was let in: this is use of the workspace, and keeps it open. By whoever has the call. */
void call_note_use(struct api_call *call);

/* ---- What was asked ---- */

/* The body, which must be JSON. It lives as long as the call. */
MUST_USE enum status call_json(struct api_call *call, struct json *ret_root, struct error *err);

/* The body, which must be a JSON object. It lives as long as the call. */
MUST_USE enum status call_body(struct api_call *call, struct json *ret_object, struct error *err);

/* STATUS_INVALID, with the field, when `object` has a member that is not among `known` (ended by
 * NULL; 64 at most), or that is there twice: who reads it after us might take the other one. */
MUST_USE enum status call_only(struct json object, const char *const *known, struct error *err);

/* The member `name` as a string of min to max bytes; absent or null: data NULL when `min` is 0 or
 * `optional`. */
MUST_USE enum status call_string(struct json object, const char *name, bool optional, size_t min,
                                 size_t max, struct text *ret_text, struct error *err);

MUST_USE enum status call_limit(struct api_call *call, size_t *ret_limit, struct error *err);

/* A whole number in the query; `fallback` when absent. */
MUST_USE enum status call_query_number(struct api_call *call, const char *name, uint64_t max,
                                       uint64_t fallback, uint64_t *ret_number, struct error *err);

/* An RFC 3339 instant in the query; `fallback_ms` when absent. */
MUST_USE enum status call_query_instant(struct api_call *call, const char *name,
                                        int64_t fallback_ms, int64_t *ret_ms, struct error *err);

/* true or false in the query; false when absent. */
MUST_USE enum status call_query_flag(struct api_call *call, const char *name, bool *ret_flag,
                                     struct error *err);

/* If-Match: "3", or * for any; 0: any. */
MUST_USE enum status call_if_match(struct api_call *call, uint32_t *ret_version, struct error *err);

/* The content of ?cursor=, empty when there is none. */
MUST_USE enum status call_cursor(struct api_call *call, enum cursor_kind kind,
                                 struct byte_reader *ret_content, struct error *err);

/* ---- On the way ---- */

/* Takes the request off its loop: it is answered from elsewhere. On the loop, once. */
void call_suspend(struct api_call *call);
bool call_is_suspended(const struct api_call *call);

/* Goes on with `step` on a worker. */
void call_on_worker(struct api_call *call, call_step_fn *step);

/* The same on workers for what may wait for seconds: until another workspace is open. */
void call_on_waiting_worker(struct api_call *call, call_step_fn *step);

/* The same on the one worker for what compares or hashes passwords, so that it holds up nothing
 * else; 429 when API_PASSWORDS_MAX wait. */
void call_on_password_worker(struct api_call *call, call_step_fn *step);

/* The same on workers for what asks a provider of single sign-on, which may take its time; 429 when
 * API_SSO_MAX wait. */
void call_on_sso_worker(struct api_call *call, call_step_fn *step);

/* Reads the engine: `run` on the partition's thread (or on every one's), then `step` on a worker;
 * an error is answered here. X-Sonnim-Min-Position is waited for. */
void call_read_person(struct api_call *call, uint32_t partition, call_run_fn *run,
                      call_step_fn *step);
void call_read_all(struct api_call *call, call_run_fn *run, call_step_fn *step);

/* The same as call_read_person() for what is answered in microseconds: `step` is on the loop, which
 * spares the waking of a worker. */
void call_look_up(struct api_call *call, uint32_t partition, call_run_fn *run, call_step_fn *step);

/* The instant of the answer of the read that was done. */
int64_t call_as_of_ms(const struct api_call *call);

/* ---- Answers; each ends the call ---- */

/* `body` is moved. */
void call_answer(struct api_call *call, unsigned http_status, struct buffer *body);
void call_answer_empty(struct api_call *call, unsigned http_status);

/* 200 with what `write` adds to an empty buffer, or its error. */
typedef enum status call_write_fn(struct api_call *call, struct buffer *out, struct error *err);
void                call_answer_written(struct api_call *call, call_write_fn *write);

/* 200 with the file that `open` gives, for a browser to store rather than to show; or its error. */
struct call_file {
	int         fd;
	uint64_t    bytes;
	struct text name; /* by which it is stored, without quotes; empty: the last part of the path */
};
typedef enum status call_open_fn(struct api_call *call, struct call_file *ret_file,
                                 struct error *err);
void call_answer_file(struct api_call *call, call_open_fn *open, const char *content_type);

void call_answer_static(struct api_call *call, const char *content_type, struct text body);
void call_fail(struct api_call *call, const struct error *err);
void call_fail_code(struct api_call *call, const struct error *err, const char *code);

/* What addresses of this server begin with for others: public-url, else where it listens. */
struct text call_public_url(struct api_call *call);

/* Adds Retry-After, when there is something to wait for. */
void call_add_retry_after(struct api_call *call, int64_t wait_ms);

/* Adds X-Sonnim-Position: `position`, or, for 0, that of the journal now. */
void call_add_position(struct api_call *call, uint64_t position);

/* Adds the ETag of a definition's version. */
void call_add_version(struct api_call *call, uint32_t version);

/* Ends the call without an answer of its own (a WebSocket was accepted). */
void call_end(struct api_call *call);

/* ---- Lists ---- */

/* {"items":[ … ],"next":…,"total":…,"as_of":…}: begin, write the items, end. `next` empty: null;
 * the content of a cursor otherwise. `total` −1: null. */
struct json_writer call_begin_list(struct buffer *out);
void call_end_list(struct json_writer *writer, enum cursor_kind kind, struct text next,
                   int64_t total, int64_t as_of_ms);

/* {"userId": …} or {"anonymousId": …}: the member only. `Nobody` (erased): "userId": null. In two
 * parts where one person stands in many rows: finding the id decrypts it. */
void call_write_person(struct api_call *call, struct json_writer *writer, struct person person);
struct vault_id call_person_id(struct api_call *call,
                               struct person    person); /* id.data NULL: nobody */
void            call_write_id(struct json_writer *writer, const struct vault_id *id);

#endif
