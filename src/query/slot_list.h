#ifndef SONNIM_QUERY_SLOT_LIST_H
#define SONNIM_QUERY_SLOT_LIST_H

/* Slots of one partition, ascending, as they are kept outside of memory: each as a varint of its
 * distance from the one before, the first from −1 (store/store.h: struct store_audience_share). One
 * to two bytes a member of a large set. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/vector.h"

/* `*last` is UINT32_MAX before the first; `slot` is larger than the one before. */
void slot_list_add(struct buffer *out, uint32_t *last, uint32_t slot);

typedef VECTOR(uint32_t) slot_vector;

/* Appends all to `*slots`. False: the bytes make no sense. */
bool slot_list_read(struct text bytes, slot_vector *slots);

#endif
