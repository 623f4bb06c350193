#include "query/member_list.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "query/slot_list.h"

struct member_list {
	_Atomic unsigned   refs;
	uint32_t           partition_count;
	uint8_t            hash[SHA256_BYTES]; /* of all that was put so far */
	roaring_bitmap_t **members;
};

struct member_list *member_list_new(uint32_t partition_count)
{
	struct member_list *list = calloc(1, sizeof *list);
	if (list == NULL)
		abort();
	list->refs            = 1;
	list->partition_count = partition_count;
	list->members         = calloc(partition_count, sizeof(roaring_bitmap_t *));
	if (list->members == NULL)
		abort();
	return list;
}

struct member_list *member_list_ref(struct member_list *list)
{
	atomic_fetch_add(&list->refs, 1);
	return list;
}

void member_list_unref(struct member_list *list)
{
	if (list == NULL || atomic_fetch_sub(&list->refs, 1) > 1)
		return;
	for (uint32_t i = 0; i < list->partition_count; i++)
		if (list->members[i] != NULL)
			roaring_bitmap_free(list->members[i]);
	free(list->members);
	free(list);
}

/* hash = SHA-256(hash, partition, SHA-256(slots)) */
static void add_to_hash(struct member_list *list, uint32_t partition, struct text slots)
{
	uint8_t chained[SHA256_BYTES + sizeof partition + SHA256_BYTES];
	memcpy(chained, list->hash, SHA256_BYTES);
	memcpy(chained + SHA256_BYTES, &partition, sizeof partition);
	hash_sha256(slots.data, slots.length, chained + SHA256_BYTES + sizeof partition);
	hash_sha256(chained, sizeof chained, list->hash);
}

bool member_list_put(struct member_list *list, uint32_t partition, struct text slots)
{
	slot_vector all = {0};
	if (partition >= list->partition_count || list->members[partition] != NULL ||
	    !slot_list_read(slots, &all)) {
		VECTOR_DONE(&all);
		return false;
	}
	list->members[partition] = roaring_bitmap_of_ptr(all.count, all.items);
	roaring_bitmap_run_optimize(list->members[partition]);
	add_to_hash(list, partition, slots);
	VECTOR_DONE(&all);
	return true;
}

const roaring_bitmap_t *member_list_of(const struct member_list *list, uint32_t partition)
{
	assert(partition < list->partition_count);
	return list->members[partition];
}

void member_list_hash(const struct member_list *list, uint8_t ret_hash[SHA256_BYTES])
{
	memcpy(ret_hash, list->hash, SHA256_BYTES);
}
