/* The other workspaces, who may enter them, and what sessions came of that. */

#include "store/sqlite_internal.h"

/* ---- Workspaces ---- */

static void read_workspace(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_workspace_entry entry = {
		.code            = sqlite_text(row, 1, arena),
		.slug            = sqlite_text(row, 2, arena),
		.name            = sqlite_text(row, 3, arena),
		.state           = sqlite_text(row, 4, arena),
		.limits          = sqlite_text(row, 5, arena),
		.partition_count = (uint32_t)sqlite3_column_int64(row, 6),
		.retention_ms    = sqlite3_column_int64(row, 7),
		.due_ms          = sqlite3_column_int64(row, 8),
		.version         = (uint32_t)sqlite3_column_int64(row, 9),
		.created_ms      = sqlite3_column_int64(row, 10),
		.updated_ms      = sqlite3_column_int64(row, 11),
	};
	sqlite_id(row, 0, entry.id);
	*(struct store_workspace_entry *)ret_item = entry;
}

enum status sqlite_workspace_list(struct store *base, struct arena *arena,
                                  struct store_workspace_entry **ret_entries, size_t *ret_count,
                                  struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_workspace, .item_size = sizeof **ret_entries, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_WORKSPACE_ENTRY_LIST);
	return sqlite_list(store, statement, &reader, ret_entries, ret_count, err);
}

enum status sqlite_workspace_add(struct store *base, const struct store_workspace_entry *entry,
                                 struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_WORKSPACE_ENTRY_ADD);
	sqlite_bind_string(statement, 1, entry->id);
	sqlite_bind_text_of(statement, 2, entry->code);
	sqlite_bind_text_of(statement, 3, entry->slug);
	sqlite_bind_text_of(statement, 4, entry->name);
	sqlite_bind_text_of(statement, 5, entry->state);
	sqlite_bind_text_of(statement, 6, entry->limits);
	sqlite_bind_number(statement, 7, entry->partition_count);
	sqlite_bind_number(statement, 8, entry->retention_ms);
	sqlite_bind_number(statement, 9, entry->created_ms);
	return sqlite_end(store, sqlite_run(store, statement, err), err);
}

enum status sqlite_workspace_change(struct store *base, struct store_workspace_entry *entry,
                                    struct error *err)
{
	struct sqlite_store *store   = sqlite_store_of(base);
	bool                 changed = false;
	uint32_t             version = 0;
	enum status          status  = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_WORKSPACE_ENTRY_CHANGE);
	sqlite_bind_text_of(statement, 1, entry->name);
	sqlite_bind_text_of(statement, 2, entry->state);
	sqlite_bind_text_of(statement, 3, entry->limits);
	sqlite_bind_number(statement, 4, entry->updated_ms);
	sqlite_bind_string(statement, 5, entry->id);
	sqlite_bind_number(statement, 6, entry->version);
	status = sqlite_row(store, statement, &changed, err);
	if (status == STATUS_OK && changed)
		version = (uint32_t)sqlite3_column_int64(statement, 0);
	else if (status == STATUS_OK)
		status = error_set(err, STATUS_PRECONDITION, "The workspace was changed meanwhile");
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		entry->version = version;
	return status;
}

enum status sqlite_workspace_due(struct store *base, struct text id, int64_t due_ms,
                                 struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	bool                 found  = false;
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_WORKSPACE_ENTRY_DUE);
	sqlite_bind_number(statement, 1, due_ms);
	sqlite_bind_text_of(statement, 2, id);
	return sqlite_end(store, sqlite_row(store, statement, &found, err), err);
}

enum status sqlite_workspace_delete(struct store *base, struct text id, struct error *err)
{
	const struct sqlite_reader reader = {.missing = "There is no such workspace"};
	return sqlite_find_by(base, SQL_WORKSPACE_ENTRY_DELETE, id, &reader, NULL, err);
}

/* ---- Members ---- */

static void read_member(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_member member = {.roles      = sqlite_text(row, 2, arena),
	                              .created_ms = sqlite3_column_int64(row, 3)};
	sqlite_id(row, 0, member.workspace_id);
	sqlite_id(row, 1, member.person_id);
	*(struct store_member *)ret_item = member;
}

enum status sqlite_member_list(struct store *base, struct text workspace_or_person,
                               struct arena *arena, struct store_member **ret_members,
                               size_t *ret_count, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_member, .item_size = sizeof **ret_members, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_MEMBER_LIST);
	sqlite_bind_text_of(statement, 1, workspace_or_person);
	return sqlite_list(store, statement, &reader, ret_members, ret_count, err);
}

enum status sqlite_member_put(struct store *base, const struct store_member *member,
                              struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_MEMBER_PUT);
	sqlite_bind_string(statement, 1, member->workspace_id);
	sqlite_bind_string(statement, 2, member->person_id);
	sqlite_bind_text_of(statement, 3, member->roles);
	sqlite_bind_number(statement, 4, member->created_ms);
	return sqlite_end(store, sqlite_run(store, statement, err), err);
}

enum status sqlite_member_delete(struct store *base, struct text workspace_id,
                                 struct text person_id, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	bool                 found  = false;
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_MEMBER_DELETE);
	sqlite_bind_text_of(statement, 1, workspace_id);
	sqlite_bind_text_of(statement, 2, person_id);
	status = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		status = error_set(err, STATUS_NOT_FOUND, "That person is no member");
	return sqlite_end(store, status, err);
}

/* ---- Visits ---- */

enum status sqlite_visit_add(struct store *base, const struct store_visit *visit, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_VISIT_ADD);
	sqlite_bind_string(statement, 1, visit->session_id);
	sqlite_bind_string(statement, 2, visit->workspace_id);
	sqlite_bind_string(statement, 3, visit->person_id);
	sqlite_bind_string(statement, 4, visit->home_session_id);
	return sqlite_end(store, sqlite_run(store, statement, err), err);
}

enum status sqlite_visit_check(struct store *base, struct text workspace_id, struct text session_id,
                               int64_t now_ms, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	bool                 found  = false;
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_VISIT_CHECK);
	sqlite_bind_text_of(statement, 1, session_id);
	sqlite_bind_text_of(statement, 2, workspace_id);
	sqlite_bind_number(statement, 3, now_ms);
	status = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		status = error_set(err, STATUS_NOT_FOUND, "The session is over");
	return sqlite_end(store, status, err);
}
