/* Segments with their versions, and the outbox. */

#include <assert.h>
#include <string.h>

#include "store/sqlite_internal.h"

static void read_segment(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_segment segment = {
		.number         = (uint32_t)sqlite3_column_int64(row, 1),
		.key            = sqlite_text(row, 2, arena),
		.name           = sqlite_text(row, 3, arena),
		.description    = sqlite_text(row, 4, arena),
		.active         = sqlite3_column_int(row, 5) != 0,
		.created_ms     = sqlite3_column_int64(row, 6),
		.updated_ms     = sqlite3_column_int64(row, 7),
		.version        = (uint32_t)sqlite3_column_int64(row, 8),
		.live_version   = (uint32_t)sqlite3_column_int64(row, 9),
		.state          = (enum store_version_state)sqlite3_column_int(row, 10),
		.reason         = sqlite_text(row, 11, arena),
		.definition     = sqlite_text(row, 12, arena),
		.canonical      = sqlite_text(row, 13, arena),
		.live_canonical = sqlite_text(row, 15, arena),
		.last_version   = (uint32_t)sqlite3_column_int64(row, 16),
	};
	sqlite_id(row, 0, segment.id);
	sqlite_hash(row, 14, segment.hash);
	*(struct store_segment *)ret_item = segment;
}

static enum status list(struct store *base, bool deleted, struct arena *arena,
                        struct store_segment **ret_segments, size_t *ret_count, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_segment, .item_size = sizeof **ret_segments, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_LIST);
	sqlite3_bind_int(statement, 1, deleted);
	return sqlite_list(store, statement, &reader, ret_segments, ret_count, err);
}

enum status sqlite_segment_list(struct store *base, struct arena *arena,
                                struct store_segment **ret_segments, size_t *ret_count,
                                struct error *err)
{
	return list(base, false, arena, ret_segments, ret_count, err);
}

enum status sqlite_segment_list_deleted(struct store *base, struct arena *arena,
                                        struct store_segment **ret_segments, size_t *ret_count,
                                        struct error *err)
{
	return list(base, true, arena, ret_segments, ret_count, err);
}

enum status sqlite_segment_get(struct store *base, struct text id_or_key, struct arena *arena,
                               struct store_segment *ret_segment, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader    = {.read      = read_segment,
	                                        .item_size = sizeof *ret_segment,
	                                        .arena     = arena,
	                                        .missing   = "no such segment"};
	sqlite3_stmt              *statement = sqlite_statement(store, SQL_SEGMENT_GET);
	sqlite_bind_text_of(statement, 1, id_or_key);
	return sqlite_find(store, statement, &reader, ret_segment, err);
}

enum status sqlite_segment_reserve(struct store *base, uint32_t *ret_number, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	uint64_t number = 0;
	status          = sqlite_counter_next(store, "segment", &number, err);
	status          = sqlite_end(store, status, err);
	if (status == STATUS_OK) {
		assert(number <= UINT32_MAX);
		*ret_number = (uint32_t)number;
	}
	return status;
}

/* What is stored of a segment, as far as changes must look at it. */
struct stored {
	bool     exists;
	bool     deleted;
	uint32_t number;
	uint32_t version;
	uint32_t live_version;
	uint32_t last_version;
};

static enum status look_up(struct sqlite_store *store, const char *id, struct stored *ret_stored,
                           struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_STATE);
	sqlite_bind_string(statement, 1, id);
	*ret_stored        = (struct stored){0};
	enum status status = sqlite_row(store, statement, &ret_stored->exists, err);
	if (status != STATUS_OK || !ret_stored->exists)
		return status;
	ret_stored->number       = (uint32_t)sqlite3_column_int64(statement, 0);
	ret_stored->version      = (uint32_t)sqlite3_column_int64(statement, 1);
	ret_stored->live_version = (uint32_t)sqlite3_column_int64(statement, 2);
	ret_stored->deleted      = sqlite3_column_int(statement, 3) != 0;
	ret_stored->last_version = (uint32_t)sqlite3_column_int64(statement, 4);
	return STATUS_OK;
}

static enum status look_up_present(struct sqlite_store *store, const char *id,
                                   struct stored *ret_stored, struct error *err)
{
	enum status status = look_up(store, id, ret_stored, err);
	if (status == STATUS_OK && (!ret_stored->exists || ret_stored->deleted))
		status = error_set(err, STATUS_NOT_FOUND, "no such segment");
	return status;
}

