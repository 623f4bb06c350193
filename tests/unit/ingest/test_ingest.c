#include "ingest/ingest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/json.h"
#include "harness.h"

#define ONE "{\"userId\":\"u\",\"event\":\"e\"}"

static void submit_one(struct harness *harness)
{
	harness_submit_string(harness, INGEST_TRACK, ONE);
}

/* ---- Bodies ---- */

static enum status parse(struct harness *harness, struct text json)
{
	char *body = malloc(json.length + JSON_PADDING_BYTES);
	memcpy(body, json.data, json.length);
	memset(body + json.length, 0, JSON_PADDING_BYTES);
	struct error err    = {0};
	enum status  status = ingest_parse(harness->thread, body, json.length, &err);
	assert_int_equal(status != STATUS_OK, err.reason[0] != '\0');
	free(body);
	return status;
}

static void what_is_no_json_is_refused_with_a_reason(void **state)
{
	assert_int_equal(parse(*state, TEXT("{\"userId\":")), STATUS_INVALID);
	assert_int_equal(parse(*state, TEXT("")), STATUS_INVALID);
	assert_int_equal(parse(*state, TEXT("{\"userId\":NaN}")), STATUS_INVALID);
	assert_int_equal(parse(*state, TEXT("{\"userId\":\"\xff\"}")), STATUS_INVALID);
	assert_int_equal(parse(*state, TEXT("{} {}")), STATUS_INVALID);
}

static void nesting_beyond_all_bounds_is_refused_or_rejected_but_never_harms(void **state)
{
	struct buffer json = {0};
	for (unsigned depth = 1000; depth <= 1000000; depth *= 10) {
		buffer_clear(&json);
		buffer_printf(&json, "{\"userId\":\"u\",\"event\":\"e\",\"integrations\":");
		for (unsigned i = 0; i < depth; i++)
			buffer_add_u8(&json, '[');
		for (unsigned i = 0; i < depth; i++)
			buffer_add_u8(&json, ']');
		buffer_add_u8(&json, '}');
		if (depth < JSON_DEPTH_MAX)
			harness_submit(*state, INGEST_TRACK, buffer_text(&json));
		else
			assert_int_equal(parse(*state, buffer_text(&json)), STATUS_INVALID);
	}
	buffer_done(&json);
}

static void a_body_without_messages_where_they_belong_is_invalid(void **state)
{
	static const struct {
		enum ingest_kind kind;
		const char      *json;
	} cases[] = {
		{INGEST_BATCH, "[]"},
		{INGEST_BATCH, "{}"},
		{INGEST_BATCH, "{\"batch\":{}}"},
		{INGEST_TRACK, "[" ONE "]"},
		{INGEST_TRACK, "5"},
		{INGEST_EVENTS, "{}"},
		{INGEST_EVENTS, "{\"events\":1}"},
		{INGEST_EVENT, "\"x\""},
		{INGEST_ALIAS, "null"},
	};
	struct harness *harness = *state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		harness_submit_string(harness, cases[i].kind, cases[i].json);
		assert_int_equal(harness->status, STATUS_INVALID);
		assert_int_equal(harness->err_status, STATUS_INVALID);
	}
}

static void an_empty_batch_is_a_success(void **state)
{
	struct harness *harness = *state;
	harness_submit_string(harness, INGEST_BATCH, "{\"batch\":[]}");
	assert_int_equal(harness->status, STATUS_OK);
	assert_int_equal(harness->accepted_count, 0);
	assert_int_equal(harness->journal.append_count, 0);
	assert_int_equal(harness->done_count, 1);
}

static void more_messages_than_the_limit_are_refused_as_a_whole(void **state)
{
	struct harness *harness = *state;
	struct buffer   json    = {0};
	buffer_printf(&json, "[{}");
	for (unsigned i = 1; i < INGEST_MESSAGES_MAX; i++)
		buffer_printf(&json, ",{}");
	buffer_add_u8(&json, ']');
	harness_submit(harness, INGEST_EVENTS, buffer_text(&json));
	assert_int_equal(harness->status, STATUS_OK);
	assert_int_equal(harness->rejected.count, INGEST_MESSAGES_MAX);

	json.length--;
	buffer_printf(&json, ",{}]");
	harness_submit(harness, INGEST_EVENTS, buffer_text(&json));
	assert_int_equal(harness->status, STATUS_TOO_LARGE);
	buffer_done(&json);
}

