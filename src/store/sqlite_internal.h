#ifndef SONNIM_STORE_SQLITE_INTERNAL_H
#define SONNIM_STORE_SQLITE_INTERNAL_H

/* What the files of the SQLite backend share: the connection, transactions, and statements.
 *
 *   status = sqlite_begin(store, err);              takes the lock
 *   statement = sqlite_statement(store, SQL_…);     reset, nothing bound
 *   sqlite_bind_…(statement, 1, …);
 *   status = sqlite_row(store, statement, &row, err) or sqlite_run(store, statement, err)
 *   return sqlite_end(store, status, err);          commits or rolls back, lets go of the lock
 *
 * Bound texts must live until the statement has run. */

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "sqlite_sql.h"
#include "store/store.h"

struct sqlite_store {
	struct store    base;
	pthread_mutex_t lock; /* over the connection and its statements */
	sqlite3        *db;
	sqlite3_stmt   *statements[SQL_QUERY_COUNT];
};

static inline struct sqlite_store *sqlite_store_of(struct store *store)
{
	return (struct sqlite_store *)store; /* `base` comes first */
}

void sqlite_read_workspace(sqlite3_stmt *row, struct store_workspace *ret_workspace);

/* Brings the schema to the newest migration. */
MUST_USE enum status sqlite_migrate(sqlite3 *db, struct error *err);

/* The status of a result of SQLite on this connection, described; CONFLICT names the column. */
enum status sqlite_error(sqlite3 *db, const char *what, struct error *err);

MUST_USE enum status sqlite_begin(struct sqlite_store *store, struct error *err);
MUST_USE enum status sqlite_end(struct sqlite_store *store, enum status status, struct error *err);

sqlite3_stmt *sqlite_statement(struct sqlite_store *store, enum sql_query query);

void sqlite_bind_text_of(sqlite3_stmt *statement, int parameter, struct text text);
void sqlite_bind_string(sqlite3_stmt *statement, int parameter, const char *string);
void sqlite_bind_bytes(sqlite3_stmt *statement, int parameter, const void *data, size_t length);
void sqlite_bind_number(sqlite3_stmt *statement, int parameter, int64_t number);

/* The next row, or `*ret_row` false when there is none. */
MUST_USE enum status sqlite_row(struct sqlite_store *store, sqlite3_stmt *statement, bool *ret_row,
                                struct error *err);
/* Runs a statement whose rows, if any, do not matter. */
MUST_USE enum status sqlite_run(struct sqlite_store *store, sqlite3_stmt *statement,
                                struct error *err);

/* Within what sqlite_begin() began: the person's version becomes the next; his sessions but
 * `except_id` (empty: all) end. */
MUST_USE enum status sqlite_touch_person(struct sqlite_store *store, struct text id,
                                         struct error *err);
MUST_USE enum status sqlite_end_sessions(struct sqlite_store *store, struct text person_id,
                                         struct text except_id, struct error *err);

/* Columns of the present row; the copies come from the arena. */
struct text sqlite_text(sqlite3_stmt *statement, int column, struct arena *arena);
struct text sqlite_bytes(sqlite3_stmt *statement, int column, struct arena *arena);
void        sqlite_id(sqlite3_stmt *statement, int column, char ret_id[37]);
void        sqlite_hash(sqlite3_stmt *statement, int column, uint8_t ret_hash[32]);

/* How a row becomes an item, whose texts come from the arena. */
struct sqlite_reader {
	void (*read)(sqlite3_stmt *row, struct arena *arena, void *ret_item);
	size_t        item_size;
	struct arena *arena;
	const char   *missing; /* why there is none; of sqlite_find() */
};

/* All rows of a bound statement, within a transaction. `ret_items` is where the pointer to the
 * array goes, which lies in the arena. */
MUST_USE enum status sqlite_rows(struct sqlite_store *store, sqlite3_stmt *statement,
                                 const struct sqlite_reader *reader, void *ret_items,
                                 size_t *ret_count, struct error *err);
/* The same, and ends the transaction. */
MUST_USE enum status sqlite_list(struct sqlite_store *store, sqlite3_stmt *statement,
                                 const struct sqlite_reader *reader, void *ret_items,
                                 size_t *ret_count, struct error *err);

/* The row of a bound statement, and ends the transaction. STATUS_NOT_FOUND: it has none. `ret_item`
 * NULL: it does not matter. */
MUST_USE enum status sqlite_find(struct sqlite_store *store, sqlite3_stmt *statement,
                                 const struct sqlite_reader *reader, void *ret_item,
                                 struct error *err);
