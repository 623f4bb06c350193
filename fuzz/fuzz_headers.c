/* Headers that proxies write, Forwarded and X-Forwarded-For, and networks as the
 * settings have them. What is read lies within what was given; an address that is read is written
 * and read again as the same; a hop that is followed was said by somebody who is trusted. */

#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "http/proxy.h"

static bool lies_within(struct text part, struct text whole)
{
	return part.length == 0 ||
	       (part.data >= whole.data && part.data + part.length <= whole.data + whole.length);
}

static void check_hops(struct text input, bool forwarded, const struct proxy_networks *networks)
{
	struct proxy_hop hops[PROXY_HOPS_MAX];
	struct in6_addr  address = {.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}};
	size_t count = forwarded ? proxy_read_forwarded(input, hops) : proxy_read_list(input, hops);
	assert(count >= 1 && count <= PROXY_HOPS_MAX);
	for (size_t i = 0; i < count; i++)
		assert(lies_within(hops[i].address, input) && lies_within(hops[i].proto, input) &&
		       lies_within(hops[i].host, input));
	bool found = proxy_follow(networks, hops, count, &address);
	assert(found || proxy_networks_have(networks, &address) || count == 0);
}

static void check_address(struct text input)
{
	struct in6_addr address, again;
	char            text[INET6_ADDRSTRLEN];
	if (!proxy_address_parse(input, &address))
		return;
	proxy_address_write(&address, text);
	bool valid = proxy_address_parse(text_of(text), &again);
	assert(valid && memcmp(&address, &again, sizeof address) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text           input = {(const char *)data, size};
	struct proxy_networks trusted, networks;
	struct error          err    = {0};
	enum status           status = proxy_networks_parse(TEXT("10.0.0.0/8"), &trusted, &err);
	assert(status == STATUS_OK);
	check_hops(input, false, &trusted);
	check_hops(input, true, &trusted);
	check_address(input);
	if (proxy_networks_parse(input, &networks, &err) == STATUS_OK)
		assert(networks.count <= PROXY_NETWORKS_MAX);
	else
		assert(err.reason[0] != '\0');
	return 0;
}
