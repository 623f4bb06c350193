#include "run.h"

#include "model/merge_out.h"

enum { ALICE = 3, BOB = 5, MINUTE = 60000, ORDERS = 1, VIP = 2, BOTH = 3 };

static struct run run;

static int begin(void **state)
{
	(void)state;
	run_begin(&run);
	return 0;
}

static int end(void **state)
{
	(void)state;
	run_done(&run);
	return 0;
}

static const char two_orders[] =
	"{\"event\":\"Order\",\"within\":\"1m\",\"op\":\"gte\",\"value\":2}";
static const char no_orders[] = "{\"event\":\"Order\",\"within\":\"1m\",\"op\":\"eq\",\"value\":0}";

static void a_person_enters_with_an_event_and_leaves_at_the_very_millisecond(void **state)
{
	(void)state;
	run_define(&run, 1000, ORDERS, two_orders);
	run_event(&run, ALICE, 2000, 2000, "Order", "{}", NULL);
	run_event(&run, ALICE, 5000, 5000, "Order", "{}", NULL);
	assert_true(run_is_member(&run, ALICE, ORDERS));

	partition_advance(run.partition, 2000 + MINUTE - 1);
	assert_true(run_is_member(&run, ALICE, ORDERS));
	partition_advance(run.partition, 100 * MINUTE);
	assert_false(run_is_member(&run, ALICE, ORDERS));

	run_expect(&run, 0, ALICE, 0, true, CAUSE_CREATED, 2000);
	run_expect(&run, 1, ALICE, ORDERS, true, CAUSE_EVENT, 5000);
	run_expect(&run, 2, ALICE, ORDERS, false, CAUSE_EXPIRY, 2000 + MINUTE);
	assert_int_equal(run.partition->changes.count, 3);
}

static void an_event_of_the_future_begins_by_timer_and_is_named_as_the_cause(void **state)
{
	(void)state;
	run_define(&run, 1000, ORDERS, two_orders);
	run_event(&run, ALICE, 2000, 2000, "Order", "{}", NULL);
	uint64_t position = run_event(&run, ALICE, 3000, 9000, "Order", "{}", NULL);

	partition_advance(run.partition, 8999);
	assert_false(run_is_member(&run, ALICE, ORDERS));
	partition_advance(run.partition, 9000);
	assert_true(run_is_member(&run, ALICE, ORDERS));
	run_expect(&run, 1, ALICE, ORDERS, true, CAUSE_EVENT, 9000);
	assert_int_equal(changes_at(&run.partition->changes, 1)->change.event_position, position);
}

static void a_message_id_counts_once(void **state)
{
	(void)state;
	run_define(&run, 1000, ORDERS, two_orders);
	run_event(&run, ALICE, 2000, 2000, "Order", "{}", "m1");
	run_event(&run, ALICE, 3000, 3000, "Order", "{}", "m1");
	assert_false(run_is_member(&run, ALICE, ORDERS));

	run_event(&run, BOB, 3000, 3000, "Order", "{}", "m1");
	run_event(&run, BOB, 3000, 3000, "Order", "{}", "m2");
	assert_true(run_is_member(&run, BOB, ORDERS));
}

static void a_late_event_enters_nobody_whose_window_is_over(void **state)
{
	(void)state;
	run_define(&run, 1000, ORDERS, two_orders);
	run_event(&run, ALICE, 200000, 200000, "Order", "{}", NULL);
	run_event(&run, ALICE, 200001, 140001, "Order", "{}", NULL);
	assert_false(run_is_member(&run, ALICE, ORDERS));

	run_event(&run, ALICE, 200001, 140002, "Order", "{}", NULL);
	assert_true(run_is_member(&run, ALICE, ORDERS));
	partition_advance(run.partition, 140002 + MINUTE);
	assert_false(run_is_member(&run, ALICE, ORDERS));
}

static void a_rule_that_holds_without_events_is_one_entry_for_everyone(void **state)
{
	(void)state;
	run_event(&run, ALICE, 1000, 1000, "Order", "{}", NULL);
	run_event(&run, BOB, 1000, 1000, "Click", "{}", NULL);
	run_define(&run, 2000, ORDERS, no_orders);

	run_expect(&run, 2, SLOT_NONE, ORDERS, true, CAUSE_DEFINITION, 2000);
	run_expect(&run, 3, ALICE, ORDERS, false, CAUSE_DEFINITION, 2000);
	assert_int_equal(run.partition->changes.count, 4);
	assert_true(run_is_member(&run, BOB, ORDERS));
	partition_advance(run.partition, 1000 + MINUTE);
	run_expect(&run, 4, ALICE, ORDERS, true, CAUSE_EXPIRY, 1000 + MINUTE);
}

