#include "ingest/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/instant.h"
#include "harness.h"
#include "ingest/event_types.h"

static void assert_text(struct text text, const char *expected)
{
	if (!text_equal(text, text_of(expected)))
		fail_msg("\"%.*s\" is not \"%s\"", TEXT_FORMAT(text), expected);
}

/* Puts `character` `count` times in the place of '@' in `pattern`; the caller frees. */
static char *filled(const char *pattern, char character, size_t count)
{
	const char *at   = strchr(pattern, '@');
	char       *text = malloc(strlen(pattern) + count);
	memcpy(text, pattern, (size_t)(at - pattern));
	memset(text + (at - pattern), character, count);
	memcpy(text + (at - pattern) + count, at + 1, strlen(at + 1) + 1);
	return text;
}

/* ---- Calls ---- */

static void a_track_becomes_an_event_with_its_name_properties_and_context(void **state)
{
	struct record record = assert_accepted(
		*state, INGEST_TRACK,
		"{\"userId\":\"u1\",\"event\":\"Order Completed\",\"messageId\":\"m1\","
		"\"properties\":{\"revenue\":30.5,\"region\":\"제주\",\"items\":[\"a\",\"b\"]},"
		"\"context\":{\"locale\":\"ko-KR\"},\"integrations\":{\"All\":true}}");
	assert_int_equal(record.kind, RECORD_EVENT);
	assert_int_equal(record.call, CALL_TRACK);
	assert_int_equal(record.source_number, 7);
	assert_int_equal(record.flags, RECORD_IDENTIFIED);
	assert_text(record.name, "Order Completed");
	assert_text(record.message_id, "m1");
	assert_string_equal(values_json(*state, &record),
	                    "{\"revenue\":30.5,\"region\":\"제주\",\"items\":[\"a\",\"b\"]}");
	assert_string_equal(context_json(*state, &record), "{\"locale\":\"ko-KR\"}");
	assert_int_equal(record.sealed.length, 0);
}

static void pages_and_screens_have_names_of_ours_and_their_own_among_the_properties(void **state)
{
	struct record page =
		assert_accepted(*state, INGEST_PAGE,
	                    "{\"anonymousId\":\"a\",\"name\":\"Home\",\"category\":\"Shop\","
	                    "\"properties\":{\"name\":\"old\",\"url\":\"/\"}}");
	assert_int_equal(page.call, CALL_PAGE);
	assert_text(page.name, "$page");
	assert_int_equal(page.flags, 0);
	assert_string_equal(values_json(*state, &page),
	                    "{\"name\":\"Home\",\"category\":\"Shop\",\"url\":\"/\"}");

	struct record screen = assert_accepted(*state, INGEST_SCREEN,
	                                       "{\"userId\":\"u\",\"properties\":{\"name\":\"kept\"}}");
	assert_int_equal(screen.call, CALL_SCREEN);
	assert_text(screen.name, "$screen");
	assert_string_equal(values_json(*state, &screen), "{\"name\":\"kept\"}");
}

static void an_identify_sets_traits_and_no_other_call_does(void **state)
{
	struct record record =
		assert_accepted(*state, INGEST_IDENTIFY,
	                    "{\"userId\":\"u\",\"traits\":{\"membership_tier\":\"VIP\",\"x\":null},"
	                    "\"context\":{\"a\":1}}");
	assert_int_equal(record.kind, RECORD_TRAITS);
	assert_int_equal(record.call, CALL_IDENTIFY);
	assert_string_equal(values_json(*state, &record), "{\"membership_tier\":\"VIP\",\"x\":null}");

	record = assert_accepted(*state, INGEST_TRACK,
	                         "{\"userId\":\"u\",\"event\":\"e\",\"traits\":{\"a\":1},"
	                         "\"context\":{\"traits\":{\"plan\":\"pro\",\"email\":\"a@b.c\"}}}");
	assert_int_equal(record.kind, RECORD_EVENT);
	assert_string_equal(values_json(*state, &record), "{}");
	assert_string_equal(clear_context_json(*state, &record),
	                    "{\"traits\":{\"plan\":\"pro\",\"email\":null}}");
	assert_string_equal(context_json(*state, &record),
	                    "{\"traits\":{\"plan\":\"pro\",\"email\":\"a@b.c\"}}");
}

