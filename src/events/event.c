#include "events/event.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/instant.h"

void event_list_clear(event_list *list)
{
	list->count = 0;
	if (list->arena.bytes > 0)
		arena_reset(&list->arena);
}

void event_list_done(event_list *list)
{
	VECTOR_DONE(list);
	arena_done(&list->arena);
	buffer_done(&list->scratch);
}

int event_compare(const struct event *a, const struct event *b)
{
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	return event_compare_acceptance(a, b);
}

static int compare_items(const void *left, const void *right) { return event_compare(left, right); }

void event_list_sort(event_list *list, size_t begin)
{
	for (size_t i = begin + 1; i < list->count; i++) {
		if (event_compare(&list->items[i - 1], &list->items[i]) > 0) {
			qsort(list->items + begin, list->count - begin, sizeof *list->items, compare_items);
			return;
		}
	}
}

int64_t events_end_ms(int64_t time_ms, int64_t retention_ms)
{
	if (retention_ms == INSTANT_MS_NEVER)
		return INSTANT_MS_NEVER;
	return instant_floor_day_ms(time_ms) + retention_ms;
}

int64_t events_first_ms(int64_t now_ms, int64_t retention_ms)
{
	if (retention_ms == INSTANT_MS_NEVER)
		return INT64_MIN;
	return instant_floor_day_ms(now_ms - retention_ms) + DAY_MS;
}

/* Days to a civil date as in Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years
 * begin in March, so that the leap day is a year's last. */
int32_t event_month(int64_t time_ms)
{
	int64_t day   = instant_floor_day_ms(time_ms) / DAY_MS + 719468;
	int64_t era   = (day >= 0 ? day : day - 146096) / 146097;
	int64_t doe   = day - era * 146097;
	int64_t yoe   = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy   = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t month = (5 * doy + 2) / 153 + 2; /* from January of that year: 2 to 13 */
	return (int32_t)((yoe + era * 400 - 1970) * 12 + month);
}

uint64_t event_message_hash(uint64_t key, uint32_t slot, struct text message_id)
{
	return hash_bytes_seeded(message_id.data, message_id.length,
	                         key + slot * UINT64_C(0x9e3779b97f4a7c15));
}
