#include "access/sessions.h"

#include <stdio.h>

#include "access/reset.h"
#include "access/scope.h"
#include "access_fixture.h"
#include "base/instant.h"

static int set_up(void **state)
{
	struct fixture *f = access_fixture_new("optional", NULL);
	f->kim            = access_fixture_add(f, "kim@example.com", "viewer operator");
	*state            = f;
	return 0;
}

static struct grant begin(struct fixture *f, int64_t now_ms)
{
	return access_fixture_begin(f, &f->kim, now_ms);
}

static enum status refresh(struct fixture *f, const char *token, int64_t now_ms,
                           struct grant *ret_grant)
{
	const struct refresh asked = {.token = text_of(token), .now_ms = now_ms};
	bool                 ended;
	enum status status = sessions_refresh(f->access, &asked, &f->arena, ret_grant, &ended, &f->err);
	assert_true(status == STATUS_UNAUTHORIZED || !ended);
	return status;
}

static enum status identify(struct fixture *f, struct text token, int64_t now_ms)
{
	struct identity identity;
	return sessions_identify(f->access, token, now_ms, &identity, &f->err);
}

static void a_session_ends_when_nobody_refreshes_it(void **state)
{
	struct fixture *f     = *state;
	struct grant    grant = begin(f, NOW_MS);
	assert_int_equal(grant.session_ends_ms, NOW_MS + 10 * DAY_MS);
	assert_int_equal(refresh(f, grant.refresh, NOW_MS + 10 * DAY_MS, &grant), STATUS_UNAUTHORIZED);
	assert_ok(f, refresh(f, grant.refresh, NOW_MS + 10 * DAY_MS - 1, &grant));
}

static void a_session_ends_for_good_however_often_it_is_refreshed(void **state)
{
	struct fixture *f     = *state;
	struct grant    grant = begin(f, NOW_MS);
	assert_ok(f, refresh(f, grant.refresh, NOW_MS + 9 * DAY_MS, &grant));
	assert_int_equal(grant.session_ends_ms, NOW_MS + 15 * DAY_MS);
	assert_int_equal(refresh(f, grant.refresh, NOW_MS + 15 * DAY_MS, &grant), STATUS_UNAUTHORIZED);
}

static void an_access_token_is_good_for_an_hour(void **state)
{
	struct fixture *f     = *state;
	struct grant    grant = begin(f, NOW_MS);
	assert_int_equal(identify(f, grant.token, NOW_MS + 3599 * 1000), STATUS_OK);
	assert_int_equal(identify(f, grant.token, NOW_MS + 3600 * 1000), STATUS_UNAUTHORIZED);
	grant.token.data = arena_printf(&f->arena, "%.*sA", TEXT_FORMAT(grant.token));
	grant.token.length++;
	assert_int_equal(identify(f, grant.token, NOW_MS), STATUS_UNAUTHORIZED);
}

static void a_token_counts_for_what_the_roles_come_to_by_now(void **state)
{
	struct fixture            *f      = *state;
	struct grant               grant  = begin(f, NOW_MS);
	const struct person_change less   = {.roles = TEXT("viewer")};
	const struct person_change more   = {.roles = TEXT("viewer operator admin")};
	const bool                 no     = false;
	const struct person_change off    = {.active = &no};
	struct text                id     = text_of(f->kim.row.id);
	uint32_t                   before = f->kim.scopes;
	struct identity            identity;
	struct account             account;
	assert_ok(
		f, people_change(f->access, id, &less, SCOPE_ADMIN, NOW_MS, &f->arena, &account, &f->err));
	assert_ok(f, sessions_identify(f->access, grant.token, NOW_MS, &identity, &f->err));
	assert_int_equal(identity.scopes, account.scopes);
	assert_ok(
		f, people_change(f->access, id, &more, SCOPE_ADMIN, NOW_MS, &f->arena, &account, &f->err));
	assert_ok(f, sessions_identify(f->access, grant.token, NOW_MS, &identity, &f->err));
	assert_int_equal(identity.scopes, before); /* what it says itself, until it is refreshed */
	assert_ok(
		f, people_change(f->access, id, &off, SCOPE_ADMIN, NOW_MS, &f->arena, &account, &f->err));
	assert_int_equal(identify(f, grant.token, NOW_MS), STATUS_UNAUTHORIZED);
}

