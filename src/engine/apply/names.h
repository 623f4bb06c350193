#ifndef SONNIM_ENGINE_NAMES_H
#define SONNIM_ENGINE_NAMES_H

/* The names that occur in a partition: of events, of each event's properties, of traits; so that a
 * definition that names something else can be warned about. Never more than NAMES_MAX of a kind:
 * what comes later is not kept, and the kind is `full`.
 *
 * Cost: one look-up an event. Properties are looked at in the first NAMES_EVENTS_FIRST events of a
 * name and then in those at every NAMES_POSITIONS-th position: a rare one may be missed, and a
 * replay finds the same. Names are told apart by their 32-bit hash: of 10,000 one pair collides
 * once in a hundred times, and then the later one is taken for known.
 *
 * Written form, one kind after the other (enum name_kind):
 *   u8 full, sized { u32 event, sized name }…
 * `event` counts the events' entries from 1, of properties the one that has it; else 0.
 *
 * Thread: the partition's. Zeroed memory is empty. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/map.h"

enum name_kind { NAME_EVENT, NAME_PROPERTY, NAME_TRAIT };

enum {
	NAME_KIND_COUNT    = 3,
	NAMES_MAX          = 10000, /* of a kind */
	NAMES_BYTES_MAX    = 256,   /* of a name: longer ones cannot be asked for */
	NAMES_EVENTS_FIRST = 100,
	NAMES_POSITIONS    = 64,
};

struct name_set {
	struct map_u64 known;   /* event << 32 | hash_name → number from 1, of events also << 32 how
	                         * many were looked into */
	struct buffer  written; /* the entries, as above */
	uint32_t       count;
	bool           full;
};

struct names {
	struct name_set sets[NAME_KIND_COUNT];
};

void names_done(struct names *names);

/* An event was applied, traits were set: value lists. */
void names_see_event(struct names *names, struct text event, struct text properties,
                     uint64_t position);
void names_see_traits(struct names *names, struct text traits);

/* Appends the written form. */
void names_write(const struct names *names, struct buffer *out);

/* For checkpoints: the same with how many of each event's were looked into, behind each kind's
 * entries; and back, into empty names. False: it makes no sense. */
void names_save(const struct names *names, struct buffer *out);
bool names_load(struct names *names, struct byte_reader *reader);

/* The next entry of a kind; false at the end. */
bool names_read(struct byte_reader *entries, uint32_t *ret_event, struct text *ret_name);

#endif