/* The same in a transaction of its own, where the statement has one parameter. */
MUST_USE enum status sqlite_find_by(struct store *base, enum sql_query query, struct text key,
                                    const struct sqlite_reader *reader, void *ret_item,
                                    struct error *err);

/* The next number of a sequence; within a transaction. */
MUST_USE enum status sqlite_counter_next(struct sqlite_store *store, const char *name,
                                         uint64_t *ret_value, struct error *err);

/* sqlite_audience.c: adds one (`number` 0, which is assigned) or changes it; within a
 * transaction. */
MUST_USE enum status sqlite_audience_put(struct sqlite_store   *store,
                                         struct store_audience *audience, struct error *err);

/* sqlite_snapshot.c */
uint64_t    sqlite_revision(struct store *);
enum status sqlite_snapshot(struct store *, const char *, struct error *);

/* sqlite_source.c, sqlite_segment.c and so on: the operations, as store/store.h describes them. */
enum status sqlite_workspace_open(struct store *, struct store_workspace *, bool *, struct error *);
enum status sqlite_source_list(struct store *, struct arena *, struct store_source **, size_t *,
                               struct error *);
enum status sqlite_source_put(struct store *, struct store_source *, bool, struct error *);
enum status sqlite_source_delete(struct store *, const char *, struct error *);
enum status sqlite_source_by_key(struct store *, struct text, struct arena *, struct store_source *,
                                 struct error *);
enum status sqlite_count_add(struct store *, const struct store_count *, size_t, struct error *);
enum status sqlite_count_list(struct store *, uint32_t, enum store_span, int64_t, int64_t,
                              struct arena *, struct store_count **, size_t *, struct error *);
enum status sqlite_plan_list(struct store *, struct arena *, struct store_plan **, size_t *,
                             struct error *);
enum status sqlite_plan_get(struct store *, uint32_t, struct arena *, struct store_plan *,
                            struct error *);
enum status sqlite_plan_put(struct store *, struct store_plan *, uint32_t, struct error *);
enum status sqlite_observation_list(struct store *, struct arena *, struct store_observation **,
                                    size_t *, struct error *);
enum status sqlite_observation_put(struct store *, const struct store_observation *, size_t,
                                   struct error *);
enum status sqlite_observation_drop(struct store *, uint32_t, int, struct error *);
enum status sqlite_letter_add(struct store *, const struct store_letter *, size_t,
                              const struct store_letter_limits *, struct error *);
enum status sqlite_letter_get(struct store *, uint32_t, uint64_t, struct arena *,
                              struct store_letter *, struct error *);
enum status sqlite_letter_list(struct store *, const struct store_letter_filter *, struct arena *,
                               struct store_letter **, size_t *, uint64_t *, struct error *);
enum status sqlite_letter_again(struct store *, const struct store_letter *, struct error *);
enum status sqlite_letter_delete(struct store *, uint32_t, const uint64_t *, size_t, size_t *,
                                 struct error *);
enum status sqlite_letter_all(struct store *, uint64_t, size_t, struct arena *,
                              struct store_letter **, size_t *, struct error *);
enum status sqlite_letter_reseal(struct store *, const struct store_letter *, size_t,
                                 struct error *);
enum status sqlite_letter_expire(struct store *, int64_t, size_t *, struct error *);
enum status sqlite_letter_totals(struct store *, int64_t, struct store_letter_totals *,
                                 struct error *);
enum status sqlite_token_add(struct store *, const struct store_token *, struct error *);
enum status sqlite_token_by_hash(struct store *, const uint8_t[STORE_TOKEN_HASH_BYTES],
                                 struct arena *, struct store_token *, struct error *);
enum status sqlite_token_list(struct store *, struct arena *, struct store_token **, size_t *,
                              struct error *);
enum status sqlite_token_delete(struct store *, const char *, struct error *);
enum status sqlite_person_list(struct store *, struct arena *, struct store_person **, size_t *,
                               struct error *);
enum status sqlite_person_get(struct store *, struct text, struct arena *, struct store_person *,
                              struct error *);
enum status sqlite_person_by_email(struct store *, const uint8_t[STORE_TOKEN_HASH_BYTES],
                                   struct arena *, struct store_person *, struct error *);
enum status sqlite_person_add(struct store *, const struct store_person *, const char *,
                              const uint8_t *, struct error *);
enum status sqlite_person_by_link(struct store *, const uint8_t[STORE_TOKEN_HASH_BYTES],
                                  struct arena *, struct store_person *, struct error *);
enum status sqlite_person_link(struct store *, const uint8_t[STORE_TOKEN_HASH_BYTES], struct text,
                               struct error *);
