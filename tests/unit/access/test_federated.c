#include "access/federated.h"

#include "access/reset.h"
#include "access/scope.h"
#include "access_fixture.h"

static struct federated_wish told; /* of Kim, by the provider */
static bool                  changed;

static int set_up(void **state)
{
	*state = access_fixture_new("required", NULL);
	told   = (struct federated_wish){.issuer         = TEXT("https://login.example.com"),
	                                 .subject        = TEXT("kim"),
	                                 .email          = TEXT("kim@example.com"),
	                                 .name           = TEXT("Kim"),
	                                 .email_verified = true,
	                                 .roles          = TEXT("viewer")};
	return 0;
}

static enum status come(struct fixture *f, const struct federated_wish *wish,
                        struct account *ret_account)
{
	return federated_person(f->access, wish, NOW_MS, &f->arena, ret_account, &changed, &f->err);
}

static size_t count_people(struct fixture *f)
{
	struct account *accounts;
	size_t          count;
	assert_ok(f, people_list(f->access, &f->arena, &accounts, &count, &f->err));
	return count;
}

/* Somebody who was here before, by a password. */
static struct account add_local(struct fixture *f)
{
	return access_fixture_add(f, "kim@example.com", "operator");
}

/* The same by an invitation of who has `granted`. */
static struct account add_invited(struct fixture *f, uint32_t granted)
{
	const struct person_wish wish = {
		.email = TEXT("kim@example.com"), .roles = TEXT("viewer"), .tier = TEXT("free")};
	const struct person_wish answer = {.name = TEXT("Kim"), .password = password};
	struct invitation        invitation;
	struct account           account;
	char                     text[INVITATION_TEXT_BYTES];
	assert_ok(
		f, people_invite(f->access, &wish, granted, NOW_MS, &f->arena, &invitation, text, &f->err));
	assert_ok(f, people_register(f->access, text_of(text), &answer, NOW_MS, &f->arena, &account,
	                             &f->err));
	return account;
}

static void who_comes_first_is_made_and_found_the_next_time(void **state)
{
	struct fixture *f = *state;
	struct account  first, second;
	assert_ok(f, come(f, &told, &first));
	assert_int_equal(first.row.password.length, 0);
	assert_true(text_equal(first.email, TEXT("kim@example.com")));
	told.email = TEXT("other@example.com"); /* the subject says who it is */
	assert_ok(f, come(f, &told, &second));
	assert_string_equal(first.row.id, second.row.id);
	assert_false(changed);
	assert_int_equal(count_people(f), 1);
}

static void the_same_subject_of_another_issuer_is_somebody_else(void **state)
{
	struct fixture       *f     = *state;
	struct federated_wish other = told;
	struct account        kim, lee;
	assert_ok(f, come(f, &told, &kim));
	other.issuer = TEXT("https://login.example.com/k"); /* and no way to shift what is between */
	other.email  = TEXT("lee@example.com");
	assert_ok(f, come(f, &other, &lee));
	assert_string_not_equal(kim.row.id, lee.row.id);
	other.issuer  = TEXT("https://login.example.comk");
	other.subject = TEXT("im");
	other.email   = TEXT("min@example.com");
	assert_ok(f, come(f, &other, &lee));
	assert_string_not_equal(kim.row.id, lee.row.id);
	assert_int_equal(count_people(f), 3);
}

static void his_roles_are_what_the_provider_says_each_time(void **state)
{
	struct fixture *f = *state;
	struct account  account;
	assert_ok(f, come(f, &told, &account));
	told.roles = TEXT("operator");
	assert_ok(f, come(f, &told, &account));
	assert_true(changed);
	assert_true(text_equal(account.row.roles, TEXT("operator")));
	told.roles = TEXT("no-such-role");
	assert_int_equal(come(f, &told, &account), STATUS_FORBIDDEN);
}

static void who_was_switched_off_is_refused(void **state)
{
	struct fixture            *f   = *state;
	const bool                 no  = false;
	const struct person_change off = {.active = &no};
	struct account             account;
	assert_ok(f, come(f, &told, &account));
	assert_ok(f, people_change(f->access, text_of(account.row.id), &off, SCOPE_ADMIN, NOW_MS,
	                           &f->arena, &account, &f->err));
	assert_int_equal(come(f, &told, &account), STATUS_FORBIDDEN);
	assert_int_equal(count_people(f), 1);
}

static void somebody_s_address_leads_to_him_only_when_verified_and_wanted(void **state)
{
	struct fixture *f     = *state;
	struct account  local = add_invited(f, SCOPE_ADMIN), account;
	assert_int_equal(come(f, &told, &account), STATUS_CONFLICT);
	told.by_email       = true;
	told.email_verified = false;
	assert_int_equal(come(f, &told, &account), STATUS_CONFLICT);
	told.email_verified = true;
	assert_ok(f, come(f, &told, &account));
	assert_string_equal(account.row.id, local.row.id);
	assert_true(text_equal(account.row.roles, TEXT("viewer")));
	told.by_email = false; /* he is known by now */
	told.email    = TEXT("");
	assert_ok(f, come(f, &told, &account));
	assert_string_equal(account.row.id, local.row.id);
}

