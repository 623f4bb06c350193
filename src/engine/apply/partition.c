#include "engine/apply/partition.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/instant.h"
#include "engine/definition/activate.h"
#include "engine/apply/ahead.h"
#include "engine/fact/amend.h"
#include "engine/definition/build.h"
#include "engine/apply/feature.h"
#include "engine/apply/indexed.h"
#include "engine/apply/leaf.h"
#include "engine/apply/look.h"
#include "engine/apply/step.h"
#include "engine/merge/erasure.h"
#include "engine/survey.h"

struct partition *partition_new(uint32_t number, int64_t retention_ms, struct events *events,
                                struct plan_cache *plans)
{
	struct partition *partition = calloc(1, sizeof *partition);
	if (partition == NULL)
		abort();
	partition->number       = number;
	partition->retention_ms = retention_ms;
	partition->plans        = plans;
	partition->events       = events;
	/* Instants before 1970 do not occur as log times. */
	timers_init(&partition->timers, -1);
	catalog_init(&partition->catalog);
	facts_init(&partition->facts);
	enrichment_init(&partition->enrichment);
	return partition;
}

void partition_free(struct partition *partition)
{
	if (partition->witness != NULL)
		partition->witness->saw_end(partition->witness);
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
	merges_done(&partition->merges);
	facts_done(&partition->facts);
	enrichment_done(&partition->enrichment);
	VECTOR_DONE(&partition->due);
	event_list_done(&partition->scratch_events);
	VECTOR_DONE(&partition->scratch_steps);
	VECTOR_DONE(&partition->found);
	VECTOR_DONE(&partition->ahead);
	VECTOR_DONE(&partition->touched);
	VECTOR_DONE(&partition->before);
	VECTOR_DONE(&partition->crossed);
	VECTOR_DONE(&partition->flips);
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

struct profile *partition_person(struct partition *partition, uint32_t slot, bool identified,
                                 int64_t at_ms)
{
	struct profile *profile = profiles_place(&partition->profiles, slot);
	if (profile->exists)
		return profile;

	*profile = (struct profile){
		.exists          = true,
		.identified      = identified,
		.created_ms      = at_ms,
		.armed_ms        = INSTANT_MS_NEVER,
		.newest_event_ms = INSTANT_MS_NONE,
	};
	partition->profiles.person_count++;
	partition->profiles.identified_count += profile->identified;
	step_emit(
		partition, profile,
		(struct change){.slot = slot, .entered = true, .cause = CAUSE_CREATED, .at_ms = at_ms});
	if (partition->witness != NULL)
		partition->witness->saw_person(partition->witness, slot);
	return profile;
}

static struct profile *person_of(struct partition *partition, const struct arrival *arrival)
{
	const struct record *record = arrival->record;
	return partition_person(partition, record->slot, (record->flags & RECORD_IDENTIFIED) != 0,
	                        arrival->received_ms);
}

static void tell_duplicate(const struct partition *partition, const struct arrival *arrival)
{
	const struct duplicate_listener *listener = partition->duplicates;
	void (*call)(void *, uint32_t, uint64_t) =
		listener == NULL ? NULL : atomic_load_explicit(&listener->call, memory_order_acquire);
	if (call != NULL)
		call(listener->context, arrival->record->source_number, arrival->position);
}

static bool is_duplicate(struct partition *partition, const struct profile *profile,
                         const struct arrival *arrival)
{
	const struct record *record = arrival->record;
	if (record->message_id.length == 0 ||
	    !facts_seen(partition, record->slot, profile, record->message_id, arrival->position,
	                arrival->received_ms))
		return false;
	atomic_fetch_add_explicit(&partition->events_duplicate, 1, memory_order_relaxed);
	tell_duplicate(partition, arrival);
	return true;
}

static struct event event_of(const struct partition *partition, const struct arrival *arrival)
{
	return (struct event){
		.time_ms         = arrival->time_ms,
		.received_ms     = arrival->received_ms,
		.position        = arrival->position,
		.stored_position = arrival->position,
		.partition       = partition->number,
		.marked          = arrival->marked,
		.record          = *arrival->record,
	};
}

static void store(struct partition *partition, const struct arrival *arrival)
{
	const struct event event = event_of(partition, arrival);
	events_add(partition->events, arrival->record->slot, arrival->encoded, &event);
	if (arrival->position > partition->stored_position)
		partition->stored_position = arrival->position;
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

static void note_active(struct profile *profile, const struct arrival *arrival)
{
	if (profile->newest_event_ms < arrival->time_ms)
		profile->newest_event_ms = arrival->time_ms;
}

/* An event that corrects others, or that is corrected as soon as it comes. */
static void apply_amending(struct partition *partition, struct profile *profile,
                           const struct arrival *arrival)
{
	struct amend amend;
	step_begin(partition);
	amend_begin(&amend, partition, arrival->record->slot, profile, arrival->received_ms);
	profile->amended = true;
	store(partition, arrival);
	notice_event(partition, arrival);
	note_active(profile, arrival);
	amend_finish(&amend, arrival->received_ms, CAUSE_EVENT, arrival->position);
	step_finish(partition, arrival->record->slot, profile, arrival->received_ms);
}

static void apply_event(struct partition *partition, struct arrival *arrival)
{
	const struct record *record  = arrival->record;
	struct profile      *profile = person_of(partition, arrival);
	if (is_duplicate(partition, profile, arrival))
		return;
	if (facts_amends(partition, profile, record)) {
		apply_amending(partition, profile, arrival);
		return;
	}

	partition->touched.count = 0;
	for (size_t i = 0; i < arrival->feature_count; i++)
		VECTOR_ADD(&partition->touched, arrival->features[i]);
	look_before(partition, record->slot, profile, arrival->received_ms);
	store(partition, arrival);
	notice_event(partition, arrival);
	note_active(profile, arrival);
	if (partition->witness != NULL)
		partition->witness->saw_event(partition->witness, record, arrival->time_ms);
	if (partition->touched.count == 0)
		return;

	step_begin(partition);
	look_at_event(
		partition, profile,
		&(struct look_event){record, arrival->time_ms, arrival->received_ms, arrival->position});
	step_finish(partition, record->slot, profile, arrival->received_ms);
}

/* Trait leaves that look at a trait of the list, each once. */
static void find_trait(struct partition *partition, uint32_t hash)
{
	index_list       *touched = &partition->touched;
	const index_list *traits  = catalog_traits(&partition->catalog, hash);
	for (size_t i = 0; traits != NULL && i < traits->count; i++) {
		bool known = false;
		for (size_t j = 0; j < touched->count && !known; j++)
			known = touched->items[j] == traits->items[i];
		if (!known)
			VECTOR_ADD(touched, traits->items[i]);
	}
}

static void find_traits(struct partition *partition, struct text list)
{
	partition->touched.count = 0;
	for (struct value_reader reader = value_read(list); value_next(&reader);) {
		find_trait(partition, reader.hash);
		if (text_equal(reader.name, TEXT("birthday")))
			find_trait(partition, hash_name(TEXT("age_band")));
	}
}

static void note_age(struct partition *partition, struct profile *profile, int64_t now_ms)
{
	struct buffer names = {0};
	if (!indexed_set_age(&partition->profiles, profile, now_ms))
		return;
	size_t begin = value_list_begin(&names);
	value_add(&names, TEXT("age_band"), &(struct value){.type = VALUE_NULL});
	value_list_end(&names, begin, 1);
	names_see_traits(&partition->names, buffer_text(&names));
	buffer_done(&names);
}

void partition_index_traits(struct partition *partition, struct profile *profile, int64_t now_ms)
{
	indexed_restore(&partition->profiles, profile, partition->unsealer);
	note_age(partition, profile, now_ms);
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
	if (is_duplicate(partition, profile, arrival))
		return;
	if (record->message_id.length > 0)
		store(partition, arrival);

	find_traits(partition, record->properties);
	partition->before.count = 0;
	for (size_t i = 0; i < partition->touched.count; i++)
		VECTOR_ADD(&partition->before, trait_now(partition, profile, partition->touched.items[i],
		                                         arrival->received_ms));

	names_see_traits(&partition->names, record->properties);
	profile_set_traits(&partition->profiles, profile, record->properties, record->sealed,
	                   (struct person){partition->number, record->slot});
	partition_index_traits(partition, profile, arrival->received_ms);
	if (partition->witness != NULL)
		partition->witness->saw_person(partition->witness, record->slot);

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

/* A call whose person became another: it goes there. */
static bool forward(struct partition *partition, const struct arrival *arrival)
{
	if (partition->merges.closed.count == 0)
		return false;
	const struct event event = event_of(partition, arrival);
	return merge_forward(partition, arrival->encoded, &event);
}

/* A record for who was erased. What is the whole partition's is noted all the same, so that it does
 * not depend on when a restart learns of the erasure. False: he was not, or it concerns more than
 * him. */
static bool is_for_nobody(struct partition *partition, const struct arrival *arrival)
{
	const struct record *record = arrival->record;
	if (record->slot == SLOT_NONE || record->kind == RECORD_MERGE_IN ||
	    record->kind == RECORD_ERASURE || !erasure_holds(partition, record->slot))
		return false;
	if (arrival->position <= partition->resume.position)
		return true;
	if (record->kind == RECORD_EVENT)
		notice_event(partition, arrival);
	else if (record->kind == RECORD_TRAITS)
		names_see_traits(&partition->names, record->properties);
	return true;
}

/* The vault holds the link; here the call only brings the user into being. */
static void apply_alias(struct partition *partition, const struct arrival *arrival)
{
	const struct profile *profile = person_of(partition, arrival);
	if (arrival->record->message_id.length > 0 && !is_duplicate(partition, profile, arrival))
		store(partition, arrival);
}

/* Of a call that its person has been through already: the event is stored, and names and events of
 * the future are the whole partition's. */
static void skip_call(struct partition *partition, struct arrival *arrival)
{
	const struct record  *record  = arrival->record;
	const struct profile *profile = profiles_known(&partition->profiles, record->slot);
	bool                  event   = record->kind == RECORD_EVENT;
	if (forward(partition, arrival) || is_duplicate(partition, profile, arrival))
		return;
	if (event || record->message_id.length > 0)
		store(partition, arrival);
	if (arrival->position <= partition->resume.position)
		return;
	if (event)
		notice_event(partition, arrival);
	else if (record->kind == RECORD_TRAITS)
		names_see_traits(&partition->names, record->properties);
}

/* What a record means that its person has been through already. */
static enum status skip_record(struct partition *partition, struct arrival *arrival,
                               struct error *err)
{
	const struct record *record = arrival->record;
	if (is_for_nobody(partition, arrival))
		return STATUS_OK;
	if (record->kind == RECORD_ERASURE)
		erasure_apply(partition, record->slot, arrival->position, arrival->received_ms);
	else if (record_is_call(record->kind))
		skip_call(partition, arrival);
	else if (record->kind == RECORD_MERGE_OUT)
		return merge_out(partition, record, arrival->position, arrival->received_ms, err);
	else if (record->kind == RECORD_MERGE_IN)
		return merge_in(partition, record, arrival->position, arrival->received_ms, err);
	return STATUS_OK;
}

static enum status apply_record(struct partition *partition, struct arrival *arrival,
                                struct error *err)
{
	const struct record *record = arrival->record;
	if (partition->surveys != NULL)
		survey_before_change(partition, record->slot);
	if (is_for_nobody(partition, arrival))
		return STATUS_OK;
	switch (record->kind) {
	case RECORD_EVENT:
		if (!forward(partition, arrival))
			apply_event(partition, arrival);
		return STATUS_OK;
	case RECORD_TRAITS:
		if (!forward(partition, arrival))
			apply_traits(partition, arrival);
		return STATUS_OK;
	case RECORD_LINK:
		person_of(partition, arrival);
		return STATUS_OK;
	case RECORD_ALIAS:
		apply_alias(partition, arrival);
		return STATUS_OK;
	case RECORD_MERGE_OUT:
		return merge_out(partition, record, arrival->position, arrival->received_ms, err);
	case RECORD_MERGE_IN:
		return merge_in(partition, record, arrival->position, arrival->received_ms, err);
	case RECORD_ERASURE:
		erasure_apply(partition, record->slot, arrival->position, arrival->received_ms);
		return STATUS_OK;
	case RECORD_SETTING:
		return facts_declare(&partition->facts, record->body, arrival->position, err);
	case RECORD_DIMENSION:
		return enrichment_apply(&partition->enrichment, record->body, arrival->position, err);
	case RECORD_PREPARE:
		return build_prepare(partition, record->body, err);
	case RECORD_ACTIVATE:
		survey_break_all(partition, STATUS_AGAIN);
		return activate(partition, record->body, arrival->received_ms, err);
	case RECORD_ABANDON:
		survey_break_all(partition, STATUS_AGAIN);
		return abandon(partition, record->body, arrival->received_ms, err);
	case RECORD_CLOCK:
		return STATUS_OK;
	default:
		return error_set(err, STATUS_CORRUPT, "record %llu of kind %d is not known to this version",
		                 (unsigned long long)arrival->position, record->kind);
	}
}

static void publish_memory(struct partition *partition)
{
	const struct profiles *profiles = &partition->profiles;
	uint64_t windows = profiles->feature_bytes, memberships = profiles->membership_bytes;
	uint64_t bytes[ENGINE_MEMORY_COUNT] = {0};
	bytes[ENGINE_MEMORY_PROFILES]       = profiles->bytes - windows - memberships;
	bytes[ENGINE_MEMORY_FEATURES]       = windows;
	bytes[ENGINE_MEMORY_MEMBERSHIPS]    = memberships;
	bytes[ENGINE_MEMORY_CHANGES]        = partition->changes.bytes;
	bytes[ENGINE_MEMORY_TIMERS]         = partition->timers.count * sizeof(struct timer);
	bytes[ENGINE_MEMORY_MERGES] = merges_bytes(&partition->merges) + facts_bytes(&partition->facts);
	bytes[ENGINE_MEMORY_CATALOG] = partition->catalog.bytes;
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
	atomic_store_explicit(&partition->events_enriched, partition->enrichment.events,
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
	if (record_is_call(ahead->record.kind))
		arrival.time_ms = record_time_ms(&ahead->record, received_ms, &arrival.marked);
	/* The round may have ended between two records of one stamp. */
	if (partition->resume.active && ahead->position > partition->resume.end_position) {
		assert(received_ms >= partition->resume.end_clock_ms);
		resume_finish(partition);
	}
	partition->resume.seen_position = ahead->position;
	if (ahead->position > partition->resume.position) {
		partition->last_position   = ahead->position;
		partition->ordinal         = 0;
		partition->stored_position = ahead->position - 1;
	}
	if (resume_skips(&partition->resume, ahead->record.slot, ahead->position))
		return skip_record(partition, &arrival, err);
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

/* A birthday on which age_band changes. */
static void fire_age(struct partition *partition, uint32_t slot, struct profile *profile,
                     int64_t at_ms)
{
	if (indexed_age_next_ms(profile, at_ms - 1) != at_ms)
		return;
	find_trait(partition, hash_name(TEXT("age_band")));
	partition->before.count = 0;
	for (size_t i = 0; i < partition->touched.count; i++)
		VECTOR_ADD(&partition->before,
		           trait_now(partition, profile, partition->touched.items[i], at_ms - 1));
	note_age(partition, profile, at_ms);
	if (partition->witness != NULL)
		partition->witness->saw_person(partition->witness, slot);
	for (size_t i = 0; i < partition->touched.count; i++) {
		uint32_t trait = partition->touched.items[i];
		if (trait_now(partition, profile, trait, at_ms) != partition->before.items[i])
			step_touch_all(partition, slot, &partition->catalog.traits.items[trait].rules,
			               CAUSE_EXPIRY, 0);
	}
}

static void fire_traits(struct partition *partition, uint32_t slot, struct profile *profile,
                        int64_t at_ms)
{
	partition->touched.count = 0;
	fire_age(partition, slot, profile, at_ms);
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
	if (partition->surveys != NULL)
		survey_before_change(partition, slot);
	profile->armed_ms = INSTANT_MS_NEVER;
	step_begin(partition);
	amend_fire(partition, slot, profile, at_ms);
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

void partition_replayed(struct partition *partition)
{
	uint32_t ordinal = changes_pass_erased(&partition->changes, partition->last_position);
	if (ordinal > partition->ordinal)
		partition->ordinal = ordinal;
}

uint64_t partition_stored_through(const struct partition *partition)
{
	/* From a checkpoint on, until its begin is reached, only the store follows the journal. */
	return partition->last_position > partition->resume.position ? partition->last_position
	                                                             : partition->resume.seen_position;
}

bool partition_build(struct partition *partition, uint32_t slots)
{
	return build_continue(partition, slots);
}
