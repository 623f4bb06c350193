#include "engine/partition.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/instant.h"
#include "engine/activate.h"
#include "engine/ahead.h"
#include "engine/build.h"
#include "engine/feature.h"
#include "engine/leaf.h"
#include "engine/look.h"
#include "engine/preview.h"
#include "engine/step.h"

struct partition *partition_new(uint32_t number, int64_t retention_ms, struct events_budget *budget,
                                struct plan_cache *plans)
{
	struct partition *partition = calloc(1, sizeof *partition);
	if (partition == NULL)
		abort();
	partition->number       = number;
	partition->retention_ms = retention_ms;
	partition->plans        = plans;
	partition->events       = events_new(number, budget);
	/* Instants before 1970 do not occur as log times. */
	timers_init(&partition->timers, -1);
	catalog_init(&partition->catalog);
	return partition;
}

void partition_free(struct partition *partition)
{
	while (partition->builds != NULL)
		build_drop(partition, partition->builds);
	for (size_t i = 0; i < partition->level_count; i++)
		VECTOR_DONE(&partition->levels[i]);
	free(partition->levels);
	profiles_done(&partition->profiles);
	events_free(partition->events);
	timers_done(&partition->timers);
	catalog_done(&partition->catalog);
	changes_done(&partition->changes);
	future_done(&partition->future);
	names_done(&partition->names);
	resume_done(&partition->resume);
	VECTOR_DONE(&partition->due);
	VECTOR_DONE(&partition->scratch_events);
	VECTOR_DONE(&partition->scratch_steps);
	VECTOR_DONE(&partition->found);
	VECTOR_DONE(&partition->ahead);
	VECTOR_DONE(&partition->touched);
	VECTOR_DONE(&partition->before);
	VECTOR_DONE(&partition->crossed);
	VECTOR_DONE(&partition->begun);
	free(partition);
}

/* A record under way. */
struct arrival {
	const struct record *record;
	struct text          encoded;
	int64_t              received_ms;
	int64_t              time_ms;
	bool                 marked;
	uint64_t             position;
	const uint32_t      *features; /* that an event matches */
	size_t               feature_count;
};

/* The person of a record; comes into being by it where need be, in a step of its own (rule 22). */
static struct profile *person_of(struct partition *partition, const struct arrival *arrival)
{
	uint32_t        slot    = arrival->record->slot;
	struct profile *profile = profiles_place(&partition->profiles, slot);
	if (profile->exists)
		return profile;

	*profile = (struct profile){
		.exists          = true,
		.identified      = (arrival->record->flags & RECORD_IDENTIFIED) != 0,
		.created_ms      = arrival->received_ms,
		.armed_ms        = INSTANT_MS_NEVER,
		.newest_event_ms = INSTANT_MS_NONE,
	};
	partition->profiles.person_count++;
	partition->profiles.identified_count += profile->identified;
	step_emit(
		partition, profile,
		(struct change){
			.slot = slot, .entered = true, .cause = CAUSE_CREATED, .at_ms = arrival->received_ms});
	return profile;
}

static bool is_duplicate(struct partition *partition, const struct arrival *arrival)
{
	const struct record *record = arrival->record;
	if (record->message_id.length == 0 ||
	    !events_seen(partition->events, record->slot, record->message_id, arrival->position,
	                 arrival->received_ms, partition->retention_ms))
		return false;
	atomic_fetch_add_explicit(&partition->events_duplicate, 1, memory_order_relaxed);
	return true;
}

static void store(struct partition *partition, const struct arrival *arrival)
{
	const struct event event = {
		.time_ms         = arrival->time_ms,
		.received_ms     = arrival->received_ms,
		.position        = arrival->position,
		.stored_position = arrival->position,
		.partition       = partition->number,
		.marked          = arrival->marked,
		.record          = *arrival->record,
	};
	events_add(partition->events, arrival->record->slot, arrival->encoded, &event);
	if (arrival->position > partition->stored_position)
		partition->stored_position = arrival->position;
}

/* Whether nothing is to be thought of but the time itself. */
static bool is_plain(const struct feature *feature, const struct series *series,
                     const struct arrival *arrival)
{
	if (!feature->times || arrival->time_ms > arrival->received_ms)
		return false;
	return series == NULL || (series->times_ms[series->count - 1] <= arrival->received_ms &&
	                          (series->count < series->room || feature->cap > 0));
}

