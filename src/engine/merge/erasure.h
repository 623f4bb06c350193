#ifndef SONNIM_ENGINE_ERASURE_H
#define SONNIM_ENGINE_ERASURE_H

/* ERASURE records: a person whose key and id are gone from the vault, or about to go, ceases to
 * exist here too.
 *
 *   exits of every segment, cause `erasure`, one step; the entries name the person number, which
 *   belongs to nobody
 *   ──► nothing is kept of him; stored events are not read any more, and parts lose them when they
 *       are written anew (events_forget)
 *   ──► what still comes for his slot is dropped: calls that were under way, what a merge brings
 *
 * The slot stays as it is for ever: the vault never gives the number to anybody else, and whoever
 * comes with the id again has another one. Records of a person that precede his erasure are applied
 * as ever, so that a restart from a checkpoint makes the same changes. A replay that finds his key
 * or his stored events gone already may differ in his changes, and so in the ordinals of others
 * behind the same record, in nothing else: one of the whole journal, and one from a checkpoint
 * before his erasure where blind indexes or the birthday decide, for they cannot be opened. What
 * the change stream has told of him stays as it is then (engine/change/changes.h).
 *
 * The body of the record is empty. Owner: the partition; its thread only. */

#include "engine/apply/partition.h"

/* An ERASURE record at `position`, stamped `at_ms`. Again, or of nobody known: nothing happens but
 * that the slot is closed. */
void erasure_apply(struct partition *partition, uint32_t slot, uint64_t position, int64_t at_ms);

/* Whether the person of a slot was erased. */
static inline bool erasure_holds(const struct partition *partition, uint32_t slot)
{
	return partition->profiles.erased_count > 0 && profiles_erased(&partition->profiles, slot);
}

#endif