static void a_group_sets_the_trait_group_id_and_nothing_else(void **state)
{
	struct record record = assert_accepted(
		*state, INGEST_GROUP, "{\"userId\":\"u\",\"groupId\":42,\"traits\":{\"plan\":\"pro\"}}");
	assert_int_equal(record.kind, RECORD_TRAITS);
	assert_int_equal(record.call, CALL_GROUP);
	assert_string_equal(values_json(*state, &record), "{\"group_id\":\"42\"}");
	assert_rejected(*state, INGEST_GROUP, "{\"userId\":\"u\"}", "MISSING_ID");
}

static void a_batch_takes_each_message_by_its_type(void **state)
{
	static const struct {
		const char      *type;
		enum record_call call;
	} types[] = {
		{"track", CALL_TRACK}, {"page", CALL_PAGE},         {"screen", CALL_SCREEN},
		{"group", CALL_GROUP}, {"identify", CALL_IDENTIFY},
	};
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		char json[200];
		snprintf(json, sizeof json,
		         "{\"batch\":[{\"type\":\"%s\",\"userId\":\"u\",\"event\":\"e\","
		         "\"groupId\":\"g\"}]}",
		         types[i].type);
		assert_int_equal(assert_accepted(*state, INGEST_BATCH, json).call, types[i].call);
	}
	assert_rejected(*state, INGEST_BATCH, "{\"batch\":[{\"type\":\"delete\",\"userId\":\"u\"}]}",
	                "UNKNOWN_TYPE");
	assert_rejected(*state, INGEST_BATCH, "{\"batch\":[{\"userId\":\"u\"}]}", "UNKNOWN_TYPE");
	assert_rejected(*state, INGEST_BATCH, "{\"batch\":[{\"type\":1,\"userId\":\"u\"}]}",
	                "UNKNOWN_TYPE");
}

static void a_single_call_is_what_its_path_says_whatever_its_type(void **state)
{
	struct record record = assert_accepted(*state, INGEST_TRACK,
	                                       "{\"type\":\"page\",\"userId\":\"u\",\"event\":\"e\"}");
	assert_int_equal(record.call, CALL_TRACK);
}

static void a_batch_may_be_one_message(void **state)
{
	struct record record = assert_accepted(*state, INGEST_BATCH,
	                                       "{\"type\":\"track\",\"userId\":\"u\",\"event\":\"e\"}");
	assert_text(record.name, "e");
}

static void a_message_that_is_no_object_is_rejected(void **state)
{
	assert_rejected(*state, INGEST_BATCH, "{\"batch\":[5]}", "INVALID_MESSAGE");
	assert_rejected(*state, INGEST_EVENTS, "[[]]", "INVALID_MESSAGE");
}

static void a_track_needs_the_name_of_its_event(void **state)
{
	assert_rejected(*state, INGEST_TRACK, "{\"userId\":\"u\"}", "MISSING_EVENT_NAME");
	assert_rejected(*state, INGEST_TRACK, "{\"userId\":\"u\",\"event\":\"\"}",
	                "MISSING_EVENT_NAME");
	assert_rejected(*state, INGEST_TRACK, "{\"userId\":\"u\",\"event\":null}",
	                "MISSING_EVENT_NAME");
	assert_rejected(*state, INGEST_TRACK, "{\"userId\":\"u\",\"event\":7}", "MISSING_EVENT_NAME");
}

static void the_platforms_names_are_stored_as_segments_on_every_path(void **state)
{
	struct record record =
		assert_accepted(*state, INGEST_TRACK, "{\"userId\":\"u\",\"event\":\"addToCart\"}");
	assert_text(record.name, "Product Added");
}

/* ---- Ids ---- */

static void an_event_needs_an_id_and_empty_ones_are_none(void **state)
{
	assert_rejected(*state, INGEST_TRACK, "{\"event\":\"e\"}", "MISSING_ID");
	assert_rejected(*state, INGEST_TRACK, "{\"event\":\"e\",\"userId\":\"\",\"anonymousId\":null}",
	                "MISSING_ID");
	struct record record = assert_accepted(
		*state, INGEST_TRACK, "{\"event\":\"e\",\"userId\":\"\",\"anonymousId\":\"a\"}");
	assert_int_equal(record.flags, 0);
}

