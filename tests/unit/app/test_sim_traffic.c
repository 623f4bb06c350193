#include "app/simulate/sim_traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/instant.h"
#include "base/json.h"
#include "base/map.h"

#define START_MS INT64_C(1772982000000) /* 2026-03-09, a Monday, 00:00 in Seoul */
#define HOUR_MS  INT64_C(3600000)

static struct zone *zone;

static struct sim_config config_of(enum sim_shape shape, enum sim_scenario scenario)
{
	return (struct sim_config){.shape               = shape,
	                           .scenario            = scenario,
	                           .seed                = 7,
	                           .users               = 500,
	                           .rate                = 1,
	                           .start_ms            = START_MS,
	                           .length_ms           = HOUR_MS,
	                           .zone                = zone,
	                           .late_per_mille      = 20,
	                           .duplicate_per_mille = 10,
	                           .activity            = 7};
}

/* What a test looks at, message by message. `message` lives until it returns. */
typedef void looker(void *context, int64_t sent_ms, struct json message, struct text bytes);

static void look_at(const struct sim_config *config, int64_t end_ms, looker *look, void *context)
{
	struct json_parser *parser  = json_parser_new();
	struct buffer       out     = {0};
	struct sim_traffic *traffic = sim_traffic_new(config);
	int64_t             last_ms = config->start_ms, next_ms;
	while ((next_ms = sim_traffic_next_ms(traffic)) < end_ms) {
		struct json  message;
		struct error err;
		assert_true(next_ms >= last_ms);
		last_ms = next_ms;
		buffer_clear(&out);
		sim_traffic_next(traffic, &out);
		assert_int_equal(json_parse_text(parser, buffer_text(&out), &message, &err), STATUS_OK);
		look(context, next_ms, message, buffer_text(&out));
	}
	sim_traffic_free(traffic);
	buffer_done(&out);
	json_parser_free(parser);
}

static struct text string_of(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_STRING ? json_string(value) : (struct text){0};
}

static bool is_event(struct json message, const char *event)
{
	return text_equal(string_of(message, "event"), text_of(event));
}

static struct text property(struct json message, const char *name)
{
	return string_of(json_get(message, "properties"), name);
}

static int64_t timestamp_of(struct json message)
{
	int64_t at_ms;
	assert_true(instant_parse(string_of(message, "timestamp"), &at_ms));
	return at_ms;
}

/* ---- The same again ---- */

static struct buffer messages_of(const struct sim_config *config, unsigned count)
{
	struct buffer       out     = {0};
	struct sim_traffic *traffic = sim_traffic_new(config);
	for (unsigned i = 0; i < count && sim_traffic_next_ms(traffic) != INSTANT_MS_NEVER; i++)
		sim_traffic_next(traffic, &out);
	sim_traffic_free(traffic);
	return out;
}

static void the_same_seed_gives_the_same_bytes_and_another_gives_others(void **state)
{
	(void)state;
	for (enum sim_scenario scenario = SIM_TRAFFIC; scenario <= SIM_LTV; scenario++)
		for (enum sim_shape shape = SIM_SHOP; shape <= SIM_TRAVEL; shape++) {
			struct sim_config config = config_of(shape, scenario), other = config;
			other.seed          = 8;
			struct buffer first = messages_of(&config, 4000);
			struct buffer again = messages_of(&config, 4000);
			struct buffer more  = messages_of(&other, 4000);
			assert_true(first.length > 100000);
			assert_true(text_equal(buffer_text(&first), buffer_text(&again)));
			assert_false(text_equal(buffer_text(&first), buffer_text(&more)));
			buffer_done(&first);
			buffer_done(&again);
			buffer_done(&more);
		}
}

/* ---- How much, and when ---- */

struct volume {
	uint64_t hours[24]; /* in Seoul */
	uint64_t count, late, identified;
	int64_t  late_ms_max;
};

static void look_at_volume(void *context, int64_t sent_ms, struct json message, struct text bytes)
{
	struct volume *volume  = context;
	int64_t        at_ms   = timestamp_of(message);
	int64_t        late_ms = sent_ms - at_ms;
	(void)bytes;
	assert_true(at_ms >= START_MS && at_ms <= sent_ms);
	volume->hours[(at_ms - START_MS) % DAY_MS / HOUR_MS]++;
	volume->count++;
	volume->late += late_ms > MINUTE_MS + 1000; /* repeated within a minute is not late */
	volume->identified += string_of(message, "userId").length > 0;
	if (late_ms > volume->late_ms_max)
		volume->late_ms_max = late_ms;
}

