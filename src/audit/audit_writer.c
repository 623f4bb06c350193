/* The writer's thread: one write for all that was added meanwhile, one sync for all that wait. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit_internal.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

/* What one turn does. */
struct turn {
	struct audit_group group;
	uint64_t           offset;
	bool               sync;
	bool               stop;
	struct audit_head  synced;   /* signed when the sync is done */
	bool               has_head; /* the group ends in a signed record */
};

static void wait_until(struct audit *audit, int64_t monotonic_ms)
{
	struct timespec until = {.tv_sec  = monotonic_ms / 1000,
	                         .tv_nsec = monotonic_ms % 1000 * 1000000};
	pthread_cond_timedwait(&audit->wake, &audit->lock, &until);
}

/* When the next thing is due by time alone; 0: nothing is, and never again after a failure. */
static int64_t due_ms(const struct audit *audit)
{
	int64_t due = 0;
	if (audit->failed)
		return 0;
	if (audit->unsynced_ms != 0)
		due = audit->unsynced_ms + AUDIT_SYNC_MS;
	if (audit->unsigned_ms != 0) {
		int64_t head_ms = audit->unsigned_ms + audit->settings->head_interval_ms;
		due             = due == 0 || head_ms < due ? head_ms : due;
	}
	return due;
}

static void add_head(struct audit *audit)
{
	const struct audit_record head = {.action = TEXT("audit.head"), .result_size = -1};
	audit_chain(audit, &head, true, NULL);
}

static bool wants_head(const struct audit *audit, int64_t now_ms)
{
	return audit->unsigned_ms != 0 &&
	       (audit->stopping || now_ms - audit->unsigned_ms >= audit->settings->head_interval_ms ||
	        audit->end + audit->gathering.lines.length >= audit->settings->file_bytes);
}

/* Waits for work and takes it. */
static void take(struct audit *audit, struct turn *turn)
{
	*turn = (struct turn){0};
	pthread_mutex_lock(&audit->lock);
	for (;;) {
		int64_t now_ms = clock_monotonic_ms();
		int64_t due    = due_ms(audit);
		if (audit->gathering.lines.length > 0 || audit->stopping || (due != 0 && due <= now_ms)) {
			if (wants_head(audit, now_ms))
				add_head(audit);
			turn->stop = audit->stopping;
			turn->sync = audit->gathering.waiters.count > 0 || turn->stop ||
			             audit->unsigned_ms == 0 ||
			             (audit->unsynced_ms != 0 && audit->unsynced_ms + AUDIT_SYNC_MS <= now_ms);
			break;
		}
		if (due != 0)
			wait_until(audit, due);
		else
			pthread_cond_wait(&audit->wake, &audit->lock);
	}
	turn->group      = audit->gathering;
	turn->offset     = audit->end;
	turn->has_head   = audit->head_seq == audit->last.seq && turn->group.records > 0;
	audit->gathering = (struct audit_group){0};
	audit->end += turn->group.lines.length;
	if (turn->group.records > 0 && audit->unsynced_ms == 0)
		audit->unsynced_ms = clock_monotonic_ms();
	turn->synced.seq   = audit->last.seq;
	turn->synced.at_ms = audit->last.at_ms;
	memcpy(turn->synced.hash, audit->last.hash, sizeof turn->synced.hash);
	if (audit->failed)
		turn->group.lines.length = 0; /* they are told so */
	pthread_mutex_unlock(&audit->lock);
}

static enum status write_group(struct audit *audit, const struct turn *turn, struct error *err)
{
	const char *at     = turn->group.lines.data;
	size_t      left   = turn->group.lines.length;
	uint64_t    offset = turn->offset;
	while (left > 0) {
		int64_t wrote = audit->system->write(audit->fd, at, left, offset);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return file_error(err, wrote < 0 ? errno : EIO, "write", audit->directory);
		at += wrote;
		left -= (size_t)wrote;
		offset += (uint64_t)wrote;
	}
	/* Never again after a failure: the pages may be marked clean without being on the disk. */
	if (turn->sync && audit->system->sync(audit->fd) != 0)
		return file_error(err, errno, "sync", audit->directory);
	return STATUS_OK;
}

