#include "api/access/guards.h"

#include <assert.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/woken.h"
#include "base/clock.h"
#include "base/vector.h"

struct guard {
	struct guards           *guards;
	struct websocket_options options; /* the caller's */
	struct websocket        *socket;  /* NULL: not open */
	struct token             token;   /* as it was when it was opened */
	enum scope               scope;
	bool                     due;  /* to be looked at */
	bool                     over; /* its token has expired: it is being closed */
	struct guard            *before, *after;
};

struct guards {
	struct tokens *tokens;
	struct woken   woken; /* its lock is over what follows */
	struct guard  *first;
	bool           due;         /* some are */
	bool           changed;     /* all are */
	int64_t        all_next_ms; /* monotonic: all are, in any case */
	void (*on_change)(void *context);
	void *on_change_context;
	bool  stopped;
};

/* ---- Callbacks; on the socket's loop ---- */

static void on_open(struct websocket *socket, void *user)
{
	struct guard  *guard  = user;
	struct guards *guards = guard->guards;
	guard->socket         = websocket_ref(socket);
	pthread_mutex_lock(&guards->woken.lock);
	guard->after = guards->first;
	if (guards->first != NULL)
		guards->first->before = guard;
	guards->first = guard;
	guard->due = guards->due = true; /* much may have changed since it was asked who he is */
	pthread_cond_signal(&guards->woken.wake);
	pthread_mutex_unlock(&guards->woken.lock);
	if (guard->options.on_open != NULL)
		guard->options.on_open(socket, guard->options.user);
}

static void on_message(struct websocket *socket, struct text message, bool binary, void *user)
{
	struct guard *guard = user;
	guard->options.on_message(socket, message, binary, guard->options.user);
}

static void on_close(struct websocket *socket, unsigned code, void *user)
{
	struct guard  *guard  = user;
	struct guards *guards = guard->guards;
	pthread_mutex_lock(&guards->woken.lock);
	if (guard->socket != NULL) {
		if (guard->before != NULL)
			guard->before->after = guard->after;
		else
			guards->first = guard->after;
		if (guard->after != NULL)
			guard->after->before = guard->before;
	}
	pthread_mutex_unlock(&guards->woken.lock);
	guard->options.on_close(socket, code, guard->options.user);
	websocket_unref(guard->socket);
	free(guard);
}

bool guards_accept(struct guards *guards, struct http_request *request,
                   const struct websocket_options *options, const struct token *token,
                   enum scope scope)
{
	struct guard *guard = calloc(1, sizeof *guard);
	assert(guard != NULL);
	*guard = (struct guard){.guards = guards, .options = *options, .token = *token, .scope = scope};
	struct websocket_options ours = *options;
	ours.on_open                  = on_open;
	ours.on_close                 = on_close;
	ours.on_message               = options->on_message == NULL ? NULL : on_message;
	ours.user                     = guard;
	bool accepted                 = websocket_accept(request, &ours);
	if (!accepted)
		free(guard);
	return accepted;
}

static bool is_same(const struct token *a, const struct token *b)
{
	return a->person_id[0] != '\0' || b->person_id[0] != '\0'
	           ? strcmp(a->person_id, b->person_id) == 0
	           : strcmp(a->id, b->id) == 0;
}

size_t guards_count(struct guards *guards, const struct token *token)
{
	size_t count = 0;
	pthread_mutex_lock(&guards->woken.lock);
	for (const struct guard *guard = guards->first; guard != NULL; guard = guard->after)
		count += is_same(&guard->token, token);
	pthread_mutex_unlock(&guards->woken.lock);
	return count;
}

/* ---- Its thread ---- */

struct look {
	struct websocket *socket; /* a reference */
	struct token      token;
	enum scope        scope;
};

/* NULL: it stays open. When the store cannot be asked it does. */
static const char *why_to_close(struct guards *guards, const struct look *look)
{
	struct token now = look->token;
	struct error err;
	enum status  status = tokens_recheck(guards->tokens, &now, &err);
	if (status == STATUS_OK)
		status = token_check(&now, look->scope, clock_wall_ms(), &err);
	if (status == STATUS_UNAUTHORIZED)
		return "the token is over";
	if (status == STATUS_FORBIDDEN)
		return "a permission was taken away";
	if (status == STATUS_OK && (look->token.scopes & ~now.scopes) != 0 &&
	    !scope_allows(now.scopes, SCOPE_ADMIN))
		return "a permission was taken away";
	return NULL;
}

