#ifndef SONNIM_API_UNSAVED_H
#define SONNIM_API_UNSAVED_H

/* Audiences that were calculated and not saved: for a time their ids lead back to what was asked.
 * Equal questions (canonical form and instant) have equal ids, over restarts too. Kept for
 * `audience-unsaved` after the last time that one was calculated; bounded by number and bytes, the
 * oldest go first. Threads: any. */

#include "api/audience/audience_settings.h"
#include "base/arena.h"
#include "base/hash.h"
#include "base/text.h"

enum { UNSAVED_BYTES_MAX = 64 << 20 };

struct unsaved;

struct unsaved *unsaved_new(const struct audience_settings *settings);
void            unsaved_free(struct unsaved *unsaved); /* NULL is fine */

struct unsaved_audience {
	char        id[UUID_TEXT_BYTES]; /* of unsaved_put(): out */
	struct text written;
	struct text canonical;
	bool        derived;
	int64_t     as_of_ms; /* INSTANT_MS_NONE: now, whenever it is asked */
};

/* Keeps it, or keeps it for longer; texts are copied. */
void unsaved_put(struct unsaved *unsaved, struct unsaved_audience *audience);

/* False: no such audience, or it is over. Copies into the arena. */
bool unsaved_get(struct unsaved *unsaved, struct text id, struct arena *arena,
                 struct unsaved_audience *ret_audience);

struct unsaved_status {
	uint64_t count;
	uint64_t bytes;
};
void unsaved_status(struct unsaved *unsaved, struct unsaved_status *ret_status);

#endif
