#include "engine/apply/aggregate.h"

#include <assert.h>
#include <stdlib.h>

#include "base/instant.h"
#include "model/evaluate.h"

/* How far a walk looks for the next flip before it is content with an earlier instant, at which the
 * timer will look on from there. */
enum { WALK_STEPS_MAX = 64 };

/* --- how many different keys there are --- */

enum { SLOTS_HERE = 64 };

struct key_slot {
	struct distinct_key key;
	uint32_t            count; /* 0: free, or taken by one that has left */
	bool                taken;
};

/* A multiset of keys, open addressing, at most half full. Nothing is ever taken out. */
struct key_count {
	struct key_slot *slots;
	uint32_t         mask;
	uint32_t         distinct;
	struct key_slot  here[SLOTS_HERE];
};

static void key_count_init(struct key_count *keys, uint32_t count_max)
{
	uint32_t room = SLOTS_HERE;
	while (room < 2 * (uint64_t)count_max)
		room *= 2;
	keys->mask     = room - 1;
	keys->distinct = 0;
	keys->slots    = keys->here;
	if (room > SLOTS_HERE) {
		keys->slots = calloc(room, sizeof *keys->slots);
		if (keys->slots == NULL)
			abort();
		return;
	}
	for (uint32_t i = 0; i < SLOTS_HERE; i++)
		keys->here[i].taken = false;
}

static void key_count_done(struct key_count *keys)
{
	if (keys->slots != keys->here)
		free(keys->slots);
}

