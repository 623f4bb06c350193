#ifndef SONNIM_MODEL_MERGE_OUT_H
#define SONNIM_MODEL_MERGE_OUT_H

/* The body of a MERGE_OUT record, which goes to the visitor (docs/formats/record.md):
 *
 *   u32 partition, u32 slot of the user who gets his events and traits */

#include "base/buffer.h"
#include "base/error.h"
#include "model/person.h"

void merge_out_encode(struct person user, struct buffer *out);

/* STATUS_CORRUPT. */
MUST_USE enum status merge_out_decode(struct text body, struct person *ret_user, struct error *err);

#endif
