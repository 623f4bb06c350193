#ifndef SONNIM_QUERY_LEAF_SCAN_H
#define SONNIM_QUERY_LEAF_SCAN_H

/* One event leaf of a plan over many persons of a partition, from the stored events: what
 * leaf_look_events() says of each of them, a block at a time (event_fold.h). Sequences are looked
 * at person by person.
 *
 * Thread: the partition's. Damaged parts: events_check(). */

#include <stdbool.h>
#include <stdint.h>

#include "engine/apply/partition.h"
#include "query/event_fold.h"

enum { LEAF_SCAN_SLOTS = 512, LEAF_SCAN_WORDS = LEAF_SCAN_SLOTS / 64 };

struct leaf_scan;

struct leaf_scan_config {
	struct partition          *partition;
	const struct plan_leaf    *leaf;    /* of any plan, of the catalog or not; outlive the scan */
	const struct plan_feature *feature; /* the leaf's */
	int64_t                    now_ms;  /* the instant */
	int64_t                    received_before_ms; /* only what was; 0: whenever */
};

struct leaf_scan *leaf_scan_new(const struct leaf_scan_config *config);
void              leaf_scan_free(struct leaf_scan *scan); /* NULL is fine */

/* For which of the wanted persons it holds: bit i of both is slot first_slot + i (a multiple of
 * 64); what is not wanted is 0 in `holds`, which may be `wanted`. Asked of slots without a person
 * it says what holds for persons without events.
 *
 * Fastest in ascending order: it then looks at several blocks at once and remembers. So nobody may
 * have changed since leaf_scan_new(): who is about to is asked for right before, and not again. */
void leaf_scan_block(struct leaf_scan *scan, uint32_t first_slot,
                     const uint64_t wanted[LEAF_SCAN_WORDS], uint64_t holds[LEAF_SCAN_WORDS]);

/* Some of these slots (words of 64, from first_slot on) will be asked for soon, in ascending order:
 * they are looked at together, as far as that is possible, and remembered. */
void leaf_scan_expect(struct leaf_scan *scan, uint32_t first_slot, uint32_t word_count,
                      const uint64_t *expected);

/* Whether the block of this slot was looked at before it was asked for. */
bool leaf_scan_is_ahead(const struct leaf_scan *scan, uint32_t first_slot);

/* One, as he is now. */
bool leaf_scan_person(struct leaf_scan *scan, uint32_t slot);

/* Stored events that asking everybody would look at; of a sequence many times what they cost
 * elsewhere, so that it comes last. */
uint64_t leaf_scan_cost(struct leaf_scan *scan);
uint64_t leaf_scan_rows(const struct leaf_scan *scan); /* looked at so far */

#endif
