#include "app/simulate_shop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/instant.h"
#include "base/json.h"
#include "base/map.h"

#define START_MS INT64_C(1736245800000)

static const struct shop_config config = {
	.seed = 7, .users = 100, .rate = 50, .start_ms = START_MS};

enum { MESSAGES = 20000 };

static struct buffer messages_of(const struct shop_config *of)
{
	struct buffer out  = {0};
	struct shop  *shop = shop_new(of);
	for (unsigned i = 0; i < MESSAGES; i++) {
		shop_next(shop, &out);
		buffer_add_u8(&out, '\n');
	}
	shop_free(shop);
	return out;
}

static void the_same_seed_gives_the_same_messages_and_another_gives_others(void **state)
{
	(void)state;
	struct shop_config other = config;
	other.seed               = 8;
	struct buffer first = messages_of(&config), again = messages_of(&config),
				  others = messages_of(&other);
	assert_true(text_equal(buffer_text(&first), buffer_text(&again)));
	assert_false(text_equal(buffer_text(&first), buffer_text(&others)));
	buffer_done(&first);
	buffer_done(&again);
	buffer_done(&others);
}

static void messages_come_in_the_order_of_their_instants_at_about_the_rate(void **state)
{
	(void)state;
	struct buffer out     = {0};
	struct shop  *shop    = shop_new(&config);
	int64_t       last_ms = START_MS;
	for (unsigned i = 0; i < MESSAGES; i++) {
		assert_true(shop_next_ms(shop) >= last_ms);
		last_ms = shop_next_ms(shop);
		buffer_clear(&out);
		shop_next(shop, &out);
	}
	double rate = MESSAGES * 1000.0 / (double)(last_ms - START_MS);
	assert_true(rate > 0.8 * config.rate && rate < 1.25 * config.rate);
	shop_free(shop);
	buffer_done(&out);
}

struct seen {
	struct map_text ids;
	unsigned        orders, refunds, identifies, pages, others;
};

static void check_message(struct json message, struct seen *seen)
{
	int64_t     at_ms;
	struct text type = json_string(json_get(message, "type"));
	struct text id   = json_string(json_get(message, "messageId"));
	assert_true(instant_parse(json_string(json_get(message, "timestamp")), &at_ms));
	assert_null(map_text_get(&seen->ids, id));
	*map_text_put(&seen->ids, id) = seen;
	assert_true(json_type(json_get(message, "userId")) == JSON_STRING ||
	            json_type(json_get(message, "anonymousId")) == JSON_STRING);
	if (text_equal(type, TEXT("page"))) {
		seen->pages++;
		return;
	}
	if (text_equal(type, TEXT("identify"))) {
		assert_int_equal(json_type(json_get(message, "userId")), JSON_STRING);
		assert_int_equal(json_type(json_get(message, "traits")), JSON_OBJECT);
		seen->identifies++;
		return;
	}
	struct text event      = json_string(json_get(message, "event"));
	struct json properties = json_get(message, "properties");
	if (text_equal(event, TEXT("Order Completed"))) {
		assert_true(json_number(json_get(properties, "revenue")) > 0);
		assert_int_equal(json_type(json_get(message, "userId")), JSON_STRING);
		seen->orders++;
	} else if (text_equal(event, TEXT("Order Refunded"))) {
		assert_true(json_number(json_get(properties, "total")) > 0);
		seen->refunds++;
	} else {
		seen->others++;
	}
}

static void all_kinds_occur_complete_and_with_ids_of_their_own(void **state)
{
	(void)state;
	struct json_parser *parser = json_parser_new();
	struct buffer       out    = {0};
	struct shop        *shop   = shop_new(&config);
	struct seen         seen   = {0};
	for (unsigned i = 0; i < MESSAGES; i++) {
		struct json  message;
		struct error err;
		buffer_clear(&out);
		shop_next(shop, &out);
		assert_int_equal(json_parse_text(parser, buffer_text(&out), &message, &err), STATUS_OK);
		check_message(message, &seen);
	}
	assert_true(seen.orders > 100 && seen.refunds > 0 && seen.identifies > 100);
	assert_true(seen.pages > 1000 && seen.others > 5000);
	map_text_done(&seen.ids);
	shop_free(shop);
	buffer_done(&out);
	json_parser_free(parser);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_messages_and_another_gives_others),
		cmocka_unit_test(messages_come_in_the_order_of_their_instants_at_about_the_rate),
		cmocka_unit_test(all_kinds_occur_complete_and_with_ids_of_their_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
