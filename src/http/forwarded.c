/* What trusted proxies say of a request. */

#include <strings.h>

#include "http/server_internal.h"

static bool is_named(const struct http_header *header, const char *name)
{
	return header->name.length == strlen(name) &&
	       strncasecmp(header->name.data, name, header->name.length) == 0;
}

static struct text value_of(const struct http_header *header)
{
	return (struct text){header->value.data, header->value.length};
}

/* Of a list "https, http" the last: the proxy at hand said it. */
static struct text last_of(struct text list)
{
	struct proxy_hop hops[PROXY_HOPS_MAX];
	return hops[proxy_read_list(list, hops) - 1].address;
}

static bool is_https(struct text proto)
{
	return proto.length == 5 && strncasecmp(proto.data, "https", 5) == 0;
}

/* The lines of a header are one list, and what stands in the last was added last. */
static void follow(struct http_request *request, const char *name, struct in6_addr *address)
{
	const struct proxy_networks *networks  = &request->loop->server->trusted;
	bool                         forwarded = request->loop->server->reads_forwarded;
	bool                         nearest   = true;
	for (size_t i = request->header_count; i-- > 0;) {
		const struct http_header *header = &request->headers[i];
		struct proxy_hop          hops[PROXY_HOPS_MAX];
		if (!is_named(header, name))
			continue;
		size_t count = forwarded ? proxy_read_forwarded(value_of(header), hops)
		                         : proxy_read_list(value_of(header), hops);
		if (nearest && forwarded) {
			request->secure |= is_https(hops[count - 1].proto);
			request->host = hops[count - 1].host;
		}
		nearest = false;
		if (proxy_follow(networks, hops, count, address))
			return;
	}
}

void http_forwarded_read(struct http_request *request)
{
	struct in6_addr address = request->connection->address;
	struct text     value;
	if (request->loop->server->reads_forwarded) {
		follow(request, "Forwarded", &address);
	} else {
		follow(request, "X-Forwarded-For", &address);
		if (http_header(request, "X-Forwarded-Proto", &value))
			request->secure |= is_https(last_of(value));
		if (http_header(request, "X-Forwarded-Host", &value))
			request->host = last_of(value);
	}
	proxy_address_write(&address, request->client);
}

const char *http_client_address(const struct http_request *request) { return request->client; }

bool http_is_secure(const struct http_request *request) { return request->secure; }

struct text http_host(const struct http_request *request)
{
	struct text host = request->host;
	if (host.length == 0 && !http_header(request, "Host", &host))
		return (struct text){"", 0};
	return host;
}