static void a_derived_segment_follows_in_the_same_step_without_a_glitch(void **state)
{
	(void)state;
	run_define(&run, 1000, ORDERS, two_orders);
	run_define(&run, 1000, VIP, "{\"not\":{\"segment\":\"1\"}}");
	run_define(&run, 1000, BOTH, "{\"or\":[{\"segment\":\"1\"},{\"segment\":\"2\"}]}");
	run_event(&run, ALICE, 2000, 2000, "Order", "{}", NULL);
	uint64_t before = run.partition->changes.count;
	run_event(&run, ALICE, 3000, 3000, "Order", "{}", NULL);

	run_expect(&run, before, ALICE, ORDERS, true, CAUSE_EVENT, 3000);
	run_expect(&run, before + 1, ALICE, VIP, false, CAUSE_EVENT, 3000);
	assert_int_equal(run.partition->changes.count, before + 2);
	assert_true(run_is_member(&run, ALICE, BOTH));
}

static void a_derived_segment_waits_for_its_base_whatever_their_numbers_are(void **state)
{
	(void)state;
	run_define(&run, 1000, BOTH, two_orders);
	run_define(&run, 1000, ORDERS,
	           "{\"and\":[{\"segment\":\"3\"},"
	           "{\"event\":\"Order\",\"within\":\"1m\",\"op\":\"eq\",\"value\":2}]}");
	run_event(&run, ALICE, 2000, 2000, "Order", "{}", NULL);
	uint64_t before = run.partition->changes.count;
	run_event(&run, ALICE, 3000, 3000, "Order", "{}", NULL);

	run_expect(&run, before, ALICE, BOTH, true, CAUSE_EVENT, 3000);
	run_expect(&run, before + 1, ALICE, ORDERS, true, CAUSE_EVENT, 3000);
	assert_int_equal(run.partition->changes.count, before + 2);
}

static void an_edit_records_only_the_difference_and_takes_derived_ones_along(void **state)
{
	(void)state;
	run_define(&run, 1000, ORDERS, two_orders);
	run_define(&run, 1000, VIP, "{\"segment\":\"1\"}");
	run_event(&run, ALICE, 2000, 2000, "Order", "{}", NULL);
	run_event(&run, ALICE, 3000, 3000, "Order", "{}", NULL);
	run_event(&run, BOB, 4000, 4000, "Order", "{}", NULL);
	uint64_t before = run.partition->changes.count;

	const uint32_t    segments[] = {ORDERS, VIP}, versions[] = {2, 1};
	const char *const expressions[] = {
		"{\"event\":\"Order\",\"within\":\"1m\",\"op\":\"gte\",\"value\":1}",
		"{\"segment\":\"1\"}"};
	run_prepare(&run, 5000, 2, segments, versions, expressions);
	assert_int_equal(run.partition->changes.count, before);
	run_activate(&run, 6000, 0, NULL);

	run_expect(&run, before, BOB, ORDERS, true, CAUSE_DEFINITION, 6000);
	run_expect(&run, before + 1, BOB, VIP, true, CAUSE_DEFINITION, 6000);
	assert_int_equal(run.partition->changes.count, before + 2);
	partition_advance(run.partition, 2000 + MINUTE);
	assert_true(run_is_member(&run, ALICE, ORDERS));
	partition_advance(run.partition, 3000 + MINUTE);
	assert_false(run_is_member(&run, ALICE, VIP));
}

static void switching_off_lets_the_members_go(void **state)
{
	(void)state;
	run_define(&run, 1000, ORDERS, two_orders);
	run_event(&run, ALICE, 2000, 2000, "Order", "{}", NULL);
	run_event(&run, ALICE, 3000, 3000, "Order", "{}", NULL);
	const uint32_t off = ORDERS;
	run_activate(&run, 4000, 1, &off);

	run_expect(&run, 2, ALICE, ORDERS, false, CAUSE_DEFINITION, 4000);
	assert_false(run_is_member(&run, ALICE, ORDERS));
	partition_advance(run.partition, 100 * MINUTE);
	assert_int_equal(run.partition->changes.count, 3);
}

static void a_definition_record_that_comes_twice_counts_once(void **state)
{
	(void)state;
	run_define(&run, 1000, ORDERS, two_orders);
	run_event(&run, ALICE, 2000, 2000, "Order", "{}", NULL);
	run.change_id--;
	run_define(&run, 3000, ORDERS, two_orders);
	run_event(&run, ALICE, 4000, 4000, "Order", "{}", NULL);

	assert_int_equal(run.partition->catalog.rules.count, 1);
	assert_true(run_is_member(&run, ALICE, ORDERS));
}

