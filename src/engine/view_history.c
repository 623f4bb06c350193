#include "engine/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "engine/engine_internal.h"
#include "engine/merge/erasure.h"

/* Histories, as far as the change stream reaches back (changes_first()). Most rows are entries of
 * the change stream. Some follow from it (contracts, rule 22):
 * a segment that holds without events is entered with a person's creation, or by everyone with its
 * activation, and left by everyone when it is switched off.
 *
 * A row's index is that of the entry it stands in or follows from, and below it the person's slot
 * or the segment: (entry << 32 | sub). */

static uint64_t row_index(uint64_t entry, uint32_t sub) { return entry << 32 | sub; }

/* The person's entries, from the newest back: for (at = newest; at > 0; at = previous(at)). */
static const struct stored_change *entry_at(const struct partition *partition, uint32_t at)
{
	return changes_at(&partition->changes, at - 1);
}

static uint64_t created_index(const struct partition *partition, const struct profile *profile)
{
	uint32_t at = profile->newest_change;
	while (entry_at(partition, at)->previous > 0)
		at = entry_at(partition, at)->previous;
	return at - 1;
}

struct person_key {
	const struct profile *profile;
	uint32_t              slot;
	uint64_t              created; /* index of the entry */
	uint64_t              gone;    /* position of the record; UINT64_MAX: he exists */
};

static struct person_key key_of(const struct partition *partition, uint32_t slot,
                                const struct profile *profile)
{
	return (struct person_key){profile, slot, created_index(partition, profile),
	                           merge_position(partition, slot)};
}

/* Whether the person was a member right before entry `index`: whatever happened last decides. */
static bool was_member(const struct partition *partition, const struct person_key *person,
                       uint32_t segment, uint64_t index)
{
	int64_t last   = -1;
	bool    member = false;
	for (uint32_t at = person->profile->newest_change; at > 0;) {
		const struct stored_change *entry = entry_at(partition, at);
		if (at - 1 < index && entry->change.segment == segment) {
			last   = at - 1;
			member = entry->change.entered;
			break;
		}
		at = entry->previous;
	}
	bool identified = person->profile->identified;
	for (size_t i = 0; i < partition->changes.spans.count; i++) {
		const struct default_span *span = &partition->changes.spans.items[i];
		if (span->segment != segment || !span->holds[identified])
			continue;
		int64_t begin = (int64_t)span->from_index;
		if (person->created >= span->from_index)
			begin = person->created < span->to_index ? (int64_t)person->created : -1;
		else if (!span->announced[identified])
			begin = -1;
		if (begin > last && begin < (int64_t)index) {
			last   = begin;
			member = true;
		}
		if (span->ended && (int64_t)span->to_index > last && span->to_index < index &&
		    person->created < span->to_index) {
			last   = (int64_t)span->to_index;
			member = false;
		}
	}
	return member;
}

/* Whether the step that begins with entry `index` records an exit of its own for the person. */
static bool exits_in_step(const struct partition *partition, const struct person_key *person,
                          uint32_t segment, uint64_t index)
{
	uint64_t position = changes_at(&partition->changes, index)->change.position;
	for (uint32_t at = person->profile->newest_change; at > 0 && at - 1 > index;) {
		const struct stored_change *entry = entry_at(partition, at);
		if (entry->change.segment == segment && entry->change.position == position &&
		    entry->change.cause == CAUSE_DEFINITION && !entry->change.entered)
			return true;
		at = entry->previous;
	}
	return false;
}

/* Whether the entry for everyone at `index` means this person. */
static bool concerns(const struct partition *partition, const struct person_key *person,
                     const struct default_span *span, uint64_t index, bool entered)
{
	bool identified = person->profile->identified;
	/* One that was not announced has no entry: the stream may end right there. */
	if (person->created > index || !span->holds[identified] ||
	    (entered && !span->announced[identified]) ||
	    person->gone <= changes_at(&partition->changes, index)->change.position)
		return false;
	if (!entered)
		return was_member(partition, person, span->segment, index);
	return !was_member(partition, person, span->segment, index) &&
	       !exits_in_step(partition, person, span->segment, index);
}