static enum status begin_as(struct fixture *f, const struct account *account,
                            struct grant *ret_grant)
{
	const struct login login = {.address = TEXT("192.0.2.1")};
	return sessions_begin(f->access, account, &login, NOW_MS, &f->arena, ret_grant, &f->err);
}

/* What happens between letting somebody in and storing his session. */
static void who_is_switched_off_meanwhile_gets_no_session(void **state)
{
	struct fixture            *f  = *state;
	const bool                 no = false, yes = true;
	const struct person_change off = {.active = &no}, on = {.active = &yes};
	struct text                id = text_of(f->kim.row.id);
	struct account             account;
	struct grant               grant;
	assert_ok(
		f, people_change(f->access, id, &off, SCOPE_ADMIN, NOW_MS, &f->arena, &account, &f->err));
	assert_int_equal(begin_as(f, &f->kim, &grant), STATUS_UNAUTHORIZED);
	assert_int_equal(begin_as(f, &account, &grant), STATUS_UNAUTHORIZED);
	assert_ok(f,
	          people_change(f->access, id, &on, SCOPE_ADMIN, NOW_MS, &f->arena, &account, &f->err));
	assert_ok(f, begin_as(f, &account, &grant));
	assert_ok(f, people_delete(f->access, id, SCOPE_ADMIN, &f->err));
	assert_int_equal(begin_as(f, &account, &grant), STATUS_UNAUTHORIZED);
}

static void whose_roles_change_meanwhile_gets_a_token_for_those_of_now(void **state)
{
	struct fixture            *f    = *state;
	const struct person_change less = {.roles = TEXT("viewer")};
	struct account             account;
	struct identity            identity;
	struct grant               grant;
	assert_ok(f, people_change(f->access, text_of(f->kim.row.id), &less, SCOPE_ADMIN, NOW_MS,
	                           &f->arena, &account, &f->err));
	assert_int_not_equal(account.scopes, f->kim.scopes);
	assert_ok(f, begin_as(f, &f->kim, &grant));
	assert_int_equal(grant.account.scopes, account.scopes);
	assert_ok(f, sessions_identify(f->access, grant.token, NOW_MS, &identity, &f->err));
	assert_int_equal(identity.claimed, account.scopes);
}

static void whose_password_changes_meanwhile_gets_no_session(void **state)
{
	struct fixture *f = *state;
	struct account  account;
	struct grant    grant;
	char            token[CODE_TEXT_BYTES];
	assert_ok(f, reset_begin(f->access, f->kim.email, NOW_MS, &f->arena, &account, token, &f->err));
	assert_ok(f, reset_finish(f->access, text_of(token), TEXT("another long one of his"), NOW_MS,
	                          &f->arena, &account, &f->err));
	assert_int_equal(begin_as(f, &f->kim, &grant), STATUS_UNAUTHORIZED);
	assert_ok(f, begin_as(f, &account, &grant));
}

/* Two windows that come with one token, and a third much later. */
static void windows_of_one_browser_share_a_refresh_token_for_a_while(void **state)
{
	struct fixture *f     = *state;
	struct grant    first = begin(f, NOW_MS), second, third;
	struct refresh  asked = {.token = text_of(first.refresh), .now_ms = NOW_MS, .shared = true};
	bool            ended;
	assert_ok(f, sessions_refresh(f->access, &asked, &f->arena, &second, &ended, &f->err));
	assert_true(second.refresh[0] != '\0');
	asked.now_ms = NOW_MS + SESSION_SHARED_MS;
	assert_ok(f, sessions_refresh(f->access, &asked, &f->arena, &third, &ended, &f->err));
	assert_int_equal(third.refresh[0], '\0');
	assert_int_equal(identify(f, third.token, NOW_MS), STATUS_OK);
	asked.now_ms++;
	assert_int_equal(sessions_refresh(f->access, &asked, &f->arena, &third, &ended, &f->err),
	                 STATUS_UNAUTHORIZED);
	assert_true(ended);
	assert_int_equal(refresh(f, second.refresh, NOW_MS, &third), STATUS_UNAUTHORIZED);
}

