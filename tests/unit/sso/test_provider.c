#include "sso/provider.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void only_https_is_asked_or_this_machine_itself(void **state)
{
	static const struct {
		const char *url;
		bool        good, loopback;
	} known[] = {
		{"https://login.example.com/a?b", true, false},
		{"https://", false, false},
		{"https:///a", false, false},
		{"http://login.example.com", false, false},
		{"http://127.0.0.1", true, true},
		{"http://127.0.0.1:8080/a", true, true},
		{"http://localhost/a", true, true},
		{"http://[::1]:1", true, true},
		{"http://127.0.0.1.example.com", false, false},
		{"http://localhost.example.com", false, false},
		{"http://127.0.0.10", false, false},
		{"http://127.0.0.1@example.com", false, true}, /* no host of ours, and never asked */
		{"https://a@example.com", false, false},
		{"https://example.com/#a", false, false},
		{"https://example.com/a b", false, false},
		{"file:///etc/passwd", false, false},
		{"", false, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		struct text url = text_of(known[i].url);
		if (sso_address_is_good(url, true) != known[i].good)
			fail_msg("%s", known[i].url);
		if (known[i].good)
			assert_int_equal(sso_address_is_loopback(url), known[i].loopback);
		assert_int_equal(sso_address_is_good(url, false), known[i].good && !known[i].loopback);
	}
}

static enum status read_wish(const char *text, struct arena *arena, struct sso_provider *provider,
                             struct error *err)
{
	struct json_parser *parser = json_parser_new();
	struct json         body;
	enum status         status = json_parse_text(parser, text_of(text), &body, err);
	if (status == STATUS_OK)
		status = sso_provider_read(body, arena, provider, err);
	json_parser_free(parser);
	return status;
}

static void groups_give_each_role_once_and_those_by_default_where_none_does(void **state)
{
	struct sso_provider provider = {0};
	struct arena        arena;
	struct error        err;
	const struct text   groups[] = {TEXT("b"), TEXT("a"), TEXT("unknown")};
	(void)state;
	arena_init(&arena);
	assert_int_equal(read_wish("{\"issuer\":\"https://a.example\",\"client_id\":\"x\","
	                           "\"role_mapping\":{\"a\":[\"viewer\",\"analyst\"],"
	                           "\"b\":[\"analyst\",\"operator\"]},\"default_roles\":[\"viewer\"]}",
	                           &arena, &provider, &err),
	                 STATUS_OK);
	assert_true(text_equal(sso_provider_roles(&provider, groups, 3, &arena),
	                       TEXT("viewer analyst operator")));
	assert_true(text_equal(sso_provider_roles(&provider, groups + 2, 1, &arena), TEXT("viewer")));
	assert_true(text_equal(sso_provider_roles(&provider, NULL, 0, &arena), TEXT("viewer")));
	assert_true(
		text_equal(sso_provider_all_roles(&provider, &arena), TEXT("viewer analyst operator")));
	assert_true(text_equal(provider.scopes, TEXT("email profile")));
	assert_true(provider.active && !provider.link_by_email);
	arena_done(&arena);
}

static void what_was_written_is_read_back(void **state)
{
	struct sso_provider provider = {0}, again = {0};
	struct buffer       out = {0};
	struct json_writer  w   = json_writer_of(&out);
	struct arena        arena;
	struct error        err;
	(void)state;
	arena_init(&arena);
	assert_int_equal(read_wish("{\"issuer\":\"https://a.example/b\",\"client_id\":\"x\","
	                           "\"scopes\":[\"groups\",\"other\"],\"groups_claim\":\"r\","
	                           "\"role_mapping\":{\"a \\\"b\\\"\":[\"viewer\"],\"c\":[]},"
	                           "\"link_by_email\":true,\"return_path\":\"/in\",\"active\":false}",
	                           &arena, &provider, &err),
	                 STATUS_OK);
	json_begin_object(&w);
	sso_provider_write(&w, &provider);
	json_end_object(&w);
	buffer_add_u8(&out, 0);
	assert_int_equal(read_wish(out.data, &arena, &again, &err), STATUS_OK);
	assert_true(text_equal(again.issuer, provider.issuer));
	assert_true(text_equal(again.scopes, TEXT("groups other")));
	assert_true(text_equal(again.groups_claim, TEXT("r")));
	assert_int_equal(again.mapping_count, 2);
	assert_true(text_equal(again.mappings[0].group, TEXT("a \"b\"")));
	assert_true(text_equal(again.return_path, TEXT("/in")));
	assert_true(again.link_by_email && !again.active);
	buffer_done(&out);
	arena_done(&arena);
}

static void names_stand_in_addresses(void **state)
{
	(void)state;
	assert_true(sso_name_is_good(TEXT("my-company2")));
	assert_false(sso_name_is_good(TEXT("")));
	assert_false(sso_name_is_good(TEXT("2company")));
	assert_false(sso_name_is_good(TEXT("My")));
	assert_false(sso_name_is_good(TEXT("a/b")));
	assert_false(sso_name_is_good(TEXT("a.b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_https_is_asked_or_this_machine_itself),
		cmocka_unit_test(groups_give_each_role_once_and_those_by_default_where_none_does),
		cmocka_unit_test(what_was_written_is_read_back),
		cmocka_unit_test(names_stand_in_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
