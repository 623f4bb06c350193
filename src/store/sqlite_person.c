/* People who log in, their sessions, invitations and roles. */

#include "store/sqlite_internal.h"

/* ---- People ---- */

static void read_person(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_person person = {
		.profile        = sqlite_bytes(row, 2, arena),
		.password       = sqlite_text(row, 3, arena),
		.roles          = sqlite_text(row, 4, arena),
		.tier           = sqlite_text(row, 5, arena),
		.active         = sqlite3_column_int64(row, 6) != 0,
		.version        = (uint32_t)sqlite3_column_int64(row, 7),
		.created_ms     = sqlite3_column_int64(row, 8),
		.updated_ms     = sqlite3_column_int64(row, 9),
		.totp           = sqlite3_column_int64(row, 10) != 0,
		.email_verified = sqlite3_column_int64(row, 11) != 0,
	};
	sqlite_id(row, 0, person.id);
	sqlite_hash(row, 1, person.email_hash);
	*(struct store_person *)ret_item = person;
}

static struct sqlite_reader person_reader(struct arena *arena)
{
	return (struct sqlite_reader){.read      = read_person,
	                              .item_size = sizeof(struct store_person),
	                              .arena     = arena,
	                              .missing   = "There is no such person"};
}

/* All rows of a statement without parameters. */
static enum status list_all(struct store *base, enum sql_query query,
                            const struct sqlite_reader *reader, void *ret_items, size_t *ret_count,
                            struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	return sqlite_list(store, sqlite_statement(store, query), reader, ret_items, ret_count, err);
}

static enum status find_by_hash(struct store *base, enum sql_query query,
                                const uint8_t               hash[STORE_TOKEN_HASH_BYTES],
                                const struct sqlite_reader *reader, void *ret_item,
                                struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, query);
	sqlite_bind_bytes(statement, 1, hash, STORE_TOKEN_HASH_BYTES);
	return sqlite_find(store, statement, reader, ret_item, err);
}

enum status sqlite_person_list(struct store *base, struct arena *arena,
                               struct store_person **ret_persons, size_t *ret_count,
                               struct error *err)
{
	const struct sqlite_reader reader = person_reader(arena);
	return list_all(base, SQL_PERSON_LIST, &reader, ret_persons, ret_count, err);
}

enum status sqlite_person_get(struct store *base, struct text id, struct arena *arena,
                              struct store_person *ret_person, struct error *err)
{
	const struct sqlite_reader reader = person_reader(arena);
	return sqlite_find_by(base, SQL_PERSON_GET, id, &reader, ret_person, err);
}

enum status sqlite_person_by_email(struct store *base, const uint8_t hash[STORE_TOKEN_HASH_BYTES],
                                   struct arena *arena, struct store_person *ret_person,
                                   struct error *err)
{
	const struct sqlite_reader reader = person_reader(arena);
	return find_by_hash(base, SQL_PERSON_BY_EMAIL, hash, &reader, ret_person, err);
}

enum status sqlite_person_by_link(struct store *base, const uint8_t hash[STORE_TOKEN_HASH_BYTES],
                                  struct arena *arena, struct store_person *ret_person,
                                  struct error *err)
{
	const struct sqlite_reader reader = person_reader(arena);
	return find_by_hash(base, SQL_PERSON_BY_LINK, hash, &reader, ret_person, err);
}

static enum status link_to(struct sqlite_store *store, const uint8_t hash[STORE_TOKEN_HASH_BYTES],
                           struct text person_id, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_PERSON_LINK);
	sqlite_bind_bytes(statement, 1, hash, STORE_TOKEN_HASH_BYTES);
	sqlite_bind_text_of(statement, 2, person_id);
	return sqlite_run(store, statement, err);
}

enum status sqlite_person_link(struct store *base, const uint8_t hash[STORE_TOKEN_HASH_BYTES],
                               struct text person_id, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	return sqlite_end(store, link_to(store, hash, person_id, err), err);
}

static enum status use_up(struct sqlite_store *store, const char *invitation_id, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_INVITATION_DELETE);
	bool          found     = false;
	sqlite_bind_string(statement, 1, invitation_id);
	enum status status = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		status = error_set(err, STATUS_NOT_FOUND, "There is no such invitation");
	return status;
}