static void the_rate_is_met_over_the_seasons(void **state)
{
	(void)state;
	for (enum sim_shape shape = SIM_SHOP; shape <= SIM_TRAVEL; shape++) {
		struct volume     volume = {0};
		struct sim_config config = config_of(shape, SIM_TRAFFIC);
		config.flat              = true;
		config.users             = 100000;
		look_at(&config, START_MS + 2 * DAY_MS, look_at_volume, &volume);
		assert_in_range(volume.count, 2 * 86400 * 93 / 100, 2 * 86400 * 105 / 100);
	}
}

static void days_have_a_rhythm_and_some_visits_come_late(void **state)
{
	(void)state;
	struct volume     volume = {0};
	struct sim_config config = config_of(SIM_SHOP, SIM_TRAFFIC);
	look_at(&config, START_MS + 4 * DAY_MS, look_at_volume, &volume);
	assert_true(volume.hours[21] > 8 * volume.hours[4]);
	assert_true(volume.hours[12] > 4 * volume.hours[4]);
	assert_in_range(volume.late * 1000 / volume.count, 12, 28);
	assert_true(volume.late_ms_max > HOUR_MS && volume.late_ms_max <= 2 * DAY_MS + MINUTE_MS);
	assert_true(volume.identified > volume.count / 4 && volume.identified < volume.count);
}

/* ---- Repeated messages ---- */

struct repeats {
	struct map_text first; /* of each messageId, its bytes */
	unsigned        count, repeated;
};

static void look_at_repeats(void *context, int64_t sent_ms, struct json message, struct text bytes)
{
	struct repeats *repeats = context;
	struct text     id      = string_of(message, "messageId");
	struct buffer  *first   = map_text_get(&repeats->first, id);
	(void)sent_ms;
	repeats->count++;
	if (first != NULL) {
		assert_true(text_equal(buffer_text(first), bytes));
		repeats->repeated++;
		return;
	}
	first = calloc(1, sizeof *first);
	assert_non_null(first);
	buffer_add_text(first, bytes);
	*map_text_put(&repeats->first, id) = first;
}

static void messages_have_ids_of_their_own_and_come_twice_only_as_repeats(void **state)
{
	(void)state;
	struct repeats    repeats = {0};
	struct sim_config config  = config_of(SIM_TRAVEL, SIM_TRAFFIC);
	look_at(&config, START_MS + 8 * HOUR_MS, look_at_repeats, &repeats);
	assert_true(repeats.count > 5000);
	assert_in_range(repeats.repeated * 1000 / repeats.count, 6, 14);
	for (size_t i = 0; i < repeats.first.capacity; i++)
		if (repeats.first.slots[i].value != NULL) {
			buffer_done(repeats.first.slots[i].value);
			free(repeats.first.slots[i].value);
		}
	map_text_done(&repeats.first);
}

/* ---- Purchases ---- */

struct purchases {
	struct map_text made;
	unsigned        count, amended, cancelled, refunded, stayed, reviewed;
};

static void look_at_orders(void *context, int64_t sent_ms, struct json message, struct text bytes)
{
	struct purchases *purchases  = context;
	struct json       properties = json_get(message, "properties");
	struct text       id         = property(message, "order_id");
	(void)sent_ms;
	(void)bytes;
	if (id.length == 0)
		return;
	assert_true(string_of(message, "userId").length > 0);
	if (is_event(message, "Order Completed")) {
		assert_true(json_number(json_get(properties, "revenue")) > 0);
		assert_true(json_count(json_get(properties, "products")) >= 1);
		*map_text_put(&purchases->made, id) = purchases;
		purchases->count++;
		return;
	}
	/* Whatever else bears the key comes behind what it is about. */
	assert_ptr_equal(map_text_get(&purchases->made, id), purchases);
	purchases->amended += is_event(message, "Order Updated");
	purchases->cancelled += is_event(message, "Order Cancelled");
	purchases->refunded += is_event(message, "Order Refunded");
}

static void orders_are_changed_cancelled_and_refunded_by_their_keys(void **state)
{
	(void)state;
	struct purchases  purchases = {0};
	struct sim_config config    = config_of(SIM_SHOP, SIM_TRAFFIC);
	config.late_per_mille = config.duplicate_per_mille = 0;
	look_at(&config, START_MS + 5 * DAY_MS, look_at_orders, &purchases);
	assert_true(purchases.count > 3000);
	assert_in_range(purchases.amended * 1000 / purchases.count, 22, 38);
	assert_in_range(purchases.cancelled * 1000 / purchases.count, 13, 27);
	assert_in_range(purchases.refunded * 1000 / purchases.count, 35, 75); /* some are to come */
	map_text_done(&purchases.made);
}

