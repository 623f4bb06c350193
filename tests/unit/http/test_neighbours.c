#include "http/neighbours.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "http/proxy.h"

static struct in6_addr address(const char *text)
{
	struct in6_addr bytes;
	assert_true(proxy_address_parse(text_of(text), &bytes));
	return bytes;
}

static void an_address_has_so_many_connections_and_another_its_own(void **state)
{
	struct neighbours    *neighbours = neighbours_new();
	const struct in6_addr one = address("192.0.2.1"), other = address("192.0.2.2");
	(void)state;
	neighbours_add(neighbours, &one);
	assert_true(neighbours_admit(neighbours, &one, 2));
	neighbours_add(neighbours, &one);
	assert_false(neighbours_admit(neighbours, &one, 2));
	assert_true(neighbours_admit(neighbours, &other, 2));
	neighbours_remove(neighbours, &one);
	assert_true(neighbours_admit(neighbours, &one, 2));
	neighbours_remove(neighbours, &one);
	neighbours_free(neighbours);
}

static void of_an_ipv6_address_the_network_counts(void **state)
{
	struct neighbours    *neighbours = neighbours_new();
	const struct in6_addr one = address("2001:db8:1:2::1"), same = address("2001:db8:1:2:9::9"),
						  other = address("2001:db8:1:3::1");
	(void)state;
	neighbours_add(neighbours, &one);
	assert_false(neighbours_admit(neighbours, &same, 1));
	assert_true(neighbours_admit(neighbours, &other, 1));
	neighbours_remove(neighbours, &one);
	neighbours_free(neighbours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_has_so_many_connections_and_another_its_own),
		cmocka_unit_test(of_an_ipv6_address_the_network_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