/* What is kept of windows and memberships. */
static uint64_t kept_bytes(void)
{
	uint64_t bytes = 0;
	for (uint32_t slot = 0; slot < run.partition->profiles.slot_count; slot++) {
		const struct profile *profile = profiles_find(&run.partition->profiles, slot);
		for (uint32_t i = 0; profile->features != NULL && i < profile->features->count; i++)
			bytes += sizeof profile->features->items[0] +
			         series_bytes(profile->features->items[i].series);
		if (profile->memberships != NULL)
			bytes += profile->memberships->count * sizeof profile->memberships->items[0];
	}
	return bytes;
}

enum { CROWD = 3000, LATER = 3 * MINUTE };

/* Two orders each, which are over for one minute's window when LATER comes, and a newer one. */
static void feed_crowd(void)
{
	for (uint32_t slot = 0; slot < CROWD; slot++) {
		run_event(&run, slot, 1000, 1000, "Order", "{\"p\":5}", NULL);
		run_event(&run, slot, 1001, 1001, "Order", "{\"p\":5}", NULL);
	}
	for (uint32_t slot = 0; slot < CROWD; slot++)
		run_event(&run, slot, LATER, LATER, "Order", "{\"p\":5}", NULL);
}

/* A version that looks back further, and at what nothing has looked at. */
static void prepare_edit(int64_t at_ms)
{
	const uint32_t    segment = ORDERS, version = 2;
	const char *const expression =
		"{\"or\":[{\"event\":\"Order\",\"within\":\"9m\",\"op\":\"gte\",\"value\":1},"
		"{\"event\":\"Order\",\"within\":\"8m\",\"aggregate\":\"sum\",\"property\":\"n\","
		"\"op\":\"gt\",\"value\":9},"
		"{\"event\":\"Order\",\"within\":\"9m\",\"aggregate\":\"sum\",\"property\":\"p\","
		"\"op\":\"gt\",\"value\":9}]}";
	run_prepare(&run, at_ms, 1, &segment, &version, &expression);
}

static const char spent[] =
	"{\"event\":\"Order\",\"within\":\"1m\",\"aggregate\":\"sum\",\"property\":\"p\","
	"\"op\":\"gt\",\"value\":1}";

static void what_is_abandoned_leaves_nothing_however_far_it_was_built(void **state)
{
	(void)state;
	run_define(&run, 500, ORDERS, two_orders);
	run_define(&run, 500, VIP, spent);
	feed_crowd();
	uint64_t changes = run.partition->changes.count, before = 0;
	for (unsigned part = 0; part <= 3; part++) {
		prepare_edit(LATER + 10 + part);
		if (part > 0)
			partition_build(run.partition, part * CROWD / 3 + (part == 3));
		assert_true(part == 0 || kept_bytes() > before + CROWD / 3);
		run_abandon(&run, LATER + 10 + part, run.change_id, 0, NULL);
		assert_null(run.partition->builds);
		/* What ended before a build is let go of by the way. */
		if (part == 0)
			before = kept_bytes();
		else
			assert_true(kept_bytes() <= before);
		assert_int_equal(run.partition->changes.count, changes);
	}
	assert_false(run_is_member(&run, ALICE, ORDERS));
	partition_advance(run.partition, LATER + MINUTE - 1);
	assert_true(run_is_member(&run, ALICE, VIP));
	partition_advance(run.partition, LATER + MINUTE);
	assert_int_equal(run.partition->changes.count, changes + CROWD);
}

static void of_activation_and_abandonment_the_first_decides(void **state)
{
	(void)state;
	run_define(&run, 500, ORDERS, two_orders);
	run_event(&run, ALICE, 1000, 1000, "Order", "{}", NULL);
	prepare_edit(2000);
	run_abandon(&run, 2000, run.change_id, 0, NULL);
	run_activate(&run, 2000, 0, NULL);
	assert_false(run_is_member(&run, ALICE, ORDERS));

	prepare_edit(3000);
	run_activate(&run, 3000, 0, NULL);
	run_abandon(&run, 3000, run.change_id, 0, NULL);
	assert_true(run_is_member(&run, ALICE, ORDERS));

	/* A record that overtook its PREPARE, which no writer of ours lets happen, decides too. */
	run_abandon(&run, 4000, run.change_id + 1, 0, NULL);
	prepare_edit(4000);
	assert_null(run.partition->builds);
}

static void an_abandoned_change_still_switches_off(void **state)
{
	(void)state;
	run_define(&run, 500, ORDERS, two_orders);
	run_define(&run, 500, VIP, two_orders);
	run_event(&run, ALICE, 1000, 1000, "Order", "{}", NULL);
	run_event(&run, ALICE, 1000, 1000, "Order", "{}", NULL);
	prepare_edit(2000);
	const uint32_t off    = VIP;
	uint64_t       before = run.partition->changes.count;
	run_abandon(&run, 2000, run.change_id, 1, &off);
	assert_int_equal(run.partition->changes.count, before + 1);
	run_expect(&run, before, ALICE, VIP, false, CAUSE_DEFINITION, 2000);
	assert_true(run_is_member(&run, ALICE, ORDERS));
}