static int64_t day_of(struct json message, const char *name)
{
	int64_t at_ms;
	assert_true(instant_parse(property(message, name), &at_ms));
	return at_ms / DAY_MS;
}

static void check_booking(struct json message)
{
	struct json properties = json_get(message, "properties");
	int64_t     nights     = json_int(json_get(properties, "nights"));
	assert_in_range(nights, 1, 7);
	assert_int_equal(day_of(message, "check_out") - day_of(message, "check_in"), nights);
	assert_int_equal(json_count(json_get(properties, "days_of_week")), nights);
	assert_true(json_number(json_get(properties, "amount")) > 0);
	assert_true(json_int(json_get(properties, "lead_time_days")) >= 0);
}

static void look_at_bookings(void *context, int64_t sent_ms, struct json message, struct text bytes)
{
	struct purchases *purchases = context;
	struct text       id        = property(message, "booking_id");
	(void)sent_ms;
	(void)bytes;
	if (id.length == 0)
		return;
	if (is_event(message, "Booking Created")) {
		check_booking(message);
		assert_true(property(message, "property_id").length > 0);
		*map_text_put(&purchases->made, id) = purchases;
		purchases->count++;
		return;
	}
	assert_ptr_equal(map_text_get(&purchases->made, id), purchases);
	if (is_event(message, "Booking Updated"))
		check_booking(message);
	purchases->amended += is_event(message, "Booking Updated");
	purchases->cancelled += is_event(message, "Booking Cancelled");
	purchases->refunded += is_event(message, "Booking Refunded");
	purchases->stayed += is_event(message, "Stay Completed");
	purchases->reviewed += is_event(message, "Review Submitted");
}

static void bookings_are_amended_cancelled_and_stayed_by_their_keys(void **state)
{
	(void)state;
	struct purchases  purchases = {0};
	struct sim_config config    = config_of(SIM_TRAVEL, SIM_TRAFFIC);
	config.late_per_mille = config.duplicate_per_mille = 0;
	look_at(&config, START_MS + 7 * DAY_MS, look_at_bookings, &purchases);
	assert_true(purchases.count > 3000);
	assert_true(purchases.amended > purchases.count / 30);
	assert_true(purchases.cancelled > purchases.count / 30);
	assert_true(purchases.refunded > 0 && purchases.refunded <= purchases.cancelled);
	assert_true(purchases.stayed > purchases.count / 20);
	assert_in_range(purchases.reviewed * 100 / purchases.stayed, 8, 38);
	map_text_done(&purchases.made);
}

/* ---- Campaigns ---- */

struct campaigns {
	unsigned clicks, messages, orders, discounts;
};

static void look_at_campaigns(void *context, int64_t sent_ms, struct json message,
                              struct text bytes)
{
	struct campaigns *campaigns = context;
	struct json       campaign  = json_get(json_get(message, "context"), "campaign");
	(void)sent_ms;
	(void)bytes;
	if (json_type(campaign) != JSON_OBJECT)
		return;
	campaigns->messages++;
	campaigns->clicks += is_event(message, "Promotion Clicked");
	if (is_event(message, "Order Completed")) {
		campaigns->orders++;
		campaigns->discounts +=
			json_type(json_get(json_get(message, "properties"), "discount")) != JSON_NONE;
	}
}

static void a_campaign_brings_visitors_who_buy_at_a_discount(void **state)
{
	(void)state;
	struct campaigns    campaigns = {0};
	struct sim_config   config    = config_of(SIM_SHOP, SIM_TRAFFIC);
	struct sim_calendar calendar  = {zone, SIM_SHOP, config.seed, false};
	struct sim_campaign campaign;
	config.duplicate_per_mille = 0;
	while (!sim_calendar_campaign(&calendar, config.start_ms, &campaign))
		config.start_ms += HOUR_MS;
	look_at(&config, config.start_ms + DAY_MS, look_at_campaigns, &campaigns);
	assert_true(campaigns.clicks > 1000 && campaigns.messages > 3 * campaigns.clicks);
	assert_true(campaigns.orders > campaigns.clicks / 30);
	assert_int_equal(campaigns.orders, campaigns.discounts);
}

/* ---- Scenarios ---- */

