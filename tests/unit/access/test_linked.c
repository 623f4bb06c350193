#include "access/linked.h"

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

static const char kim[] = "9c8d968d-bb96-489f-8ca0-7accc0544612";

/* Another workspace, and what home says of its sessions. */
struct fixture {
	char                   directory[64];
	struct store          *store;
	struct vault          *vault;
	struct access_settings settings;
	struct access_host     host;
	struct access         *access;
	struct arena           arena;
	struct account         home; /* Kim's */
	enum status            says;
	char                   asked[37];
	struct error           err;
};

#define assert_ok(f, call)                                                                         \
	do {                                                                                           \
		enum status assert_ok_status = (call);                                                     \
		if (assert_ok_status != STATUS_OK)                                                         \
			fail_msg("%s: %s", status_code(assert_ok_status), (f)->err.reason);                    \
	} while (0)

static enum status home_says(void *context, const char *session_id, int64_t now_ms,
                             struct error *err)
{
	struct fixture *f = context;
	(void)now_ms;
	snprintf(f->asked, sizeof f->asked, "%s", session_id);
	return f->says == STATUS_OK ? STATUS_OK : error_set(err, f->says, "so home says");
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char            path[96], data[96], keyring[96];
	char            algorithm[] = "HS256", required[] = "required";
	snprintf(f->directory, sizeof f->directory, "/tmp/sonnim-linked-XXXXXX");
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
	f->host                           = (struct access_host){f, home_says};
	const struct access_config config = {.store             = f->store,
	                                     .vault             = f->vault,
	                                     .keyring_directory = keyring,
	                                     .issuer            = "sonnim",
	                                     .audience          = "workspace",
	                                     .host              = &f->host,
	                                     .settings          = &f->settings};
	assert_ok(f, access_open(&config, &f->access, &f->err));
	f->home = (struct account){.row   = {.password = TEXT("$argon2id$"), .tier = TEXT("free")},
	                           .email = TEXT("kim@example.com"),
	                           .name  = TEXT("Kim")};
	snprintf(f->home.row.id, sizeof f->home.row.id, "%s", kim);
	*state = f;
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

static enum status put(struct fixture *f, const char *roles)
{
	return linked_put(f->access, &f->home, text_of(roles), NOW_MS, &f->arena, &f->err);
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
	struct fixture          *f    = *state;
	const struct person_wish wish = {.email    = TEXT("kim@example.com"),
	                                 .name     = TEXT("Kim"),
	                                 .password = TEXT("a long one that only I know"),
	                                 .roles    = TEXT("viewer"),
	                                 .tier     = TEXT("free")};
	struct account           own;
	assert_ok(f, put(f, "admin"));
	assert_ok(f, people_add(f->access, &wish, SCOPE_ADMIN, NOW_MS, &f->arena, &own, &f->err));
	assert_false(linked_is(f->access, &own.row));
}

static void his_session_goes_on_while_home_says_so(void **state)
{
	struct fixture    *f     = *state;
	const struct login login = {.address = TEXT("192.0.2.1")};
	struct identity    identity;
	struct grant       grant, next;
	bool               ended;
	assert_ok(f, put(f, "viewer"));
	struct account account = get(f);
	assert_ok(f, sessions_begin(f->access, &account, &login, NOW_MS, &f->arena, &grant, &f->err));
	assert_ok(f, sessions_identify(f->access, grant.token, NOW_MS, &identity, &f->err));
	assert_string_equal(f->asked, grant.session_id);
	assert_true(scope_allows(identity.scopes, SCOPE_SEGMENT_READ)); /* his factor is at home */
	f->says = STATUS_NOT_FOUND;
	assert_int_equal(sessions_identify(f->access, grant.token, NOW_MS, &identity, &f->err),
	                 STATUS_UNAUTHORIZED);
	const struct refresh asked = {.token = text_of(grant.refresh), .now_ms = NOW_MS};
	assert_int_equal(sessions_refresh(f->access, &asked, &f->arena, &next, &ended, &f->err),
	                 STATUS_UNAUTHORIZED);
	f->says = STATUS_IO; /* home cannot be asked: not the same as that it is over */
	assert_int_equal(sessions_identify(f->access, grant.token, NOW_MS, &identity, &f->err),
	                 STATUS_IO);
}

static void who_is_no_member_any_more_is_removed_and_nobody_else(void **state)
{
	struct fixture          *f     = *state;
	const struct person_wish wish  = {.email    = TEXT("lee@example.com"),
	                                  .name     = TEXT("Lee"),
	                                  .password = TEXT("a long one that only I know"),
	                                  .roles    = TEXT("viewer"),
	                                  .tier     = TEXT("free")};
	const struct text        ids[] = {text_of(kim)};
	struct account           own, *all;
	size_t                   count;
	bool                     removed;
	assert_ok(f, people_add(f->access, &wish, SCOPE_ADMIN, NOW_MS, &f->arena, &own, &f->err));
	assert_ok(f, put(f, "viewer"));
	assert_ok(f, linked_keep(f->access, ids, 1, &removed, &f->err));
	assert_false(removed);
	assert_ok(f, linked_keep(f->access, NULL, 0, &removed, &f->err));
	assert_true(removed);
	assert_ok(f, people_list(f->access, &f->arena, &all, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(all[0].row.id, own.row.id);
}

#define LINKED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