static void numeric_ids_become_their_shortest_text(void **state)
{
	assert_accepted(*state, INGEST_TRACK, "{\"event\":\"e\",\"userId\":12.50}");
	assert_int_not_equal(fake_vault_person(VAULT_USER, "12.5").slot, SLOT_NONE);
	assert_accepted(*state, INGEST_TRACK, "{\"event\":\"e\",\"userId\":-3}");
	assert_int_not_equal(fake_vault_person(VAULT_USER, "-3").slot, SLOT_NONE);
	assert_accepted(*state, INGEST_TRACK, "{\"event\":\"e\",\"userId\":18446744073709551615}");
	assert_int_not_equal(fake_vault_person(VAULT_USER, "18446744073709551615").slot, SLOT_NONE);
	assert_accepted(*state, INGEST_TRACK, "{\"event\":\"e\",\"anonymousId\":1e3}");
	assert_int_not_equal(fake_vault_person(VAULT_ANONYMOUS, "1000").slot, SLOT_NONE);
}

static void ids_of_other_types_and_longer_than_1024_bytes_are_rejected(void **state)
{
	assert_rejected(*state, INGEST_TRACK, "{\"event\":\"e\",\"userId\":[\"u\"]}", "INVALID_ID");
	assert_rejected(*state, INGEST_TRACK, "{\"event\":\"e\",\"userId\":\"u\",\"anonymousId\":true}",
	                "INVALID_ID");
	assert_rejected(*state, INGEST_TRACK, "{\"event\":\"e\",\"userId\":1e999}", "INVALID_NUMBER");

	char *longest = filled("{\"event\":\"e\",\"userId\":\"@\"}", 'u', VAULT_ID_BYTES_MAX);
	char *longer  = filled("{\"event\":\"e\",\"userId\":\"@\"}", 'u', VAULT_ID_BYTES_MAX + 1);
	assert_accepted(*state, INGEST_TRACK, longest);
	assert_rejected(*state, INGEST_TRACK, longer, "INVALID_ID");
	free(longest);
	free(longer);
}

static void a_message_id_is_a_string_or_number_of_at_most_256_bytes(void **state)
{
	const char   *pattern = "{\"event\":\"e\",\"userId\":\"u\",\"messageId\":\"@\"}";
	char         *longest = filled(pattern, 'm', INGEST_MESSAGE_ID_BYTES_MAX);
	char         *longer  = filled(pattern, 'm', INGEST_MESSAGE_ID_BYTES_MAX + 1);
	struct record record  = assert_accepted(*state, INGEST_TRACK, longest);
	assert_int_equal(record.message_id.length, INGEST_MESSAGE_ID_BYTES_MAX);
	assert_rejected(*state, INGEST_TRACK, longer, "INVALID_MESSAGE_ID");
	assert_rejected(*state, INGEST_TRACK, "{\"event\":\"e\",\"userId\":\"u\",\"messageId\":{}}",
	                "INVALID_MESSAGE_ID");
	record =
		assert_accepted(*state, INGEST_TRACK, "{\"event\":\"e\",\"userId\":\"u\",\"messageId\":5}");
	assert_text(record.message_id, "5");
	record = assert_accepted(*state, INGEST_TRACK,
	                         "{\"event\":\"e\",\"userId\":\"u\",\"messageId\":\"\"}");
	assert_int_equal(record.message_id.length, 0);
	free(longest);
	free(longer);
}

/* ---- Times ---- */

static void timestamp_and_its_difference_to_sent_at_are_kept(void **state)
{
	struct record record = assert_accepted(
		*state, INGEST_TRACK,
		"{\"event\":\"e\",\"userId\":\"u\",\"timestamp\":\"2025-01-07T19:00:00.5+09:00\","
		"\"sentAt\":\"2025-01-07T10:00:02.000Z\"}");
	assert_int_equal(record.timestamp_ms, NOW_MS - 30 * MINUTE_MS + 500);
	assert_int_equal(record.skew_ms, 1500);
}

