#include "access/attempts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

enum { BEGIN_MS = 1000000 };

static int set_up(void **state)
{
	*state = attempts_new();
	return 0;
}

static int tear_down(void **state)
{
	attempts_free(*state);
	return 0;
}

static int64_t wait_of(struct attempts *attempts, struct attempt attempt, int64_t now_ms)
{
	struct error err;
	int64_t      wait_ms;
	enum status  status = attempts_admit(attempts, &attempt, now_ms, &wait_ms, &err);
	assert_int_equal(status, wait_ms > 0 ? STATUS_LIMITED : STATUS_OK);
	return wait_ms;
}

static struct attempt from(struct attempts *attempts, const char *address, const char *person)
{
	return attempt_of(attempts, text_of(address), text_of(person), TEXT(""));
}

static void guess(struct attempts *attempts, struct attempt attempt, unsigned count, int64_t now_ms)
{
	for (unsigned i = 0; i < count; i++)
		attempts_failed(attempts, &attempt, now_ms);
}

static void a_few_wrong_guesses_are_free_then_each_doubles_the_delay(void **state)
{
	struct attempts *attempts = *state;
	struct attempt   kim      = from(attempts, "192.0.2.1", "kim");
	guess(attempts, kim, ATTEMPTS_FREE, BEGIN_MS);
	assert_int_equal(wait_of(attempts, kim, BEGIN_MS), 0);
	guess(attempts, kim, 1, BEGIN_MS);
	assert_int_equal(wait_of(attempts, kim, BEGIN_MS), 10000);
	assert_int_equal(wait_of(attempts, kim, BEGIN_MS + 10000), 0);
	guess(attempts, kim, 1, BEGIN_MS + 10000);
	assert_int_equal(wait_of(attempts, kim, BEGIN_MS + 10000), 20000);
	guess(attempts, kim, 40, BEGIN_MS + 30000);
	assert_int_equal(wait_of(attempts, kim, BEGIN_MS + 30000), ATTEMPTS_DELAY_MS_MAX);
}

static void others_are_not_kept_out(void **state)
{
	struct attempts *attempts = *state;
	guess(attempts, from(attempts, "192.0.2.1", "kim"), ATTEMPTS_FREE_ADDRESS, BEGIN_MS);
	assert_true(wait_of(attempts, from(attempts, "192.0.2.1", "kim"), BEGIN_MS) > 0);
	assert_int_equal(wait_of(attempts, from(attempts, "192.0.2.2", "kim"), BEGIN_MS), 0);
	assert_int_equal(wait_of(attempts, from(attempts, "192.0.2.1", "lee"), BEGIN_MS), 0);
}

static void an_address_that_tries_many_people_waits(void **state)
{
	struct attempts *attempts = *state;
	char             person[16];
	for (unsigned i = 0; i <= ATTEMPTS_FREE_ADDRESS; i++) {
		snprintf(person, sizeof person, "p%u", i);
		assert_int_equal(wait_of(attempts, from(attempts, "192.0.2.1", person), BEGIN_MS), 0);
		guess(attempts, from(attempts, "192.0.2.1", person), 1, BEGIN_MS);
	}
	assert_int_equal(wait_of(attempts, from(attempts, "192.0.2.1", "new"), BEGIN_MS),
	                 ATTEMPTS_DELAY_MS_MIN);
	assert_int_equal(wait_of(attempts, from(attempts, "192.0.2.2", "new"), BEGIN_MS), 0);
}

static void a_known_device_goes_on_whatever_others_do_at_its_address(void **state)
{
	struct attempts *attempts = *state;
	struct attempt device = attempt_of(attempts, TEXT("192.0.2.1"), TEXT("kim"), TEXT("a device"));
	guess(attempts, from(attempts, "192.0.2.1", "kim"), 500, BEGIN_MS);
	assert_int_equal(wait_of(attempts, device, BEGIN_MS), 0);
	guess(attempts, device, ATTEMPTS_FREE + 1, BEGIN_MS);
	assert_int_equal(wait_of(attempts, device, BEGIN_MS), ATTEMPTS_DELAY_MS_MIN);
}

static void a_right_guess_forgets_the_wrong_ones_but_not_the_address(void **state)
{
	struct attempts *attempts = *state;
	struct attempt   kim      = from(attempts, "192.0.2.1", "kim");
	guess(attempts, kim, ATTEMPTS_FREE + 1, BEGIN_MS);
	attempts_succeeded(attempts, &kim);
	assert_int_equal(wait_of(attempts, kim, BEGIN_MS), 0);
	guess(attempts, kim, ATTEMPTS_FREE_ADDRESS - ATTEMPTS_FREE, BEGIN_MS);
	assert_int_equal(wait_of(attempts, from(attempts, "192.0.2.1", "lee"), BEGIN_MS),
	                 ATTEMPTS_DELAY_MS_MIN);
}

static void what_lies_an_hour_back_is_forgotten(void **state)
{
	struct attempts *attempts = *state;
	struct attempt   kim      = from(attempts, "192.0.2.1", "kim");
	int64_t          later_ms = BEGIN_MS + ATTEMPTS_FORGET_MS + 1;
	guess(attempts, kim, ATTEMPTS_FREE, BEGIN_MS);
	guess(attempts, kim, ATTEMPTS_FREE, later_ms);
	assert_int_equal(wait_of(attempts, kim, later_ms), 0);
}

static void of_an_ipv6_address_the_network_counts(void **state)
{
	struct attempts *attempts = *state;
	guess(attempts, from(attempts, "2001:db8:1:2::1", "kim"), ATTEMPTS_FREE + 1, BEGIN_MS);
	assert_true(wait_of(attempts, from(attempts, "2001:db8:1:2:ffff::7", "kim"), BEGIN_MS) > 0);
	assert_int_equal(wait_of(attempts, from(attempts, "2001:db8:1:3::1", "kim"), BEGIN_MS), 0);
	guess(attempts, from(attempts, "::ffff:192.0.2.1", "kim"), ATTEMPTS_FREE + 1, BEGIN_MS);
	assert_int_equal(wait_of(attempts, from(attempts, "::ffff:192.0.2.2", "kim"), BEGIN_MS), 0);
}

static void more_addresses_than_there_is_room_for_are_no_harm(void **state)
{
	struct attempts *attempts = *state;
	char             address[32];
	for (unsigned i = 0; i < 3 * ATTEMPTS_SLOTS; i++) {
		snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		guess(attempts, from(attempts, address, "kim"), 1, BEGIN_MS + i);
	}
	struct attempt last = from(attempts, address, "kim");
	guess(attempts, last, ATTEMPTS_FREE, BEGIN_MS + 3 * ATTEMPTS_SLOTS);
	assert_true(wait_of(attempts, last, BEGIN_MS + 3 * ATTEMPTS_SLOTS) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_few_wrong_guesses_are_free_then_each_doubles_the_delay),
		TEST(others_are_not_kept_out),
		TEST(an_address_that_tries_many_people_waits),
		TEST(a_known_device_goes_on_whatever_others_do_at_its_address),
		TEST(a_right_guess_forgets_the_wrong_ones_but_not_the_address),
		TEST(what_lies_an_hour_back_is_forgotten),
		TEST(of_an_ipv6_address_the_network_counts),
		TEST(more_addresses_than_there_is_room_for_are_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