static void a_refresh_token_ends_its_session_when_it_comes_again(void **state)
{
	struct fixture *f     = *state;
	struct grant    first = begin(f, NOW_MS), other = begin(f, NOW_MS), second, third;
	struct refresh  again = {.token = text_of(first.refresh), .now_ms = NOW_MS};
	bool            ended;
	assert_ok(f, refresh(f, first.refresh, NOW_MS, &second));
	assert_ok(f, refresh(f, second.refresh, NOW_MS, &third));
	assert_int_equal(sessions_refresh(f->access, &again, &f->arena, &second, &ended, &f->err),
	                 STATUS_UNAUTHORIZED);
	assert_true(ended);
	assert_int_equal(refresh(f, third.refresh, NOW_MS, &third), STATUS_UNAUTHORIZED);
	assert_int_equal(identify(f, first.token, NOW_MS), STATUS_UNAUTHORIZED);
	assert_int_equal(identify(f, other.token, NOW_MS), STATUS_OK);
	assert_int_equal(access_counts(f->access).reuses, 1);
}

static void of_too_many_sessions_the_one_used_longest_ago_ends(void **state)
{
	struct fixture *f     = *state;
	struct grant    first = begin(f, NOW_MS), second = begin(f, NOW_MS + 1);
	assert_ok(f, refresh(f, first.refresh, NOW_MS + 2, &first));
	for (int i = 2; i < SESSIONS_OF_PERSON_MAX; i++)
		begin(f, NOW_MS + 3);
	assert_int_equal(identify(f, second.token, NOW_MS + 3), STATUS_OK);
	begin(f, NOW_MS + 4);
	assert_int_equal(identify(f, second.token, NOW_MS + 4), STATUS_UNAUTHORIZED);
	assert_int_equal(identify(f, first.token, NOW_MS + 4), STATUS_OK);
}

static void a_session_tells_where_it_came_from(void **state)
{
	struct fixture *f = *state;
	struct session *sessions;
	size_t          count;
	begin(f, NOW_MS);
	assert_ok(
		f, sessions_list(f->access, text_of(f->kim.row.id), &f->arena, &sessions, &count, &f->err));
	assert_int_equal(count, 1);
	assert_true(text_equal(sessions[0].address, TEXT("192.0.2.1")));
	assert_true(text_equal(sessions[0].agent, TEXT("a ? browser")));
}

static enum status register_at(struct fixture *f, const char *invitation, int64_t now_ms)
{
	const struct person_wish wish = {.name = TEXT("Lee"), .password = password};
	struct account           account;
	return people_register(f->access, text_of(invitation), &wish, now_ms, &f->arena, &account,
	                       &f->err);
}

static void an_invitation_is_over_when_its_time_is(void **state)
{
	struct fixture          *f    = *state;
	const struct person_wish wish = {
		.email = TEXT("lee@example.com"), .roles = TEXT("viewer"), .tier = TEXT("free")};
	struct invitation invitation;
	char              text[INVITATION_TEXT_BYTES];
	assert_ok(f, people_invite(f->access, &wish, SCOPE_ADMIN, NOW_MS, &f->arena, &invitation, text,
	                           &f->err));
	assert_int_equal(register_at(f, text, NOW_MS + DAY_MS), STATUS_UNAUTHORIZED);
	assert_ok(f, register_at(f, text, NOW_MS + DAY_MS - 1));
	assert_int_equal(register_at(f, text, NOW_MS + DAY_MS - 1), STATUS_UNAUTHORIZED);
}

static enum status log_in_on(struct fixture *f, const char *device, struct text with,
                             struct grant *ret_grant)
{
	const struct login login = {.email    = TEXT("kim@example.com"),
	                            .password = with,
	                            .device   = text_of(device),
	                            .address  = TEXT("192.0.2.8")};
	int64_t            wait_ms;
	return sessions_login(f->access, &login, NOW_MS, 1000, &f->arena, ret_grant, &wait_ms, &f->err);
}

