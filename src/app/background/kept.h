#ifndef SONNIM_APP_KEPT_H
#define SONNIM_APP_KEPT_H

/* What is kept for a time, as `GET /api/v1/retention` shows it: events and files of the journal,
 * which others drop by themselves, dead letters, and the change stream with its histories. */

#include "engine/engine.h"
#include "job/retention.h"
#include "journal/journal.h"
#include "store/store.h"

struct kept {
	struct engine  *engine;
	struct journal *journal;
	struct store   *store;
};

/* How long each is kept; NULL: for ever. */
struct kept_times {
	const int64_t *events_ms;
	const int64_t *journal_ms;
	const int64_t *letters_ms;
	const int64_t *changes_ms;
};

/* `kept` and the times outlive the retention. */
void kept_register(struct retention *retention, struct kept *kept, const struct kept_times *times);

#endif
