#include "limit/limits.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct limits {
	struct buckets  *buckets;
	_Atomic int64_t  rates[LIMIT_COUNT];
	_Atomic int64_t  bursts[LIMIT_COUNT];
	_Atomic uint64_t refused[LIMIT_COUNT];
	_Atomic int64_t  sockets_max;
};

static const char *const names[LIMIT_COUNT] = {
#define X(name, text) [LIMIT_##name] = text,
	LIMITS(X)
#undef X
};

const char *limit_name(enum limit limit) { return names[limit]; }

#define LIMIT_SETTINGS(who, text, rate, burst, rate_help, burst_help)                              \
	SETTING_INT(struct limits_settings, rates[LIMIT_##who], "limit-" text, rate, 0,                \
	            BUCKETS_RATE_MAX, rate_help, .live = true),                                        \
		SETTING_INT(struct limits_settings, bursts[LIMIT_##who], "limit-" text "-burst", burst, 1, \
	                BUCKETS_RATE_MAX, burst_help, .live = true)

static const struct setting table[] = {
	LIMIT_SETTINGS(TOKEN, "token", "2000", "10000",
                   "Requests a second of one API token, unless it was made with a limit of its "
                   "own; 0: no limit",
                   "Requests that an API token may send at once"),
	LIMIT_SETTINGS(PERSON, "person", "200", "2000",
                   "Requests a second of one person, over all his sessions; 0: no limit",
                   "Requests that a person may send at once"),
	LIMIT_SETTINGS(ADDRESS, "address", "50", "500",
                   "Requests a second of one address before it is known who asks: public routes "
                   "and tokens that have to be looked up; 0: no limit. Of an IPv6 address 64 bits "
                   "count; addresses of the machine itself are not limited",
                   "Such requests that an address may send at once"),
	LIMIT_SETTINGS(COLLECTION, "collection-address", "0", "100000",
                   "Requests a second of one address to collection; 0: no limit",
                   "Requests to collection that an address may send at once"),
	LIMIT_SETTINGS(SOCKET, "websocket", "50", "1000",
                   "WebSockets a second that one token or person may open; 0: no limit",
                   "WebSockets that a token or person may open at once"),
	LIMIT_SETTINGS(SOCKET_ADDRESS, "websocket-address", "20", "500",
                   "Handshakes of WebSockets a second of one address; 0: no limit",
                   "Handshakes of WebSockets that an address may send at once"),
	SETTING_INT(struct limits_settings, sockets_max, "websockets-max", "1000", 0, 1000000,
                "WebSockets that a token or person may have open at a time; 0: any number",
                .live = true),
};

struct settings limits_settings_of(struct limits_settings *target)
{
	return (struct settings){table, sizeof table / sizeof table[0], target};
}

struct limits *limits_new(const struct limits_settings *settings, size_t slot_count)
{
	struct limits *limits = calloc(1, sizeof *limits);
	assert(limits != NULL);
	limits->buckets = buckets_new(slot_count);
	limits_set(limits, settings);
	return limits;
}

void limits_free(struct limits *limits)
{
	if (limits == NULL)
		return;
	buckets_free(limits->buckets);
	free(limits);
}

void limits_set(struct limits *limits, const struct limits_settings *settings)
{
	for (unsigned i = 0; i < LIMIT_COUNT; i++) {
		atomic_store_explicit(&limits->rates[i], settings->rates[i], memory_order_relaxed);
		atomic_store_explicit(&limits->bursts[i], settings->bursts[i], memory_order_relaxed);
	}
	atomic_store_explicit(&limits->sockets_max, settings->sockets_max, memory_order_relaxed);
}

bool limits_take(struct limits *limits, enum limit limit, struct text key,
                 const struct bucket_size *own, int64_t now_ns, struct bucket_state *ret_state)
{
	struct bucket_size size = {
		atomic_load_explicit(&limits->rates[limit], memory_order_relaxed),
		atomic_load_explicit(&limits->bursts[limit], memory_order_relaxed),
	};
	if (own != NULL)
		size = *own;
	bool taken = buckets_take(limits->buckets, limit, key, &size, now_ns, ret_state);
	if (!taken)
		atomic_fetch_add_explicit(&limits->refused[limit], 1, memory_order_relaxed);
	return taken;
}

bool limits_has(const struct limits *limits, enum limit limit)
{
	return atomic_load_explicit(&limits->rates[limit], memory_order_relaxed) != 0;
}

struct text limits_network(const char *address, uint8_t into[LIMITS_NETWORK_BYTES])
{
	struct in6_addr six;
	if (inet_pton(AF_INET, address, into) == 1)
		return (struct text){(const char *)into, into[0] == 127 ? 0 : 4};
	if (inet_pton(AF_INET6, address, &six) != 1)
		return text_of(address);
	memcpy(into, &six, sizeof six);
	if (IN6_IS_ADDR_V4MAPPED(&six))
		return (struct text){(const char *)into + 12, into[12] == 127 ? 0 : 4};
	return (struct text){(const char *)into, IN6_IS_ADDR_LOOPBACK(&six) ? 0 : 8};
}

int64_t limits_sockets_max(const struct limits *limits)
{
	return atomic_load_explicit(&limits->sockets_max, memory_order_relaxed);
}

uint64_t limits_refused(const struct limits *limits, enum limit limit)
{
	return atomic_load_explicit(&limits->refused[limit], memory_order_relaxed);
}

uint64_t limits_evicted(const struct limits *limits) { return buckets_evicted(limits->buckets); }

size_t limits_slot_count(const struct limits *limits)
{
	return buckets_slot_count(limits->buckets);
}
