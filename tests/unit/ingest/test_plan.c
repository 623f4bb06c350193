#include "ingest/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "ingest/watch.h"

/* The plan of the harness' source, which is that of its requests from now on. */
static void set_plan(struct harness *harness, const char *json)
{
	struct json_parser *parser = json_parser_new();
	struct error        err    = {0};
	struct json         root;
	struct plan        *plan;
	assert_int_equal(json_parse_text(parser, text_of(json), &root, &err), STATUS_OK);
	if (plan_read(root, &plan, &err) != STATUS_OK)
		fail_msg("%s: %s", err.field, err.reason);
	harness->planned = source_of(ingest_sources(harness->ingest), 7);
	watch_set_plan(ingest_watch(harness->ingest), harness->planned, plan);
	json_parser_free(parser);
}

/* A plan with one property `p` of the event `E`. */
static void set_property(struct harness *harness, const char *action, const char *property)
{
	char json[512];
	snprintf(json, sizeof json,
	         "{\"violations\":\"%s\",\"events\":[{\"name\":\"E\",\"properties\":["
	         "{\"name\":\"p\",%s}]}]}",
	         action, property);
	set_plan(harness, json);
}

static const char *event_with(const char *value)
{
	static char json[512];
	snprintf(json, sizeof json, "{\"userId\":\"u\",\"event\":\"E\",\"properties\":{\"p\":%s}}",
	         value);
	return json;
}

/* What `p` is in the journal. */
static void assert_stored(struct harness *harness, const char *value, const char *expected)
{
	char          whole[256];
	struct record record = assert_accepted(harness, INGEST_TRACK, event_with(value));
	snprintf(whole, sizeof whole, "{\"p\":%s}", expected);
	assert_string_equal(values_json(harness, &record), whole);
}

static void assert_violates(struct harness *harness, const char *json, const char *field,
                            const char *reason)
{
	assert_rejected(harness, INGEST_TRACK, json, "PLAN_VIOLATION");
	const struct harness_detail *detail = &harness->detail;
	assert_string_equal(detail->field, field);
	assert_string_equal(detail->reason, reason);
}

/* ---- Reading ---- */

static void assert_unreadable(const char *json, const char *field)
{
	struct json_parser *parser = json_parser_new();
	struct error        err    = {0};
	struct json         root;
	struct plan        *plan;
	assert_int_equal(json_parse_text(parser, text_of(json), &root, &err), STATUS_OK);
	assert_int_equal(plan_read(root, &plan, &err), STATUS_INVALID);
	assert_string_equal(err.field, field);
	json_parser_free(parser);
}

static void what_is_wrong_with_a_plan_is_named_with_its_path(void **state)
{
	(void)state;
	assert_unreadable("[]", "");
	assert_unreadable("{\"description\":1}", "description");
	assert_unreadable("{\"violations\":\"allowed\"}", "violations");
	assert_unreadable("{\"unplannedEvents\":\"no\"}", "unplannedEvents");
	assert_unreadable("{\"additionalTraits\":7}", "additionalTraits");
	assert_unreadable("{\"plan\":{}}", "plan");
	assert_unreadable("{\"events\":{}}", "events");
	assert_unreadable("{\"events\":[7]}", "events[0]");
	assert_unreadable("{\"events\":[{\"name\":\"\"}]}", "events[0].name");
	assert_unreadable("{\"events\":[{\"name\":\"주문\"},{\"name\":\"주문\"}]}", "events[1].name");
	assert_unreadable("{\"events\":[{\"name\":\"orders\"},{\"name\":\"Order Completed\"}]}",
	                  "events[1].name");
	assert_unreadable("{\"events\":[{\"name\":\"A\",\"x\":1}]}", "events[0].x");
	assert_unreadable("{\"traits\":[{\"name\":\"a\"}]}", "traits[0].type");
	assert_unreadable("{\"traits\":[{\"name\":\"a\",\"type\":\"any\",\"required\":1}]}",
	                  "traits[0].required");
	assert_unreadable("{\"traits\":[{\"name\":\"a\",\"type\":\"any\",\"enum\":[1]}]}",
	                  "traits[0].enum");
	assert_unreadable("{\"traits\":[{\"name\":\"a\",\"type\":\"string\",\"enum\":[]}]}",
	                  "traits[0].enum");
	assert_unreadable("{\"traits\":[{\"name\":\"a\",\"type\":\"string\",\"enum\":[\"b\",1]}]}",
	                  "traits[0].enum[1]");
	assert_unreadable("{\"traits\":[{\"name\":\"address.city\",\"type\":\"string\"}]}",
	                  "traits[0].name");
	assert_unreadable("{\"traits\":[{\"name\":\"a\",\"type\":\"any\"},"
	                  "{\"name\":\"a\",\"type\":\"any\"}]}",
	                  "traits[1].name");
	assert_unreadable("{\"events\":[{\"name\":\"A\",\"properties\":["
	                  "{\"name\":\"context.ip\",\"type\":\"any\"}]}]}",
	                  "events[0].properties[0].name");
}

