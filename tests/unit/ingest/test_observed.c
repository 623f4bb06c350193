#include "ingest/observed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "ingest/watch.h"

struct fixture {
	struct observed_totals totals;
	struct observed       *table;
	struct arena           arena;
	observed_row_list      rows;
	uint64_t               beyond;
};

static int new_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	fixture->table          = observed_new(OBSERVED_TYPES, &fixture->totals);
	arena_init(&fixture->arena);
	*state = fixture;
	return 0;
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	observed_free(fixture->table);
	assert_int_equal(fixture->totals.bytes, 0);
	assert_int_equal(fixture->totals.names, 0);
	assert_int_equal(fixture->totals.drifted, 0);
	arena_done(&fixture->arena);
	VECTOR_DONE(&fixture->rows);
	free(fixture);
	return 0;
}

/* False: no room. */
static bool see(struct observed *table, const char *event, const char *property,
                enum observed_kind kind, int64_t at_ms)
{
	const struct observed_seen seen = {1, at_ms, at_ms, TEXT("m")};
	struct observed_name      *name =
		observed_name(table, text_of(event), text_of(property), kind != OBSERVED_UNPLANNED_EVENT);
	if (name != NULL)
		observed_add(table, &(struct observed_add){name, kind}, 1, &seen);
	return name != NULL;
}

static void list(struct fixture *fixture)
{
	fixture->rows.count = 0;
	observed_list(fixture->table, &fixture->arena, &fixture->rows, &fixture->beyond);
}

static size_t take(struct fixture *fixture, bool new_only)
{
	fixture->rows.count = 0;
	observed_take(fixture->table, new_only, &fixture->arena, &fixture->rows);
	return fixture->rows.count;
}

static void rows_are_added_up_and_listed_by_name(void **state)
{
	struct fixture *fixture = *state;
	see(fixture->table, "주문", "값", OBSERVED_STRING, 30);
	see(fixture->table, "주문", "값", OBSERVED_NUMBER, 10);
	see(fixture->table, "주문", "값", OBSERVED_NUMBER, 20);
	see(fixture->table, "A", "z", OBSERVED_OBJECT, 5);
	list(fixture);
	assert_int_equal(fixture->rows.count, 3);
	assert_true(text_equal(fixture->rows.items[0].event, TEXT("A")));
	assert_int_equal(fixture->rows.items[1].kind, OBSERVED_NUMBER);
	assert_int_equal(fixture->rows.items[1].seen.count, 2);
	assert_int_equal(fixture->rows.items[1].seen.first_ms, 10);
	assert_int_equal(fixture->rows.items[1].seen.last_ms, 20);
	assert_true(text_equal(fixture->rows.items[2].seen.sample, TEXT("m")));
	assert_int_equal(fixture->totals.drifted, 1);
	assert_int_equal(fixture->totals.names, 2);
}

static void what_has_no_room_is_counted_but_a_new_type_of_a_known_name_has_room(void **state)
{
	struct fixture *fixture = *state;
	char            name[16];
	for (unsigned i = 0; i < OBSERVED_PROPERTIES_MAX + 3; i++) {
		snprintf(name, sizeof name, "p%u", i);
		assert_int_equal(see(fixture->table, "E", name, OBSERVED_NUMBER, 1),
		                 i < OBSERVED_PROPERTIES_MAX);
	}
	assert_true(see(fixture->table, "E", "p0", OBSERVED_STRING, 1));
	list(fixture);
	assert_int_equal(fixture->rows.count, OBSERVED_PROPERTIES_MAX + 1);
	assert_int_equal(fixture->beyond, 3);
	assert_int_equal(fixture->totals.beyond, 3);
	assert_int_equal(fixture->totals.drifted, 1);
}

static void what_no_plan_names_leaves_room_for_what_one_does(void **state)
{
	struct fixture *fixture = *state;
	char            name[16];
	observed_free(fixture->table);
	fixture->table = observed_new(OBSERVED_VIOLATIONS, &fixture->totals);
	for (unsigned i = 0; i < OBSERVED_VIOLATIONS_MAX; i++) {
		snprintf(name, sizeof name, "e%u", i);
		assert_int_equal(see(fixture->table, name, "", OBSERVED_UNPLANNED_EVENT, 1),
		                 i < OBSERVED_UNPLANNED_MAX);
	}
	assert_true(see(fixture->table, "E", "p", OBSERVED_MISSING, 1));
}