static void a_build_that_shares_with_an_abandoned_one_is_whole(void **state)
{
	(void)state;
	run_define(&run, 500, ORDERS, two_orders);
	feed_crowd();
	prepare_edit(LATER);
	partition_build(run.partition, CROWD / 2);
	uint64_t          doomed_id = run.change_id;
	const uint32_t    segment = VIP, version = 1;
	const char *const expression =
		"{\"and\":[{\"event\":\"Order\",\"within\":\"9m\",\"op\":\"gte\",\"value\":1},"
		"{\"event\":\"Order\",\"within\":\"9m\",\"aggregate\":\"sum\",\"property\":\"p\","
		"\"op\":\"gt\",\"value\":9}]}";
	run_prepare(&run, LATER, 1, &segment, &version, &expression);
	run_abandon(&run, LATER, doomed_id, 0, NULL);
	run_activate(&run, LATER, 0, NULL);
	for (uint32_t slot = 0; slot < CROWD; slot++)
		assert_true(run_is_member(&run, slot, VIP));
	partition_advance(run.partition, 1001 + 9 * MINUTE);
	for (uint32_t slot = 0; slot < CROWD; slot++)
		assert_false(run_is_member(&run, slot, VIP));
}

static void a_trait_that_changes_moves_its_person(void **state)
{
	(void)state;
	run_define(&run, 1000, VIP, "{\"trait\":\"tier\",\"op\":\"eq\",\"value\":\"VIP\"}");
	run_traits(&run, ALICE, 2000, "{\"tier\":\"VIP\",\"age\":30}");
	assert_true(run_is_member(&run, ALICE, VIP));
	run_traits(&run, ALICE, 3000, "{\"tier\":null}");

	run_expect(&run, 1, ALICE, VIP, true, CAUSE_TRAIT, 2000);
	run_expect(&run, 2, ALICE, VIP, false, CAUSE_TRAIT, 3000);
}

static void feed_visitor(const char *message_id, int64_t at_ms)
{
	struct buffer list  = {0};
	size_t        begin = value_list_begin(&list);
	value_list_end(&list, begin, 0);
	run_feed(&run, at_ms,
	         &(struct record){.kind         = RECORD_EVENT,
	                          .slot         = ALICE,
	                          .call         = CALL_TRACK,
	                          .timestamp_ms = at_ms,
	                          .skew_ms      = INSTANT_MS_NONE,
	                          .name         = TEXT("Order"),
	                          .message_id   = text_of(message_id),
	                          .properties   = buffer_text(&list)});
	buffer_done(&list);
}

static void what_reaches_a_visitor_who_has_become_a_user_is_queued_for_the_user(void **state)
{
	(void)state;
	struct buffer body = {0};
	merge_out_encode((struct person){1, BOB}, &body);
	feed_visitor("before", 1000);
	run_feed(&run, 2000,
	         &(struct record){.kind = RECORD_MERGE_OUT, .slot = ALICE, .body = buffer_text(&body)});
	assert_int_equal(run.partition->merges.caused.count, 1);

	feed_visitor("behind", 3000);

	assert_int_equal(run.partition->merges.caused.count, 2);
	assert_int_equal(run.partition->merges.caused.items[1].user.slot, BOB);
	assert_int_equal(run.partition->merges.caused.items[1].received_ms, 3000);
	assert_int_equal(run.partition->profiles.person_count, 0);
	buffer_done(&body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_person_enters_with_an_event_and_leaves_at_the_very_millisecond),
		TEST(an_event_of_the_future_begins_by_timer_and_is_named_as_the_cause),
		TEST(a_message_id_counts_once),
		TEST(a_late_event_enters_nobody_whose_window_is_over),
		TEST(a_rule_that_holds_without_events_is_one_entry_for_everyone),
		TEST(a_derived_segment_follows_in_the_same_step_without_a_glitch),
		TEST(what_reaches_a_visitor_who_has_become_a_user_is_queued_for_the_user),
		TEST(a_derived_segment_waits_for_its_base_whatever_their_numbers_are),
		TEST(an_edit_records_only_the_difference_and_takes_derived_ones_along),
		TEST(switching_off_lets_the_members_go),
		TEST(a_definition_record_that_comes_twice_counts_once),
		TEST(what_is_abandoned_leaves_nothing_however_far_it_was_built),
		TEST(of_activation_and_abandonment_the_first_decides),
		TEST(an_abandoned_change_still_switches_off),
		TEST(a_build_that_shares_with_an_abandoned_one_is_whole),
		TEST(a_trait_that_changes_moves_its_person),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
