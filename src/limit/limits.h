#ifndef SONNIM_LIMIT_LIMITS_H
#define SONNIM_LIMIT_LIMITS_H

/* How often somebody may ask: which limits there are, how large they are, and how often each has
 * refused. An object of it is a workspace's (tokens, persons) or the whole server's (addresses);
 * what sources may send is their own (ingest/source.h, ingest/quota.h).
 *
 * Threads: any. */

#include "base/settings.h"
#include "limit/buckets.h"

/* whose, its name in answers and metrics */
#define LIMITS(X)                                                                                  \
	X(TOKEN, "token")                                                                              \
	X(PERSON, "person")                                                                            \
	X(ADDRESS, "address")                                                                          \
	X(COLLECTION, "collection-address")                                                            \
	X(SOCKET, "websocket")                                                                         \
	X(SOCKET_ADDRESS, "websocket-address")

enum limit {
#define X(name, text) LIMIT_##name,
	LIMITS(X)
#undef X
		LIMIT_COUNT
};

enum { LIMITS_SLOTS_OF_SERVER = 1 << 16, LIMITS_SLOTS_OF_WORKSPACE = 1 << 14 };

struct limits_settings {
	int64_t rates[LIMIT_COUNT];
	int64_t bursts[LIMIT_COUNT];
	int64_t sockets_max; /* open at a time, of one token or person; 0: any number */
};
struct settings limits_settings_of(struct limits_settings *target);

const char *limit_name(enum limit limit);

struct limits;
/* `settings` outlive it and may change while it is used. */
struct limits *limits_new(const struct limits_settings *settings, size_t slot_count);
void           limits_free(struct limits *limits); /* NULL is fine */

/* Takes over settings that have changed; one thread at a time. */
void limits_set(struct limits *limits, const struct limits_settings *settings);

/* Takes one for `key`; `own`: instead of the settings' size (NULL: those). False: refused. */
bool limits_take(struct limits *limits, enum limit limit, struct text key,
                 const struct bucket_size *own, int64_t now_ns, struct bucket_state *ret_state);

/* Whether the settings have that limit at all: asked first where it costs something to know who. */
bool limits_has(const struct limits *limits, enum limit limit);

/* What of an address somebody cannot change at will: an IPv4 address whole, the first 64 bits of an
 * IPv6 address. Empty: one of this machine itself, which no limit of addresses holds for. */
enum { LIMITS_NETWORK_BYTES = 16 };
struct text limits_network(const char *address, uint8_t into[LIMITS_NETWORK_BYTES]);

int64_t limits_sockets_max(const struct limits *limits);

uint64_t limits_refused(const struct limits *limits, enum limit limit);
uint64_t limits_evicted(const struct limits *limits);
size_t   limits_slot_count(const struct limits *limits);

#endif
