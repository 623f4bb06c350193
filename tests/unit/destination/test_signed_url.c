#include "vault_fixture.h"

#include <string.h>

#include "destination/signed_url.h"

static const struct text id    = TEXT("11111111-1111-4111-8111-111111111111");
static const struct text other = TEXT("22222222-2222-4222-8222-222222222222");

/* The token of an address that was just made. */
static struct text token_of(struct vault_fixture *f, int64_t expires_ms)
{
	struct buffer out = {0};
	signed_url_write(f->vault, TEXT("https://cdp.example"), id, expires_ms, &out);
	struct text url = arena_text(&f->arena, buffer_text(&out));
	buffer_done(&out);
	assert_true(text_starts_with(url, TEXT("https://cdp.example/api/v1/audience/exports/1111")));
	const char *at = memmem(url.data, url.length, "?token=", 7);
	assert_non_null(at);
	at += 7;
	return (struct text){at, url.length - (size_t)(at - url.data)};
}

static enum status check(struct vault_fixture *f, struct text of, struct text token, int64_t now_ms)
{
	return signed_url_check(f->vault, of, token, now_ms, &f->err);
}

static void an_address_holds_until_it_expires_and_for_its_file_alone(void **state)
{
	struct vault_fixture *f     = *state;
	struct text           token = token_of(f, 1000);
	assert_int_equal(check(f, id, token, 999), STATUS_OK);
	assert_int_equal(check(f, id, token, 1000), STATUS_NOT_FOUND);
	assert_non_null(strstr(f->err.reason, "expired"));
	assert_int_equal(check(f, other, token, 0), STATUS_NOT_FOUND);
}

static void what_is_forged_is_refused(void **state)
{
	struct vault_fixture *f     = *state;
	struct text           token = token_of(f, 1000);
	for (size_t i = 0; i < token.length; i++) {
		char *byte = (char *)token.data + i, was = *byte;
		*byte = was == 'A' ? 'B' : 'A';
		assert_int_equal(check(f, id, token, 0), STATUS_NOT_FOUND);
		*byte = was;
	}
	assert_int_equal(check(f, id, TEXT(""), 0), STATUS_NOT_FOUND);
	assert_int_equal(check(f, id, TEXT("!"), 0), STATUS_NOT_FOUND);
	assert_int_equal(check(f, id, (struct text){token.data, token.length - 4}, 0),
	                 STATUS_NOT_FOUND);
	assert_int_equal(check(f, id, token, 0), STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(an_address_holds_until_it_expires_and_for_its_file_alone),
		VAULT_TEST(what_is_forged_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
