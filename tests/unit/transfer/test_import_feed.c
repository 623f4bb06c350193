/* Over a journal and a vault in memory (tests/unit/ingest/fakes.h). */

#include "transfer/import/import_feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/instant.h"
#include "fakes.h"

#define NOW_MS INT64_C(1736245800000)

struct fixture {
	struct fake_journal  journal;
	struct ingest       *ingest;
	struct import_report report;
	struct import_feed   feed;
	struct error         err;
	struct buffer        rejected; /* "LINE CODE ROW\n" each */
	unsigned             waits;
	unsigned             waits_until_room;
	bool                 stops;
};

static enum status reject(void *context, uint64_t line, struct text code, struct text reason,
                          struct text row, struct error *err)
{
	struct fixture *fixture = context;
	(void)reason;
	(void)err;
	buffer_printf(&fixture->rejected, "%llu %.*s %.*s\n", (unsigned long long)line,
	              TEXT_FORMAT(code), TEXT_FORMAT(row));
	return STATUS_OK;
}

static bool may_send(void *context) { return !((struct fixture *)context)->stops; }

static bool wait_for_room(void *context, int64_t duration_ms)
{
	struct fixture *fixture = context;
	assert_true(duration_ms > 0);
	if (++fixture->waits == fixture->waits_until_room)
		fixture->journal.fails = fixture->journal.refuses = STATUS_OK;
	return !fixture->stops;
}

static int new_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	fake_vault_reset();
	fake_journal_init(&fixture->journal, NOW_MS);
	struct ingest_config ingest = {.journal         = &fixture->journal.base,
	                               .partition_count = FAKE_PARTITION_COUNT,
	                               .retention_ms    = 1096 * DAY_MS};
	fixture->ingest             = ingest_new(&ingest);
	import_report_init(&fixture->report);
	*state = fixture;
	return 0;
}

static void begin(struct fixture *fixture, bool trial)
{
	struct import_feed_config config = {.ingest   = fixture->ingest,
	                                    .trial    = trial,
	                                    .report   = &fixture->report,
	                                    .reject   = reject,
	                                    .may_send = may_send,
	                                    .wait     = wait_for_room,
	                                    .context  = fixture};
	import_feed_init(&fixture->feed, &config);
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	import_feed_done(&fixture->feed);
	import_report_done(&fixture->report);
	ingest_free(fixture->ingest);
	fake_journal_done(&fixture->journal);
	buffer_done(&fixture->rejected);
	free(fixture);
	return 0;
}

/* A row of one user; every tenth was bad before, every tenth but one ingest refuses. */
static enum status add(struct fixture *fixture, uint64_t line)
{
	char               message[200], row[32];
	bool               bad    = line % 10 == 0;
	struct import_mark mark   = {.place = {.offset = line * 100, .line = line + 1}};
	const char        *call   = line % 10 == 1 ? "nothing" : "track";
	int                length = snprintf(message, sizeof message,
	                                     "{\"type\":\"%s\",\"userId\":\"u\",\"event\":\"e\","
	                                                    "\"messageId\":\"%llu\"}",
	                                     call, (unsigned long long)line);
	snprintf(row, sizeof row, "row %llu", (unsigned long long)line);
	return import_feed_add(&fixture->feed, line, INSTANT_MS_NONE,
	                       bad ? TEXT("") : (struct text){message, (size_t)length},
	                       bad ? TEXT("bad") : TEXT(""), text_of(row), mark, &fixture->err);
}

static void add_all(struct fixture *fixture, uint64_t rows)
{
	for (uint64_t line = 1; line <= rows; line++)
		assert_int_equal(add(fixture, line), STATUS_OK);
	assert_int_equal(import_feed_flush(&fixture->feed, &fixture->err), STATUS_OK);
}

static void assert_all_told(struct fixture *fixture, uint64_t rows)
{
	struct buffer expected = {0};
	for (uint64_t line = 1; line <= rows; line++)
		if (line % 10 <= 1)
			buffer_printf(&expected, "%llu %s row %llu\n", (unsigned long long)line,
			              line % 10 == 0 ? "UNREADABLE_ROW" : "UNKNOWN_TYPE",
			              (unsigned long long)line);
	assert_int_equal(fixture->rejected.length, expected.length);
	assert_memory_equal(fixture->rejected.data, expected.data, expected.length);
	buffer_done(&expected);
	assert_int_equal(fixture->report.rows, rows);
	assert_int_equal(fixture->report.accepted, rows / 10 * 8);
	assert_int_equal(fixture->report.rejected, rows / 10 * 2);
	assert_int_equal(fixture->feed.safe.place.line, rows + 1);
}

