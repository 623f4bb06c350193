#include "app/background/kept.h"

#include <string.h>

#include "api/stream/consumer_cursor.h"
#include "base/instant.h"
#include "engine/history.h"
#include "journal/file_log.h"

static enum status look_events(void *context, int64_t before_ms, struct retention_look *ret_look,
                               struct error *err)
{
	const struct kept   *kept = context;
	struct engine_status s;
	(void)before_ms;
	(void)err;
	engine_status(kept->engine, &s);
	*ret_look =
		(struct retention_look){.oldest_ms = INSTANT_MS_NONE, .all = {s.events, s.stored.bytes}};
	return STATUS_OK;
}

static enum status look_journal(void *context, int64_t before_ms, struct retention_look *ret_look,
                                struct error *err)
{
	const struct kept     *kept = context;
	struct file_log_status s;
	(void)before_ms;
	(void)err;
	file_log_status(kept->journal, &s);
	*ret_look = (struct retention_look){.oldest_ms = s.first_ms, .all = {s.files, s.disk_bytes}};
	return STATUS_OK;
}

static enum status look_letters(void *context, int64_t before_ms, struct retention_look *ret_look,
                                struct error *err)
{
	const struct kept         *kept = context;
	struct store_letter_totals all, due = {0};
	enum status status = kept->store->ops->letter_totals(kept->store, INT64_MAX, &all, err);
	if (status == STATUS_OK && before_ms != INSTANT_MS_NONE)
		status = kept->store->ops->letter_totals(kept->store, before_ms, &due, err);
	if (status == STATUS_OK)
		*ret_look =
			(struct retention_look){.oldest_ms = all.count > 0 ? all.oldest_ms : INSTANT_MS_NONE,
		                            .all       = {all.count, all.bytes},
		                            .due       = {due.count, due.bytes}};
	return status;
}

/* One statement: as many as a few thousand of each source. */
static enum status drop_letters(void *context, struct job *job, int64_t before_ms,
                                struct retention_amount *dropped, struct error *err)
{
	const struct kept         *kept = context;
	struct store_letter_totals due;
	size_t                     count;
	enum status status = kept->store->ops->letter_totals(kept->store, before_ms, &due, err);
	if (status != STATUS_OK)
		return status;
	job_use_bytes(job, due.bytes);
	status = kept->store->ops->letter_expire(kept->store, before_ms, &count, err);
	if (status == STATUS_OK) {
		dropped->count += count;
		dropped->bytes += due.bytes;
	}
	return status;
}

/* ---- The change stream ---- */

/* By partition the first entry that a consumer has not confirmed yet; UINT64_MAX: there is none. */
static enum status find_held(const struct kept *kept, struct arena *arena, uint64_t **ret_held,
                             struct error *err)
{
	uint32_t               partitions = engine_partition_count(kept->engine);
	uint64_t              *held       = ARENA_ARRAY(arena, uint64_t, partitions);
	struct store_consumer *consumers;
	size_t                 count;
	memset(held, 0xff, partitions * sizeof *held);
	enum status status =
		kept->store->ops->consumer_list(kept->store, arena, &consumers, &count, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++) {
		struct consumer_cursor cursor;
		status = consumer_cursor_read(consumers[i].cursor, partitions, arena, &cursor, err);
		for (uint32_t p = 0; status == STATUS_OK && p < partitions; p++)
			if (cursor.after[p] < held[p])
				held[p] = cursor.after[p];
	}
	*ret_held = held;
	return status;
}

static enum status look_changes(void *context, int64_t before_ms, struct retention_look *ret_look,
                                struct error *err)
{
	const struct kept  *kept = context;
	struct history_look look;
	struct arena        arena;
	uint64_t           *held;
	arena_init(&arena);
	enum status status = find_held(kept, &arena, &held, err);
	if (status == STATUS_OK)
		status = engine_history_look(kept->engine, before_ms, held, &look, err);
	arena_done(&arena);
	if (status == STATUS_OK)
		*ret_look = (struct retention_look){.oldest_ms = look.oldest_ms,
		                                    .all       = {look.all.count, look.all.bytes},
		                                    .due       = {look.due.count, look.due.bytes}};
	return status;
}

static bool use_bytes(void *context, uint64_t bytes)
{
	struct job *job = context;
	job_use_bytes(job, bytes);
	return !job_stopping(job);
}

static enum status drop_changes(void *context, struct job *job, int64_t before_ms,
                                struct retention_amount *dropped, struct error *err)
{
	const struct kept        *kept = context;
	const struct history_pace pace = {use_bytes, job};
	struct arena              arena;
	uint64_t                 *held;
	arena_init(&arena);
	enum status status     = find_held(kept, &arena, &held, err);
	uint32_t    partitions = engine_partition_count(kept->engine);
	for (uint32_t i = 0; i < partitions && status == STATUS_OK; i++) {
		struct history_amount amount = {0};
		status = engine_history_drop(kept->engine, i, before_ms, held[i], &pace, &amount, err);
		dropped->count += amount.count;
		dropped->bytes += amount.bytes;
	}
	arena_done(&arena);
	return status;
}

void kept_register(struct retention *retention, struct kept *kept, const struct kept_times *times)
{
	const struct retention_thing things[] = {
		{.name    = "events",
	     .summary = "Events; from then on they count nowhere",
	     .setting = "retention",
	     .age_ms  = times->events_ms,
	     .look    = look_events,
	     .context = kept},
		{.name    = "journal",
	     .summary = "Files of the journal that nothing needs any more",
	     .setting = "journal-retention",
	     .age_ms  = times->journal_ms,
	     .look    = look_journal,
	     .context = kept},
		{.name    = "dead-letters",
	     .summary = "Rejected events with the reason",
	     .setting = "dead-letter-retention",
	     .age_ms  = times->letters_ms,
	     .look    = look_letters,
	     .drop    = drop_letters,
	     .context = kept},
		{.name    = "changes",
	     .summary = "The change stream, and with it the history of segments",
	     .setting = "history-retention",
	     .age_ms  = times->changes_ms,
	     .look    = look_changes,
	     .drop    = drop_changes,
	     .context = kept},
	};
	for (size_t i = 0; i < sizeof things / sizeof things[0]; i++)
		retention_register(retention, &things[i]);
}
