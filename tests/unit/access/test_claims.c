#include "access/claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "access/scope.h"

enum { NOW_S = 1700000000 };

static const struct claims_realm realm = {"https://cdp.example.com", "workspace-1"};
static const struct claims       kim   = {.person_id  = "9c8d968d-bb96-489f-8ca0-7accc0544612",
                                          .session_id = "1c8d968d-bb96-489f-8ca0-7accc0544613",
                                          .email      = {"kim@example.com", 15},
                                          .tier       = {"premium", 7},
                                          .scopes     = SCOPE_AUDIENCE_READ | SCOPE_SEGMENT_READ,
                                          .issued_s   = NOW_S,
                                          .expires_s  = NOW_S + CLAIMS_SECONDS};

static enum status read_at(const struct claims *claims, const struct claims_realm *of,
                           int64_t now_s)
{
	struct buffer out = {0};
	struct claims found;
	struct error  err;
	claims_write(claims, of, &out);
	enum status status = claims_read(buffer_text(&out), &realm, now_s * 1000, &found, &err);
	if (status == STATUS_OK) {
		assert_string_equal(found.person_id, claims->person_id);
		assert_string_equal(found.session_id, claims->session_id);
		assert_int_equal(found.scopes, claims->scopes);
	}
	buffer_done(&out);
	return status;
}

static void claims_have_the_promised_shape(void **state)
{
	struct buffer out = {0};
	(void)state;
	claims_write(&kim, &realm, &out);
	buffer_add_u8(&out, 0);
	assert_string_equal(out.data, "{\"iss\":\"https://cdp.example.com\",\"aud\":\"workspace-1\","
	                              "\"sub\":\"9c8d968d-bb96-489f-8ca0-7accc0544612\","
	                              "\"user_id\":\"9c8d968d-bb96-489f-8ca0-7accc0544612\","
	                              "\"email\":\"kim@example.com\",\"subscription_tier\":\"premium\","
	                              "\"permissions\":[\"segment.read\",\"audience.read\"],"
	                              "\"sid\":\"1c8d968d-bb96-489f-8ca0-7accc0544613\","
	                              "\"iat\":1700000000,\"exp\":1700003600}");
	buffer_done(&out);
}

static void claims_hold_from_their_issue_for_an_hour(void **state)
{
	(void)state;
	assert_int_equal(read_at(&kim, &realm, NOW_S), STATUS_OK);
	assert_int_equal(read_at(&kim, &realm, NOW_S + CLAIMS_SECONDS - 1), STATUS_OK);
	assert_int_equal(read_at(&kim, &realm, NOW_S + CLAIMS_SECONDS), STATUS_UNAUTHORIZED);
	assert_int_equal(read_at(&kim, &realm, NOW_S - CLAIMS_SECONDS_ASTRAY), STATUS_OK);
	assert_int_equal(read_at(&kim, &realm, NOW_S - CLAIMS_SECONDS_ASTRAY - 1), STATUS_UNAUTHORIZED);
}

static void claims_of_another_realm_are_refused(void **state)
{
	const struct claims_realm issuer   = {"https://evil.example.com", "workspace-1"};
	const struct claims_realm audience = {"https://cdp.example.com", "workspace-2"};
	(void)state;
	assert_int_equal(read_at(&kim, &issuer, NOW_S), STATUS_UNAUTHORIZED);
	assert_int_equal(read_at(&kim, &audience, NOW_S), STATUS_UNAUTHORIZED);
}

static void claims_for_longer_than_an_hour_are_refused(void **state)
{
	struct claims longer = kim;
	(void)state;
	longer.expires_s++;
	assert_int_equal(read_at(&longer, &realm, NOW_S), STATUS_UNAUTHORIZED);
}

static void what_is_no_claims_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "[]", "{}", "null", "{\"iss\":5}",
		/* sub and user_id of two persons */
		"{\"iss\":\"https://cdp.example.com\",\"aud\":\"workspace-1\","
		"\"sub\":\"9c8d968d-bb96-489f-8ca0-7accc0544612\","
		"\"user_id\":\"9c8d968d-bb96-489f-8ca0-7accc0544613\","
		"\"sid\":\"1c8d968d-bb96-489f-8ca0-7accc0544613\",\"permissions\":[\"admin\"],"
		"\"iat\":1700000000,\"exp\":1700003600}",
		/* not before some time to come */
		"{\"iss\":\"https://cdp.example.com\",\"aud\":\"workspace-1\","
		"\"sub\":\"9c8d968d-bb96-489f-8ca0-7accc0544612\","
		"\"user_id\":\"9c8d968d-bb96-489f-8ca0-7accc0544612\","
		"\"sid\":\"1c8d968d-bb96-489f-8ca0-7accc0544613\",\"permissions\":[\"admin\"],"
		"\"iat\":1700000000,\"nbf\":1700000100,\"exp\":1700003600}"};
	(void)state;
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct claims found;
		struct error  err;
		assert_int_equal(claims_read(text_of(bad[i]), &realm, NOW_S * INT64_C(1000), &found, &err),
		                 STATUS_UNAUTHORIZED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_have_the_promised_shape),
		cmocka_unit_test(claims_hold_from_their_issue_for_an_hour),
		cmocka_unit_test(claims_of_another_realm_are_refused),
		cmocka_unit_test(claims_for_longer_than_an_hour_are_refused),
		cmocka_unit_test(what_is_no_claims_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
