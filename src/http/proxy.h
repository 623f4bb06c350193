#ifndef SONNIM_HTTP_PROXY_H
#define SONNIM_HTTP_PROXY_H

/* Who a request is from when proxies stand between: which of them are trusted, and what they say.
 *
 *   client 203.0.113.7 ──► proxy 10.0.0.2 ──► proxy 10.0.0.1 ──► server
 *   X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.0.0.2        (6.6.6.6: what the client made up)
 *                             ▲ from the right, the first that is not trusted
 *
 * A proxy adds at the right whom it heard, so only what stands right of the first address that is
 * not trusted was said by somebody who is. From a peer that is not trusted nothing counts.
 * Of X-Forwarded-For with its kin and Forwarded (RFC 7239) one is looked at, as is set: a proxy
 * that writes one of them lets a client's other one pass. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

enum { PROXY_NETWORKS_MAX = 64, PROXY_HOPS_MAX = 32 };

struct proxy_network {
	struct in6_addr address; /* of IPv4: mapped */
	unsigned        bits;
};

struct proxy_networks {
	struct proxy_network list[PROXY_NETWORKS_MAX];
	size_t               count;
};

/* "10.0.0.0/8, 192.0.2.1,2001:db8::/32"; bits behind the prefix must be 0. Empty: none.
 * STATUS_INVALID: what is wrong. */
MUST_USE enum status proxy_networks_parse(struct text text, struct proxy_networks *ret_networks,
                                          struct error *err);

bool proxy_networks_have(const struct proxy_networks *networks, const struct in6_addr *address);

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80". */
bool proxy_address_parse(struct text text, struct in6_addr *ret_address);
void proxy_address_write(const struct in6_addr *address, char ret_text[INET6_ADDRSTRLEN]);

/* What a hop says of the one before it; texts are empty where it says nothing. */
struct proxy_hop {
	struct text address; /* `for`, without quotes */
	struct text proto;
	struct text host;
};

/* The hops of one header's value, in order, the last PROXY_HOPS_MAX of them; their number. Where a
 * quote is left open, quotes hide nothing: the last hop is what was added last in any case. */
size_t proxy_read_list(struct text value, struct proxy_hop ret_hops[PROXY_HOPS_MAX]);
size_t proxy_read_forwarded(struct text value, struct proxy_hop ret_hops[PROXY_HOPS_MAX]);

/* Goes from the right; true: the client was found, and further headers at the left say nothing.
 * `*address` is the last one that is known: at first the peer, who is trusted. */
bool proxy_follow(const struct proxy_networks *networks, const struct proxy_hop *hops, size_t count,
                  struct in6_addr *address);

#endif
