#ifndef SONNIM_API_AUDIENCES_H
#define SONNIM_API_AUDIENCES_H

/* Audiences: who is in one now, or was at an instant (docs/audiences.md). An id leads to one that
 * was saved (store/store.h), or to one that was calculated within the last hour (unsaved.h). */

#include <pthread.h>

#include "api/audience/calculation.h"
#include "api/audience/question.h"
#include "api/audience/unsaved.h"

enum { AUDIENCES_MAX = 10000 }; /* saved ones */

struct audience_live;
struct kept_columns;

/* What all of it shares. */
struct audiences {
	struct api           *api;
	struct calculations  *calculations;
	struct unsaved       *unsaved;
	pthread_mutex_t       saving; /* one change of saved audiences at a time */
	struct kept_columns  *kept;
	struct audience_live *live;
};

/* When the api opens; the engine and the definitions run. */
struct audiences *audiences_new(struct api *api);
/* Gives up what is under way, and waits for it. */
void audiences_stop(struct audiences *audiences);
void audiences_free(struct audiences *audiences); /* NULL is fine */

/* What an id leads to. */
enum audience_kind { AUDIENCE_UNSAVED, AUDIENCE_LIVE, AUDIENCE_SNAPSHOT };
struct audience {
	enum audience_kind    kind;
	char                  id[UUID_TEXT_BYTES];
	struct text           written;   /* the definition as its author wrote it */
	struct text           canonical; /* of today's segments; empty of a snapshot */
	bool                  derived;
	int64_t               as_of_ms; /* UNSAVED: as asked, INSTANT_MS_NONE: now; SNAPSHOT: of its
	                                 * members; LIVE: INSTANT_MS_NONE */
	struct store_audience saved;    /* LIVE, SNAPSHOT */
};

/* STATUS_NOT_FOUND: there is none, or it is over; STATUS_CONFLICT, STATUS_INVALID: what it refers
 * to is not there any more. Asks the store: on workers. */
MUST_USE enum status audiences_find(struct audiences *audiences, struct text id,
                                    struct arena *arena, struct audience *ret_audience,
                                    struct error *err);

/* STATUS_CONFLICT: the segment belongs to a saved audience, which is to be changed instead. */
MUST_USE enum status audiences_check_segment(struct audiences *audiences, const char *segment_id,
                                             struct error *err);

void audiences_write_metrics(struct audiences *audiences, struct buffer *out);

#endif
