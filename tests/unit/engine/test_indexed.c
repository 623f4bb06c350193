#include "engine/apply/indexed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/instant.h"
#include "model/birthday.h"
#include "model/value.h"

enum { SLOT = 7 };

struct fixture {
	struct profiles profiles;
	struct profile *profile;
	struct buffer   plain;
	unsigned        opened;
	bool            erased;
	struct unsealer unsealer;
};

/* What was sealed is `plain`, whatever stands there. */
static bool open_plain(void *context, struct person sealer, struct text sealed, struct buffer *out)
{
	struct fixture *fixture = context;
	(void)sealer;
	(void)sealed;
	fixture->opened++;
	if (!fixture->erased)
		buffer_add_text(out, buffer_text(&fixture->plain));
	return !fixture->erased;
}

static void set_up(struct fixture *fixture)
{
	*fixture         = (struct fixture){.unsealer = {.open = open_plain, .context = fixture}};
	fixture->profile = profiles_place(&fixture->profiles, SLOT);
	fixture->profile->exists = true;
	struct birthday birthday = {1990, 5, 6};
	struct buffer   parts = {0}, list = {0};
	buffer_add_sized(&fixture->plain, TEXT(""));
	buffer_add_sized(&fixture->plain, TEXT(""));
	birthday_write(&birthday, &parts);
	size_t begin = value_list_begin(&list);
	value_add(&list, TEXT("email"), &(struct value){.type = VALUE_STRING, .text = TEXT("blind:1")});
	value_add(&list, TEXT("birthday"),
	          &(struct value){.type = VALUE_OBJECT, .text = buffer_text(&parts)});
	value_list_end(&list, begin, 2);
	buffer_add_sized(&fixture->plain, buffer_text(&list));
	buffer_done(&parts);
	buffer_done(&list);
}

static void tear_down(struct fixture *fixture)
{
	buffer_done(&fixture->plain);
	profiles_done(&fixture->profiles);
}

static void set_personal(struct fixture *fixture, const char *const *names, struct text sealed)
{
	struct buffer list  = {0};
	size_t        begin = value_list_begin(&list);
	unsigned      count = 0;
	for (; names[count] != NULL; count++)
		value_add(&list, text_of(names[count]), &(struct value){.type = VALUE_PERSONAL});
	value_list_end(&list, begin, count);
	profile_set_traits(&fixture->profiles, fixture->profile, buffer_text(&list), sealed,
	                   (struct person){0, SLOT});
	buffer_done(&list);
	indexed_restore(&fixture->profiles, fixture->profile, &fixture->unsealer);
}

static struct value trait(const struct fixture *fixture, const char *name)
{
	struct text text = text_of(name);
	return value_find(profile_traits(fixture->profile), text, hash_name(text));
}

static const char *const all[] = {"name", "email", "birthday", NULL};

static void one_opening_tells_the_indexes_of_a_record(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	set_personal(&fixture, all, TEXT("sealed"));
	assert_int_equal(fixture.opened, 1);
	struct value email = trait(&fixture, "email"), tested = value_tested(&email);
	assert_int_equal(email.type, VALUE_INDEXED);
	assert_true(text_equal(tested.text, TEXT("blind:1")));
	assert_int_equal(trait(&fixture, "name").type, VALUE_PERSONAL);
	struct text       path = TEXT("birthday.month");
	struct arena      arena;
	struct value_path month;
	arena_init(&arena);
	value_path_init(&month, path, &arena);
	assert_int_equal(value_at(profile_traits(fixture.profile), &month).integer, 5);
	arena_done(&arena);
	tear_down(&fixture);
}

static void a_record_without_such_traits_is_not_opened(void **state)
{
	(void)state;
	static const char *const names[] = {"name", "address", NULL};
	struct fixture           fixture;
	set_up(&fixture);
	set_personal(&fixture, names, TEXT("sealed"));
	set_personal(&fixture, all, TEXT("more"));
	set_personal(&fixture, names, TEXT("sealed again"));
	assert_int_equal(fixture.opened, 1);
	assert_int_equal(trait(&fixture, "email").type, VALUE_INDEXED);
	tear_down(&fixture);
}

static void without_the_key_nothing_is_known(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fixture.erased = true;
	set_personal(&fixture, all, TEXT("sealed"));
	assert_int_equal(trait(&fixture, "email").type, VALUE_PERSONAL);
	assert_false(indexed_set_age(&fixture.profiles, fixture.profile, 0));
	assert_true(indexed_age_next_ms(fixture.profile, 0) == INSTANT_MS_NEVER);
	tear_down(&fixture);
}

static void what_is_written_holds_no_index_and_is_restored_in_its_place(void **state)
{
	(void)state;
	struct fixture fixture;
	struct buffer  written = {0}, before = {0};
	set_up(&fixture);
	set_personal(&fixture, all, TEXT("sealed"));
	buffer_add_text(&before, profile_traits(fixture.profile));
	struct text stripped = indexed_strip(profile_traits(fixture.profile), &written);
	assert_true(value_check(stripped));
	assert_false(value_check(profile_traits(fixture.profile)));
	profile_replace_traits(&fixture.profiles, fixture.profile, stripped);
	indexed_restore(&fixture.profiles, fixture.profile, &fixture.unsealer);
	assert_true(text_equal(profile_traits(fixture.profile), buffer_text(&before)));
	uint64_t bytes = fixture.profiles.bytes;
	profile_clear(&fixture.profiles, fixture.profile);
	assert_true(fixture.profiles.bytes < bytes);
	buffer_done(&written);
	buffer_done(&before);
	tear_down(&fixture);
}

static void the_age_follows_from_the_birthday(void **state)
{
	(void)state;
	struct fixture fixture;
	int64_t        thirty_ms = instant_days_of_date(2020, 5, 6) * DAY_MS;
	set_up(&fixture);
	set_personal(&fixture, all, TEXT("sealed"));
	assert_true(indexed_set_age(&fixture.profiles, fixture.profile, thirty_ms - 1));
	assert_false(indexed_set_age(&fixture.profiles, fixture.profile, thirty_ms - 1));
	assert_true(text_equal(trait(&fixture, "age_band").text, TEXT("20s")));
	assert_int_equal(indexed_age_next_ms(fixture.profile, thirty_ms - 1), thirty_ms);
	assert_true(indexed_set_age(&fixture.profiles, fixture.profile, thirty_ms));
	assert_true(text_equal(trait(&fixture, "age_band").text, TEXT("30s")));
	assert_int_equal(trait(&fixture, "email").type, VALUE_INDEXED);
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_opening_tells_the_indexes_of_a_record),
		cmocka_unit_test(a_record_without_such_traits_is_not_opened),
		cmocka_unit_test(without_the_key_nothing_is_known),
		cmocka_unit_test(what_is_written_holds_no_index_and_is_restored_in_its_place),
		cmocka_unit_test(the_age_follows_from_the_birthday),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
