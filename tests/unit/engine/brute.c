#include "brute.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/decimal.h"
#include "base/hash.h"
#include "base/instant.h"
#include "model/evaluate.h"

static bool exists_at(const struct brute *brute, int64_t time_ms, int64_t now_ms)
{
	return now_ms < instant_floor_day_ms(time_ms) + brute->retention_ms;
}

static bool passes(const struct brute_event *fact, struct text name, const struct expr_where *where,
                   int64_t now_ms)
{
	if (!text_equal(name, TEXT("*")) && !text_equal(name, fact->name))
		return false;
	struct arena arena;
	arena_init(&arena);
	bool holds = evaluate_where(evaluate_compile_where(where, &arena), fact->properties,
	                            (struct text){0}, now_ms);
	arena_done(&arena);
	return holds;
}

static bool in_span(const struct brute *brute, const struct expr_event *event, int64_t time_ms,
                    int64_t now_ms)
{
	if (event->from_ms != INSTANT_MS_NONE && (time_ms < event->from_ms || time_ms >= event->to_ms))
		return false;
	if (event->within_ms > 0 && now_ms >= time_ms + event->within_ms)
		return false;
	return time_ms + event->until_ms <= now_ms && exists_at(brute, time_ms, now_ms);
}

/* In the order of time, and of acceptance among equal ones. */
typedef VECTOR(const struct brute_event *) fact_list;

static int compare_facts(const void *left, const void *right)
{
	const struct brute_event *a = *(const struct brute_event *const *)left;
	const struct brute_event *b = *(const struct brute_event *const *)right;
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	return (a > b) - (a < b);
}

static void sort_facts(fact_list *facts)
{
	if (facts->count > 0)
		qsort(facts->items, facts->count, sizeof *facts->items, compare_facts);
}

static struct value number_value(double number)
{
	return (struct value){.type = VALUE_DOUBLE, .number = number};
}

static struct value property_of(const struct brute_event *fact, struct text property)
{
	if (!text_equal(property, TEXT("$amount")))
		return value_find(fact->properties, property, hash_name(property));
	static const char *const names[] = {"revenue", "amount", "total", "value"};
	for (unsigned i = 0; i < 4; i++) {
		double       number;
		struct value value =
			value_find(fact->properties, text_of(names[i]), hash_name(text_of(names[i])));
		if (value_number(&value, &number))
			return value;
	}
	return (struct value){0};
}

static bool sum_passes(const struct expr_test *test, __int128 sum, int64_t count)
{
	bool among = false;
	for (unsigned i = 0; i < test->value_count; i++)
		among |= sum == (__int128)test->values[i].millionths * count;
	__int128 with = test->value_count == 0 ? 0 : (__int128)test->values[0].millionths * count;
	switch (test->op) {
	case EXPR_EQ:
	case EXPR_IN:
		return among;
	case EXPR_NEQ:
	case EXPR_NOT_IN:
		return !among;
	case EXPR_GT:
		return sum > with;
	case EXPR_GTE:
		return sum >= with;
	case EXPR_LT:
		return sum < with;
	case EXPR_LTE:
		return sum <= with;
	default:
		return test->op == EXPR_EXISTS;
	}
}

/* sum and avg. */
static bool amounts_hold(const struct expr_event *event, const fact_list *facts)
{
	__int128 sum   = 0;
	int64_t  count = 0;
	for (size_t i = 0; i < facts->count; i++) {
		double       number;
		int64_t      amount;
		struct value value = property_of(facts->items[i], event->property);
		if (!value_number(&value, &number) || !decimal_of(number, &amount))
			continue;
		sum += amount;
		count++;
	}
	if (event->aggregate == EXPR_SUM)
		return sum_passes(&event->test, sum, 1);
	if (count == 0)
		return evaluate_test(&event->test, &(struct value){0}, 0);
	return sum_passes(&event->test, sum, count);
}

