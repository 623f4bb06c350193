#ifndef SONNIM_APP_SIMULATE_SHOP_H
#define SONNIM_APP_SIMULATE_SHOP_H

/* The traffic of a shop for stays and tours, made up from a seed: visitors come (Poisson), look at
 * pages, search, view products, put some into the cart, order, log in on the way (identify, with
 * traits), and sometimes send something back. Few come often, many seldom.
 *
 *   arrivals ──► session: home ─► search or list ─► views … ─► cart ─► order ─► (later) refund
 *   a heap of what happens next, by instant
 *
 * The same configuration gives the same messages, byte by byte. One owner, one thread. */

#include <stdint.h>

#include "base/buffer.h"

struct shop;

struct shop_config {
	uint64_t seed;
	unsigned users;    /* distinct shoppers, at least 1 */
	double   rate;     /* messages a second on average, above 0 */
	int64_t  start_ms; /* no message is earlier */
};

struct shop *shop_new(const struct shop_config *config);
void         shop_free(struct shop *shop); /* NULL is fine */

/* The instant of the next message; never goes back. */
int64_t shop_next_ms(const struct shop *shop);

/* Appends that message as JSON, as POST /v1/batch takes it, and goes on. */
void shop_next(struct shop *shop, struct buffer *out);

#endif