static enum status log_in(struct fixture *f, const char *email, struct text with, int64_t at_ms)
{
	const struct login login = {
		.email = text_of(email), .password = with, .address = TEXT("192.0.2.9")};
	struct grant grant;
	int64_t      wait_ms;
	return sessions_login(f->access, &login, NOW_MS, at_ms, &f->arena, &grant, &wait_ms, &f->err);
}

static enum status set_password(struct fixture *f, const struct grant *grant, struct text current,
                                struct text wanted)
{
	const struct password_change change = {.person_id  = text_of(f->kim.row.id),
	                                       .session_id = text_of(grant->session_id),
	                                       .current    = current,
	                                       .password   = wanted};
	int64_t                      wait_ms;
	enum status                  status =
		people_set_password(f->access, &change, NOW_MS, 1000, &f->arena, &wait_ms, &f->err);
	assert_int_equal(status == STATUS_LIMITED, wait_ms > 0);
	return status;
}

static void who_guesses_the_old_password_in_a_session_waits_and_others_do_not(void **state)
{
	struct fixture *f     = *state;
	struct grant    thief = begin(f, NOW_MS), own = begin(f, NOW_MS);
	for (int i = 0; i <= ATTEMPTS_FREE; i++)
		assert_int_equal(set_password(f, &thief, TEXT("wrong"), TEXT("another long one")),
		                 STATUS_UNAUTHORIZED);
	assert_int_equal(set_password(f, &thief, password, TEXT("another long one")), STATUS_LIMITED);
	assert_ok(f, set_password(f, &own, password, TEXT("another long one")));
	assert_int_equal(identify(f, thief.token, NOW_MS), STATUS_UNAUTHORIZED);
	assert_int_equal(identify(f, own.token, NOW_MS), STATUS_OK);
}

static void a_device_is_known_until_the_password_is_another(void **state)
{
	struct fixture   *f      = *state;
	const struct text wanted = TEXT("another long one");
	struct grant      old, none;
	assert_ok(f, log_in_on(f, "", password, &old));
	for (int i = 0; i <= ATTEMPTS_FREE; i++)
		assert_int_equal(log_in_on(f, "", TEXT("wrong"), &none), STATUS_UNAUTHORIZED);
	assert_int_equal(log_in_on(f, "", password, &none), STATUS_LIMITED);
	assert_ok(f, log_in_on(f, old.device, password, &old));
	assert_ok(f, set_password(f, &old, password, wanted));
	assert_int_equal(log_in_on(f, old.device, wanted, &none), STATUS_LIMITED);
}

static void nothing_of_a_person_is_opened_before_the_password_is_right(void **state)
{
	struct fixture *f  = *state;
	f->kim.row.profile = TEXT("no longer what was sealed");
	assert_ok(f, f->store->ops->person_change(f->store, &f->kim.row, (struct text){0}, &f->err));
	assert_int_equal(log_in(f, "kim@example.com", TEXT("wrong"), 1000), STATUS_UNAUTHORIZED);
	assert_int_equal(log_in(f, "kim@example.com", password, 1000), STATUS_CORRUPT);
}

static void who_is_listed_has_what_his_roles_come_to(void **state)
{
	struct fixture   *f    = *state;
	struct store_role role = {.name = TEXT("crm"), .scopes = TEXT("user.read pii.read")};
	struct account    lee, *all;
	size_t            count;
	assert_ok(f, people_put_role(f->access, &role, SCOPE_ADMIN, NOW_MS, &f->arena, &f->err));
	lee = access_fixture_add(f, "lee@example.com", "crm");
	assert_ok(f, people_list(f->access, &f->arena, &all, &count, &f->err));
	assert_int_equal(count, 2);
	for (size_t i = 0; i < count; i++) {
		bool is_lee = strcmp(all[i].row.id, lee.row.id) == 0;
		assert_int_equal(all[i].scopes, is_lee ? SCOPE_USER_READ | SCOPE_PII_READ : f->kim.scopes);
		assert_true(text_equal(all[i].name, TEXT("Kim")));
	}
}

