#include "access_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "access/scope.h"
#include "base/instant.h"
#include "store/sqlite.h"

const struct text password = {"a long one that only I know", 27};

static char algorithm[] = "HS256";

struct fixture *access_fixture_new(const char *second_factor, const struct access_host *host)
{
	struct fixture *f = calloc(1, sizeof *f);
	char            path[96], data[96], keyring[96];
	snprintf(f->directory, sizeof f->directory, "/tmp/sonnim-access-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(path, sizeof path, "%s/store.db", f->directory);
	snprintf(data, sizeof data, "%s/vault", f->directory);
	snprintf(keyring, sizeof keyring, "%s/keyring", f->directory);
	arena_init(&f->arena);
	const struct vault_config vault = {
		.directory = data, .keyring_directory = keyring, .partition_count = 1};
	assert_ok(f, sqlite_store_open(path, &f->store, &f->err));
	assert_ok(f, vault_open(&vault, &f->vault, &f->err));
	f->settings =
		(struct access_settings){.algorithm       = algorithm,
	                             .session_idle_ms = 10 * DAY_MS,
	                             .session_ms      = 15 * DAY_MS,
	                             .invitation_ms   = DAY_MS,
	                             .second_factor   = arena_printf(&f->arena, "%s", second_factor)};
	const struct access_config config = {.store             = f->store,
	                                     .vault             = f->vault,
	                                     .keyring_directory = keyring,
	                                     .issuer            = "sonnim",
	                                     .audience          = "workspace",
	                                     .host              = host,
	                                     .settings          = &f->settings};
	assert_ok(f, access_open(&config, &f->access, &f->err));
	return f;
}

int access_fixture_tear_down(void **state)
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

struct account access_fixture_add(struct fixture *f, const char *email, const char *roles)
{
	const struct person_wish wish = {.email    = text_of(email),
	                                 .name     = TEXT("Kim"),
	                                 .password = password,
	                                 .roles    = text_of(roles),
	                                 .tier     = TEXT("free")};
	struct account           account;
	assert_ok(f, people_add(f->access, &wish, SCOPE_ADMIN, NOW_MS, &f->arena, &account, &f->err));
	return account;
}

struct grant access_fixture_begin(struct fixture *f, const struct account *account, int64_t now_ms)
{
	const struct login login = {.address = TEXT("192.0.2.1"), .agent = TEXT("a \xff browser")};
	struct grant       grant;
	assert_ok(f, sessions_begin(f->access, account, &login, now_ms, &f->arena, &grant, &f->err));
	return grant;
}