enum status sqlite_sso_provider_list(struct store *, struct arena *, struct store_sso_provider **,
                                     size_t *, struct error *);
enum status sqlite_sso_provider_get(struct store *, struct text, struct arena *,
                                    struct store_sso_provider *, struct error *);
enum status sqlite_sso_provider_put(struct store *, struct store_sso_provider *, struct error *);
enum status sqlite_sso_provider_delete(struct store *, struct text, struct error *);
enum status sqlite_person_change(struct store *, struct store_person *, struct text,
                                 struct error *);
enum status sqlite_person_delete(struct store *, struct text, struct error *);
enum status sqlite_session_add(struct store *, const struct store_session *, uint32_t,
                               struct error *);
enum status sqlite_session_get(struct store *, struct text, struct arena *, struct store_session *,
                               struct error *);
enum status sqlite_session_list(struct store *, struct text, struct arena *,
                                struct store_session **, size_t *, struct error *);
enum status sqlite_session_renew(struct store *, struct store_session *, struct error *);
enum status sqlite_session_delete(struct store *, struct text, struct error *);
enum status sqlite_session_delete_of(struct store *, struct text, struct text, struct error *);
enum status sqlite_session_expire(struct store *, int64_t, struct error *);
enum status sqlite_session_count(struct store *, uint64_t *, struct error *);
enum status sqlite_invitation_add(struct store *, const struct store_invitation *, struct error *);
enum status sqlite_invitation_list(struct store *, struct arena *, struct store_invitation **,
                                   size_t *, struct error *);
enum status sqlite_invitation_by_hash(struct store *, const uint8_t[STORE_TOKEN_HASH_BYTES],
                                      struct arena *, struct store_invitation *, struct error *);
enum status sqlite_invitation_delete(struct store *, struct text, struct error *);
enum status sqlite_role_list(struct store *, struct arena *, struct store_role **, size_t *,
                             struct error *);
enum status sqlite_role_put(struct store *, struct store_role *, struct error *);
enum status sqlite_role_delete(struct store *, struct text, struct error *);
enum status sqlite_factor_get(struct store *, struct text, struct arena *, struct store_factor *,
                              struct error *);
enum status sqlite_factor_begin(struct store *, const struct store_factor *, struct error *);
enum status sqlite_factor_confirm(struct store *, const struct store_factor *,
                                  const uint8_t (*)[STORE_TOKEN_HASH_BYTES], size_t, struct text,
                                  struct error *);
enum status sqlite_factor_use_step(struct store *, struct text, int64_t, struct error *);
enum status sqlite_factor_use_recovery(struct store *, struct text,
                                       const uint8_t[STORE_TOKEN_HASH_BYTES], struct error *);
enum status sqlite_factor_delete(struct store *, struct text, struct error *);
enum status sqlite_event_type_list(struct store *, struct arena *, struct store_event_type **,
                                   size_t *, struct error *);
enum status sqlite_event_type_add(struct store *, const struct store_event_type *, struct error *);
enum status sqlite_consumer_list(struct store *, struct arena *, struct store_consumer **, size_t *,
                                 struct error *);
enum status sqlite_consumer_get(struct store *, struct text, struct arena *,
                                struct store_consumer *, struct error *);
enum status sqlite_consumer_put(struct store *, struct store_consumer *, struct error *);
enum status sqlite_consumer_delete(struct store *, struct text, struct error *);
enum status sqlite_filter_list(struct store *, struct arena *, struct store_filter **, size_t *,
                               struct error *);
enum status sqlite_filter_put(struct store *, struct store_filter *, struct error *);
enum status sqlite_filter_delete(struct store *, struct text, struct error *);
enum status sqlite_segment_list(struct store *, struct arena *, struct store_segment **, size_t *,
                                struct error *);
enum status sqlite_segment_list_deleted(struct store *, struct arena *, struct store_segment **,
                                        size_t *, struct error *);
enum status sqlite_segment_get(struct store *, struct text, struct arena *, struct store_segment *,
                               struct error *);
enum status sqlite_segment_reserve(struct store *, uint32_t *, struct error *);
enum status sqlite_segment_commit(struct store *, const struct store_commit *, struct error *);
enum status sqlite_segment_delete(struct store *, const char *, struct store_outbox *, size_t,
                                  struct error *);
enum status sqlite_segment_abandon(struct store *, const struct store_abandoned *, size_t, int64_t,
                                   struct store_outbox *, struct arena *, struct store_segment *,
                                   struct error *);
enum status sqlite_segment_settle(struct store *, const char *, uint32_t, enum store_version_state,
                                  struct text, struct error *);
enum status sqlite_outbox_list(struct store *, size_t, struct arena *, struct store_outbox **,
                               size_t *, struct error *);
