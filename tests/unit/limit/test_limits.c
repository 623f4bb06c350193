#include "limit/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#define BEGIN_NS INT64_C(1000000000000)

static struct limits_settings settings_of(int64_t rate, int64_t burst)
{
	struct limits_settings settings = {0};
	for (unsigned i = 0; i < LIMIT_COUNT; i++) {
		settings.rates[i]  = rate;
		settings.bursts[i] = burst;
	}
	return settings;
}

static void a_refusal_is_counted_by_its_limit(void **state)
{
	struct limits_settings settings = settings_of(1, 2);
	struct limits         *limits   = limits_new(&settings, LIMITS_SLOTS_OF_WORKSPACE);
	struct bucket_state    left;
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(limits_take(limits, LIMIT_TOKEN, TEXT("t"), NULL, BEGIN_NS, &left), i < 2);
	assert_int_equal(limits_refused(limits, LIMIT_TOKEN), 3);
	assert_int_equal(limits_refused(limits, LIMIT_PERSON), 0);
	limits_free(limits);
}

static void somebody_may_have_a_size_of_his_own(void **state)
{
	struct limits_settings   settings = settings_of(1, 2);
	struct limits           *limits   = limits_new(&settings, LIMITS_SLOTS_OF_WORKSPACE);
	const struct bucket_size own      = {.rate = 1, .burst = 4};
	struct bucket_state      left;
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(limits_take(limits, LIMIT_TOKEN, TEXT("t"), &own, BEGIN_NS, &left), i < 4);
	limits_free(limits);
}

static void new_settings_hold_from_then_on(void **state)
{
	struct limits_settings settings = settings_of(1, 1);
	struct limits         *limits   = limits_new(&settings, LIMITS_SLOTS_OF_WORKSPACE);
	struct bucket_state    left;
	(void)state;
	assert_true(limits_take(limits, LIMIT_PERSON, TEXT("p"), NULL, BEGIN_NS, &left));
	assert_false(limits_take(limits, LIMIT_PERSON, TEXT("p"), NULL, BEGIN_NS, &left));
	settings = settings_of(0, 1);
	limits_set(limits, &settings);
	assert_true(limits_take(limits, LIMIT_PERSON, TEXT("p"), NULL, BEGIN_NS, &left));
	limits_free(limits);
}

static bool same(const char *a, const char *b)
{
	uint8_t     into_a[LIMITS_NETWORK_BYTES], into_b[LIMITS_NETWORK_BYTES];
	struct text one = limits_network(a, into_a), other = limits_network(b, into_b);
	return one.length == other.length && memcmp(one.data, other.data, one.length) == 0;
}

static void of_an_ipv6_address_64_bits_count_and_of_an_ipv4_address_all(void **state)
{
	(void)state;
	assert_true(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
	assert_false(same("2001:db8:1:2::1", "2001:db8:1:3::1"));
	assert_false(same("192.0.2.1", "192.0.2.2"));
	assert_true(same("::ffff:192.0.2.1", "192.0.2.1"));
}

static void the_machine_itself_is_nobody(void **state)
{
	static const char *const own[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"};
	uint8_t                  into[LIMITS_NETWORK_BYTES];
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(limits_network(own[i], into).length, 0);
	assert_int_equal(limits_network("128.0.0.1", into).length, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_is_counted_by_its_limit),
		cmocka_unit_test(somebody_may_have_a_size_of_his_own),
		cmocka_unit_test(new_settings_hold_from_then_on),
		cmocka_unit_test(of_an_ipv6_address_64_bits_count_and_of_an_ipv4_address_all),
		cmocka_unit_test(the_machine_itself_is_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
