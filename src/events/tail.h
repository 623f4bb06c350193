#ifndef SONNIM_EVENTS_TAIL_H
#define SONNIM_EVENTS_TAIL_H

/* The newest events of a partition, in memory, until they lie in parts.
 *
 *   slot ──► newest entry ──► entry before ──► …       (in order of acceptance)
 *            ┌──────────────────────────────┐
 *   chunk    │ entry │ entry │ entry │ …    │          append-only, one partition's persons mixed,
 *            └──────────────────────────────┘          in order of the journal
 *
 * What lies here is the encoded record, so readers decode lazily. A tail is filled, then sealed:
 * from then on nothing in it changes, any thread may read it, and it is freed as a whole.
 *
 * Owner: events.c; the writer reads sealed ones. */

#include <stdbool.h>
#include <stdint.h>

#include "events/events.h"
#include "events/part_write.h"

struct tail;

/* A tail that will hold about `bytes`. */
struct tail *tail_new(uint32_t partition, struct events_budget *budget, size_t bytes);
void         tail_free(struct tail *tail);

/* Keeps a copy of `encoded`. `message_hash` is not 0 if and only if the record has a message id. */
void tail_add(struct tail *tail, uint32_t slot, const struct event *event, struct text encoded,
              uint64_t message_hash);

bool tail_seen(const struct tail *tail, uint64_t message_hash, struct text message_id,
               uint32_t slot, uint64_t before_position, int64_t now_ms, int64_t retention_ms);
void tail_prefetch(const struct tail *tail, uint32_t slot, uint64_t message_hash);

/* Adds what is wanted, in no particular order. */
void tail_read(const struct tail *tail, uint32_t slot, const struct events_query *query,
               event_list *list);

/* The directory, for those who look for events of many persons: a list for each name of events, a
 * row an event, in order of the journal. Gone on with when it is asked for (by the partition's
 * thread): nobody else pays for it. Cost: a decoding of each event since; 48 bytes each, of the
 * budget. */
struct tail_row {
	uint32_t    slot;
	int64_t     time_ms;
	const void *entry; /* private, like these: */
	const char *properties;
	const char *context;
	uint32_t    properties_bytes;
	uint32_t    context_bytes;
};

static inline struct text tail_row_properties(const struct tail_row *row)
{
	return (struct text){row->properties, row->properties_bytes};
}

static inline struct text tail_row_context(const struct tail_row *row)
{
	return (struct text){row->context, row->context_bytes};
}

/* Takes in what has come since; how many names there are then. */
uint32_t tail_list(struct tail *tail);

/* The number of a name in the directory, from 0; below tail_list(), or UINT32_MAX: no event has
 * it. */
uint32_t tail_name(const struct tail *tail, struct text name);

/* The events of a name. Valid until the next tail_list(). */
const struct tail_row *tail_named(const struct tail *tail, uint32_t name, size_t *ret_count);

/* No event was stored behind it. */
uint64_t tail_position_max(const struct tail *tail);

/* Which tail it is: no other one of the process has it. */
uint64_t tail_number(const struct tail *tail);

void tail_prefetch_row(const struct tail_row *row);
/* Whether time, positions and age are what is wanted. */
bool tail_row_wanted(const struct tail_row *row, const struct events_query *query);
/* What event_compare() looks at. */
struct event tail_row_order(const struct tail *tail, const struct tail_row *row);

uint64_t tail_event_count(const struct tail *tail);
size_t   tail_bytes(const struct tail *tail); /* in use */

typedef VECTOR(struct part_row) part_row_list;

/* Adds all calls that end after `after_ms`; they point into the tail. False: some did not. */
bool tail_rows(const struct tail *tail, int64_t after_ms, int64_t retention_ms,
               part_row_list *rows);

#endif
