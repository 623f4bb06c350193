#include "ingest/persons.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "harness.h"

#define EVENT_OF(id)  "{\"type\":\"track\",\"event\":\"e\"," id "}"
#define IDENTIFY(ids) "{\"type\":\"identify\"," ids ",\"traits\":{\"a\":1}}"
#define USER(id)      "\"userId\":\"" id "\""
#define VISITOR(id)   "\"anonymousId\":\"" id "\""

static void submit(void **state, const char *json)
{
	harness_submit_string(*state, INGEST_BATCH, json);
	assert_int_equal(((struct harness *)*state)->status, STATUS_OK);
}

static void assert_same(struct person a, struct person b)
{
	assert_int_not_equal(a.slot, SLOT_NONE);
	assert_int_equal(a.partition, b.partition);
	assert_int_equal(a.slot, b.slot);
}

/* The records of one kind, in the order in which partitions hold them. */
static unsigned records_of(void **state, enum record_kind kind, struct record *ret_records,
                           struct person *ret_persons)
{
	struct harness *harness = *state;
	unsigned        count   = 0;
	for (unsigned i = 0; i < fake_journal_count(&harness->journal); i++) {
		uint32_t      partition;
		struct record record = fake_journal_record(&harness->journal, i, &partition);
		if (record.kind == kind) {
			ret_records[count]   = record;
			ret_persons[count++] = (struct person){partition, record.slot};
		}
	}
	return count;
}

static struct person link_body(const struct record *record)
{
	struct byte_reader reader = byte_reader_of(record->body.data, record->body.length);
	struct person      person = {.partition = read_u32(&reader)};
	person.slot               = read_u32(&reader);
	assert_false(reader.failed);
	assert_int_equal(read_left(&reader), 0);
	return person;
}

enum { RECORDS_MAX = 16 };
static struct record records[RECORDS_MAX];
static struct person persons[RECORDS_MAX];

static void an_event_belongs_to_its_user_even_when_it_names_a_visitor_too(void **state)
{
	submit(state, "{\"batch\":[" EVENT_OF(USER("u") "," VISITOR("a")) "]}");
	assert_int_equal(records_of(state, RECORD_EVENT, records, persons), 1);
	assert_same(persons[0], fake_vault_person(VAULT_USER, "u"));
	assert_int_equal(records[0].flags, RECORD_IDENTIFIED);
	assert_int_equal(fake_vault_person(VAULT_ANONYMOUS, "a").slot, SLOT_NONE);
}

static void a_user_and_a_visitor_of_the_same_name_are_two_persons(void **state)
{
	submit(state, "{\"batch\":[" EVENT_OF(USER("x")) "," EVENT_OF(VISITOR("x")) "]}");
	assert_int_equal(records_of(state, RECORD_EVENT, records, persons), 2);
	assert_true(persons[0].partition == persons[1].partition);
	assert_int_not_equal(persons[0].slot, persons[1].slot);
	assert_int_not_equal(records[0].flags, records[1].flags);
}

static void a_request_without_links_asks_the_vault_once(void **state)
{
	submit(state, "{\"batch\":[" EVENT_OF(USER("u")) "," EVENT_OF(VISITOR("a")) "," IDENTIFY(
					  USER("v")) "," IDENTIFY(VISITOR("b")) "," EVENT_OF(USER("u")) "]}");
	assert_int_equal(fake_vault.resolve_count, 1);
	assert_int_equal(((struct harness *)*state)->accepted_count, 5);
}

static void an_identify_with_both_ids_links_the_visitor_and_says_which_profile_it_had(void **state)
{
	submit(state, "{\"batch\":[" EVENT_OF(VISITOR("a")) "]}");
	struct person visitor = fake_vault_person(VAULT_ANONYMOUS, "a");
	submit(state, "{\"batch\":[" IDENTIFY(USER("u") "," VISITOR("a")) "]}");

	struct person user = fake_vault_person(VAULT_USER, "u");
	assert_int_equal(records_of(state, RECORD_LINK, records, persons), 1);
	assert_same(persons[0], user);
	assert_int_equal(records[0].flags, RECORD_IDENTIFIED);
	assert_same(link_body(&records[0]), visitor);
	assert_same(fake_vault_person(VAULT_ANONYMOUS, "a"), user);
}

static void the_identifying_calls_own_traits_come_before_the_link(void **state)
{
	submit(state, "{\"batch\":[" IDENTIFY(USER("u") "," VISITOR("a")) "]}");
	struct harness *harness = *state;
	assert_int_equal(fake_journal_count(&harness->journal), 2);
	assert_int_equal(harness_record(harness, 0).kind, RECORD_TRAITS);
	assert_int_equal(harness_record(harness, 1).kind, RECORD_LINK);
	assert_int_equal(harness->accepted_count, 1);
}

