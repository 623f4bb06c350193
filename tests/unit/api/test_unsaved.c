#include "api/audience/unsaved.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/instant.h"

static struct audience_settings settings;

static int set_up(void **state)
{
	settings = (struct audience_settings){.unsaved_ms = 3600000, .unsaved_max = 2};
	*state   = unsaved_new(&settings);
	return 0;
}

static int tear_down(void **state)
{
	unsaved_free(*state);
	return 0;
}

static struct unsaved_audience put(struct unsaved *unsaved, const char *canonical, int64_t as_of_ms)
{
	struct unsaved_audience audience = {.written   = TEXT("{\"expression\":\"…\"}"),
	                                    .canonical = text_of(canonical),
	                                    .derived   = true,
	                                    .as_of_ms  = as_of_ms};
	unsaved_put(unsaved, &audience);
	return audience;
}

static bool is_there(struct unsaved *unsaved, const char *id)
{
	struct unsaved_audience found;
	struct arena            arena;
	arena_init(&arena);
	bool there = unsaved_get(unsaved, text_of(id), &arena, &found);
	arena_done(&arena);
	return there;
}

static void an_audience_is_found_by_its_id(void **state)
{
	struct unsaved_audience put_one = put(*state, "x", INSTANT_MS_NONE), found;
	struct arena            arena;
	arena_init(&arena);
	assert_true(uuid_valid(text_of(put_one.id)));
	assert_true(unsaved_get(*state, text_of(put_one.id), &arena, &found));
	assert_string_equal(found.id, put_one.id);
	assert_true(text_equal(found.canonical, TEXT("x")));
	assert_true(text_equal(found.written, put_one.written));
	assert_true(found.derived);
	assert_int_equal(found.as_of_ms, INSTANT_MS_NONE);
	assert_false(unsaved_get(*state, TEXT("x"), &arena, &found));
	arena_done(&arena);
}

static void equal_questions_have_equal_ids_and_others_have_not(void **state)
{
	struct unsaved_audience a = put(*state, "x", INSTANT_MS_NONE), b = put(*state, "x", 5),
							c = put(*state, "y", INSTANT_MS_NONE),
							d = put(*state, "x", INSTANT_MS_NONE);
	assert_string_equal(a.id, d.id);
	assert_string_not_equal(a.id, b.id);
	assert_string_not_equal(a.id, c.id);
}

static void the_one_that_was_not_calculated_for_longest_goes_first(void **state)
{
	struct unsaved_audience a = put(*state, "a", 0), b = put(*state, "b", 0);
	put(*state, "a", 0);
	struct unsaved_audience c = put(*state, "c", 0);
	assert_true(is_there(*state, a.id));
	assert_false(is_there(*state, b.id));
	assert_true(is_there(*state, c.id));
}

static void an_audience_is_over_after_its_time(void **state)
{
	struct unsaved_audience a = put(*state, "a", 0);
	settings.unsaved_ms       = 0;
	assert_false(is_there(*state, a.id));
	struct unsaved_status status;
	unsaved_status(*state, &status);
	assert_int_equal(status.count, 0);
	assert_int_equal(status.bytes, 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(an_audience_is_found_by_its_id),
		T(equal_questions_have_equal_ids_and_others_have_not),
		T(the_one_that_was_not_calculated_for_longest_goes_first),
		T(an_audience_is_over_after_its_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
