/* The directory of workspaces over real ones, without HTTP. */

#include "app/workspace/directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/instant.h"
#include "base/log.h"

enum { WAIT_MS = 60 * 1000 };

struct fixture {
	char                         place[64];
	struct serve_settings        settings;
	struct limits               *limits;
	struct workspace            *home;
	struct directory            *directory;
	const struct api_workspaces *face;
	struct arena                 arena;
	struct error                 err;
};

#define assert_ok(f, call)                                                                         \
	do {                                                                                           \
		enum status assert_ok_status = (call);                                                     \
		if (assert_ok_status != STATUS_OK)                                                         \
			fail_msg("%s: %s", status_code(assert_ok_status), (f)->err.reason);                    \
	} while (0)

static void pause_ms(unsigned ms)
{
	const struct timespec pause = {.tv_nsec = ms * 1000000L};
	nanosleep(&pause, NULL);
}

static void start(struct fixture *f)
{
	struct workspace_first first;
	enum status            status;
	f->limits                            = limits_new(&f->settings.limits, 64);
	f->directory                         = directory_new(&f->settings, f->limits, 1);
	f->face                              = directory_face(f->directory);
	const struct workspace_config config = {
		.settings = &f->settings, .loop_count = 1, .workspaces = f->face};
	assert_ok(f, workspace_start(&config, &f->home, &f->err));
	while ((status = workspace_replayed(f->home, &f->err)) == STATUS_AGAIN)
		pause_ms(1);
	assert_ok(f, status);
	assert_ok(f, directory_load(f->directory, f->home, &f->err));
	assert_ok(f, workspace_open(f->home, &first, &f->err));
	directory_open(f->directory);
}

