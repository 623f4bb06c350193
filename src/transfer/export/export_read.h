#ifndef SONNIM_TRANSFER_EXPORT_READ_H
#define SONNIM_TRANSFER_EXPORT_READ_H

/* Reads persons and their events out of the engine, piece by piece: each piece is copied on the
 * partition's thread within EXPORT_READ_US, and what takes long is done by the caller.
 *
 * All pieces see the journal as it was at one position: events that were stored later are left
 * out, also those that a merge has brought to somebody since. A visitor who was merged since is not
 * there any more; his events are found with the user. One thread; it waits for the engine. */

#include <pthread.h>

#include "base/vector.h"
#include "engine/view.h"
#include "model/consent.h"
#include "vault/vault.h"

enum {
	EXPORT_READ_US    = 3000,
	EXPORT_READ_BYTES = 1 << 20, /* copied, about */
	EXPORT_READ_ROWS  = 8192,
};

/* Of whom one is an event: `owner` says under whose id it is written. */
struct export_event {
	struct person owner;
	struct event  event;
};

struct export_profile {
	struct person       person;
	struct view_person  view; /* traits copied */
	struct view_sealed *blocks;
	size_t              block_count;
};

struct export_reader {
	struct engine *engine;
	struct vault  *vault;
	uint64_t       position;
	int64_t        from_ms;
	int64_t        to_ms;
	bool           profiles; /* else events */
	bool           both;     /* both: a person's events lie in the piece of the profile */

	/* Who has not agreed to it, as he stands when he is read, is left out and counted, where there
	 * was a profile or, without profiles, any event of his to be read. NULL: everybody is read. */
	const struct consent *consent;

	/* Slots of the partition, ascending: only these are read. NULL: all. The caller's. */
	const uint32_t *wanted;
	size_t          wanted_count;

	/* The piece. */
	struct arena arena;
	VECTOR(struct export_event) events;
	VECTOR(struct export_profile) persons;
	VECTOR(uint32_t) gone; /* slots of which there is nobody any more */
	size_t   left_out;     /* for want of consent */
	uint32_t next_slot;    /* SLOT_NONE: the partition is over */

	/* private */
	struct engine_read read;
	uint32_t           partition;
	uint32_t           slot;
	struct person      taker; /* of a merged visitor's events */
	struct person      visitor;
	event_list         list;
	pthread_mutex_t    lock;
	pthread_cond_t     finished;
	bool               done;
	enum status        status;
	struct error       err;
};

void export_reader_init(struct export_reader *reader, struct engine *engine, struct vault *vault);
void export_reader_done(struct export_reader *reader);

/* The piece from the slot on. STATUS_TIMEOUT, STATUS_UNAVAILABLE: the engine is late, or stops. */
MUST_USE enum status export_reader_next(struct export_reader *reader, uint32_t partition,
                                        uint32_t slot, struct error *err);

#endif
