#ifndef SONNIM_JOURNAL_LOG_CLOCK_H
#define SONNIM_JOURNAL_LOG_CLOCK_H

/* The log time: what stamps records, and what safe times are read from. It never goes back.
 *
 * Wall mode: the larger of the wall clock and the time given out last; where the wall clock is
 * behind (it was set back), it runs on with the monotonic clock.
 *
 *   wall      10:00 10:01 │ 09:31 09:32      │ 14:00 14:01
 *   log time  10:00 10:01 │ 10:01 10:02 …    │ 10:33 10:34 …   held: more than an hour ahead
 *                         └ set back: runs on└ set ahead: runs on too, until it is accepted
 *
 * A pause of the process is no jump: the monotonic clock counts through sleep, and after a restart
 * on the same boot the last mark in the log tells how long the process was away. After another boot
 * that is not known, and the wall clock is followed.
 *
 * Manual mode: begins at 0 (1970) or at the last stamp and moves by log_clock_set() alone.
 *
 * Milliseconds since the epoch, UTC. One thread at a time (the log's state lock). */

#include <stdbool.h>
#include <stdint.h>

#include "journal/file_log.h"
#include "journal/frame.h"

enum { LOG_CLOCK_JUMP_MS_MAX = 3600 * 1000 };

struct log_clock {
	enum log_clock_mode mode;
	bool                accept_jump;
	bool                held;         /* the wall clock is too far ahead, as of the last reading */
	int64_t             now_ms;       /* given out last */
	int64_t             monotonic_ms; /* at that instant */
};

/* The two clocks of the machine, at one instant. */
struct log_clock_sources {
	int64_t wall_ms;
	int64_t monotonic_ms; /* since boot, sleep included */
};

/* `last_ms`: the last stamp in the log (0: none). `marked`: the last mark in it, of this boot, or
 * NULL; `marked_ms` its stamp. */
void log_clock_init(struct log_clock *clock, enum log_clock_mode mode, bool accept_jump,
                    struct log_clock_sources sources, int64_t last_ms,
                    const struct frame_mark *marked, int64_t marked_ms);

/* The log time now; every later answer is at or after it. */
int64_t log_clock_read(struct log_clock *clock, struct log_clock_sources sources);

/* Every later answer is at or after `now_ms`. */
void log_clock_reach(struct log_clock *clock, int64_t now_ms);

/* Manual mode. STATUS_CONFLICT when it would go back, STATUS_UNSUPPORTED in wall mode. */
MUST_USE enum status log_clock_set(struct log_clock *clock, int64_t now_ms, struct error *err);

/* Identifies this boot of the machine; zeros when it cannot be told. */
void log_clock_boot_id(uint8_t ret_id[16]);

#endif