static void a_plan_holds_no_more_than_its_limits(void **state)
{
	struct buffer json = {0};
	(void)state;
	buffer_printf(&json, "{\"events\":[{}");
	for (unsigned i = 0; i < PLAN_EVENTS_MAX; i++)
		buffer_printf(&json, ",{\"name\":\"e%u\"}", i);
	buffer_printf(&json, "]}%c", 0);
	assert_unreadable(json.data, "events");
	buffer_clear(&json);
	buffer_printf(&json, "{\"traits\":[{}");
	for (unsigned i = 0; i < PLAN_PROPERTIES_MAX; i++)
		buffer_printf(&json, ",{\"name\":\"p%u\",\"type\":\"any\"}", i);
	buffer_printf(&json, "]}%c", 0);
	assert_unreadable(json.data, "traits");
	buffer_clear(&json);
	buffer_printf(&json, "{\"traits\":[{\"name\":\"a\",\"type\":\"number\",\"enum\":[0");
	for (unsigned i = 0; i < PLAN_ENUM_MAX; i++)
		buffer_printf(&json, ",%u", i);
	buffer_printf(&json, "]}]}%c", 0);
	assert_unreadable(json.data, "traits[0].enum");
	buffer_clear(&json);
	buffer_printf(&json, "{\"traits\":[{\"type\":\"any\",\"name\":\"%0*u\"}]}%c",
	              PLAN_NAME_BYTES_MAX + 1, 1, 0);
	assert_unreadable(json.data, "traits[0].name");
	buffer_done(&json);
}

/* ---- Types ---- */

/* What becomes of each value: stored as it is "=", a violation "-", else what it is coerced to. */
static const char *const values[] = {
	"5",
	"1.5",
	"-0.0",
	"18446744073709551615",
	"1e300",
	"1767225600000",
	"\"5\"",
	"\"1.5\"",
	"\"한글\"",
	"\"\"",
	"\"true\"",
	"\"2026-01-01T00:00:00Z\"",
	"true",
	"false",
	"[\"a\",\"b\"]",
	"[]",
	"[1,true,\"a\"]",
	"[{}]",
	"{\"a\":1}",
};

static const struct {
	const char *type;
	const char *outcomes[sizeof values / sizeof values[0]];
} types[] = {
	{"any",
     {"=", "=", "=", "=", "=", "=", "=", "=", "=", "=", "=", "=", "=", "=", "=", "=", "=", "=",
      "="}},
	{"string",
     {"\"5\"", "\"1.5\"", "\"0\"", "\"18446744073709551615\"", "\"1e+300\"", "\"1767225600000\"",
      "=", "=", "=", "=", "=", "=", "\"true\"", "\"false\"", "-", "-", "-", "-", "-"}},
	{"number",
     {"=", "=", "=", "=", "=", "=", "5", "1.5", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-",
      "-"}},
	{"integer",
     {"=", "-", "0", "=", "-", "=", "5", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-",
      "-"}},
	{"boolean",
     {"-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "true", "-", "=", "=", "-", "-", "-", "-",
      "-"}},
	{"time",
     {"-", "-", "-", "-", "-", "\"2026-01-01T00:00:00Z\"", "-", "-", "-", "-", "-", "=", "-", "-",
      "-", "-", "-", "-", "-"}},
	{"string_set",
     {"-", "-", "-", "-", "-", "-", "[\"5\"]", "[\"1.5\"]", "[\"한글\"]", "[\"\"]", "[\"true\"]",
      "[\"2026-01-01T00:00:00Z\"]", "-", "-", "=", "=", "[\"1\",\"true\",\"a\"]", "-", "-"}},
	{"array",
     {"-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "=", "=", "=", "=",
      "-"}},
	{"object",
     {"-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-",
      "="}},
};