static void the_batchs_sent_at_serves_messages_without_their_own(void **state)
{
	struct record record = assert_accepted(
		*state, INGEST_BATCH,
		"{\"sentAt\":\"2025-01-07T10:00:02Z\",\"batch\":[{\"type\":\"track\",\"event\":\"e\","
		"\"userId\":\"u\",\"timestamp\":\"2025-01-07T10:00:00Z\"}]}");
	assert_int_equal(record.skew_ms, 2000);
	record = assert_accepted(
		*state, INGEST_BATCH,
		"{\"sentAt\":\"2025-01-07T10:00:02Z\",\"batch\":[{\"type\":\"track\",\"event\":\"e\","
		"\"userId\":\"u\",\"timestamp\":\"2025-01-07T10:00:00Z\","
		"\"sentAt\":\"2025-01-07T10:00:01Z\"}]}");
	assert_int_equal(record.skew_ms, 1000);
}

static void without_timestamp_there_is_neither(void **state)
{
	struct record record =
		assert_accepted(*state, INGEST_TRACK,
	                    "{\"event\":\"e\",\"userId\":\"u\",\"sentAt\":\"2025-01-07T10:00:02Z\"}");
	assert_int_equal(record.timestamp_ms, INSTANT_MS_NONE);
	assert_int_equal(record.skew_ms, INSTANT_MS_NONE);
}

static void the_original_timestamp_counts_only_where_there_is_no_timestamp(void **state)
{
	struct record record = assert_accepted(
		*state, INGEST_TRACK,
		"{\"event\":\"e\",\"userId\":\"u\",\"originalTimestamp\":\"2025-01-07T10:00:00Z\"}");
	assert_int_equal(record.timestamp_ms, NOW_MS - 30 * MINUTE_MS);
	record = assert_accepted(*state, INGEST_TRACK,
	                         "{\"event\":\"e\",\"userId\":\"u\",\"originalTimestamp\":\"garbage\","
	                         "\"timestamp\":\"2025-01-07T10:30:00Z\"}");
	assert_int_equal(record.timestamp_ms, NOW_MS);
}

static void a_timestamp_that_cannot_be_read_rejects_and_such_a_sent_at_does_not(void **state)
{
	static const char *const bad[] = {"\"yesterday\"",
	                                  "1736245800000",
	                                  "\"\"",
	                                  "{}",
	                                  "true",
	                                  "\"2025-01-07T10:00:60Z\"",
	                                  "\"2025-02-30T10:00:00Z\""};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char json[200];
		snprintf(json, sizeof json, "{\"event\":\"e\",\"userId\":\"u\",\"timestamp\":%s}", bad[i]);
		assert_rejected(*state, INGEST_TRACK, json, "INVALID_TIMESTAMP");
		snprintf(json, sizeof json,
		         "{\"event\":\"e\",\"userId\":\"u\",\"sentAt\":%s,"
		         "\"timestamp\":\"2025-01-07T10:00:00Z\"}",
		         bad[i]);
		struct record record = assert_accepted(*state, INGEST_TRACK, json);
		assert_int_equal(record.skew_ms, INSTANT_MS_NONE);
	}
}

static void what_is_older_than_the_retention_is_rejected_by_whole_days(void **state)
{
	/* 1,096 days before 2025-01-07 is 2022-01-07: its events end at that day's midnight. */
	assert_rejected(*state, INGEST_TRACK,
	                "{\"event\":\"e\",\"userId\":\"u\",\"timestamp\":\"2022-01-07T23:59:59Z\"}",
	                "TOO_OLD");
	assert_accepted(*state, INGEST_TRACK,
	                "{\"event\":\"e\",\"userId\":\"u\",\"timestamp\":\"2022-01-08T00:00:00Z\"}");
	assert_rejected(*state, INGEST_IDENTIFY, "{\"userId\":\"u\",\"timestamp\":\"2020-01-01\"}",
	                "TOO_OLD");
}

static void the_age_is_that_of_the_corrected_time(void **state)
{
	/* A clock that is four years behind sends events of now. */
	assert_accepted(*state, INGEST_TRACK,
	                "{\"event\":\"e\",\"userId\":\"u\",\"timestamp\":\"2021-01-01T00:00:00Z\","
	                "\"sentAt\":\"2021-01-01T00:00:01Z\"}");
}

/* ---- Values ---- */

