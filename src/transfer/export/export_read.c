#include "transfer/export/export_read.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/instant.h"

enum { READ_WAIT_MS = 60000, SLOTS_BETWEEN_LOOKS = 16 };

void export_reader_init(struct export_reader *reader, struct engine *engine, struct vault *vault)
{
	*reader = (struct export_reader){.engine = engine, .vault = vault};
	arena_init(&reader->arena);
	pthread_mutex_init(&reader->lock, NULL);
	pthread_cond_init(&reader->finished, NULL);
}

void export_reader_done(struct export_reader *reader)
{
	arena_done(&reader->arena);
	VECTOR_DONE(&reader->events);
	VECTOR_DONE(&reader->persons);
	VECTOR_DONE(&reader->gone);
	event_list_done(&reader->list);
	pthread_mutex_destroy(&reader->lock);
	pthread_cond_destroy(&reader->finished);
}

/* ---- On the partition's thread ---- */

static void copy_event(struct export_reader *reader, struct person owner, const struct event *event)
{
	struct export_event copy    = {owner, *event};
	struct record      *record  = &copy.event.record;
	struct text        *texts[] = {&record->name, &record->message_id, &record->properties,
	                               &record->context, &record->sealed};
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
		*texts[i] = arena_text(&reader->arena, *texts[i]);
	VECTOR_ADD(&reader->events, copy);
}

static bool agrees(const struct export_reader *reader, const struct view_person *person)
{
	return reader->consent == NULL || consent_given(reader->consent, person->traits);
}

static void read_events(struct export_reader *reader, struct view *view, uint32_t slot,
                        const struct view_person *person)
{
	struct person owner = {view_partition(view), slot};
	event_list_clear(&reader->list);
	view_events_until(view, slot, reader->from_ms, reader->to_ms, reader->position, &reader->list);
	if (reader->list.count > 0 && !agrees(reader, person)) {
		reader->left_out++;
		return;
	}
	for (size_t i = 0; i < reader->list.count; i++)
		copy_event(reader, owner, &reader->list.items[i]);
}

static bool in_range(const struct export_reader *reader, const struct view_person *person)
{
	bool active_since =
		person->created_ms >= reader->from_ms ||
		(person->last_active_ms != INSTANT_MS_NONE && person->last_active_ms >= reader->from_ms);
	return active_since && person->created_ms < reader->to_ms;
}

static void read_profile(struct export_reader *reader, struct view *view, uint32_t slot,
                         const struct view_person *person)
{
	struct export_profile profile = {{view_partition(view), slot}, *person, NULL, 0};
	if (!in_range(reader, person))
		return;
	if (!agrees(reader, person)) {
		reader->left_out++;
		return;
	}
	profile.view.traits = arena_text(&reader->arena, person->traits);
	profile.block_count = view_sealed_traits(view, slot, &reader->arena, &profile.blocks);
	for (size_t i = 0; i < profile.block_count; i++) {
		struct view_sealed *block = &profile.blocks[i];
		block->sealed             = arena_text(&reader->arena, block->sealed);
		for (size_t n = 0; n < block->name_count; n++)
			block->names[n] = arena_text(&reader->arena, block->names[n]);
	}
	VECTOR_ADD(&reader->persons, profile);
}

static bool is_full(const struct export_reader *reader, int64_t since_ns)
{
	return reader->arena.bytes >= EXPORT_READ_BYTES || reader->events.count >= EXPORT_READ_ROWS ||
	       reader->persons.count >= EXPORT_READ_ROWS || reader->gone.count >= EXPORT_READ_ROWS ||
	       clock_monotonic_ns() - since_ns >= EXPORT_READ_US * INT64_C(1000);
}

/* The first slot from `slot` on that is wanted; SLOT_NONE: there is none. */
static uint32_t next_wanted(const struct export_reader *reader, uint32_t slot)
{
	size_t low = 0, high = reader->wanted_count;
	if (reader->wanted == NULL)
		return slot;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (reader->wanted[middle] < slot)
			low = middle + 1;
		else
			high = middle;
	}
	return low < reader->wanted_count ? reader->wanted[low] : SLOT_NONE;
}

