#include "http/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ADDRESS_BITS = 128, MAPPED_BITS = 96 };

/* ---- Addresses ---- */

static struct text trim(struct text text)
{
	while (text.length > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
		text.data++;
		text.length--;
	}
	while (text.length > 0 &&
	       (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == '\t'))
		text.length--;
	return text;
}

static bool is_port(struct text text)
{
	if (text.length == 0 || text.length > 5)
		return false;
	for (size_t i = 0; i < text.length; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return true;
}

/* Without the port: false when what stands behind the address is none. */
static bool cut_port(struct text *text)
{
	const char *end = text->data + text->length;
	if (text->length > 0 && text->data[0] == '[') {
		const char *close = memchr(text->data, ']', text->length);
		if (close == NULL)
			return false;
		*text = (struct text){text->data + 1, (size_t)(close - text->data - 1)};
		return close + 1 == end ||
		       (close[1] == ':' && is_port((struct text){close + 2, (size_t)(end - close - 2)}));
	}
	const char *colon = memchr(text->data, ':', text->length);
	if (colon == NULL || memchr(colon + 1, ':', (size_t)(end - colon - 1)) != NULL)
		return true; /* none, or an IPv6 address */
	text->length = (size_t)(colon - text->data);
	return is_port((struct text){colon + 1, (size_t)(end - colon - 1)});
}

static bool read_plain(struct text text, struct in6_addr *ret_address, bool *ret_is_v4)
{
	char           copy[INET6_ADDRSTRLEN];
	struct in_addr four;
	if (text.length == 0 || text.length >= sizeof copy)
		return false;
	memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	*ret_is_v4        = inet_pton(AF_INET, copy, &four) == 1;
	if (!*ret_is_v4)
		return inet_pton(AF_INET6, copy, ret_address) == 1;
	*ret_address = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
	memcpy(ret_address->s6_addr + 12, &four, sizeof four);
	return true;
}

bool proxy_address_parse(struct text text, struct in6_addr *ret_address)
{
	bool is_v4;
	text = trim(text);
	return text.length > 0 && cut_port(&text) && read_plain(text, ret_address, &is_v4);
}

void proxy_address_write(const struct in6_addr *address, char ret_text[INET6_ADDRSTRLEN])
{
	if (IN6_IS_ADDR_V4MAPPED(address))
		inet_ntop(AF_INET, address->s6_addr + 12, ret_text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, address, ret_text, INET6_ADDRSTRLEN);
}

/* ---- Networks ---- */

static bool equal_bits(const struct in6_addr *a, const struct in6_addr *b, unsigned bits)
{
	unsigned rest = bits % 8;
	if (memcmp(a->s6_addr, b->s6_addr, bits / 8) != 0)
		return false;
	return rest == 0 || (a->s6_addr[bits / 8] ^ b->s6_addr[bits / 8]) >> (8 - rest) == 0;
}

static bool has_bits_behind(const struct proxy_network *network)
{
	for (unsigned bit = network->bits; bit < ADDRESS_BITS; bit++)
		if ((network->address.s6_addr[bit / 8] >> (7 - bit % 8) & 1) != 0)
			return true;
	return false;
}

static bool read_bits(struct text text, bool is_v4, unsigned *ret_bits)
{
	unsigned bits = 0, max = is_v4 ? ADDRESS_BITS - MAPPED_BITS : ADDRESS_BITS;
	if (text.length == 0 || text.length > 3)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		bits = bits * 10 + (unsigned)(text.data[i] - '0');
	}
	*ret_bits = is_v4 ? bits + MAPPED_BITS : bits;
	return bits <= max;
}

static enum status read_network(struct text text, struct proxy_network *ret_network,
                                struct error *err)
{
	const char *slash   = memchr(text.data, '/', text.length);
	struct text address = {text.data, slash == NULL ? text.length : (size_t)(slash - text.data)};
	bool        is_v4;
	ret_network->bits = ADDRESS_BITS;
	if (!read_plain(address, &ret_network->address, &is_v4))
		return error_set(err, STATUS_INVALID, "\"%.*s\" is no network such as 10.0.0.0/8",
		                 TEXT_FORMAT(text));
	if (slash != NULL && !read_bits((struct text){slash + 1, text.length - address.length - 1},
	                                is_v4, &ret_network->bits))
		return error_set(err, STATUS_INVALID, "\"%.*s\": the length of the prefix is wrong",
		                 TEXT_FORMAT(text));
	if (has_bits_behind(ret_network))
		return error_set(err, STATUS_INVALID, "\"%.*s\": there are bits behind the prefix",
		                 TEXT_FORMAT(text));
	return STATUS_OK;
}