/* The newest record is durable: the keyring is told, and of a signed one the places elsewhere. */
static void tell_head(struct audit *audit, struct turn *turn)
{
	struct error err = {0};
	if (turn->synced.seq == 0)
		return;
	memcpy(turn->synced.workspace_id, audit->config.workspace_id, sizeof turn->synced.workspace_id);
	audit_head_sign(&turn->synced, audit->key);
	if (audit_anchor_write(&audit->anchor, &turn->synced, &err) != STATUS_OK) {
		pthread_mutex_lock(&audit->lock);
		bool first = audit->counts.anchor_failures++ == 0;
		pthread_mutex_unlock(&audit->lock);
		if (first)
			log_error("the head of the audit trail cannot be kept in the keyring", &err);
	}
	if (turn->has_head)
		audit_sender_put(audit->sender, &turn->synced);
}

/* Behind a signed record. A full disk puts it off: the file goes on growing. */
static void rotate(struct audit *audit, const struct turn *turn)
{
	struct error err;
	if (!turn->has_head || audit->written < audit->settings->file_bytes)
		return;
	uint64_t room = audit->gathering.lines.length + AUDIT_OWN_BYTES +
	                audit->reserved * (uint64_t)AUDIT_LINE_BYTES_MAX;
	uint64_t end = audit->written;
	int      old = dup(audit->fd);
	if (audit_new_file(audit, turn->synced.seq + 1, room, &err) == STATUS_OK) {
		if (audit->gathering.records > 0)
			audit->files.items[audit->files.count - 1].first_ms = audit->gathering.first_ms;
		if (old >= 0 && ftruncate(old, (off_t)end) != 0)
			log_message(LOG_WARNING, "a file of the audit trail keeps the zeros behind its end");
	}
	if (old >= 0)
		close(old);
}

static void end_turn(struct audit *audit, const struct turn *turn, enum status status,
                     const struct error *err)
{
	pthread_mutex_lock(&audit->lock);
	if (status != STATUS_OK && !audit->failed) {
		audit->failed  = true;
		audit->failure = *err;
	} else if (status == STATUS_OK) {
		audit->written = turn->offset + turn->group.lines.length;
		audit->counts.records += turn->group.records;
		audit->counts.bytes += turn->group.lines.length;
		audit->files.items[audit->files.count - 1].bytes = audit->written;
		if (turn->sync) {
			audit->counts.syncs++;
			audit->unsynced_ms = 0;
		}
		if (turn->sync && !turn->stop)
			rotate(audit, turn);
	}
	pthread_mutex_unlock(&audit->lock);
}

/* Behind the answers, which wait for no more. After a failure the next start finds them. */
static void free_slots(struct audit *audit, struct turn *turn, enum status status)
{
	for (size_t i = 0; i < turn->group.slots.count && status == STATUS_OK; i++)
		audit_intentions_free(audit->intentions, turn->group.slots.items[i]);
	VECTOR_DONE(&turn->group.slots);
}

static void answer(struct turn *turn, enum status status, const struct error *err)
{
	struct error failed = {0};
	if (status != STATUS_OK)
		error_set(&failed, STATUS_FAILED, "Its record could not be written to the audit trail: %s",
		          err->reason);
	for (size_t i = 0; i < turn->group.waiters.count; i++) {
		const struct audit_waiter *waiter = &turn->group.waiters.items[i];
		waiter->written(waiter->context, status == STATUS_OK ? STATUS_OK : STATUS_FAILED, &failed);
	}
	VECTOR_DONE(&turn->group.waiters);
	buffer_done(&turn->group.lines);
}

static void *write_all(void *context)
{
	struct audit *audit = context;
	struct turn   turn  = {0};
	while (!turn.stop) {
		struct error err = {0};
		take(audit, &turn);
		enum status status = STATUS_FAILED;
		if (audit->failed) /* by this thread alone */
			err = audit->failure;
		else
			status = write_group(audit, &turn, &err);
		if (status != STATUS_OK && !audit->failed)
			log_error("the audit trail cannot be written: what is audited is refused", &err);
		if (status == STATUS_OK && turn.sync)
			tell_head(audit, &turn);
		end_turn(audit, &turn, status, &err);
		answer(&turn, status, &err);
		free_slots(audit, &turn, status);
	}
	return NULL;
}

void audit_start_writer(struct audit *audit)
{
	int failed = pthread_create(&audit->thread, NULL, write_all, audit);
	assert(failed == 0);
	audit->started = true;
}
