#ifndef SONNIM_ENGINE_CHANGE_COMPACT_H
#define SONNIM_ENGINE_CHANGE_COMPACT_H

/* Drops the old part of a change stream: writes a second file that says the same from `cut` on, and
 * has of what is before only what histories from there on are derived from (view_history.c):
 *
 *   - a person's coming into being, and what concerned everyone;
 *   - of each person and segment the newest entry, where it entered, or where the segment ever held
 *     by default: so that what happens to everyone later is known to concern this person or not;
 *   - of each person the newest entry, without its content, where none of these is: the chain goes
 *     on there, since newer entries and profiles name it.
 *
 * Each of these leads on to the person's one before it that is there, too. Cutting a file that was
 * cut before is the same as cutting the whole one later. */

#include "engine/change/change_file.h"

struct change_cut {
	uint64_t        cut;              /* where a chunk of the file begins that is not kept */
	uint64_t        count;            /* where another one ends: what is behind is not copied */
	uint32_t        slot_count;       /* above every slot that occurs before */
	const uint32_t *default_segments; /* that ever held by default */
	size_t          default_count;

	/* Told of bytes before they are read and written; false: stop. NULL: nobody asks. */
	bool (*use)(void *context, uint64_t bytes);
	void *context;
};

/* Writes it to `path`, where nothing is or what a crash left, synced and looked through once more;
 * `file` stays as it is. The caller closes `*ret_file`, or removes what is at the path when it
 * fails. STATUS_IO, STATUS_NO_SPACE; STATUS_CORRUPT: what was written is not what is read;
 * STATUS_UNAVAILABLE: `use` said so. Memory: 8 bytes a slot, 2 bits an entry before the cut. Cost:
 * both files' size. */
MUST_USE enum status change_compact(const struct change_file *file, const struct change_cut *cut,
                                    const char *path, struct change_file **ret_file,
                                    struct error *err);

#endif
