#include "access/second_factor.h"

#include <ctype.h>
#include <stdio.h>

#include "access/scope.h"
#include "access_fixture.h"

#define STEP_MS (TOTP_STEP_S * INT64_C(1000))

#define assert_wrong(f, call, name)                                                                \
	do {                                                                                           \
		assert_int_equal(call, STATUS_UNAUTHORIZED);                                               \
		assert_string_equal((f)->err.field, name);                                                 \
	} while (0)

static struct grant own; /* the session by which Kim asks */
static uint8_t      app_secret[TOTP_SECRET_BYTES];
static char         recovery[RECOVERY_CODES][RECOVERY_TEXT_BYTES];

static int set_up(void **state)
{
	struct fixture *f = access_fixture_new("optional", NULL);
	f->kim            = access_fixture_add(f, "kim@example.com", "viewer operator");
	own               = access_fixture_begin(f, &f->kim, NOW_MS);
	*state            = f;
	return 0;
}

/* ---- What Kim's app does ---- */

static void read_secret(const char *text)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint32_t          bits = 0, count = 0;
	size_t            length = 0;
	for (; *text != '\0'; text++) {
		const char *at = strchr(alphabet, *text);
		assert_non_null(at);
		bits = bits << 5 | (uint32_t)(at - alphabet);
		if ((count += 5) >= 8) {
			count -= 8;
			app_secret[length++] = (uint8_t)(bits >> count);
		}
	}
	assert_int_equal(length, TOTP_SECRET_BYTES);
}

static const char *code_at(struct fixture *f, int64_t now_ms)
{
	char *code = arena_alloc(&f->arena, TOTP_DIGITS + 1);
	totp_code(app_secret, totp_step(now_ms), code);
	return code;
}

/* One that is right at no step around that time. */
static const char *wrong_code(struct fixture *f, int64_t now_ms)
{
	char *code = arena_alloc(&f->arena, TOTP_DIGITS + 1);
	snprintf(code, TOTP_DIGITS + 1, "%s", code_at(f, now_ms));
	do
		code[0] = code[0] == '9' ? '0' : (char)(code[0] + 1);
	while (strcmp(code, code_at(f, now_ms - STEP_MS)) == 0 ||
	       strcmp(code, code_at(f, now_ms + STEP_MS)) == 0);
	return code;
}

static struct factor_wish wish_of(struct fixture *f, struct text secret, const char *code)
{
	return (struct factor_wish){.person_id  = text_of(f->kim.row.id),
	                            .session_id = text_of(own.session_id),
	                            .password   = secret,
	                            .code       = text_of(code)};
}

static enum status begin(struct fixture *f, struct text secret)
{
	const struct factor_wish wish = wish_of(f, secret, "");
	char                     text[TOTP_SECRET_TEXT], uri[FACTOR_URI_BYTES];
	int64_t                  wait_ms;
	enum status              status =
		second_factor_begin(f->access, &wish, NOW_MS, 0, text, uri, &wait_ms, &f->err);
	if (status == STATUS_OK) {
		assert_non_null(strstr(uri, text));
		read_secret(text);
	}
	return status;
}

static enum status confirm(struct fixture *f, const char *code)
{
	const struct factor_wish wish = wish_of(f, (struct text){0}, code);
	int64_t                  wait_ms;
	return second_factor_confirm(f->access, &wish, NOW_MS, 0, recovery, &wait_ms, &f->err);
}

static enum status end(struct fixture *f, struct text secret, const char *code)
{
	const struct factor_wish wish = wish_of(f, secret, code);
	int64_t                  wait_ms;
	return second_factor_end(f->access, &wish, NOW_MS, 0, &wait_ms, &f->err);
}

static void turn_on(struct fixture *f)
{
	assert_ok(f, begin(f, password));
	assert_ok(f, confirm(f, code_at(f, NOW_MS)));
	assert_ok(f, people_get(f->access, text_of(f->kim.row.id), &f->arena, &f->kim, &f->err));
	assert_true(f->kim.row.totp);
}

static struct factor_state state_of(struct fixture *f)
{
	struct factor_state state;
	assert_ok(f, second_factor_get(f->access, text_of(f->kim.row.id), &state, &f->err));
	return state;
}

static enum status use(struct fixture *f, const char *code, int64_t now_ms)
{
	struct store_factor factor;
	assert_ok(f, f->store->ops->factor_get(f->store, text_of(f->kim.row.id), &f->arena, &factor,
	                                       &f->err));
	return second_factor_use(f->access, &factor, text_of(code), now_ms, &f->err);
}