static void a_known_and_an_unknown_address_go_the_same_way(void **state)
{
	static const char *const emails[] = {"kim@example.com", "nobody@example.com"};
	struct fixture          *f        = *state;
	char                     reasons[2][ERROR_REASON_BYTES_MAX];
	for (int i = 0; i < 2; i++) {
		uint64_t before = access_counts(f->access).passwords;
		for (int n = 0; n <= ATTEMPTS_FREE; n++)
			assert_int_equal(log_in(f, emails[i], TEXT("wrong"), 1000), STATUS_UNAUTHORIZED);
		snprintf(reasons[i], sizeof reasons[i], "%s", f->err.reason);
		assert_int_equal(access_counts(f->access).passwords, before + ATTEMPTS_FREE + 1);
		assert_int_equal(log_in(f, emails[i], password, 1000), STATUS_LIMITED);
		assert_int_equal(access_counts(f->access).passwords, before + ATTEMPTS_FREE + 1);
	}
	assert_string_equal(reasons[0], reasons[1]);
	assert_ok(f, log_in(f, "KIM@example.com", password, 1000 + ATTEMPTS_DELAY_MS_MIN));
}

static enum status finish(struct fixture *f, const char *token, int64_t now_ms)
{
	struct account account;
	return reset_finish(f->access, text_of(token), TEXT("another long one"), now_ms, &f->arena,
	                    &account, &f->err);
}

static void a_mailed_token_is_good_once_and_for_a_while(void **state)
{
	struct fixture *f     = *state;
	struct grant    grant = begin(f, NOW_MS);
	struct account  account;
	char            token[CODE_TEXT_BYTES];
	int64_t         end_ms = NOW_MS / MINUTE_MS * MINUTE_MS + RESET_MINUTES * MINUTE_MS;
	assert_int_equal(reset_begin(f->access, TEXT("nobody@example.com"), NOW_MS, &f->arena, &account,
	                             token, &f->err),
	                 STATUS_NOT_FOUND);
	assert_ok(f, reset_begin(f->access, TEXT("kim@example.com"), NOW_MS, &f->arena, &account, token,
	                         &f->err));
	assert_int_equal(finish(f, token, end_ms), STATUS_UNAUTHORIZED);
	assert_int_equal(finish(f, token, NOW_MS - MINUTE_MS), STATUS_UNAUTHORIZED);
	assert_ok(f, finish(f, token, end_ms - 1));
	assert_int_equal(finish(f, token, end_ms - 1), STATUS_UNAUTHORIZED);
	assert_int_equal(identify(f, grant.token, NOW_MS), STATUS_UNAUTHORIZED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, access_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_is_switched_off_meanwhile_gets_no_session),
		TEST(whose_roles_change_meanwhile_gets_a_token_for_those_of_now),
		TEST(whose_password_changes_meanwhile_gets_no_session),
		TEST(a_session_ends_when_nobody_refreshes_it),
		TEST(a_session_ends_for_good_however_often_it_is_refreshed),
		TEST(an_access_token_is_good_for_an_hour),
		TEST(a_token_counts_for_what_the_roles_come_to_by_now),
		TEST(a_refresh_token_ends_its_session_when_it_comes_again),
		TEST(windows_of_one_browser_share_a_refresh_token_for_a_while),
		TEST(of_too_many_sessions_the_one_used_longest_ago_ends),
		TEST(a_session_tells_where_it_came_from),
		TEST(an_invitation_is_over_when_its_time_is),
		TEST(a_mailed_token_is_good_once_and_for_a_while),
		TEST(a_known_and_an_unknown_address_go_the_same_way),
		TEST(who_guesses_the_old_password_in_a_session_waits_and_others_do_not),
		TEST(a_device_is_known_until_the_password_is_another),
		TEST(nothing_of_a_person_is_opened_before_the_password_is_right),
		TEST(who_is_listed_has_what_his_roles_come_to),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