enum status sqlite_person_add(struct store *base, const struct store_person *person,
                              const char *invitation_id, const uint8_t *link, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	if (invitation_id != NULL)
		status = use_up(store, invitation_id, err);
	if (status == STATUS_OK) {
		sqlite3_stmt *statement = sqlite_statement(store, SQL_PERSON_ADD);
		sqlite_bind_string(statement, 1, person->id);
		sqlite_bind_bytes(statement, 2, person->email_hash, sizeof person->email_hash);
		sqlite_bind_bytes(statement, 3, person->profile.data, person->profile.length);
		sqlite_bind_text_of(statement, 4, person->password);
		sqlite_bind_text_of(statement, 5, person->roles);
		sqlite_bind_text_of(statement, 6, person->tier);
		sqlite_bind_number(statement, 7, person->active);
		sqlite_bind_number(statement, 8, person->created_ms);
		sqlite_bind_number(statement, 9, person->email_verified);
		status = sqlite_run(store, statement, err);
	}
	if (status == STATUS_OK && link != NULL)
		status = link_to(store, link, text_of(person->id), err);
	if (status == STATUS_OK)
		status = sqlite_run(store, sqlite_statement(store, SQL_INVITATION_FORGET_FIRST), err);
	return sqlite_end(store, status, err);
}

enum status sqlite_end_sessions(struct sqlite_store *store, struct text person_id,
                                struct text except_id, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SESSION_DELETE_OF);
	sqlite_bind_text_of(statement, 1, person_id);
	sqlite_bind_text_of(statement, 2, except_id);
	return sqlite_run(store, statement, err);
}

enum status sqlite_touch_person(struct sqlite_store *store, struct text id, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_PERSON_TOUCH);
	sqlite_bind_text_of(statement, 1, id);
	return sqlite_run(store, statement, err);
}

enum status sqlite_person_change(struct store *base, struct store_person *person,
                                 struct text only_session, struct error *err)
{
	struct sqlite_store *store   = sqlite_store_of(base);
	bool                 changed = false;
	enum status          status  = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_PERSON_CHANGE);
	sqlite_bind_bytes(statement, 1, person->email_hash, sizeof person->email_hash);
	sqlite_bind_bytes(statement, 2, person->profile.data, person->profile.length);
	sqlite_bind_text_of(statement, 3, person->password);
	sqlite_bind_text_of(statement, 4, person->roles);
	sqlite_bind_text_of(statement, 5, person->tier);
	sqlite_bind_number(statement, 6, person->active);
	sqlite_bind_number(statement, 7, person->updated_ms);
	sqlite_bind_number(statement, 8, person->email_verified);
	sqlite_bind_string(statement, 9, person->id);
	sqlite_bind_number(statement, 10, person->version);
	status = sqlite_row(store, statement, &changed, err);
	if (status == STATUS_OK && !changed)
		status = error_set(err, STATUS_PRECONDITION, "The person was changed meanwhile");
	if (status == STATUS_OK && only_session.data != NULL)
		status = sqlite_end_sessions(store, text_of(person->id), only_session, err);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		person->version++;
	return status;
}

enum status sqlite_person_delete(struct store *base, struct text id, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	bool                 found  = false;
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_PERSON_DELETE);
	sqlite_bind_text_of(statement, 1, id);
	status = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		status = error_set(err, STATUS_NOT_FOUND, "There is no such person");
	if (status == STATUS_OK) {
		statement = sqlite_statement(store, SQL_TOKEN_DELETE_OF);
		sqlite_bind_text_of(statement, 1, id);
		status = sqlite_run(store, statement, err);
	}
	return sqlite_end(store, status, err);
}

/* ---- Sessions ---- */

static void read_session(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_session session = {
		.generation = (uint32_t)sqlite3_column_int64(row, 2),
		.origin     = sqlite_bytes(row, 4, arena),
		.created_ms = sqlite3_column_int64(row, 5),
		.used_ms    = sqlite3_column_int64(row, 6),
		.expires_ms = sqlite3_column_int64(row, 7),
	};
	sqlite_id(row, 0, session.id);
	sqlite_id(row, 1, session.person_id);
	sqlite_hash(row, 3, session.refresh_hash);
	*(struct store_session *)ret_item = session;
}

static struct sqlite_reader session_reader(struct arena *arena)
{
	return (struct sqlite_reader){.read      = read_session,
	                              .item_size = sizeof(struct store_session),
	                              .arena     = arena,
	                              .missing   = "There is no such session"};
}

