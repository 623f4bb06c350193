#ifndef SONNIM_BACKUP_OBJECT_SET_H
#define SONNIM_BACKUP_OBJECT_SET_H

/* The objects that documents name, each once. Cost: 32 bytes an object; sorted once, then a search
 * is a binary one. One thread. */

#include <stdbool.h>

#include "backup/extents.h"

struct object_set {
	VECTOR(struct object_id) ids;
	bool sorted;
};

void object_set_done(struct object_set *set);
void object_set_add(struct object_set *set, const extent_list *extents); /* those of zeros: none */
void object_set_sort(struct object_set *set); /* and each once; before it is asked */
bool object_set_has(const struct object_set *set, const struct object_id *id);

#endif