static void a_number_that_is_not_finite_rejects_its_event(void **state)
{
	assert_rejected(*state, INGEST_TRACK,
	                "{\"event\":\"e\",\"userId\":\"u\",\"properties\":{\"a\":1e400}}",
	                "INVALID_NUMBER");
	assert_rejected(*state, INGEST_TRACK,
	                "{\"event\":\"e\",\"userId\":\"u\",\"properties\":{\"a\":{\"b\":[-1e400]}}}",
	                "INVALID_NUMBER");
	assert_rejected(*state, INGEST_TRACK,
	                "{\"event\":\"e\",\"userId\":\"u\",\"context\":{\"a\":1e400}}",
	                "INVALID_NUMBER");
	assert_rejected(*state, INGEST_IDENTIFY, "{\"userId\":\"u\",\"traits\":{\"email\":[1e400]}}",
	                "INVALID_NUMBER");
}

static void properties_traits_and_context_are_objects_or_absent(void **state)
{
	assert_rejected(*state, INGEST_TRACK, "{\"event\":\"e\",\"userId\":\"u\",\"properties\":[1]}",
	                "INVALID_FIELD");
	assert_rejected(*state, INGEST_TRACK, "{\"event\":\"e\",\"userId\":\"u\",\"context\":\"x\"}",
	                "INVALID_FIELD");
	assert_rejected(*state, INGEST_IDENTIFY, "{\"userId\":\"u\",\"traits\":5}", "INVALID_FIELD");
	assert_rejected(*state, INGEST_PAGE, "{\"userId\":\"u\",\"name\":5}", "INVALID_FIELD");
	struct record record =
		assert_accepted(*state, INGEST_TRACK,
	                    "{\"event\":\"e\",\"userId\":\"u\",\"properties\":null,\"context\":null}");
	assert_string_equal(values_json(*state, &record), "{}");
}

static void nesting_goes_64_deep_and_no_deeper(void **state)
{
	char json[600];
	for (int objects = 0; objects <= 1; objects++) {
		for (int depth = 64; depth <= 65; depth++) {
			const char *open  = objects ? "{\"a\":" : "[";
			const char *close = objects ? "}" : "]";
			FILE       *out   = fmemopen(json, sizeof json, "w");
			fputs("{\"event\":\"e\",\"userId\":\"u\",\"properties\":{\"x\":", out);
			for (int i = 0; i < depth; i++)
				fputs(open, out);
			fputs("1", out);
			for (int i = 0; i < depth; i++)
				fputs(close, out);
			fputs("}}", out);
			fclose(out);
			if (depth == 64)
				assert_accepted(*state, INGEST_TRACK, json);
			else
				assert_rejected(*state, INGEST_TRACK, json, "TOO_DEEP");
		}
	}
}

static void of_a_field_that_comes_twice_the_last_one_counts(void **state)
{
	struct record record =
		assert_accepted(*state, INGEST_TRACK,
	                    "{\"event\":\"first\",\"event\":\"last\",\"userId\":\"x\",\"userId\":\"u\","
	                    "\"properties\":{\"a\":1},\"properties\":{\"a\":2,\"a\":3}}");
	assert_text(record.name, "last");
	struct value value = value_find(record.properties, TEXT("a"), hash_name(TEXT("a")));
	assert_int_equal(value.integer, 3);
	assert_int_equal(fake_vault_person(VAULT_USER, "x").slot, SLOT_NONE);
	assert_int_not_equal(fake_vault_person(VAULT_USER, "u").slot, SLOT_NONE);
}

static void the_batchs_context_fills_what_a_messages_own_lacks(void **state)
{
	struct record record = assert_accepted(
		*state, INGEST_BATCH,
		"{\"context\":{\"locale\":\"ko\",\"app\":{\"name\":\"shop\"}},\"batch\":["
		"{\"type\":\"track\",\"event\":\"e\",\"userId\":\"u\",\"context\":{\"locale\":\"en\"}}]}");
	struct text locale = value_find(record.context, TEXT("locale"), hash_name(TEXT("locale"))).text;
	assert_text(locale, "en");
	assert_int_equal(value_find(record.context, TEXT("app"), hash_name(TEXT("app"))).type,
	                 VALUE_OBJECT);
}

