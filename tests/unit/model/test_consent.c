#include "model/consent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/json.h"

struct asked {
	const char *traits;
	const char *consent;
	bool        given;
};

static bool given(struct arena *arena, const char *traits, const char *asked)
{
	struct json_parser *parser = json_parser_new();
	struct buffer       list   = {0};
	struct consent      consent;
	struct json         json;
	struct error        err;
	unsigned            count = 0;
	assert_true(consent_read(text_of(asked), arena, &consent));
	assert_int_equal(json_parse_text(parser, text_of(traits), &json, &err), STATUS_OK);
	size_t begin = value_list_begin(&list);
	for (struct json_iterator i = json_iterate(json); json_next(&i); count++)
		assert_int_equal(value_add_json(&list, i.name, i.value, &err), STATUS_OK);
	value_list_end(&list, begin, count);
	bool is_given = consent_given(&consent, buffer_text(&list));
	buffer_done(&list);
	json_parser_free(parser);
	return is_given;
}

static void the_channel_decides_before_the_purpose_and_silence_is_no(void **state)
{
	static const struct asked cases[] = {
		{"{}", "marketing.email", false},
		{"{\"consent.marketing.email\":true}", "marketing.email", true},
		{"{\"consent.marketing.email\":false,\"consent.marketing\":true}", "marketing.email",
	     false},
		{"{\"consent.marketing.email\":true,\"consent.marketing\":false}", "marketing.email", true},
		{"{\"consent.marketing\":true}", "marketing.sms", true},
		{"{\"consent.marketing\":false,\"marketing_consent\":[\"sms\"]}", "marketing.sms", false},
		{"{\"consent\":{\"marketing\":{\"email\":true}}}", "marketing.email", true},
		{"{\"consent\":{\"marketing\":{\"email\":true}}}", "marketing.sms", false},
		{"{\"consent.marketing.email\":\"yes\"}", "marketing.email", false},
		{"{\"consent.Advertising\":true}", "Advertising", true},
		{"{\"consent.Advertising\":true}", "Analytics", false},
	};
	struct arena arena;
	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (given(&arena, cases[i].traits, cases[i].consent) != cases[i].given)
			fail_msg("%s: %s", cases[i].traits, cases[i].consent);
	arena_done(&arena);
}

static void a_purpose_alone_is_given_by_any_of_its_channels_unless_it_was_refused(void **state)
{
	static const struct asked cases[] = {
		{"{\"consent.marketing.sms\":true}", "marketing", true},
		{"{\"consent.marketing.sms\":false}", "marketing", false},
		{"{\"consent.marketing\":false,\"consent.marketing.sms\":true}", "marketing", false},
		{"{\"consent.marketing\":false,\"consent.marketing.sms\":true}", "marketing.sms", true},
		{"{\"consent.marketing\":false,\"marketing_consent\":[\"email\"]}", "marketing", false},
		{"{\"consent\":{\"marketing\":{\"sms\":true}}}", "marketing", true},
		{"{\"consent.marketingx.sms\":true}", "marketing", false},
		{"{\"marketing_consent\":[\"email\"]}", "marketing", true},
		{"{\"marketing_consent\":[]}", "marketing", false},
		{"{\"marketing_consent\":[\"email\"]}", "marketing.email", true},
		{"{\"marketing_consent\":[\"email\"]}", "marketing.push", false},
		{"{\"marketing_consent\":[\"email\"]}", "research.email", false},
	};
	struct arena arena;
	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (given(&arena, cases[i].traits, cases[i].consent) != cases[i].given)
			fail_msg("%s: %s", cases[i].traits, cases[i].consent);
	arena_done(&arena);
}

static void what_names_no_purpose_is_refused(void **state)
{
	static const char *const wrong[] = {"", ".", "a.", ".b", "a.b.c", "a\nb"};
	struct consent           consent;
	struct arena             arena;
	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (consent_read(text_of(wrong[i]), &arena, &consent))
			fail_msg("%s", wrong[i]);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_channel_decides_before_the_purpose_and_silence_is_no),
		cmocka_unit_test(a_purpose_alone_is_given_by_any_of_its_channels_unless_it_was_refused),
		cmocka_unit_test(what_names_no_purpose_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