static void a_body_that_grows_beyond_what_the_journal_takes_is_refused_as_a_whole(void **state)
{
	/* Two bytes of JSON a digit become nine. */
	struct harness *harness = *state;
	struct buffer   json    = {0};
	buffer_printf(&json, "{\"batch\":[");
	for (unsigned i = 0; i < 128; i++) {
		buffer_printf(&json,
		              "%s{\"type\":\"track\",\"event\":\"e\",\"userId\":\"u\","
		              "\"properties\":{\"a\":[1",
		              i ? "," : "");
		for (unsigned k = 0; k < 16000; k++)
			buffer_add(&json, ",1", 2);
		buffer_printf(&json, "]}}");
	}
	buffer_printf(&json, "]}");
	assert_true(json.length <= INGEST_BODY_BYTES_MAX);
	harness_submit(harness, INGEST_BATCH, buffer_text(&json));
	assert_int_equal(harness->status, STATUS_TOO_LARGE);
	assert_int_equal(harness->journal.append_count, 0);
	buffer_done(&json);

	submit_one(harness);
	assert_int_equal(harness->status, STATUS_OK);
}

static void the_write_key_is_in_the_body_or_in_its_first_message(void **state)
{
	struct harness *harness = *state;
	struct text     key     = {0};
	assert_int_equal(parse(harness, TEXT("{\"writeKey\":\"k1\",\"userId\":\"u\"}")), STATUS_OK);
	assert_true(ingest_write_key(harness->thread, &key));
	assert_true(text_equal(key, TEXT("k1")));
	assert_int_equal(parse(harness, TEXT("{\"batch\":[{\"writeKey\":\"k2\"}]}")), STATUS_OK);
	assert_true(ingest_write_key(harness->thread, &key));
	assert_true(text_equal(key, TEXT("k2")));
	assert_int_equal(parse(harness, TEXT("{\"writeKey\":5,\"batch\":[]}")), STATUS_OK);
	assert_false(ingest_write_key(harness->thread, &key));
	assert_int_equal(parse(harness, TEXT("[{\"writeKey\":\"k\"}]")), STATUS_OK);
	assert_false(ingest_write_key(harness->thread, &key));
}

/* ---- Rejections ---- */

static void one_bad_event_does_not_condemn_its_batch(void **state)
{
	struct harness *harness = *state;
	harness_submit_string(harness, INGEST_BATCH,
	                      "{\"batch\":[{\"type\":\"track\",\"event\":\"a\",\"userId\":\"u\"},"
	                      "{\"type\":\"track\",\"event\":\"b\",\"userId\":\"u\","
	                      "\"properties\":{\"x\":1e999}},"
	                      "{\"type\":\"track\",\"event\":\"c\",\"userId\":\"u\","
	                      "\"properties\":{\"y\":2}}]}");
	assert_int_equal(harness->status, STATUS_OK);
	assert_int_equal(harness->accepted_count, 2);
	assert_int_equal(harness->rejected.count, 1);
	assert_int_equal(harness->rejected.items[0].index, 1);
	assert_int_equal(harness->rejected.items[0].code, INGEST_INVALID_NUMBER);
	struct record last = harness_record(harness, 1);
	assert_string_equal(values_json(harness, &last), "{\"y\":2}");
}

static void every_code_has_a_name_and_a_sentence(void **state)
{
	(void)state;
	for (int code = INGEST_ACCEPTED; code < INGEST_CODE_COUNT; code++) {
		assert_non_null(ingest_code_name(code));
		assert_true(strlen(ingest_code_message(code)) > 5);
	}
	assert_string_equal(ingest_code_name(INGEST_MISSING_USER_ID), "MISSING_ID");
}

/* ---- Durability ---- */

static void done_is_called_once_the_journal_is_durable(void **state)
{
	struct harness *harness = *state;
	harness->journal.waits  = true;
	submit_one(harness);
	assert_int_equal(harness->done_count, 0);
	fake_journal_sync(&harness->journal);
	assert_int_equal(harness->done_count, 1);
	assert_int_equal(harness->status, STATUS_OK);
	assert_int_equal(harness->position, 1);
}

static void a_new_person_is_durable_before_its_first_record_is_appended(void **state)
{
	struct harness *harness = *state;
	fake_vault.waits        = true;
	submit_one(harness);
	assert_int_equal(harness->journal.append_count, 0);

	/* Another request on the same thread while the first one waits. */
	harness_submit_string(harness, INGEST_TRACK, "{\"userId\":\"v\",\"event\":\"other\"}");
	assert_int_equal(harness->journal.append_count, 0);

	fake_vault_sync();
	assert_int_equal(harness->done_count, 2);
	assert_int_equal(fake_journal_count(&harness->journal), 2);
	submit_one(harness);
	assert_int_equal(harness->done_count, 3);
}

