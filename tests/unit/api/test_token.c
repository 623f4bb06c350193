#include "api/access/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "api/api.h"
#include "access/scope.h"
#include "base/hash.h"
#include "base/instant.h"

enum { NOW_MS = 1000000 };

/* A store that knows one token, and counts how often it is asked. */
struct fake_store {
	struct store store; /* first */
	uint8_t      hash[STORE_TOKEN_HASH_BYTES];
	bool         broken;
	unsigned     asked;
};

static enum status token_by_hash(struct store *store, const uint8_t hash[STORE_TOKEN_HASH_BYTES],
                                 struct arena *arena, struct store_token *ret_token,
                                 struct error *err)
{
	struct fake_store *fake = (struct fake_store *)store;
	(void)arena;
	fake->asked++;
	if (fake->broken)
		return error_set(err, STATUS_IO, "the disk is gone");
	if (memcmp(hash, fake->hash, sizeof fake->hash) != 0)
		return error_set(err, STATUS_NOT_FOUND, "there is no such token");
	*ret_token = (struct store_token){.id         = "9c8d968d-bb96-489f-8ca0-7accc0544612",
	                                  .scopes     = TEXT("segment.read user.read"),
	                                  .expires_ms = INSTANT_MS_NEVER};
	memcpy(ret_token->hash, fake->hash, sizeof fake->hash);
	return STATUS_OK;
}

static const struct store_ops ops = {.name = "fake", .token_by_hash = token_by_hash};

struct fixture {
	struct fake_store store;
	struct tokens    *tokens;
	char              text[API_TOKEN_TEXT_BYTES];
};

static int set_up(void **state)
{
	struct fixture *fixture  = calloc(1, sizeof *fixture);
	fixture->store.store.ops = &ops;
	api_token_new("", fixture->text, fixture->store.hash);
	fixture->tokens = tokens_new(&fixture->store.store, NULL);
	*state          = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	tokens_free(fixture->tokens);
	free(fixture);
	return 0;
}

static void new_tokens_differ_and_are_kept_as_their_hash(void **state)
{
	(void)state;
	char    one[API_TOKEN_TEXT_BYTES], other[API_TOKEN_TEXT_BYTES];
	uint8_t hash[STORE_TOKEN_HASH_BYTES], wanted[STORE_TOKEN_HASH_BYTES];
	api_token_new("", other, hash);
	api_token_new("", one, hash);
	hash_sha256(one, strlen(one), wanted);

	assert_string_not_equal(one, other);
	assert_memory_equal(hash, wanted, sizeof hash);
	assert_true(strlen(one) >= 43); /* 256 bits in base64 */
}

static void a_known_token_is_looked_up_once(void **state)
{
	struct fixture *fixture = *state;
	struct token    token;
	struct error    err;
	assert_false(tokens_cached(fixture->tokens, text_of(fixture->text), &token));
	assert_int_equal(tokens_look_up(fixture->tokens, text_of(fixture->text), &token, &err),
	                 STATUS_OK);

	assert_true(tokens_cached(fixture->tokens, text_of(fixture->text), &token));

	assert_int_equal(token.scopes, SCOPE_SEGMENT_READ | SCOPE_USER_READ);
	assert_int_equal(fixture->store.asked, 1);
}

static void an_unknown_token_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct token    token;
	struct error    err;
	char            text[API_TOKEN_TEXT_BYTES];
	uint8_t         hash[STORE_TOKEN_HASH_BYTES];
	api_token_new("", text, hash);

	assert_int_equal(tokens_look_up(fixture->tokens, text_of(text), &token, &err),
	                 STATUS_UNAUTHORIZED);
	assert_false(tokens_cached(fixture->tokens, text_of(text), &token));
}

static void a_token_of_unlimited_length_is_not_even_looked_up(void **state)
{
	struct fixture *fixture = *state;
	struct token    token;
	struct error    err;
	static char     text[100000];
	memset(text, 'a', sizeof text);

	assert_int_equal(
		tokens_look_up(fixture->tokens, (struct text){text, sizeof text}, &token, &err),
		STATUS_UNAUTHORIZED);
	assert_int_equal(fixture->store.asked, 0);
}

static void a_store_out_of_reach_is_not_an_unknown_token(void **state)
{
	struct fixture *fixture = *state;
	struct token    token;
	struct error    err;
	fixture->store.broken = true;

	assert_int_equal(tokens_look_up(fixture->tokens, text_of(fixture->text), &token, &err),
	                 STATUS_IO);
}

static void a_deleted_token_is_asked_for_again(void **state)
{
	struct fixture *fixture = *state;
	struct token    token;
	struct error    err;
	assert_int_equal(tokens_look_up(fixture->tokens, text_of(fixture->text), &token, &err),
	                 STATUS_OK);

	tokens_forget(fixture->tokens);

	assert_false(tokens_cached(fixture->tokens, text_of(fixture->text), &token));
}

