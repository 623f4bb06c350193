#ifndef SONNIM_ENGINE_CHANGE_RECORD_H
#define SONNIM_ENGINE_CHANGE_RECORD_H

/* Bodies of the records through which definitions change (docs/formats/record.md):
 *
 *   PREPARE  = u64 change id, varint count, { u32 segment, u32 version, sized canonical form }
 *   ACTIVATE = u64 change id, varint count, { u32 segment to switch off }
 *   ABANDON  = the same
 *
 * PREPARE: build these versions beside the live ones. A segment leaf names the version of the same
 * change where it brings one, else the live one. ACTIVATE: in one step, what PREPARE of the same id
 * brought becomes live, and what is listed ceases to be; a change that only switches off has no
 * PREPARE. ABANDON: what PREPARE of the same id brought is dropped instead. Of ACTIVATE and ABANDON
 * of one id the first decides. Ids grow; one that was seen is dropped. */

#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

struct change_rule {
	uint32_t    segment;
	uint32_t    version;
	struct text canonical;
};

struct change_record {
	uint64_t            id;
	size_t              rule_count; /* of PREPARE */
	struct change_rule *rules;
	size_t              off_count; /* of ACTIVATE and ABANDON */
	uint32_t           *off;
};

void change_record_write_prepare(struct buffer *out, const struct change_record *record);
/* ABANDON has the body of ACTIVATE. */
void change_record_write_activate(struct buffer *out, const struct change_record *record);

/* STATUS_CORRUPT. Texts point into `body`, arrays lie in `arena`. */
MUST_USE enum status change_record_read_prepare(struct text body, struct arena *arena,
                                                struct change_record *ret_record,
                                                struct error         *err);
MUST_USE enum status change_record_read_activate(struct text body, struct arena *arena,
                                                 struct change_record *ret_record,
                                                 struct error         *err);

#endif
