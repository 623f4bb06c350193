#include "engine/apply/timers.h"

#include <assert.h>
#include <stdlib.h>

#include "base/instant.h"

enum { DIGIT_BITS = 6, DIGIT_MASK = TIMER_BUCKETS - 1 };

void timers_init(struct timers *timers, int64_t now_ms)
{
	*timers = (struct timers){.now_ms = now_ms};
}

void timers_done(struct timers *timers)
{
	for (unsigned level = 0; level < TIMER_LEVELS; level++)
		for (unsigned bucket = 0; bucket < TIMER_BUCKETS; bucket++)
			free(timers->buckets[level][bucket].items);
}

/* Instants as unsigned numbers in the same order, so that digits work before 1970 too. */
static uint64_t ordinal_of(int64_t ms) { return (uint64_t)ms ^ UINT64_C(1) << 63; }

static int64_t instant_of(uint64_t ordinal) { return (int64_t)(ordinal ^ UINT64_C(1) << 63); }

static unsigned level_of(uint64_t now, uint64_t due)
{
	return (63 - (unsigned)__builtin_clzll(now ^ due)) / DIGIT_BITS;
}

static unsigned digit_of(uint64_t ordinal, unsigned level)
{
	return ordinal >> (level * DIGIT_BITS) & DIGIT_MASK;
}

static void place(struct timers *timers, struct timer timer)
{
	uint64_t due    = ordinal_of(timer.due_ms);
	unsigned level  = level_of(ordinal_of(timers->now_ms), due);
	unsigned bucket = digit_of(due, level);
	VECTOR_ADD(&timers->buckets[level][bucket], timer);
	timers->occupied[level] |= UINT64_C(1) << bucket;
}

void timers_add(struct timers *timers, uint32_t slot, int64_t due_ms)
{
	assert(due_ms > timers->now_ms);
	place(timers, (struct timer){due_ms, slot});
	timers->count++;
}

/* The first instant of the lowest occupied bucket. Buckets of a level lie behind `now` and before
 * those of higher levels, so the lowest level's lowest bucket is the next one. */
static bool next_bucket(const struct timers *timers, unsigned *ret_level, unsigned *ret_bucket,
                        int64_t *ret_begin_ms)
{
	for (unsigned level = 0; level < TIMER_LEVELS; level++) {
		if (timers->occupied[level] == 0)
			continue;
		unsigned bucket = (unsigned)__builtin_ctzll(timers->occupied[level]);
		unsigned shift  = level * DIGIT_BITS;
		uint64_t now    = ordinal_of(timers->now_ms);
		uint64_t above =
			shift + DIGIT_BITS >= 64 ? 0 : now >> (shift + DIGIT_BITS) << (shift + DIGIT_BITS);
		*ret_level    = level;
		*ret_bucket   = bucket;
		*ret_begin_ms = instant_of(above | (uint64_t)bucket << shift);
		return true;
	}
	return false;
}

int64_t timers_next_ms(const struct timers *timers)
{
	unsigned level, bucket;
	int64_t  begin_ms;
	return next_bucket(timers, &level, &bucket, &begin_ms) ? begin_ms : INSTANT_MS_NEVER;
}

/* Takes a bucket's entries out, as they are. */
static struct timer_bucket take(struct timers *timers, unsigned level, unsigned bucket)
{
	struct timer_bucket taken      = timers->buckets[level][bucket];
	timers->buckets[level][bucket] = (struct timer_bucket){0};
	timers->occupied[level] &= ~(UINT64_C(1) << bucket);
	return taken;
}

static void fire(struct timers *timers, unsigned bucket, slot_list *slots)
{
	struct timer_bucket *due = &timers->buckets[0][bucket];
	VECTOR_RESERVE(slots, due->count);
	for (size_t i = 0; i < due->count; i++)
		slots->items[slots->count++] = due->items[i].slot;
	timers->count -= due->count;
	due->count = 0;
	timers->occupied[0] &= ~(UINT64_C(1) << bucket);
}

/* Moves a higher bucket's entries down, now that its time has begun; those due right at its begin,
 * which is the wheel's new instant, are fired. True when there were such. */
static bool cascade(struct timers *timers, unsigned level, unsigned bucket, slot_list *slots)
{
	struct timer_bucket moving = take(timers, level, bucket);
	bool                fired  = false;
	for (size_t i = 0; i < moving.count; i++) {
		if (moving.items[i].due_ms == timers->now_ms) {
			VECTOR_ADD(slots, moving.items[i].slot);
			timers->count--;
			fired = true;
		} else {
			place(timers, moving.items[i]);
		}
	}
	free(moving.items);
	return fired;
}

bool timers_advance(struct timers *timers, int64_t through_ms, int64_t *ret_due_ms,
                    slot_list *slots)
{
	unsigned level, bucket;
	int64_t  begin_ms;
	while (next_bucket(timers, &level, &bucket, &begin_ms) && begin_ms <= through_ms) {
		timers->now_ms = begin_ms;
		*ret_due_ms    = begin_ms;
		if (level == 0) {
			fire(timers, bucket, slots);
			return true;
		}
		if (cascade(timers, level, bucket, slots))
			return true;
	}
	if (timers->now_ms < through_ms)
		timers->now_ms = through_ms;
	return false;
}
