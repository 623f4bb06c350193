#ifndef SONNIM_TRANSFER_IMPORT_SORT_H
#define SONNIM_TRANSFER_IMPORT_SORT_H

/* Messages brought into the order of their time, then line, in bounded memory: sorted runs on the
 * disk, then merged.
 *
 *   add() ─► memory, full: sorted ─► DIRECTORY/.run-0, .run-1, …  ─► next() merges
 *
 *   run = { i64 time, u64 line, u32 length, message }
 *
 * A run is there whole or not at all (written aside, synced, renamed). Memory: IMPORT_SORT_BYTES,
 * and as much again for reading. One thread. */

#include "base/buffer.h"
#include "base/error.h"
#include "base/vector.h"

enum { IMPORT_SORT_BYTES = 64 << 20, IMPORT_RUNS_MAX = 8192 };

struct import_sort {
	char         *directory;
	uint32_t      run_count;
	struct buffer texts;
	VECTOR(struct sort_item {
		int64_t  time_ms;
		uint64_t line;
		size_t   offset;
		uint32_t length;
	})
	items;
	struct sort_run *runs; /* while merging: a heap by time and line */
	size_t           left;
	bool             begun;
	bool             handed_out;
};

/* `run_count` runs are there already; others are removed. */
MUST_USE enum status import_sort_init(struct import_sort *sort, const char *directory,
                                      uint32_t run_count, struct error *err);
void                 import_sort_done(struct import_sort *sort); /* leaves the files */

/* True: it is full, and import_sort_spill() is due. */
bool import_sort_add(struct import_sort *sort, int64_t time_ms, uint64_t line, struct text message);

/* Writes what is in memory as the next run; durable on return. */
MUST_USE enum status import_sort_spill(struct import_sort *sort, struct error *err);

/* The next message, valid until the next call. STATUS_NOT_FOUND: there are no more. STATUS_CORRUPT:
 * a run is damaged. */
struct import_sorted {
	int64_t     time_ms;
	uint64_t    line;
	struct text message;
};
MUST_USE enum status import_sort_next(struct import_sort *sort, struct import_sorted *ret_sorted,
                                      struct error *err);

/* Removes the runs. */
void import_sort_remove(const char *directory);

#endif
