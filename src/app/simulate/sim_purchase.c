#include "app/simulate/sim_purchase.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/instant.h"

#define HOUR_MS INT64_C(3600000)

enum {
	COUPON_PERCENT   = 10,
	LEAD_DAYS_MEAN   = 21,
	LEAD_DAYS_MAX    = 180,
	NIGHTS_MAX       = 7,
	WEEKEND_PERCENT  = 130, /* Friday and Saturday nights */
	AMENDMENTS_MAX   = 2,
	REFUNDED_PERCENT = 80, /* of a cancelled booking */

	/* Of a thousand. */
	ORDERS_AMENDED     = 30,
	ORDERS_CANCELLED   = 20,
	ORDERS_REFUNDED    = 80,
	REFUNDED_AT_ONCE   = 350, /* of those: within the hour */
	BOOKINGS_AMENDED   = 120,
	BOOKINGS_CANCELLED = 100,
	STAYS_REVIEWED     = 300,
};

/* ---- Members ---- */

static void add_id(const struct sim_world *world, struct json_writer *w,
                   const struct sim_purchase *purchase)
{
	char text[48];
	bool shop = world->shape == SIM_SHOP;
	snprintf(text, sizeof text, "%c%08" PRIx32 "-%" PRIu64, shop ? 'S' : 'B', world->tag,
	         purchase->number);
	json_member_string(w, shop ? "order_id" : "booking_id", text_of(text));
}

static void add_date(struct json_writer *w, const char *name, int64_t day)
{
	char text[INSTANT_TEXT_BYTES];
	instant_format(day * DAY_MS, text);
	json_member_string(w, name, (struct text){text, 10});
}

static unsigned weekday_of(int64_t day) { return (unsigned)((day % 7 + 7 + 4) % 7); }

static bool dear_night(int64_t day)
{
	unsigned weekday = weekday_of(day);
	return weekday == 5 || weekday == 6;
}

static void add_weekdays(struct json_writer *w, const struct sim_purchase *purchase)
{
	static const char *const names[7] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
	json_add_key(w, TEXT("days_of_week"));
	json_begin_array(w);
	for (unsigned night = 0; night < purchase->nights; night++)
		json_add_string(w, text_of(names[weekday_of(purchase->check_in_day + night)]));
	json_end_array(w);
}

static void add_dates(struct json_writer *w, const struct sim_purchase *purchase)
{
	add_date(w, "check_in", purchase->check_in_day);
	add_date(w, "check_out", purchase->check_in_day + purchase->nights);
	json_member_int(w, "nights", purchase->nights);
	json_member_int(w, "lead_time_days", purchase->check_in_day - purchase->made_day);
	add_weekdays(w, purchase);
}

static void draw_stay(struct sim_world *world, struct sim_purchase *purchase, int64_t from_day)
{
	const struct sim_item *item = &world->catalogue.items[purchase->item];
	int64_t                lead = sim_exponential(&world->chance, LEAD_DAYS_MEAN * DAY_MS) / DAY_MS;
	purchase->check_in_day      = from_day + (lead < LEAD_DAYS_MAX ? lead : LEAD_DAYS_MAX);
	purchase->nights =
		1 + (unsigned)sim_below(&world->chance, 1 + sim_below(&world->chance, NIGHTS_MAX));
	purchase->total = 0;
	for (unsigned night = 0; night < purchase->nights; night++)
		purchase->total += item->price *
		                   (dear_night(purchase->check_in_day + night) ? WEEKEND_PERCENT : 100) /
		                   100;
}

/* ---- What is bought ---- */

static unsigned percent_off(const struct sim_visit *visit)
{
	unsigned percent = visit->coupon ? COUPON_PERCENT : 0;
	return visit->has_campaign && visit->campaign.percent > percent ? visit->campaign.percent
	                                                                : percent;
}

static void add_price(const struct sim_world *world, struct json_writer *w,
                      const struct sim_visit *visit, const char *name, int64_t full, int64_t total)
{
	json_member_int(w, name, total);
	json_member_string(w, "currency", TEXT("KRW"));
	if (visit->coupon)
		json_member_string(w, "coupon", TEXT("WELCOME10"));
	if (full > total)
		json_member_int(w, "discount", full - total);
	if (world->scenario == SIM_DASHBOARD || world->scenario == SIM_FUNNEL)
		json_member_int(w, "activity_id", world->activity);
}