static void personal_values_are_sealed_with_their_presence_in_clear(void **state)
{
	struct record record = assert_accepted(
		*state, INGEST_TRACK,
		"{\"event\":\"e\",\"userId\":\"u\",\"properties\":{\"email\":\"a@b.c\",\"n\":1},"
		"\"context\":{\"ip\":\"1.2.3.4\",\"device\":{\"id\":\"d\",\"model\":\"m\"}}}");
	assert_string_equal(clear_values_json(*state, &record), "{\"email\":null,\"n\":1}");
	assert_string_equal(values_json(*state, &record), "{\"email\":\"a@b.c\",\"n\":1}");
	assert_string_equal(clear_context_json(*state, &record),
	                    "{\"ip\":null,\"device\":{\"id\":null,\"model\":\"m\"}}");
	assert_string_equal(context_json(*state, &record),
	                    "{\"ip\":\"1.2.3.4\",\"device\":{\"id\":\"d\",\"model\":\"m\"}}");
	assert_int_equal(fake_vault.seal_count, 1);
}

static void nothing_is_sealed_where_nothing_is_personal(void **state)
{
	assert_accepted(*state, INGEST_TRACK,
	                "{\"event\":\"e\",\"userId\":\"u\",\"properties\":{\"email\":null}}");
	assert_int_equal(fake_vault.seal_count, 0);
}

/* ---- Sizes ---- */

static void an_event_of_32_kb_is_taken_and_a_larger_one_rejected(void **state)
{
	const char *pattern = "{\"event\":\"e\",\"userId\":\"u\",\"properties\":{\"a\":\"@\"}}";
	size_t      rest    = strlen(pattern) - 1;
	char       *longest = filled(pattern, 'x', EVENT_BYTES_MAX - rest);
	char       *longer  = filled(pattern, 'x', EVENT_BYTES_MAX - rest + 1);
	assert_accepted(*state, INGEST_TRACK, longest);
	assert_rejected(*state, INGEST_TRACK, longer, "EVENT_TOO_LARGE");
	free(longest);
	free(longer);
}

static void white_space_does_not_make_an_event_too_large(void **state)
{
	char *json = filled("{\"event\":\"e\",@\"userId\":\"u\"}", ' ', 2 * EVENT_BYTES_MAX);
	assert_accepted(*state, INGEST_TRACK, json);
	free(json);
}

static void a_large_event_in_a_batch_is_rejected_alone(void **state)
{
	struct harness *harness = *state;
	char *json = filled("{\"batch\":[{\"type\":\"track\",\"event\":\"a\",\"userId\":\"u\"},"
	                    "{\"type\":\"track\",\"event\":\"b\",\"userId\":\"u\","
	                    "\"properties\":{\"x\":\"@\"}},"
	                    "{\"type\":\"track\",\"event\":\"c\",\"userId\":\"u\"}]}",
	                    'x', 1000 * 1000);
	harness_submit_string(harness, INGEST_BATCH, json);
	assert_int_equal(harness->status, STATUS_OK);
	assert_int_equal(harness->accepted_count, 2);
	assert_int_equal(harness->rejected.count, 1);
	assert_int_equal(harness->rejected.items[0].index, 1);
	assert_int_equal(harness->rejected.items[0].code, INGEST_EVENT_TOO_LARGE);
	assert_text(harness_record(harness, 0).name, "a");
	assert_text(harness_record(harness, 1).name, "c");
	free(json);
}

static void a_batchs_context_counts_to_the_size_of_its_messages(void **state)
{
	char *json = filled("{\"context\":{\"x\":\"@\"},\"batch\":[{\"type\":\"track\","
	                    "\"event\":\"a\",\"userId\":\"u\"}]}",
	                    'x', EVENT_BYTES_MAX - 20);
	assert_rejected(*state, INGEST_BATCH, json, "EVENT_TOO_LARGE");
	free(json);
	json = filled("{\"context\":{\"x\":\"@\"},\"batch\":[{\"type\":\"track\","
	              "\"event\":\"a\",\"userId\":\"u\"}]}",
	              'x', 1000 * 1000);
	assert_rejected(*state, INGEST_BATCH, json, "EVENT_TOO_LARGE");
	free(json);
}

/* ---- The platform's own events ---- */

