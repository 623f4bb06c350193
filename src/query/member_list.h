#ifndef SONNIM_QUERY_MEMBER_LIST_H
#define SONNIM_QUERY_MEMBER_LIST_H

/* Persons who were told apart earlier, as the set of a question: bitmaps of their slots, by
 * partition. Filled by one thread, then never changed; counted references, any thread. */

#include <stdbool.h>
#include <stdint.h>

#include <roaring/roaring.h>

#include "base/hash.h"

struct member_list;

struct member_list *member_list_new(uint32_t partition_count);
struct member_list *member_list_ref(struct member_list *list);
void                member_list_unref(struct member_list *list); /* NULL is fine */

/* The members in a partition, once for each that has some, as slot_list.h has them. False: the
 * bytes make no sense. */
bool member_list_put(struct member_list *list, uint32_t partition, struct text slots);

/* NULL: there are none. */
const roaring_bitmap_t *member_list_of(const struct member_list *list, uint32_t partition);

/* Equal for lists that were filled with the same. */
void member_list_hash(const struct member_list *list, uint8_t ret_hash[SHA256_BYTES]);

#endif
