/* People who log in, their sessions, invitations and roles. */

#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "base/instant.h"

#define OPS(f) (f)->store->ops

static const char kim[] = "9c8d968d-bb96-489f-8ca0-7accc0544612";
static const char lee[] = "1c8d968d-bb96-489f-8ca0-7accc0544613";
static const char one[] = "2c8d968d-bb96-489f-8ca0-7accc0544614";
static const char two[] = "3c8d968d-bb96-489f-8ca0-7accc0544615";

static struct store_person person_of(const char *id, int64_t created_ms)
{
	struct store_person person = {.profile    = {"\0sealed", 7},
	                              .password   = TEXT("$argon2id$"),
	                              .roles      = TEXT("viewer analyst"),
	                              .tier       = TEXT("free"),
	                              .active     = true,
	                              .created_ms = created_ms};
	snprintf(person.id, sizeof person.id, "%s", id);
	memcpy(person.email_hash, id, sizeof person.email_hash);
	return person;
}

static void add_person(struct fixture *f, const char *id, int64_t created_ms)
{
	struct store_person person = person_of(id, created_ms);
	assert_ok(f, OPS(f)->person_add(f->store, &person, NULL, NULL, &f->err));
}

static void add_session(struct fixture *f, const char *id, const char *person_id,
                        int64_t expires_ms)
{
	struct store_person  person;
	struct store_session session = {
		.origin = TEXT("sealed"), .created_ms = 10, .expires_ms = expires_ms};
	snprintf(session.id, sizeof session.id, "%s", id);
	snprintf(session.person_id, sizeof session.person_id, "%s", person_id);
	assert_ok(f, OPS(f)->person_get(f->store, text_of(person_id), &f->arena, &person, &f->err));
	assert_ok(f, OPS(f)->session_add(f->store, &session, person.version, &f->err));
}

static size_t sessions_of(struct fixture *f, const char *person_id)
{
	struct store_session *sessions;
	size_t                count;
	assert_ok(f, OPS(f)->session_list(f->store, text_of(person_id), &f->arena, &sessions, &count,
	                                  &f->err));
	return count;
}

static void a_person_is_found_by_id_and_by_the_hash_of_the_address(void **state)
{
	struct fixture     *f     = *state;
	struct store_person added = person_of(kim, 5), found, *all;
	size_t              count;
	add_person(f, kim, 5);
	add_person(f, lee, 4);
	fixture_reopen(f);
	assert_ok(f, OPS(f)->person_get(f->store, text_of(kim), &f->arena, &found, &f->err));
	assert_true(text_equal(found.profile, added.profile));
	assert_true(text_equal(found.roles, added.roles));
	assert_true(found.active);
	assert_int_equal(found.version, 1);
	assert_int_equal(found.updated_ms, 5);
	assert_ok(f, OPS(f)->person_by_email(f->store, added.email_hash, &f->arena, &found, &f->err));
	assert_string_equal(found.id, kim);
	assert_ok(f, OPS(f)->person_list(f->store, &f->arena, &all, &count, &f->err));
	assert_int_equal(count, 2);
	assert_string_equal(all[0].id, lee);
	assert_int_equal(OPS(f)->person_get(f->store, text_of(one), &f->arena, &found, &f->err),
	                 STATUS_NOT_FOUND);
}

static void an_address_is_one_persons_only(void **state)
{
	struct fixture     *f      = *state;
	struct store_person second = person_of(kim, 6);
	add_person(f, kim, 5);
	snprintf(second.id, sizeof second.id, "%s", lee);
	assert_int_equal(OPS(f)->person_add(f->store, &second, NULL, NULL, &f->err), STATUS_CONFLICT);
}

static void a_person_is_changed_at_the_version_that_was_read(void **state)
{
	struct fixture     *f = *state;
	struct store_person mine, theirs, found;
	add_person(f, kim, 5);
	assert_ok(f, OPS(f)->person_get(f->store, text_of(kim), &f->arena, &mine, &f->err));
	theirs          = mine;
	mine.roles      = TEXT("admin");
	mine.active     = false;
	mine.updated_ms = 9;
	theirs.roles    = TEXT("");
	assert_ok(f, OPS(f)->person_change(f->store, &mine, (struct text){0}, &f->err));
	assert_int_equal(mine.version, 2);
	assert_int_equal(OPS(f)->person_change(f->store, &theirs, (struct text){0}, &f->err),
	                 STATUS_PRECONDITION);
	assert_ok(f, OPS(f)->person_get(f->store, text_of(kim), &f->arena, &found, &f->err));
	assert_true(text_equal(found.roles, TEXT("admin")));
	assert_false(found.active);
	assert_int_equal(found.updated_ms, 9);
}

