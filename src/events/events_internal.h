#ifndef SONNIM_EVENTS_EVENTS_INTERNAL_H
#define SONNIM_EVENTS_EVENTS_INTERNAL_H

/* Where the events of a partition lie now: for those who read them otherwise than person by person
 * (events_scan.c). Valid until the store is polled; the set beyond with a reference. */

#include "events/events.h"
#include "events/part_set.h"
#include "events/tail.h"

struct events_sources {
	struct part_set *set;      /* NULL: in memory only */
	struct tail     *tails[2]; /* NULL: there is none */
};

struct events_sources events_sources(const struct events *events);

#endif
