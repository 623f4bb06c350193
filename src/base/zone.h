#ifndef SONNIM_BASE_ZONE_H
#define SONNIM_BASE_ZONE_H

/* Time zones: what the clock on the wall says, and which instant that is.
 *
 * A zone is "UTC", an offset ("+09:00", "-0330"), or a name of the IANA database ("Asia/Seoul"),
 * read from the system's files (TZif, RFC 8536, with the rule of its footer for the years behind
 * its last transition). Unlike the C library's functions these know no global zone.
 *
 * "Local" is the time on the wall counted as if it were UTC. A zone never changes once open: any
 * number of threads may use it. Cost: a binary search. */

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

struct zone;

enum { ZONE_NAME_BYTES_MAX = 64 };

/* STATUS_INVALID: there is no such zone. STATUS_CORRUPT: its file cannot be read. */
MUST_USE enum status zone_open(struct text name, struct zone **ret_zone, struct error *err);
void                 zone_close(struct zone *zone); /* NULL is fine */

/* What is added to UTC there at this instant. */
int64_t zone_offset_ms(const struct zone *zone, int64_t utc_ms);

/* The instant at which clocks there show this time. A time that they show twice is the earlier
 * instant; one that they skip is read by the offset before: 02:30 becomes 03:30. */
int64_t zone_instant_ms(const struct zone *zone, int64_t local_ms);

#endif