struct steps {
	unsigned homes, clicks, entries, orders, identifies;
	unsigned orders_in[3]; /* 30, 90, 365 days */
};

static void look_at_steps(void *context, int64_t sent_ms, struct json message, struct text bytes)
{
	struct steps *steps  = context;
	struct json   number = json_get(json_get(message, "properties"), "activity_id");
	bool          order  = is_event(message, "Order Completed");
	(void)bytes;
	steps->homes += text_equal(string_of(message, "type"), TEXT("page"));
	steps->clicks += is_event(message, "Activity Clicked");
	steps->entries += is_event(message, "Activity Entered");
	steps->identifies += text_equal(string_of(message, "type"), TEXT("identify"));
	steps->orders += order;
	if (order && json_type(number) == JSON_INT)
		assert_int_equal(json_int(number), 7);
	for (unsigned i = 0; order && i < 3; i++)
		steps->orders_in[i] += sent_ms < START_MS + (const int64_t[]){30, 90, 365}[i] * DAY_MS;
}

static void in_the_funnel_everybody_takes_every_step_once(void **state)
{
	(void)state;
	struct steps      steps    = {0};
	struct sim_config config   = config_of(SIM_SHOP, SIM_FUNNEL);
	config.duplicate_per_mille = 0;
	look_at(&config, INSTANT_MS_NEVER, look_at_steps, &steps);
	assert_int_equal(steps.homes, 500);
	assert_int_equal(steps.clicks, 500);
	assert_int_equal(steps.identifies, 500);
	assert_int_equal(steps.entries, 500);
	assert_int_equal(steps.orders, 500);
}

static void on_the_dashboard_fewer_take_each_step(void **state)
{
	(void)state;
	struct steps      steps    = {0};
	struct sim_config config   = config_of(SIM_SHOP, SIM_DASHBOARD);
	config.duplicate_per_mille = 0;
	look_at(&config, INSTANT_MS_NEVER, look_at_steps, &steps);
	assert_int_equal(steps.homes, 500);
	assert_true(steps.clicks > 200 && steps.clicks < 400);
	assert_true(steps.entries > 100 && steps.entries < steps.clicks);
	assert_true(steps.orders > 50 && steps.orders < steps.entries);
}

/* Each purchase is followed by another with 0.55, on average 46 days later. */
static void of_a_cohort_some_buy_again_and_again(void **state)
{
	(void)state;
	struct steps      steps    = {0};
	struct sim_config config   = config_of(SIM_SHOP, SIM_LTV);
	config.duplicate_per_mille = 0;
	config.users               = 2000;
	look_at(&config, START_MS + 365 * DAY_MS, look_at_steps, &steps);
	assert_in_range(steps.orders_in[0], 2400, 2900);
	assert_in_range(steps.orders_in[1], 3100, 3700);
	assert_in_range(steps.orders_in[2], 4100, 4700);
}

static void profiles_come_first_one_of_each_user(void **state)
{
	(void)state;
	struct steps      steps    = {0};
	struct sim_config config   = config_of(SIM_TRAVEL, SIM_TRAFFIC);
	config.profiles            = true;
	config.duplicate_per_mille = 0;
	look_at(&config, START_MS + 1, look_at_steps, &steps);
	assert_int_equal(steps.identifies, 500);
}

static int open_zone(void **state)
{
	struct error err;
	(void)state;
	return zone_open(TEXT("+09:00"), &zone, &err) == STATUS_OK ? 0 : -1;
}

static int close_zone(void **state)
{
	(void)state;
	zone_close(zone);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_bytes_and_another_gives_others),
		cmocka_unit_test(the_rate_is_met_over_the_seasons),
		cmocka_unit_test(days_have_a_rhythm_and_some_visits_come_late),
		cmocka_unit_test(messages_have_ids_of_their_own_and_come_twice_only_as_repeats),
		cmocka_unit_test(orders_are_changed_cancelled_and_refunded_by_their_keys),
		cmocka_unit_test(bookings_are_amended_cancelled_and_stayed_by_their_keys),
		cmocka_unit_test(a_campaign_brings_visitors_who_buy_at_a_discount),
		cmocka_unit_test(in_the_funnel_everybody_takes_every_step_once),
		cmocka_unit_test(on_the_dashboard_fewer_take_each_step),
		cmocka_unit_test(of_a_cohort_some_buy_again_and_again),
		cmocka_unit_test(profiles_come_first_one_of_each_user),
	};
	return cmocka_run_group_tests(tests, open_zone, close_zone);
}
