#ifndef SONNIM_ENGINE_VIEW_H
#define SONNIM_ENGINE_VIEW_H

/* What a read sees: one partition between two steps, at the instant view_now_ms(). Only to be used
 * within engine_read.run; texts and pointers end with it. Slots that do not exist answer
 * false/0. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "engine/engine.h"
#include "events/events.h"

struct view;

uint32_t view_partition(const struct view *view);
int64_t  view_now_ms(const struct view *view);

struct view_person {
	bool    identified;
	int64_t created_ms;
	int64_t last_active_ms;  /* the newest event's time that has come; INSTANT_MS_NONE: no event */
	struct text traits;      /* a value list; personal ones as VALUE_PERSONAL */
	uint64_t    event_count; /* stored and existing now */
};
bool view_person(struct view *view, uint32_t slot, struct view_person *ret_person);

/* The sealed blocks that hold a person's personal traits, newest value last; each to be opened by
 * vault_unseal(RECORD_SEAL_PURPOSE). Of block i only the names for which it is the newest count:
 * `names` (top-level trait names). From `arena`. */
struct view_sealed {
	struct text   sealed;
	struct person sealer; /* under whose key */
	size_t        name_count;
	struct text  *names;
};
size_t view_sealed_traits(struct view *view, uint32_t slot, struct arena *arena,
                          struct view_sealed **ret_blocks);

/* Whether the dotted path is, or lies within, one of the block's names. */
bool view_sealed_has(const struct view_sealed *block, struct text path);

/* Segments of which the person is a member now, by number. */
struct view_membership {
	uint32_t segment;
	int64_t  entered_ms;
};
size_t view_memberships(struct view *view, uint32_t slot, struct arena *arena,
                        struct view_membership **ret_memberships);

/* Whether a live segment of that number exists here. */
bool view_segment_live(struct view *view, uint32_t segment);

/* Number of members, and of persons. */
uint64_t view_member_count(struct view *view, uint32_t segment);
uint64_t view_person_count(struct view *view);

/* Persons have slots below this; some of these are nobody's. */
uint32_t view_slot_count(const struct view *view);

/* Members with slot >= from_slot in order of slot, at most `limit`; `*ret_next_slot` is where to go
 * on, SLOT_NONE at the end. */
struct view_member {
	uint32_t slot;
	int64_t  entered_ms;
};
size_t view_members(struct view *view, uint32_t segment, uint32_t from_slot, size_t limit,
                    struct view_member *ret_members, uint32_t *ret_next_slot);

/* History rows, oldest first, with those derived from creations and definitions (rule 22). `index`
 * orders the rows and never changes: to go on, ask from the last row's index + 1 on (0: from the
 * begin). */
struct view_history {
	uint64_t      index;
	struct change change; /* slot and segment are always set here */
	struct event  event;  /* of cause event, while it exists: times, record.message_id */
};
size_t view_person_history(struct view *view, uint32_t slot, uint64_t from_index, size_t limit,
                           struct arena *arena, struct view_history **ret_rows);
size_t view_segment_history(struct view *view, uint32_t segment, uint64_t from_index, size_t limit,
                            struct arena *arena, struct view_history **ret_rows);

/* The change stream itself: entries from `from_index` on, which is view_first_change() at least, at
 * most `limit`; how many there are with those that were dropped. */
uint64_t view_changes(struct view *view, uint64_t from_index, size_t limit,
                      struct change *ret_changes, size_t *ret_count);

/* Entries before it were dropped for their age (engine/history.h); 0: none. Histories begin there,
 * too. */
uint64_t view_first_change(const struct view *view);

/* A person's events in the order of rule 13 that exist and have come at view_now_ms(). */
void view_events(struct view *view, uint32_t slot, event_list *list);

/* The same, but only those with from_ms <= time < to_ms that were stored at or before the position:
 * what a reader that goes from person to person over a long time sees as if at one. */
void view_events_until(struct view *view, uint32_t slot, int64_t from_ms, int64_t to_ms,
                       uint64_t through_position, event_list *list);

/* The types of facts, alike in all partitions. */
struct fact_types;
const struct fact_types *view_fact_types(const struct view *view);

/* Appends the names that occur here (engine/apply/names.h, written form). */
void view_names(struct view *view, struct buffer *out);

#endif
