#include "access/federated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "access/reset.h"
#include "access/scope.h"
#include "access/sessions.h"
#include "base/instant.h"
#include "store/sqlite.h"

#define NOW_MS INT64_C(1700000000000)

struct fixture {
	char                   directory[64];
	struct store          *store;
	struct vault          *vault;
	struct access_settings settings;
	struct access         *access;
	struct arena           arena;
	struct federated_wish  wish; /* Kim's */
	bool                   changed;
	struct error           err;
};

#define assert_ok(f, call)                                                                         \
	do {                                                                                           \
		enum status assert_ok_status = (call);                                                     \
		if (assert_ok_status != STATUS_OK)                                                         \
			fail_msg("%s: %s", status_code(assert_ok_status), (f)->err.reason);                    \
	} while (0)

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char            path[96], data[96], keyring[96];
	char            algorithm[] = "HS256", required[] = "required";
	snprintf(f->directory, sizeof f->directory, "/tmp/sonnim-federated-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(path, sizeof path, "%s/store.db", f->directory);
	snprintf(data, sizeof data, "%s/vault", f->directory);
	snprintf(keyring, sizeof keyring, "%s/keyring", f->directory);
	arena_init(&f->arena);
	const struct vault_config vault = {
		.directory = data, .keyring_directory = keyring, .partition_count = 1};
	assert_ok(f, sqlite_store_open(path, &f->store, &f->err));
	assert_ok(f, vault_open(&vault, &f->vault, &f->err));
	f->settings = (struct access_settings){
		.algorithm = algorithm, .session_idle_ms = 10 * DAY_MS, .second_factor = required};
	const struct access_config config = {.store             = f->store,
	                                     .vault             = f->vault,
	                                     .keyring_directory = keyring,
	                                     .issuer            = "sonnim",
	                                     .audience          = "workspace",
	                                     .settings          = &f->settings};
	assert_ok(f, access_open(&config, &f->access, &f->err));
	f->wish = (struct federated_wish){.issuer         = TEXT("https://login.example.com"),
	                                  .subject        = TEXT("kim"),
	                                  .email          = TEXT("kim@example.com"),
	                                  .name           = TEXT("Kim"),
	                                  .email_verified = true,
	                                  .roles          = TEXT("viewer")};
	*state  = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char            command[128];
	access_close(f->access);
	vault_close(f->vault);
	f->store->ops->free(f->store);
	arena_done(&f->arena);
	snprintf(command, sizeof command, "rm -rf %s", f->directory);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static enum status come(struct fixture *f, const struct federated_wish *wish,
                        struct account *ret_account)
{
	return federated_person(f->access, wish, NOW_MS, &f->arena, ret_account, &f->changed, &f->err);
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
	const struct person_wish wish = {.email    = TEXT("kim@example.com"),
	                                 .name     = TEXT("Kim the first"),
	                                 .password = TEXT("a long one that only I know"),
	                                 .roles    = TEXT("operator"),
	                                 .tier     = TEXT("free")};
	struct account           account;
	assert_ok(f, people_add(f->access, &wish, SCOPE_ADMIN, NOW_MS, &f->arena, &account, &f->err));
	return account;
}

static void who_comes_first_is_made_and_found_the_next_time(void **state)
{
	struct fixture *f = *state;
	struct account  first, second;
	assert_ok(f, come(f, &f->wish, &first));
	assert_int_equal(first.row.password.length, 0);
	assert_true(text_equal(first.email, TEXT("kim@example.com")));
	f->wish.email = TEXT("other@example.com"); /* the subject says who it is */
	assert_ok(f, come(f, &f->wish, &second));
	assert_string_equal(first.row.id, second.row.id);
	assert_false(f->changed);
	assert_int_equal(count_people(f), 1);
}

static void the_same_subject_of_another_issuer_is_somebody_else(void **state)
{
	struct fixture       *f     = *state;
	struct federated_wish other = f->wish;
	struct account        kim, lee;
	assert_ok(f, come(f, &f->wish, &kim));
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
	assert_ok(f, come(f, &f->wish, &account));
	f->wish.roles = TEXT("operator");
	assert_ok(f, come(f, &f->wish, &account));
	assert_true(f->changed);
	assert_true(text_equal(account.row.roles, TEXT("operator")));
	f->wish.roles = TEXT("no-such-role");
	assert_int_equal(come(f, &f->wish, &account), STATUS_FORBIDDEN);
}

static void who_was_switched_off_is_refused(void **state)
{
	struct fixture            *f   = *state;
	const bool                 no  = false;
	const struct person_change off = {.active = &no};
	struct account             account;
	assert_ok(f, come(f, &f->wish, &account));
	assert_ok(f, people_change(f->access, text_of(account.row.id), &off, SCOPE_ADMIN, NOW_MS,
	                           &f->arena, &account, &f->err));
	assert_int_equal(come(f, &f->wish, &account), STATUS_FORBIDDEN);
	assert_int_equal(count_people(f), 1);
}

static void somebody_s_address_leads_to_him_only_when_verified_and_wanted(void **state)
{
	struct fixture *f     = *state;
	struct account  local = add_local(f), account;
	assert_int_equal(come(f, &f->wish, &account), STATUS_CONFLICT);
	f->wish.by_email       = true;
	f->wish.email_verified = false;
	assert_int_equal(come(f, &f->wish, &account), STATUS_CONFLICT);
	f->wish.email_verified = true;
	assert_ok(f, come(f, &f->wish, &account));
	assert_string_equal(account.row.id, local.row.id);
	assert_true(text_equal(account.row.roles, TEXT("viewer")));
	f->wish.by_email = false; /* he is known by now */
	f->wish.email    = TEXT("");
	assert_ok(f, come(f, &f->wish, &account));
	assert_string_equal(account.row.id, local.row.id);
}

static void nobody_is_made_without_an_address_or_by_one_that_is_denied(void **state)
{
	struct fixture *f = *state;
	struct account  account;
	f->wish.email_verified = false;
	f->wish.email_denied   = true;
	assert_int_equal(come(f, &f->wish, &account), STATUS_FORBIDDEN);
	f->wish.email_denied = false;
	f->wish.email        = TEXT("");
	assert_int_equal(come(f, &f->wish, &account), STATUS_FORBIDDEN);
	f->wish.email = TEXT("no address");
	assert_int_equal(come(f, &f->wish, &account), STATUS_INVALID);
	assert_int_equal(count_people(f), 0);
}

static void he_gets_no_password_by_the_way_of_a_forgotten_one(void **state)
{
	struct fixture *f = *state;
	struct account  account;
	char            token[CODE_TEXT_BYTES];
	int64_t         wait_ms;
	struct grant    grant;
	assert_ok(f, come(f, &f->wish, &account));
	assert_int_equal(
		reset_begin(f->access, f->wish.email, NOW_MS, &f->arena, &account, token, &f->err),
		STATUS_NOT_FOUND);
	const struct login login = {
		.email = f->wish.email, .password = TEXT(""), .address = TEXT("192.0.2.1")};
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
	assert_ok(f, come(f, &f->wish, &account));
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
	                                    tear_down),
		cmocka_unit_test_setup_teardown(the_same_subject_of_another_issuer_is_somebody_else, set_up,
	                                    tear_down),
		cmocka_unit_test_setup_teardown(his_roles_are_what_the_provider_says_each_time, set_up,
	                                    tear_down),
		cmocka_unit_test_setup_teardown(who_was_switched_off_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			somebody_s_address_leads_to_him_only_when_verified_and_wanted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_is_made_without_an_address_or_by_one_that_is_denied,
	                                    set_up, tear_down),
		cmocka_unit_test_setup_teardown(he_gets_no_password_by_the_way_of_a_forgotten_one, set_up,
	                                    tear_down),
		cmocka_unit_test_setup_teardown(he_owes_no_second_factor, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
