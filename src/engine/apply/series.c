#include "engine/apply/series.h"

#include <assert.h>
#include <string.h>

#include "base/instant.h"
#include "base/slab.h"

enum { ROOM_MIN = 1, ROOM_FEW = 8, ROOM_MAX = 1 << 27 };

static const uint8_t item_bytes[SERIES_KIND_COUNT] = {
	[SERIES_TOTALS]  = sizeof(__int128),
	[SERIES_NUMBERS] = sizeof(double),
	[SERIES_MARKS]   = sizeof(uint32_t),
	[SERIES_KEYS]    = sizeof(struct distinct_key),
};

/* Items lie behind the times. */
static char *items(const struct series *series)
{
	return (char *)(series->times_ms + series->room);
}

static void set_total(struct series *series, uint32_t at, __int128 total)
{
	memcpy(items(series) + at * sizeof total, &total, sizeof total);
}

double series_number(const struct series *series, uint32_t at)
{
	assert(series->kind == SERIES_NUMBERS && at < series->count);
	return ((const double *)items(series))[at];
}

uint32_t series_marks(const struct series *series, uint32_t at)
{
	assert(series->kind == SERIES_MARKS && at < series->count);
	return ((const uint32_t *)items(series))[at];
}

const struct distinct_key *series_keys(const struct series *series)
{
	assert(series->kind == SERIES_KEYS);
	return (const struct distinct_key *)items(series);
}

static size_t size_for(enum series_kind kind, uint32_t room)
{
	return sizeof(struct series) + room * (sizeof(int64_t) + item_bytes[kind]);
}

struct series *series_new(enum series_kind kind)
{
	uint32_t       room   = kind == SERIES_TIMES ? 2 : ROOM_MIN;
	struct series *series = slab_get(size_for(kind, room));
	*series = (struct series){.room = room & (2 * ROOM_MAX - 1), .kind = (unsigned)kind & 7};
	return series;
}

void series_free(struct series *series) { slab_put(series, series_bytes(series)); }

size_t series_bytes(const struct series *series)
{
	return series == NULL ? 0 : size_for(series->kind, series->room);
}

static struct series *move(struct series *series, uint32_t room)
{
	struct series *moved = slab_get(size_for(series->kind, room));
	*moved               = *series;
	moved->room          = room & (2 * ROOM_MAX - 1);
	memcpy(moved->times_ms, series->times_ms, series->count * sizeof series->times_ms[0]);
	memcpy(items(moved), items(series), series->count * item_bytes[series->kind]);
	series_free(series);
	return moved;
}

static struct series *grow(struct series *series, unsigned cap)
{
	assert(series->room < ROOM_MAX);
	/* By what the block then has room for; times alone are small enough to double at first. */
	size_t   item = sizeof(int64_t) + item_bytes[series->kind];
	uint32_t more = series->kind == SERIES_TIMES && series->room < ROOM_FEW ? series->room
	                                                                        : 1 + series->room / 4;
	size_t   size = slab_room(size_for(series->kind, series->room + more));
	uint32_t room = (uint32_t)((size - sizeof *series) / item);
	if (cap != SERIES_UNLIMITED && room > cap)
		room = cap;
	return move(series, room);
}

struct series *series_fit(struct series *series)
{
	uint32_t room = series->count < ROOM_MIN ? ROOM_MIN : series->count;
	return room < series->room ? move(series, room) : series;
}

static void drop_oldest(struct series *series, uint32_t count)
{
	size_t size = item_bytes[series->kind];
	series->count -= count;
	memmove(series->times_ms, series->times_ms + count, series->count * sizeof series->times_ms[0]);
	memmove(items(series), items(series) + count * size, series->count * size);
}

/* Sets the item at `at`, behind which everything has moved by one already. */
static void set_item(struct series *series, uint32_t at, union series_item item)
{
	size_t size = item_bytes[series->kind];
	if (series->kind != SERIES_TOTALS) {
		memcpy(items(series) + at * size, &item, size);
		return;
	}
	set_total(series, at, series_total(series, at) + item.amount_millionths);
	for (uint32_t later = at + 1; later < series->count; later++)
		set_total(series, later, series_total(series, later + 1) + item.amount_millionths);
}

struct series *series_add(struct series *series, unsigned cap, int64_t time_ms,
                          union series_item item)
{
	assert(cap == SERIES_UNLIMITED || (cap >= ROOM_MIN && series->kind != SERIES_TOTALS));

	if (cap != SERIES_UNLIMITED && series->count >= cap) {
		if (time_ms < series->times_ms[0]) {
			series->dropped = true;
			return series;
		}
		drop_oldest(series, series->count - cap + 1);
		series->dropped = true;
	}
	if (series->count == series->room)
		series = grow(series, cap);

	/* From the newest end: almost every event is the newest. */
	size_t   size = item_bytes[series->kind];
	uint32_t at   = series->count;
	while (at > 0 && series->times_ms[at - 1] > time_ms)
		at--;
	uint32_t later = series->count - at;
	memmove(series->times_ms + at + 1, series->times_ms + at, later * sizeof series->times_ms[0]);
	memmove(items(series) + (at + 1) * size, items(series) + at * size, later * size);
	series->count++;
	series->times_ms[at] = time_ms;
	set_item(series, at, item);
	return series;
}

/* u8 0: none; else u8 1 + kind, u8 dropped, varint count, count times, count items. The room is
 * made as large as the count: what is let go of when it is used up matters to nobody. */