static void a_change_of_a_person_ends_his_sessions_or_nothing_happens(void **state)
{
	struct fixture     *f = *state;
	struct store_person mine, theirs;
	add_person(f, kim, 5);
	add_person(f, lee, 5);
	add_session(f, one, kim, 100);
	add_session(f, two, kim, 100);
	add_session(f, kim, lee, 100); /* any id does */
	assert_ok(f, OPS(f)->person_get(f->store, text_of(kim), &f->arena, &mine, &f->err));
	theirs = mine;
	f->backend->disk_full(true);
	assert_int_equal(OPS(f)->person_change(f->store, &mine, TEXT(""), &f->err), STATUS_NO_SPACE);
	f->backend->disk_full(false);
	assert_int_equal(sessions_of(f, kim), 2);
	assert_ok(f, OPS(f)->person_change(f->store, &mine, (struct text){0}, &f->err));
	assert_int_equal(OPS(f)->person_change(f->store, &theirs, TEXT(""), &f->err),
	                 STATUS_PRECONDITION);
	assert_int_equal(sessions_of(f, kim), 2);
	assert_ok(f, OPS(f)->person_change(f->store, &mine, text_of(two), &f->err));
	assert_int_equal(sessions_of(f, kim), 1);
	assert_ok(f, OPS(f)->person_change(f->store, &mine, TEXT(""), &f->err));
	assert_int_equal(sessions_of(f, kim), 0);
	assert_int_equal(sessions_of(f, lee), 1);
}

static void whether_an_address_was_verified_is_kept(void **state)
{
	struct fixture     *f     = *state;
	struct store_person added = person_of(kim, 5), found;
	added.email_verified      = true;
	assert_ok(f, OPS(f)->person_add(f->store, &added, NULL, NULL, &f->err));
	add_person(f, lee, 5);
	assert_ok(f, OPS(f)->person_get(f->store, text_of(kim), &f->arena, &found, &f->err));
	assert_true(found.email_verified);
	assert_ok(f, OPS(f)->person_get(f->store, text_of(lee), &f->arena, &found, &f->err));
	assert_false(found.email_verified);
	found.email_verified = true;
	assert_ok(f, OPS(f)->person_change(f->store, &found, (struct text){0}, &f->err));
	assert_ok(f, OPS(f)->person_by_email(f->store, found.email_hash, &f->arena, &found, &f->err));
	assert_true(found.email_verified);
}

static void an_invitation_makes_one_person(void **state)
{
	struct fixture         *f          = *state;
	struct store_invitation invitation = {.email      = TEXT("sealed"),
	                                      .roles      = TEXT("viewer"),
	                                      .tier       = TEXT("free"),
	                                      .expires_ms = 100,
	                                      .trusted    = true};
	struct store_invitation found, *all;
	struct store_person     first = person_of(kim, 5), second = person_of(lee, 5);
	size_t                  count;
	snprintf(invitation.id, sizeof invitation.id, "%s", one);
	assert_ok(f, OPS(f)->invitation_add(f->store, &invitation, &f->err));
	assert_ok(f, OPS(f)->invitation_by_hash(f->store, invitation.hash, &f->arena, &found, &f->err));
	assert_string_equal(found.id, one);
	assert_true(found.trusted);
	assert_ok(f, OPS(f)->person_add(f->store, &first, one, NULL, &f->err));
	assert_int_equal(OPS(f)->person_add(f->store, &second, one, NULL, &f->err), STATUS_NOT_FOUND);
	assert_ok(f, OPS(f)->invitation_list(f->store, &f->arena, &all, &count, &f->err));
	assert_int_equal(count, 0);
	assert_int_equal(OPS(f)->person_get(f->store, text_of(lee), &f->arena, &second, &f->err),
	                 STATUS_NOT_FOUND);
}