/* The ticket of a first step. */
static struct text challenge(struct fixture *f)
{
	const struct login login = {.address = TEXT("192.0.2.1")};
	struct grant       grant;
	assert_ok(f, people_get(f->access, text_of(f->kim.row.id), &f->arena, &f->kim, &f->err));
	assert_ok(f, sessions_enter(f->access, &f->kim, &login, NOW_MS, &f->arena, &grant, &f->err));
	assert_true(grant.challenge[0] != '\0' && grant.refresh[0] == '\0' && grant.token.length == 0);
	return arena_text(&f->arena, text_of(grant.challenge));
}

/* A login that was let in while there was none. */
static void a_session_that_was_on_its_way_without_it_does_not_begin(void **state)
{
	struct fixture    *f      = *state;
	const struct login login  = {.address = TEXT("192.0.2.1")};
	struct account     before = f->kim;
	struct session    *sessions;
	size_t             count;
	struct grant       grant;
	turn_on(f);
	assert_int_equal(sessions_enter(f->access, &before, &login, NOW_MS, &f->arena, &grant, &f->err),
	                 STATUS_UNAUTHORIZED);
	assert_ok(
		f, sessions_list(f->access, text_of(before.row.id), &f->arena, &sessions, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(sessions[0].row.id, own.session_id);
}

static enum status second_step(struct fixture *f, struct text ticket, const char *code,
                               const struct login *login, int64_t now_ms)
{
	int64_t     wait_ms;
	enum status status = sessions_login_code(f->access, login, ticket, text_of(code), now_ms, 0,
	                                         &f->arena, &own, &wait_ms, &f->err);
	assert_true(status != STATUS_LIMITED || wait_ms > 0);
	return status;
}

/* ---- On and off ---- */

static void it_is_pending_until_a_code_of_it_confirms_it(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(confirm(f, "123456"), STATUS_NOT_FOUND);
	assert_ok(f, begin(f, password));
	assert_true(state_of(f).pending && !state_of(f).on);
	assert_wrong(f, confirm(f, wrong_code(f, NOW_MS)), "code");
	assert_false(state_of(f).on);
	assert_ok(f, confirm(f, code_at(f, NOW_MS)));
	assert_true(state_of(f).on && !state_of(f).pending);
	assert_int_equal(state_of(f).recovery_left, RECOVERY_CODES);
	assert_int_equal(confirm(f, code_at(f, NOW_MS)), STATUS_CONFLICT);
	assert_int_equal(begin(f, password), STATUS_CONFLICT);
}

static void it_takes_the_password_to_begin_and_to_end_it(void **state)
{
	struct fixture *f = *state;
	assert_wrong(f, begin(f, TEXT("a wrong one")), "password");
	assert_wrong(f, begin(f, (struct text){0}), "password");
	turn_on(f);
	assert_wrong(f, end(f, TEXT("a wrong one"), recovery[0]), "password");
	assert_wrong(f, end(f, password, "abcd-efgh-ijkl"), "code");
	assert_ok(f, end(f, password, recovery[0]));
	assert_int_equal(end(f, password, recovery[1]), STATUS_NOT_FOUND);
	assert_false(state_of(f).on);
}

static void sessions_that_came_in_without_it_end(void **state)
{
	struct fixture *f     = *state;
	struct grant    other = access_fixture_begin(f, &f->kim, NOW_MS);
	struct identity identity;
	turn_on(f);
	assert_int_equal(sessions_identify(f->access, other.token, NOW_MS, &identity, &f->err),
	                 STATUS_UNAUTHORIZED);
	assert_ok(f, sessions_identify(f->access, own.token, NOW_MS, &identity, &f->err));
}

static void who_has_less_cannot_take_it_off(void **state)
{
	struct fixture *f = *state;
	turn_on(f);
	assert_int_equal(
		second_factor_reset(f->access, text_of(f->kim.row.id), SCOPE_USER_READ, &f->err),
		STATUS_FORBIDDEN);
	assert_true(state_of(f).on);
	assert_ok(f, second_factor_reset(f->access, text_of(f->kim.row.id), SCOPE_ADMIN, &f->err));
	assert_false(state_of(f).on);
}

/* ---- Codes ---- */

static void a_code_counts_once_and_none_of_a_time_before_it(void **state)
{
	struct fixture *f = *state;
	turn_on(f);
	assert_wrong(f, use(f, code_at(f, NOW_MS), NOW_MS), "code"); /* it has confirmed */
	assert_ok(f, use(f, code_at(f, NOW_MS + 2 * STEP_MS), NOW_MS + 2 * STEP_MS));
	assert_wrong(f, use(f, code_at(f, NOW_MS + 2 * STEP_MS), NOW_MS + 2 * STEP_MS), "code");
	assert_wrong(f, use(f, code_at(f, NOW_MS + STEP_MS), NOW_MS + 2 * STEP_MS), "code");
	assert_ok(f, use(f, code_at(f, NOW_MS + 3 * STEP_MS), NOW_MS + 2 * STEP_MS));
}

static void a_recovery_code_counts_once_however_it_is_written(void **state)
{
	struct fixture *f = *state;
	char            loud[FACTOR_CODE_BYTES_MAX], long_one[FACTOR_CODE_BYTES_MAX + 1];
	size_t          length = 0;
	turn_on(f);
	for (const char *at = recovery[3]; *at != '\0'; at++)
		loud[length++] = *at == '-' ? ' ' : (char)toupper((unsigned char)*at);
	loud[length] = '\0';
	assert_ok(f, use(f, loud, NOW_MS));
	assert_wrong(f, use(f, recovery[3], NOW_MS), "code");
	assert_wrong(f, use(f, "", NOW_MS), "code");
	memset(long_one, 'a', sizeof long_one - 1);
	long_one[sizeof long_one - 1] = '\0';
	assert_wrong(f, use(f, long_one, NOW_MS), "code");
	assert_int_equal(state_of(f).recovery_left, RECOVERY_CODES - 1);
}

/* ---- The second step of a login ---- */

static void a_ticket_is_good_once_and_not_for_long(void **state)
{
	struct fixture    *f     = *state;
	const struct login login = {.address = TEXT("192.0.2.1")};
	turn_on(f);
	struct text ticket = challenge(f), other = challenge(f);
	assert_wrong(f, second_step(f, TEXT("snt_x"), recovery[0], &login, NOW_MS), "ticket");
	assert_wrong(f, second_step(f, text_of(own.refresh), recovery[0], &login, NOW_MS), "ticket");
	assert_wrong(f, second_step(f, ticket, recovery[0], &login, NOW_MS + CHALLENGE_SECONDS * 1000),
	             "ticket");
	assert_wrong(f, second_step(f, ticket, recovery[0], &login, NOW_MS - 1000), "ticket");
	assert_wrong(f, second_step(f, ticket, wrong_code(f, NOW_MS), &login, NOW_MS), "code");
	assert_ok(f, second_step(f, ticket, recovery[0], &login, NOW_MS));
	assert_wrong(f, second_step(f, ticket, recovery[1], &login, NOW_MS), "ticket");
	assert_wrong(f, second_step(f, other, recovery[1], &login, NOW_MS), "ticket");
}

static void a_ticket_ends_when_the_person_is_changed(void **state)
{
	struct fixture            *f      = *state;
	const struct login         login  = {.address = TEXT("192.0.2.1")};
	const struct person_change change = {.name = TEXT("Lee")};
	struct account             account;
	turn_on(f);
	struct text ticket = challenge(f);
	assert_ok(f, people_change(f->access, text_of(f->kim.row.id), &change, SCOPE_ADMIN, NOW_MS,
	                           &f->arena, &account, &f->err));
	assert_wrong(f, second_step(f, ticket, recovery[0], &login, NOW_MS), "ticket");
}

static void whoever_has_many_addresses_guesses_no_faster(void **state)
{
	struct fixture *f = *state;
	struct login    login;
	char            address[16];
	enum status     status = STATUS_UNAUTHORIZED;
	turn_on(f);
	struct text ticket = challenge(f);
	login              = (struct login){.address = TEXT("192.0.2.1")};
	assert_ok(f, second_step(f, ticket, recovery[0], &login, NOW_MS));
	struct text device = arena_text(&f->arena, text_of(own.device));
	ticket             = challenge(f);
	for (unsigned i = 0; i <= ATTEMPTS_FREE + 1 && status == STATUS_UNAUTHORIZED; i++) {
		snprintf(address, sizeof address, "198.51.100.%u", i);
		login  = (struct login){.address = text_of(address)};
		status = second_step(f, ticket, wrong_code(f, NOW_MS), &login, NOW_MS);
	}
	assert_int_equal(status, STATUS_LIMITED);
	login = (struct login){.address = text_of(address), .device = device};
	assert_ok(f, second_step(f, ticket, recovery[1], &login, NOW_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_session_that_was_on_its_way_without_it_does_not_begin,
	                                    set_up, access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(it_is_pending_until_a_code_of_it_confirms_it, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(it_takes_the_password_to_begin_and_to_end_it, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(sessions_that_came_in_without_it_end, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(who_has_less_cannot_take_it_off, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_code_counts_once_and_none_of_a_time_before_it, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_recovery_code_counts_once_however_it_is_written, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_ticket_is_good_once_and_not_for_long, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_ticket_ends_when_the_person_is_changed, set_up,
	                                    access_fixture_tear_down),
		cmocka_unit_test_setup_teardown(whoever_has_many_addresses_guesses_no_faster, set_up,
	                                    access_fixture_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
