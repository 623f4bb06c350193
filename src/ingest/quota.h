#ifndef SONNIM_INGEST_QUOTA_H
#define SONNIM_INGEST_QUOTA_H

/* How many events may be taken in a day and in a month, of a source or of the whole workspace.
 * Periods begin at 00:00 UTC, of the first for months, by log time.
 *
 *   request ─► quota_take() ─► … decode, append … ─► quota_return(what was not accepted)
 *
 * What is taken is counted before anything is decoded, so that requests side by side never get
 * more than there is; what is rejected comes back. A request is taken whole or not at all. After a
 * restart the counts go on where the store's stand (quota_load()), which are kept every
 * few seconds (api/collection/counting.h).
 *
 * Threads: any. Cost: two compare-and-swaps. */

#include <stdbool.h>
#include <stdint.h>

enum quota_period { QUOTA_DAY, QUOTA_MONTH, QUOTA_PERIODS };

#define QUOTA_EVENTS_MAX (INT64_C(1) << 40)

/* A word for each period: its number since 1970 above, events below, so that both change at
 * once. Zeroed memory has counted nothing. */
struct quota {
	_Atomic uint64_t used[QUOTA_PERIODS];
};

struct quota_sizes {
	int64_t events[QUOTA_PERIODS]; /* below QUOTA_EVENTS_MAX; 0: no limit */
};

/* Why so many events are not taken. */
struct quota_refusal {
	const char *limit; /* "source", "source-day", "source-month", "workspace-day", …; static */
	int64_t     size;  /* events that it lets through at once, or in its period */
	unsigned    retry_after_s;
};

/* False: the period of `*ret_full` has no room for so many; nothing was counted. */
bool quota_take(struct quota *quota, const struct quota_sizes *sizes, int64_t now_ms,
                uint64_t events, enum quota_period *ret_full);

/* Of what was taken at `taken_ms`. */
void quota_return(struct quota *quota, int64_t taken_ms, uint64_t events);

/* What was accepted before this process, in the periods of `now_ms`; it is added. */
void quota_load(struct quota *quota, int64_t now_ms, const uint64_t events[QUOTA_PERIODS]);

uint64_t quota_used(const struct quota *quota, enum quota_period period, int64_t now_ms);

/* When it began and when it ends. */
int64_t quota_begin_ms(enum quota_period period, int64_t now_ms);
int64_t quota_end_ms(enum quota_period period, int64_t now_ms);

#endif