static enum status add_segment(struct sqlite_store *store, const struct store_segment *segment,
                               struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_ADD);
	sqlite_bind_string(statement, 1, segment->id);
	sqlite_bind_number(statement, 2, segment->number);
	sqlite_bind_text_of(statement, 3, segment->key);
	sqlite_bind_text_of(statement, 4, segment->name);
	sqlite_bind_text_of(statement, 5, segment->description);
	sqlite_bind_number(statement, 6, segment->active);
	sqlite_bind_number(statement, 7, segment->created_ms);
	sqlite_bind_number(statement, 8, segment->updated_ms);
	return sqlite_run(store, statement, err);
}

static enum status change_segment(struct sqlite_store *store, const struct store_segment *segment,
                                  struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_CHANGE);
	sqlite_bind_text_of(statement, 1, segment->key);
	sqlite_bind_text_of(statement, 2, segment->name);
	sqlite_bind_text_of(statement, 3, segment->description);
	sqlite_bind_number(statement, 4, segment->active);
	sqlite_bind_number(statement, 5, segment->updated_ms);
	sqlite_bind_number(statement, 6, segment->version);
	sqlite_bind_string(statement, 7, segment->id);
	return sqlite_run(store, statement, err);
}

/* Versions before `version` that are in `state` have been replaced. */
static enum status replace_versions(struct sqlite_store *store, const char *id, uint32_t version,
                                    enum store_version_state state, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_VERSION_REPLACE);
	sqlite_bind_number(statement, 1, STORE_VERSION_REPLACED);
	sqlite_bind_string(statement, 2, id);
	sqlite_bind_number(statement, 3, version);
	sqlite_bind_number(statement, 4, state);
	return sqlite_run(store, statement, err);
}

static enum status add_version(struct sqlite_store *store, const struct store_segment *segment,
                               struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_VERSION_ADD);
	sqlite_bind_string(statement, 1, segment->id);
	sqlite_bind_number(statement, 2, segment->version);
	sqlite_bind_number(statement, 3, STORE_VERSION_PREPARING);
	sqlite_bind_text_of(statement, 4, segment->definition);
	sqlite_bind_text_of(statement, 5, segment->canonical);
	sqlite_bind_bytes(statement, 6, segment->hash, sizeof segment->hash);
	enum status status = sqlite_run(store, statement, err);
	/* A version that was still being prepared, or could not be, never becomes live now. */
	if (status == STATUS_OK)
		status =
			replace_versions(store, segment->id, segment->version, STORE_VERSION_PREPARING, err);
	if (status == STATUS_OK)
		status = replace_versions(store, segment->id, segment->version, STORE_VERSION_FAILED, err);
	return status;
}

/* The same version as its author writes it now. */
static enum status write_version(struct sqlite_store *store, const struct store_segment *segment,
                                 struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_VERSION_WRITE);
	sqlite_bind_text_of(statement, 1, segment->definition);
	sqlite_bind_string(statement, 2, segment->id);
	sqlite_bind_number(statement, 3, segment->version);
	return sqlite_run(store, statement, err);
}

static enum status check_version(const struct store_segment *segment, const struct stored *stored,
                                 uint32_t expected_version, struct error *err)
{
	if (stored->deleted || (!stored->exists && segment->version != 1))
		return error_set(err, STATUS_NOT_FOUND, "no such segment");
	if (expected_version != 0 && stored->version != expected_version)
		return error_set(err, STATUS_PRECONDITION, "the segment is at version %u, not %u",
		                 stored->version, expected_version);
	if (stored->exists && segment->version != stored->version &&
	    segment->version != stored->last_version + 1)
		return error_set(err, STATUS_PRECONDITION, "the segment was changed meanwhile");
	if (stored->exists && segment->number != stored->number)
		return error_set_field(err, STATUS_CONFLICT, "number", "a segment's number never changes");
	return STATUS_OK;
}

static enum status put_segment(struct sqlite_store *store, const struct store_segment *segment,
                               uint32_t expected_version, struct error *err)
{
	struct stored stored;
	enum status   status = look_up(store, segment->id, &stored, err);
	if (status == STATUS_OK)
		status = check_version(segment, &stored, expected_version, err);
	if (status == STATUS_OK)
		status =
			stored.exists ? change_segment(store, segment, err) : add_segment(store, segment, err);
	if (status == STATUS_OK)
		status = segment->version != stored.version ? add_version(store, segment, err)
		                                            : write_version(store, segment, err);
	return status;
}

