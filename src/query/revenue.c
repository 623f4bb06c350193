#include "query/revenue.h"

#include <assert.h>

#include "base/instant.h"
#include "engine/change/change_record.h"

#define REVENUE_WITHIN_MS (365 * DAY_MS)

static const struct text amount = TEXT("$amount");

/* What the leaf is compared with does not matter; of a count it is more than whether there is
 * any. */
static struct text part_canonical(struct text event, struct expr_where *where, bool sum,
                                  struct buffer *out)
{
	struct expr_scalar value = {.type = EXPR_NUMBER, .number = 2, .millionths = 2000000};
	struct expr        expr  = {
				.kind  = EXPR_EVENT,
				.event = {.name      = event,
	                      .where     = where,
	                      .aggregate = sum ? EXPR_SUM : EXPR_COUNT,
	                      .property  = sum ? amount : (struct text){0},
	                      .within_ms = REVENUE_WITHIN_MS,
	                      .from_ms   = INSTANT_MS_NONE,
	                      .to_ms     = INSTANT_MS_NEVER,
	                      .test      = {.op = EXPR_GTE, .value_count = 1, .values = &value}},
    };
	expr_write_canonical(out, &expr);
	return buffer_text(out);
}

struct plan *revenue_plan(struct text order_event, struct text refund_event, int64_t retention_ms)
{
	struct expr_scalar zero  = {.type = EXPR_NUMBER};
	struct expr_where  above = {.kind     = EXPR_WHERE_TEST,
	                            .property = amount,
	                            .test     = {.op = EXPR_GTE, .value_count = 1, .values = &zero}};
	struct expr_where  below = above;
	below.test.op            = EXPR_LT;

	struct buffer      texts[REVENUE_PART_COUNT] = {0}, body = {0};
	struct change_rule rules[REVENUE_PART_COUNT] = {
		[REVENUE_ORDERS]  = {.canonical = part_canonical(order_event, NULL, false, &texts[0])},
		[REVENUE_ORDERED] = {.canonical = part_canonical(order_event, NULL, true, &texts[1])},
	};
	struct change_record record = {.rule_count = 2, .rules = rules};
	if (refund_event.length > 0) {
		rules[REVENUE_REFUNDED].canonical = part_canonical(refund_event, &above, true, &texts[2]);
		rules[REVENUE_REFUNDED_BELOW].canonical =
			part_canonical(refund_event, &below, true, &texts[3]);
		record.rule_count = REVENUE_PART_COUNT;
	}
	change_record_write_prepare(&body, &record);

	struct plan *plan;
	struct error err;
	enum status  status = plan_compile(buffer_text(&body), retention_ms, &plan, &err);
	assert(status == STATUS_OK); /* it was written here */
	(void)status;
	/* Both ends of the year count, which the language cannot say. */
	for (uint32_t i = 0; i < plan->leaf_count; i++)
		plan->leaves[i].span.within_ms++;
	for (unsigned i = 0; i < REVENUE_PART_COUNT; i++)
		buffer_done(&texts[i]);
	buffer_done(&body);
	return plan;
}

const struct plan_leaf *revenue_leaf(const struct plan *plan, enum revenue_part part)
{
	if (part >= plan->rule_count)
		return NULL;
	return &plan->leaves[plan->rules[part].root.index];
}
