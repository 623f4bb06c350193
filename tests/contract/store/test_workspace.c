/* The other workspaces, their members, and visits there. */

#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "base/instant.h"

#define OPS(f) (f)->store->ops

static const char shop[]    = "9c8d968d-bb96-489f-8ca0-7accc0544612";
static const char other[]   = "1c8d968d-bb96-489f-8ca0-7accc0544613";
static const char kim[]     = "2c8d968d-bb96-489f-8ca0-7accc0544614";
static const char session[] = "3c8d968d-bb96-489f-8ca0-7accc0544615";
static const char there[]   = "4c8d968d-bb96-489f-8ca0-7accc0544616";

static struct store_workspace_entry entry_of(const char *id, const char *slug)
{
	struct store_workspace_entry entry = {.code            = {id, 8},
	                                      .slug            = text_of(slug),
	                                      .name            = TEXT("A shop"),
	                                      .state           = TEXT("active"),
	                                      .limits          = TEXT("{}"),
	                                      .partition_count = 4,
	                                      .retention_ms    = 1096 * DAY_MS,
	                                      .created_ms      = 5};
	snprintf(entry.id, sizeof entry.id, "%s", id);
	return entry;
}

static void add(struct fixture *f, const char *id, const char *slug)
{
	struct store_workspace_entry entry = entry_of(id, slug);
	assert_ok(f, OPS(f)->workspace_add(f->store, &entry, &f->err));
}

static size_t list(struct fixture *f, struct store_workspace_entry **ret_entries)
{
	size_t count;
	assert_ok(f, OPS(f)->workspace_list(f->store, &f->arena, ret_entries, &count, &f->err));
	return count;
}

static void a_workspace_is_listed_as_it_was_added(void **state)
{
	struct fixture               *f = *state;
	struct store_workspace_entry *entries;
	add(f, shop, "shop");
	fixture_reopen(f);
	assert_int_equal(list(f, &entries), 1);
	assert_string_equal(entries[0].id, shop);
	assert_true(text_equal(entries[0].code, TEXT("9c8d968d")));
	assert_true(text_equal(entries[0].slug, TEXT("shop")));
	assert_true(text_equal(entries[0].name, TEXT("A shop")));
	assert_true(text_equal(entries[0].limits, TEXT("{}")));
	assert_int_equal(entries[0].partition_count, 4);
	assert_int_equal(entries[0].retention_ms, 1096 * DAY_MS);
	assert_int_equal(entries[0].due_ms, 0);
	assert_int_equal(entries[0].version, 1);
}

static void slug_and_code_are_one_workspaces_only(void **state)
{
	struct fixture              *f     = *state;
	struct store_workspace_entry again = entry_of(other, "shop");
	add(f, shop, "shop");
	assert_int_equal(OPS(f)->workspace_add(f->store, &again, &f->err), STATUS_CONFLICT);
	again      = entry_of(other, "other");
	again.code = (struct text){shop, 8};
	assert_int_equal(OPS(f)->workspace_add(f->store, &again, &f->err), STATUS_CONFLICT);
}

static void a_workspace_is_changed_at_the_version_that_was_read(void **state)
{
	struct fixture              *f       = *state;
	struct store_workspace_entry changed = entry_of(shop, "shop"), late, *entries;
	add(f, shop, "shop");
	changed.version = 1;
	changed.name    = TEXT("Another");
	changed.state   = TEXT("deleting");
	late            = changed;
	assert_ok(f, OPS(f)->workspace_change(f->store, &changed, &f->err));
	assert_int_equal(changed.version, 2);
	assert_int_equal(OPS(f)->workspace_change(f->store, &late, &f->err), STATUS_PRECONDITION);
	assert_ok(f, OPS(f)->workspace_due(f->store, text_of(shop), INSTANT_MS_NEVER, &f->err));
	assert_int_equal(list(f, &entries), 1);
	assert_true(text_equal(entries[0].name, TEXT("Another")));
	assert_true(text_equal(entries[0].state, TEXT("deleting")));
	assert_true(entries[0].due_ms == INSTANT_MS_NEVER);
	assert_int_equal(entries[0].version, 2); /* when it is due is nobody's edit */
}

static void add_person(struct fixture *f)
{
	struct store_person person = {.profile  = TEXT("sealed"),
	                              .password = TEXT("$argon2id$"),
	                              .roles    = TEXT("viewer"),
	                              .tier     = TEXT("free"),
	                              .active   = true};
	snprintf(person.id, sizeof person.id, "%s", kim);
	assert_ok(f, OPS(f)->person_add(f->store, &person, NULL, NULL, &f->err));
}

static void put_member(struct fixture *f, const char *workspace, const char *roles)
{
	struct store_member member = {.roles = text_of(roles), .created_ms = 7};
	snprintf(member.workspace_id, sizeof member.workspace_id, "%s", workspace);
	snprintf(member.person_id, sizeof member.person_id, "%s", kim);
	assert_ok(f, OPS(f)->member_put(f->store, &member, &f->err));
}