static struct series *series_with(const struct feature *feature, struct series *series,
                                  const struct arrival *arrival)
{
	if (!is_plain(feature, series, arrival))
		return feature_add(feature, series, arrival->record, arrival->time_ms,
		                   arrival->received_ms);
	if (series == NULL)
		series = series_new(SERIES_TIMES);
	return series_add(series, feature->cap, arrival->time_ms, (union series_item){0});
}

static void add_to_series(struct partition *partition, struct profile *profile, uint32_t index,
                          const struct arrival *arrival)
{
	const struct feature  *feature = &partition->catalog.features.items[index];
	struct person_feature *kept    = profile_feature(profile, index);
	struct series         *series  = kept == NULL ? NULL : kept->series;
	size_t                 before  = series_bytes(series);
	series                         = series_with(feature, series, arrival);
	if (kept == NULL && series == NULL && !feature->plan->relative)
		return;
	if (kept == NULL)
		kept = profile_feature_add(&partition->profiles, profile, index);
	kept->series = series;
	profiles_count_series(&partition->profiles, before, series_bytes(series));
}

/* What an event is to the partition as a whole. */
static void notice_event(struct partition *partition, const struct arrival *arrival)
{
	const struct record *record = arrival->record;
	names_see_event(&partition->names, record->name, record->properties, arrival->position);
	if (arrival->time_ms > arrival->received_ms)
		future_add(&partition->future,
		           (struct future_event){arrival->time_ms, record->slot, arrival->position});
}

static void apply_event(struct partition *partition, struct arrival *arrival)
{
	const struct record *record  = arrival->record;
	struct profile      *profile = person_of(partition, arrival);
	if (is_duplicate(partition, arrival))
		return;

	partition->touched.count = 0;
	for (size_t i = 0; i < arrival->feature_count; i++)
		VECTOR_ADD(&partition->touched, arrival->features[i]);
	look_before(partition, record->slot, profile, arrival->received_ms);
	store(partition, arrival);
	notice_event(partition, arrival);
	if (profile->newest_event_ms < arrival->time_ms)
		profile->newest_event_ms = arrival->time_ms;
	if (partition->touched.count == 0)
		return;

	step_begin(partition);
	for (size_t i = 0; i < partition->touched.count; i++)
		add_to_series(partition, profile, partition->touched.items[i], arrival);
	look_after(partition, record->slot, profile,
	           &(struct look_event){arrival->time_ms, arrival->received_ms, arrival->position});
	step_finish(partition, record->slot, profile, arrival->received_ms);
}

/* Trait leaves that look at a trait of the list, each once. */
static void find_traits(struct partition *partition, struct text list)
{
	index_list *touched = &partition->touched;
	touched->count      = 0;
	for (struct value_reader reader = value_read(list); value_next(&reader);) {
		const index_list *traits = catalog_traits(&partition->catalog, reader.hash);
		for (size_t i = 0; traits != NULL && i < traits->count; i++) {
			bool known = false;
			for (size_t j = 0; j < touched->count && !known; j++)
				known = touched->items[j] == traits->items[i];
			if (!known)
				VECTOR_ADD(touched, traits->items[i]);
		}
	}
}

static bool trait_now(const struct partition *partition, const struct profile *profile,
                      uint32_t index, int64_t now_ms)
{
	return trait_holds(&partition->catalog.traits.items[index], profile_traits(profile),
	                   profile->identified, now_ms);
}

static void apply_traits(struct partition *partition, struct arrival *arrival)
{
	const struct record *record  = arrival->record;
	struct profile      *profile = person_of(partition, arrival);
	if (is_duplicate(partition, arrival))
		return;
	if (record->message_id.length > 0)
		store(partition, arrival);

	find_traits(partition, record->properties);
	partition->before.count = 0;
	for (size_t i = 0; i < partition->touched.count; i++)
		VECTOR_ADD(&partition->before, trait_now(partition, profile, partition->touched.items[i],
		                                         arrival->received_ms));

	names_see_traits(&partition->names, record->properties);
	profile_set_traits(&partition->profiles, profile, record->properties, record->sealed);

	step_begin(partition);
	for (size_t i = 0; i < partition->touched.count; i++) {
		uint32_t trait = partition->touched.items[i];
		if (trait_now(partition, profile, trait, arrival->received_ms) !=
		    partition->before.items[i])
			step_touch_all(partition, record->slot, &partition->catalog.traits.items[trait].rules,
			               CAUSE_TRAIT, 0);
	}
	step_finish(partition, record->slot, profile, arrival->received_ms);
	step_rearm_traits(partition, record->slot, profile, arrival->received_ms);
}

