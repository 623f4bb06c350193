#ifndef SONNIM_INGEST_SOURCE_H
#define SONNIM_INGEST_SOURCE_H

/* What is known of each source while the process runs: how much it may send and from where, and
 * what it has sent.
 *
 *   request ─► source_admits() ─► … decode, append … ─► source_count() ─► slots by minute
 *              token bucket                                                  │ source_take()
 *                                                              who keeps them ◄─┘
 *
 * The bucket is the generic cell rate algorithm: one number, the instant at which it is full again
 * ("theoretical arrival time", ITU-T I.371, annex A); ours takes whole requests, and takes one that
 * is larger than the burst when the bucket is full, since it would never pass otherwise: then it
 * goes into debt.
 *
 * A source once asked for stays until the end, also when it is deleted: its number is never used
 * again. Threads: any. Cost: a request one compare-and-swap, and one short lock when it is
 * counted. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "base/vector.h"
#include "ingest/debug.h"
#include "ingest/ingest.h"
#include "ingest/observed.h"
#include "ingest/quota.h"

enum {
	SOURCE_OF_API            = 0, /* the platform's own events API */
	SOURCE_ORIGINS_MAX       = 64,
	SOURCE_ORIGIN_BYTES_MAX  = 256,
	SOURCE_RATE_MAX          = 10000000, /* events a second, and burst */
	SOURCE_MINUTES_KEPT_MAX  = 120,      /* not yet taken; what comes then is added to the last */
	SOURCE_RETRY_AFTER_S_MAX = 3600,
};

struct sources;
struct source;
struct plan;

/* What lies at or before `replayed_through` in the journal was there at the start. */
struct sources *sources_new(uint64_t replayed_through);
void            sources_free(struct sources *sources);

/* The source of that number, made when it is asked for first; never NULL. */
struct source *source_of(struct sources *sources, uint32_t number);

/* The next one behind `number` in order of their numbers that was ever asked for; NULL: none. With
 * `from_first` the first of all. */
struct source *sources_next(struct sources *sources, const struct source *after);

uint32_t source_number(const struct source *source);

/* ---- Settings ---- */

struct source_settings {
	int64_t            rate; /* events a second; 0: as many as it likes */
	int64_t            burst;
	const struct text *origins; /* "https://shop.example"; a host may begin with "*." */
	size_t             origin_count;
	bool               any_origin; /* whatever `origins` say */
	struct quota_sizes quota;
};

void source_set(struct source *source, const struct source_settings *settings); /* copies */

/* Whether pages of this origin may send. */
bool source_allows_origin(struct source *source, struct text origin);
bool source_restricts_origins(struct source *source);

/* Its tracking plan (ingest/plan.h); NULL: none. Only between shapes_lock() and shapes_unlock() of
 * a thread that has joined the watch (ingest/watch.h), which alone exchanges plans. */
const struct plan *source_plan(const struct source *source);
struct plan       *source_exchange_plan(struct source *source, struct plan *plan);

/* Of all sources together. */
void sources_set_quota(struct sources *sources, const struct quota_sizes *sizes);

/* What was accepted of the source in the periods of `now_ms` before this process. */
void source_load_quota(struct source *source, int64_t now_ms, const uint64_t events[QUOTA_PERIODS]);

/* Takes `events` from the bucket and from the quotas of the source and of all of them. False:
 * nothing was taken. */
bool source_takes(struct source *source, int64_t now_ms, uint64_t events,
                  struct quota_refusal *ret_limited);
/* Those of them that were not accepted: the quotas have them back. */
void source_gives_back(struct source *source, int64_t taken_ms, uint64_t events);

/* What is left of the tightest limit; false: there is none. */
struct source_left {
	int64_t  size;
	int64_t  remaining;
	unsigned reset_s;
};
bool source_left(struct source *source, int64_t now_ms, struct source_left *ret_left);

/* Takes `events` from the bucket at `now_ms` (log time), or says when to come again. */
bool source_admits(struct source *source, int64_t now_ms, uint64_t events,
                   unsigned *ret_retry_after_s);

