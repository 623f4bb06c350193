#ifndef SONNIM_ENGINE_RELAY_H
#define SONNIM_ENGINE_RELAY_H

/* Carries what a record causes in other partitions (merge.h) into the journal: live only,
 * and each exactly once in effect.
 *
 *   partition's queue ──► one append for what waits ──► durable ──► the receivers have applied it
 *          ▲                                  (in flight: one a partition)          │
 *          └──────────────── taken out of the queue ◄───────────────────────────────┘
 *
 * It appends nothing before every partition has applied what the journal held at start: until then
 * nobody knows what of the queue is there already. An append that fails is tried again later, from
 * the first record of its first merge on: receivers begin anew with ordinal 0.
 *
 * It also knows what positions one may be sure of: relay_settled().
 *
 * Threads: a partition's functions on its thread; relay_settled() on any. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/merge/merge.h"
#include "journal/journal.h"

struct partition;
struct relay;

/* `wake` is called when a partition's thread has something to do: from any thread, cheap. */
typedef void relay_wake_fn(void *context, uint32_t partition);

struct relay *relay_new(struct journal *journal, uint32_t partition_count, relay_wake_fn *wake,
                        void *context);
void          relay_free(struct relay *relay);

/* After records were applied, before others learn of it. */
void relay_applied(struct relay *relay, struct partition *partition);

/* Appends what waits, when nothing is in flight; `live`: everybody has replayed. */
void relay_send(struct relay *relay, struct partition *partition, bool live);

/* Waits until nothing of the partition is in flight: before its thread ends. */
void relay_land(struct relay *relay, struct partition *partition);

/* Whether nothing that a record at or before `position` has caused is still to be applied. Only to
 * be asked when all partitions have applied everything up to there. */
bool relay_settled(const struct relay *relay, uint64_t position);

#endif
