#ifndef SONNIM_APP_SIMULATE_SIM_TRAFFIC_H
#define SONNIM_APP_SIMULATE_SIM_TRAFFIC_H

/* Made-up traffic, message by message, in the order in which it is sent.
 *
 *   arrivals (calendar) ──► visits, step by step ──► orders, bookings ──► what becomes of them
 *                  └───────────────┬──────────────────────┘
 *                       queue by instant ──► message, now and then once more ──► out
 *
 * The same configuration gives the same bytes on every machine (sim_chance.h). Arrivals are a
 * Poisson process thinned by the calendar's weight. A late visit's messages bear timestamps that
 * lie behind the instant at which they are sent, by up to two days; a repeated message is sent
 * again within a minute, byte for byte.
 *
 * Memory: that of the visits and purchases under way, and a bit a user. Beyond
 * SIM_PURCHASES_PENDING_MAX nothing follows on a purchase. One owner, one thread. Cost: about a
 * microsecond a message (bench/simulate_bench.c). */

#include <stdint.h>

#include "app/simulate/sim_calendar.h"
#include "app/simulate/sim_visit.h"
#include "base/buffer.h"

enum { SIM_PURCHASES_PENDING_MAX = 2000000 };

struct sim_traffic;

struct sim_config {
	enum sim_shape     shape;
	enum sim_scenario  scenario;
	uint64_t           seed;
	unsigned           users;          /* distinct, at least 1 */
	unsigned           rate;           /* SIM_TRAFFIC: messages a second, over a year; at least 1 */
	int64_t            start_ms;       /* no timestamp is earlier */
	int64_t            length_ms;      /* the other scenarios: within which everybody comes; > 0 */
	const struct zone *zone;           /* of the calendar; must stay */
	bool               flat;           /* no rhythm, no seasons, no campaigns */
	bool               profiles;       /* an identify of every user first, at the start */
	unsigned           late_per_mille; /* of visits */
	unsigned           duplicate_per_mille; /* of messages */
	unsigned           activity;            /* id, of SIM_DASHBOARD and SIM_FUNNEL */
};

struct sim_traffic *sim_traffic_new(const struct sim_config *config);
void                sim_traffic_free(struct sim_traffic *traffic); /* NULL is fine */

/* When the next message is sent; never goes back. INSTANT_MS_NEVER: there is none any more. */
int64_t sim_traffic_next_ms(const struct sim_traffic *traffic);

/* Appends that message, a JSON object without a line break, and goes on. */
void sim_traffic_next(struct sim_traffic *traffic, struct buffer *out);

#endif
