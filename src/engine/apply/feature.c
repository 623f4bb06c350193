#include "engine/apply/feature.h"

#include <assert.h>

#include "base/instant.h"

static uint32_t steps_matched(const struct plan_feature *feature, const struct record *record,
                              int64_t now_ms)
{
	return sequence_steps(feature->sequence, record->name, record->properties, record->context,
	                      now_ms);
}

bool feature_concerns(const struct plan_feature *feature, const struct record *record,
                      int64_t now_ms)
{
	if (feature->relative)
		return true;
	if (feature->sequence != NULL)
		return steps_matched(feature, record, now_ms) != 0;
	return evaluate_where(feature->where, record->properties, record->context, now_ms);
}

/* What lies in the future does not take the room of what has happened. */
static unsigned cap_at(const struct plan_feature *feature, const struct series *series,
                       int64_t time_ms, int64_t now_ms)
{
	if (feature->cap == SERIES_UNLIMITED)
		return SERIES_UNLIMITED;
	unsigned future = time_ms > now_ms;
	if (series != NULL)
		for (uint32_t i = series->count; i > 0 && series->times_ms[i - 1] > now_ms; i--)
			future++;
	return feature->cap + future;
}

static struct series *add(struct series *series, const struct plan_feature *feature, unsigned cap,
                          int64_t time_ms, union series_item item)
{
	if (series == NULL)
		series = series_new(feature->kind);
	return series_add(series, cap, time_ms, item);
}

/* --- what an event brings --- */

static struct series *add_keys(struct series *series, const struct plan_feature *feature,
                               unsigned cap, int64_t time_ms, const struct value *value)
{
	union series_item      item;
	struct distinct_reader reader = evaluate_distinct(value);
	while (distinct_next(&reader, &item.key))
		series = add(series, feature, cap, time_ms, item);
	return series;
}

static struct series *add_mark(struct series *series, const struct plan_feature *feature,
                               unsigned cap, const struct record *record, int64_t time_ms,
                               int64_t now_ms)
{
	if (feature->sequence != NULL)
		return add(series, feature, cap, time_ms,
		           (union series_item){.marks = steps_matched(feature, record, now_ms)});

	struct value value = evaluate_property(&feature->property, record->properties, record->context);
	if (!evaluate_exists(&value))
		return series;
	return add(series, feature, cap, time_ms,
	           (union series_item){.marks = evaluate_test(feature->marks, &value, now_ms)});
}

static struct series *take(struct series *series, const struct plan_feature *feature, unsigned cap,
                           const struct record *record, int64_t time_ms, int64_t now_ms)
{
	union series_item item = {0};
	struct value      value;
	switch (feature->kind) {
	case SERIES_TIMES:
		return add(series, feature, cap, time_ms, item);
	case SERIES_TOTALS:
		if (!evaluate_amount(&feature->property, record->properties, record->context,
		                     &item.amount_millionths))
			return series;
		return add(series, feature, cap, time_ms, item);
	case SERIES_NUMBERS:
		value = evaluate_property(&feature->property, record->properties, record->context);
		if (!value_number(&value, &item.number))
			return series;
		return add(series, feature, cap, time_ms, item);
	case SERIES_KEYS:
		value = evaluate_property(&feature->property, record->properties, record->context);
		return add_keys(series, feature, cap, time_ms, &value);
	case SERIES_MARKS:
		return add_mark(series, feature, cap, record, time_ms, now_ms);
	case SERIES_KIND_COUNT:
		break;
	}
	assert(false);
	return series;
}

static bool passes(const struct plan_feature *feature, const struct record *record, int64_t now_ms)
{
	if (feature->sequence != NULL)
		return steps_matched(feature, record, now_ms) != 0;
	return (feature->event.length == 0 || text_equal(feature->event, record->name)) &&
	       evaluate_where(feature->where, record->properties, record->context, now_ms);
}

bool feature_matches(const struct plan_feature *feature, const struct record *record,
                     int64_t now_ms)
{
	if (!passes(feature, record, now_ms))
		return false;
	struct series *series = take(NULL, feature, SERIES_UNLIMITED, record, 0, now_ms);
	series_free(series);
	return series != NULL;
}

struct series *feature_add(const struct feature *feature, struct series *series,
                           const struct record *record, int64_t time_ms, int64_t now_ms,
                           bool *ret_longer)
{
	const struct plan_feature *plan = feature->plan;
	*ret_longer                     = false;
	if (plan->relative)
		return series;
	if (series != NULL && series->count == series->room && plan->cap == SERIES_UNLIMITED)
		series_forget(series, &feature->kept, now_ms);
	uint32_t before = series == NULL ? 0 : series->count;
	series = take(series, plan, cap_at(plan, series, time_ms, now_ms), record, time_ms, now_ms);
	*ret_longer = series != NULL && series->count > before;
	return series;
}

/* --- from the stored events --- */