static void a_platform_event_is_stored_as_segments_with_its_session_and_device(void **state)
{
	struct record record = assert_accepted(
		*state, INGEST_EVENT,
		"{\"userId\":\"u\",\"eventType\":\"orders\",\"timestamp\":1736245800000.9,"
		"\"attributes\":{\"amount\":5},\"sessionId\":\"s\",\"deviceId\":77,"
		"\"messageId\":\"m\",\"sentAt\":\"2025-01-07T10:00:02Z\",\"anonymousId\":\"a\"}");
	assert_int_equal(record.call, CALL_TRACK);
	assert_text(record.name, "Order Completed");
	assert_int_equal(record.timestamp_ms, NOW_MS);
	assert_int_equal(record.skew_ms, INSTANT_MS_NONE);
	assert_string_equal(values_json(*state, &record), "{\"amount\":5}");
	assert_string_equal(clear_context_json(*state, &record),
	                    "{\"sessionId\":\"s\",\"device\":{\"id\":null}}");
	assert_string_equal(context_json(*state, &record),
	                    "{\"sessionId\":\"s\",\"device\":{\"id\":\"77\"}}");
}

static void platform_events_come_as_an_array_or_under_events(void **state)
{
	struct harness          *harness  = *state;
	static const char *const bodies[] = {
		"[{\"userId\":\"u\",\"eventType\":\"clicks\"},{\"userId\":\"u\",\"eventType\":\"installs\"}"
		"]",
		"{\"events\":[{\"userId\":\"u\",\"eventType\":\"clicks\"},"
		"{\"userId\":\"u\",\"eventType\":\"installs\"}]}",
	};
	for (unsigned i = 0; i < 2; i++) {
		harness_submit_string(harness, INGEST_EVENTS, bodies[i]);
		assert_int_equal(harness->status, STATUS_OK);
		assert_int_equal(harness->accepted_count, 2);
		assert_text(harness_record(harness, 2 * i).name, "Link Clicked");
		assert_text(harness_record(harness, 2 * i + 1).name, "Application Installed");
	}
}

static void other_event_types_are_rejected(void **state)
{
	assert_rejected(*state, INGEST_EVENT, "{\"userId\":\"u\",\"eventType\":\"refunds\"}",
	                "UNKNOWN_EVENT_TYPE");
	assert_rejected(*state, INGEST_EVENT, "{\"userId\":\"u\",\"eventType\":\"Link Clicked\"}",
	                "UNKNOWN_EVENT_TYPE");
	assert_rejected(*state, INGEST_EVENT, "{\"userId\":\"u\"}", "UNKNOWN_EVENT_TYPE");
}

static void a_registered_event_type_is_stored_under_its_own_name(void **state)
{
	struct harness *harness = *state;
	event_types_add(ingest_event_types(harness->ingest), TEXT("예약 취소"));
	struct record record =
		assert_accepted(*state, INGEST_EVENT, "{\"userId\":\"u\",\"eventType\":\"예약 취소\"}");
	assert_text(record.name, "예약 취소");
	assert_rejected(*state, INGEST_EVENT, "{\"userId\":\"u\",\"eventType\":\"예약\"}",
	                "UNKNOWN_EVENT_TYPE");
}

static void a_merge_of_a_visitor_into_a_user_is_an_alias(void **state)
{
	struct harness   *harness = *state;
	static const char json[]  = "{\"mergeProperties\":[{\"type\":\"anonymousId\",\"value\":\"a\"},"
								"{\"type\":\"user_id\",\"value\":7}]}";
	harness_submit_string(harness, INGEST_MERGE, json);
	assert_int_equal(harness->accepted_count, 1);
	assert_int_equal(harness_record(harness, 0).kind, RECORD_ALIAS);
	struct person visitor = fake_vault_person(VAULT_ANONYMOUS, "a");
	struct person user    = fake_vault_person(VAULT_USER, "7");
	assert_int_equal(visitor.slot, user.slot);
	assert_int_equal(visitor.partition, user.partition);
}

static void any_other_merge_is_rejected(void **state)
{
	static const char *const others[] = {
		"",
		"[]",
		"{}",
		"[{\"type\":\"userId\",\"value\":\"u\"}]",
		"[{\"type\":\"userId\",\"value\":\"u\"},{\"type\":\"userId\",\"value\":\"v\"}]",
		"[{\"type\":\"userId\",\"value\":\"u\"},{\"type\":\"email\",\"value\":\"v\"}]",
		"[{\"type\":\"userId\",\"value\":\"\"},{\"type\":\"anonymousId\",\"value\":\"v\"}]",
		"[{\"type\":\"userId\",\"value\":\"u\"},{\"type\":\"anonymousId\",\"value\":\"v\"},5]",
	};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		char json[300];
		snprintf(json, sizeof json, "{\"userId\":\"u\"%s%s}",
		         others[i][0] != '\0' ? ",\"mergeProperties\":" : "", others[i]);
		assert_rejected(*state, INGEST_MERGE, json, "UNSUPPORTED_MERGE");
	}
}

