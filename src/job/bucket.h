#ifndef SONNIM_JOB_BUCKET_H
#define SONNIM_JOB_BUCKET_H

/* A token bucket that lets everybody run into debt: a wish of any size is granted at once when
 * there is no debt, and what it is too large by has to be waited for by whoever comes next. So the
 * rate holds over time, whatever the sizes, and nobody starves.
 *
 *   level_bytes   −debt ◄──────── 0 ────────► one second's worth at most
 *
 * Not locked: the caller's business. */

#include <stdint.h>

struct bucket {
	uint64_t rate_bytes_s; /* 0: no limit */
	int64_t  level_bytes;
	int64_t  filled_ns; /* up to when */
};

void bucket_init(struct bucket *bucket, uint64_t rate_bytes_s, int64_t now_ns);

/* Takes `bytes` and answers how long to wait before they are used, in ns; 0: not at all. */
int64_t bucket_take(struct bucket *bucket, uint64_t bytes, int64_t now_ns);

#endif
