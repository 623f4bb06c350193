#include "engine/apply/ahead.h"

#include "engine/apply/look.h"

enum { LINE_BYTES = 64, SET_LINES_MAX = 8, TIMERS_AHEAD = 16 };

void ahead_begin(struct lookahead *ahead, const struct journal_read *batches, size_t batch_count)
{
	ahead->batch = batches;
	ahead->end   = batches + batch_count;
	ahead->left  = batches->records;
	ahead->done  = 0;
	ahead->count = 0;
}

static void skip_finished(struct lookahead *ahead)
{
	while (ahead->batch < ahead->end && ahead->done == ahead->batch->record_count) {
		ahead->batch++;
		ahead->done = 0;
		if (ahead->batch < ahead->end)
			ahead->left = ahead->batch->records;
	}
}

static enum status decode(struct lookahead *ahead, const struct partition *partition,
                          struct error *err)
{
	bool everyone = false;
	ahead->count  = 0;
	for (skip_finished(ahead); ahead->batch < ahead->end && ahead->count < AHEAD && !everyone;
	     skip_finished(ahead)) {
		size_t        size;
		struct ahead *next   = &ahead->items[ahead->count];
		enum status   status = record_decode(ahead->left, &next->record, &size, err);
		if (status != STATUS_OK)
			return status;
		next->encoded  = (struct text){ahead->left.data, size};
		next->position = ahead->batch->first_position + ahead->done++;
		ahead->left    = (struct text){ahead->left.data + size, ahead->left.length - size};
		ahead->count++;
		everyone = next->record.slot == SLOT_NONE;
		if (everyone)
			continue;
		profiles_prefetch(&partition->profiles, next->record.slot);
		events_prefetch(partition->events, next->record.slot, next->record.message_id);
	}
	return STATUS_OK;
}

static void prefetch(const void *begin, size_t size)
{
	for (size_t at = 0; at < size && at < SET_LINES_MAX * LINE_BYTES; at += LINE_BYTES)
		__builtin_prefetch((const char *)begin + at, 1);
}

/* The head of a set says how long it is, but has not come yet: as much as is likely. */
static void prefetch_sets(const struct partition *partition, uint32_t slot)
{
	const struct profile *profile = profiles_find(&partition->profiles, slot);
	if (profile == NULL)
		return;
	if (profile->features != NULL)
		prefetch(profile->features, 3 * LINE_BYTES);
	if (profile->memberships != NULL)
		prefetch(profile->memberships, 2 * LINE_BYTES);
}

static void find(struct partition *partition, struct ahead *next, int64_t received_ms)
{
	index_list *features = &partition->ahead;
	next->found          = features->count;
	next->found_count    = 0;
	prefetch_sets(partition, next->record.slot);
	if (next->record.kind != RECORD_EVENT)
		return;
	look_find(partition, &next->record, received_ms, features);
	next->found_count = features->count - next->found;
	for (size_t i = next->found; i < features->count; i++)
		__builtin_prefetch(&partition->catalog.features.items[features->items[i]]);
}

static void prefetch_features(const struct partition *partition, const struct ahead *next)
{
	const struct profile *profile = profiles_find(&partition->profiles, next->record.slot);
	if (profile == NULL)
		return;
	if (profile->memberships != NULL)
		prefetch(profile->memberships,
		         sizeof *profile->memberships +
		             profile->memberships->count * sizeof profile->memberships->items[0]);
	for (size_t i = 0; i < next->found_count; i++) {
		uint32_t               number  = partition->ahead.items[next->found + i];
		const struct feature  *feature = &partition->catalog.features.items[number];
		struct person_feature *kept    = profile_feature(profile, number);
		__builtin_prefetch(feature->ladder.rungs);
		if (kept != NULL)
			__builtin_prefetch(kept->series, 1);
	}
}

/* Before anything looks at their properties. */
static void enrich(struct lookahead *ahead, struct partition *partition)
{
	struct enrichment *enrichment = &partition->enrichment;
	if (enrichment_is_empty(enrichment))
		return;
	enrichment_begin(enrichment);
	for (uint32_t i = 0; i < ahead->count; i++)
		if (ahead->items[i].record.kind == RECORD_EVENT)
			enrichment_event(enrichment, ahead->items[i].position, &ahead->items[i].record,
			                 &ahead->items[i].encoded);
	enrichment_end(enrichment);
}

enum status ahead_next(struct lookahead *ahead, struct partition *partition, int64_t received_ms,
                       struct error *err)
{
	enum status status = decode(ahead, partition, err);
	if (status != STATUS_OK)
		return status;
	partition->ahead.count = 0;
	enrich(ahead, partition);
	for (uint32_t i = 0; i < ahead->count; i++)
		find(partition, &ahead->items[i], received_ms);
	for (uint32_t i = 0; i < ahead->count; i++)
		prefetch_features(partition, &ahead->items[i]);
	return STATUS_OK;
}

void ahead_of_timers(const struct partition *partition, const slot_list *slots, size_t at)
{
	if (at == 0)
		for (size_t i = 0; i < slots->count && i < TIMERS_AHEAD; i++)
			profiles_prefetch(&partition->profiles, slots->items[i]);
	if (at + TIMERS_AHEAD < slots->count)
		profiles_prefetch(&partition->profiles, slots->items[at + TIMERS_AHEAD]);
	if (at + TIMERS_AHEAD / 2 < slots->count)
		prefetch_sets(partition, slots->items[at + TIMERS_AHEAD / 2]);
}
