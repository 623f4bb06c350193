#ifndef SONNIM_ENGINE_HISTORY_H
#define SONNIM_ENGINE_HISTORY_H

/* Dropping the old part of the change stream, and with it of the histories: for the job that keeps
 * what is kept for a time. An entry's place never changes by it; histories and the stream begin
 * later, and are the same from there on (engine/change/change_compact.h says what is left before).
 *
 *   job's thread                      partition's thread            checkpoints' writer
 *   engine_history_drop()     ──►     how far may be cut
 *   writes the file anew      ──►     hands it over          ──►    copies what came since, syncs,
 *   waits                             reads from it          ◄──    renames
 *
 * Never cut: what a start needs, since a checkpoint of which it may make use began before; what
 * the caller holds; the newest chunk. A partition's file is written anew once an eighth of it is
 * due, so that all the writing in its life stays below nine times its size. */

#include <stdint.h>

#include "engine/engine.h"

struct history_amount {
	uint64_t count; /* entries */
	uint64_t bytes;
};

struct history_look {
	int64_t oldest_ms; /* of the first entry that is there; INSTANT_MS_NONE: none is */
	struct history_amount all;
	struct history_amount due; /* what engine_history_drop() would drop, at most */
};

/* Waits until all that the change stream has told by now lies in its files (if there are any), so
 * that a restart need not make it again: before what it was made of goes. One caller at a time.
 * STATUS_UNAVAILABLE: it cannot be written for now, or the engine stops; STATUS_TIMEOUT. */
MUST_USE enum status engine_history_keep(struct engine *engine, struct error *err);

/* What is older than `before_ms` (INSTANT_MS_NONE: nothing). `held`, by partition, is the first
 * entry that somebody still wants; NULL: nobody does. STATUS_UNAVAILABLE, STATUS_TIMEOUT. */
MUST_USE enum status engine_history_look(struct engine *engine, int64_t before_ms,
                                         const uint64_t *held, struct history_look *ret_look,
                                         struct error *err);

/* Who is asked before bytes are read and written; false: stop. */
struct history_pace {
	bool (*use)(void *context, uint64_t bytes);
	void *context;
};

/* Drops what is due in one partition, and waits for it; what was dropped is added to `*dropped`.
 * One caller at a time. When it fails nothing has changed. When it is stopped, neither, unless the
 * new file was handed over: that takes its place all the same, and until then nothing is due.
 * STATUS_IO, STATUS_NO_SPACE, STATUS_CORRUPT: the file is damaged, or what was written is not what
 * is read; STATUS_UNAVAILABLE: the pace or the engine says so. Cost: the partition's file, read and
 * written. */
MUST_USE enum status engine_history_drop(struct engine *engine, uint32_t partition,
                                         int64_t before_ms, uint64_t held,
                                         const struct history_pace *pace,
                                         struct history_amount *dropped, struct error *err);

#endif
