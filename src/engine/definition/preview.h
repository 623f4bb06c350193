#ifndef SONNIM_ENGINE_PREVIEW_H
#define SONNIM_ENGINE_PREVIEW_H

/* What a definition would answer, were it live: its size, a sample of its members and, against the
 * live version of a segment, who would enter and leave; at one instant over all partitions, while
 * events go on.
 *
 *   instant as_of      events go on                     a share: slots in order, in slices
 *       │              ▼ slot 7: evaluated before its change
 *       ├── 0 1 2 3 4 ·─·─·─·─·─·─·─·  ◄ cursor         done: ahead of the cursor or behind it
 *       ▼
 *
 * Each partition notes the instant at which the read of all meets it (engine_read_all()) and then
 * evaluates its persons in leisure, some at a time. Who is not evaluated yet when a record or a
 * timer is about to change him is evaluated right then, so that everybody is seen as he was at the
 * instant, and nobody waits. An ACTIVATE in between takes away what is compared with: the preview
 * is then broken, to be asked anew (STATUS_AGAIN).
 *
 * Nothing is kept in the engine's state: the stream of changes knows nothing of previews.
 *
 * Threads: preview_start() any; shares belong to the partitions' threads. */

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"

struct partition;
struct preview;

enum { PREVIEW_SAMPLE_MAX = 100 };

struct preview_wish {
	struct text canonical; /* the definition; what it refers to is live */
	uint32_t    compared;  /* number of the segment whose live version is compared with; 0: none */
	uint64_t    min_position; /* as of a read */
	unsigned    sample_count; /* of each list, at most PREVIEW_SAMPLE_MAX */
	/* Called by the partitions' threads now and then; true: nobody wants the answer any more. */
	bool (*is_cancelled)(void *context);
	/* Called once, on one of those threads: the preview is over; context's to free it. */
	void (*done)(void *context, struct preview *preview);
	void *context;
};

/* A list of persons, evenly drawn from all that are meant: those whose hashes are the least. */
struct preview_sample {
	uint32_t count;
	struct preview_person {
		struct person person;
		uint64_t      order;
	} persons[PREVIEW_SAMPLE_MAX];
};

struct preview_answer {
	enum status status; /* OK; AGAIN: broken; UNAVAILABLE: stopped or cancelled; CONFLICT: what it
	                     * refers to is not live; TIMEOUT: the instant was not reached */
	int64_t     as_of_ms;
	uint64_t    person_count;
	uint64_t    size;
	bool        compared; /* the segment has a live version */
	uint64_t    live_size;
	uint64_t    entering; /* members that the live version does not have */
	uint64_t    leaving;
	struct preview_sample members;
	struct preview_sample enterers;
	struct preview_sample leavers;
};

/* Errors: those of the compilation. */
MUST_USE enum status preview_start(struct engine *engine, const struct preview_wish *wish,
                                   struct error *err);

/* Once `done` was called. */
const struct preview_answer *preview_answer(const struct preview *preview);
void                         preview_free(struct preview *preview);

/* ---- For the partition ---- */

/* Before anything of this person changes; partition->previews is not NULL. */
void preview_before_change(struct partition *partition, uint32_t slot);

/* Before an ACTIVATE. */
void preview_break_all(struct partition *partition, enum status status);

/* Evaluates some persons. */
void preview_continue(struct partition *partition, uint32_t slots);

#endif
