#include "engine/apply/gauge.h"

#include <stdlib.h>

#include "base/instant.h"

void gauge_free(struct gauge *gauge) { free(gauge); }

/* --- adding and removing --- */

static bool fits(const struct plan_feature *feature, const struct plan_leaf *leaf)
{
	enum expr_op op = leaf->test.op;
	return !feature->relative && feature->kind == SERIES_TOTALS &&
	       (leaf->aggregate == EXPR_SUM || leaf->aggregate == EXPR_AVG) &&
	       leaf->span.until_ms == 0 && leaf->span.from_ms == INSTANT_MS_NONE &&
	       leaf->span.to_ms == INSTANT_MS_NEVER &&
	       (op == EXPR_GT || op == EXPR_GTE || op == EXPR_LT || op == EXPR_LTE);
}

static struct gauge *room_for_one(struct gauge *gauge)
{
	uint32_t count = gauge == NULL ? 0 : gauge->count;
	if (gauge != NULL && count < gauge->capacity)
		return gauge;
	uint32_t      capacity = count == 0 ? 1 : count * 2;
	struct gauge *larger   = realloc(gauge, sizeof *larger + capacity * sizeof larger->lines[0]);
	if (larger == NULL)
		abort();
	larger->count    = count;
	larger->capacity = capacity;
	return larger;
}

bool gauge_add(struct gauge **gauge, uint32_t leaf, const struct plan_feature *feature,
               const struct plan_leaf *plan)
{
	enum expr_op op = plan->test.op;
	if (!fits(feature, plan))
		return false;
	const struct gauge_line line = {
		.within_ms        = plan->span.within_ms > 0 ? plan->span.within_ms : INSTANT_MS_NEVER,
		.value_millionths = plan->test.values[0].millionths,
		.leaf             = leaf,
		.rule             = LADDER_RULES,
		.average          = plan->aggregate == EXPR_AVG,
		.strict           = op == EXPR_GT || op == EXPR_LTE,
		.below            = op == EXPR_LT || op == EXPR_LTE,
	};
	struct gauge *grown = room_for_one(*gauge);
	uint32_t      at    = grown->count++;
	for (; at > 0 && grown->lines[at - 1].within_ms > line.within_ms; at--)
		grown->lines[at] = grown->lines[at - 1];
	grown->lines[at]    = line;
	grown->retention_ms = plan->span.retention_ms;
	*gauge              = grown;
	return true;
}

void gauge_remove(struct gauge *gauge, uint32_t leaf)
{
	uint32_t count = 0;
	for (uint32_t i = 0; gauge != NULL && i < gauge->count; i++)
		if (gauge->lines[i].leaf != leaf)
			gauge->lines[count++] = gauge->lines[i];
	if (gauge != NULL)
		gauge->count = count;
}

void gauge_set_rule(struct gauge *gauge, uint32_t leaf, uint32_t rule)
{
	for (uint32_t i = 0; gauge != NULL && i < gauge->count; i++)
		if (gauge->lines[i].leaf == leaf)
			gauge->lines[i].rule = rule;
}

/* --- what a window holds --- */

struct level {
	__int128 sum;
	uint32_t count;
};

static inline bool holds(const struct gauge_line *line, const struct level *level)
{
	__int128 value = line->value_millionths;
	if (line->average) {
		if (level->count == 0)
			return false;
		value *= level->count;
	}
	return (level->sum >= value + line->strict) != line->below;
}

/* Events of a series up to `count`. */
static inline struct level level_of(const struct series *series, uint32_t ended, uint32_t count)
{
	return (struct level){series_total(series, count) - series_total(series, ended), count - ended};
}

