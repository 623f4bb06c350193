#include "app/simulate/sim_person.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/instant.h"

enum { PEOPLE = 20000 };
#define START_MS INT64_C(1767193200000)

static const struct sim_population population = {.seed = 3, .count = PEOPLE, .start_ms = START_MS};

static void a_person_is_the_same_whenever_asked_for(void **state)
{
	(void)state;
	struct sim_person first, again, other;
	sim_person(&population, 17, &first);
	sim_person(&population, 18, &other);
	sim_person(&population, 17, &again);
	assert_memory_equal(&first, &again, sizeof first);
	assert_memory_not_equal(&first, &other, sizeof first);
}

static void shares_are_as_they_are_meant(void **state)
{
	(void)state;
	unsigned korean = 0, female = 0, members = 0, email = 0;
	for (unsigned i = 0; i < PEOPLE; i++) {
		struct sim_person person;
		sim_person(&population, i, &person);
		korean += person.korean;
		female += person.female;
		members += person.member;
		email += person.email_consent;
		assert_true(person.created_ms <= START_MS && person.created_ms > START_MS - 1096 * DAY_MS);
	}
	assert_in_range(korean, PEOPLE * 83 / 100, PEOPLE * 87 / 100);
	assert_in_range(female, PEOPLE * 51 / 100, PEOPLE * 55 / 100);
	assert_in_range(members, PEOPLE * 63 / 100, PEOPLE * 67 / 100);
	assert_in_range(email, PEOPLE * 68 / 100, PEOPLE * 72 / 100);
}

static void those_who_come_often_have_the_higher_memberships(void **state)
{
	(void)state;
	unsigned vip_first = 0, vip_last = 0;
	for (unsigned i = 0; i < PEOPLE; i++) {
		struct sim_person person;
		sim_person(&population, i, &person);
		if (strcmp(person.tier, "VIP") == 0)
			*(i < PEOPLE / 10 ? &vip_first : &vip_last) += 1;
	}
	assert_true(vip_first > 200 && vip_last == 0);
}

static void birthdays_are_dates_of_grown_people(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PEOPLE; i++) {
		struct sim_person person;
		sim_person(&population, i, &person);
		assert_in_range(person.birth_year, 2026 - 71, 2026 - 15);
		assert_in_range(person.birth_month, 1, 12);
		assert_in_range(person.birth_day, 1,
		                instant_days_of_month(person.birth_year, person.birth_month));
	}
}

static void traits_name_everything_and_reach_nobody_real(void **state)
{
	static const char *const names[] = {
		"name",     "first_name",      "last_name",         "email",
		"phone",    "birthday",        "age_band",          "gender",
		"language", "membership_tier", "device_type",       "acquisition_channel",
		"region",   "active_regions",  "marketing_consent", "created_at"};
	(void)state;
	struct json_parser *parser = json_parser_new();
	struct buffer       out    = {0};
	for (unsigned i = 0; i < 500; i++) {
		struct sim_person  person;
		struct json        traits;
		struct error       err;
		struct json_writer w = json_writer_of(&out);
		sim_person(&population, i, &person);
		buffer_clear(&out);
		json_begin_object(&w);
		sim_person_write_traits(&person, START_MS, START_MS, &w);
		json_end_object(&w);
		assert_int_equal(json_parse_text(parser, buffer_text(&out), &traits, &err), STATUS_OK);
		for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
			assert_true(json_type(json_get(traits, names[n])) != JSON_NONE);
		assert_true(text_ends_with(json_string(json_get(traits, "email")), TEXT("@example.com")));
		assert_true(text_starts_with(json_string(json_get(traits, "phone")), TEXT("010-0")));
	}
	buffer_done(&out);
	json_parser_free(parser);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_person_is_the_same_whenever_asked_for),
		cmocka_unit_test(shares_are_as_they_are_meant),
		cmocka_unit_test(those_who_come_often_have_the_higher_memberships),
		cmocka_unit_test(birthdays_are_dates_of_grown_people),
		cmocka_unit_test(traits_name_everything_and_reach_nobody_real),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