enum status sqlite_session_add(struct store *base, const struct store_session *session,
                               uint32_t person_version, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	bool                 added  = false;
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SESSION_ADD);
	sqlite_bind_string(statement, 1, session->id);
	sqlite_bind_bytes(statement, 2, session->refresh_hash, sizeof session->refresh_hash);
	sqlite_bind_bytes(statement, 3, session->origin.data, session->origin.length);
	sqlite_bind_number(statement, 4, session->created_ms);
	sqlite_bind_number(statement, 5, session->expires_ms);
	sqlite_bind_string(statement, 6, session->person_id);
	sqlite_bind_number(statement, 7, person_version);
	status = sqlite_row(store, statement, &added, err);
	if (status == STATUS_OK && !added)
		status = error_set(err, STATUS_PRECONDITION, "The person was changed meanwhile");
	return sqlite_end(store, status, err);
}

enum status sqlite_session_get(struct store *base, struct text id, struct arena *arena,
                               struct store_session *ret_session, struct error *err)
{
	const struct sqlite_reader reader = session_reader(arena);
	return sqlite_find_by(base, SQL_SESSION_GET, id, &reader, ret_session, err);
}

enum status sqlite_session_list(struct store *base, struct text person_id, struct arena *arena,
                                struct store_session **ret_sessions, size_t *ret_count,
                                struct error *err)
{
	const struct sqlite_reader reader = session_reader(arena);
	struct sqlite_store       *store  = sqlite_store_of(base);
	enum status                status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SESSION_LIST);
	sqlite_bind_text_of(statement, 1, person_id);
	return sqlite_list(store, statement, &reader, ret_sessions, ret_count, err);
}

enum status sqlite_session_renew(struct store *base, struct store_session *session,
                                 struct error *err)
{
	struct sqlite_store *store   = sqlite_store_of(base);
	bool                 renewed = false;
	enum status          status  = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SESSION_RENEW);
	sqlite_bind_bytes(statement, 1, session->refresh_hash, sizeof session->refresh_hash);
	sqlite_bind_number(statement, 2, session->used_ms);
	sqlite_bind_number(statement, 3, session->expires_ms);
	sqlite_bind_string(statement, 4, session->id);
	sqlite_bind_number(statement, 5, session->generation);
	status = sqlite_row(store, statement, &renewed, err);
	if (status == STATUS_OK && !renewed)
		status = error_set(err, STATUS_PRECONDITION, "The session was renewed or ended meanwhile");
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		session->generation++;
	return status;
}

enum status sqlite_session_delete(struct store *base, struct text id, struct error *err)
{
	const struct sqlite_reader reader = session_reader(NULL);
	return sqlite_find_by(base, SQL_SESSION_DELETE, id, &reader, NULL, err);
}

enum status sqlite_session_delete_of(struct store *base, struct text person_id,
                                     struct text except_id, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	return sqlite_end(store, sqlite_end_sessions(store, person_id, except_id, err), err);
}

enum status sqlite_session_expire(struct store *base, int64_t now_ms, struct error *err)
{
	static const enum sql_query queries[] = {SQL_SESSION_EXPIRE, SQL_INVITATION_EXPIRE};
	struct sqlite_store        *store     = sqlite_store_of(base);
	enum status                 status    = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	for (unsigned i = 0; status == STATUS_OK && i < sizeof queries / sizeof queries[0]; i++) {
		sqlite3_stmt *statement = sqlite_statement(store, queries[i]);
		sqlite_bind_number(statement, 1, now_ms);
		status = sqlite_run(store, statement, err);
	}
	return sqlite_end(store, status, err);
}

enum status sqlite_session_count(struct store *base, uint64_t *ret_count, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	uint64_t             count  = 0;
	bool                 found  = false;
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_SESSION_COUNT);
	status                  = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && found)
		count = (uint64_t)sqlite3_column_int64(statement, 0);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		*ret_count = count;
	return status;
}

/* ---- Invitations ---- */