static void what_changed_is_taken_once_and_again_when_it_was_not_kept(void **state)
{
	struct fixture *fixture = *state;
	see(fixture->table, "E", "a", OBSERVED_NUMBER, 1);
	assert_int_equal(take(fixture, true), 1);
	assert_int_equal(take(fixture, false), 0);
	see(fixture->table, "E", "a", OBSERVED_NUMBER, 2);
	see(fixture->table, "E", "b", OBSERVED_NUMBER, 2);
	assert_int_equal(take(fixture, true), 1);
	assert_true(text_equal(fixture->rows.items[0].property, TEXT("b")));
	assert_int_equal(take(fixture, false), 1);
	assert_int_equal(fixture->rows.items[0].seen.count, 2);
	observed_return(fixture->table);
	assert_int_equal(take(fixture, true), 2);
}

static void what_was_loaded_goes_on(void **state)
{
	struct fixture           *fixture = *state;
	const struct observed_row row     = {
			.event    = TEXT("E"),
			.property = TEXT("p"),
			.kind     = OBSERVED_NUMBER,
			.seen     = {.count = 7, .first_ms = 3, .last_ms = 9, .sample = TEXT("old")}};
	observed_load(fixture->table, &row);
	observed_load(fixture->table, &(struct observed_row){.kind = OBSERVED_BEYOND, .seen = {2}});
	assert_int_equal(take(fixture, false), 0);
	see(fixture->table, "E", "p", OBSERVED_NUMBER, 10);
	see(fixture->table, "E", "p", OBSERVED_STRING, 10);
	list(fixture);
	assert_int_equal(fixture->rows.items[0].seen.count, 8);
	assert_int_equal(fixture->rows.items[0].seen.first_ms, 3);
	assert_int_equal(fixture->beyond, 2);
	assert_int_equal(fixture->totals.drifted, 1);
}

static void who_still_points_to_what_is_forgotten_adds_nothing(void **state)
{
	struct fixture            *fixture = *state;
	const struct observed_seen seen    = {1, 1, 1, TEXT("")};
	struct observed_name      *name    = observed_name(fixture->table, TEXT("E"), TEXT("p"), true);
	observed_retire(fixture->table);
	observed_add(fixture->table, &(struct observed_add){name, OBSERVED_NUMBER}, 1, &seen);
	list(fixture);
	assert_int_equal(fixture->rows.count, 0);
	observed_free_retired(fixture->table);
	assert_int_equal(fixture->totals.bytes, 0);
}

/* ---- Through ingest ---- */

static char *types_of(struct harness *harness)
{
	static char       text[4096];
	struct arena      arena;
	observed_row_list rows = {0};
	uint64_t          beyond;
	size_t            at = 0;
	arena_init(&arena);
	watch_flush(ingest_watch(harness->ingest));
	observed_list(source_observed(harness->planned, OBSERVED_TYPES), &arena, &rows, &beyond);
	text[0] = '\0';
	for (size_t i = 0; i < rows.count; i++)
		at +=
			(size_t)snprintf(text + at, sizeof text - at, "%s%.*s/%.*s:%s=%d", i > 0 ? " " : "",
		                     TEXT_FORMAT(rows.items[i].event), TEXT_FORMAT(rows.items[i].property),
		                     observed_kind_name(rows.items[i].kind), (int)rows.items[i].seen.count);
	VECTOR_DONE(&rows);
	arena_done(&arena);
	return text;
}

static void watch_source(struct harness *harness)
{
	harness->planned = source_of(ingest_sources(harness->ingest), 7);
}

static void types_are_seen_of_every_property_and_inner_field(void **state)
{
	struct harness *harness = *state;
	watch_source(harness);
	for (unsigned i = 0; i < 3; i++)
		assert_accepted(harness, INGEST_TRACK,
		                "{\"userId\":\"u\",\"event\":\"주문\",\"properties\":{\"n\":1,\"t\":true,"
		                "\"s\":\"x\",\"o\":{\"i\":1.5,\"e\":[]},\"l\":[\"a\"],\"a\":[1],\"z\":null,"
		                "\"email\":\"a@b.kr\"}}");
	assert_string_equal(types_of(harness),
	                    "주문/:event=3 주문/a:array=3 주문/email:string=3 주문/l:string_set=3 "
	                    "주문/n:number=3 주문/o:object=3 주문/o.i:number=3 주문/s:string=3 "
	                    "주문/t:boolean=3");
}

static void every_type_that_a_property_comes_with_is_seen(void **state)
{
	static const char *const values[] = {"1", "\"a\"", "true", "[\"a\"]", "[1]", "{}"};
	struct harness          *harness  = *state;
	char                     json[256];
	watch_source(harness);
	for (unsigned i = 0; i < 12; i++) {
		snprintf(json, sizeof json, "{\"userId\":\"u\",\"event\":\"E\",\"properties\":{\"p\":%s}}",
		         values[i % 6]);
		assert_accepted(harness, INGEST_TRACK, json);
	}
	assert_string_equal(types_of(harness),
	                    "E/:event=12 E/p:boolean=2 E/p:number=2 E/p:string=2 E/p:string_set=2 "
	                    "E/p:array=2 E/p:object=2");
}

