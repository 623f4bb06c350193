#ifndef SONNIM_ENGINE_FACTS_H
#define SONNIM_ENGINE_FACTS_H

/* What the leaves see of a person's stored events: the newest version of each fact (contracts, rule
 * 26), and of the events of one message id, which a merge brought together, the first (rule 25).
 * Every read of stored events by the engine goes through facts_read().
 *
 *   events_read ──► without what was dropped ──► corrections laid over their originals ──► by name
 *
 * A fact is (person, type, key). Its original is the first event of the original type by rule 13,
 * among those that exist; the updating ones replace its top-level properties, in the order of rule
 * 13, a cancelling one removes it. Further events of the original type with the same key are events
 * of their own. What one sees is a function of the stored events and the instant alone: a
 * correction that has ceased to exist (rule 21) corrects nothing, as it would after a restart.
 *
 * Types: Order and Booking are built in, others are declared by SETTING records (fact_type.h). What
 * is accepted before its type's declaration corrects nothing.
 *
 * Persons of whom nothing was ever corrected or dropped (`profile->amended` is false) cost nothing.
 * Owner: the partition; its thread only. A checkpoint holds the types (declared ones) and what was
 * dropped: facts_save(), facts_load(); `amended` lies in the profile, with the instant. */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/map.h"
#include "engine/fact/fact_type.h"
#include "events/events.h"

struct partition;
struct profile;

/* An event that does not count: another one with its message id was accepted before it. */
struct fact_dropped {
	uint32_t slot;
	uint32_t partition; /* of acceptance, with the position: which one */
	uint64_t position;
	uint64_t stored_position; /* dropped from here on */
	int64_t  end_ms; /* when it ceases to exist, and with it this; INSTANT_MS_NONE: not known yet */
	uint32_t next;   /* of the same person: index + 1; 0: none */
};

/* Some slots, a bit each. */
struct fact_slots {
	VECTOR(uint64_t) words;
};

struct facts {
	struct fact_types types;
	/* Never more than twice as many as there are such events, and a few: when there are
	 * `sweep_count`, those go that exist no more. */
	VECTOR(struct fact_dropped) dropped;
	size_t            sweep_count;
	struct map_u64    dropped_of; /* slot → the last one's index + 1 */
	struct map_u64    next; /* slot → the next instant at which time changes what is seen, + 1 */
	struct fact_slots amended;  /* profile->amended, or was */
	struct fact_slots dropping; /* of whom some event was dropped */
	struct arena      arena;    /* of the last facts_read() */
};

void     facts_init(struct facts *facts);
void     facts_done(struct facts *facts);
uint64_t facts_bytes(const struct facts *facts); /* what grows with data */

/* A SETTING record: a type is declared. One that is there already, or in the way of another, is
 * ignored: it was told twice. */
MUST_USE enum status facts_declare(struct facts *facts, struct text body, uint64_t position,
                                   struct error *err);

/* As events_read(), bounded by partition->stored_position. Texts live until the next facts_read()
 * of this partition; with `arena` (may be NULL) until that is reset. */
void facts_read(struct partition *partition, uint32_t slot, const struct events_query *query,
                struct arena *arena, event_list *list);

/* For readers of many persons: whose events of this name (empty: any) may be seen otherwise than
 * they lie, some named in vain. */
const struct fact_slots *facts_amended(const struct facts *facts, struct text name);

/* Bits of the slots 64 × word to 64 × word + 63. */
static inline uint64_t fact_slots_at(const struct fact_slots *slots, uint32_t word)
{
	return word < slots->words.count ? slots->words.items[word] : 0;
}

/* Takes out of a list from events_read() what does not count. */
void facts_take_out_dropped(const struct partition *partition, uint32_t slot, event_list *list);

/* What a stored call with this event's message id means for it: whether one accepted before it
 * exists (then this one does not count); what was accepted after it is dropped from the event's
 * stored position on. `profile` NULL: it is noted in it already. */
bool facts_first(struct partition *partition, uint32_t slot, struct profile *profile,
                 const struct event *event, int64_t now_ms);

/* As events_seen(), but what was dropped is forgotten. */
bool facts_seen(const struct partition *partition, uint32_t slot, const struct profile *profile,
                struct text message_id, uint64_t before_position, int64_t now_ms);

/* Whether this event may change more than what it adds: it corrects a fact, or something of this
 * person is corrected already. */
bool facts_amends(const struct partition *partition, const struct profile *profile,
                  const struct record *record);

/* Notes the next instant at which time alone changes what is seen of the person, and arms his timer
 * for it. */
void facts_arm(struct partition *partition, uint32_t slot, struct profile *profile, int64_t now_ms);

/* Sets it, as a checkpoint knew it. */
void facts_set_next_ms(struct partition *partition, uint32_t slot, int64_t next_ms);

/* That instant; INSTANT_MS_NEVER: none. */
int64_t facts_next_ms(const struct partition *partition, uint32_t slot);

/* The correction that begins at this very instant; 0: none. */
uint64_t facts_begun(struct partition *partition, uint32_t slot, int64_t now_ms);

void facts_save(const struct facts *facts, struct buffer *out);
bool facts_load(struct facts *facts, struct byte_reader *reader); /* false: damaged */

/* How many dropped ones there are at least before any are looked at. */
enum { FACTS_SWEEP_MIN = 1024 };

#endif
