#ifndef SONNIM_EVENTS_MANIFEST_H
#define SONNIM_EVENTS_MANIFEST_H

/* Which parts of a partition are live, and what they hold: one small file that is replaced as a
 * whole, so that after a crash it is the old set of parts or the new one (docs/formats/part.md).
 * Files that it does not name are remains of a crash. */

#include <stdint.h>

#include "base/error.h"
#include "base/vector.h"

struct manifest_part {
	uint64_t number;
	uint64_t checksum; /* of its header: no other file has its place */
};

struct manifest {
	uint32_t partition;
	uint64_t message_key;      /* of the hashes of message ids; random */
	uint64_t through_position; /* every call at or before it lies in the parts, but for … */
	int64_t  expired_ms;       /* … those that end at or before this instant, which may be gone */
	uint64_t next_number;      /* of a part */
	VECTOR(struct manifest_part) parts;
};

enum { MANIFEST_PARTS_MAX = 1 << 20 };

void manifest_done(struct manifest *manifest);

/* STATUS_NOT_FOUND: there is none. STATUS_CORRUPT: path and reason. */
MUST_USE enum status manifest_read(const char *path, struct manifest *ret_manifest,
                                   struct error *err);

/* Durable on return. After an error it is not known which of the two is there. */
MUST_USE enum status manifest_write(const char *path, const struct manifest *manifest,
                                    struct error *err);

#endif
