#ifndef SONNIM_ENGINE_MERGE_RECORD_H
#define SONNIM_ENGINE_MERGE_RECORD_H

/* Bodies of MERGE_IN (docs/formats/record.md).
 *
 *   MERGE_IN (to the user) = u32 slot of the visitor, u8 last, items
 *   item = u8 1, sized list of traits, sized sealed block (empty: none is personal)
 *        | u8 2, u8 marked, i64 time, i64 received, u64 position, sized record
 *
 * The visitor's partition is that of the record's origin, as is that in which his calls were
 * accepted. Parts of one merge differ by the origin's ordinal, from 0; the last one says so, and
 * with it all are applied. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "events/events.h"

enum merge_item_kind { MERGE_TRAITS = 1, MERGE_CALL = 2 };

struct merge_item {
	enum merge_item_kind kind;
	struct text          traits;
	struct text          sealed;
	struct event         event;   /* of MERGE_CALL; without partition and stored_position */
	struct text          encoded; /* its record */
};

void merge_item_encode(const struct merge_item *item, struct buffer *out);

/* The next item; STATUS_NOT_FOUND at the end. Texts point into what is read. */
MUST_USE enum status merge_item_decode(struct byte_reader *reader, struct merge_item *ret_item,
                                       struct error *err);

struct merge_part {
	uint32_t    slot; /* of the visitor */
	bool        last;
	struct text items;
};
MUST_USE enum status merge_part_decode(struct text body, struct merge_part *ret_part,
                                       struct error *err);
void                 merge_part_encode(const struct merge_part *part, struct buffer *out);

#endif