/* The ids go to the caller only when all is committed. */
static enum status add_outbox(struct sqlite_store *store, const struct store_outbox *row,
                              uint64_t *ret_id, struct error *err)
{
	enum status status = sqlite_counter_next(store, "outbox", ret_id, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_OUTBOX_ADD);
	sqlite_bind_number(statement, 1, (int64_t)*ret_id);
	sqlite_bind_number(statement, 2, row->kind);
	sqlite_bind_bytes(statement, 3, row->payload.data, row->payload.length);
	return sqlite_run(store, statement, err);
}

/* Adds the rows and ends the transaction. Their ids follow one another. */
static enum status end_with_outbox(struct sqlite_store *store, enum status status,
                                   struct store_outbox *outbox, size_t count, struct error *err)
{
	uint64_t last_id = 0;
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		status = add_outbox(store, &outbox[i], &last_id, err);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		for (size_t i = 0; i < count; i++)
			outbox[i].id = last_id - count + 1 + i;
	return status;
}

enum status sqlite_segment_commit(struct store *base, const struct store_commit *commit,
                                  struct error *err)
{
	struct sqlite_store  *store = sqlite_store_of(base);
	struct store_audience owner;
	assert(commit->audience == NULL || commit->count == 1);
	enum status status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < commit->count && status == STATUS_OK; i++)
		status = put_segment(store, &commit->segments[i],
		                     commit->expected_versions ? commit->expected_versions[i] : 0, err);
	if (status == STATUS_OK && commit->audience != NULL) {
		owner = *commit->audience;
		memcpy(owner.segment_id, commit->segments[0].id, sizeof owner.segment_id);
		status = sqlite_audience_put(store, &owner, err);
	}
	status = end_with_outbox(store, status, commit->outbox, commit->outbox_count, err);
	if (status == STATUS_OK && commit->audience != NULL)
		*commit->audience = owner;
	return status;
}

enum status sqlite_segment_delete(struct store *base, const char *id, struct store_outbox *outbox,
                                  size_t outbox_count, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	struct stored stored;
	status = look_up_present(store, id, &stored, err);
	if (status == STATUS_OK) {
		sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_DELETE);
		sqlite_bind_string(statement, 1, id);
		status = sqlite_run(store, statement, err);
	}
	if (status == STATUS_OK) {
		sqlite3_stmt *statement = sqlite_statement(store, SQL_AUDIENCE_DELETE_BY_SEGMENT);
		sqlite_bind_string(statement, 1, id);
		status = sqlite_run(store, statement, err);
	}
	return end_with_outbox(store, status, outbox, outbox_count, err);
}

static enum status version_state(struct sqlite_store *store, const char *id, uint32_t version,
                                 enum store_version_state *ret_state, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_VERSION_STATE);
	sqlite_bind_string(statement, 1, id);
	sqlite_bind_number(statement, 2, version);
	bool        found  = false;
	enum status status = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		status = error_set(err, STATUS_NOT_FOUND, "the segment has no version %u", version);
	if (status == STATUS_OK)
		*ret_state = (enum store_version_state)sqlite3_column_int(statement, 0);
	return status;
}

static enum status set_live(struct sqlite_store *store, const char *id, uint32_t version,
                            struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_LIVE);
	sqlite_bind_number(statement, 1, version);
	sqlite_bind_string(statement, 2, id);
	enum status status = sqlite_run(store, statement, err);
	if (status == STATUS_OK)
		status = replace_versions(store, id, version, STORE_VERSION_LIVE, err);
	return status;
}

static enum status settle(struct sqlite_store *store, const char *id, uint32_t version,
                          enum store_version_state state, struct text reason, struct error *err)
{
	struct stored            stored;
	enum store_version_state before = STORE_VERSION_PREPARING;
	enum status              status = look_up_present(store, id, &stored, err);
	if (status == STATUS_OK)
		status = version_state(store, id, version, &before, err);
	if (status != STATUS_OK)
		return status;
	/* News of a replay: a newer version went live since, or this one did. */
	if (version < stored.live_version ||
	    (version == stored.live_version && state != STORE_VERSION_REPLACED))
		return STATUS_OK;
	if (before == STORE_VERSION_REPLACED && state != STORE_VERSION_LIVE)
		return STATUS_OK;

	sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_VERSION_SETTLE);
	sqlite_bind_number(statement, 1, state);
	sqlite_bind_text_of(statement, 2, reason);
	sqlite_bind_string(statement, 3, id);
	sqlite_bind_number(statement, 4, version);
	status = sqlite_run(store, statement, err);
	if (status == STATUS_OK && state == STORE_VERSION_LIVE)
		status = set_live(store, id, version, err);
	return status;
}

