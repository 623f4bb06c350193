#ifndef SONNIM_API_PERSON_TRAITS_H
#define SONNIM_API_PERSON_TRAITS_H

/* What is known of a person, with his personal values: these lie sealed in the records that brought
 * them. The partition's thread copies the blocks, a worker opens them. */

#include "api/call.h"

struct person_traits {
	bool                found;
	struct view_person  view;   /* traits copied */
	struct view_sealed *blocks; /* copied */
	size_t              block_count;
};

/* On the partition's thread; all of it lies in `arena`. `personal`: the blocks too. */
void person_traits_copy(struct view *view, uint32_t slot, bool personal, struct arena *arena,
                        struct person_traits *ret_traits);

/* On a worker: the newest personal values as a list of dotted paths, from the call's arena. Those
 * of whom the key is gone are left out. */
struct text person_traits_personal(struct api_call *call, const struct person_traits *traits);

#endif