static void stop(struct fixture *f)
{
	directory_stop(f->directory);
	workspace_stop(f->home, NULL);
	directory_free(f->directory);
	workspace_free(f->home);
	limits_free(f->limits);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char            data[96], keyring[96], token[96];
	snprintf(f->place, sizeof f->place, "/tmp/sonnim-directory-XXXXXX");
	assert_non_null(mkdtemp(f->place));
	snprintf(data, sizeof data, "--data=%s/data", f->place);
	snprintf(keyring, sizeof keyring, "--keyring=%s/keyring", f->place);
	snprintf(token, sizeof token, "--admin-token-file=%s/token", f->place);
	char  serve[] = "serve", clock[] = "--clock=manual", partitions[] = "--partitions=2";
	char  threads[] = "--threads=1", idle[] = "--workspace-idle=1s";
	char  open_max[] = "--workspaces-open-max=2", level[] = "--log-level=error";
	char *argv[] = {serve,   data, keyring,  token, clock, partitions,
	                threads, idle, open_max, level, NULL};
	assert_ok(f, serve_settings_load(&f->settings, 10, argv, &f->err));
	log_level_set(LOG_ERROR);
	arena_init(&f->arena);
	start(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char            command[128];
	stop(f);
	serve_settings_done(&f->settings);
	arena_done(&f->arena);
	snprintf(command, sizeof command, "rm -rf %s", f->place);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static enum status make(struct fixture *f, const char *slug, struct api_workspace *ret_workspace,
                        struct workspace_keys *ret_keys)
{
	static const struct workspace_limits none;
	const struct workspace_wish          wish = {
				 .slug = text_of(slug), .name = TEXT("A shop"), .limits = &none, .partitions = 1};
	return f->face->create(f->face->context, &wish, &f->arena, ret_workspace, ret_keys, &f->err);
}

static struct api_workspace made(struct fixture *f, const char *slug)
{
	struct api_workspace  workspace;
	struct workspace_keys keys = {0};
	assert_ok(f, make(f, slug, &workspace, &keys));
	assert_true(strlen(keys.token) > 0 && strlen(keys.write_key) > 0);
	return workspace;
}

static void *find(struct fixture *f, enum workspace_by by, const char *name)
{
	return f->face->find(f->face->context, by, text_of(name));
}

static bool is_found(struct fixture *f, enum workspace_by by, const char *name)
{
	void *held = find(f, by, name);
	if (held != NULL)
		f->face->leave(held, false);
	return held != NULL;
}

static struct workspace_counts counts(struct fixture *f)
{
	struct workspace_counts counted;
	f->face->counts(f->face->context, &counted);
	return counted;
}

static bool is_there(struct fixture *f, const char *below, const char *id)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/%s/workspaces/%s", f->place, below, id);
	return access(path, F_OK) == 0;
}

/* Opens it, if need be. */
static void enter(struct fixture *f, const char *slug)
{
	struct api *api  = NULL;
	void       *held = find(f, WORKSPACE_BY_SLUG, slug);
	assert_non_null(held);
	assert_ok(f, f->face->enter(held, &api, &f->err));
	assert_non_null(api);
	f->face->leave(held, true);
}

static void wait_for_open(struct fixture *f, uint64_t count)
{
	int64_t until_ms = clock_monotonic_ms() + WAIT_MS;
	while (counts(f).open != count) {
		assert_true(clock_monotonic_ms() < until_ms);
		pause_ms(5);
	}
}

static void a_workspace_is_found_by_each_of_its_names(void **state)
{
	struct fixture      *f    = *state;
	struct api_workspace shop = made(f, "shop");
	assert_true(is_found(f, WORKSPACE_BY_SLUG, "shop"));
	assert_true(is_found(f, WORKSPACE_BY_CODE, shop.code));
	assert_true(is_found(f, WORKSPACE_BY_ID, shop.id));
	assert_false(is_found(f, WORKSPACE_BY_CODE, "shop"));
	assert_false(is_found(f, WORKSPACE_BY_SLUG, "shops"));
	assert_memory_equal(shop.code, shop.id, WORKSPACE_CODE_BYTES - 1);
	assert_true(is_there(f, "data", shop.id) && is_there(f, "keyring", shop.id));
}

static void a_slug_is_one_workspaces_only_and_not_every_text(void **state)
{
	static const char *const bad[] = {"", "-a", "1a", "A", "a_b", "a/b", "a.b", "default"};
	struct fixture          *f     = *state;
	struct api_workspace     workspace;
	struct workspace_keys    keys;
	made(f, "shop");
	assert_int_equal(make(f, "shop", &workspace, &keys), STATUS_CONFLICT);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(make(f, bad[i], &workspace, &keys), STATUS_INVALID);
	assert_int_equal(counts(f).all, 1);
}

static void a_deleted_workspace_is_found_by_nobody_and_leaves_nothing(void **state)
{
	struct fixture      *f    = *state;
	struct api_workspace shop = made(f, "shop");
	assert_ok(f, f->face->destroy(f->face->context, TEXT("shop"), &f->err));
	assert_false(is_found(f, WORKSPACE_BY_SLUG, "shop"));
	assert_false(is_found(f, WORKSPACE_BY_CODE, shop.code));
	assert_false(is_there(f, "data", shop.id) || is_there(f, "keyring", shop.id));
	assert_int_equal(f->face->destroy(f->face->context, TEXT("shop"), &f->err), STATUS_NOT_FOUND);
	assert_int_equal(counts(f).all, 0);
	made(f, "shop");
}

static bool is_closed(struct fixture *f, void *held)
{
	struct workspace_closed closed;
	bool                    is = f->face->is_closed(held, &f->arena, &closed);
	assert_false(closed.failed);
	assert_true(!is || closed.public_keys.length > 0);
	return is;
}

static void who_is_not_let_in_does_not_keep_a_workspace_open(void **state)
{
	struct fixture *f        = *state;
	int64_t         until_ms = clock_monotonic_ms() + WAIT_MS;
	made(f, "shop");
	while (counts(f).open != 0) {
		assert_true(clock_monotonic_ms() < until_ms);
		assert_true(is_found(f, WORKSPACE_BY_SLUG, "shop"));
		pause_ms(5);
	}
}

static void who_holds_a_workspace_keeps_it_open(void **state)
{
	struct fixture *f = *state;
	made(f, "shop");
	void *held = find(f, WORKSPACE_BY_SLUG, "shop");
	pause_ms(999), pause_ms(999);
	assert_int_equal(counts(f).open, 1);
	assert_false(is_closed(f, held));
	f->face->leave(held, true);
	wait_for_open(f, 0);
	held = find(f, WORKSPACE_BY_SLUG, "shop");
	while (!is_closed(f, held)) /* it is closing */
		pause_ms(5);
	f->face->leave(held, true);
	enter(f, "shop");
	assert_int_equal(counts(f).open, 1);
}

static void no_more_are_open_than_may_be(void **state)
{
	struct fixture *f = *state;
	made(f, "one"), made(f, "two"), made(f, "three");
	static const char *const slugs[] = {"one", "two", "three", "one"};
	for (size_t i = 0; i < sizeof slugs / sizeof slugs[0]; i++) {
		enter(f, slugs[i]);
		assert_in_range(counts(f).open, 1, 2);
	}
}

static void where_all_are_held_there_is_no_room(void **state)
{
	struct fixture *f = *state;
	struct api     *api;
	made(f, "one"), made(f, "two");
	enter(f, "one");
	void *one = find(f, WORKSPACE_BY_SLUG, "one"), *two = find(f, WORKSPACE_BY_SLUG, "two");
	assert_ok(f, f->face->enter(two, &api, &f->err));
	struct store_workspace_entry three = {.code            = TEXT("01234567"),
	                                      .slug            = TEXT("three"),
	                                      .name            = TEXT("three"),
	                                      .state           = TEXT("active"),
	                                      .limits          = TEXT("{}"),
	                                      .partition_count = 1,
	                                      .retention_ms    = 10 * DAY_MS};
	struct store                *store = workspace_store(f->home);
	snprintf(three.id, sizeof three.id, "01234567-9e19-4268-ad2a-e6714f6aaf58");
	assert_ok(f, store->ops->workspace_add(store, &three, &f->err));
	assert_ok(f, store->ops->workspace_due(store, text_of(three.id), INSTANT_MS_NEVER, &f->err));
	f->face->leave(one, true);
	f->face->leave(two, true);
	stop(f);
	start(f); /* knows the third one */
	one = find(f, WORKSPACE_BY_SLUG, "one");
	two = find(f, WORKSPACE_BY_SLUG, "two");
	assert_ok(f, f->face->enter(one, &api, &f->err));
	assert_ok(f, f->face->enter(two, &api, &f->err));
	void *held = find(f, WORKSPACE_BY_SLUG, "three");
	assert_int_equal(f->face->enter(held, &api, &f->err), STATUS_UNAVAILABLE);
	f->face->leave(one, true);
	assert_ok(f, f->face->enter(held, &api, &f->err));
	f->face->leave(two, true);
	f->face->leave(held, true);
}

static void name_and_limits_change_at_the_version_that_was_read(void **state)
{
	struct fixture               *f       = *state;
	struct api_workspace          shop    = made(f, "shop"), changed;
	const struct workspace_limits limits  = {.profiles = 7, .memory_bytes = 100 << 20};
	const struct workspace_wish   wish    = {.name = TEXT("Another"), .limits = &limits};
	void                         *context = f->face->context;
	assert_ok(f, f->face->change(context, TEXT("shop"), &wish, shop.version, &f->arena, &changed,
	                             &f->err));
	assert_int_equal(
		f->face->change(context, TEXT("shop"), &wish, shop.version, &f->arena, &changed, &f->err),
		STATUS_PRECONDITION);
	assert_int_equal(counts(f).memory_bytes, 100 << 20);
	stop(f);
	start(f);
	assert_ok(f, f->face->get(f->face->context, TEXT("shop"), &f->arena, &changed, &f->err));
	assert_true(text_equal(changed.name, TEXT("Another")));
	assert_int_equal(changed.limits.profiles, 7);
	assert_int_equal(changed.limits.memory_bytes, 100 << 20);
	assert_int_equal(changed.limits.disk_bytes, 0);
}

static void nobody_has_more_memory_than_there_is_for_all(void **state)
{
	struct fixture               *f      = *state;
	const struct workspace_limits limits = {.memory_bytes = INT64_MAX};
	struct workspace_wish         wish   = {
				  .slug = TEXT("large"), .name = TEXT("n"), .limits = &limits, .partitions = 1};
	struct workspace_keys keys;
	struct api_workspace  workspace;
	void                 *context = f->face->context;
	made(f, "shop");
	assert_int_equal(f->face->create(context, &wish, &f->arena, &workspace, &keys, &f->err),
	                 STATUS_INVALID);
	assert_string_equal(f->err.field, "limits.memoryBytes");
	assert_int_equal(
		f->face->change(context, TEXT("shop"), &wish, 0, &f->arena, &workspace, &f->err),
		STATUS_INVALID);
	assert_int_equal(counts(f).all, 1);
	assert_int_equal(counts(f).memory_bytes, 64 << 20);
}

/* What a process that was killed leaves: a row, and perhaps files. */
static void leave_half(struct fixture *f, const char *id, const char *state)
{
	struct store                *store = workspace_store(f->home);
	struct store_workspace_entry row   = {.code            = {id, 8},
	                                      .slug            = {id, 8},
	                                      .name            = TEXT("half"),
	                                      .state           = text_of(state),
	                                      .limits          = TEXT("{}"),
	                                      .partition_count = 1,
	                                      .retention_ms    = 10 * DAY_MS};
	char                         path[PATH_MAX];
	snprintf(row.id, sizeof row.id, "%s", id);
	assert_ok(f, store->ops->workspace_add(store, &row, &f->err));
	snprintf(path, sizeof path, "%s/keyring/workspaces/%s", f->place, id);
	assert_ok(f, directory_create(path, 0700, &f->err));
	snprintf(path, sizeof path, "%s/keyring/workspaces/%s/master.key", f->place, id);
	assert_ok(f, file_replace(path, 0600, "secret", 6, &f->err));
	snprintf(path, sizeof path, "%s/data/workspaces/%s/journal", f->place, id);
	assert_ok(f, directory_create(path, 0700, &f->err));
}

static void what_was_half_made_or_half_deleted_is_removed_by_the_next_start(void **state)
{
	static const char made_half[]    = "11111111-9e19-4268-ad2a-e6714f6aaf58";
	static const char deleted_half[] = "22222222-9e19-4268-ad2a-e6714f6aaf58";
	struct fixture   *f              = *state;
	made(f, "shop");
	leave_half(f, made_half, "creating");
	leave_half(f, deleted_half, "deleting");
	stop(f);
	start(f);
	assert_int_equal(counts(f).all, 1);
	assert_false(is_there(f, "data", made_half) || is_there(f, "keyring", made_half));
	assert_false(is_there(f, "data", deleted_half) || is_there(f, "keyring", deleted_half));
	enter(f, "shop");
}

static void one_that_is_due_is_opened_without_being_asked_for(void **state)
{
	struct fixture      *f        = *state;
	struct api_workspace shop     = made(f, "shop");
	struct store        *store    = workspace_store(f->home);
	int64_t              until_ms = clock_monotonic_ms() + WAIT_MS;
	while (counts(f).closed == 0) { /* it has written down when it is due */
		assert_true(clock_monotonic_ms() < until_ms);
		pause_ms(5);
	}
	assert_ok(f, store->ops->workspace_due(store, text_of(shop.id), 0, &f->err));
	stop(f); /* as one that was killed while it was open */
	start(f);
	wait_for_open(f, 1);
}

#define DIRECTORY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIRECTORY_TEST(a_workspace_is_found_by_each_of_its_names),
		DIRECTORY_TEST(a_slug_is_one_workspaces_only_and_not_every_text),
		DIRECTORY_TEST(a_deleted_workspace_is_found_by_nobody_and_leaves_nothing),
		DIRECTORY_TEST(who_is_not_let_in_does_not_keep_a_workspace_open),
		DIRECTORY_TEST(who_holds_a_workspace_keeps_it_open),
		DIRECTORY_TEST(no_more_are_open_than_may_be),
		DIRECTORY_TEST(where_all_are_held_there_is_no_room),
		DIRECTORY_TEST(nobody_has_more_memory_than_there_is_for_all),
		DIRECTORY_TEST(name_and_limits_change_at_the_version_that_was_read),
		DIRECTORY_TEST(what_was_half_made_or_half_deleted_is_removed_by_the_next_start),
		DIRECTORY_TEST(one_that_is_due_is_opened_without_being_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
