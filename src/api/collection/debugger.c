#include "api/collection/debugger.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ingest/source.h"

struct debug_watcher {
	struct debugger      *debugger;
	struct source        *source;
	bool                  personal;
	struct websocket     *socket; /* a reference; NULL before it is open */
	uint64_t              told;   /* up to this number */
	bool                  began;
	bool                  listed;
	struct debug_watcher *before, *after;
};

struct debugger {
	struct journal       *journal;
	struct ingest        *ingest;
	pthread_mutex_t       lock;
	pthread_cond_t        wake;
	pthread_t             thread;
	bool                  stopping;
	struct debug_watcher *first;
	size_t                count;
	uint64_t              round;
};

/* ---- Watchers ---- */

struct debug_watcher *debug_watcher_new(struct debugger *debugger, struct source *source,
                                        bool personal)
{
	struct debug_watcher *watcher = calloc(1, sizeof *watcher);
	if (watcher == NULL)
		abort();
	watcher->debugger = debugger;
	watcher->source   = source;
	watcher->personal = personal;
	return watcher;
}

void debug_watcher_free(struct debug_watcher *watcher)
{
	websocket_unref(watcher->socket);
	free(watcher);
}

void debug_watcher_open(struct websocket *socket, void *user)
{
	struct debug_watcher *watcher  = user;
	struct debugger      *debugger = watcher->debugger;
	watcher->socket                = websocket_ref(socket);
	pthread_mutex_lock(&debugger->lock);
	bool admitted = debugger->count < DEBUGGER_WATCHERS_MAX && !debugger->stopping;
	if (admitted) {
		watcher->listed = true;
		watcher->after  = debugger->first;
		if (debugger->first != NULL)
			debugger->first->before = watcher;
		debugger->first = watcher;
		debugger->count++;
		pthread_cond_signal(&debugger->wake);
	}
	pthread_mutex_unlock(&debugger->lock);
	if (!admitted)
		websocket_close(socket, WEBSOCKET_TRY_LATER, "too many watchers");
}

void debug_watcher_close(struct websocket *socket, unsigned code, void *user)
{
	struct debug_watcher *watcher  = user;
	struct debugger      *debugger = watcher->debugger;
	(void)socket;
	(void)code;
	pthread_mutex_lock(&debugger->lock);
	if (watcher->listed) {
		if (watcher->before != NULL)
			watcher->before->after = watcher->after;
		else
			debugger->first = watcher->after;
		if (watcher->after != NULL)
			watcher->after->before = watcher->before;
		debugger->count--;
	}
	pthread_mutex_unlock(&debugger->lock);
	debug_watcher_free(watcher);
}

/* ---- Telling ---- */

/* Under the lock. Each message has a key of its own: the oldest of a full queue goes. */
static void tell(struct debugger *debugger, struct debug_watcher *watcher, struct arena *arena,
                 struct json_parser *parser, struct buffer *out)
{
	struct debug_event *events;
	size_t              count;
	debug_read(source_debug(watcher->source), watcher->told, DEBUG_EVENTS_MAX, arena, &events,
	           &count);
	if (count == 0 && watcher->began)
		return;
	buffer_clear(out);
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_add_key(&w, TEXT("events"));
	json_begin_array(&w);
	for (size_t i = 0; i < count; i++)
		debug_event_write(&w, parser, &events[i], watcher->personal,
		                  ingest_classes(debugger->ingest));
	json_end_array(&w);
	json_member_instant(&w, "as_of", debugger->journal->ops->log_time_ms(debugger->journal));
	json_end_object(&w);
	watcher->began = true;
	watcher->told  = count > 0 ? events[count - 1].number : watcher->told;
	websocket_send_state(watcher->socket, debugger->round, buffer_text(out));
}

static void *work(void *context)
{
	struct debugger    *debugger = context;
	struct json_parser *parser   = json_parser_new();
	struct buffer       out      = {0};
	struct arena        arena;
	arena_init(&arena);
	pthread_mutex_lock(&debugger->lock);
	while (!debugger->stopping) {
		debugger->round++;
		for (struct debug_watcher *at = debugger->first; at != NULL; at = at->after) {
			tell(debugger, at, &arena, parser, &out);
			arena_reset(&arena);
		}
		struct timespec until = clock_deadline(DEBUGGER_INTERVAL_MS);
		if (debugger->stopping)
			break;
		if (debugger->first == NULL)
			pthread_cond_wait(&debugger->wake, &debugger->lock);
		else
			pthread_cond_timedwait(&debugger->wake, &debugger->lock, &until);
	}
	pthread_mutex_unlock(&debugger->lock);
	arena_done(&arena);
	buffer_done(&out);
	json_parser_free(parser);
	return NULL;
}

/* ---- Life ---- */

struct debugger *debugger_new(struct journal *journal, struct ingest *ingest)
{
	struct debugger   *debugger = calloc(1, sizeof *debugger);
	pthread_condattr_t monotonic;
	if (debugger == NULL)
		abort();
	debugger->journal = journal;
	debugger->ingest  = ingest;
	pthread_mutex_init(&debugger->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&debugger->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&debugger->thread, NULL, work, debugger) != 0)
		abort();
	return debugger;
}

void debugger_stop(struct debugger *debugger)
{
	pthread_mutex_lock(&debugger->lock);
	debugger->stopping = true;
	pthread_cond_signal(&debugger->wake);
	pthread_mutex_unlock(&debugger->lock);
	pthread_join(debugger->thread, NULL);
}

void debugger_free(struct debugger *debugger)
{
	if (debugger == NULL)
		return;
	pthread_cond_destroy(&debugger->wake);
	pthread_mutex_destroy(&debugger->lock);
	free(debugger);
}