static struct key_slot *slot_of(struct key_count *keys, const struct distinct_key *key)
{
	/* Of numbers the low bits are mostly 0. */
	uint32_t at =
		(uint32_t)((key->low ^ key->high) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & keys->mask;
	while (keys->slots[at].taken &&
	       (keys->slots[at].key.low != key->low || keys->slots[at].key.high != key->high))
		at = (at + 1) & keys->mask;
	if (!keys->slots[at].taken)
		keys->slots[at] = (struct key_slot){.key = *key, .taken = true};
	return &keys->slots[at];
}

static void key_count_enter(struct key_count *keys, const struct distinct_key *key)
{
	keys->distinct += slot_of(keys, key)->count++ == 0;
}

static void key_count_leave(struct key_count *keys, const struct distinct_key *key)
{
	keys->distinct -= --slot_of(keys, key)->count == 0;
}

/* --- one state of a walk --- */

/* A walk and what is kept of its last state, [begin, end), so that the next costs what differs. */
struct look {
	const struct plan_leaf *leaf;
	struct series_walk      walk;
	uint32_t                begin;
	uint32_t                end;
	uint32_t                extreme; /* of min, max: where in [begin, end) */
	bool                    counted; /* of distinct: `keys` is in use */
	struct key_count        keys;
};

static bool is_empty(const struct look *look) { return look->walk.value.count == 0; }

/* Whether a series that has dropped some can tell all the same: whatever else may count would not
 * make a difference. */
static bool decided(const struct look *look)
{
	const struct series_value *value = &look->walk.value;
	if (value->complete)
		return true;
	switch (look->leaf->aggregate) {
	case EXPR_COUNT:
		return value->count > look->leaf->value_max;
	case EXPR_LAST:
	case EXPR_DAYS_SINCE_LAST:
		return value->count > 0;
	default:
		return false;
	}
}

/* Whether the number at `at` is further out than the one at `than`. */
static bool is_further(const struct look *look, uint32_t at, uint32_t than)
{
	double number = series_number(look->walk.series, at);
	double with   = series_number(look->walk.series, than);
	return look->leaf->aggregate == EXPR_MIN ? number <= with : number >= with;
}

static bool extreme_holds(struct look *look)
{
	const struct series_walk *walk = &look->walk;
	bool                      kept = look->begin < look->end && look->extreme >= walk->ended;
	uint32_t                  next = kept ? look->end : walk->ended + 1;
	if (!kept)
		look->extreme = walk->ended;
	for (; next < walk->started; next++)
		if (is_further(look, next, look->extreme))
			look->extreme = next;
	double number = series_number(walk->series, look->extreme);
	return evaluate_extreme(&look->leaf->test, &number);
}

static bool distinct_holds(struct look *look)
{
	const struct series_walk *walk  = &look->walk;
	uint32_t                  begin = walk->ended;
	uint32_t                  end   = is_empty(look) ? begin : walk->started;
	if (begin < end || look->counted) {
		const struct distinct_key *keys = series_keys(walk->series);
		if (!look->counted)
			key_count_init(&look->keys, walk->series->count);
		look->counted = true;
		/* Of the last state those that have ended leave; what has both begun and ended since was
		 * never there. */
		for (uint32_t i = look->begin; i < look->end && i < begin; i++)
			key_count_leave(&look->keys, &keys[i]);
		for (uint32_t i = look->end > begin ? look->end : begin; i < end; i++)
			key_count_enter(&look->keys, &keys[i]);
	}
	return evaluate_count(&look->leaf->test, look->counted ? look->keys.distinct : 0);
}

static bool takes_days(const struct plan_leaf *leaf)
{
	return leaf->aggregate == EXPR_DAYS_SINCE_FIRST || leaf->aggregate == EXPR_DAYS_SINCE_LAST;
}

/* The time from which days are counted. */
static int64_t since_ms(const struct look *look)
{
	if (is_empty(look))
		return INSTANT_MS_NONE;
	return look->walk.series
	    ->times_ms[look->leaf->aggregate == EXPR_DAYS_SINCE_FIRST ? look->walk.ended
	                                                              : look->walk.started - 1];
}

static bool state_holds(struct look *look)
{
	const struct plan_leaf   *leaf = look->leaf;
	const struct series_walk *walk = &look->walk;
	switch (leaf->aggregate) {
	case EXPR_COUNT:
		return evaluate_count(&leaf->test, walk->value.count);
	case EXPR_SUM:
		return evaluate_sum(&leaf->test, walk->value.sum);
	case EXPR_AVG:
		return evaluate_average(&leaf->test, walk->value.sum, walk->value.count);
	case EXPR_DISTINCT:
		return distinct_holds(look);
	default:
		break;
	}
	if (takes_days(leaf))
		return evaluate_days(&leaf->test, since_ms(look), walk->at_ms);
	if (leaf->aggregate == EXPR_MIN || leaf->aggregate == EXPR_MAX)
		return is_empty(look) ? evaluate_extreme(&leaf->test, NULL) : extreme_holds(look);
	if (is_empty(look))
		return evaluate_test(&leaf->test, &(struct value){.type = VALUE_NONE}, walk->at_ms);
	return series_marks(walk->series,
	                    leaf->aggregate == EXPR_FIRST ? walk->ended : walk->started - 1) != 0;
}

/* Whether the leaf holds in the walk's state, at its instant. */
static bool holds(struct look *look)
{
	bool result = state_holds(look);
	look->begin = look->walk.ended;
	look->end   = is_empty(look) ? look->begin : look->walk.started;
	return result;
}

/* False: dropped too much to tell. */
static bool walk_to_flip(struct look *look, bool held, int64_t *ret_next_ms)
{
	for (unsigned step = 0; step < WALK_STEPS_MAX; step++) {
		int64_t day_ms =
			takes_days(look->leaf)
				? evaluate_days_next_ms(&look->leaf->test, since_ms(look), look->walk.at_ms)
				: INSTANT_MS_NEVER;
		if (!series_walk_next(&look->walk) || look->walk.at_ms > day_ms) {
			*ret_next_ms = day_ms;
			return true;
		}
		if (!decided(look))
			return false;
		if (holds(look) != held)
			break;
	}
	*ret_next_ms = look->walk.at_ms;
	return true;
}

bool aggregate_look(const struct plan_leaf *leaf, const struct series *series, int64_t now_ms,
                    bool *ret_holds, int64_t *ret_next_ms)
{
	struct look look;
	look.leaf  = leaf;
	look.walk  = series_walk_from(series, &leaf->span, now_ms);
	look.begin = look.end = 0;
	look.counted          = false;
	if (!decided(&look))
		return false;

	bool held  = holds(&look);
	bool known = ret_next_ms == NULL || walk_to_flip(&look, held, ret_next_ms);
	if (look.counted)
		key_count_done(&look.keys);
	if (known)
		*ret_holds = held;
	return known;
}