static void run(struct engine_read *read, struct view *view)
{
	struct export_reader *reader =
		(struct export_reader *)((char *)read - offsetof(struct export_reader, read));
	int64_t  since_ns = clock_monotonic_ns();
	uint32_t slot     = next_wanted(reader, reader->slot);
	uint32_t end      = view_slot_count(view);
	for (unsigned looked = 1; slot < end; slot = next_wanted(reader, slot + 1), looked++) {
		struct view_person person;
		if (looked % SLOTS_BETWEEN_LOOKS == 0 && is_full(reader, since_ns))
			break;
		bool exists = view_person(view, slot, &person);
		if (!exists)
			VECTOR_ADD(&reader->gone, slot);
		else if (reader->profiles || reader->both)
			read_profile(reader, view, slot, &person);
		if (exists && (!reader->profiles || reader->both))
			read_events(reader, view, slot, &person);
	}
	reader->next_slot = slot < end ? slot : SLOT_NONE;
}

/* What a visitor brought to the user who took him, of what was accepted by the position. */
static void run_merged(struct engine_read *read, struct view *view)
{
	struct export_reader *reader =
		(struct export_reader *)((char *)read - offsetof(struct export_reader, read));
	struct view_person taker;
	if (!view_person(view, reader->taker.slot, &taker) || !agrees(reader, &taker))
		return; /* the user is counted himself */
	event_list_clear(&reader->list);
	view_events_until(view, reader->taker.slot, reader->from_ms, reader->to_ms, UINT64_MAX,
	                  &reader->list);
	for (size_t i = 0; i < reader->list.count; i++) {
		const struct event *event = &reader->list.items[i];
		if (event->partition == reader->visitor.partition &&
		    event->record.slot == reader->visitor.slot && event->position <= reader->position &&
		    event->stored_position > reader->position)
			copy_event(reader, reader->visitor, event);
	}
}

/* ---- On the caller's ---- */

static void done(struct engine_read *read, enum status status, const struct error *err)
{
	struct export_reader *reader =
		(struct export_reader *)((char *)read - offsetof(struct export_reader, read));
	pthread_mutex_lock(&reader->lock);
	reader->status = status;
	if (status != STATUS_OK)
		reader->err = *err;
	reader->done = true;
	pthread_cond_signal(&reader->finished);
	pthread_mutex_unlock(&reader->lock);
}

static enum status ask(struct export_reader *reader, uint32_t                        partition,
                       void (*run_on)(struct engine_read *, struct view *), uint64_t min_position,
                       struct error *err)
{
	reader->done = false;
	reader->read = (struct engine_read){
		.run = run_on, .done = done, .min_position = min_position, .timeout_ms = READ_WAIT_MS};
	engine_read_person(reader->engine, partition, &reader->read);
	pthread_mutex_lock(&reader->lock);
	while (!reader->done)
		pthread_cond_wait(&reader->finished, &reader->lock);
	pthread_mutex_unlock(&reader->lock);
	if (reader->status != STATUS_OK)
		*err = reader->err;
	return reader->status;
}

/* A visitor who has become a user since the position, perhaps between two pieces. */
static enum status read_merged(struct export_reader *reader, struct person visitor,
                               struct error *err)
{
	struct vault_id      id;
	struct vault_merge   merge;
	struct arena         arena;
	struct error         unknown;
	struct engine_status engine;
	arena_init(&arena);
	bool merged = vault_external_id(reader->vault, visitor, &arena, &id, &unknown) == STATUS_OK &&
	              id.namespace == VAULT_ANONYMOUS && vault_merged(reader->vault, id.id, &merge) &&
	              merge.visitor.partition == visitor.partition &&
	              merge.visitor.slot == visitor.slot;
	arena_done(&arena);
	if (!merged)
		return STATUS_OK;
	engine_status(reader->engine, &engine);
	reader->visitor = visitor;
	reader->taker   = merge.user;
	/* What caused the visitor to be gone is applied with the user too. */
	return ask(reader, merge.user.partition, run_merged, engine.journal_position, err);
}

enum status export_reader_next(struct export_reader *reader, uint32_t partition, uint32_t slot,
                               struct error *err)
{
	reader->events.count  = 0;
	reader->persons.count = 0;
	reader->gone.count    = 0;
	reader->left_out      = 0;
	arena_reset(&reader->arena);
	reader->arena.bytes = 0;
	reader->partition   = partition;
	reader->slot        = slot;
	enum status status  = ask(reader, partition, run, reader->position, err);
	for (size_t i = 0; status == STATUS_OK && !reader->profiles && i < reader->gone.count; i++)
		status = read_merged(reader, (struct person){partition, reader->gone.items[i]}, err);
	return status;
}
