#include "job/bucket.h"

#include <assert.h>

enum { SECOND_NS = 1000000000 };

void bucket_init(struct bucket *bucket, uint64_t rate_bytes_s, int64_t now_ns)
{
	assert(rate_bytes_s <= INT64_MAX / 2);
	*bucket = (struct bucket){rate_bytes_s, (int64_t)rate_bytes_s, now_ns};
}

static void fill(struct bucket *bucket, int64_t now_ns)
{
	int64_t  passed_ns = now_ns - bucket->filled_ns;
	__int128 more      = (__int128)bucket->rate_bytes_s * passed_ns / SECOND_NS;
	__int128 level     = bucket->level_bytes + more;
	if (more == 0)
		return; /* so that fractions add up */
	bucket->filled_ns = now_ns;
	bucket->level_bytes =
		level > (__int128)bucket->rate_bytes_s ? (int64_t)bucket->rate_bytes_s : (int64_t)level;
}

int64_t bucket_take(struct bucket *bucket, uint64_t bytes, int64_t now_ns)
{
	if (bucket->rate_bytes_s == 0)
		return 0;
	assert(bytes <= INT64_MAX / 2);
	fill(bucket, now_ns);
	int64_t debt_bytes = bucket->level_bytes < 0 ? -bucket->level_bytes : 0;
	bucket->level_bytes -= (int64_t)bytes;
	return (int64_t)((__int128)debt_bytes * SECOND_NS / (__int128)bucket->rate_bytes_s);
}
