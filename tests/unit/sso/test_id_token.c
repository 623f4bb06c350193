#include "sso/id_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define NOW_MS INT64_C(1700000000000)

/* What a good one says, but for what `more` has. */
#define GOOD                                                                                       \
	"\"iss\":\"https://login.example.com\",\"sub\":\"kim\",\"aud\":\"sonnim\",\"exp\":1700000300," \
	"\"iat\":1700000000,\"nonce\":\"of this login\""

static enum status check(const char *claims, const char *access_token, enum jws_algorithm algorithm,
                         struct error *err)
{
	const struct id_token_wish wish   = {.issuer       = TEXT("https://login.example.com"),
	                                     .client_id    = TEXT("sonnim"),
	                                     .nonce        = TEXT("of this login"),
	                                     .access_token = text_of(access_token),
	                                     .algorithm    = algorithm,
	                                     .now_ms       = NOW_MS};
	struct json_parser        *parser = json_parser_new();
	struct json                root;
	assert_int_equal(json_parse_text(parser, text_of(claims), &root, err), STATUS_OK);
	enum status status = id_token_check(root, &wish, err);
	json_parser_free(parser);
	return status;
}

static void a_token_of_this_login_is_taken(void **state)
{
	static const char *const good[] = {
		"{" GOOD "}",
		"{" GOOD ",\"azp\":\"sonnim\"}",
		"{" GOOD ",\"nbf\":1700000060}",
		"{" GOOD ",\"unknown\":[{}]}",
	};
	struct error err = {0};
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		if (check(good[i], "", JWS_RS256, &err) != STATUS_OK)
			fail_msg("%s: %s", good[i], err.reason);
}

