#include "http/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/buffer.h"

static struct proxy_networks networks_of(const char *text)
{
	struct proxy_networks networks;
	struct error          err;
	assert_int_equal(proxy_networks_parse(text_of(text), &networks, &err), STATUS_OK);
	return networks;
}

static bool has(const char *networks, const char *address)
{
	struct proxy_networks parsed = networks_of(networks);
	struct in6_addr       bytes;
	assert_true(proxy_address_parse(text_of(address), &bytes));
	return proxy_networks_have(&parsed, &bytes);
}

static void an_address_belongs_to_the_networks_that_share_its_prefix(void **state)
{
	(void)state;
	assert_true(has("10.0.0.0/8", "10.255.1.2"));
	assert_false(has("10.0.0.0/8", "11.0.0.1"));
	assert_true(has("192.0.2.128/25", "192.0.2.200"));
	assert_false(has("192.0.2.128/25", "192.0.2.100"));
	assert_true(has("192.0.2.1", "::ffff:192.0.2.1"));
	assert_true(has("2001:db8::/32, 10.0.0.0/8", "2001:db8:ffff::1"));
	assert_false(has("2001:db8::/32", "2001:db9::1"));
	assert_true(has("0.0.0.0/0", "203.0.113.7"));
	assert_false(has("0.0.0.0/0", "2001:db8::1"));
	assert_true(has("::/0", "203.0.113.7"));
	assert_false(has("", "203.0.113.7"));
}

static void what_is_no_network_is_refused(void **state)
{
	static const char *const wrong[] = {
		"10.0.0.0/33",    "10.0.0.1/8",   "10.0.0",      "x",
		"2001:db8::/129", "10.0.0.0/",    "10.0.0.0/8,", ",",
		"10.0.0.0/-1",    "10.0.0.0/8 1", "[::1]/128",   "10.0.0.0/08888"};
	struct proxy_networks networks;
	struct error          err;
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(proxy_networks_parse(text_of(wrong[i]), &networks, &err), STATUS_INVALID);
}

static void an_address_may_have_brackets_and_a_port(void **state)
{
	static const char *const right[][2] = {{"192.0.2.1", "192.0.2.1"},
	                                       {" 192.0.2.1:80 ", "192.0.2.1"},
	                                       {"2001:db8::1", "2001:db8::1"},
	                                       {"[2001:db8::1]", "2001:db8::1"},
	                                       {"[2001:db8::1]:8080", "2001:db8::1"},
	                                       {"::ffff:192.0.2.1", "192.0.2.1"}};
	static const char *const wrong[]    = {"",
	                                       "unknown",
	                                       "_hidden",
	                                       "192.0.2.1:",
	                                       "192.0.2.1:x",
	                                       "[2001:db8::1",
	                                       "[2001:db8::1]x",
	                                       "192.0.2.256",
	                                       "192.0.2.1:123456",
	                                       "[]",
	                                       "1"};
	struct in6_addr          address;
	char                     text[INET6_ADDRSTRLEN];
	(void)state;
	for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
		assert_true(proxy_address_parse(text_of(right[i][0]), &address));
		proxy_address_write(&address, text);
		assert_string_equal(text, right[i][1]);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_false(proxy_address_parse(text_of(wrong[i]), &address));
}

static const char *client_of(const char *header, bool forwarded)
{
	static char           text[INET6_ADDRSTRLEN];
	struct proxy_networks networks = networks_of("10.0.0.0/8, 2001:db8::/32");
	struct proxy_hop      hops[PROXY_HOPS_MAX];
	struct in6_addr       address;
	size_t                count = forwarded ? proxy_read_forwarded(text_of(header), hops)
	                                        : proxy_read_list(text_of(header), hops);
	assert_true(proxy_address_parse(TEXT("10.0.0.1"), &address));
	proxy_follow(&networks, hops, count, &address);
	proxy_address_write(&address, text);
	return text;
}

