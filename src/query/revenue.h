#ifndef SONNIM_QUERY_REVENUE_H
#define SONNIM_QUERY_REVENUE_H

/* What members are worth, said in the language, so that columns answer it as they answer leaves:
 *
 *   ORDERS            count of orders                         in [as_of − 365 d, as_of]
 *   ORDERED           sum of $amount of orders
 *   REFUNDED          sum of $amount of refunds, $amount >= 0
 *   REFUNDED_BELOW    sum of $amount of refunds, $amount < 0
 *
 *   revenue = ORDERED − (REFUNDED − REFUNDED_BELOW): refunds count by their absolute amount */

#include "engine/catalog/plan.h"

enum revenue_part {
	REVENUE_ORDERS,
	REVENUE_ORDERED,
	REVENUE_REFUNDED,
	REVENUE_REFUNDED_BELOW,
	REVENUE_PART_COUNT,
};

/* A plan with one leaf a part: leaf revenue_leaf(plan, part). Without a name of refunds there are
 * none: NULL then for the last two. */
struct plan *revenue_plan(struct text order_event, struct text refund_event, int64_t retention_ms);
const struct plan_leaf *revenue_leaf(const struct plan *plan, enum revenue_part part);

#endif