static void every_value_meets_every_type(void **state)
{
	struct harness *harness = *state;
	for (unsigned t = 0; t < sizeof types / sizeof types[0]; t++) {
		char property[64];
		snprintf(property, sizeof property, "\"type\":\"%s\"", types[t].type);
		for (unsigned v = 0; v < sizeof values / sizeof values[0]; v++) {
			const char *outcome = types[t].outcomes[v];
			/* JSON has one way to write what it means. */
			const char *as_it_is = strcmp(values[v], "-0.0") == 0    ? "0"
			                       : strcmp(values[v], "1e300") == 0 ? "1e+300"
			                                                         : values[v];
			set_property(harness, "rejected", property);
			if (strcmp(outcome, "-") == 0)
				assert_rejected(harness, INGEST_TRACK, event_with(values[v]), "PLAN_VIOLATION");
			else
				assert_stored(harness, values[v], strcmp(outcome, "=") == 0 ? as_it_is : outcome);
			set_property(harness, "reported", property);
			bool coerced = strcmp(outcome, "-") != 0 && strcmp(outcome, "=") != 0;
			assert_stored(harness, values[v], coerced ? outcome : as_it_is);
		}
	}
}

static void only_a_number_that_loses_nothing_is_read_from_text(void **state)
{
	struct harness *harness = *state;
	set_property(harness, "rejected", "\"type\":\"number\"");
	assert_stored(harness, "\"-12\"", "-12");
	assert_stored(harness, "\"0.1\"", "0.1");
	assert_stored(harness, "\"123456789.012345\"", "123456789.012345");
	assert_stored(harness, "\"1.50e3\"", "1500");
	assert_stored(harness, "\"1E-5\"", "0.00001");
	assert_stored(harness, "\"9007199254740993\"", "9007199254740993");
	assert_stored(harness, "\"18446744073709551615\"", "18446744073709551615");
	static const char *const refused[] = {"\"\"",
	                                      "\" 5\"",
	                                      "\"5 \"",
	                                      "\"+5\"",
	                                      "\"05\"",
	                                      "\"5.\"",
	                                      "\".5\"",
	                                      "\"-\"",
	                                      "\"1e\"",
	                                      "\"0x5\"",
	                                      "\"1,5\"",
	                                      "\"1e999\"",
	                                      "\"NaN\"",
	                                      "\"1.5e\"",
	                                      "\"-01\"",
	                                      "\"1e-999\"",
	                                      "\"1e+\"",
	                                      "\"0.1234567890123456789\"",
	                                      "\"18446744073709551616\"",
	                                      "\"-9223372036854775809\"",
	                                      "\"5\\u0000\"",
	                                      "\"00000000000000000000000000000000000000000000000001\""};
	for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++)
		assert_rejected(harness, INGEST_TRACK, event_with(refused[i]), "PLAN_VIOLATION");
	set_property(harness, "rejected", "\"type\":\"integer\"");
	assert_stored(harness, "\"5.0\"", "5");
	assert_stored(harness, "5.0", "5");
	assert_rejected(harness, INGEST_TRACK, event_with("\"5.5\""), "PLAN_VIOLATION");
	assert_rejected(harness, INGEST_TRACK, event_with("1e16"), "PLAN_VIOLATION");
}

static void seconds_are_not_taken_for_milliseconds(void **state)
{
	struct harness *harness = *state;
	set_property(harness, "rejected", "\"type\":\"time\"");
	assert_stored(harness, "100000000000", "\"1973-03-03T09:46:40Z\"");
	assert_rejected(harness, INGEST_TRACK, event_with("1767225600"), "PLAN_VIOLATION");
	assert_rejected(harness, INGEST_TRACK, event_with("1767225600000.5"), "PLAN_VIOLATION");
	assert_rejected(harness, INGEST_TRACK, event_with("1e300"), "PLAN_VIOLATION");
}

static void what_is_coerced_and_personal_is_sealed(void **state)
{
	struct harness *harness = *state;
	set_plan(harness, "{\"events\":[{\"name\":\"E\",\"properties\":["
	                  "{\"name\":\"phone\",\"type\":\"string\"},"
	                  "{\"name\":\"set\",\"type\":\"string_set\"}]}]}");
	struct record record = assert_accepted(
		harness, INGEST_TRACK,
		"{\"userId\":\"u\",\"event\":\"E\",\"properties\":{\"phone\":1012345678,\"set\":"
		"\"0123456789012345678901234567890123456789012345678901234567890123456789\"}}");
	assert_string_equal(
		values_json(harness, &record),
		"{\"phone\":\"1012345678\",\"set\":"
		"[\"0123456789012345678901234567890123456789012345678901234567890123456789\"]}");
	assert_string_equal(clear_values_json(harness, &record), "{\"phone\":null,\"set\":null}");
}