void series_write(const struct series *series, struct buffer *out)
{
	if (series == NULL) {
		buffer_add_u8(out, 0);
		return;
	}
	buffer_add_u8(out, (uint8_t)(1 + series->kind));
	buffer_add_u8(out, series->dropped);
	buffer_add_varint(out, series->count);
	buffer_add(out, series->times_ms, series->count * sizeof series->times_ms[0]);
	buffer_add(out, items(series), series->count * item_bytes[series->kind]);
}

bool series_read(struct byte_reader *reader, struct series **ret_series)
{
	*ret_series  = NULL;
	uint8_t kind = read_u8(reader);
	if (kind == 0 || kind > SERIES_KIND_COUNT)
		return kind == 0 && !reader->failed;
	bool     dropped = read_u8(reader) != 0;
	uint64_t count   = read_varint(reader);
	size_t   size    = item_bytes[--kind];
	if (reader->failed || count > read_left(reader) / (sizeof(int64_t) + size) || count > ROOM_MAX)
		return false;
	uint32_t       room   = count < ROOM_MIN ? ROOM_MIN : (uint32_t)count;
	struct series *series = slab_get(size_for(kind, room));
	*series               = (struct series){.count   = (uint32_t)count,
	                                        .room    = room & (2 * ROOM_MAX - 1),
	                                        .kind    = kind & 7,
	                                        .dropped = dropped};
	struct text times     = read_bytes(reader, count * sizeof(int64_t));
	struct text rest      = read_bytes(reader, count * size);
	memcpy(series->times_ms, times.data, times.length);
	memcpy(items(series), rest.data, rest.length);
	*ret_series = series;
	return true;
}

int64_t span_start_ms(const struct span *span, int64_t time_ms) { return time_ms + span->until_ms; }

int64_t span_end_ms(const struct span *span, int64_t time_ms)
{
	int64_t end_ms = span->retention_ms == INSTANT_MS_NEVER
	                     ? INSTANT_MS_NEVER
	                     : instant_floor_day_ms(time_ms) + span->retention_ms;
	if (span->within_ms > 0 && time_ms + span->within_ms < end_ms)
		end_ms = time_ms + span->within_ms;
	return end_ms;
}

/* How many of the first `count` times lie before `time_ms`. */
static uint32_t count_before(const struct series *series, uint32_t count, int64_t time_ms)
{
	uint32_t low = 0, high = count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (series->times_ms[middle] < time_ms)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint32_t count_ended(const struct series *series, const struct span *span, int64_t now_ms)
{
	uint32_t low = 0, high = series->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (span_end_ms(span, series->times_ms[middle]) <= now_ms)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct series_value value_of(const struct series_walk *walk)
{
	struct series_value value = {
		/* What was dropped is older than the first time: it has ended once that has. */
		.complete = !walk->series->dropped || walk->ended > 0,
	};
	if (walk->started > walk->ended) {
		value.count = walk->started - walk->ended;
		if (walk->series->kind == SERIES_TOTALS)
			value.sum =
				series_total(walk->series, walk->started) - series_total(walk->series, walk->ended);
	}
	return value;
}

void series_forget(struct series *series, const struct span *span, int64_t now_ms)
{
	uint32_t ended = count_ended(series, span, now_ms);
	if (ended == 0)
		return;
	__int128 before = series->kind == SERIES_TOTALS ? series_total(series, ended) : 0;
	drop_oldest(series, ended);
	series->dropped = false;
	for (uint32_t i = 0; before != 0 && i < series->count; i++)
		set_total(series, i, series_total(series, i + 1) - before);
}

struct series_walk series_walk_from(const struct series *series, const struct span *span,
                                    int64_t now_ms)
{
	struct series_walk walk = {.series = series, .span = span, .at_ms = now_ms};
	if (series == NULL) {
		walk.value.complete = true;
		return walk;
	}

	walk.limit = series->count;
	walk.ended = count_ended(series, span, now_ms);
	if (span->to_ms != INSTANT_MS_NEVER)
		walk.limit = count_before(series, series->count, span->to_ms);
	if (span->from_ms != INSTANT_MS_NONE) {
		uint32_t before = count_before(series, series->count, span->from_ms);
		if (walk.ended < before)
			walk.ended = before;
	}
	walk.started = count_before(series, walk.limit, now_ms - span->until_ms + 1);
	walk.value   = value_of(&walk);
	return walk;
}

bool series_walk_next(struct series_walk *walk)
{
	int64_t next_ms = INSTANT_MS_NEVER;
	if (walk->started < walk->limit)
		next_ms = span_start_ms(walk->span, walk->series->times_ms[walk->started]);
	if (walk->ended < walk->limit) {
		int64_t end_ms = span_end_ms(walk->span, walk->series->times_ms[walk->ended]);
		if (end_ms < next_ms)
			next_ms = end_ms;
	}
	if (next_ms == INSTANT_MS_NEVER)
		return false;

	while (walk->started < walk->limit &&
	       span_start_ms(walk->span, walk->series->times_ms[walk->started]) <= next_ms)
		walk->started++;
	while (walk->ended < walk->limit &&
	       span_end_ms(walk->span, walk->series->times_ms[walk->ended]) <= next_ms)
		walk->ended++;
	walk->at_ms = next_ms;
	walk->value = value_of(walk);
	return true;
}
