#ifndef SONNIM_EVENTS_EVENTS_H
#define SONNIM_EVENTS_EVENTS_H

/* The event store of one partition: the one place where events live. Windows beyond their rings,
 * late arrivals, backfills, dedupe and analytics read it.
 *
 *   slot ──► newest entry ──► entry before ──► …       (in order of acceptance)
 *            ┌──────────────────────────────┐
 *   chunk    │ entry │ entry │ entry │ …    │          2 MiB, append-only, one partition's persons
 *            └──────────────────────────────┘          mixed, in order of the journal
 *
 * Everything is a function of the journal: the tail is rebuilt from it at start. What lies here is
 * the encoded record, so readers decode lazily. Calls without an event (identify, group, alias) are
 * kept too when they bear a message id, for dedupe; leaves never see them.
 *
 * Memory is counted in an `events_budget` that all partitions share: when it is used up, ingest
 * refuses (503). The store itself refuses nothing: what the journal holds must be applied.
 *
 * Retention (contracts, rule 21): an event exists at instants < floor_day(time) + retention.
 * Readers pass the instant; expired events are not handed out.
 *
 * Thread: the partition's one writer thread, for everything. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "base/vector.h"
#include "model/record.h"

struct events;

struct events_budget {
	_Atomic uint64_t used_bytes;
	uint64_t         limit_bytes;
};

/* One stored call. Texts point into the store and live as long as it does.
 *
 * (partition, position) of acceptance says which one it is, and takes part in rule 13. A merge
 * gives a person calls that were accepted elsewhere, for another one: then `stored_position` is
 * that of the record that brought them, and `record.slot` still the slot, in `partition`, of the
 * person under whose key they are sealed. */
struct event {
	int64_t       time_ms;         /* rule 12 */
	int64_t       received_ms;     /* the log time of acceptance */
	uint64_t      position;        /* of acceptance */
	uint64_t      stored_position; /* from here on it is this person's; mostly `position` */
	uint32_t      partition;       /* of acceptance */
	bool          marked;          /* its own time lay too far ahead and became `received_ms` */
	struct record record;
};

typedef VECTOR(struct event) event_list;

/* Which of two calls was accepted first: rule 13's last three. */
static inline int event_compare_acceptance(const struct event *a, const struct event *b)
{
	if (a->received_ms != b->received_ms)
		return a->received_ms < b->received_ms ? -1 : 1;
	if (a->partition != b->partition)
		return a->partition < b->partition ? -1 : 1;
	return (a->position > b->position) - (a->position < b->position);
}

struct events *events_new(uint32_t partition, struct events_budget *budget);
void           events_free(struct events *events);

/* Keeps a copy of `encoded`, the record that `event->record` was decoded from, as this person's.
 * Stored positions must not fall. */
void events_add(struct events *events, uint32_t slot, struct text encoded,
                const struct event *event);

/* Whether a call of this person with this message id (not empty) was stored at a position before
 * `before_position` and still exists at `now_ms`. Exact: a 64-bit hash finds candidates, the stored
 * ids decide. The store may hold calls behind the one at hand: a restart applies again what was
 * stored already. */
bool events_seen(const struct events *events, uint32_t slot, struct text message_id,
                 uint64_t before_position, int64_t now_ms, int64_t retention_ms);

/* Asks the processor for what events_seen() and events_add() of this call will touch. */
void events_prefetch(const struct events *events, uint32_t slot, struct text message_id);

/* A person's events (track, page, screen) in the order of rule 13, added to `*list` (not cleared).
 * Only those named `name` unless it is empty, with from_ms <= time < to_ms, stored at or before
 * `through_position`, that exist at `now_ms`; with `calls` also what is no event and was kept for
 * its message id. */
struct events_query {
	struct text name;
	bool        calls;
	int64_t     from_ms;
	int64_t     to_ms;
	uint64_t    through_position;
	int64_t     now_ms;
	int64_t     retention_ms;
};
void events_read(const struct events *events, uint32_t slot, const struct events_query *query,
                 event_list *list);

/* The instant at which an event of this time ceases to exist. */
int64_t events_end_ms(int64_t time_ms, int64_t retention_ms);

uint64_t events_count(const struct events *events);

/* What was stored at or before this position survives a restart, and need not be added again. */
uint64_t events_through(const struct events *events);

#endif