static void a_visitor_who_was_never_seen_has_no_profile_to_merge(void **state)
{
	submit(state, "{\"batch\":[" IDENTIFY(USER("u") "," VISITOR("new")) "]}");
	assert_int_equal(records_of(state, RECORD_LINK, records, persons), 1);
	assert_int_equal(link_body(&records[0]).slot, SLOT_NONE);
}

static void a_link_that_is_there_already_is_not_told_again(void **state)
{
	submit(state, "{\"batch\":[" IDENTIFY(USER("u") "," VISITOR("a")) "]}");
	submit(state, "{\"batch\":[" IDENTIFY(USER("u") "," VISITOR("a")) "]}");
	assert_int_equal(records_of(state, RECORD_LINK, records, persons), 1);
	assert_int_equal(records_of(state, RECORD_TRAITS, records, persons), 2);
}

static void a_link_that_moves_to_another_user_takes_no_events_along(void **state)
{
	submit(state,
	       "{\"batch\":[" EVENT_OF(VISITOR("a")) "," IDENTIFY(USER("u") "," VISITOR("a")) "]}");
	submit(state, "{\"batch\":[" IDENTIFY(USER("v") "," VISITOR("a")) "]}");
	assert_int_equal(records_of(state, RECORD_LINK, records, persons), 2);
	struct person second = fake_vault_person(VAULT_USER, "v");
	unsigned      moved =
        persons[0].partition == second.partition && persons[0].slot == second.slot ? 0 : 1;
	assert_same(persons[moved], second);
	assert_int_equal(link_body(&records[moved]).slot, SLOT_NONE);
	assert_same(fake_vault_person(VAULT_ANONYMOUS, "a"), second);
}

static void later_messages_of_a_request_see_its_links_and_earlier_ones_do_not(void **state)
{
	submit(state,
	       "{\"batch\":[" EVENT_OF(VISITOR("a") ",\"messageId\":\"before\"") "," IDENTIFY(USER(
			   "u") "," VISITOR("a")) "," EVENT_OF(VISITOR("a") ",\"messageId\":\"behind\"") "]}");
	struct person user = fake_vault_person(VAULT_USER, "u");
	assert_int_equal(records_of(state, RECORD_EVENT, records, persons), 2);
	for (unsigned i = 0; i < 2; i++) {
		bool behind  = text_equal(records[i].message_id, TEXT("behind"));
		bool is_user = persons[i].partition == user.partition && persons[i].slot == user.slot;
		assert_int_equal(is_user, behind);
		assert_int_equal(records[i].flags, behind ? RECORD_IDENTIFIED : 0);
	}
}

static void an_alias_links_the_previous_id_and_is_remembered(void **state)
{
	submit(state, "{\"batch\":[" EVENT_OF(VISITOR("a")) "]}");
	struct person visitor = fake_vault_person(VAULT_ANONYMOUS, "a");
	submit(state, "{\"batch\":[{\"type\":\"alias\"," USER(
					  "u") ",\"previousId\":\"a\","
	                       "\"messageId\":\"m\",\"timestamp\":\"2025-01-07T10:00:00Z\","
	                       "\"sentAt\":\"2025-01-07T10:00:01Z\"}]}");

	struct person user = fake_vault_person(VAULT_USER, "u");
	assert_int_equal(records_of(state, RECORD_ALIAS, records, persons), 1);
	assert_same(persons[0], user);
	assert_int_equal(records[0].source_number, 7);
	assert_int_equal(records[0].timestamp_ms, NOW_MS - 30 * 60000);
	assert_int_equal(records[0].skew_ms, 1000);
	assert_true(text_equal(records[0].message_id, TEXT("m")));

	assert_int_equal(records_of(state, RECORD_LINK, records, persons), 1);
	assert_same(persons[0], user);
	assert_same(link_body(&records[0]), visitor);
	assert_int_equal(records_of(state, RECORD_MERGE_OUT, records, persons), 1);
	assert_same(persons[0], visitor);
	assert_same(link_body(&records[0]), user);
}

static void a_merge_that_was_not_appended_goes_along_with_the_next_request(void **state)
{
	submit(state, "{\"batch\":[" EVENT_OF(VISITOR("a")) "]}");
	struct harness *harness  = *state;
	struct person   visitor  = fake_vault_person(VAULT_ANONYMOUS, "a");
	harness->journal.refuses = STATUS_NO_SPACE;
	harness_submit_string(harness, INGEST_BATCH,
	                      "{\"batch\":[" IDENTIFY(USER("u") "," VISITOR("a")) "]}");
	assert_int_equal(harness->status, STATUS_NO_SPACE);
	harness->journal.refuses = STATUS_OK;
	assert_int_equal(records_of(state, RECORD_MERGE_OUT, records, persons), 0);

	submit(state, "{\"batch\":[" EVENT_OF(USER("other")) "]}");
	assert_int_equal(records_of(state, RECORD_MERGE_OUT, records, persons), 1);
	assert_same(persons[0], visitor);
	assert_same(link_body(&records[0]), fake_vault_person(VAULT_USER, "u"));

	submit(state, "{\"batch\":[" EVENT_OF(USER("other")) "]}");
	assert_int_equal(records_of(state, RECORD_MERGE_OUT, records, persons), 1);
}