static bool extreme_holds(const struct expr_event *event, const fact_list *facts)
{
	struct value extreme = {0};
	for (size_t i = 0; i < facts->count; i++) {
		double       number;
		struct value value = property_of(facts->items[i], event->property);
		if (!value_number(&value, &number))
			continue;
		if (extreme.type == VALUE_NONE ||
		    (event->aggregate == EXPR_MIN ? number < extreme.number : number > extreme.number))
			extreme = number_value(number);
	}
	return evaluate_test(&event->test, &extreme, 0);
}

/* Values and items of sets, as texts in which different ones differ. */
struct items {
	char  *texts[1024];
	size_t count;
};

static void put_item(struct items *items, const char *type, struct text text)
{
	struct buffer item = {0};
	buffer_printf(&item, "%s:%.*s", type, (int)text.length, text.data);
	buffer_add_u8(&item, 0);
	for (size_t i = 0; i < items->count; i++) {
		if (strcmp(items->texts[i], item.data) == 0) {
			buffer_done(&item);
			return;
		}
	}
	if (items->count == sizeof items->texts / sizeof items->texts[0])
		abort();
	items->texts[items->count++] = item.data;
}

static bool distinct_holds(const struct expr_event *event, const fact_list *facts)
{
	struct items items = {.count = 0};
	for (size_t i = 0; i < facts->count; i++) {
		struct value value = property_of(facts->items[i], event->property);
		double       number;
		char         digits[64];
		if (value_number(&value, &number)) {
			snprintf(digits, sizeof digits, "%.17g", number + 0.0);
			put_item(&items, "number", text_of(digits));
		} else if (value.type == VALUE_TRUE || value.type == VALUE_FALSE) {
			put_item(&items, "boolean", value.type == VALUE_TRUE ? TEXT("yes") : TEXT("no"));
		} else if (value.type == VALUE_STRING) {
			put_item(&items, "string", value.text);
		} else if (value.type == VALUE_STRING_SET) {
			struct byte_reader set = byte_reader_of(value.text.data, value.text.length);
			struct text        item;
			while (value_set_next(&set, &item))
				put_item(&items, "string", item);
		}
	}
	struct value count = number_value((double)items.count);
	for (size_t i = 0; i < items.count; i++)
		free(items.texts[i]);
	return evaluate_test(&event->test, &count, 0);
}

static bool usable(const struct value *value)
{
	return value->type != VALUE_NONE && value->type != VALUE_NULL && value->type != VALUE_ARRAY &&
	       value->type != VALUE_OBJECT;
}

/* first, last. */
static bool end_holds(const struct expr_event *event, const fact_list *facts, int64_t now_ms)
{
	struct value found = {0};
	for (size_t i = 0; i < facts->count; i++) {
		struct value value = property_of(facts->items[i], event->property);
		if (usable(&value) && (event->aggregate == EXPR_LAST || found.type == VALUE_NONE))
			found = value;
	}
	return evaluate_test(&event->test, &found, now_ms);
}

static bool days_hold(const struct expr_event *event, const fact_list *facts, int64_t now_ms)
{
	struct value days = {0};
	if (facts->count > 0) {
		size_t at = event->aggregate == EXPR_DAYS_SINCE_FIRST ? 0 : facts->count - 1;
		days      = number_value((double)((now_ms - facts->items[at]->time_ms) / DAY_MS));
	}
	return evaluate_test(&event->test, &days, now_ms);
}

static bool aggregate_holds(const struct expr_event *event, const fact_list *facts, int64_t now_ms)
{
	switch (event->aggregate) {
	case EXPR_SUM:
	case EXPR_AVG:
		return amounts_hold(event, facts);
	case EXPR_MIN:
	case EXPR_MAX:
		return extreme_holds(event, facts);
	case EXPR_DISTINCT:
		return distinct_holds(event, facts);
	case EXPR_FIRST:
	case EXPR_LAST:
		return end_holds(event, facts, now_ms);
	case EXPR_DAYS_SINCE_FIRST:
	case EXPR_DAYS_SINCE_LAST:
		return days_hold(event, facts, now_ms);
	default: {
		struct value count = number_value((double)facts->count);
		return evaluate_test(&event->test, &count, now_ms);
	}
	}
}

