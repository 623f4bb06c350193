#ifndef SONNIM_INGEST_EVENT_TYPES_H
#define SONNIM_INGEST_EVENT_TYPES_H

/* The event types of the platform's own events API that were registered beside the built-in ones
 * (model/rules.h). An event of a registered type is stored under the type's own name.
 *
 * Only grows. Threads: any; a look-up takes a shared lock for one probe of a hash map. */

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum { EVENT_TYPES_MAX = 1000, EVENT_TYPE_BYTES_MAX = 256 };

struct event_types;

struct event_types *event_types_new(void);
void                event_types_free(struct event_types *types);

/* The name is copied; once more changes nothing. */
void event_types_add(struct event_types *types, struct text name);

bool event_types_has(struct event_types *types, struct text name);

#endif
