#include "engine/aggregate.h"

#include <assert.h>
#include <stdlib.h>

#include "base/instant.h"
#include "model/evaluate.h"

/* How far a walk looks for the next flip before it is content with an earlier instant, at which the
 * timer will look on from there. */
enum { WALK_STEPS_MAX = 64 };

/* --- how many different hashes there are --- */

enum { SLOTS_HERE = 64 };

struct hash_slot {
	struct series_hash hash;
	uint32_t           count; /* 0: free, or taken by one that has left */
	bool               taken;
};

/* A multiset of hashes, open addressing, at most half full. Nothing is ever taken out. */
struct hash_count {
	struct hash_slot *slots;
	uint32_t          mask;
	uint32_t          distinct;
	struct hash_slot  here[SLOTS_HERE];
};

static void hash_count_init(struct hash_count *hashes, uint32_t count_max)
{
	uint32_t room = SLOTS_HERE;
	while (room < 2 * (uint64_t)count_max)
		room *= 2;
	hashes->mask     = room - 1;
	hashes->distinct = 0;
	hashes->slots    = hashes->here;
	if (room > SLOTS_HERE) {
		hashes->slots = calloc(room, sizeof *hashes->slots);
		if (hashes->slots == NULL)
			abort();
		return;
	}
	for (uint32_t i = 0; i < SLOTS_HERE; i++)
		hashes->here[i].taken = false;
}

static void hash_count_done(struct hash_count *hashes)
{
	if (hashes->slots != hashes->here)
		free(hashes->slots);
}

static struct hash_slot *slot_of(struct hash_count *hashes, const struct series_hash *hash)
{
	uint32_t at = (uint32_t)hash->low & hashes->mask;
	while (hashes->slots[at].taken &&
	       (hashes->slots[at].hash.low != hash->low || hashes->slots[at].hash.high != hash->high))
		at = (at + 1) & hashes->mask;
	if (!hashes->slots[at].taken)
		hashes->slots[at] = (struct hash_slot){.hash = *hash, .taken = true};
	return &hashes->slots[at];
}

static void hash_count_enter(struct hash_count *hashes, const struct series_hash *hash)
{
	hashes->distinct += slot_of(hashes, hash)->count++ == 0;
}

static void hash_count_leave(struct hash_count *hashes, const struct series_hash *hash)
{
	hashes->distinct -= --slot_of(hashes, hash)->count == 0;
}

/* --- one state of a walk --- */

/* A walk and what is kept of its last state, [begin, end), so that the next costs what differs. */
struct look {
	const struct plan_leaf *leaf;
	struct series_walk      walk;
	uint32_t                begin;
	uint32_t                end;
	uint32_t                extreme; /* of min, max: where in [begin, end) */
	bool                    counted; /* of distinct: `hashes` is in use */
	struct hash_count       hashes;
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

static bool missing_holds(const struct expr_test *test)
{
	return evaluate_test(test, &(struct value){.type = VALUE_NONE}, 0);
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
	struct value value = {.type   = VALUE_DOUBLE,
	                      .number = series_number(walk->series, look->extreme)};
	return evaluate_test(&look->leaf->test, &value, walk->at_ms);
}

static bool distinct_holds(struct look *look)
{
	const struct series_walk *walk  = &look->walk;
	uint32_t                  begin = walk->ended;
	uint32_t                  end   = is_empty(look) ? begin : walk->started;
	if (begin < end || look->counted) {
		const struct series_hash *hashes = series_hashes(walk->series);
		if (!look->counted)
			hash_count_init(&look->hashes, walk->series->count);
		look->counted = true;
		/* Of the last state those that have ended leave; what has both begun and ended since was
		 * never there. */
		for (uint32_t i = look->begin; i < look->end && i < begin; i++)
			hash_count_leave(&look->hashes, &hashes[i]);
		for (uint32_t i = look->end > begin ? look->end : begin; i < end; i++)
			hash_count_enter(&look->hashes, &hashes[i]);
	}
	return evaluate_count(&look->leaf->test, look->counted ? look->hashes.distinct : 0);
}

/* The event by whose time days are counted. */
static uint32_t days_since(const struct look *look)
{
	return look->leaf->aggregate == EXPR_DAYS_SINCE_FIRST ? look->walk.ended
	                                                      : look->walk.started - 1;
}

static bool days_hold(const struct look *look)
{
	const struct expr_test *test = &look->leaf->test;
	if (test->op == EXPR_EXISTS || test->op == EXPR_ABSENT)
		return test->op == EXPR_EXISTS;
	int64_t age_ms = look->walk.at_ms - look->walk.series->times_ms[days_since(look)];
	return evaluate_count(test, (uint64_t)(age_ms / DAY_MS));
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
	if (is_empty(look))
		return missing_holds(&leaf->test);
	switch (leaf->aggregate) {
	case EXPR_FIRST:
		return series_marks(walk->series, walk->ended) != 0;
	case EXPR_LAST:
		return series_marks(walk->series, walk->started - 1) != 0;
	case EXPR_DAYS_SINCE_FIRST:
	case EXPR_DAYS_SINCE_LAST:
		return days_hold(look);
	default:
		return extreme_holds(look);
	}
}

/* Whether the leaf holds in the walk's state, at its instant. */
static bool holds(struct look *look)
{
	bool result = state_holds(look);
	look->begin = look->walk.ended;
	look->end   = is_empty(look) ? look->begin : look->walk.started;
	return result;
}

/* --- time within a state --- */

static bool takes_days(const struct plan_leaf *leaf)
{
	return leaf->aggregate == EXPR_DAYS_SINCE_FIRST || leaf->aggregate == EXPR_DAYS_SINCE_LAST;
}

/* The next instant, while the same events count, at which the age in days may begin or cease to be
 * one that the test names: whole days after the event. */
static int64_t next_day_ms(const struct look *look)
{
	const struct expr_test *test    = &look->leaf->test;
	int64_t                 next_ms = INSTANT_MS_NEVER;
	if (!takes_days(look->leaf) || is_empty(look))
		return next_ms;
	int64_t since_ms = look->walk.series->times_ms[days_since(look)];
	int64_t days     = (look->walk.at_ms - since_ms) / DAY_MS;
	for (unsigned i = 0; i < test->value_count; i++) {
		/* Ages are compared with whole numbers: the answer changes at one and at the next. */
		double value = test->values[i].number;
		if (value + 1 <= (double)days || value > (double)(INSTANT_MS_MAX / DAY_MS))
			continue;
		int64_t reached = (int64_t)value <= days ? (int64_t)value + 1 : (int64_t)value;
		if (since_ms + reached * DAY_MS < next_ms)
			next_ms = since_ms + reached * DAY_MS;
	}
	return next_ms;
}

/* False: dropped too much to tell. */
static bool walk_to_flip(struct look *look, bool held, int64_t *ret_next_ms)
{
	for (unsigned step = 0; step < WALK_STEPS_MAX; step++) {
		int64_t day_ms = next_day_ms(look);
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
		hash_count_done(&look.hashes);
	if (known)
		*ret_holds = held;
	return known;
}