static bool event_holds(const struct brute *brute, uint32_t slot, const struct expr_event *event,
                        int64_t now_ms)
{
	fact_list facts = {0};
	for (size_t i = 0; i < brute->events.count; i++) {
		const struct brute_event *fact = &brute->events.items[i];
		if (fact->slot == slot && in_span(brute, event, fact->time_ms, now_ms) &&
		    passes(fact, event->name, event->where, now_ms))
			VECTOR_ADD(&facts, fact);
	}
	sort_facts(&facts);
	bool holds = aggregate_holds(event, &facts, now_ms);
	VECTOR_DONE(&facts);
	return holds;
}

/* Whether some chain begins with event `first` of the list: of the step before the last it is
 * enough to know the earliest event by which it can be reached. */
static bool chain_begins(const struct expr_sequence *sequence, const fact_list *facts, size_t first,
                         int64_t now_ms)
{
	size_t at = first;
	if (!passes(facts->items[first], sequence->steps[0].name, sequence->steps[0].where, now_ms))
		return false;
	for (unsigned step = 1; step + 1 < sequence->step_count; step++) {
		do
			at++;
		while (at < facts->count && !passes(facts->items[at], sequence->steps[step].name,
		                                    sequence->steps[step].where, now_ms));
		if (at >= facts->count)
			return false;
	}
	const struct expr_step *last_step = &sequence->steps[sequence->step_count - 1];
	for (size_t last = at + 1; last < facts->count; last++) {
		int64_t last_ms = facts->items[last]->time_ms;
		if (passes(facts->items[last], last_step->name, last_step->where, now_ms) &&
		    (sequence->within_ms == 0 ||
		     last_ms - facts->items[first]->time_ms < sequence->within_ms) &&
		    (sequence->ended_within_ms == 0 || now_ms < last_ms + sequence->ended_within_ms))
			return true;
	}
	return false;
}

static bool sequence_found(const struct brute *brute, uint32_t slot,
                           const struct expr_sequence *sequence, int64_t now_ms)
{
	fact_list facts = {0};
	for (size_t i = 0; i < brute->events.count; i++) {
		const struct brute_event *fact = &brute->events.items[i];
		if (fact->slot == slot && fact->time_ms <= now_ms &&
		    exists_at(brute, fact->time_ms, now_ms))
			VECTOR_ADD(&facts, fact);
	}
	sort_facts(&facts);
	bool found = false;
	for (size_t first = 0; first < facts.count && !found; first++)
		found = chain_begins(sequence, &facts, first, now_ms);
	VECTOR_DONE(&facts);
	return found;
}

bool brute_holds(const struct brute *brute, uint32_t slot, struct text traits,
                 const struct expr *expr, int64_t now_ms)
{
	switch (expr->kind) {
	case EXPR_AND:
		for (unsigned i = 0; i < expr->count; i++)
			if (!brute_holds(brute, slot, traits, expr->operands[i], now_ms))
				return false;
		return true;
	case EXPR_OR:
		for (unsigned i = 0; i < expr->count; i++)
			if (brute_holds(brute, slot, traits, expr->operands[i], now_ms))
				return true;
		return false;
	case EXPR_NOT:
		return !brute_holds(brute, slot, traits, expr->operands[0], now_ms);
	case EXPR_EVENT:
		return event_holds(brute, slot, &expr->event, now_ms);
	case EXPR_SEQUENCE:
		return sequence_found(brute, slot, &expr->sequence, now_ms);
	case EXPR_TRAIT: {
		struct value value = {0};
		if (text_equal(expr->trait.name, TEXT("$identified")))
			value.type = VALUE_TRUE;
		else if (traits.length > 0)
			value = value_find(traits, expr->trait.name, hash_name(expr->trait.name));
		return evaluate_test(&expr->trait.test, &value, now_ms);
	}
	case EXPR_SEGMENT:
		return brute_holds(brute, slot, traits, brute->segments[expr->segment.number], now_ms);
	}
	return false;
}