static void one_that_is_not_is_refused_by_the_claim(void **state)
{
	/* The members of a good one that stay, what comes instead, and which is told. */
	static const struct {
		const char *issuer, *subject, *audience, *times, *nonce, *claim;
	} bad[] = {
		{"\"https://evil.example\"", "\"kim\"", "\"sonnim\"", "1700000300,1700000000", "", "iss"},
		{"1", "\"kim\"", "\"sonnim\"", "1700000300,1700000000", "", "iss"},
		{"", "\"\"", "\"sonnim\"", "1700000300,1700000000", "", "sub"},
		{"", "7", "\"sonnim\"", "1700000300,1700000000", "", "sub"},
		{"", "", "\"another\"", "1700000300,1700000000", "", "aud"},
		{"", "", "[]", "1700000300,1700000000", "", "aud"},
		{"", "", "[\"sonnim\",\"another\"]", "1700000300,1700000000", "", "azp"},
		{"", "", "", "1699999940,1699999900", "", "exp"},
		{"", "", "", "\"1700000300\",1700000000", "", "exp"},
		{"", "", "", "1700000300,1699999399", "", "iat"},
		{"", "", "", "1700000300,1700000061", "", "iat"},
		{"", "", "", "", "\"of another\"", "nonce"},
		{"", "", "", "", "\"of this logix\"", "nonce"},
		{"", "", "", "", "null", "nonce"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const char  *times = bad[i].times[0] == '\0' ? "1700000300,1700000000" : bad[i].times;
		const char  *comma = strchr(times, ',');
		char         text[512];
		struct error err = {0};
		snprintf(text, sizeof text,
		         "{\"iss\":%s,\"sub\":%s,\"aud\":%s,\"exp\":%.*s,\"iat\":%s,\"nonce\":%s}",
		         bad[i].issuer[0] == '\0' ? "\"https://login.example.com\"" : bad[i].issuer,
		         bad[i].subject[0] == '\0' ? "\"kim\"" : bad[i].subject,
		         bad[i].audience[0] == '\0' ? "\"sonnim\"" : bad[i].audience, (int)(comma - times),
		         times, comma + 1, bad[i].nonce[0] == '\0' ? "\"of this login\"" : bad[i].nonce);
		assert_int_equal(check(text, "", JWS_RS256, &err), STATUS_UNAUTHORIZED);
		if (strcmp(err.field, bad[i].claim) != 0)
			fail_msg("%s: %s", text, err.field);
	}
}

static void what_is_absent_is_refused(void **state)
{
	static const char *const bad[] = {"{}",
	                                  "[]",
	                                  "{\"iss\":\"https://login.example.com\"}",
	                                  "{" GOOD ",\"nbf\":1700000061}",
	                                  "{" GOOD ",\"nbf\":\"x\"}",
	                                  "{" GOOD ",\"azp\":\"another\"}",
	                                  "{" GOOD ",\"azp\":1}"};
	struct error             err   = {0};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (check(bad[i], "", JWS_RS256, &err) != STATUS_UNAUTHORIZED)
			fail_msg("%s", bad[i]);
}

/* OpenID Connect Core 1.0, A.3: the access token and the hash of its example. */
static void the_access_token_is_the_one_that_is_named(void **state)
{
	static const char good[]  = "{" GOOD ",\"at_hash\":\"77QmUPtjPfzWtF2AnpK9RQ\"}";
	static const char token[] = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
	struct error      err     = {0};
	(void)state;
	assert_int_equal(check(good, token, JWS_RS256, &err), STATUS_OK);
	assert_int_equal(check(good, token, JWS_ES256, &err), STATUS_OK);
	assert_int_equal(check(good, "", JWS_RS256, &err), STATUS_OK);
	assert_int_equal(check(good, token, JWS_EDDSA, &err), STATUS_UNAUTHORIZED);
	assert_int_equal(check(good, "another", JWS_RS256, &err), STATUS_UNAUTHORIZED);
	assert_string_equal(err.field, "at_hash");
	assert_int_equal(check("{" GOOD ",\"at_hash\":1}", token, JWS_RS256, &err),
	                 STATUS_UNAUTHORIZED);
}

/* ---- Who it is ---- */

static void take(const char *claims, struct arena *arena, struct sso_claims *found)
{
	struct json_parser *parser = json_parser_new();
	struct json         root;
	struct error        err;
	assert_int_equal(json_parse_text(parser, text_of(claims), &root, &err), STATUS_OK);
	sso_claims_take(root, TEXT("groups"), arena, found);
	json_parser_free(parser);
}

static void an_address_is_verified_only_where_it_is_said(void **state)
{
	static const struct {
		const char *said;
		bool        verified, denied;
	} known[] = {
		{"", false, false},
		{",\"email_verified\":true", true, false},
		{",\"email_verified\":\"true\"", true, false},
		{",\"email_verified\":false", false, true},
		{",\"email_verified\":\"false\"", false, true},
		{",\"email_verified\":1", false, true},
		{",\"email_verified\":null", false, true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		struct sso_claims found = {0};
		struct arena      arena;
		char              text[128];
		arena_init(&arena);
		snprintf(text, sizeof text, "{\"email\":\"kim@example.com\"%s}", known[i].said);
		take(text, &arena, &found);
		if (found.email_verified != known[i].verified || found.email_denied != known[i].denied)
			fail_msg("%s", text);
		arena_done(&arena);
	}
}

/* Else userinfo would say of one address that another was verified. */
static void a_second_document_adds_what_the_first_lacks_and_changes_nothing(void **state)
{
	struct sso_claims found = {0};
	struct arena      arena;
	(void)state;
	arena_init(&arena);
	take("{\"sub\":\"kim\",\"email\":\"kim@example.com\",\"groups\":[\"a\",1,\"b\"]}", &arena,
	     &found);
	take("{\"sub\":\"lee\",\"email\":\"lee@example.com\",\"email_verified\":true,\"name\":\"Kim\","
	     "\"groups\":[\"admins\"]}",
	     &arena, &found);
	assert_true(text_equal(found.subject, TEXT("kim")));
	assert_true(text_equal(found.email, TEXT("kim@example.com")));
	assert_false(found.email_verified);
	assert_true(text_equal(found.name, TEXT("Kim")));
	assert_int_equal(found.group_count, 2);
	assert_true(text_equal(found.groups[1], TEXT("b")));
	arena_done(&arena);
}

static void groups_are_a_list_or_one_name(void **state)
{
	struct sso_claims one = {0}, none = {0}, odd = {0};
	struct arena      arena;
	(void)state;
	arena_init(&arena);
	take("{\"groups\":\"a b\"}", &arena, &one);
	assert_int_equal(one.group_count, 1);
	assert_true(text_equal(one.groups[0], TEXT("a b")));
	take("{\"groups\":[]}", &arena, &none);
	assert_true(none.has_groups && none.group_count == 0);
	take("{\"groups\":{\"a\":true}}", &arena, &odd);
	assert_false(odd.has_groups);
	arena_done(&arena);
}

static void texts_with_control_characters_are_left_out(void **state)
{
	struct sso_claims found = {0};
	struct arena      arena;
	(void)state;
	arena_init(&arena);
	take("{\"sub\":\"k\\u0000im\",\"email\":\"kim@example.com\\r\\nBcc: a\",\"name\":\"a\\u007f\"}",
	     &arena, &found);
	assert_int_equal(found.subject.length + found.email.length + found.name.length, 0);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_of_this_login_is_taken),
		cmocka_unit_test(one_that_is_not_is_refused_by_the_claim),
		cmocka_unit_test(what_is_absent_is_refused),
		cmocka_unit_test(the_access_token_is_the_one_that_is_named),
		cmocka_unit_test(an_address_is_verified_only_where_it_is_said),
		cmocka_unit_test(a_second_document_adds_what_the_first_lacks_and_changes_nothing),
		cmocka_unit_test(groups_are_a_list_or_one_name),
		cmocka_unit_test(texts_with_control_characters_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