static void a_failure_anywhere_accepts_nothing_and_says_which(void **state)
{
	struct harness *harness = *state;
	harness->admits         = STATUS_NO_MEMORY;
	submit_one(harness);
	assert_int_equal(harness->status, STATUS_NO_MEMORY);
	assert_int_equal(harness->err_status, STATUS_NO_MEMORY);
	assert_int_equal(fake_vault_person(VAULT_USER, "u").slot, SLOT_NONE);
	harness->admits = STATUS_OK;

	fake_vault.fails = STATUS_FAILED;
	submit_one(harness);
	assert_int_equal(harness->status, STATUS_FAILED);
	fake_vault.fails = STATUS_OK;

	static const enum status refusals[] = {STATUS_NO_SPACE, STATUS_UNAVAILABLE, STATUS_FAILED};
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		harness->journal.refuses = refusals[i];
		submit_one(harness);
		assert_int_equal(harness->status, refusals[i]);
		assert_int_equal(harness->accepted_count, 0);
		harness->journal.refuses = STATUS_OK;
		harness->journal.fails   = refusals[i];
		submit_one(harness);
		assert_int_equal(harness->status, refusals[i]);
		assert_int_equal(harness->err_status, refusals[i]);
		harness->journal.fails = STATUS_OK;
	}
	submit_one(harness);
	assert_int_equal(harness->status, STATUS_OK);
	assert_int_equal(harness->done_count, 9);
}

static void a_vault_that_fails_to_sync_fails_those_who_wait(void **state)
{
	struct harness *harness = *state;
	fake_vault.waits        = true;
	submit_one(harness);
	fake_vault.fails = STATUS_FAILED;
	fake_vault_sync();
	assert_int_equal(harness->done_count, 1);
	assert_int_equal(harness->status, STATUS_FAILED);
	assert_int_equal(harness->journal.append_count, 0);
}

/* The journal's thread finishes submissions while their owner takes new ones. */
static void *sync_from_elsewhere(void *journal)
{
	fake_journal_sync(journal);
	return NULL;
}

static void submissions_may_be_finished_by_another_thread(void **state)
{
	struct harness *harness = *state;
	harness->journal.waits  = true;
	enum { ROUNDS = 20, REQUESTS = 50 };
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < REQUESTS; i++)
			submit_one(harness);
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, sync_from_elsewhere, &harness->journal), 0);
		pthread_join(thread, NULL);
	}
	assert_int_equal(harness->done_count, ROUNDS * REQUESTS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_new, harness_free)

/* ---- Suppression ---- */

static void messages_of_a_suppressed_id_are_taken_as_if_all_were_well_and_dropped(void **state)
{
	struct harness *harness = *state;
	unsigned        before  = fake_journal_count(&harness->journal);
	fake_vault_suppress("gone");
	harness_submit_string(harness, INGEST_BATCH,
	                      "{\"batch\":["
	                      "{\"type\":\"track\",\"userId\":\"gone\",\"event\":\"e\"},"
	                      "{\"type\":\"track\",\"userId\":\"gone\"},"
	                      "{\"type\":\"track\",\"userId\":\"here\",\"event\":\"e\"}]}");
	fake_vault_suppress(NULL);
	assert_int_equal(harness->status, STATUS_OK);
	assert_int_equal(harness->rejected.count, 0);
	assert_int_equal(harness->accepted_count, 1);
	assert_int_equal(fake_journal_count(&harness->journal), before + 1);
	assert_int_equal(fake_vault_person(VAULT_USER, "gone").slot, SLOT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_no_json_is_refused_with_a_reason),
		TEST(nesting_beyond_all_bounds_is_refused_or_rejected_but_never_harms),
		TEST(a_body_without_messages_where_they_belong_is_invalid),
		TEST(an_empty_batch_is_a_success),
		TEST(more_messages_than_the_limit_are_refused_as_a_whole),
		TEST(a_body_that_grows_beyond_what_the_journal_takes_is_refused_as_a_whole),
		TEST(the_write_key_is_in_the_body_or_in_its_first_message),
		TEST(one_bad_event_does_not_condemn_its_batch),
		TEST(every_code_has_a_name_and_a_sentence),
		TEST(done_is_called_once_the_journal_is_durable),
		TEST(a_new_person_is_durable_before_its_first_record_is_appended),
		TEST(a_failure_anywhere_accepts_nothing_and_says_which),
		TEST(a_vault_that_fails_to_sync_fails_those_who_wait),
		TEST(submissions_may_be_finished_by_another_thread),
		TEST(messages_of_a_suppressed_id_are_taken_as_if_all_were_well_and_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