static void a_platform_event_needs_a_user(void **state)
{
	assert_rejected(*state, INGEST_EVENT, "{\"anonymousId\":\"a\",\"eventType\":\"clicks\"}",
	                "MISSING_ID");
}

static void a_platform_timestamp_is_epoch_milliseconds_or_rfc_3339(void **state)
{
	struct record record = assert_accepted(
		*state, INGEST_EVENT,
		"{\"userId\":\"u\",\"eventType\":\"clicks\",\"timestamp\":\"2025-01-07T10:30:00Z\"}");
	assert_int_equal(record.timestamp_ms, NOW_MS);
	static const char *const bad[] = {"1e300", "1e999", "-1e17", "[]", "\"1736245800000\""};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char json[200];
		snprintf(json, sizeof json, "{\"userId\":\"u\",\"eventType\":\"clicks\",\"timestamp\":%s}",
		         bad[i]);
		assert_rejected(*state, INGEST_EVENT, json, "INVALID_TIMESTAMP");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_new, harness_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_track_becomes_an_event_with_its_name_properties_and_context),
		TEST(pages_and_screens_have_names_of_ours_and_their_own_among_the_properties),
		TEST(an_identify_sets_traits_and_no_other_call_does),
		TEST(a_group_sets_the_trait_group_id_and_nothing_else),
		TEST(a_batch_takes_each_message_by_its_type),
		TEST(a_single_call_is_what_its_path_says_whatever_its_type),
		TEST(a_batch_may_be_one_message),
		TEST(a_message_that_is_no_object_is_rejected),
		TEST(a_track_needs_the_name_of_its_event),
		TEST(the_platforms_names_are_stored_as_segments_on_every_path),
		TEST(an_event_needs_an_id_and_empty_ones_are_none),
		TEST(numeric_ids_become_their_shortest_text),
		TEST(ids_of_other_types_and_longer_than_1024_bytes_are_rejected),
		TEST(a_message_id_is_a_string_or_number_of_at_most_256_bytes),
		TEST(timestamp_and_its_difference_to_sent_at_are_kept),
		TEST(the_batchs_sent_at_serves_messages_without_their_own),
		TEST(without_timestamp_there_is_neither),
		TEST(the_original_timestamp_counts_only_where_there_is_no_timestamp),
		TEST(a_timestamp_that_cannot_be_read_rejects_and_such_a_sent_at_does_not),
		TEST(what_is_older_than_the_retention_is_rejected_by_whole_days),
		TEST(the_age_is_that_of_the_corrected_time),
		TEST(a_number_that_is_not_finite_rejects_its_event),
		TEST(properties_traits_and_context_are_objects_or_absent),
		TEST(nesting_goes_64_deep_and_no_deeper),
		TEST(of_a_field_that_comes_twice_the_last_one_counts),
		TEST(the_batchs_context_fills_what_a_messages_own_lacks),
		TEST(personal_values_are_sealed_with_their_presence_in_clear),
		TEST(nothing_is_sealed_where_nothing_is_personal),
		TEST(an_event_of_32_kb_is_taken_and_a_larger_one_rejected),
		TEST(white_space_does_not_make_an_event_too_large),
		TEST(a_large_event_in_a_batch_is_rejected_alone),
		TEST(a_batchs_context_counts_to_the_size_of_its_messages),
		TEST(a_platform_event_is_stored_as_segments_with_its_session_and_device),
		TEST(platform_events_come_as_an_array_or_under_events),
		TEST(other_event_types_are_rejected),
		TEST(a_registered_event_type_is_stored_under_its_own_name),
		TEST(a_merge_of_a_visitor_into_a_user_is_an_alias),
		TEST(any_other_merge_is_rejected),
		TEST(a_platform_event_needs_a_user),
		TEST(a_platform_timestamp_is_epoch_milliseconds_or_rfc_3339),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
