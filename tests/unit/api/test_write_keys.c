#include "api/collection/write_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/log.h"

/* A store with one source, or out of reach. */
struct fake_store {
	struct store store; /* first */
	bool         broken;
	bool         deleted;
	unsigned     asked;
};

static enum status source_by_key(struct store *store, struct text write_key, struct arena *arena,
                                 struct store_source *ret_source, struct error *err)
{
	struct fake_store *fake = (struct fake_store *)store;
	(void)arena;
	fake->asked++;
	if (fake->broken)
		return error_set(err, STATUS_IO, "the disk is gone");
	if (fake->deleted || !text_equal(write_key, TEXT("wk_known")))
		return error_set(err, STATUS_NOT_FOUND, "there is no such source");
	*ret_source = (struct store_source){.number = 7};
	return STATUS_OK;
}

static const struct store_ops ops = {.name = "fake", .source_by_key = source_by_key};

struct fixture {
	struct fake_store  store;
	struct sources    *sources;
	struct write_keys *keys;
};

static int set_up(void **state)
{
	struct fixture *fixture  = calloc(1, sizeof *fixture);
	fixture->store.store.ops = &ops;
	fixture->sources         = sources_new(0);
	fixture->keys            = write_keys_new(&fixture->store.store, fixture->sources);
	*state                   = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	write_keys_free(fixture->keys);
	sources_free(fixture->sources);
	free(fixture);
	return 0;
}

static void a_known_key_is_looked_up_once(void **state)
{
	struct fixture *fixture = *state;
	struct source  *source;
	struct error    err;
	assert_false(write_keys_cached(fixture->keys, TEXT("wk_known"), &source));
	assert_int_equal(write_keys_look_up(fixture->keys, TEXT("wk_known"), &source, &err), STATUS_OK);
	assert_int_equal(source_number(source), 7);

	assert_true(write_keys_cached(fixture->keys, TEXT("wk_known"), &source));

	assert_int_equal(source_number(source), 7);
	assert_int_equal(fixture->store.asked, 1);
}

static void an_absent_key_is_unauthorized(void **state)
{
	struct fixture *fixture = *state;
	struct source  *source;
	struct error    err;
	assert_int_equal(write_keys_look_up(fixture->keys, TEXT("wk_other"), &source, &err),
	                 STATUS_UNAUTHORIZED);
	assert_int_equal(write_keys_look_up(fixture->keys, TEXT(""), &source, &err),
	                 STATUS_UNAUTHORIZED);
}

/* An SDK would drop its events at 401. */
static void a_store_out_of_reach_is_no_absent_key(void **state)
{
	struct fixture *fixture = *state;
	struct source  *source;
	struct error    err;
	fixture->store.broken = true;
	log_level_set(LOG_ERROR + 1);

	assert_int_equal(write_keys_look_up(fixture->keys, TEXT("wk_known"), &source, &err),
	                 STATUS_UNAVAILABLE);
}

static void a_deleted_source_is_refused_from_then_on(void **state)
{
	struct fixture *fixture = *state;
	struct source  *source;
	struct error    err;
	assert_int_equal(write_keys_look_up(fixture->keys, TEXT("wk_known"), &source, &err), STATUS_OK);

	fixture->store.deleted = true;
	write_keys_forget(fixture->keys, NULL, NULL);

	assert_false(write_keys_cached(fixture->keys, TEXT("wk_known"), &source));
	assert_int_equal(write_keys_look_up(fixture->keys, TEXT("wk_known"), &source, &err),
	                 STATUS_UNAUTHORIZED);
}

static bool basic_gives(const char *header, const char *key)
{
	char   found[WRITE_KEY_BYTES_MAX];
	size_t length;
	return write_key_of_basic(text_of(header), found, &length) &&
	       text_equal((struct text){found, length}, text_of(key));
}

static void basic_authentication_names_the_key_with_or_without_colon(void **state)
{
	(void)state;
	assert_true(basic_gives("Basic d2tfa25vd246", "wk_known"));     /* wk_known: */
	assert_true(basic_gives("Basic d2tfa25vd24=", "wk_known"));     /* wk_known, padded */
	assert_true(basic_gives("basic d2tfa25vd24", "wk_known"));      /* wk_known, not padded */
	assert_true(basic_gives("Basic d2tfa25vd246cHc=", "wk_known")); /* wk_known:pw */
}

static void other_headers_name_no_key(void **state)
{
	(void)state;
	char   found[WRITE_KEY_BYTES_MAX];
	size_t length;
	assert_false(write_key_of_basic(TEXT("Bearer d2tfa25vd246"), found, &length));
	assert_false(write_key_of_basic(TEXT("Basic "), found, &length));
	assert_false(write_key_of_basic(TEXT("Basic %%%"), found, &length));
	assert_false(write_key_of_basic(TEXT("Basic Og=="), found, &length)); /* ":" */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_known_key_is_looked_up_once),
		TEST(an_absent_key_is_unauthorized),
		TEST(a_store_out_of_reach_is_no_absent_key),
		TEST(a_deleted_source_is_refused_from_then_on),
		TEST(basic_authentication_names_the_key_with_or_without_colon),
		TEST(other_headers_name_no_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