/* ---- Counting ---- */

/* Upper bounds of the lag's buckets; the last one has none. */
extern const int64_t source_lag_bounds_ms[];
enum { SOURCE_LAG_COUNT = 7 };

/* Of one request. The lag of an event is from its own time to its arrival. */
struct source_counts {
	uint64_t accepted;
	uint64_t suppressed; /* dropped, for their person is not to be known (vault_subjects.h) */
	uint64_t violations; /* of them, those against the tracking plan that it only reports */
	uint64_t bytes;      /* of its body */
	int64_t  lag_sum_ms;
	uint32_t lags[SOURCE_LAG_COUNT];
};

static inline unsigned source_lag_of(int64_t lag_ms)
{
	unsigned i = 0;
	while (i < SOURCE_LAG_COUNT - 1 && lag_ms > source_lag_bounds_ms[i])
		i++;
	return i;
}

/* The newest events of it. */
struct debug *source_debug(struct source *source);

/* The types of its properties, and what went against its plan. */
struct observed *source_observed(struct source *source, enum observed_family family);

/* Why a whole request was refused. */
#define SOURCE_REFUSALS(X)                                                                         \
	X(RATE_LIMITED)                                                                                \
	X(INVALID_BODY)                                                                                \
	X(TOO_LARGE)                                                                                   \
	X(ORIGIN)

enum source_refusal {
#define X(name) SOURCE_REFUSED_##name,
	SOURCE_REFUSALS(X)
#undef X
		SOURCE_REFUSAL_COUNT
};

void source_count(struct source *source, int64_t now_ms, const struct source_counts *counts,
                  const struct ingest_rejection *rejected, size_t rejected_count);
void source_count_refused(struct source *source, int64_t now_ms, enum source_refusal why);

/* Notes for who looks on that a request was refused, for a reason that is not counted. */
void source_debug_refused(struct source *source, int64_t now_ms, const char *code);

/* The engine has dropped a record at `position` as a duplicate. What was applied once before, by
 * an earlier process, is not counted again. Cheap when it does not happen. */
void sources_count_duplicate(struct sources *sources, uint32_t number, uint64_t position);

/* ---- What was counted ---- */

/* `name` is "accepted", "suppressed", "violations", "requests", "bytes", "duplicates", "lag.sum",
 * "lag.0" to "lag.6", "rejected.CODE", "refused.WHY"; static. */
struct source_row {
	uint32_t    source_number;
	int64_t     minute_ms;
	const char *name;
	int64_t     value;
};
typedef VECTOR(struct source_row) source_row_list;

/* Moves all that was counted since the last time to the end of `*rows`. Duplicates are counted to
 * the minute of `now_ms`. */
void sources_take(struct sources *sources, int64_t now_ms, source_row_list *rows);

/* Gives back what could not be kept. */
void sources_return(struct sources *sources, const source_row_list *rows);

/* Since the process started, of all sources. */
struct sources_totals {
	uint64_t refused[SOURCE_REFUSAL_COUNT];
	uint64_t debug_bytes;            /* held by debuggers, now */
	uint64_t suppressed;             /* messages of suppressed ids, which were dropped */
	uint64_t violations;             /* accepted events that their plan reports */
	uint64_t plans;                  /* sources with a tracking plan, now */
	uint64_t observed_bytes;         /* held of what was observed, now */
	uint64_t observed_names;         /* properties and violations, now */
	uint64_t observed_beyond;        /* that found no room */
	uint64_t drifted;                /* properties of more than one type, now */
	uint64_t bytes;                  /* of bodies of which something was decided */
	uint64_t lags[SOURCE_LAG_COUNT]; /* of accepted events */
	int64_t  lag_sum_ms;
};
void sources_totals(struct sources *sources, struct sources_totals *ret_totals);

const char *source_refusal_name(enum source_refusal why); /* "RATE_LIMITED" */

#endif