static void shapes_that_differ_in_names_order_nesting_or_event_are_not_mixed_up(void **state)
{
	struct harness *harness = *state;
	watch_source(harness);
	assert_accepted(harness, INGEST_TRACK,
	                "{\"userId\":\"u\",\"event\":\"E\",\"properties\":{\"a\":{\"b\":1}}}");
	assert_accepted(harness, INGEST_TRACK,
	                "{\"userId\":\"u\",\"event\":\"E\",\"properties\":{\"b\":1,\"a\":{}}}");
	assert_accepted(harness, INGEST_TRACK,
	                "{\"userId\":\"u\",\"event\":\"Event 10 of shop\",\"properties\":{\"a\":1}}");
	assert_accepted(harness, INGEST_TRACK,
	                "{\"userId\":\"u\",\"event\":\"Event 20 of shop\",\"properties\":{\"a\":1}}");
	assert_accepted(harness, INGEST_IDENTIFY, "{\"userId\":\"u\",\"traits\":{\"a\":1}}");
	assert_string_equal(types_of(harness),
	                    "$identify/:event=1 $identify/a:number=1 E/:event=2 E/a:object=2 "
	                    "E/a.b:number=1 E/b:number=1 Event 10 of shop/:event=1 "
	                    "Event 10 of shop/a:number=1 Event 20 of shop/:event=1 "
	                    "Event 20 of shop/a:number=1");
}

static void what_is_rejected_is_not_seen(void **state)
{
	struct harness *harness = *state;
	watch_source(harness);
	assert_rejected(harness, INGEST_TRACK, "{\"event\":\"E\",\"properties\":{\"a\":1}}",
	                "MISSING_ID");
	assert_string_equal(types_of(harness), "");
}

static void more_shapes_than_a_thread_remembers_are_all_counted(void **state)
{
	struct harness *harness = *state;
	char            json[256];
	watch_source(harness);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 2 * SHAPES_MAX; i++) {
			snprintf(json, sizeof json,
			         "{\"userId\":\"u\",\"event\":\"E\",\"properties\":{\"a\":%s,\"p%u\":1}}",
			         i == 77 ? "\"x\"" : "1", i);
			assert_accepted(harness, INGEST_TRACK, json);
		}
	watch_flush(ingest_watch(harness->ingest));
	struct arena      arena;
	observed_row_list rows = {0};
	uint64_t          beyond;
	arena_init(&arena);
	observed_list(source_observed(harness->planned, OBSERVED_TYPES), &arena, &rows, &beyond);
	assert_int_equal(rows.count, 2 * SHAPES_MAX + 3);
	assert_int_equal(rows.items[0].seen.count, 4 * SHAPES_MAX);
	assert_int_equal(rows.items[1].seen.count, 4 * SHAPES_MAX - 2);
	assert_int_equal(rows.items[2].seen.count, 2);
	VECTOR_DONE(&rows);
	arena_done(&arena);
}

static void what_is_forgotten_comes_back_when_it_is_seen_again(void **state)
{
	struct harness *harness = *state;
	watch_source(harness);
	for (unsigned i = 0; i < 2; i++) {
		assert_accepted(harness, INGEST_TRACK,
		                "{\"userId\":\"u\",\"event\":\"E\",\"properties\":{\"a\":1}}");
		assert_string_equal(types_of(harness), "E/:event=1 E/a:number=1");
		watch_forget(ingest_watch(harness->ingest), harness->planned, OBSERVED_TYPES);
		assert_string_equal(types_of(harness), "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)
		TEST(rows_are_added_up_and_listed_by_name),
		TEST(what_has_no_room_is_counted_but_a_new_type_of_a_known_name_has_room),
		TEST(what_no_plan_names_leaves_room_for_what_one_does),
		TEST(what_changed_is_taken_once_and_again_when_it_was_not_kept),
		TEST(what_was_loaded_goes_on),
		TEST(who_still_points_to_what_is_forgotten_adds_nothing),
#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_new, harness_free)
		TEST(types_are_seen_of_every_property_and_inner_field),
		TEST(every_type_that_a_property_comes_with_is_seen),
		TEST(shapes_that_differ_in_names_order_nesting_or_event_are_not_mixed_up),
		TEST(what_is_rejected_is_not_seen),
		TEST(more_shapes_than_a_thread_remembers_are_all_counted),
		TEST(what_is_forgotten_comes_back_when_it_is_seen_again),
#undef TEST
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
