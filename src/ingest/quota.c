#include "ingest/quota.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/instant.h"

enum { EVENTS_BITS = 44, MONTHS_OF_YEAR = 12, FIRST_YEAR = 1970 };

#define EVENTS_MASK ((UINT64_C(1) << EVENTS_BITS) - 1)

static uint64_t number_of(enum quota_period period, int64_t now_ms)
{
	int year, month, day;
	if (period == QUOTA_DAY)
		return (uint64_t)(instant_floor_day_ms(now_ms) / DAY_MS);
	instant_date(now_ms, &year, &month, &day);
	return (uint64_t)((year - FIRST_YEAR) * MONTHS_OF_YEAR + month - 1);
}

int64_t quota_begin_ms(enum quota_period period, int64_t now_ms)
{
	int year, month, day;
	if (period == QUOTA_DAY)
		return instant_floor_day_ms(now_ms);
	instant_date(now_ms, &year, &month, &day);
	return instant_days_of_date(year, month, 1) * DAY_MS;
}

int64_t quota_end_ms(enum quota_period period, int64_t now_ms)
{
	int year, month, day;
	if (period == QUOTA_DAY)
		return instant_floor_day_ms(now_ms) + DAY_MS;
	instant_date(now_ms, &year, &month, &day);
	return (instant_days_of_date(year, month, 1) + instant_days_of_month(year, month)) * DAY_MS;
}

/* What the word says of that period: nothing, when it is another's. */
static uint64_t used_in(uint64_t word, uint64_t number)
{
	return word >> EVENTS_BITS == number ? word & EVENTS_MASK : 0;
}

/* Log time never goes back, but threads that read it may be late: they count to the newer one. */
static uint64_t newest(uint64_t word, uint64_t number)
{
	return word >> EVENTS_BITS > number ? word >> EVENTS_BITS : number;
}

static bool add(_Atomic uint64_t *used, uint64_t number, uint64_t events, uint64_t most)
{
	uint64_t word = atomic_load_explicit(used, memory_order_relaxed);
	for (;;) {
		uint64_t period = newest(word, number);
		uint64_t sum    = used_in(word, period) + events;
		if (most != 0 && sum > most)
			return false;
		if (sum > EVENTS_MASK)
			sum = EVENTS_MASK;
		if (atomic_compare_exchange_weak(used, &word, period << EVENTS_BITS | sum))
			return true;
	}
}

static void give_back(_Atomic uint64_t *used, uint64_t number, uint64_t events)
{
	uint64_t word = atomic_load_explicit(used, memory_order_relaxed);
	for (;;) {
		uint64_t sum = used_in(word, number);
		if (sum == 0) /* the period is over */
			return;
		sum = sum > events ? sum - events : 0;
		if (atomic_compare_exchange_weak(used, &word, number << EVENTS_BITS | sum))
			return;
	}
}

bool quota_take(struct quota *quota, const struct quota_sizes *sizes, int64_t now_ms,
                uint64_t events, enum quota_period *ret_full)
{
	for (unsigned p = 0; p < QUOTA_PERIODS; p++) {
		assert(sizes->events[p] >= 0 && sizes->events[p] <= QUOTA_EVENTS_MAX);
		if (add(&quota->used[p], number_of((enum quota_period)p, now_ms), events,
		        (uint64_t)sizes->events[p]))
			continue;
		*ret_full = (enum quota_period)p;
		while (p-- > 0)
			give_back(&quota->used[p], number_of((enum quota_period)p, now_ms), events);
		return false;
	}
	return true;
}

void quota_return(struct quota *quota, int64_t taken_ms, uint64_t events)
{
	for (unsigned p = 0; p < QUOTA_PERIODS; p++)
		give_back(&quota->used[p], number_of((enum quota_period)p, taken_ms), events);
}

void quota_load(struct quota *quota, int64_t now_ms, const uint64_t events[QUOTA_PERIODS])
{
	for (unsigned p = 0; p < QUOTA_PERIODS; p++)
		add(&quota->used[p], number_of((enum quota_period)p, now_ms), events[p], 0);
}

uint64_t quota_used(const struct quota *quota, enum quota_period period, int64_t now_ms)
{
	return used_in(atomic_load_explicit(&quota->used[period], memory_order_relaxed),
	               number_of(period, now_ms));
}
