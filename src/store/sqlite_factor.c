/* Second factors of people. */

#include "store/sqlite_internal.h"

static void read_factor(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_factor factor = {
		.secret        = sqlite_bytes(row, 1, arena),
		.confirmed     = sqlite3_column_int64(row, 2) != 0,
		.last_step     = sqlite3_column_int64(row, 3),
		.created_ms    = sqlite3_column_int64(row, 4),
		.recovery_left = (uint32_t)sqlite3_column_int64(row, 5),
	};
	sqlite_id(row, 0, factor.person_id);
	*(struct store_factor *)ret_item = factor;
}

enum status sqlite_factor_get(struct store *base, struct text person_id, struct arena *arena,
                              struct store_factor *ret_factor, struct error *err)
{
	const struct sqlite_reader reader = {.read      = read_factor,
	                                     .item_size = sizeof *ret_factor,
	                                     .arena     = arena,
	                                     .missing   = "The person has no second factor"};
	return sqlite_find_by(base, SQL_FACTOR_GET, person_id, &reader, ret_factor, err);
}

/* Runs what answers a row when it did something; else `status` and `reason`. */
static enum status run_or(struct sqlite_store *store, sqlite3_stmt *statement, enum status missing,
                          const char *reason, struct error *err)
{
	bool        found  = false;
	enum status status = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		status = error_set(err, missing, "%s", reason);
	return status;
}

enum status sqlite_factor_begin(struct store *base, const struct store_factor *factor,
                                struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_FACTOR_BEGIN);
	sqlite_bind_string(statement, 1, factor->person_id);
	sqlite_bind_bytes(statement, 2, factor->secret.data, factor->secret.length);
	sqlite_bind_number(statement, 3, factor->created_ms);
	status = run_or(store, statement, STATUS_CONFLICT, "A second factor is on already", err);
	return sqlite_end(store, status, err);
}

static enum status forget_codes(struct sqlite_store *store, struct text person_id,
                                struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_RECOVERY_FORGET);
	sqlite_bind_text_of(statement, 1, person_id);
	return sqlite_run(store, statement, err);
}

enum status sqlite_factor_confirm(struct store *base, const struct store_factor          *factor,
                                  const uint8_t (*hashes)[STORE_TOKEN_HASH_BYTES], size_t count,
                                  struct text only_session, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_FACTOR_CONFIRM);
	sqlite_bind_number(statement, 1, factor->last_step);
	sqlite_bind_string(statement, 2, factor->person_id);
	sqlite_bind_bytes(statement, 3, factor->secret.data, factor->secret.length);
	status = run_or(store, statement, STATUS_PRECONDITION, "It was begun anew meanwhile", err);
	if (status == STATUS_OK)
		status = forget_codes(store, text_of(factor->person_id), err);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		statement = sqlite_statement(store, SQL_RECOVERY_ADD);
		sqlite_bind_string(statement, 1, factor->person_id);
		sqlite_bind_bytes(statement, 2, hashes[i], STORE_TOKEN_HASH_BYTES);
		status = sqlite_run(store, statement, err);
	}
	if (status == STATUS_OK)
		status = sqlite_touch_person(store, text_of(factor->person_id), err);
	if (status == STATUS_OK)
		status = sqlite_end_sessions(store, text_of(factor->person_id), only_session, err);
	return sqlite_end(store, status, err);
}

enum status sqlite_factor_use_step(struct store *base, struct text person_id, int64_t step,
                                   struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_FACTOR_USE_STEP);
	sqlite_bind_number(statement, 1, step);
	sqlite_bind_text_of(statement, 2, person_id);
	status = run_or(store, statement, STATUS_PRECONDITION, "The code was used before", err);
	return sqlite_end(store, status, err);
}

enum status sqlite_factor_use_recovery(struct store *base, struct text person_id,
                                       const uint8_t hash[STORE_TOKEN_HASH_BYTES],
                                       struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_RECOVERY_USE);
	sqlite_bind_text_of(statement, 1, person_id);
	sqlite_bind_bytes(statement, 2, hash, STORE_TOKEN_HASH_BYTES);
	status = run_or(store, statement, STATUS_PRECONDITION, "There is no such code", err);
	return sqlite_end(store, status, err);
}

enum status sqlite_factor_delete(struct store *base, struct text person_id, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_FACTOR_DELETE);
	sqlite_bind_text_of(statement, 1, person_id);
	status = run_or(store, statement, STATUS_NOT_FOUND, "The person has no second factor", err);
	if (status == STATUS_OK)
		status = forget_codes(store, person_id, err);
	if (status == STATUS_OK)
		status = sqlite_touch_person(store, person_id, err);
	return sqlite_end(store, status, err);
}
