#ifndef SONNIM_QUERY_STEP_SCAN_H
#define SONNIM_QUERY_STEP_SCAN_H

/* Who may have a sequence at all: those who have an event for each of its steps, not too long ago.
 * Sequences are read person by person (leaf_scan.h), which is dear; most persons lack some step.
 *
 *   steps, the one with the fewest stored events first ──► counted over 4,096 slots ──► who has all
 *
 * What is found of slots ahead stays right until their persons change (engine/survey.h): then they
 * are asked by themselves.
 *
 * Thread: the partition's. Damaged parts: events_check(). */

#include "engine/apply/partition.h"
#include "query/mask.h"

struct step_scan;

/* `feature` is that of a sequence, and outlives the scan. received_before_ms as of leaf scans. */
struct step_scan *step_scan_new(struct partition *partition, const struct plan_feature *feature,
                                int64_t now_ms, int64_t received_before_ms);
void              step_scan_free(struct step_scan *scan); /* NULL is fine */

/* Of the wanted ones of the block from this slot on, those who may. */
struct mask step_scan_block(struct step_scan *scan, uint32_t first_slot, struct mask wanted);

uint64_t step_scan_rows(const struct step_scan *scan); /* stored events looked at so far */

#endif