static void the_invitation_of_the_first_person_is_gone_with_any_person(void **state)
{
	struct fixture         *f     = *state;
	struct store_invitation first = {.email = TEXT(""), .expires_ms = INT64_MAX};
	struct store_invitation named = {.email = TEXT("sealed"), .expires_ms = INT64_MAX}, *all;
	size_t                  count;
	snprintf(first.id, sizeof first.id, "%s", one);
	snprintf(named.id, sizeof named.id, "%s", two);
	named.hash[0] = 1;
	assert_ok(f, OPS(f)->invitation_add(f->store, &first, &f->err));
	assert_ok(f, OPS(f)->invitation_add(f->store, &named, &f->err));
	add_person(f, kim, 5);
	assert_ok(f, OPS(f)->invitation_list(f->store, &f->arena, &all, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(all[0].id, two);
}

static void a_persons_tokens_are_deleted_with_him(void **state)
{
	struct fixture    *f     = *state;
	struct store_token token = {.name = TEXT("his"), .scopes = TEXT("admin")}, *all;
	size_t             count;
	add_person(f, kim, 5);
	snprintf(token.id, sizeof token.id, "%s", one);
	snprintf(token.person_id, sizeof token.person_id, "%s", kim);
	assert_ok(f, OPS(f)->token_add(f->store, &token, &f->err));
	snprintf(token.id, sizeof token.id, "%s", two);
	token.hash[0]      = 1;
	token.person_id[0] = '\0';
	assert_ok(f, OPS(f)->token_add(f->store, &token, &f->err));
	assert_ok(f, OPS(f)->token_list(f->store, &f->arena, &all, &count, &f->err));
	assert_string_equal(all[0].person_id, kim);
	assert_string_equal(all[1].person_id, "");
	assert_ok(f, OPS(f)->person_delete(f->store, text_of(kim), &f->err));
	assert_ok(f, OPS(f)->token_list(f->store, &f->arena, &all, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(all[0].id, two);
}

static struct store_factor factor_of(const char *person_id, const char *secret)
{
	struct store_factor factor = {.secret = text_of(secret), .last_step = 7, .created_ms = 5};
	snprintf(factor.person_id, sizeof factor.person_id, "%s", person_id);
	return factor;
}

static void a_second_factor_is_begun_anew_until_it_is_confirmed(void **state)
{
	static const uint8_t hashes[2][STORE_TOKEN_HASH_BYTES] = {{1}, {2}};
	struct fixture      *f                                 = *state;
	struct store_factor  first = factor_of(kim, "first"), second = factor_of(kim, "second"), found;
	struct store_person  person;
	add_person(f, kim, 5);
	assert_int_equal(OPS(f)->factor_get(f->store, text_of(kim), &f->arena, &found, &f->err),
	                 STATUS_NOT_FOUND);
	assert_ok(f, OPS(f)->factor_begin(f->store, &first, &f->err));
	assert_ok(f, OPS(f)->factor_begin(f->store, &second, &f->err));
	assert_int_equal(OPS(f)->factor_confirm(f->store, &first, hashes, 2, TEXT(""), &f->err),
	                 STATUS_PRECONDITION);
	assert_ok(f, OPS(f)->person_get(f->store, text_of(kim), &f->arena, &person, &f->err));
	assert_false(person.totp);
	assert_ok(f, OPS(f)->factor_confirm(f->store, &second, hashes, 2, TEXT(""), &f->err));
	assert_int_equal(OPS(f)->factor_begin(f->store, &first, &f->err), STATUS_CONFLICT);
	assert_ok(f, OPS(f)->factor_get(f->store, text_of(kim), &f->arena, &found, &f->err));
	assert_true(found.confirmed && text_equal(found.secret, TEXT("second")));
	assert_int_equal(found.recovery_left, 2);
	assert_ok(f, OPS(f)->person_get(f->store, text_of(kim), &f->arena, &person, &f->err));
	assert_true(person.totp);
}

static void a_session_begins_only_for_who_was_let_in(void **state)
{
	struct fixture      *f = *state;
	struct store_person  person;
	struct store_session session = {.origin = TEXT("sealed"), .created_ms = 10, .expires_ms = 100};
	add_person(f, kim, 5);
	snprintf(session.id, sizeof session.id, "%s", one);
	snprintf(session.person_id, sizeof session.person_id, "%s", kim);
	assert_ok(f, OPS(f)->person_get(f->store, text_of(kim), &f->arena, &person, &f->err));
	assert_ok(f, OPS(f)->person_change(f->store, &person, (struct text){0}, &f->err));
	assert_int_equal(OPS(f)->session_add(f->store, &session, 1, &f->err), STATUS_PRECONDITION);
	person.active = false;
	assert_ok(f, OPS(f)->person_change(f->store, &person, TEXT(""), &f->err));
	assert_int_equal(OPS(f)->session_add(f->store, &session, 3, &f->err), STATUS_PRECONDITION);
	person.active = true;
	assert_ok(f, OPS(f)->person_change(f->store, &person, TEXT(""), &f->err));
	assert_ok(f, OPS(f)->session_add(f->store, &session, 4, &f->err));
	snprintf(session.id, sizeof session.id, "%s", two);
	assert_ok(f, OPS(f)->person_delete(f->store, text_of(kim), &f->err));
	assert_int_equal(OPS(f)->session_add(f->store, &session, 4, &f->err), STATUS_PRECONDITION);
}

static void a_second_factor_ends_other_sessions_and_makes_the_next_version(void **state)
{
	static const uint8_t hashes[1][STORE_TOKEN_HASH_BYTES] = {{1}};
	struct fixture      *f                                 = *state;
	struct store_factor  factor = factor_of(kim, "secret"), other = factor_of(kim, "other");
	struct store_person  person;
	add_person(f, kim, 5);
	add_session(f, one, kim, 100);
	add_session(f, two, kim, 100);
	assert_ok(f, OPS(f)->factor_begin(f->store, &factor, &f->err));
	assert_int_equal(OPS(f)->factor_confirm(f->store, &other, hashes, 1, text_of(one), &f->err),
	                 STATUS_PRECONDITION);
	assert_int_equal(sessions_of(f, kim), 2);
	assert_ok(f, OPS(f)->factor_confirm(f->store, &factor, hashes, 1, text_of(one), &f->err));
	assert_int_equal(sessions_of(f, kim), 1);
	assert_ok(f, OPS(f)->person_get(f->store, text_of(kim), &f->arena, &person, &f->err));
	assert_int_equal(person.version, 2);
	assert_ok(f, OPS(f)->factor_delete(f->store, text_of(kim), &f->err));
	assert_ok(f, OPS(f)->person_get(f->store, text_of(kim), &f->arena, &person, &f->err));
	assert_int_equal(person.version, 3);
}

static void each_code_of_a_second_factor_counts_once(void **state)
{
	static const uint8_t hashes[2][STORE_TOKEN_HASH_BYTES] = {{1}, {2}};
	struct fixture      *f                                 = *state;
	struct store_factor  factor                            = factor_of(kim, "secret");
	const struct text    id                                = text_of(kim);
	add_person(f, kim, 5);
	assert_ok(f, OPS(f)->factor_begin(f->store, &factor, &f->err));
	assert_int_equal(OPS(f)->factor_use_step(f->store, id, 8, &f->err), STATUS_PRECONDITION);
	assert_ok(f, OPS(f)->factor_confirm(f->store, &factor, hashes, 2, TEXT(""), &f->err));
	assert_int_equal(OPS(f)->factor_use_step(f->store, id, 7, &f->err), STATUS_PRECONDITION);
	assert_ok(f, OPS(f)->factor_use_step(f->store, id, 9, &f->err));
	assert_int_equal(OPS(f)->factor_use_step(f->store, id, 8, &f->err), STATUS_PRECONDITION);
	assert_ok(f, OPS(f)->factor_use_recovery(f->store, id, hashes[1], &f->err));
	assert_int_equal(OPS(f)->factor_use_recovery(f->store, id, hashes[1], &f->err),
	                 STATUS_PRECONDITION);
	assert_ok(f, OPS(f)->factor_delete(f->store, id, &f->err));
	assert_int_equal(OPS(f)->factor_use_recovery(f->store, id, hashes[0], &f->err),
	                 STATUS_PRECONDITION);
	assert_int_equal(OPS(f)->factor_delete(f->store, id, &f->err), STATUS_NOT_FOUND);
}

static void a_person_is_found_by_who_he_is_elsewhere(void **state)
{
	static const uint8_t first[STORE_TOKEN_HASH_BYTES]  = {1};
	static const uint8_t second[STORE_TOKEN_HASH_BYTES] = {2};
	struct fixture      *f                              = *state;
	struct store_person  person = person_of(kim, 5), other = person_of(lee, 6), found;
	assert_ok(f, OPS(f)->person_add(f->store, &person, NULL, first, &f->err));
	assert_int_equal(OPS(f)->person_add(f->store, &other, NULL, first, &f->err), STATUS_CONFLICT);
	assert_int_equal(OPS(f)->person_get(f->store, text_of(lee), &f->arena, &found, &f->err),
	                 STATUS_NOT_FOUND);
	assert_ok(f, OPS(f)->person_link(f->store, second, text_of(kim), &f->err));
	assert_int_equal(OPS(f)->person_link(f->store, second, text_of(kim), &f->err), STATUS_CONFLICT);
	assert_ok(f, OPS(f)->person_by_link(f->store, second, &f->arena, &found, &f->err));
	assert_string_equal(found.id, kim);
	assert_ok(f, OPS(f)->person_delete(f->store, text_of(kim), &f->err));
	assert_int_equal(OPS(f)->person_by_link(f->store, first, &f->arena, &found, &f->err),
	                 STATUS_NOT_FOUND);
}

static void a_provider_keeps_its_id_and_its_begin(void **state)
{
	struct fixture           *f        = *state;
	struct store_sso_provider provider = {.name        = TEXT("company"),
	                                      .settings    = TEXT("{}"),
	                                      .credentials = TEXT("sealed"),
	                                      .updated_ms  = 5};
	struct store_sso_provider found, *all;
	size_t                    count;
	snprintf(provider.id, sizeof provider.id, "%s", one);
	assert_ok(f, OPS(f)->sso_provider_put(f->store, &provider, &f->err));
	snprintf(provider.id, sizeof provider.id, "%s", two);
	provider.settings   = TEXT("{\"a\":1}");
	provider.updated_ms = 6;
	assert_ok(f, OPS(f)->sso_provider_put(f->store, &provider, &f->err));
	assert_string_equal(provider.id, one);
	assert_int_equal(provider.created_ms, 5);
	assert_ok(f, OPS(f)->sso_provider_get(f->store, TEXT("company"), &f->arena, &found, &f->err));
	assert_true(text_equal(found.settings, provider.settings));
	assert_ok(f, OPS(f)->sso_provider_list(f->store, &f->arena, &all, &count, &f->err));
	assert_int_equal(count, 1);
	assert_ok(f, OPS(f)->sso_provider_delete(f->store, TEXT("company"), &f->err));
	assert_int_equal(OPS(f)->sso_provider_delete(f->store, TEXT("company"), &f->err),
	                 STATUS_NOT_FOUND);
}

static void a_session_is_renewed_once_from_each_generation(void **state)
{
	struct fixture      *f = *state;
	struct store_session session, again;
	add_person(f, kim, 5);
	add_session(f, one, kim, 100);
	assert_ok(f, OPS(f)->session_get(f->store, text_of(one), &f->arena, &session, &f->err));
	again              = session;
	session.used_ms    = 20;
	session.expires_ms = 120;
	memset(session.refresh_hash, 7, sizeof session.refresh_hash);
	assert_ok(f, OPS(f)->session_renew(f->store, &session, &f->err));
	assert_int_equal(session.generation, 1);
	assert_int_equal(OPS(f)->session_renew(f->store, &again, &f->err), STATUS_PRECONDITION);
	assert_ok(f, OPS(f)->session_get(f->store, text_of(one), &f->arena, &again, &f->err));
	assert_int_equal(again.generation, 1);
	assert_int_equal(again.used_ms, 20);
	assert_int_equal(again.expires_ms, 120);
	assert_memory_equal(again.refresh_hash, session.refresh_hash, sizeof again.refresh_hash);
}

static void sessions_end_with_their_person_one_by_one_or_by_time(void **state)
{
	struct fixture *f = *state;
	uint64_t        count;
	add_person(f, kim, 5);
	add_person(f, lee, 5);
	add_session(f, one, kim, 100);
	add_session(f, two, kim, 200);
	add_session(f, kim, lee, 300); /* any id does */
	assert_ok(f, OPS(f)->session_expire(f->store, 100, &f->err));
	assert_int_equal(sessions_of(f, kim), 1);
	add_session(f, one, kim, 200);
	assert_ok(f, OPS(f)->session_delete_of(f->store, text_of(kim), text_of(two), &f->err));
	assert_int_equal(sessions_of(f, kim), 1);
	assert_ok(f, OPS(f)->session_delete(f->store, text_of(two), &f->err));
	assert_int_equal(OPS(f)->session_delete(f->store, text_of(two), &f->err), STATUS_NOT_FOUND);
	assert_ok(f, OPS(f)->session_count(f->store, &count, &f->err));
	assert_int_equal(count, 1);
	assert_ok(f, OPS(f)->person_delete(f->store, text_of(lee), &f->err));
	assert_ok(f, OPS(f)->session_count(f->store, &count, &f->err));
	assert_int_equal(count, 0);
	add_session(f, one, kim, 200);
	assert_ok(f, OPS(f)->session_expire(f->store, INSTANT_MS_NEVER, &f->err));
	assert_int_equal(sessions_of(f, kim), 0);
}

static void a_role_is_there_until_it_is_deleted(void **state)
{
	struct fixture    *f    = *state;
	struct store_role  role = {.name        = TEXT("crm"),
	                           .description = TEXT("설명"),
	                           .scopes      = TEXT("user.read"),
	                           .updated_ms  = 5};
	struct store_role *all;
	size_t             count;
	assert_ok(f, OPS(f)->role_put(f->store, &role, &f->err));
	role.scopes     = TEXT("user.read pii.read");
	role.updated_ms = 6;
	assert_ok(f, OPS(f)->role_put(f->store, &role, &f->err));
	assert_int_equal(role.created_ms, 5);
	assert_ok(f, OPS(f)->role_list(f->store, &f->arena, &all, &count, &f->err));
	assert_int_equal(count, 1);
	assert_true(text_equal(all[0].scopes, role.scopes));
	assert_ok(f, OPS(f)->role_delete(f->store, TEXT("crm"), &f->err));
	assert_int_equal(OPS(f)->role_delete(f->store, TEXT("crm"), &f->err), STATUS_NOT_FOUND);
}

static void on_a_full_disk_an_invitation_is_not_used_up(void **state)
{
	struct fixture          *f          = *state;
	struct store_invitation  invitation = {.email = TEXT("sealed"), .expires_ms = 100};
	struct store_person      person     = person_of(kim, 5);
	struct store_invitation *all;
	size_t                   count;
	snprintf(invitation.id, sizeof invitation.id, "%s", one);
	assert_ok(f, OPS(f)->invitation_add(f->store, &invitation, &f->err));
	f->backend->disk_full(true);
	assert_int_equal(OPS(f)->person_add(f->store, &person, one, NULL, &f->err), STATUS_NO_SPACE);
	f->backend->disk_full(false);
	assert_ok(f, OPS(f)->invitation_list(f->store, &f->arena, &all, &count, &f->err));
	assert_int_equal(count, 1);
	assert_ok(f, OPS(f)->person_add(f->store, &person, one, NULL, &f->err));
}

int run_person_tests(const char *backend)
{
	const struct CMUnitTest person_tests[] = {
		STORE_TEST(a_person_is_found_by_id_and_by_the_hash_of_the_address),
		STORE_TEST(an_address_is_one_persons_only),
		STORE_TEST(a_person_is_changed_at_the_version_that_was_read),
		STORE_TEST(a_change_of_a_person_ends_his_sessions_or_nothing_happens),
		STORE_TEST(whether_an_address_was_verified_is_kept),
		STORE_TEST(an_invitation_makes_one_person),
		STORE_TEST(the_invitation_of_the_first_person_is_gone_with_any_person),
		STORE_TEST(a_persons_tokens_are_deleted_with_him),
		STORE_TEST(a_second_factor_is_begun_anew_until_it_is_confirmed),
		STORE_TEST(a_session_begins_only_for_who_was_let_in),
		STORE_TEST(a_second_factor_ends_other_sessions_and_makes_the_next_version),
		STORE_TEST(each_code_of_a_second_factor_counts_once),
		STORE_TEST(a_person_is_found_by_who_he_is_elsewhere),
		STORE_TEST(a_provider_keeps_its_id_and_its_begin),
		STORE_TEST(a_session_is_renewed_once_from_each_generation),
		STORE_TEST(sessions_end_with_their_person_one_by_one_or_by_time),
		STORE_TEST(a_role_is_there_until_it_is_deleted),
		STORE_TEST(on_a_full_disk_an_invitation_is_not_used_up),
	};
	char name[64];
	snprintf(name, sizeof name, "people of %s", backend);
	return cmocka_run_group_tests_name(name, person_tests, NULL, NULL);
}