/* When the event may pass some relative test another way. */
static int64_t change_ms(const struct plan_feature *feature, const struct record *record,
                         int64_t now_ms)
{
	if (feature->sequence != NULL)
		return sequence_steps_next_ms(feature->sequence, record->name, record->properties,
		                              record->context, now_ms);
	int64_t next_ms =
		evaluate_where_next_ms(feature->where, record->properties, record->context, now_ms);
	if (feature->marks != NULL) {
		struct value value =
			evaluate_property(&feature->property, record->properties, record->context);
		int64_t mark_ms = evaluate_test_next_ms(feature->marks, &value, now_ms);
		if (mark_ms < next_ms)
			next_ms = mark_ms;
	}
	return next_ms;
}

/* The name that all steps ask for, if it is one; empty: any. */
static struct text name_asked_for(const struct plan_feature *feature)
{
	if (feature->step_count == 0)
		return feature->event;
	struct text name = feature->steps[0].event;
	for (unsigned i = 1; i < feature->step_count; i++)
		if (!text_equal(name, feature->steps[i].event))
			return (struct text){0};
	return name;
}

/* Whether the event's name is one that the feature asks for. */
static bool may_match(const struct plan_feature *feature, const struct record *record)
{
	for (unsigned i = 0; i < feature->step_count; i++)
		if (feature->steps[i].event.length == 0 ||
		    text_equal(feature->steps[i].event, record->name))
			return true;
	return feature->step_count == 0 &&
	       (feature->event.length == 0 || text_equal(feature->event, record->name));
}

static void read_events(struct partition *partition, uint32_t slot, struct text name,
                        const struct feature_scan *scan, int64_t now_ms)
{
	const struct events_query query = {
		.name               = name,
		.from_ms            = scan->from_ms,
		.to_ms              = scan->to_ms,
		.through_position   = partition->stored_position,
		.received_before_ms = scan->received_before_ms,
		.now_ms             = now_ms,
		.retention_ms       = partition->retention_ms,
	};
	event_list_clear(&partition->scratch_events);
	facts_read(partition, slot, &query, NULL, &partition->scratch_events);
}

void feature_scan(struct partition *partition, uint32_t slot, const struct plan_feature *feature,
                  int64_t now_ms, struct feature_scan *scan)
{
	read_events(partition, slot, name_asked_for(feature), scan, now_ms);
	scan->change_ms = INSTANT_MS_NEVER;
	scan->series    = NULL;
	for (size_t i = 0; i < partition->scratch_events.count; i++) {
		const struct event  *event  = &partition->scratch_events.items[i];
		const struct record *record = &event->record;
		if (feature->relative && may_match(feature, record)) {
			int64_t next_ms = change_ms(feature, record, now_ms);
			if (next_ms < scan->change_ms)
				scan->change_ms = next_ms;
		}
		if (passes(feature, record, now_ms))
			scan->series =
				take(scan->series, feature, SERIES_UNLIMITED, record, event->time_ms, now_ms);
	}
}

static void build_one(struct partition *partition, struct profile *profile, uint32_t index,
                      int64_t now_ms)
{
	const struct feature      *feature   = &partition->catalog.features.items[index];
	const struct plan_feature *plan      = feature->plan;
	struct series             *series    = NULL;
	bool                       concerned = false;
	for (size_t i = 0; i < partition->scratch_events.count; i++) {
		const struct event *event = &partition->scratch_events.items[i];
		if (!may_match(plan, &event->record) ||
		    (plan->cap == SERIES_UNLIMITED &&
		     span_end_ms(&feature->kept, event->time_ms) <= now_ms))
			continue;
		if (plan->relative)
			concerned = true;
		else if (passes(plan, &event->record, now_ms))
			series = take(series, plan, cap_at(plan, series, event->time_ms, now_ms),
			              &event->record, event->time_ms, now_ms);
	}
	if (series == NULL && !concerned)
		return;
	struct person_feature *kept = profile_feature_add(&partition->profiles, profile, index);
	kept->series                = series;
	profiles_count_series(&partition->profiles, 0, series_bytes(series));
}

void feature_build(struct partition *partition, uint32_t slot, struct profile *profile,
                   const index_list *features, int64_t now_ms)
{
	if (features->count == 0)
		return;
	struct text name =
		features->count > 1
			? (struct text){0}
			: name_asked_for(partition->catalog.features.items[features->items[0]].plan);
	const struct feature_scan all = {.from_ms = INT64_MIN, .to_ms = INT64_MAX};
	read_events(partition, slot, name, &all, now_ms);
	for (size_t i = 0; i < features->count && partition->scratch_events.count > 0; i++)
		build_one(partition, profile, features->items[i], now_ms);
}

/* --- forgetting --- */

static bool has_ended(const struct feature *feature, const struct person_feature *kept,
                      int64_t now_ms)
{
	const struct series *series = kept->series;
	return kept->next_ms == INSTANT_MS_NEVER && series != NULL &&
	       (series->count == 0 ||
	        span_end_ms(&feature->kept, series->times_ms[series->count - 1]) <= now_ms);
}

void feature_forget(struct partition *partition, struct profile *profile, int64_t now_ms)
{
	uint32_t count = profile->features == NULL ? 0 : profile->features->count;
	while (count-- > 0) {
		const struct person_feature *kept = &profile->features->items[count];
		if (has_ended(&partition->catalog.features.items[kept->feature], kept, now_ms))
			profile_feature_remove(&partition->profiles, profile, kept->feature);
	}
}
