#ifndef SONNIM_DESTINATION_MARKETING_PLATFORM_H
#define SONNIM_DESTINATION_MARKETING_PLATFORM_H

/* Tells a marketing platform of a segment whose users it finds in a file:
 *
 *   POST {url}/segments/import {"segmentName","users","source","exportId"}
 *   ◄── {"segmentId": …}, "segment_id", "marketing_segment_id" or "id"
 *
 * `Idempotency-Key` is the export's id: told twice, it is one import. Errors as those of s3.h. */

#include "destination/destination.h"
#include "http/client.h"

enum { MARKETING_SEGMENT_BYTES = 256 }; /* with its NUL */

struct marketing_import {
	struct text segment_name;
	uint64_t    users;
	struct text source; /* where the file is */
	const char *export_id;
};

/* `ret_segment`: the id that the platform gave. STATUS_INVALID too when it gave none. */
MUST_USE enum status marketing_platform_import(struct http_client            *client,
                                               const struct destination      *destination,
                                               const struct marketing_import *import,
                                               char          ret_segment[MARKETING_SEGMENT_BYTES],
                                               struct error *err);

#endif