static void the_client_is_the_first_from_the_right_that_is_not_trusted(void **state)
{
	(void)state;
	assert_string_equal(client_of("203.0.113.7", false), "203.0.113.7");
	assert_string_equal(client_of("6.6.6.6, 203.0.113.7, 10.0.0.2", false), "203.0.113.7");
	assert_string_equal(client_of("10.9.9.9,203.0.113.7,2001:db8::5", false), "203.0.113.7");
	assert_string_equal(client_of("10.0.0.3, 10.0.0.2", false), "10.0.0.3");
	assert_string_equal(client_of("203.0.113.7, unknown, 10.0.0.2", false), "10.0.0.2");
	assert_string_equal(client_of("", false), "10.0.0.1");
	assert_string_equal(client_of("203.0.113.7,", false), "10.0.0.1");
}

static void forwarded_is_read_with_quotes_and_other_parameters(void **state)
{
	(void)state;
	assert_string_equal(client_of("for=203.0.113.7", true), "203.0.113.7");
	assert_string_equal(client_of("For=\"[2001:db9::17]:4711\"", true), "2001:db9::17");
	assert_string_equal(
		client_of("for=6.6.6.6, for=203.0.113.7;proto=http;by=10.0.0.9, for=10.0.0.2", true),
		"203.0.113.7");
	assert_string_equal(client_of("for=203.0.113.7;host=\"a,for=6.6.6.6\"", true), "203.0.113.7");
	assert_string_equal(client_of("for=203.0.113.7;host=\"a\\\",for=6.6.6.6\"", true),
	                    "203.0.113.7");
	assert_string_equal(client_of("proto=https", true), "10.0.0.1");
	assert_string_equal(client_of("for=_gazonk", true), "10.0.0.1");
}

static void a_quote_that_a_client_leaves_open_hides_nothing(void **state)
{
	static const char *const opened[] = {"for=6.6.6.6;x=\"", "for=\"6.6.6.6", "for=6.6.6.6;x=\"\\",
	                                     "\"", "for=6.6.6.6;x=\"a\\\""};
	char                     header[128];
	(void)state;
	for (size_t i = 0; i < sizeof opened / sizeof opened[0]; i++) {
		snprintf(header, sizeof header, "%s, for=203.0.113.7", opened[i]);
		assert_string_equal(client_of(header, true), "203.0.113.7");
		snprintf(header, sizeof header, "%s, for=\"[2001:db9::17]:47\", for=10.0.0.2", opened[i]);
		assert_string_equal(client_of(header, true), "2001:db9::17");
	}
}

static void forwarded_says_scheme_and_host(void **state)
{
	struct proxy_hop hops[PROXY_HOPS_MAX];
	(void)state;
	assert_int_equal(
		proxy_read_forwarded(TEXT("for=1.2.3.4; proto=https ;host=\"a.example:80\""), hops), 1);
	assert_true(text_equal(hops[0].proto, TEXT("https")));
	assert_true(text_equal(hops[0].host, TEXT("a.example:80")));
}

static void of_many_hops_the_last_ones_count(void **state)
{
	struct buffer    header = {0};
	struct proxy_hop hops[PROXY_HOPS_MAX];
	(void)state;
	for (unsigned i = 0; i < PROXY_HOPS_MAX * 2; i++)
		buffer_add_text(&header, TEXT("10.0.0.2,"));
	buffer_add_text(&header, TEXT("203.0.113.7"));
	assert_int_equal(proxy_read_list(buffer_text(&header), hops), PROXY_HOPS_MAX);
	assert_true(text_equal(hops[PROXY_HOPS_MAX - 1].address, TEXT("203.0.113.7")));
	buffer_done(&header);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_belongs_to_the_networks_that_share_its_prefix),
		cmocka_unit_test(what_is_no_network_is_refused),
		cmocka_unit_test(an_address_may_have_brackets_and_a_port),
		cmocka_unit_test(the_client_is_the_first_from_the_right_that_is_not_trusted),
		cmocka_unit_test(forwarded_is_read_with_quotes_and_other_parameters),
		cmocka_unit_test(a_quote_that_a_client_leaves_open_hides_nothing),
		cmocka_unit_test(forwarded_says_scheme_and_host),
		cmocka_unit_test(of_many_hops_the_last_ones_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
