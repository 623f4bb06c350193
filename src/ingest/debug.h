#ifndef SONNIM_INGEST_DEBUG_H
#define SONNIM_INGEST_DEBUG_H

/* The newest events of a source with what became of each, for people who look on while they build:
 * a ring in memory, gone with the process.
 *
 * It costs next to nothing when nobody looks: then one request of a source is noted each
 * DEBUG_IDLE_MS, so that the first look finds something. While somebody does, and DEBUG_WATCH_MS
 * longer, the last DEBUG_REQUEST_EVENTS_MAX events of every request are. Events larger than
 * DEBUG_EVENT_BYTES_MAX, and all once the rings hold DEBUG_BYTES_MAX, are noted without what they
 * say. Threads: any. */

#include <stdbool.h>

#include "base/arena.h"
#include "base/vector.h"
#include "ingest/ingest.h"

enum {
	DEBUG_EVENTS_MAX         = 100, /* of a source */
	DEBUG_REQUEST_EVENTS_MAX = 20,
	DEBUG_EVENT_BYTES_MAX    = 8 << 10,
	DEBUG_IDLE_MS            = 1000,
	DEBUG_WATCH_MS           = 30000,
	DEBUG_BYTES_MAX          = 32 << 20, /* of all sources */
};

enum debug_verdict {
	DEBUG_ACCEPTED, /* durable; the engine may find yet that it was there before */
	DEBUG_REJECTED, /* this event */
	DEBUG_REFUSED,  /* the whole request */
};

struct debug_event {
	uint64_t           number; /* counts those noted of the source, from 1 */
	int64_t            at_ms;  /* log time */
	enum debug_verdict verdict;
	const char        *code; /* why it was not accepted; static; NULL: it was */
	enum ingest_kind   kind;
	uint32_t           index; /* in its request */
	uint64_t           bytes;
	struct text        event;      /* as it came; data NULL: left out */
	struct text        violations; /* of the tracking plan: JSON array; data NULL: none */
};
typedef VECTOR(struct debug_event) debug_list;

struct debug; /* of one source */

struct debug *debug_new(_Atomic uint64_t *all_bytes); /* `all_bytes`: what all rings hold */
void          debug_free(struct debug *debug);        /* NULL is fine */

/* Whether the request at hand is one to note. */
bool debug_due(struct debug *debug);

/* Notes what `list` holds, numbers it, and empties the list; the texts (malloc) are taken over. */
void debug_add(struct debug *debug, debug_list *list);
void debug_drop(debug_list *list);

/* Forgets the events; their numbers go on. */
void debug_clear(struct debug *debug);

/* The newest up to `max` behind number `after`, oldest first, copied to the arena; whoever reads
 * counts as looking on. */
void debug_read(struct debug *debug, uint64_t after, size_t max, struct arena *arena,
                struct debug_event **ret_events, size_t *ret_count);

#endif
