#ifndef SONNIM_ENGINE_SERIES_H
#define SONNIM_ENGINE_SERIES_H

/* The times of one person's events that match one feature, each with what the feature's aggregates
 * need of it: enough to tell what holds over any window at any instant, and when that changes.
 *
 *        oldest                               newest   future
 *       ┌──────┬──────┬──────┬──────┬──────┬──────┐
 *   t   │  0   │  1   │  2   │  3   │  4   │  5   │   in the order of rule 13: sorted, events of
 *       ├──────┼──────┼──────┼──────┼──────┼──────┤   equal times as they were accepted
 *       │  s0  │  s1  │  s2  │  s3  │  s4  │  s5  │   of TOTALS the sum of amounts up to here, of
 *       └──────┴──────┴──────┴──────┴──────┴──────┘   others what the kind says
 *                  ▲                    ▲
 *             ended before          started before      count = started − ended
 *
 * A span says at which instants an event at t counts: [start(t), end(t)), with
 *   start(t) = t + until,  end(t) = min(t + within, floor_day(t) + retention),
 * and only if from <= t < to. Both grow with t, so that the events that count are always one run.
 *
 * A series may be capped: it then keeps its newest `cap` times and says that others were dropped;
 * one of TOTALS never is. Times are ms since the epoch, amounts millionths.
 * Owner: the person's profile; only the partition's thread may call.
 * Cost: adding the newest O(1), a late one O(later ones); asking O(log count). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "model/evaluate.h"

enum { SERIES_UNLIMITED = 0 };

/* What lies beside each time, and for which aggregates. */
enum series_kind {
	SERIES_TIMES,   /* nothing: count, days_since_first, days_since_last */
	SERIES_TOTALS,  /* 16 bytes, a running total: sum, avg */
	SERIES_NUMBERS, /* 8 bytes: min, max */
	SERIES_MARKS,   /* 4 bytes, bits: first, last (whether the value passes), sequences (steps) */
	SERIES_KEYS,    /* 16 bytes: distinct */
	SERIES_KIND_COUNT
};

/* What an event brings, by kind. */
union series_item {
	int64_t             amount_millionths;
	double              number;
	uint32_t            marks;
	struct distinct_key key;
};

struct series {
	uint32_t count;
	uint32_t room : 28;
	uint32_t kind : 3;
	uint32_t dropped : 1; /* an older time than the first was here once */
	int64_t  times_ms[];  /* room of them, then `room` items */
};

/* An empty series that grows; NULL is an empty series too. */
struct series *series_new(enum series_kind kind);
void           series_free(struct series *series);
size_t         series_bytes(const struct series *series);

/* Adds an event behind those of its time. `cap` 0: unlimited. Returns the series, which may have
 * moved. */
struct series *series_add(struct series *series, unsigned cap, int64_t time_ms,
                          union series_item item);

struct span;

/* Lets go of the events that have ended to count by `now_ms`, in this span and so in all that end
 * no later; what was dropped has ended before. Cost: O(log count), and O(count) if there are
 * any. */
void series_forget(struct series *series, const struct span *span, int64_t now_ms);

/* Gives back the room that is not used; the series may have moved. */
struct series *series_fit(struct series *series);

/* Of TOTALS: the sum of the first `count` amounts. They lie behind the times, aligned to 8 bytes
 * only. */
static inline __int128 series_total(const struct series *series, uint32_t count)
{
	__int128 total = 0;
	if (count > 0)
		memcpy(&total, (const char *)(series->times_ms + series->room) + (count - 1) * sizeof total,
		       sizeof total);
	return total;
}

/* What lies at `at` < count. */
double                     series_number(const struct series *series, uint32_t at);
uint32_t                   series_marks(const struct series *series, uint32_t at);
const struct distinct_key *series_keys(const struct series *series);

/* For checkpoints: appends a series (NULL: none), and makes one of what was appended; false: it
 * makes no sense, `*ret_series` is NULL then. */
void series_write(const struct series *series, struct buffer *out);
bool series_read(struct byte_reader *reader, struct series **ret_series);

struct span {
	int64_t within_ms;    /* 0: no end but the retention's */
	int64_t until_ms;     /* 0: counts at once */
	int64_t from_ms;      /* INSTANT_MS_NONE: any */
	int64_t to_ms;        /* INSTANT_MS_NEVER: any */
	int64_t retention_ms; /* INSTANT_MS_NEVER: unlimited */
};

int64_t span_start_ms(const struct span *span, int64_t time_ms);
int64_t span_end_ms(const struct span *span, int64_t time_ms);

/* What counts at one instant. `complete` is false when dropped times might count too: then `count`
 * is only a lower bound. */
struct series_value {
	uint32_t count;
	bool     complete;
	__int128 sum; /* of TOTALS */
};

/* Walks the instants after `now_ms` at which what counts changes, in order:
 *   struct series_walk walk = series_walk_from(series, &span, now);
 *   while (series_walk_next(&walk)) … walk.at_ms, walk.value …
 * Those that count are [ended, started), none when ended >= started. */
struct series_walk {
	const struct series *series; /* NULL: an empty one */
	const struct span   *span;
	uint32_t             ended;
	uint32_t             started;
	uint32_t             limit; /* times behind it are at or after span->to_ms */
	int64_t              at_ms;
	struct series_value  value;
};
struct series_walk series_walk_from(const struct series *series, const struct span *span,
                                    int64_t now_ms);
bool               series_walk_next(struct series_walk *walk);

#endif