static int64_t wait_ms(const struct guards *guards)
{
	int64_t now_ms = clock_wall_ms(), wait = guards->all_next_ms - clock_monotonic_ms();
	for (const struct guard *guard = guards->first; guard != NULL; guard = guard->after)
		if (!guard->over && guard->token.expires_ms - now_ms < wait)
			wait = guard->token.expires_ms - now_ms;
	return wait > 0 ? wait : 0;
}

/* Under the lock, which is let go meanwhile. */
static void look_at_due(struct guards *guards)
{
	VECTOR(struct look) looks = {0};
	int64_t now_ms = clock_wall_ms(), monotonic_ms = clock_monotonic_ms();
	bool    all = guards->changed || monotonic_ms >= guards->all_next_ms;
	if (all)
		guards->all_next_ms = monotonic_ms + GUARDS_INTERVAL_MS;
	guards->changed = guards->due = false;
	for (struct guard *guard = guards->first; guard != NULL; guard = guard->after) {
		bool ends = !guard->over && guard->token.expires_ms <= now_ms;
		if (all || guard->due || ends)
			VECTOR_ADD(&looks,
			           (struct look){websocket_ref(guard->socket), guard->token, guard->scope});
		guard->due = false;
		guard->over |= ends;
	}
	pthread_mutex_unlock(&guards->woken.lock);
	for (size_t i = 0; i < looks.count; i++) {
		const char *reason = why_to_close(guards, &looks.items[i]);
		if (reason != NULL)
			websocket_close(looks.items[i].socket, WEBSOCKET_POLICY, reason);
		websocket_unref(looks.items[i].socket);
	}
	VECTOR_DONE(&looks);
	pthread_mutex_lock(&guards->woken.lock);
}

static void *work(void *owner)
{
	enum { PAUSE_MS = 20 }; /* many changes are one look */
	struct guards *guards = owner;
	pthread_mutex_lock(&guards->woken.lock);
	while (!guards->woken.stopping) {
		bool wanted = guards->changed || guards->due;
		woken_wait(&guards->woken, wanted                  ? PAUSE_MS
		                           : guards->first == NULL ? -1
		                                                   : wait_ms(guards));
		if (!guards->woken.stopping)
			look_at_due(guards);
	}
	pthread_mutex_unlock(&guards->woken.lock);
	return NULL;
}

void guards_changed(struct guards *guards)
{
	tokens_forget(guards->tokens);
	pthread_mutex_lock(&guards->woken.lock);
	guards->changed = true;
	pthread_cond_signal(&guards->woken.wake);
	pthread_mutex_unlock(&guards->woken.lock);
	if (guards->on_change != NULL)
		guards->on_change(guards->on_change_context);
}

void guards_on_change(struct guards *guards, void (*changed)(void *context), void *context)
{
	guards->on_change         = changed;
	guards->on_change_context = context;
}

void guards_close_all(struct guards *guards, enum websocket_code code, const char *reason)
{
	pthread_mutex_lock(&guards->woken.lock);
	for (struct guard *guard = guards->first; guard != NULL; guard = guard->after)
		websocket_close(guard->socket, code, reason);
	pthread_mutex_unlock(&guards->woken.lock);
}

void guards_answer(struct api_call *call, enum status status, const struct error *err)
{
	if (status != STATUS_OK) {
		call_fail(call, err);
		return;
	}
	guards_changed(call->api->guards);
	call_answer_empty(call, 204);
}

/* ---- Life ---- */

struct guards *guards_new(struct tokens *tokens)
{
	struct guards *guards = calloc(1, sizeof *guards);
	assert(guards != NULL);
	guards->tokens = tokens;
	woken_start(&guards->woken, work, guards);
	return guards;
}

void guards_stop(struct guards *guards)
{
	if (guards == NULL || guards->stopped)
		return;
	woken_stop(&guards->woken);
	guards->stopped = true;
}

void guards_free(struct guards *guards)
{
	if (guards == NULL)
		return;
	guards_stop(guards);
	woken_done(&guards->woken);
	free(guards);
}
