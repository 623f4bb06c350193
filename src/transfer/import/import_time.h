#ifndef SONNIM_TRANSFER_IMPORT_TIME_H
#define SONNIM_TRANSFER_IMPORT_TIME_H

/* Times as files write them. A format is text with
 *
 *   %Y %y      year of four digits, of two (69 to 99: 1900s)     %H %I %M %S   hour, of twelve,
 *   %m %d %e   month, day (one digit is enough)                               minute, second
 *   %b %B      month by its English name, short or long          %f            ".5", or nothing
 *   %p         am, pm, 오전, 오후                                %s            epoch seconds
 *   %z         Z, +09:00, +0900, +09                             %%            a percent sign
 *   %F %T      %Y-%m-%d, %H:%M:%S
 *
 * White space stands for any amount of it, all else for itself. What the format does not say is
 * 1970-01-01, 00:00. Without %z or %s the time is read in the zone (NULL: UTC). */

#include "base/zone.h"

/* STATUS_INVALID: the format has something else behind a percent sign, or no date. */
MUST_USE enum status import_time_check(struct text format, struct error *err);

/* False: the text is not of this format, or out of range. */
bool import_time_read(struct text text, struct text format, const struct zone *zone,
                      int64_t *ret_ms);

/* RFC 3339, or the same with a space in the place of the T, without seconds, or without offset. */
bool import_time_read_plain(struct text text, const struct zone *zone, int64_t *ret_ms);

#endif
