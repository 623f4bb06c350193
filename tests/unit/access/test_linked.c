#include "access/linked.h"

#include <stdio.h>

#include "access/scope.h"
#include "access_fixture.h"

static const char kim[] = "9c8d968d-bb96-489f-8ca0-7accc0544612";

/* Of another workspace: what home says of its sessions, and of which it was asked. */
static enum status    says;
static char           asked_of[37];
static struct account home; /* Kim's */

static enum status home_says(void *context, const char *session_id, int64_t now_ms,
                             struct error *err)
{
	(void)context, (void)now_ms;
	snprintf(asked_of, sizeof asked_of, "%s", session_id);
	return says == STATUS_OK ? STATUS_OK : error_set(err, says, "so home says");
}

static int set_up(void **state)
{
	static const struct access_host host = {NULL, home_says};
	*state                               = access_fixture_new("required", &host);
	says                                 = STATUS_OK;
	home = (struct account){.row   = {.password = TEXT("$argon2id$"), .tier = TEXT("free")},
	                        .email = TEXT("kim@example.com"),
	                        .name  = TEXT("Kim")};
	snprintf(home.row.id, sizeof home.row.id, "%s", kim);
	return 0;
}

static enum status put(struct fixture *f, const char *roles)
{
	return linked_put(f->access, &home, text_of(roles), NOW_MS, &f->arena, &f->err);
}

static struct account get(struct fixture *f)
{
	struct account account;
	assert_ok(f, people_get(f->access, text_of(kim), &f->arena, &account, &f->err));
	return account;
}

static void a_linked_person_has_the_roles_that_he_is_given_there(void **state)
{
	struct fixture *f = *state;
	assert_ok(f, put(f, "analyst"));
	struct account account = get(f);
	assert_true(linked_is(f->access, &account.row));
	assert_true(text_equal(account.name, TEXT("Kim")));
	assert_true(scope_allows(account.scopes, SCOPE_USER_READ));
	assert_ok(f, put(f, "viewer"));
	account = get(f);
	assert_false(scope_allows(account.scopes, SCOPE_USER_READ));
	assert_int_equal(put(f, "nobody"), STATUS_INVALID);
	assert_string_equal(f->err.field, "roles");
}

static void no_address_and_no_password_leads_to_him(void **state)
{
	struct fixture    *f     = *state;
	const struct login login = {.email = TEXT("kim@example.com"), .password = TEXT("")};
	struct account     account;
	struct grant       grant;
	int64_t            wait_ms;
	assert_ok(f, put(f, "admin"));
	account = get(f);
	assert_int_equal(account.row.password.length, 0);
	assert_int_equal(people_find(f->access, TEXT("kim@example.com"), &f->arena, &account, &f->err),
	                 STATUS_NOT_FOUND);
	assert_int_not_equal(
		sessions_login(f->access, &login, NOW_MS, 1, &f->arena, &grant, &wait_ms, &f->err),
		STATUS_OK);
}

static void he_is_not_in_the_way_of_somebody_of_the_same_address(void **state)
{
	struct fixture *f = *state;
	assert_ok(f, put(f, "admin"));
	struct account own = access_fixture_add(f, "kim@example.com", "viewer");
	assert_false(linked_is(f->access, &own.row));
}

static void his_session_goes_on_while_home_says_so(void **state)
{
	struct fixture *f = *state;
	struct identity identity;
	struct grant    next;
	bool            ended;
	assert_ok(f, put(f, "viewer"));
	struct account account = get(f);
	struct grant   grant   = access_fixture_begin(f, &account, NOW_MS);
	assert_ok(f, sessions_identify(f->access, grant.token, NOW_MS, &identity, &f->err));
	assert_string_equal(asked_of, grant.session_id);
	assert_true(scope_allows(identity.scopes, SCOPE_SEGMENT_READ)); /* his factor is at home */
	says = STATUS_NOT_FOUND;
	assert_int_equal(sessions_identify(f->access, grant.token, NOW_MS, &identity, &f->err),
	                 STATUS_UNAUTHORIZED);
	const struct refresh asked = {.token = text_of(grant.refresh), .now_ms = NOW_MS};
	assert_int_equal(sessions_refresh(f->access, &asked, &f->arena, &next, &ended, &f->err),
	                 STATUS_UNAUTHORIZED);
	says = STATUS_IO; /* home cannot be asked: not the same as that it is over */
	assert_int_equal(sessions_identify(f->access, grant.token, NOW_MS, &identity, &f->err),
	                 STATUS_IO);
}

static void who_is_no_member_any_more_is_removed_and_nobody_else(void **state)
{
	struct fixture   *f     = *state;
	const struct text ids[] = {text_of(kim)};
	struct account    own   = access_fixture_add(f, "lee@example.com", "viewer"), *all;
	size_t            count;
	bool              removed;
	assert_ok(f, put(f, "viewer"));
	assert_ok(f, linked_keep(f->access, ids, 1, &removed, &f->err));
	assert_false(removed);
	assert_ok(f, linked_keep(f->access, NULL, 0, &removed, &f->err));
	assert_true(removed);
	assert_ok(f, people_list(f->access, &f->arena, &all, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(all[0].row.id, own.row.id);
}

#define LINKED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, access_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINKED_TEST(a_linked_person_has_the_roles_that_he_is_given_there),
		LINKED_TEST(no_address_and_no_password_leads_to_him),
		LINKED_TEST(he_is_not_in_the_way_of_somebody_of_the_same_address),
		LINKED_TEST(his_session_goes_on_while_home_says_so),
		LINKED_TEST(who_is_no_member_any_more_is_removed_and_nobody_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