static struct view_history derived_row(const struct partition *partition, uint64_t entry,
                                       uint32_t sub, uint32_t slot, uint32_t segment)
{
	struct view_history row = {
		.index  = row_index(entry, sub),
		.change = changes_at(&partition->changes, entry)->change,
	};
	row.change.slot    = slot;
	row.change.segment = segment;
	return row;
}

typedef VECTOR(struct view_history) row_list;

static int compare_rows(const void *left, const void *right)
{
	const struct view_history *a = left, *b = right;
	return (a->index > b->index) - (a->index < b->index);
}

static void add_derived_of_person(const struct partition  *partition,
                                  const struct person_key *person, row_list *rows)
{
	for (size_t i = 0; i < partition->changes.spans.count; i++) {
		const struct default_span *span = &partition->changes.spans.items[i];
		if (span->holds[person->profile->identified] && person->created >= span->from_index &&
		    person->created < span->to_index)
			VECTOR_ADD(rows, derived_row(partition, person->created, span->segment, person->slot,
			                             span->segment));
		else if (concerns(partition, person, span, span->from_index, true))
			VECTOR_ADD(rows, derived_row(partition, span->from_index, span->segment, person->slot,
			                             span->segment));
		if (span->ended && concerns(partition, person, span, span->to_index, false))
			VECTOR_ADD(rows, derived_row(partition, span->to_index, span->segment, person->slot,
			                             span->segment));
	}
}

static void add_own_of_person(const struct partition *partition, const struct person_key *person,
                              row_list *rows)
{
	for (uint32_t at = person->profile->newest_change; at > 0;) {
		const struct stored_change *entry = entry_at(partition, at);
		if (entry->change.segment > 0)
			VECTOR_ADD(rows,
			           (struct view_history){.index  = row_index(at - 1, entry->change.segment),
			                                 .change = entry->change});
		at = entry->previous;
	}
}

/* What a reader learns of the event that caused a row: not its content. */
static struct event cause_of(const struct event *event, struct arena *arena)
{
	struct event cause = *event;
	cause.record       = (struct record){.kind       = event->record.kind,
	                                     .message_id = arena_text(arena, event->record.message_id)};
	return cause;
}

/* The event that caused a row, as long as it exists. */
static void add_events(struct view *view, struct view_history *rows, size_t count,
                       struct arena *arena)
{
	event_list list = {0};
	for (size_t i = 0; i < count; i++) {
		if (rows[i].change.event_position == 0 ||
		    erasure_holds(view->partition, rows[i].change.slot))
			continue;
		const struct events_query query = {.from_ms          = INT64_MIN,
		                                   .to_ms            = INT64_MAX,
		                                   .through_position = view->partition->stored_position,
		                                   .now_ms           = view->now_ms,
		                                   .retention_ms     = view->partition->retention_ms};
		event_list_clear(&list);
		events_read(view->partition->events, rows[i].change.slot, &query, &list);
		for (size_t j = 0; j < list.count; j++)
			if (list.items[j].position == rows[i].change.event_position)
				rows[i].event = cause_of(&list.items[j], arena);
	}
	event_list_done(&list);
}

static uint64_t first_row(const struct partition *partition, uint64_t from_index)
{
	uint64_t first = row_index(changes_first(&partition->changes), 0);
	return from_index > first ? from_index : first;
}

static size_t hand_out(struct view *view, row_list *rows, uint64_t from_index, size_t limit,
                       struct arena *arena, struct view_history **ret_rows)
{
	if (rows->count > 0)
		qsort(rows->items, rows->count, sizeof rows->items[0], compare_rows);
	size_t begin = 0;
	while (begin < rows->count && rows->items[begin].index < from_index)
		begin++;
	size_t count = rows->count - begin;
	if (count > limit)
		count = limit;
	*ret_rows = ARENA_ARRAY(arena, struct view_history, count);
	if (count > 0)
		memcpy(*ret_rows, rows->items + begin, count * sizeof **ret_rows);
	add_events(view, *ret_rows, count, arena);
	VECTOR_DONE(rows);
	return count;
}

