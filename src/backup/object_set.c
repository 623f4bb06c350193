#include "backup/object_set.h"

#include <assert.h>
#include <string.h>

void object_set_done(struct object_set *set) { VECTOR_DONE(&set->ids); }

void object_set_add(struct object_set *set, const extent_list *extents)
{
	set->sorted = false;
	for (size_t i = 0; i < extents->count; i++)
		if (!extent_is_zeros(&extents->items[i]))
			VECTOR_ADD(&set->ids, extents->items[i].id);
}

static int compare(const void *a, const void *b) { return memcmp(a, b, sizeof(struct object_id)); }

void object_set_sort(struct object_set *set)
{
	size_t kept = 0;
	if (set->ids.count > 0)
		qsort(set->ids.items, set->ids.count, sizeof set->ids.items[0], compare);
	for (size_t i = 0; i < set->ids.count; i++)
		if (kept == 0 || compare(&set->ids.items[kept - 1], &set->ids.items[i]) != 0)
			set->ids.items[kept++] = set->ids.items[i];
	set->ids.count = kept;
	set->sorted    = true;
}

bool object_set_has(const struct object_set *set, const struct object_id *id)
{
	assert(set->sorted);
	return set->ids.count > 0 &&
	       bsearch(id, set->ids.items, set->ids.count, sizeof *id, compare) != NULL;
}
