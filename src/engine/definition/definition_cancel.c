/* Taking back what is being built. The store commits what the segments are then, with an outbox row
 * that abandons the change; while that is done the rollout is held back from deciding, so that a
 * change that was taken back in the store is never activated, by this process or the next:
 *
 *   rollout_hold() ──► check ──► commit ──► memory ──► rollout_let_go() ──► ABANDON
 *
 * A segment goes back to what it was before the change: to its live version, which answered all the
 * time, or, when none is live, to one that is not active. */

#include <string.h>

#include "base/clock.h"
#include "engine/definition/definition_internal.h"

/* A segment that goes back. */
struct returning {
	struct known          *known;
	struct store_abandoned row;
	/* What is then so, and while the check goes on what was before. */
	bool      active;
	uint32_t *references;
	uint32_t  reference_count;
};

struct cancel {
	struct definitions *definitions;
	struct arena       *arena;
	struct returning   *items;
	size_t              count;
	bool                committed;
};

/* NULL: the version is gone, or a newer one took its place, and there is nothing to take back. */
static struct known *find_returning(struct definitions *definitions, const struct brought *brought)
{
	struct known *known = definitions_known(definitions, brought->segment);
	if (known == NULL || known->deleted || !known->segment.active ||
	    known->segment.version != brought->version)
		return NULL;
	return known;
}

static enum status add_returning(struct cancel *cancel, struct known *known, struct error *err)
{
	struct returning *item = &cancel->items[cancel->count];
	*item                  = (struct returning){.known = known};
	pthread_rwlock_rdlock(&cancel->definitions->lock);
	struct text canonical = {0};
	item->active          = known->live;
	item->row.version     = known->segment.version;
	item->row.back_to     = known->live ? known->segment.live_version : 0;
	memcpy(item->row.id, known->segment.id, sizeof item->row.id);
	if (known->live)
		canonical = arena_text(cancel->arena, known->live_canonical);
	item->references      = known->references;
	item->reference_count = known->reference_count;
	pthread_rwlock_unlock(&cancel->definitions->lock);
	cancel->count++;
	if (canonical.data == NULL)
		return STATUS_OK;

	struct expr *expr;
	enum status  status = expr_parse_canonical(canonical, cancel->arena, &expr, err);
	if (status == STATUS_OK)
		item->references = definitions_references(expr, cancel->arena, &item->reference_count);
	return status;
}

/* Exchanges what the segments are and what they are then; twice changes nothing. */
static void exchange(struct cancel *cancel)
{
	for (size_t i = 0; i < cancel->count; i++) {
		struct returning *item   = &cancel->items[i];
		struct known     *known  = item->known;
		struct returning  before = *item;
		item->active             = known->segment.active;
		item->references         = known->references;
		item->reference_count    = known->reference_count;
		known->segment.active    = before.active;
		known->references        = before.references;
		known->reference_count   = before.reference_count;
	}
}

static enum status check_users(struct definitions *definitions, const struct known *known,
                               struct error *err)
{
	struct buffer users  = {0};
	enum status   status = STATUS_OK;
	definitions_write_users(definitions, known, &users);
	if (users.length > 0)
		status = error_set(err, STATUS_CONFLICT,
		                   "Segment \"%.*s\" would not be active, and active ones refer to it: "
		                   "%.*s",
		                   TEXT_FORMAT(known->segment.key), TEXT_FORMAT(buffer_text(&users)));
	buffer_done(&users);
	return status;
}

/* Of one that goes back to its live version. */
static enum status check_reference(struct definitions *definitions, const struct known *known,
                                   uint32_t number, struct error *err)
{
	const struct known *other = definitions_known(definitions, number);
	if (other == NULL || other->deleted || !other->segment.active)
		return error_set(err, STATUS_CONFLICT,
		                 "The live version of segment \"%.*s\" refers to one that was disabled or "
		                 "deleted meanwhile",
		                 TEXT_FORMAT(known->segment.key));
	struct buffer path   = {0};
	enum status   status = STATUS_OK;
	if (definitions_reach(definitions, number, known->segment.number, 0, &path))
		status = error_set(err, STATUS_CONFLICT,
		                   "With its live version, segment \"%.*s\" would depend on itself:%.*s",
		                   TEXT_FORMAT(known->segment.key), TEXT_FORMAT(buffer_text(&path)));
	buffer_done(&path);
	return status;
}

/* As the segments are then. */
static enum status check_exchanged(const struct cancel *cancel, struct error *err)
{
	enum status status = STATUS_OK;
	for (size_t i = 0; i < cancel->count && status == STATUS_OK; i++) {
		const struct known *known = cancel->items[i].known;
		if (!known->segment.active)
			status = check_users(cancel->definitions, known, err);
		for (uint32_t j = 0; j < known->reference_count && known->segment.active; j++) {
			status = check_reference(cancel->definitions, known, known->references[j], err);
			if (status != STATUS_OK)
				break;
		}
	}
	return status;
}

static enum status check(struct cancel *cancel, struct error *err)
{
	pthread_rwlock_wrlock(&cancel->definitions->lock);
	exchange(cancel);
	enum status status = check_exchanged(cancel, err);
	exchange(cancel);
	pthread_rwlock_unlock(&cancel->definitions->lock);
	return status;
}

static enum status commit(struct cancel *cancel, uint64_t change_id, struct error *err)
{
	struct store           *store = cancel->definitions->store;
	struct store_abandoned *rows =
		ARENA_ARRAY(cancel->arena, struct store_abandoned, cancel->count);
	struct store_segment *segments =
		ARENA_ARRAY(cancel->arena, struct store_segment, cancel->count);
	struct buffer payload = {0};
	for (size_t i = 0; i < cancel->count; i++)
		rows[i] = cancel->items[i].row;
	buffer_add_u64(&payload, change_id);
	struct store_outbox row = {.kind = RECORD_ABANDON, .payload = buffer_text(&payload)};
	enum status status = store->ops->segment_abandon(store, rows, cancel->count, clock_wall_ms(),
	                                                 &row, cancel->arena, segments, err);
	buffer_done(&payload);
	cancel->committed = status == STATUS_OK;
	for (size_t i = 0; i < cancel->count && status == STATUS_OK; i++)
		status = definitions_remember(cancel->definitions, &segments[i], err);
	return status;
}

static enum status take_back(struct cancel *cancel, uint64_t change_id,
                             const struct brought *brought, size_t count, struct error *err)
{
	enum status status = STATUS_OK;
	cancel->items      = ARENA_ARRAY(cancel->arena, struct returning, count);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		struct known *known = find_returning(cancel->definitions, &brought[i]);
		if (known != NULL)
			status = add_returning(cancel, known, err);
	}
	if (status == STATUS_OK)
		status = check(cancel, err);
	if (status == STATUS_OK)
		status = commit(cancel, change_id, err);
	return status;
}

enum status definition_cancel(struct definitions *definitions, uint64_t change_id,
                              struct error *err)
{
	struct arena    arena;
	struct brought *brought;
	size_t          count;
	bool            held;
	arena_init(&arena);
	pthread_mutex_lock(&definitions->commit_lock);
	enum status status = rollout_hold(definitions, change_id, &arena, &held, &brought, &count, err);
	if (status == STATUS_OK && held) {
		struct cancel cancel = {.definitions = definitions, .arena = &arena};
		status               = take_back(&cancel, change_id, brought, count, err);
		rollout_let_go(definitions, cancel.committed);
	}
	pthread_mutex_unlock(&definitions->commit_lock);
	arena_done(&arena);
	return status;
}