/* Who was made with a password may be waiting for him under his address. */
static void an_address_that_nobody_has_verified_leads_to_nobody(void **state)
{
	struct fixture *f     = *state;
	struct account  local = add_local(f), account;
	char            token[CODE_TEXT_BYTES];
	told.by_email = true;
	assert_false(local.row.email_verified);
	assert_int_equal(come(f, &told, &account), STATUS_CONFLICT);
	assert_ok(f, reset_begin(f->access, told.email, NOW_MS, &f->arena, &account, token, &f->err));
	assert_ok(f, reset_finish(f->access, text_of(token), TEXT("another long one of his"), NOW_MS,
	                          &f->arena, &account, &f->err));
	assert_ok(f, come(f, &told, &account));
	assert_string_equal(account.row.id, local.row.id);
}

static void an_invitation_counts_for_its_address_when_an_admin_made_it(void **state)
{
	struct fixture *f       = *state;
	struct account  invited = add_invited(f, ~(uint32_t)SCOPE_ADMIN), account;
	told.by_email           = true;
	assert_false(invited.row.email_verified);
	assert_int_equal(come(f, &told, &account), STATUS_CONFLICT);
	assert_ok(f, people_delete(f->access, text_of(invited.row.id), SCOPE_ADMIN, &f->err));
	invited = add_invited(f, SCOPE_ADMIN);
	assert_true(invited.row.email_verified);
	assert_ok(f, come(f, &told, &account));
	assert_string_equal(account.row.id, invited.row.id);
}

static void who_came_by_a_provider_that_verifies_nothing_is_linked_to_nobody_else(void **state)
{
	struct fixture       *f     = *state;
	struct federated_wish other = told;
	struct account        first, second;
	told.email_verified = false; /* nor denied */
	other.issuer        = TEXT("https://other.example.com");
	other.by_email      = true;
	assert_ok(f, come(f, &told, &first));
	assert_int_equal(come(f, &other, &second), STATUS_CONFLICT);
	told.email_verified = true; /* of another address that says nothing of this one */
	told.email          = TEXT("lee@example.com");
	assert_ok(f, come(f, &told, &first));
	assert_int_equal(come(f, &other, &second), STATUS_CONFLICT);
	told.email = TEXT("KIM@example.com");
	assert_ok(f, come(f, &told, &first));
	assert_false(changed);
	assert_ok(f, come(f, &other, &second));
	assert_string_equal(first.row.id, second.row.id);
}

static void nobody_is_made_without_an_address_or_by_one_that_is_denied(void **state)
{
	struct fixture *f = *state;
	struct account  account;
	told.email_verified = false;
	told.email_denied   = true;
	assert_int_equal(come(f, &told, &account), STATUS_FORBIDDEN);
	told.email_denied = false;
	told.email        = TEXT("");
	assert_int_equal(come(f, &told, &account), STATUS_FORBIDDEN);
	told.email = TEXT("no address");
	assert_int_equal(come(f, &told, &account), STATUS_INVALID);
	assert_int_equal(count_people(f), 0);
}

static void he_gets_no_password_by_the_way_of_a_forgotten_one(void **state)
{
	struct fixture *f = *state;
	struct account  account;
	char            token[CODE_TEXT_BYTES];
	int64_t         wait_ms;
	struct grant    grant;
	assert_ok(f, come(f, &told, &account));
	assert_int_equal(
		reset_begin(f->access, told.email, NOW_MS, &f->arena, &account, token, &f->err),
		STATUS_NOT_FOUND);
	const struct login login = {
		.email = told.email, .password = TEXT(""), .address = TEXT("192.0.2.1")};
	assert_int_equal(
		sessions_login(f->access, &login, NOW_MS, 0, &f->arena, &grant, &wait_ms, &f->err),
		STATUS_UNAUTHORIZED);
}

/* Whom his provider lets in with what it wants owes none here, though all others do. */
static void he_owes_no_second_factor(void **state)
{
	struct fixture    *f     = *state;
	const struct login login = {.address = TEXT("192.0.2.1")};
	struct account     account;
	struct grant       grant;
	assert_ok(f, come(f, &told, &account));
	assert_ok(f, sessions_enter(f->access, &account, &login, NOW_MS, &f->arena, &grant, &f->err));
	assert_false(grant.owes_factor);
	assert_ok(f, people_delete(f->access, text_of(account.row.id), SCOPE_ADMIN, &f->err));
	account = add_local(f);
	assert_ok(f, sessions_enter(f->access, &account, &login, NOW_MS, &f->arena, &grant, &f->err));
	assert_true(grant.owes_factor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_comes_first_is_made_and_found_the_next_time, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(the_same_subject_of_another_issuer_is_somebody_else, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(his_roles_are_what_the_provider_says_each_time, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(who_was_switched_off_is_refused, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			somebody_s_address_leads_to_him_only_when_verified_and_wanted, set_up,
			access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(an_address_that_nobody_has_verified_leads_to_nobody, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(an_invitation_counts_for_its_address_when_an_admin_made_it,
	                                    set_up, access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			who_came_by_a_provider_that_verifies_nothing_is_linked_to_nobody_else, set_up,
			access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(nobody_is_made_without_an_address_or_by_one_that_is_denied,
	                                    set_up, access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(he_gets_no_password_by_the_way_of_a_forgotten_one, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(he_owes_no_second_factor, set_up, access_fixture_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