/* ---- Values, required, additional ---- */

static void only_values_of_the_list_are_allowed_after_coercion(void **state)
{
	struct harness *harness = *state;
	set_property(harness, "rejected", "\"type\":\"string\",\"enum\":[\"택배\",\"5\"]");
	assert_stored(harness, "\"택배\"", "\"택배\"");
	assert_stored(harness, "5", "\"5\"");
	assert_violates(harness, event_with("\"secret\""), "properties.p",
	                "event \"E\": property \"p\" is none of the values that the tracking plan "
	                "allows");
	set_property(harness, "rejected", "\"type\":\"number\",\"enum\":[1,2.5]");
	assert_stored(harness, "\"2.5\"", "2.5");
	assert_rejected(harness, INGEST_TRACK, event_with("2"), "PLAN_VIOLATION");
	set_property(harness, "rejected", "\"type\":\"string_set\",\"enum\":[\"a\",\"b\"]");
	assert_stored(harness, "[\"b\",\"a\"]", "[\"b\",\"a\"]");
	assert_stored(harness, "\"a\"", "[\"a\"]");
	assert_rejected(harness, INGEST_TRACK, event_with("[\"a\",\"c\"]"), "PLAN_VIOLATION");
	assert_rejected(harness, INGEST_TRACK, event_with("\"c\""), "PLAN_VIOLATION");
}

static void what_is_required_must_be_there_and_not_null(void **state)
{
	struct harness *harness = *state;
	set_property(harness, "rejected", "\"type\":\"any\",\"required\":true");
	assert_stored(harness, "0", "0");
	assert_violates(harness, "{\"userId\":\"u\",\"event\":\"E\"}", "properties.p",
	                "event \"E\": property \"p\" is missing");
	assert_rejected(harness, INGEST_TRACK, event_with("null"), "PLAN_VIOLATION");
	assert_rejected(harness, INGEST_TRACK, event_with("1,\"p\":null"), "PLAN_VIOLATION");
	set_property(harness, "rejected", "\"type\":\"number\"");
	assert_stored(harness, "null", "null");
}

static void dotted_names_reach_into_objects(void **state)
{
	struct harness *harness = *state;
	set_plan(harness,
	         "{\"violations\":\"rejected\",\"additionalProperties\":\"rejected\",\"events\":["
	         "{\"name\":\"E\",\"properties\":["
	         "{\"name\":\"배송.주소.시\",\"type\":\"string\",\"required\":true},"
	         "{\"name\":\"free\",\"type\":\"object\"},"
	         "{\"name\":\"free.n\",\"type\":\"number\"}]}]}");
	struct record record =
		assert_accepted(harness, INGEST_TRACK,
	                    "{\"userId\":\"u\",\"event\":\"E\",\"properties\":{\"배송\":{\"주소\":"
	                    "{\"시\":63}},\"free\":{\"x\":{\"y\":1},\"n\":\"7\"}}}");
	assert_string_equal(values_json(harness, &record),
	                    "{\"배송\":{\"주소\":{\"시\":\"63\"}},\"free\":{\"x\":{\"y\":1},\"n\":7}}");
	assert_accepted(
		harness, INGEST_TRACK,
		"{\"userId\":\"u\",\"event\":\"E\",\"properties\":{\"배송.주소.시\":\"제주\"}}");
	assert_violates(harness,
	                "{\"userId\":\"u\",\"event\":\"E\",\"properties\":{\"배송\":{\"주소\":"
	                "{\"시\":\"제주\",\"동\":1}}}}",
	                "properties.배송.주소.동",
	                "event \"E\": property \"배송.주소.동\" is not in the tracking plan");
	assert_violates(harness, "{\"userId\":\"u\",\"event\":\"E\",\"properties\":{\"배송\":5}}",
	                "properties.배송",
	                "event \"E\": property \"배송\" is not in the tracking plan");
}

