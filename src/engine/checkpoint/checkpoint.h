#ifndef SONNIM_ENGINE_CHECKPOINT_H
#define SONNIM_ENGINE_CHECKPOINT_H

/* Checkpoints of all partitions of an engine, and the files of their change streams: what a restart
 * reads instead of the whole journal. They never stop the world:
 *
 *   partition's thread, between batches               writer's thread
 *   begin   what the partition is as a whole    ──►   definitions, names
 *   slices  changed blocks of 1,024 persons     ──►   packed, appended (bytes_per_s)
 *   end     the change stream through here      ──►   appended, synced
 *                                               ──►   manifest replaced
 *
 * A slice takes some time, or one block. A round does not begin while definitions
 * are built, and is given up when they change in its middle. The two newest checkpoints are kept
 * and share nothing (checkpoint_manifest.h); what is loaded is the newest that is whole and
 * whose change stream is. How a partition goes on from there: engine/checkpoint/resume.h.
 *
 * Errors while writing are logged once for a round; the checkpoint before stays, the next round
 * tries again. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct partition;
struct checkpoints;

enum { CHECKPOINT_SLICE_US = 1000 /* what the engine uses */ };

struct checkpoints_config {
	const char *directory; /* made where it is absent */
	uint8_t     workspace_id[16];
	uint32_t    partition_count;
	int64_t     interval_ms; /* between the begins of a partition's rounds */
	int64_t     slice_us;    /* of a partition's thread, a block at least */
	uint64_t    bytes_per_s; /* written at most, as packed */
};

MUST_USE enum status checkpoints_new(const struct checkpoints_config *config,
                                     struct checkpoints **ret_checkpoints, struct error *err);

/* Ends the writer; what it has not written is not there. Before the partitions are freed, and when
 * no thread calls any more. */
void checkpoints_free(struct checkpoints *checkpoints);

/* Loads a fresh partition, and opens its change stream. `*ret_after`: the records behind this
 * position are to be applied, 0 all of them. Where there is no checkpoint, or none that is whole,
 * the partition stays as it is. STATUS_CORRUPT: that is so, and the journal's begin is gone
 * (`journal_begins` is false). STATUS_UNAVAILABLE: *stopping became true. */
MUST_USE enum status checkpoint_load(struct checkpoints *checkpoints, struct partition *partition,
                                     bool journal_begins, const _Atomic bool *stopping,
                                     uint64_t *ret_after, struct error *err);

/* Between two batches, on the partition's thread: goes on with what is to be done for some time;
 * everything through `through` is applied. Returns in how many ms it wants to be called again;
 * 0: at once. */
int64_t checkpoint_turn(struct checkpoints *checkpoints, struct partition *const *partitions,
                        uint32_t count, uint64_t through);

/* The journal's records behind this position are needed for the next start, whichever of the two
 * checkpoints that will use; 0: all of them. Any thread. */
uint64_t checkpoints_needed_after(struct checkpoints *checkpoints);

/* ---- Keeping changes, and dropping old ones (engine/history.h), on the partition's thread ---- */

struct change_file;

/* Sends all that is not in the file yet on its way there; `changes.stored` says when it is. */
void checkpoint_keep_changes(struct checkpoints *checkpoints, uint32_t partition);

/* The first change that a start may ask for, whichever checkpoint it uses; 0: all of them. */
uint64_t checkpoint_needs_changes(struct checkpoints *checkpoints, uint32_t partition);

/* The file of a change stream, and where one is written that is to replace it. NUL-ended, of
 * CHECKPOINT_PATH_MAX bytes. Any thread. */
void checkpoint_changes_paths(const struct checkpoints *checkpoints, uint32_t partition,
                              char *ret_path, char *ret_next);

/* Puts `file`, which is taken over, in the place of the partition's: it says what that says up to
 * `source_end`, an offset in it. What came since is copied in the background. */
void checkpoint_replace_changes(struct checkpoints *checkpoints, uint32_t partition,
                                struct change_file *file, uint64_t source_end);

/* How that stands. Any thread. */
enum checkpoint_replacing {
	REPLACING_NONE,
	REPLACING_UNDER_WAY,
	REPLACING_DONE,
	REPLACING_FAILED, /* the log says why; everything is as it was */
};
enum checkpoint_replacing checkpoint_replacing(struct checkpoints *checkpoints, uint32_t partition);

struct checkpoints_status {
	uint64_t rounds;        /* completed since start */
	uint64_t rounds_failed; /* given up or failed */
	uint64_t bytes;         /* written since start, as packed */
	int64_t  duration_ms;   /* of the last one completed */
	int64_t  oldest_ms;     /* wall clock: when the oldest of the newest ones was made;
	                         * INSTANT_MS_NONE: some partition has none */
	int64_t  pause_us_max;  /* the longest turn of a partition's thread */
	uint64_t needed_after;  /* checkpoints_needed_after() */
	bool     failing;       /* the last that was tried could not be written */
	uint64_t damaged;       /* checkpoints and change streams found damaged at start */
};
void checkpoints_status(struct checkpoints *checkpoints, struct checkpoints_status *ret_status);

#endif
