#include "engine/dimension/enrich.h"

#include "run.h"

#include "base/hash.h"

enum { USER = 3 };

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

/* The category of each stored event of the person, "-" for none: "a b -". */
static const char *categories(uint32_t slot)
{
	static char               text[256];
	const struct events_query query  = {.from_ms          = INT64_MIN,
	                                    .to_ms            = INT64_MAX,
	                                    .through_position = UINT64_MAX,
	                                    .now_ms           = 1000000,
	                                    .retention_ms     = RUN_RETENTION_MS};
	event_list                list   = {0};
	size_t                    length = 0;
	text[0]                          = '\0';
	events_read(run.partition->events, slot, &query, &list);
	for (size_t i = 0; i < list.count; i++) {
		struct text  properties = list.items[i].record.properties;
		struct value value = value_find(properties, TEXT("category"), hash_name(TEXT("category")));
		struct text  found = value.type == VALUE_STRING ? value.text : TEXT("-");
		length += (size_t)snprintf(text + length, sizeof text - length, "%s%.*s", i > 0 ? " " : "",
		                           TEXT_FORMAT(found));
	}
	event_list_done(&list);
	return text;
}

static void see(int64_t at_ms, const char *properties)
{
	run_event(&run, USER, at_ms, at_ms, "Product Viewed", properties, NULL);
}

static void an_event_gets_what_is_in_force_when_it_is_applied(void **state)
{
	(void)state;
	see(10, "{\"product_id\":\"p\"}");
	run_dimension(&run, 20, "p", "{\"category\":\"a\"}");
	see(20, "{\"product_id\":\"p\"}");
	run_dimension(&run, 30, "p", "{\"category\":\"b\"}");
	see(40, "{\"product_id\":\"p\"}");
	see(50, "{\"product_id\":\"q\"}");
	see(60, "{\"product_id\":\"p\",\"category\":\"own\"}");
	run_dimension(&run, 70, "p", NULL);
	see(80, "{\"product_id\":\"p\"}");
	assert_string_equal(categories(USER), "- a b - own -");
	assert_int_equal(run.partition->enrichment.events, 2);
}

static void segments_see_what_an_event_got_and_a_replay_gives_the_same(void **state)
{
	(void)state;
	run_define(&run, 5, 1,
	           "{\"event\":\"Product Viewed\",\"where\":{\"property\":\"category\",\"op\":\"eq\","
	           "\"value\":\"a\"},\"within\":\"60s\",\"op\":\"gte\",\"value\":1}");
	run_dimension(&run, 20, "p", "{\"category\":\"a\"}");
	see(30, "{\"product_id\":\"p\"}");
	assert_true(run_is_member(&run, USER, 1));
	run_dimension(&run, 40, "p", "{\"category\":\"b\"}");
	assert_true(run_is_member(&run, USER, 1));
	partition_advance(run.partition, 100000);
	assert_false(run_is_member(&run, USER, 1));
	see(100000, "{\"product_id\":\"p\"}");
	assert_false(run_is_member(&run, USER, 1));
	struct buffer live = {0}, again = {0};
	run_stream(run.partition, &live);
	run_replay(&run, 100000, &again);
	assert_int_equal(live.length, again.length);
	assert_memory_equal(live.data, again.data, live.length);
	buffer_done(&live);
	buffer_done(&again);
}

static void a_number_that_was_told_already_is_not_in_force_again(void **state)
{
	(void)state;
	run_dimension(&run, 10, "p", "{\"category\":\"a\"}");
	run_dimension(&run, 20, "p", "{\"category\":\"b\"}");
	run.dimension_number = 0;
	run_dimension(&run, 30, "p", "{\"category\":\"c\"}");
	see(40, "{\"product_id\":\"p\"}");
	assert_string_equal(categories(USER), "b");
}

static void numbers_before_what_a_restart_reads_are_forgotten(void **state)
{
	(void)state;
	struct enrichment *enrichment = &run.partition->enrichment;
	uint64_t           positions[4];
	for (int i = 0; i < 4; i++) {
		char row[32];
		snprintf(row, sizeof row, "{\"category\":\"c%d\"}", i);
		see(10 + i, "{}");
		run_dimension(&run, 10 + i, "p", row);
		positions[i] = run.position;
	}
	assert_int_equal(enrichment_number(enrichment, positions[1] - 1), 1);
	enrichment_forget(enrichment, 0, positions[0] - 1);
	assert_int_equal(enrichment->in_force.count, 4);
	enrichment_forget(enrichment, 0, positions[2]);
	assert_int_equal(enrichment->in_force.count, 2);
	assert_int_equal(enrichment_number(enrichment, positions[2]), 3);
	assert_int_equal(enrichment_number(enrichment, UINT64_MAX), 4);
	struct buffer     saved = {0};
	struct enrichment other;
	enrichment_init(&other);
	enrichment_save(enrichment, &saved);
	struct byte_reader reader = byte_reader_of(saved.data, saved.length);
	assert_true(enrichment_load(&other, &reader));
	assert_int_equal(enrichment_number(&other, positions[3] - 1), 3);
	assert_int_equal(enrichment_number(&other, positions[3]), 4);
	enrichment_done(&other);
	buffer_done(&saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_event_gets_what_is_in_force_when_it_is_applied, begin,
	                                    end),
		cmocka_unit_test_setup_teardown(segments_see_what_an_event_got_and_a_replay_gives_the_same,
	                                    begin, end),
		cmocka_unit_test_setup_teardown(a_number_that_was_told_already_is_not_in_force_again, begin,
	                                    end),
		cmocka_unit_test_setup_teardown(numbers_before_what_a_restart_reads_are_forgotten, begin,
	                                    end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