static void write_order(struct sim_world *world, struct json_writer *w,
                        const struct sim_visit *visit, int64_t at_ms, struct sim_purchase *purchase)
{
	struct sim_sender sender = sim_sender_of(visit);
	struct sim_person person;
	int64_t           full = 0;
	for (unsigned i = 0; i < visit->cart_count; i++)
		full += world->catalogue.items[visit->cart[i]].price;
	purchase->total = full - full * percent_off(visit) / 100;

	sim_person(&world->population, visit->user, &person);
	sim_begin_event(world, w, &sender, "Order Completed", at_ms);
	add_id(world, w, purchase);
	add_price(world, w, visit, "revenue", full, purchase->total);
	json_member_string(w, "region", text_of(sim_region(person.region)));
	json_add_key(w, TEXT("products"));
	json_begin_array(w);
	for (unsigned i = 0; i < visit->cart_count; i++) {
		json_begin_object(w);
		sim_item_write(&world->catalogue, &world->catalogue.items[visit->cart[i]], w);
		json_end_object(w);
	}
	json_end_array(w);
	sim_end_event(world, w, &sender);
}

static void write_booking(struct sim_world *world, struct json_writer *w,
                          const struct sim_visit *visit, int64_t at_ms,
                          struct sim_purchase *purchase)
{
	struct sim_sender sender = sim_sender_of(visit);
	draw_stay(world, purchase, purchase->made_day);
	int64_t full = purchase->total;
	purchase->total -= full * percent_off(visit) / 100;

	sim_begin_event(world, w, &sender, "Booking Created", at_ms);
	add_id(world, w, purchase);
	sim_item_write_property(&world->catalogue.items[purchase->item], w);
	add_price(world, w, visit, "amount", full, purchase->total);
	add_dates(w, purchase);
	json_member_int(w, "guests", 1 + (int64_t)sim_below(&world->chance, 5));
	json_member_string(w, "status", TEXT("confirmed"));
	sim_end_event(world, w, &sender);
}

void sim_purchase_make(struct sim_world *world, struct json_writer *w,
                       const struct sim_visit *visit, int64_t at_ms,
                       struct sim_purchase *ret_purchase)
{
	assert(visit->known && visit->cart_count > 0);
	*ret_purchase = (struct sim_purchase){
		.state    = SIM_PLACED,
		.user     = visit->user,
		.item     = visit->cart[0],
		.number   = world->purchase_count++,
		.made_day = sim_calendar_day(&world->calendar, at_ms),
	};
	if (world->shape == SIM_SHOP)
		write_order(world, w, visit, at_ms, ret_purchase);
	else
		write_booking(world, w, visit, at_ms, ret_purchase);
}

/* ---- What becomes of it ---- */

static enum sim_purchase_state draw_order(struct sim_world          *world,
                                          const struct sim_purchase *purchase)
{
	unsigned drawn = (unsigned)sim_below(&world->chance, 1000);
	if (purchase->state != SIM_PLACED && purchase->state != SIM_AMENDED)
		return SIM_CLOSED;
	if (drawn < ORDERS_REFUNDED)
		return SIM_REFUNDED;
	if (purchase->state == SIM_AMENDED)
		return SIM_CLOSED;
	drawn -= ORDERS_REFUNDED;
	return drawn < ORDERS_AMENDED                      ? SIM_AMENDED
	       : drawn < ORDERS_AMENDED + ORDERS_CANCELLED ? SIM_CANCELLED
	                                                   : SIM_CLOSED;
}

static enum sim_purchase_state order_follows(struct sim_world *world, struct sim_purchase *purchase,
                                             int64_t now_ms, int64_t *ret_at_ms)
{
	enum sim_purchase_state state = draw_order(world, purchase);
	*ret_at_ms = now_ms + MINUTE_MS + (int64_t)sim_below(&world->chance, HOUR_MS);
	if (state == SIM_REFUNDED && !sim_happens(&world->chance, REFUNDED_AT_ONCE))
		*ret_at_ms = now_ms + HOUR_MS + (int64_t)sim_below(&world->chance, 14 * DAY_MS);
	if (state == SIM_AMENDED) {
		purchase->amendments++;
		purchase->total += world->catalogue.items[purchase->item].price; /* one more of it */
	}
	return state;
}

/* Before the day of arrival; none when it is too late for that. */
static bool draw_before_arrival(struct sim_world *world, const struct sim_purchase *purchase,
                                int64_t now_ms, int64_t *ret_at_ms)
{
	int64_t left_ms =
		zone_instant_ms(world->calendar.zone, purchase->check_in_day * DAY_MS) - now_ms;
	if (left_ms < HOUR_MS)
		return false;
	*ret_at_ms = now_ms + MINUTE_MS + (int64_t)sim_below(&world->chance, (uint64_t)left_ms / 2);
	return true;
}

static void amend_booking(struct sim_world *world, struct sim_purchase *purchase)
{
	int64_t from_day = purchase->check_in_day;
	purchase->amendments++;
	draw_stay(world, purchase, from_day); /* later, of another length */
}

static enum sim_purchase_state stay_follows(struct sim_world *world, struct sim_purchase *purchase,
                                            int64_t now_ms, int64_t *ret_at_ms)
{
	int64_t out_day = purchase->check_in_day + purchase->nights;
	int64_t out_ms  = zone_instant_ms(world->calendar.zone, out_day * DAY_MS) + 11 * HOUR_MS;
	*ret_at_ms      = out_ms > now_ms ? out_ms : now_ms + MINUTE_MS;
	return SIM_STAYED;
}