static void an_alias_of_a_known_user_is_rejected_and_merges_nobody(void **state)
{
	struct harness *harness = *state;
	submit(state, "{\"batch\":[" EVENT_OF(
					  USER("u")) ","
	                             "{\"type\":\"alias\"," USER(
									 "v") ",\"previousId\":\"u\"},5," EVENT_OF(USER("w")) "]}");
	assert_int_equal(harness->accepted_count, 2);
	assert_int_equal(harness->rejected.count, 2);
	assert_int_equal(harness->rejected.items[0].index, 1);
	assert_int_equal(harness->rejected.items[0].code, INGEST_ALREADY_IDENTIFIED);
	assert_int_equal(harness->rejected.items[1].index, 2);
	assert_int_equal(harness->rejected.items[1].code, INGEST_INVALID_MESSAGE);
	assert_int_equal(records_of(state, RECORD_LINK, records, persons), 0);
	assert_int_equal(fake_vault_person(VAULT_USER, "v").slot, SLOT_NONE);
	assert_int_equal(fake_vault_person(VAULT_ANONYMOUS, "u").slot, SLOT_NONE);
}

static void an_alias_needs_both_ids(void **state)
{
	assert_rejected(*state, INGEST_ALIAS, "{\"userId\":\"u\"}", "MISSING_ID");
	assert_rejected(*state, INGEST_ALIAS, "{\"userId\":\"u\",\"previousId\":\"\"}", "MISSING_ID");
	assert_rejected(*state, INGEST_ALIAS, "{\"previousId\":\"a\",\"anonymousId\":\"a\"}",
	                "MISSING_ID");
	assert_rejected(*state, INGEST_ALIAS, "{\"userId\":\"u\",\"previousId\":{}}", "INVALID_ID");
}

static void rejected_messages_make_nobody_known(void **state)
{
	assert_rejected(*state, INGEST_TRACK, "{\"userId\":\"u\",\"event\":\"\"}",
	                "MISSING_EVENT_NAME");
	assert_int_equal(fake_vault_person(VAULT_USER, "u").slot, SLOT_NONE);
}

static void records_keep_the_arrays_order_within_a_partition(void **state)
{
	struct harness *harness = *state;
	struct buffer   json    = {0};
	buffer_printf(&json, "{\"batch\":[");
	for (unsigned i = 0; i < 200; i++)
		buffer_printf(&json,
		              "%s{\"type\":\"track\",\"event\":\"e\",\"userId\":\"u%u\","
		              "\"messageId\":%u}",
		              i ? "," : "", i % 17, i);
	buffer_printf(&json, "]}");
	harness_submit(harness, INGEST_BATCH, buffer_text(&json));
	buffer_done(&json);

	assert_int_equal(harness->accepted_count, 200);
	assert_int_equal(harness->journal.append_count, 1);
	assert_int_equal(harness->position, 200);
	long     last      = -1;
	uint32_t partition = 0;
	for (unsigned i = 0; i < 200; i++) {
		uint32_t      here;
		struct record record = fake_journal_record(&harness->journal, i, &here);
		long          id     = strtol(record.message_id.data, NULL, 10);
		assert_true(here != partition || id > last);
		last      = id;
		partition = here;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_new, harness_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_event_belongs_to_its_user_even_when_it_names_a_visitor_too),
		TEST(a_user_and_a_visitor_of_the_same_name_are_two_persons),
		TEST(a_request_without_links_asks_the_vault_once),
		TEST(an_identify_with_both_ids_links_the_visitor_and_says_which_profile_it_had),
		TEST(the_identifying_calls_own_traits_come_before_the_link),
		TEST(a_visitor_who_was_never_seen_has_no_profile_to_merge),
		TEST(a_link_that_is_there_already_is_not_told_again),
		TEST(a_link_that_moves_to_another_user_takes_no_events_along),
		TEST(later_messages_of_a_request_see_its_links_and_earlier_ones_do_not),
		TEST(an_alias_links_the_previous_id_and_is_remembered),
		TEST(a_merge_that_was_not_appended_goes_along_with_the_next_request),
		TEST(an_alias_of_a_known_user_is_rejected_and_merges_nobody),
		TEST(an_alias_needs_both_ids),
		TEST(rejected_messages_make_nobody_known),
		TEST(records_keep_the_arrays_order_within_a_partition),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