enum status sqlite_segment_settle(struct store *base, const char *id, uint32_t version,
                                  enum store_version_state state, struct text reason,
                                  struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	status = settle(store, id, version, state, reason, err);
	return sqlite_end(store, status, err);
}

/* Within a transaction; it is there. */
static enum status read_back(struct sqlite_store *store, const char *id, struct arena *arena,
                             struct store_segment *ret_segment, struct error *err)
{
	bool          found     = false;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_GET);
	sqlite_bind_string(statement, 1, id);
	enum status status = sqlite_row(store, statement, &found, err);
	if (status != STATUS_OK)
		return status;
	assert(found);
	read_segment(statement, arena, ret_segment);
	return STATUS_OK;
}

static enum status replace_version(struct sqlite_store *store, const char *id, uint32_t version,
                                   struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_VERSION_SETTLE);
	sqlite_bind_number(statement, 1, STORE_VERSION_REPLACED);
	sqlite_bind_text_of(statement, 2, TEXT(""));
	sqlite_bind_string(statement, 3, id);
	sqlite_bind_number(statement, 4, version);
	return sqlite_run(store, statement, err);
}

/* An audience that was saved says what its segment says. */
static enum status give_audience_back(struct sqlite_store          *store,
                                      const struct store_abandoned *abandoned, int64_t at_ms,
                                      struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_AUDIENCE_BACK);
	sqlite_bind_string(statement, 1, abandoned->id);
	sqlite_bind_number(statement, 2, abandoned->back_to);
	sqlite_bind_number(statement, 3, at_ms);
	enum status status = sqlite_run(store, statement, err);
	if (status != STATUS_OK)
		return status;
	statement = sqlite_statement(store, SQL_AUDIENCE_BACK_VERSION);
	sqlite_bind_string(statement, 1, abandoned->id);
	return sqlite_run(store, statement, err);
}

static enum status take_back(struct sqlite_store *store, const struct store_abandoned *abandoned,
                             int64_t at_ms, struct error *err)
{
	struct stored stored;
	enum status   status = look_up_present(store, abandoned->id, &stored, err);
	if (status == STATUS_OK &&
	    (stored.version != abandoned->version ||
	     (abandoned->back_to != 0 && stored.live_version != abandoned->back_to)))
		status = error_set(err, STATUS_PRECONDITION, "the segment was changed meanwhile");
	if (status != STATUS_OK)
		return status;

	bool          active    = abandoned->back_to != 0;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SEGMENT_BACK);
	sqlite_bind_number(statement, 1, active ? abandoned->back_to : abandoned->version);
	sqlite_bind_number(statement, 2, active);
	sqlite_bind_number(statement, 3, at_ms);
	sqlite_bind_string(statement, 4, abandoned->id);
	status = sqlite_run(store, statement, err);
	if (status == STATUS_OK && active && abandoned->back_to != abandoned->version)
		status = replace_version(store, abandoned->id, abandoned->version, err);
	if (status == STATUS_OK && active && abandoned->back_to != abandoned->version)
		status = give_audience_back(store, abandoned, at_ms, err);
	return status;
}

enum status sqlite_segment_abandon(struct store *base, const struct store_abandoned *abandoned,
                                   size_t count, int64_t at_ms, struct store_outbox *outbox,
                                   struct arena *arena, struct store_segment *ret_segments,
                                   struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		status = take_back(store, &abandoned[i], at_ms, err);
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		status = read_back(store, abandoned[i].id, arena, &ret_segments[i], err);
	return end_with_outbox(store, status, outbox, 1, err);
}

static void read_outbox(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct store_outbox *)ret_item = (struct store_outbox){
		.id      = (uint64_t)sqlite3_column_int64(row, 0),
		.kind    = (uint8_t)sqlite3_column_int(row, 1),
		.payload = sqlite_bytes(row, 2, arena),
	};
}

enum status sqlite_outbox_list(struct store *base, size_t limit, struct arena *arena,
                               struct store_outbox **ret_rows, size_t *ret_count, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_outbox, .item_size = sizeof **ret_rows, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_OUTBOX_LIST);
	sqlite_bind_number(statement, 1, limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
	return sqlite_list(store, statement, &reader, ret_rows, ret_count, err);
}

enum status sqlite_outbox_done(struct store *base, uint64_t through_id, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_OUTBOX_DONE);
	sqlite_bind_number(statement, 1, (int64_t)through_id);
	return sqlite_end(store, sqlite_run(store, statement, err), err);
}
