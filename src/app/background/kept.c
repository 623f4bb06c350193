#include "app/background/kept.h"

#include "base/instant.h"
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

static enum status look_changes(void *context, int64_t before_ms, struct retention_look *ret_look,
                                struct error *err)
{
	const struct kept   *kept = context;
	struct engine_status s;
	(void)before_ms;
	(void)err;
	engine_status(kept->engine, &s);
	*ret_look = (struct retention_look){.oldest_ms = INSTANT_MS_NONE, .all = {s.changes, 0}};
	return STATUS_OK;
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
	     .look    = look_changes,
	     .context = kept},
	};
	for (size_t i = 0; i < sizeof things / sizeof things[0]; i++)
		retention_register(retention, &things[i]);
}
