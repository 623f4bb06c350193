#include "engine/feature.h"

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

struct series *feature_add(const struct plan_feature *feature, struct series *series,
                           const struct record *record, int64_t time_ms, int64_t now_ms)
{
	if (feature->relative)
		return series;
	return take(series, feature, cap_at(feature, series, time_ms, now_ms), record, time_ms, now_ms);
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

/* Of a sequence whose steps are relative: those of another name do not concern it ever. */
static bool may_match(const struct plan_feature *feature, const struct record *record)
{
	for (unsigned i = 0; i < feature->step_count; i++)
		if (feature->steps[i].event.length == 0 ||
		    text_equal(feature->steps[i].event, record->name))
			return true;
	return feature->step_count == 0;
}

static void scan_events(struct partition *partition, uint32_t slot,
                        const struct plan_feature *feature, bool capped, int64_t now_ms,
                        struct feature_scan *scan)
{
	const struct events_query query = {
		.name             = name_asked_for(feature),
		.from_ms          = scan->from_ms,
		.to_ms            = scan->to_ms,
		.through_position = partition->stored_position,
		.now_ms           = now_ms,
		.retention_ms     = partition->retention_ms,
	};
	event_list *list = &partition->scratch_events;
	list->count      = 0;
	events_read(partition->events, slot, &query, list);

	scan->change_ms = INSTANT_MS_NEVER;
	scan->concerned = false;
	scan->series    = NULL;
	for (size_t i = 0; i < list->count; i++) {
		const struct record *record = &list->items[i].record;
		if (!may_match(feature, record))
			continue;
		scan->concerned |= feature->relative;
		if (feature->relative) {
			int64_t next_ms = change_ms(feature, record, now_ms);
			if (next_ms < scan->change_ms)
				scan->change_ms = next_ms;
		}
		if (!passes(feature, record, now_ms))
			continue;
		scan->concerned = true;
		unsigned cap    = capped ? cap_at(feature, scan->series, list->items[i].time_ms, now_ms)
		                         : SERIES_UNLIMITED;
		scan->series    = take(scan->series, feature, cap, record, list->items[i].time_ms, now_ms);
	}
}

void feature_scan(struct partition *partition, uint32_t slot, const struct plan_feature *feature,
                  int64_t now_ms, struct feature_scan *scan)
{
	scan_events(partition, slot, feature, false, now_ms, scan);
}

void feature_build(struct partition *partition, uint32_t slot, struct profile *profile,
                   uint32_t index, int64_t now_ms)
{
	const struct plan_feature *feature = partition->catalog.features.items[index].plan;
	struct feature_scan        scan    = {.from_ms = INT64_MIN, .to_ms = INT64_MAX};
	scan_events(partition, slot, feature, true, now_ms, &scan);
	if (feature->relative) {
		series_free(scan.series);
		scan.series = NULL;
	} else if (scan.series == NULL) {
		return;
	}
	if (!scan.concerned)
		return;
	struct person_feature *kept = profile_feature_add(&partition->profiles, profile, index);
	kept->series                = scan.series;
	partition->profiles.bytes += series_bytes(scan.series);
}