/* Kim is let into the shop, and is there from a session that ends at 100. */
static void visit(struct fixture *f)
{
	struct store_session home = {.origin = TEXT("sealed"), .expires_ms = 100};
	struct store_visit   row;
	add(f, shop, "shop");
	add_person(f);
	put_member(f, shop, "analyst");
	snprintf(home.id, sizeof home.id, "%s", session);
	snprintf(home.person_id, sizeof home.person_id, "%s", kim);
	assert_ok(f, OPS(f)->session_add(f->store, &home, 1, &f->err));
	snprintf(row.session_id, sizeof row.session_id, "%s", there);
	snprintf(row.workspace_id, sizeof row.workspace_id, "%s", shop);
	snprintf(row.person_id, sizeof row.person_id, "%s", kim);
	snprintf(row.home_session_id, sizeof row.home_session_id, "%s", session);
	assert_ok(f, OPS(f)->visit_add(f->store, &row, &f->err));
}

static enum status check(struct fixture *f, int64_t now_ms)
{
	return OPS(f)->visit_check(f->store, text_of(shop), text_of(there), now_ms, &f->err);
}

static size_t members_of(struct fixture *f, const char *id, struct store_member **ret_members)
{
	size_t count;
	assert_ok(f,
	          OPS(f)->member_list(f->store, text_of(id), &f->arena, ret_members, &count, &f->err));
	return count;
}

static void members_are_found_from_both_sides(void **state)
{
	struct fixture      *f = *state;
	struct store_member *members;
	add(f, shop, "shop");
	add(f, other, "other");
	add_person(f);
	put_member(f, shop, "viewer");
	put_member(f, shop, "analyst");
	put_member(f, other, "admin");
	assert_int_equal(members_of(f, shop, &members), 1);
	assert_true(text_equal(members[0].roles, TEXT("analyst")));
	assert_string_equal(members[0].person_id, kim);
	assert_int_equal(members_of(f, kim, &members), 2);
	assert_ok(f, OPS(f)->member_delete(f->store, text_of(other), text_of(kim), &f->err));
	assert_int_equal(OPS(f)->member_delete(f->store, text_of(other), text_of(kim), &f->err),
	                 STATUS_NOT_FOUND);
	assert_int_equal(members_of(f, kim, &members), 1);
}

static void a_visit_ends_by_time_and_in_no_other_workspace(void **state)
{
	struct fixture *f = *state;
	visit(f);
	assert_ok(f, check(f, 99));
	assert_int_equal(check(f, 100), STATUS_NOT_FOUND);
	add(f, other, "other");
	assert_int_equal(OPS(f)->visit_check(f->store, text_of(other), text_of(there), 5, &f->err),
	                 STATUS_NOT_FOUND);
	assert_int_equal(OPS(f)->visit_check(f->store, text_of(shop), text_of(session), 5, &f->err),
	                 STATUS_NOT_FOUND);
}

static void a_visit_ends_with_the_session(void **state)
{
	struct fixture *f = *state;
	visit(f);
	assert_ok(f, OPS(f)->session_delete(f->store, text_of(session), &f->err));
	assert_int_equal(check(f, 5), STATUS_NOT_FOUND);
}

static void a_visit_ends_with_the_membership(void **state)
{
	struct fixture *f = *state;
	visit(f);
	put_member(f, shop, "viewer"); /* other roles do not end it */
	assert_ok(f, check(f, 5));
	assert_ok(f, OPS(f)->member_delete(f->store, text_of(shop), text_of(kim), &f->err));
	assert_int_equal(check(f, 5), STATUS_NOT_FOUND);
}

static void a_visit_ends_with_the_person_and_while_he_may_not_log_in(void **state)
{
	struct fixture      *f = *state;
	struct store_person  person;
	struct store_member *members;
	visit(f);
	assert_ok(f, OPS(f)->person_get(f->store, text_of(kim), &f->arena, &person, &f->err));
	person.active = false;
	assert_ok(f, OPS(f)->person_change(f->store, &person, (struct text){0}, &f->err));
	assert_int_equal(check(f, 5), STATUS_NOT_FOUND);
	assert_ok(f, OPS(f)->person_delete(f->store, text_of(kim), &f->err));
	assert_int_equal(check(f, 5), STATUS_NOT_FOUND);
	assert_int_equal(members_of(f, shop, &members), 0);
}

static void a_deleted_workspace_takes_members_and_visits_along(void **state)
{
	struct fixture               *f = *state;
	struct store_workspace_entry *entries;
	struct store_member          *members;
	visit(f);
	assert_ok(f, OPS(f)->workspace_delete(f->store, text_of(shop), &f->err));
	assert_int_equal(OPS(f)->workspace_delete(f->store, text_of(shop), &f->err), STATUS_NOT_FOUND);
	assert_int_equal(list(f, &entries), 0);
	assert_int_equal(members_of(f, kim, &members), 0);
	assert_int_equal(check(f, 5), STATUS_NOT_FOUND);
}

int run_workspace_tests(const char *backend)
{
	const struct CMUnitTest workspace_tests[] = {
		STORE_TEST(a_workspace_is_listed_as_it_was_added),
		STORE_TEST(slug_and_code_are_one_workspaces_only),
		STORE_TEST(a_workspace_is_changed_at_the_version_that_was_read),
		STORE_TEST(members_are_found_from_both_sides),
		STORE_TEST(a_visit_ends_by_time_and_in_no_other_workspace),
		STORE_TEST(a_visit_ends_with_the_session),
		STORE_TEST(a_visit_ends_with_the_membership),
		STORE_TEST(a_visit_ends_with_the_person_and_while_he_may_not_log_in),
		STORE_TEST(a_deleted_workspace_takes_members_and_visits_along),
	};
	char name[64];
	snprintf(name, sizeof name, "workspaces of %s", backend);
	return cmocka_run_group_tests_name(name, workspace_tests, NULL, NULL);
}
