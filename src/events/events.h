#ifndef SONNIM_EVENTS_EVENTS_H
#define SONNIM_EVENTS_EVENTS_H

/* The event store of one partition: the one place where events live. Windows beyond their rings,
 * late arrivals, backfills, dedupe and analytics read it.
 *
 *   events_add ──► tail ──sealed──► writer ──► parts        tail: memory, mixed (tail.h)
 *                   │                 merge ◄───┘           parts: files by month, clustered by
 *   events_read ◄───┴───────────────────┘                          person (part.h, shelf.h)
 *
 * Everything is a function of the journal. Calls without an event (identify, group) are kept too
 * when they bear a message id, for dedupe; leaves never see them.
 *
 * When a tail is over its share of the memory it is sealed, and the writer's threads cut it into
 * parts while a new one is filled; events_poll() takes the finished parts over. Where they cannot
 * be written (a full disk) the tail grows until there is room again. Memory is counted in an
 * `events_budget` that all partitions share: when it is used up, ingest refuses (503). The store
 * itself refuses nothing: what the journal holds must be applied.
 *
 * Restart: what lies in parts is not taken into the tail again. Whatever stood in the store before
 * the restart, a reader that bounds its positions sees what it saw when it came there first.
 *
 * Retention (contracts, rule 21): an event exists at instants < floor_day(time) + retention.
 * Readers pass the instant; expired events are not handed out, and parts lose them in time.
 *
 * Thread: the partition's one writer thread, for everything of `struct events`. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "events/event.h"
#include "events/settings.h"

struct events;
struct events_store;

struct events_budget {
	_Atomic uint64_t used_bytes;
	uint64_t         limit_bytes;
};

/* ---- The store of all partitions ---- */

struct events_store_config {
	const char                   *directory; /* read while opening */
	uint32_t                      partition_count;
	int64_t                       retention_ms;
	struct events_budget         *budget;
	const struct events_settings *settings;     /* outlive the store */
	uint64_t                      position_end; /* the journal's: calls behind it are cut off */
};

/* Opens what lies in the directory, or makes it, and starts the writer. Errors name file and
 * reason: STATUS_CORRUPT, STATUS_IO, STATUS_NO_SPACE. */
MUST_USE enum status events_store_open(const struct events_store_config *config,
                                       struct events_store **ret_store, struct error *err);

/* Ends the writer: to be called before the events of partitions are freed. What is in their tails
 * is left to the journal. */
void events_store_stop(struct events_store *store);

/* After the events of all partitions were freed. */
void events_store_close(struct events_store *store);

/* For metrics; any thread. */
struct events_store_status {
	uint64_t parts;
	uint64_t bytes;
	uint64_t parts_to_rewrite; /* their columns were chosen by other settings */
	uint64_t parts_forgotten;  /* they still have rows of erased persons */
	uint64_t parts_damaged;
	uint64_t flushes;
	uint64_t merges;
	bool     failing; /* files cannot be written: events stay in memory, it is tried again */
};
void events_store_status(struct events_store *store, struct events_store_status *ret_status);

/* Reads every byte of a partition's parts. The store must not be open. STATUS_CORRUPT: file and
 * reason, of the first damage. STATUS_NOT_FOUND: there is no such partition. */
MUST_USE enum status events_store_verify(const char *directory, uint32_t partition,
                                         uint64_t *ret_parts, uint64_t *ret_events,
                                         struct error *err);

/* ---- One partition ---- */

struct events *events_open(struct events_store *store, uint32_t partition);
struct events *events_new(uint32_t partition, struct events_budget *budget); /* in memory only */
void           events_free(struct events *events);

/* Keeps a copy of `encoded`, the record that `event->record` was decoded from, as this person's.
 * Stored positions must not fall, and those of one position come without events_poll() in between.
 * What the parts have already is not kept again. */
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
 * its message id. Texts are valid until the list is cleared or the store polled. */
struct events_query {
	struct text name;
	bool        calls;
	int64_t     from_ms;
	int64_t     to_ms;
	uint64_t    through_position;
	int64_t     received_before_ms; /* only what was accepted before it; 0: whenever */
	int64_t     now_ms;
	int64_t     retention_ms;
};
void events_read(const struct events *events, uint32_t slot, const struct events_query *query,
                 event_list *list);

/* STATUS_CORRUPT, file and place: something of what lies in parts was found damaged, and what was
 * read or looked for since it was asked last may be wrong. To be asked before anything that follows
 * from reading leaves the partition. Any thread; cheap. */
MUST_USE enum status events_check(const struct events *events, struct error *err);

/* Nobody asks for this person's any more from here on: he was erased by the record at `position`
 * (0: long ago). What lies in parts goes when they are written anew: with merges, at the latest
 * after `erased_rewrite_ms`, but not before a restart could ask for it (events_poll:
 * `needed_after`). */
void events_forget(struct events *events, uint32_t slot, uint64_t position);

/* Between batches, when everything stamped at or before `now_ms`, through the position, is applied:
 * takes over what the writer has finished and seals the tail when it is time. Never waits.
 *
 * A restart asks about earlier instants: it applies what lies behind `needed_after` again, and the
 * parts keep what existed at the instants of those records. EVENTS_FROM_BEGIN: it applies the whole
 * journal, and with it adds again what the parts have lost. */
#define EVENTS_FROM_BEGIN UINT64_MAX
void events_poll(struct events *events, int64_t now_ms, uint64_t position, uint64_t needed_after);

/* Asks for everything at or before the position to be written into parts, and tells whether it is:
 * to be called again, with events_poll() in between, until it is. */
bool events_flush(struct events *events, uint64_t through_position);

uint64_t events_count(const struct events *events);

/* What was stored at or before this position survives a restart, and need not be added again. */
uint64_t events_through(const struct events *events);

#endif