size_t view_person_history(struct view *view, uint32_t slot, uint64_t from_index, size_t limit,
                           struct arena *arena, struct view_history **ret_rows)
{
	const struct partition *partition = view->partition;
	const struct profile   *profile   = profiles_known(&partition->profiles, slot);
	row_list                rows      = {0};
	if (profile != NULL && profile->newest_change > 0) {
		struct person_key person = key_of(partition, slot, profile);
		add_own_of_person(partition, &person, &rows);
		add_derived_of_person(partition, &person, &rows);
	}
	return hand_out(view, &rows, first_row(partition, from_index), limit, arena, ret_rows);
}

static const struct default_span *span_at(const struct partition *partition, uint32_t segment,
                                          uint64_t index, bool entered)
{
	for (size_t i = 0; i < partition->changes.spans.count; i++) {
		const struct default_span *span = &partition->changes.spans.items[i];
		if (span->segment == segment &&
		    (entered ? span->from_index == index : span->ended && span->to_index == index))
			return span;
	}
	return NULL;
}

/* A page of a segment's history under way. */
struct page {
	const struct partition *partition;
	uint32_t                segment;
	uint64_t                from_index;
	size_t                  limit;
	row_list                rows;
};

static void page_add(struct page *page, struct view_history row)
{
	if (row.index >= page->from_index)
		VECTOR_ADD(&page->rows, row);
}

/* Everyone whom an entry for everyone concerns, as far as the page goes. */
static void add_everyone(struct page *page, uint64_t index)
{
	const struct partition    *partition = page->partition;
	const struct change       *change    = &changes_at(&partition->changes, index)->change;
	const struct default_span *span = span_at(partition, page->segment, index, change->entered);
	uint32_t slot = index == page->from_index >> 32 ? (uint32_t)page->from_index : 0;
	for (; span != NULL && slot < partition->profiles.slot_count && page->rows.count < page->limit;
	     slot++) {
		const struct profile *profile = profiles_known(&partition->profiles, slot);
		if (profile == NULL || profile->newest_change == 0)
			continue;
		struct person_key person = key_of(partition, slot, profile);
		if (concerns(partition, &person, span, index, change->entered))
			page_add(page, derived_row(partition, index, slot, slot, page->segment));
	}
}

/* A creation while the segment held by default. */
static void add_creation(struct page *page, uint64_t index)
{
	const struct partition *partition = page->partition;
	uint32_t                slot      = changes_at(&partition->changes, index)->change.slot;
	const struct profile   *profile   = profiles_known(&partition->profiles, slot);
	for (size_t i = 0; profile != NULL && i < partition->changes.spans.count; i++) {
		const struct default_span *span = &partition->changes.spans.items[i];
		if (span->segment == page->segment && span->holds[profile->identified] &&
		    index >= span->from_index && index < span->to_index)
			page_add(page, derived_row(partition, index, slot, slot, page->segment));
	}
}

static void add_entry(struct page *page, uint64_t index)
{
	const struct change *change = &changes_at(&page->partition->changes, index)->change;
	if (change->segment == 0)
		add_creation(page, index);
	else if (change->slot == SLOT_NONE)
		add_everyone(page, index);
	else
		page_add(page,
		         (struct view_history){.index = row_index(index, change->slot), .change = *change});
}

/* The segment's entries and, while it ever held by default, the creations, merged by index. */
size_t view_segment_history(struct view *view, uint32_t segment, uint64_t from_index, size_t limit,
                            struct arena *arena, struct view_history **ret_rows)
{
	const struct changes *changes    = &view->partition->changes;
	bool                  by_default = false;
	from_index                       = first_row(view->partition, from_index);
	struct page page                 = {view->partition, segment, from_index, limit, {0}};
	for (size_t i = 0; i < changes->spans.count; i++)
		by_default |= changes->spans.items[i].segment == segment;

	uint64_t own     = changes_next_of(changes, segment, from_index >> 32);
	uint64_t created = by_default ? changes_next_of(changes, 0, from_index >> 32) : UINT64_MAX;
	while ((own != UINT64_MAX || created != UINT64_MAX) && page.rows.count < limit) {
		bool take_own = own < created;
		add_entry(&page, take_own ? own : created);
		if (take_own)
			own = changes_next_of(changes, segment, own + 1);
		else
			created = changes_next_of(changes, 0, created + 1);
	}
	return hand_out(view, &page.rows, from_index, limit, arena, ret_rows);
}
