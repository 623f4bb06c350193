#ifndef SONNIM_EVENTS_EVENT_H
#define SONNIM_EVENTS_EVENT_H

/* One stored call as readers get it, and lists of them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/vector.h"
#include "model/record.h"

/* (partition, position) of acceptance says which one it is, and takes part in rule 13. A merge
 * gives a person calls that were accepted elsewhere, for another one: then `stored_position` is
 * that of the record that brought them, and `record.slot` still the slot, in `partition`, of the
 * person under whose key they are sealed.
 *
 * Texts live as long as the list that the event is in is neither cleared nor done, and until the
 * store is polled. */
struct event {
	int64_t       time_ms;         /* rule 12 */
	int64_t       received_ms;     /* the log time of acceptance */
	uint64_t      position;        /* of acceptance */
	uint64_t      stored_position; /* from here on it is this person's; mostly `position` */
	uint32_t      partition;       /* of acceptance */
	bool          marked;          /* its own time lay too far ahead and became `received_ms` */
	struct record record;
};

/* A growing array of events (as by VECTOR) with what their texts lie in, where that is not the
 * store itself. Zeroed memory is an empty one. */
typedef struct event_list {
	struct event *items;
	size_t        count;
	size_t        capacity;
	struct arena  arena;   /* private */
	struct buffer scratch; /* private */
} event_list;

void event_list_clear(event_list *list);
void event_list_done(event_list *list);

/* Which of two calls was accepted first: rule 13's last three. */
static inline int event_compare_acceptance(const struct event *a, const struct event *b)
{
	if (a->received_ms != b->received_ms)
		return a->received_ms < b->received_ms ? -1 : 1;
	if (a->partition != b->partition)
		return a->partition < b->partition ? -1 : 1;
	return (a->position > b->position) - (a->position < b->position);
}

/* Rule 13. */
int event_compare(const struct event *a, const struct event *b);

/* Brings the events from `begin` on into that order. */
void event_list_sort(event_list *list, size_t begin);

/* The instant at which an event of this time ceases to exist (rule 21). */
int64_t events_end_ms(int64_t time_ms, int64_t retention_ms);

/* The least time whose events exist at `now_ms`. */
int64_t events_first_ms(int64_t now_ms, int64_t retention_ms);

/* Months since January 1970, negative before it. */
int32_t event_month(int64_t time_ms);

/* The hash by which a call is found again: of its person and message id, under a store's key. */
uint64_t event_message_hash(uint64_t key, uint32_t slot, struct text message_id);

#endif