static void read_invitation(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_invitation invitation = {
		.email      = sqlite_bytes(row, 2, arena),
		.roles      = sqlite_text(row, 3, arena),
		.tier       = sqlite_text(row, 4, arena),
		.created_ms = sqlite3_column_int64(row, 5),
		.expires_ms = sqlite3_column_int64(row, 6),
		.trusted    = sqlite3_column_int64(row, 7) != 0,
	};
	sqlite_id(row, 0, invitation.id);
	sqlite_hash(row, 1, invitation.hash);
	*(struct store_invitation *)ret_item = invitation;
}

static struct sqlite_reader invitation_reader(struct arena *arena)
{
	return (struct sqlite_reader){.read      = read_invitation,
	                              .item_size = sizeof(struct store_invitation),
	                              .arena     = arena,
	                              .missing   = "There is no such invitation"};
}

enum status sqlite_invitation_add(struct store *base, const struct store_invitation *invitation,
                                  struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_INVITATION_ADD);
	sqlite_bind_string(statement, 1, invitation->id);
	sqlite_bind_bytes(statement, 2, invitation->hash, sizeof invitation->hash);
	sqlite_bind_bytes(statement, 3, invitation->email.data, invitation->email.length);
	sqlite_bind_text_of(statement, 4, invitation->roles);
	sqlite_bind_text_of(statement, 5, invitation->tier);
	sqlite_bind_number(statement, 6, invitation->created_ms);
	sqlite_bind_number(statement, 7, invitation->expires_ms);
	sqlite_bind_number(statement, 8, invitation->trusted);
	return sqlite_end(store, sqlite_run(store, statement, err), err);
}

enum status sqlite_invitation_list(struct store *base, struct arena *arena,
                                   struct store_invitation **ret_invitations, size_t *ret_count,
                                   struct error *err)
{
	const struct sqlite_reader reader = invitation_reader(arena);
	return list_all(base, SQL_INVITATION_LIST, &reader, ret_invitations, ret_count, err);
}

enum status sqlite_invitation_by_hash(struct store *base,
                                      const uint8_t hash[STORE_TOKEN_HASH_BYTES],
                                      struct arena *arena, struct store_invitation *ret_invitation,
                                      struct error *err)
{
	const struct sqlite_reader reader = invitation_reader(arena);
	return find_by_hash(base, SQL_INVITATION_BY_HASH, hash, &reader, ret_invitation, err);
}

enum status sqlite_invitation_delete(struct store *base, struct text id, struct error *err)
{
	const struct sqlite_reader reader = invitation_reader(NULL);
	return sqlite_find_by(base, SQL_INVITATION_DELETE, id, &reader, NULL, err);
}

/* ---- Roles ---- */

static void read_role(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct store_role *)ret_item = (struct store_role){
		.name        = sqlite_text(row, 0, arena),
		.description = sqlite_text(row, 1, arena),
		.scopes      = sqlite_text(row, 2, arena),
		.created_ms  = sqlite3_column_int64(row, 3),
		.updated_ms  = sqlite3_column_int64(row, 4),
	};
}

static struct sqlite_reader role_reader(struct arena *arena)
{
	return (struct sqlite_reader){.read      = read_role,
	                              .item_size = sizeof(struct store_role),
	                              .arena     = arena,
	                              .missing   = "There is no such role"};
}

enum status sqlite_role_list(struct store *base, struct arena *arena, struct store_role **ret_roles,
                             size_t *ret_count, struct error *err)
{
	const struct sqlite_reader reader = role_reader(arena);
	return list_all(base, SQL_ROLE_LIST, &reader, ret_roles, ret_count, err);
}

enum status sqlite_role_put(struct store *base, struct store_role *role, struct error *err)
{
	struct sqlite_store *store      = sqlite_store_of(base);
	int64_t              created_ms = 0;
	bool                 row        = false;
	enum status          status     = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_ROLE_PUT);
	sqlite_bind_text_of(statement, 1, role->name);
	sqlite_bind_text_of(statement, 2, role->description);
	sqlite_bind_text_of(statement, 3, role->scopes);
	sqlite_bind_number(statement, 4, role->updated_ms);
	status = sqlite_row(store, statement, &row, err);
	if (status == STATUS_OK && row)
		created_ms = sqlite3_column_int64(statement, 0);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		role->created_ms = created_ms;
	return status;
}

enum status sqlite_role_delete(struct store *base, struct text name, struct error *err)
{
	const struct sqlite_reader reader = role_reader(NULL);
	return sqlite_find_by(base, SQL_ROLE_DELETE, name, &reader, NULL, err);
}
