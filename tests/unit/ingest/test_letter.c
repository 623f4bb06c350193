#include "ingest/letters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* 2026-01-02T00:00:00Z */
#define CAME_MS INT64_C(1767312000000)

static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

static void assert_body(enum ingest_kind kind, const char *event, const char *shared,
                        const char *expected)
{
	const struct store_letter letter = {.id = 12, .at_ms = CAME_MS, .kind = kind};
	struct text               body = letter_body(&letter, text_of(event), text_of(shared), &arena);
	assert_string_equal(arena_text(&arena, body).data, expected);
}

static void a_message_id_is_kept_and_made_once_where_there_is_none(void **state)
{
	(void)state;
	assert_body(INGEST_EVENT, "{\"userId\":\"u\",\"timestamp\":5,\"messageId\":7}", "",
	            "{\"userId\":\"u\",\"timestamp\":5,\"messageId\":7}");
	assert_body(INGEST_EVENTS, "{\"timestamp\":5,\"messageId\":\"\"}", "",
	            "[{\"timestamp\":5,\"messageId\":\"dead-letter-12\"}]");
}

static void the_time_is_that_of_its_arrival_where_none_was_sent(void **state)
{
	(void)state;
	assert_body(INGEST_TRACK, "{\"sentAt\":\"2026-01-02T01:00:00Z\",\"messageId\":\"m\"}", "",
	            "{\"timestamp\":\"2026-01-02T00:00:00Z\",\"messageId\":\"m\"}");
}

static void the_senders_clock_is_set_right_as_of_the_arrival(void **state)
{
	(void)state;
	/* Ten minutes before it was sent, by a clock that is a year behind. */
	assert_body(INGEST_BATCH, "{\"timestamp\":\"2025-01-01T00:00:00Z\",\"messageId\":\"m\"}",
	            "{\"sentAt\":\"2025-01-01T00:10:00Z\",\"context\":{\"a\":1}}",
	            "{\"context\":{\"a\":1},\"batch\":[{\"timestamp\":\"2026-01-01T23:50:00Z\","
	            "\"messageId\":\"m\"}]}");
	assert_body(INGEST_TRACK,
	            "{\"originalTimestamp\":\"2025-01-01T00:00:00Z\",\"messageId\":\"m\"}", "",
	            "{\"timestamp\":\"2025-01-01T00:00:00Z\",\"messageId\":\"m\"}");
}

static void what_is_wrong_stays_wrong(void **state)
{
	(void)state;
	assert_body(INGEST_BATCH, "7", "", "{\"batch\":[7]}");
	assert_body(INGEST_TRACK, "{\"timestamp\":\"soon\",\"n\":1e999,\"messageId\":\"m\"}", "",
	            "{\"n\":1e999,\"timestamp\":\"soon\",\"messageId\":\"m\"}");
}

static void assert_place(enum ingest_kind kind, enum ingest_code code, const char *expected)
{
	assert_string_equal(letter_place(kind, 3, code, TEXT(""), &arena).data, expected);
}

static void a_place_is_that_in_the_request(void **state)
{
	(void)state;
	assert_place(INGEST_BATCH, INGEST_INVALID_TIMESTAMP, "batch[3].timestamp");
	assert_place(INGEST_EVENTS, INGEST_INVALID_MESSAGE, "events[3]");
	assert_place(INGEST_TRACK, INGEST_MISSING_EVENT_NAME, "event");
	assert_place(INGEST_TRACK, INGEST_TOO_DEEP, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_id_is_kept_and_made_once_where_there_is_none),
		TEST(the_time_is_that_of_its_arrival_where_none_was_sent),
		TEST(the_senders_clock_is_set_right_as_of_the_arrival),
		TEST(what_is_wrong_stays_wrong),
		TEST(a_place_is_that_in_the_request),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
