#ifndef SONNIM_EVENTS_SHELF_H
#define SONNIM_EVENTS_SHELF_H

/* The files of one partition: its parts and the manifest that names them. The writer's threads
 * change them (events_writer.h); the partition's thread takes each finished set (shelf_take).
 *
 *   directory/manifest                   which parts are live
 *   directory/0000000000000012.part      by number, in hexadecimal
 *
 * Every change: new parts written and synced, the directory synced, the manifest replaced, then
 * old files removed. So kill -9 at any moment leaves the old set or the new one. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/map.h"
#include "events/manifest.h"
#include "events/part_set.h"
#include "events/settings.h"
#include "events/tail.h"

struct shelf {
	uint32_t                      partition;
	int64_t                       retention_ms;
	const struct events_settings *settings;
	char                         *directory;
	uint64_t                      message_key; /* the manifest's, which never changes */

	pthread_mutex_t lock; /* of the manifest and the parts; held while the manifest is written */
	struct manifest manifest;
	VECTOR(struct part *) parts; /* live, each with a reference */
	uint64_t flushes;            /* tails that were written since the start */
	VECTOR(uint32_t) forgotten;  /* slots of erased persons: parts are to lose their rows */
	struct map_u64 forgotten_set;
	int64_t forgotten_due_ns; /* monotonic: when parts are rewritten for it; 0: none has any */

	struct part_set *_Atomic published; /* not yet taken; NULL: nothing new */
	_Atomic int64_t          clock_ms;  /* nobody will ask about earlier instants */
	_Atomic bool            *stopping;  /* ends a merge under way */

	/* What the partition hands over, and gets back as done by a published set. */
	struct tail *_Atomic sealed;
	uint64_t             sealed_through; /* everything at or before it is in it or in parts */
	/* What the partition no longer needs: freed by the writer. */
	struct tail *_Atomic     retired_tail;
	struct part_set *_Atomic retired_set;

	/* For others to see. */
	_Atomic uint64_t part_count;
	_Atomic uint64_t part_bytes;
	_Atomic uint64_t parts_to_rewrite; /* their columns were chosen by other settings */
	_Atomic uint64_t parts_forgotten;  /* with rows of erased persons */
	_Atomic uint64_t parts_damaged;
	_Atomic bool     damaged; /* some part was found so since the start */
};

struct shelf_config {
	const char                   *directory; /* of all partitions: this one's lies in it */
	uint32_t                      partition;
	int64_t                       retention_ms;
	const struct events_settings *settings;
	uint64_t                      position_end; /* of the journal: calls behind it are cut off */
	_Atomic bool                 *stopping;
};

/* Opens or makes; removes the remains of a crash. STATUS_CORRUPT (a part that is missing,
 * too), STATUS_IO, STATUS_NO_SPACE. */
MUST_USE enum status shelf_open(const struct shelf_config *config, struct shelf **ret_shelf,
                                struct error *err);
void                 shelf_close(struct shelf *shelf);

/* Writes the sealed tail into parts and publishes the set with them. A retry is safe; the tail
 * stays as it is. */
MUST_USE enum status shelf_flush(struct shelf *shelf, struct error *err);

/* One round: drops parts that are over, merges, or rewrites for other settings. STATUS_AGAIN: there
 * is nothing to do. */
MUST_USE enum status shelf_tidy(struct shelf *shelf, struct error *err);

/* What comes to be written from now on lacks this person's rows. Any thread. */
void shelf_forget(struct shelf *shelf, uint32_t slot);

/* Frees what was retired. */
void shelf_clean(struct shelf *shelf);

/* The newest set if there is one that was not taken yet; the caller's reference. */
struct part_set *shelf_take(struct shelf *shelf);

/* Reads the manifest and every byte of every part of a partition, without a server. */
MUST_USE enum status shelf_verify(const char *directory, uint32_t partition, uint64_t *ret_parts,
                                  uint64_t *ret_events, struct error *err);

#endif
