#ifndef SONNIM_ENGINE_PROFILE_H
#define SONNIM_ENGINE_PROFILE_H

/* What the engine knows of one person: traits, the series of features that the person has events
 * of, and memberships. Profiles lie in blocks of 1,024 by slot; a slot may be a hole.
 *
 *   profiles ──► block ──► profile ──┬─► traits       one value list, with the sealed blocks behind
 *                                    ├─► features     sorted by feature: next instant, series
 *                                    └─► memberships  only where they differ from what the rule
 *                                                     answers for a person without any event
 *
 * Owner: the partition; only its thread may call. `bytes` counts what all this takes. */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"
#include "engine/apply/series.h"
#include "model/person.h"

struct sealed_block {
	uint32_t      references; /* traits that this block has the newest value of */
	uint32_t      size;
	struct person sealer; /* under whose key: after a merge that of the visitor he was */
	char          bytes[];
};

struct sealed_trait {
	struct text          name; /* points into the traits' list */
	struct sealed_block *block;
};

struct traits {
	int64_t              next_ms; /* when a relative test of a trait may change; never: NEVER */
	uint32_t             list_size;
	uint32_t             sealed_count;
	struct sealed_trait *sealed;
	char                 list[]; /* a value list */
};

/* One person's series of one feature, and what its leaves that stand on no ladder were when last
 * looked at, which they are until next_ms: bit `leaf.bit` each. */
#define TRUTHS_KNOWN (UINT32_C(1) << 31)
struct person_feature {
	uint32_t       feature;
	uint32_t       truths;  /* nothing is known without TRUTHS_KNOWN */
	int64_t        next_ms; /* no leaf of it changes by time before this instant */
	struct series *series;  /* NULL for features that are read from stored events */
};

struct feature_set {
	uint32_t              count;
	uint32_t              room;
	struct person_feature items[]; /* sorted by feature */
};

struct membership {
	uint32_t rule : 31;
	uint32_t member : 1; /* 0: the rule holds without events, but not for this person */
	int64_t  since_ms;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct membership) == 12, "a membership");

struct membership_set {
	uint32_t          count;
	uint32_t          room;
	struct membership items[]; /* sorted by rule */
};

struct profile {
	_Alignas(64) bool exists;
	bool                identified;
	bool                closed;  /* ceased to exist: became a user's (engine/merge/merge.h) */
	bool                amended; /* stored events are not seen as they lie (engine/fact/facts.h) */
	uint32_t            newest_change; /* of the change stream, + 1; 0: none */
	int64_t             created_ms;
	int64_t             armed_ms;        /* the earliest timer on its way; INSTANT_MS_NEVER */
	int64_t             newest_event_ms; /* INSTANT_MS_NONE */
	struct traits      *traits;
	struct feature_set *features;
	struct membership_set *memberships;
	bool                   erased; /* `closed` for good (engine/merge/erasure.h) */
};
_Static_assert(sizeof(struct profile) == 64, "a profile is a line of the cache");

enum { PROFILES_PER_BLOCK = 1024, PROFILES_CHANGED = 0xff };

struct profiles {
	struct profile **blocks;
	uint8_t         *changed; /* by block: PROFILES_CHANGED whenever a profile of it may change;
	                           * checkpoints clear bits of it */
	size_t           block_count;
	uint32_t         slot_count; /* highest slot seen + 1 */
	uint64_t         person_count;
	uint64_t         identified_count;
	uint64_t         erased_count;
	uint64_t         bytes;
	uint64_t         feature_bytes;    /* of these, the sets of features and their series */
	uint64_t         membership_bytes; /* the sets of memberships */
};

/* A series of a profile has grown, or come, or gone. */
static inline void profiles_count_series(struct profiles *profiles, size_t before, size_t after)
{
	profiles->bytes += after - before;
	profiles->feature_bytes += after - before;
}

void profiles_done(struct profiles *profiles);

/* NULL when the slot is a hole. To be looked at: who changes something asks profiles_change(), so
 * that the block is known to differ from what a checkpoint holds of it. */
const struct profile *profiles_find(const struct profiles *profiles, uint32_t slot);
struct profile       *profiles_change(struct profiles *profiles, uint32_t slot);

/* The same, also of one who has ceased to exist: his history is still told. */
const struct profile *profiles_known(const struct profiles *profiles, uint32_t slot);

/* Whether the person of a slot was erased. */
static inline bool profiles_erased(const struct profiles *profiles, uint32_t slot)
{
	return slot < profiles->slot_count && profiles->blocks[slot >> 10] != NULL &&
	       profiles->blocks[slot >> 10][slot & 1023].erased;
}

/* Where the profile of a slot lies, to be changed; made when absent, then `exists` is false. */
struct profile *profiles_place(struct profiles *profiles, uint32_t slot);

static inline void profiles_prefetch(const struct profiles *profiles, uint32_t slot)
{
	if (slot >> 10 < profiles->block_count && profiles->blocks[slot >> 10] != NULL)
		__builtin_prefetch(&profiles->blocks[slot >> 10][slot & 1023]);
}

/* What the person has of a feature, of a rule; NULL: nothing. With `ret_place` where it lies or
 * belongs, until the next one comes or goes: there it is inserted without another search. */
struct person_feature *profile_feature(const struct profile *profile, uint32_t feature);
struct person_feature *profile_feature_place(const struct profile *profile, uint32_t feature,
                                             uint32_t *ret_place);
struct membership     *profile_membership(const struct profile *profile, uint32_t rule);
struct membership     *profile_membership_place(const struct profile *profile, uint32_t rule,
                                                uint32_t *ret_place);

/* What is not there yet. What is there moves. */
struct person_feature *profile_feature_insert(struct profiles *profiles, struct profile *profile,
                                              uint32_t feature, uint32_t place);
struct person_feature *profile_feature_add(struct profiles *profiles, struct profile *profile,
                                           uint32_t feature);
struct membership     *profile_membership_insert(struct profiles *profiles, struct profile *profile,
                                                 uint32_t rule, uint32_t place);

/* Room for `more`, so that they come without moving what is there each time. */
void profile_features_reserve(struct profiles *profiles, struct profile *profile, uint32_t more);
void profile_memberships_reserve(struct profiles *profiles, struct profile *profile, uint32_t more);

void profile_feature_remove(struct profiles *profiles, struct profile *profile, uint32_t feature);
void profile_membership_remove(struct profile *profile, uint32_t rule);

/* The traits' list; empty when there are none. */
struct text profile_traits(const struct profile *profile);

/* Sets the traits of `list` (null removes); `sealed` (may be empty) holds the values of its
 * personal ones, under the key of `sealer`. */
void profile_set_traits(struct profiles *profiles, struct profile *profile, struct text list,
                        struct text sealed, struct person sealer);

/* The same traits with other values in clear: `list` has all their names, what is sealed stays. */
void profile_replace_traits(struct profiles *profiles, struct profile *profile, struct text list);

/* Frees traits, features and memberships. */
void profile_clear(struct profiles *profiles, struct profile *profile);

#endif