enum status sqlite_outbox_done(struct store *, uint64_t, struct error *);

enum status sqlite_job_add(struct store *, struct store_job *, struct error *);
enum status sqlite_job_get(struct store *, const char *, struct arena *, struct store_job *,
                           struct error *);
enum status sqlite_job_list(struct store *, const struct store_job_filter *, struct arena *,
                            struct store_job **, size_t *, uint64_t *, struct error *);
enum status sqlite_job_ready(struct store *, struct text, int64_t, struct arena *,
                             struct store_job *, struct error *);
enum status sqlite_job_next_run(struct store *, int64_t, int64_t *, struct error *);
enum status sqlite_job_change(struct store *, struct store_job *, enum store_job_state,
                              struct error *);
enum status sqlite_job_cancel(struct store *, const char *, int64_t, struct arena *,
                              struct store_job *, struct error *);
enum status sqlite_job_delete(struct store *, const char *, struct error *);
enum status sqlite_job_count(struct store *, struct arena *, struct store_job_count **, size_t *,
                             struct error *);
enum status sqlite_schedule_list(struct store *, struct arena *, struct store_schedule **, size_t *,
                                 struct error *);
enum status sqlite_schedule_get(struct store *, struct text, struct arena *,
                                struct store_schedule *, struct error *);
enum status sqlite_schedule_put(struct store *, struct store_schedule *, struct error *);
enum status sqlite_schedule_fire(struct store *, struct text, int64_t, int64_t, struct store_job *,
                                 struct error *);
enum status sqlite_schedule_delete(struct store *, struct text, struct error *);
enum status sqlite_retention_list(struct store *, struct arena *, struct store_retention **,
                                  size_t *, struct error *);
enum status sqlite_retention_put(struct store *, const struct store_retention *, struct error *);

enum status sqlite_audience_list(struct store *, uint64_t, size_t, struct arena *,
                                 struct store_audience **, size_t *, uint64_t *, struct error *);
enum status sqlite_audience_get(struct store *, struct text, struct arena *,
                                struct store_audience *, struct error *);
enum status sqlite_audience_by_segment(struct store *, const char *, struct arena *,
                                       struct store_audience *, struct error *);
enum status sqlite_audience_add(struct store *, struct store_audience *,
                                const struct store_audience_share *, size_t, struct error *);
enum status sqlite_audience_change(struct store *, struct store_audience *, uint32_t,
                                   const struct store_audience_share *, size_t, struct error *);
enum status sqlite_audience_delete(struct store *, struct text, struct error *);
enum status sqlite_audience_versions(struct store *, struct text, struct arena *,
                                     struct store_audience_version **, size_t *, struct error *);
enum status sqlite_audience_members(struct store *, struct text, struct arena *,
                                    struct store_audience_share **, size_t *, struct error *);
enum status sqlite_workspace_list(struct store *, struct arena *, struct store_workspace_entry **,
                                  size_t *, struct error *);
enum status sqlite_workspace_add(struct store *, const struct store_workspace_entry *,
                                 struct error *);
enum status sqlite_workspace_change(struct store *, struct store_workspace_entry *, struct error *);
enum status sqlite_workspace_due(struct store *, struct text, int64_t, struct error *);
enum status sqlite_workspace_delete(struct store *, struct text, struct error *);
enum status sqlite_member_list(struct store *, struct text, struct arena *, struct store_member **,
                               size_t *, struct error *);
enum status sqlite_member_put(struct store *, const struct store_member *, struct error *);
enum status sqlite_member_delete(struct store *, struct text, struct text, struct error *);
enum status sqlite_visit_add(struct store *, const struct store_visit *, struct error *);
enum status sqlite_visit_check(struct store *, struct text, struct text, int64_t, struct error *);
enum status sqlite_destination_list(struct store *, struct arena *, struct store_destination **,
                                    size_t *, struct error *);
enum status sqlite_destination_get(struct store *, struct text, struct arena *,
                                   struct store_destination *, struct error *);
enum status sqlite_destination_add(struct store *, const struct store_destination *,
                                   struct error *);
enum status sqlite_destination_change(struct store *, struct store_destination *, struct error *);
enum status sqlite_destination_delete(struct store *, struct text, struct error *);

enum status sqlite_kept_get(struct store *, struct text, struct arena *, struct text *, int64_t *,
                            struct error *);
enum status sqlite_kept_put(struct store *, struct text, struct text, int64_t, struct error *);

/* Adds a job within a transaction. */
MUST_USE enum status sqlite_job_insert(struct sqlite_store *store, struct store_job *job,
                                       struct error *err);

#endif