/* What a record means that its person has been through already: its event is stored, and names and
 * events of the future are the whole partition's. */
static enum status skip_record(struct partition *partition, struct arrival *arrival)
{
	const struct record *record = arrival->record;
	bool                 event  = record->kind == RECORD_EVENT;
	if ((!event && record->kind != RECORD_TRAITS) || is_duplicate(partition, arrival))
		return STATUS_OK;
	if (event || record->message_id.length > 0)
		store(partition, arrival);
	if (arrival->position <= partition->resume.position)
		return STATUS_OK;
	if (event)
		notice_event(partition, arrival);
	else
		names_see_traits(&partition->names, record->properties);
	return STATUS_OK;
}

static enum status apply_record(struct partition *partition, struct arrival *arrival,
                                struct error *err)
{
	const struct record *record = arrival->record;
	if (partition->previews != NULL)
		preview_before_change(partition, record->slot);
	switch (record->kind) {
	case RECORD_EVENT:
		apply_event(partition, arrival);
		return STATUS_OK;
	case RECORD_TRAITS:
		apply_traits(partition, arrival);
		return STATUS_OK;
	case RECORD_LINK:
	case RECORD_ALIAS:
		/* The vault holds the link; here it only brings the user into being. */
		person_of(partition, arrival);
		return STATUS_OK;
	case RECORD_PREPARE:
		return build_prepare(partition, record->body, err);
	case RECORD_ACTIVATE:
		preview_break_all(partition, STATUS_AGAIN);
		return activate(partition, record->body, arrival->received_ms, err);
	case RECORD_CLOCK:
		return STATUS_OK;
	default:
		return error_set(err, STATUS_CORRUPT, "record %llu of kind %d is not known to this version",
		                 (unsigned long long)arrival->position, record->kind);
	}
}

static void publish_memory(struct partition *partition)
{
	const struct profiles *profiles                   = &partition->profiles;
	const uint64_t         bytes[ENGINE_MEMORY_COUNT] = {
				[ENGINE_MEMORY_PROFILES] =
					profiles->bytes - profiles->feature_bytes - profiles->membership_bytes,
				[ENGINE_MEMORY_FEATURES]    = profiles->feature_bytes,
				[ENGINE_MEMORY_MEMBERSHIPS] = profiles->membership_bytes,
				[ENGINE_MEMORY_CHANGES]     = partition->changes.bytes,
				[ENGINE_MEMORY_TIMERS]      = partition->timers.count * sizeof(struct timer),
				[ENGINE_MEMORY_CATALOG]     = partition->catalog.bytes,
    };
	for (unsigned i = 0; i < ENGINE_MEMORY_COUNT; i++)
		atomic_store_explicit(&partition->bytes[i], bytes[i], memory_order_relaxed);
}

static void publish(struct partition *partition, int64_t clock_ms)
{
	/* After a restart, records are read that were applied long before the checkpoint's clock. */
	if (clock_ms > atomic_load_explicit(&partition->clock_ms, memory_order_relaxed))
		atomic_store_explicit(&partition->clock_ms, clock_ms, memory_order_release);
	atomic_store_explicit(&partition->persons, partition->profiles.person_count,
	                      memory_order_relaxed);
	atomic_store_explicit(&partition->events_stored, events_count(partition->events),
	                      memory_order_relaxed);
	atomic_store_explicit(&partition->changes_count, partition->changes.count,
	                      memory_order_relaxed);
	publish_memory(partition);
}

static enum status apply_ahead(struct partition *partition, const struct ahead *ahead,
                               int64_t received_ms, struct error *err)
{
	struct arrival arrival = {
		.record        = &ahead->record,
		.encoded       = ahead->encoded,
		.received_ms   = received_ms,
		.position      = ahead->position,
		.features      = partition->ahead.items + ahead->found,
		.feature_count = ahead->found_count,
	};
	if (ahead->record.kind == RECORD_EVENT || ahead->record.kind == RECORD_TRAITS)
		arrival.time_ms = record_time_ms(&ahead->record, received_ms, &arrival.marked);
	partition->resume.seen_position = ahead->position;
	if (ahead->position > partition->resume.position) {
		partition->last_position   = ahead->position;
		partition->ordinal         = 0;
		partition->stored_position = ahead->position - 1;
	}
	if (resume_skips(&partition->resume, ahead->record.slot, ahead->position))
		return skip_record(partition, &arrival);
	return apply_record(partition, &arrival, err);
}

