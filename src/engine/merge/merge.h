#ifndef SONNIM_ENGINE_MERGE_H
#define SONNIM_ENGINE_MERGE_H

/* Merges (contracts, rule 23): a visitor A turns out to be the user U.
 *
 *   A's partition                               U's partition
 *   MERGE_OUT: A ceases to exist, exits with    MERGE_IN, caused by it: A's events and what U lacks
 *   cause `merge`; what he leaves behind is ──► of A's traits become U's, in one step at the last
 *   queued                           (journal)  part, cause `merge`
 *   records that still reach A: queued ───────► the same
 *
 * What is queued here is appended to the journal by relay.h, live only, one after the other
 * and in order; so the receiver needs to know only how far it has come with each origin. It drops
 * what it has applied. After a restart the queue is filled again by the records that filled it
 * before, and what the receivers have is taken out of it: every merge arrives exactly once.
 *
 * Dedupe (rule 25): of two calls with one message id the one accepted first counts, whoever's it
 * was.
 *
 * Owner: the partition; its thread only. A checkpoint holds merge_save() of its begin, and struct
 * profile's `closed`; it does not begin while a merge is arriving in parts. Records that a person
 * has been through by then (resume.h) still change what is the whole partition's here. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/map.h"
#include "base/vector.h"
#include "events/event.h"
#include "model/person.h"
#include "model/record.h"

struct partition;
struct profile;

/* Of one record, and of one append: what it may take is more than the one with the other. */
enum { MERGE_PART_BYTES = 768 << 10, MERGE_APPEND_BYTES = 8 << 20 };

/* A visitor who became a user, or somebody who was erased. */
struct merge_closed {
	uint32_t      slot;
	struct person user;     /* slot SLOT_NONE: nobody's */
	uint64_t      position; /* of the record: changes of later ones are not about him */
};

/* What a record here causes in a user's partition: all that a visitor leaves behind, or a call that
 * came after he had left. One for each causing record, in order. */
struct merge_caused {
	uint64_t      position; /* of the causing record */
	int64_t       received_ms;
	uint32_t      slot;
	struct person user;
	bool          whole; /* the visitor's traits and stored calls, as he left them */
	struct buffer items; /* else: sized items, the one call */
};

/* A merge of which the last part has not come yet. */
struct merge_arriving {
	uint32_t      partition; /* origin */
	uint64_t      position;
	uint32_t      parts;
	struct buffer items;
};

struct merges {
	VECTOR(struct merge_closed) closed;
	struct map_u64 closed_at; /* slot → index + 1 */
	VECTOR(struct merge_caused) caused;
	VECTOR(struct merge_arriving) arriving;
	struct map_u64 received; /* origin partition → position of the last one applied */
	VECTOR(uint32_t) news;   /* origins of which something was applied; for engine/merge/relay.h */
	uint64_t held_bytes;     /* of the items of `caused` and `arriving` */
};

void merges_done(struct merges *merges);

/* What all of it takes. */
uint64_t merges_bytes(const struct merges *merges);

/* A record that came. `position` is its own, `at_ms` its stamp. */
MUST_USE enum status merge_out(struct partition *partition, const struct record *record,
                               uint64_t position, int64_t at_ms, struct error *err);
MUST_USE enum status merge_in(struct partition *partition, const struct record *record,
                              uint64_t position, int64_t at_ms, struct error *err);

/* An event or traits of a visitor who has become a user: queues it for him. False: he has not. */
bool merge_forward(struct partition *partition, struct text encoded, const struct event *event);

/* Whose the events of this slot are now; false: nobody else's. */
bool merge_user_of(const struct partition *partition, uint32_t slot, struct person *ret_user);

/* Somebody ceases to exist with the record at this position, and becomes nobody; one who is closed
 * stays as he is. */
void merge_close(struct partition *partition, uint32_t slot, uint64_t position);

/* The position of the record with which somebody ceased to exist; UINT64_MAX: he has not. */
uint64_t merge_position(const struct partition *partition, uint32_t slot);

/* How far what came from an origin is applied here. */
uint64_t merge_received(const struct partition *partition, uint32_t origin);

/* Where the records of a caused merge stand; zeroed memory: at the first. Stored calls are told by
 * their place in rule 13, not by number: between two appends the oldest may cease to exist. */
struct merge_cursor {
	uint32_t     items; /* encoded so far, but for stored calls */
	uint32_t     parts;
	bool         calls; /* some were: through the place of this one */
	struct event call;  /* without its record */
};

/* Appends records for the user's partition from the cursor on, until they are more than `bytes_max`
 * (by a part of MERGE_PART_BYTES or one call at most), and moves the cursor; true when that was the
 * last one. */
bool merge_encode(struct partition *partition, const struct merge_caused *caused,
                  struct merge_cursor *cursor, size_t bytes_max, struct buffer *out,
                  uint32_t *ret_record_count);

/* Takes the first of the queue out. */
void merge_caused_remove(struct partition *partition);

void merge_save(const struct merges *merges, struct buffer *out);
bool merge_load(struct merges *merges, struct byte_reader *reader); /* false: damaged */

#endif