static enum sim_purchase_state booking_follows(struct sim_world    *world,
                                               struct sim_purchase *purchase, int64_t now_ms,
                                               int64_t *ret_at_ms)
{
	struct sim_chance *chance = &world->chance;
	unsigned           drawn  = (unsigned)sim_below(chance, 1000);
	switch (purchase->state) {
	case SIM_PLACED:
	case SIM_AMENDED:
		if (drawn < BOOKINGS_AMENDED && purchase->amendments < AMENDMENTS_MAX &&
		    draw_before_arrival(world, purchase, now_ms, ret_at_ms)) {
			amend_booking(world, purchase);
			return SIM_AMENDED;
		}
		if (drawn >= BOOKINGS_AMENDED && drawn < BOOKINGS_AMENDED + BOOKINGS_CANCELLED &&
		    draw_before_arrival(world, purchase, now_ms, ret_at_ms))
			return SIM_CANCELLED;
		return stay_follows(world, purchase, now_ms, ret_at_ms);
	case SIM_CANCELLED:
		*ret_at_ms = now_ms + HOUR_MS + (int64_t)sim_below(chance, DAY_MS);
		return SIM_REFUNDED;
	case SIM_STAYED:
		*ret_at_ms = now_ms + HOUR_MS + (int64_t)sim_below(chance, 3 * DAY_MS);
		return drawn < STAYS_REVIEWED ? SIM_REVIEWED : SIM_CLOSED;
	default:
		return SIM_CLOSED;
	}
}

bool sim_purchase_go_on(struct sim_world *world, struct sim_purchase *purchase, int64_t now_ms,
                        int64_t *ret_at_ms)
{
	purchase->state = world->shape == SIM_SHOP
	                      ? order_follows(world, purchase, now_ms, ret_at_ms)
	                      : booking_follows(world, purchase, now_ms, ret_at_ms);
	return purchase->state != SIM_CLOSED;
}

/* ---- Its later messages ---- */

static const char *event_of(enum sim_shape shape, enum sim_purchase_state state)
{
	static const char *const names[][SIM_CLOSED] = {
		[SIM_SHOP]   = {[SIM_AMENDED]   = "Order Updated",
	                    [SIM_CANCELLED] = "Order Cancelled",
	                    [SIM_REFUNDED]  = "Order Refunded"},
		[SIM_TRAVEL] = {[SIM_AMENDED]   = "Booking Updated",
	                    [SIM_CANCELLED] = "Booking Cancelled",
	                    [SIM_REFUNDED]  = "Booking Refunded",
	                    [SIM_STAYED]    = "Stay Completed",
	                    [SIM_REVIEWED]  = "Review Submitted"},
	};
	return names[shape][state];
}

static void add_change(struct sim_world *world, struct json_writer *w,
                       const struct sim_purchase *purchase)
{
	if (world->shape == SIM_SHOP) {
		json_member_int(w, "revenue", purchase->total);
		return;
	}
	json_member_int(w, "amount", purchase->total);
	add_dates(w, purchase);
	json_member_string(w, "status", TEXT("amended"));
}

static void add_refund(const struct sim_world *world, struct json_writer *w,
                       const struct sim_purchase *purchase)
{
	bool shop = world->shape == SIM_SHOP;
	json_member_int(w, shop ? "total" : "amount",
	                shop ? purchase->total : purchase->total * REFUNDED_PERCENT / 100);
	json_member_string(w, "currency", TEXT("KRW"));
}

void sim_purchase_write(struct sim_world *world, struct json_writer *w,
                        const struct sim_purchase *purchase, int64_t at_ms)
{
	struct sim_sender sender = {.user = purchase->user, .known = true};
	const char       *event  = event_of(world->shape, purchase->state);
	assert(event != NULL);
	sim_begin_event(world, w, &sender, event, at_ms);
	add_id(world, w, purchase);
	switch (purchase->state) {
	case SIM_AMENDED:
		add_change(world, w, purchase);
		break;
	case SIM_CANCELLED:
		json_member_string(w, "status", TEXT("cancelled"));
		break;
	case SIM_REFUNDED:
		add_refund(world, w, purchase);
		break;
	case SIM_REVIEWED:
		/* Two thirds of all are content. */
		json_member_int(w, "rating",
		                sim_happens(&world->chance, 660)
		                    ? 4 + (int64_t)sim_below(&world->chance, 2)
		                    : 1 + (int64_t)sim_below(&world->chance, 3));
		break;
	default:
		break;
	}
	if (world->shape == SIM_TRAVEL && purchase->state >= SIM_STAYED)
		sim_item_write_property(&world->catalogue.items[purchase->item], w);
	sim_end_event(world, w, &sender);
}