enum status partition_apply(struct partition *partition, const struct journal_read *batches,
                            size_t batch_count, struct error *err)
{
	assert(batch_count > 0);
	int64_t received_ms = batches->log_time_ms;
	partition_advance(partition, received_ms);

	struct lookahead ahead;
	enum status      status;
	ahead_begin(&ahead, batches, batch_count);
	while ((status = ahead_next(&ahead, partition, received_ms, err)) == STATUS_OK &&
	       ahead.count > 0) {
		for (uint32_t i = 0; i < ahead.count && status == STATUS_OK; i++)
			status = apply_ahead(partition, &ahead.items[i], received_ms, err);
		if (status != STATUS_OK)
			break;
	}
	publish(partition, received_ms);
	return status;
}

static void fire_traits(struct partition *partition, uint32_t slot, const struct profile *profile,
                        int64_t at_ms)
{
	const index_list *relative = &partition->catalog.relative_traits;
	for (size_t i = 0; i < relative->count; i++)
		if (trait_now(partition, profile, relative->items[i], at_ms - 1) !=
		    trait_now(partition, profile, relative->items[i], at_ms))
			step_touch_all(partition, slot,
			               &partition->catalog.traits.items[relative->items[i]].rules, CAUSE_EXPIRY,
			               0);
}

static void fire_person(struct partition *partition, uint32_t slot, struct profile *profile,
                        int64_t at_ms)
{
	if (partition->previews != NULL)
		preview_before_change(partition, slot);
	profile->armed_ms = INSTANT_MS_NEVER;
	step_begin(partition);
	struct feature_set *features = profile->features;
	for (uint32_t i = 0; features != NULL && i < features->count; i++)
		if (features->items[i].next_ms <= at_ms)
			look_at_instant(partition, slot, profile, &features->items[i], at_ms);
	bool traits = profile->traits != NULL && profile->traits->next_ms <= at_ms;
	if (traits)
		fire_traits(partition, slot, profile, at_ms);
	step_finish(partition, slot, profile, at_ms);

	for (uint32_t i = 0; features != NULL && i < features->count; i++)
		step_arm(partition, slot, profile, features->items[i].next_ms);
	if (traits)
		step_rearm_traits(partition, slot, profile, at_ms);
	else if (profile->traits != NULL)
		step_arm(partition, slot, profile, profile->traits->next_ms);
	feature_forget(partition, profile, at_ms);
}

static int compare_slots(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	return (left > right) - (left < right);
}

/* The events of the future whose time is `at_ms`; those before it began in steps of their own. */
static void collect_begun(struct partition *partition, int64_t at_ms)
{
	struct future_event event;
	partition->begun.count = 0;
	while (future_take(&partition->future, at_ms, &event))
		if (event.time_ms == at_ms)
			VECTOR_ADD(&partition->begun, event);
}

static void fire_through(struct partition *partition, int64_t now_ms)
{
	int64_t at_ms;
	partition->due.count = 0;
	while (timers_advance(&partition->timers, now_ms, &at_ms, &partition->due)) {
		slot_list *due = &partition->due;
		qsort(due->items, due->count, sizeof due->items[0], compare_slots);
		collect_begun(partition, at_ms);
		for (size_t i = 0; i < due->count; i++) {
			ahead_of_timers(partition, due, i);
			struct profile *profile = profiles_change(&partition->profiles, due->items[i]);
			/* Entries are not taken back: this one may have been overtaken. */
			if (profile == NULL || profile->armed_ms != at_ms)
				continue;
			fire_person(partition, due->items[i], profile, at_ms);
			atomic_fetch_add_explicit(&partition->timers_fired, 1, memory_order_relaxed);
		}
		due->count = 0;
	}
	collect_begun(partition, now_ms);
}

void partition_advance(struct partition *partition, int64_t now_ms)
{
	if (resume_ends(&partition->resume, now_ms)) {
		fire_through(partition, partition->resume.end_clock_ms);
		resume_finish(partition);
	}
	fire_through(partition, now_ms);
	publish(partition, now_ms);
}

bool partition_build(struct partition *partition, uint32_t slots)
{
	return build_continue(partition, slots);
}