enum status proxy_networks_parse(struct text text, struct proxy_networks *ret_networks,
                                 struct error *err)
{
	const char *at = text.data, *end = at + text.length;
	ret_networks->count = 0;
	if (trim(text).length == 0)
		return STATUS_OK;
	for (;;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		struct text one   = trim((struct text){at, (size_t)((comma ? comma : end) - at)});
		enum status status;
		if (ret_networks->count == PROXY_NETWORKS_MAX)
			return error_set(err, STATUS_INVALID, "there are more than %d networks",
			                 PROXY_NETWORKS_MAX);
		if ((status = read_network(one, &ret_networks->list[ret_networks->count++], err)) !=
		    STATUS_OK)
			return status;
		if (comma == NULL)
			return STATUS_OK;
		at = comma + 1;
	}
}

bool proxy_networks_have(const struct proxy_networks *networks, const struct in6_addr *address)
{
	for (size_t i = 0; i < networks->count; i++)
		if (equal_bits(&networks->list[i].address, address, networks->list[i].bits))
			return true;
	return false;
}

/* ---- Headers ---- */

/* Behind the last of them the first one goes. */
static struct proxy_hop *next_hop(struct proxy_hop hops[PROXY_HOPS_MAX], size_t *count)
{
	if (*count == PROXY_HOPS_MAX)
		memmove(hops, hops + 1, --*count * sizeof *hops);
	hops[*count] = (struct proxy_hop){0};
	return &hops[(*count)++];
}

size_t proxy_read_list(struct text value, struct proxy_hop ret_hops[PROXY_HOPS_MAX])
{
	const char *at = value.data, *end = at + value.length;
	size_t      count = 0;
	for (;;) {
		const char *comma = at == end ? NULL : memchr(at, ',', (size_t)(end - at));
		next_hop(ret_hops, &count)->address =
			trim((struct text){at, (size_t)((comma ? comma : end) - at)});
		if (comma == NULL)
			return count;
		at = comma + 1;
	}
}

/* The next byte, past what a backslash escapes in quotes. */
static void step(const char **at, const char *end, bool *quoted)
{
	if (*quoted && **at == '\\' && *at + 1 < end)
		(*at)++;
	else if (**at == '"')
		*quoted = !*quoted;
	(*at)++;
}

/* A client that leaves a quote open would have what a proxy adds behind it read as his own. */
static bool ends_quoted(const char *at, const char *end)
{
	bool quoted = false;
	while (at < end)
		step(&at, end, &quoted);
	return quoted;
}

/* Up to ';' or ',', outside quotes if they count. */
static struct text take_part(const char **at, const char *end, bool quotes)
{
	const char *begin  = *at;
	bool        quoted = false;
	while (*at < end && (quoted || (**at != ';' && **at != ',')))
		if (quotes)
			step(at, end, &quoted);
		else
			(*at)++;
	return trim((struct text){begin, (size_t)(*at - begin)});
}

static bool named(struct text name, const char *wanted)
{
	return name.length == strlen(wanted) && strncasecmp(name.data, wanted, name.length) == 0;
}

/* "for=192.0.2.1", "host=\"a.example:80\"". What is escaped in quotes is no address and no host. */
static void read_pair(struct text pair, struct proxy_hop *hop)
{
	const char *equals = pair.length == 0 ? NULL : memchr(pair.data, '=', pair.length);
	if (equals == NULL)
		return;
	struct text name  = {pair.data, (size_t)(equals - pair.data)};
	struct text value = {equals + 1, pair.length - name.length - 1};
	if (value.length >= 2 && value.data[0] == '"' && value.data[value.length - 1] == '"')
		value = (struct text){value.data + 1, value.length - 2};
	if (named(name, "for"))
		hop->address = value;
	else if (named(name, "proto"))
		hop->proto = value;
	else if (named(name, "host"))
		hop->host = value;
}

size_t proxy_read_forwarded(struct text value, struct proxy_hop ret_hops[PROXY_HOPS_MAX])
{
	const char *at = value.data, *end = at + value.length;
	bool        quotes = !ends_quoted(at, end);
	size_t      count  = 0;
	for (;; at++) {
		struct proxy_hop *hop = next_hop(ret_hops, &count);
		for (;; at++) {
			read_pair(take_part(&at, end, quotes), hop);
			if (at == end || *at == ',')
				break;
		}
		if (at == end)
			return count;
	}
}

bool proxy_follow(const struct proxy_networks *networks, const struct proxy_hop *hops, size_t count,
                  struct in6_addr *address)
{
	while (count-- > 0) {
		struct in6_addr before;
		/* "unknown", or what is no address: who said so is the last that is known. */
		if (!proxy_address_parse(hops[count].address, &before))
			return true;
		*address = before;
		if (!proxy_networks_have(networks, &before))
			return true;
	}
	return false;
}