static void a_token_allows_its_scopes_until_it_expires(void **state)
{
	(void)state;
	struct token token = {.scopes = SCOPE_USER_READ, .expires_ms = NOW_MS};
	struct error err;

	assert_int_equal(token_check(&token, SCOPE_USER_READ, NOW_MS - 1, &err), STATUS_OK);
	assert_int_equal(token_check(&token, SCOPE_PII_READ, NOW_MS - 1, &err), STATUS_FORBIDDEN);
	assert_int_equal(token_check(&token, SCOPE_USER_READ, NOW_MS, &err), STATUS_UNAUTHORIZED);
}

static void the_header_names_the_token_behind_bearer(void **state)
{
	(void)state;
	struct text token;
	assert_true(token_of_header(TEXT("Bearer abc"), &token));
	assert_true(text_equal(token, TEXT("abc")));
	assert_true(token_of_header(TEXT("bearer  abc"), &token));
	assert_true(text_equal(token, TEXT("abc")));
	assert_false(token_of_header(TEXT("Basic abc"), &token));
	assert_false(token_of_header(TEXT("Bearer "), &token));
	assert_false(token_of_header(TEXT(""), &token));
}

static void a_ticket_is_good_once(void **state)
{
	(void)state;
	struct tickets *tickets = tickets_new("");
	struct token    mine = {.scopes = SCOPE_USER_READ}, taken = {0};
	struct error    err;
	char            text[TICKET_TEXT_BYTES];
	assert_int_equal(tickets_add(tickets, &mine, NOW_MS, text, &err), STATUS_OK);

	assert_true(tickets_take(tickets, text_of(text), NOW_MS, &taken));
	assert_int_equal(taken.scopes, SCOPE_USER_READ);
	assert_false(tickets_take(tickets, text_of(text), NOW_MS, &taken));
	tickets_free(tickets);
}

static void a_ticket_is_good_for_a_minute(void **state)
{
	(void)state;
	struct tickets *tickets = tickets_new("");
	struct token    token   = {0};
	struct error    err;
	char            text[TICKET_TEXT_BYTES];
	assert_int_equal(tickets_add(tickets, &token, NOW_MS, text, &err), STATUS_OK);

	assert_false(tickets_take(tickets, text_of(text), NOW_MS + TICKET_MS, &token));
	assert_false(tickets_take(tickets, TEXT(""), NOW_MS, &token));
	tickets_free(tickets);
}

static void tickets_are_limited_until_old_ones_end(void **state)
{
	(void)state;
	struct tickets *tickets = tickets_new("");
	struct token    token   = {0};
	struct error    err;
	char            text[TICKET_TEXT_BYTES];
	for (int i = 0; i < TICKETS_MAX; i++)
		assert_int_equal(tickets_add(tickets, &token, NOW_MS, text, &err), STATUS_OK);

	assert_int_equal(tickets_add(tickets, &token, NOW_MS, text, &err), STATUS_LIMITED);
	assert_int_equal(tickets_add(tickets, &token, NOW_MS + TICKET_MS, text, &err), STATUS_OK);
	tickets_free(tickets);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void a_ticket_is_out_until_it_is_used_or_too_old(void **state)
{
	struct tickets    *tickets = tickets_new("");
	const struct token token   = {.scopes = 1};
	struct token       taken;
	struct error       err;
	char               text[TICKET_TEXT_BYTES];
	(void)state;
	assert_false(tickets_are_out(tickets, 0));
	assert_int_equal(tickets_add(tickets, &token, 0, text, &err), STATUS_OK);
	assert_true(tickets_are_out(tickets, TICKET_MS - 1));
	assert_false(tickets_are_out(tickets, TICKET_MS));
	assert_int_equal(tickets_add(tickets, &token, TICKET_MS, text, &err), STATUS_OK);
	assert_true(tickets_take(tickets, text_of(text), TICKET_MS, &taken));
	assert_false(tickets_are_out(tickets, TICKET_MS));
	tickets_free(tickets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_is_out_until_it_is_used_or_too_old),
		TEST(new_tokens_differ_and_are_kept_as_their_hash),
		TEST(a_known_token_is_looked_up_once),
		TEST(an_unknown_token_is_refused),
		TEST(a_token_of_unlimited_length_is_not_even_looked_up),
		TEST(a_store_out_of_reach_is_not_an_unknown_token),
		TEST(a_deleted_token_is_asked_for_again),
		TEST(a_token_allows_its_scopes_until_it_expires),
		TEST(the_header_names_the_token_behind_bearer),
		TEST(a_ticket_is_good_once),
		TEST(a_ticket_is_good_for_a_minute),
		TEST(tickets_are_limited_until_old_ones_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