static void names_that_may_be_personal_are_not_told(void **state)
{
	struct harness *harness = *state;
	set_plan(harness, "{\"unplannedEvents\":\"rejected\",\"additionalTraits\":\"rejected\"}");
	assert_violates(harness, "{\"userId\":\"u\",\"event\":\"to a@b.kr\"}", "",
	                "event \"***\" is not in the tracking plan");
	assert_rejected(harness, INGEST_IDENTIFY, "{\"userId\":\"u\",\"traits\":{\"a@b.kr\":1}}",
	                "PLAN_VIOLATION");
	assert_string_equal(harness->detail.field, "traits.***");
}

static void pages_are_not_asked_to_be_in_a_plan_and_have_their_own_names(void **state)
{
	struct harness *harness = *state;
	set_plan(harness, "{\"unplannedEvents\":\"rejected\",\"additionalProperties\":\"rejected\","
	                  "\"events\":[{\"name\":\"$page\"}]}");
	assert_accepted(harness, INGEST_SCREEN, "{\"userId\":\"u\",\"properties\":{\"a\":1}}");
	assert_accepted(harness, INGEST_PAGE, "{\"userId\":\"u\",\"name\":\"집\",\"category\":\"c\"}");
	assert_rejected(harness, INGEST_PAGE, "{\"userId\":\"u\",\"properties\":{\"a\":1}}",
	                "PLAN_VIOLATION");
	assert_rejected(harness, INGEST_TRACK, "{\"userId\":\"u\",\"event\":\"F\"}", "PLAN_VIOLATION");
}

static void an_event_decides_for_itself_where_it_says_so(void **state)
{
	struct harness *harness = *state;
	set_plan(harness,
	         "{\"violations\":\"rejected\",\"additionalProperties\":\"rejected\",\"events\":["
	         "{\"name\":\"E\",\"violations\":\"reported\",\"additionalProperties\":\"allowed\","
	         "\"properties\":[{\"name\":\"p\",\"type\":\"number\"}]}]}");
	assert_accepted(harness, INGEST_TRACK, event_with("\"x\",\"q\":1"));
}

static void more_violations_than_are_told_of_still_reject(void **state)
{
	struct harness *harness = *state;
	struct buffer   json    = {0};
	set_plan(harness, "{\"violations\":\"rejected\",\"additionalProperties\":\"reported\","
	                  "\"events\":[{\"name\":\"E\",\"properties\":["
	                  "{\"name\":\"p\",\"type\":\"any\",\"required\":true}]}]}");
	buffer_printf(&json, "{\"userId\":\"u\",\"event\":\"E\",\"properties\":{\"x\":1");
	for (unsigned i = 0; i < 2 * PLAN_VIOLATIONS_MAX; i++)
		buffer_printf(&json, ",\"x%u\":1", i);
	buffer_printf(&json, "}}%c", 0);
	assert_violates(harness, json.data, "properties.p", "event \"E\": property \"p\" is missing");
	buffer_done(&json);
}

static void a_plan_that_was_exchanged_holds_for_the_next_request(void **state)
{
	struct harness *harness = *state;
	set_property(harness, "rejected", "\"type\":\"number\"");
	assert_rejected(harness, INGEST_TRACK, event_with("[]"), "PLAN_VIOLATION");
	set_property(harness, "rejected", "\"type\":\"array\"");
	assert_stored(harness, "[]", "[]");
	watch_set_plan(ingest_watch(harness->ingest), harness->planned, NULL);
	assert_stored(harness, "\"5\"", "\"5\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_with_a_plan_is_named_with_its_path),
		cmocka_unit_test(a_plan_holds_no_more_than_its_limits),
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_new, harness_free)
		TEST(every_value_meets_every_type),
		TEST(only_a_number_that_loses_nothing_is_read_from_text),
		TEST(seconds_are_not_taken_for_milliseconds),
		TEST(what_is_coerced_and_personal_is_sealed),
		TEST(only_values_of_the_list_are_allowed_after_coercion),
		TEST(what_is_required_must_be_there_and_not_null),
		TEST(dotted_names_reach_into_objects),
		TEST(names_that_may_be_personal_are_not_told),
		TEST(pages_are_not_asked_to_be_in_a_plan_and_have_their_own_names),
		TEST(an_event_decides_for_itself_where_it_says_so),
		TEST(more_violations_than_are_told_of_still_reject),
		TEST(a_plan_that_was_exchanged_holds_for_the_next_request),
#undef TEST
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
