#ifndef SONNIM_HTTP_NEIGHBOURS_H
#define SONNIM_HTTP_NEIGHBOURS_H

/* How many connections each address has, over all loops of a server: of an IPv6 address the first
 * 64 bits count. Threads: any; a lock, once when a connection begins and ends. Memory grows with
 * the addresses that have a connection, so with connections. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct neighbours;

struct neighbours *neighbours_new(void);
void               neighbours_free(struct neighbours *neighbours); /* NULL is fine */

/* Whether it has fewer than `most`. */
bool neighbours_admit(struct neighbours *neighbours, const struct in6_addr *address, uint64_t most);
void neighbours_add(struct neighbours *neighbours, const struct in6_addr *address);
void neighbours_remove(struct neighbours *neighbours, const struct in6_addr *address);

#endif