/* The first of the first `end` events that is not before `from_ms`. */
static uint32_t first_from(const struct series *series, uint32_t end, int64_t from_ms)
{
	uint32_t begin = 0;
	while (begin < end) {
		uint32_t middle = begin + (end - begin) / 2;
		if (series->times_ms[middle] < from_ms)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin;
}

/* The first time of which the retention holds an event at `now_ms`: an event ends with a day. */
static int64_t kept_from_ms(const struct gauge *gauge, int64_t now_ms)
{
	if (gauge->retention_ms == INSTANT_MS_NEVER)
		return INT64_MIN;
	return instant_floor_day_ms(now_ms - gauge->retention_ms) + DAY_MS;
}

/* The first event that counts within a window; `end` is that of a shorter one. */
static uint32_t first_within(const struct series *series, uint32_t end, int64_t within_ms,
                             int64_t kept_ms, int64_t now_ms)
{
	int64_t from_ms = within_ms == INSTANT_MS_NEVER ? INT64_MIN : now_ms - within_ms + 1;
	return first_from(series, end, from_ms > kept_ms ? from_ms : kept_ms);
}

static int64_t end_ms_of(const struct gauge *gauge, int64_t within_ms, int64_t time_ms)
{
	if (within_ms <= gauge->retention_ms - DAY_MS)
		return time_ms + within_ms;
	const struct span span = {.within_ms    = within_ms == INSTANT_MS_NEVER ? 0 : within_ms,
	                          .retention_ms = gauge->retention_ms};
	return span_end_ms(&span, time_ms);
}

/* --- what flips --- */

/* The lines of one window, and what it holds now: the events [ended, count). */
struct window {
	const struct gauge_line *begin;
	const struct gauge_line *end;
	uint32_t                 ended;
	uint32_t                 count;
	struct level             level;
};

static bool differs(const struct window *window, const struct level *level)
{
	for (const struct gauge_line *line = window->begin; line < window->end; line++)
		if (holds(line, level) != holds(line, &window->level))
			return true;
	return false;
}

static void note_flips(const struct window *window, const struct level *before,
                       gauge_flip_list *flips)
{
	for (const struct gauge_line *line = window->begin; line < window->end; line++) {
		bool now = holds(line, &window->level);
		if (now != holds(line, before))
			VECTOR_ADD(flips, (struct gauge_flip){line->leaf, line->rule, now});
	}
}

/* When a line of the window flips by time, if that is before `due_ms`; else that. */
static int64_t next_flip(const struct gauge *gauge, const struct series *series,
                         const struct window *window, int64_t due_ms)
{
	int64_t  within_ms = window->begin->within_ms;
	uint32_t ended     = window->ended;
	for (unsigned step = 0; ended < window->count; step++) {
		int64_t at_ms = end_ms_of(gauge, within_ms, series->times_ms[ended]);
		if (at_ms >= due_ms)
			return due_ms;
		do {
			ended++;
		} while (ended < window->count &&
		         end_ms_of(gauge, within_ms, series->times_ms[ended]) <= at_ms);
		struct level level = level_of(series, ended, window->count);
		if (step + 1 == GAUGE_STEPS_MAX || differs(window, &level))
			return at_ms;
	}
	return due_ms;
}

/* A walk over the windows, from the shortest on. */
struct walk {
	const struct gauge  *gauge;
	const struct series *series;
	int64_t              now_ms;
	int64_t              kept_ms;
	struct window        window;
};

static struct walk walk_from(const struct gauge *gauge, const struct series *series, uint32_t count,
                             int64_t now_ms)
{
	return (struct walk){
		.gauge   = gauge,
		.series  = series,
		.now_ms  = now_ms,
		.kept_ms = kept_from_ms(gauge, now_ms),
		.window  = {.end = gauge->lines, .ended = count, .count = count},
	};
}

static bool walk_next(struct walk *walk)
{
	struct window           *window = &walk->window;
	const struct gauge_line *end    = walk->gauge->lines + walk->gauge->count;
	window->begin                   = window->end;
	if (window->begin == end)
		return false;
	int64_t within_ms = window->begin->within_ms;
	while (window->end < end && window->end->within_ms == within_ms)
		window->end++;
	window->ended =
		first_within(walk->series, window->ended, within_ms, walk->kept_ms, walk->now_ms);
	window->level = level_of(walk->series, window->ended, window->count);
	return true;
}

/* Of the only event that there is: what it flips now, flips back when it ends. */
static int64_t climb_first(const struct gauge *gauge, const struct series *series, int64_t now_ms,
                           gauge_flip_list *flips)
{
	static const struct level nothing;
	const struct level        level   = {series_total(series, 1), 1};
	int64_t                   due_ms  = INSTANT_MS_NEVER;
	int64_t                   time_ms = series->times_ms[0];
	if (time_ms < kept_from_ms(gauge, now_ms))
		return due_ms;
	for (uint32_t i = 0; i < gauge->count; i++) {
		const struct gauge_line *line = &gauge->lines[i];
		bool                     now  = holds(line, &level);
		if (now == holds(line, &nothing) || now_ms - time_ms >= line->within_ms)
			continue;
		VECTOR_ADD(flips, (struct gauge_flip){line->leaf, line->rule, now});
		if (due_ms == INSTANT_MS_NEVER)
			due_ms = end_ms_of(gauge, line->within_ms, time_ms);
	}
	return due_ms;
}

int64_t gauge_climb(const struct gauge *gauge, const struct series *series, uint32_t happened,
                    uint32_t added, int64_t now_ms, gauge_flip_list *flips)
{
	int64_t  due_ms = INSTANT_MS_NEVER;
	__int128 amount = 0;
	bool     counts = added < happened;
	if (counts && happened == 1)
		return climb_first(gauge, series, now_ms, flips);
	if (counts)
		amount = series_total(series, added + 1) - series_total(series, added);
	struct walk          walk   = walk_from(gauge, series, happened, now_ms);
	const struct window *window = &walk.window;
	while (walk_next(&walk)) {
		if (counts && added >= window->ended) {
			const struct level before = {window->level.sum - amount, window->level.count - 1};
			note_flips(window, &before, flips);
		}
		due_ms = next_flip(gauge, series, window, due_ms);
	}
	return due_ms;
}

int64_t gauge_fall(const struct gauge *gauge, const struct series *series, int64_t at_ms,
                   gauge_flip_list *flips)
{
	int64_t              due_ms         = INSTANT_MS_NEVER;
	int64_t              kept_before_ms = kept_from_ms(gauge, at_ms - 1);
	struct walk          walk           = walk_from(gauge, series, series->count, at_ms);
	const struct window *window         = &walk.window;
	while (walk_next(&walk)) {
		if (flips != NULL) {
			uint32_t           ended = first_within(series, window->ended, window->begin->within_ms,
			                                        kept_before_ms, at_ms - 1);
			const struct level before = level_of(series, ended, window->count);
			note_flips(window, &before, flips);
		}
		due_ms = next_flip(gauge, series, window, due_ms);
	}
	return due_ms;
}