static void every_row_is_told_of_in_order(void **state)
{
	struct fixture *fixture = *state;
	begin(fixture, false);
	add_all(fixture, 30000);
	assert_all_told(fixture, 30000);
	assert_int_equal(fake_journal_count(&fixture->journal), 24000);
	assert_int_equal(fixture->report.position, fixture->journal.position);
}

static void a_trial_says_the_same_and_takes_nothing(void **state)
{
	struct fixture *fixture = *state;
	begin(fixture, true);
	add_all(fixture, 20000);
	assert_all_told(fixture, 20000);
	assert_int_equal(fake_journal_count(&fixture->journal), 0);
	assert_int_equal(fake_vault.resolve_count, 0);
}

static void what_is_not_taken_is_sent_again_in_order(void **state)
{
	struct fixture *fixture   = *state;
	fixture->waits_until_room = 3;
	fixture->journal.refuses  = STATUS_NO_SPACE;
	begin(fixture, false);
	add_all(fixture, 6000);
	assert_int_equal(fixture->waits, 3);
	assert_all_told(fixture, 6000);
	assert_int_equal(fake_journal_count(&fixture->journal), 4800);
	uint64_t last = 0;
	for (unsigned i = 0; i < 4800; i++) {
		struct record record = fake_journal_record(&fixture->journal, i, NULL);
		char          id[32];
		snprintf(id, sizeof id, "%.*s", TEXT_FORMAT(record.message_id));
		assert_true(strtoull(id, NULL, 10) > last);
		last = strtoull(id, NULL, 10);
	}
}

static void a_stop_while_nothing_is_taken_keeps_the_safe_point(void **state)
{
	struct fixture *fixture  = *state;
	enum status     status   = STATUS_OK;
	fixture->journal.refuses = STATUS_NO_MEMORY;
	begin(fixture, false);
	fixture->stops = false;
	for (uint64_t line = 1; line <= 100000 && status == STATUS_OK; line++) {
		fixture->stops = line > 3000;
		status         = add(fixture, line);
	}
	assert_int_equal(status, STATUS_AGAIN);
	assert_int_equal(fixture->feed.safe.place.line, 0);
	assert_int_equal(fixture->report.rows, 0);
}

static void a_journal_that_has_failed_ends_it_until_a_restart(void **state)
{
	struct fixture *fixture = *state;
	enum status     status  = STATUS_OK;
	fixture->journal.fails  = STATUS_FAILED;
	begin(fixture, false);
	for (uint64_t line = 1; line <= 100000 && status == STATUS_OK; line++)
		status = add(fixture, line);
	assert_int_equal(status, STATUS_UNAVAILABLE);
	assert_int_equal(fixture->err.status, STATUS_UNAVAILABLE);
	assert_int_equal(fixture->waits, 0);
}

static void a_report_reads_back_what_it_wrote(void **state)
{
	struct fixture      *fixture = *state;
	struct import_report again;
	struct buffer        first = {0}, second = {0};
	struct json_parser  *parser = json_parser_new();
	struct json          json;
	begin(fixture, false);
	for (uint64_t i = 0; i < 500; i++) {
		char reason[40];
		snprintf(reason, sizeof reason, "mistake %llu 한글", (unsigned long long)(i % 100));
		import_report_row(&fixture->report, NOW_MS + (int64_t)i);
		import_report_reject(&fixture->report, i, TEXT("CODE"), text_of(reason));
	}
	assert_int_equal(fixture->report.mistakes.count, IMPORT_MISTAKES_MAX);
	struct json_writer w = json_writer_of(&first);
	json_begin_object(&w);
	import_report_write(&fixture->report, &w);
	json_end_object(&w);
	assert_int_equal(json_parse_text(parser, buffer_text(&first), &json, &fixture->err), STATUS_OK);
	import_report_init(&again);
	import_report_read(&again, json);
	w = json_writer_of(&second);
	json_begin_object(&w);
	import_report_write(&again, &w);
	json_end_object(&w);
	assert_true(text_equal(buffer_text(&first), buffer_text(&second)));
	import_report_done(&again);
	json_parser_free(parser);
	buffer_done(&first);
	buffer_done(&second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_row_is_told_of_in_order),
		TEST(a_trial_says_the_same_and_takes_nothing),
		TEST(what_is_not_taken_is_sent_again_in_order),
		TEST(a_stop_while_nothing_is_taken_keeps_the_safe_point),
		TEST(a_journal_that_has_failed_ends_it_until_a_restart),
		TEST(a_report_reads_back_what_it_wrote),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
