#ifndef SONNIM_APP_SIMULATE_SIM_PURCHASE_H
#define SONNIM_APP_SIMULATE_SIM_PURCHASE_H

/* An order or a booking, from the day it is made on: what becomes of it is drawn step by step.
 *
 *   order    Order Completed ─► [Order Updated] ─► [Order Cancelled | Order Refunded]
 *   booking  Booking Created ─► [Booking Updated …] ─► Booking Cancelled ─► Booking Refunded
 *                                                  └► Stay Completed ─► [Review Submitted]
 *
 * Corrections bear the key of their original (order_id, booking_id) and what changes. Refunds say
 * a positive total, as Segment's do. */

#include <stdbool.h>
#include <stdint.h>

#include "app/simulate/sim_message.h"

enum sim_purchase_state {
	SIM_PLACED,
	SIM_AMENDED,
	SIM_CANCELLED,
	SIM_REFUNDED,
	SIM_STAYED,
	SIM_REVIEWED,
	SIM_CLOSED, /* nothing follows */
};

struct sim_purchase {
	enum sim_purchase_state state; /* what is written next */
	unsigned                user;
	unsigned                item;
	unsigned                amendments;
	unsigned                nights;
	uint64_t                number;
	int64_t                 total;
	int64_t                 made_day, check_in_day; /* of the calendar, since 1970 */
};

/* Writes the message of the visit's SIM_ORDER, and says what was bought. */
void sim_purchase_make(struct sim_world *world, struct json_writer *w,
                       const struct sim_visit *visit, int64_t at_ms,
                       struct sim_purchase *ret_purchase);

/* Draws what follows. False: nothing; else `purchase->state` is what, at `*ret_at_ms`. */
bool sim_purchase_go_on(struct sim_world *world, struct sim_purchase *purchase, int64_t now_ms,
                        int64_t *ret_at_ms);

/* Writes the message of `purchase->state`. */
void sim_purchase_write(struct sim_world *world, struct json_writer *w,
                        const struct sim_purchase *purchase, int64_t at_ms);

#endif
