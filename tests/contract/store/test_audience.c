/* Audiences that were saved. */

#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "base/instant.h"

static const char id_a[] = "aaaaaaaa-0000-4000-8000-000000000001";
static const char id_b[] = "aaaaaaaa-0000-4000-8000-000000000002";
static const char id_s[] = "aaaaaaaa-0000-4000-8000-00000000000a";

static struct store_audience new_audience(const char *id, enum store_audience_kind kind)
{
	struct store_audience audience = {.kind        = kind,
	                                  .name        = TEXT("제주 VIP"),
	                                  .description = TEXT("those who came back"),
	                                  .definition  = TEXT("{\"filters\":{\"region\":\"제주\"}}"),
	                                  .version     = 1,
	                                  .created_ms  = 1000,
	                                  .as_of_ms    = 900,
	                                  .figures     = TEXT("{\"audience_size\":3}")};
	snprintf(audience.id, sizeof audience.id, "%s", id);
	return audience;
}

static struct store_audience add(struct fixture *f, const char *id, enum store_audience_kind kind)
{
	struct store_audience audience = new_audience(id, kind);
	assert_ok(f, f->store->ops->audience_add(f->store, &audience, NULL, 0, &f->err));
	return audience;
}

static struct store_audience get(struct fixture *f, const char *id)
{
	struct store_audience audience;
	assert_ok(f, f->store->ops->audience_get(f->store, text_of(id), &f->arena, &audience, &f->err));
	return audience;
}

static enum status change(struct fixture *f, struct store_audience *audience, uint32_t expected)
{
	return f->store->ops->audience_change(f->store, audience, expected, NULL, 0, &f->err);
}

/* Of one partition; an empty share: there are none. */
static struct store_audience_share members(struct fixture *f, const char *id, uint32_t partition)
{
	struct store_audience_share *shares;
	size_t                       count;
	assert_ok(f, f->store->ops->audience_members(f->store, text_of(id), &f->arena, &shares, &count,
	                                             &f->err));
	for (size_t i = 0; i < count; i++)
		if (shares[i].partition == partition)
			return shares[i];
	return (struct store_audience_share){0};
}

static size_t versions(struct fixture *f, const char *id, struct store_audience_version **ret_rows)
{
	size_t count;
	assert_ok(f, f->store->ops->audience_versions(f->store, text_of(id), &f->arena, ret_rows,
	                                              &count, &f->err));
	return count;
}

#define assert_text(found, string)                                                                 \
	do {                                                                                           \
		struct text assert_text_found = (found);                                                   \
		assert_int_equal(assert_text_found.length, strlen(string));                                \
		assert_memory_equal(assert_text_found.data, string, strlen(string));                       \
	} while (0)

static void an_audience_is_there_with_all_that_it_was_added_with_after_a_restart(void **state)
{
	struct fixture       *f        = *state;
	struct store_audience audience = new_audience(id_a, STORE_AUDIENCE_LIVE);
	snprintf(audience.segment_id, sizeof audience.segment_id, "%s", id_s);
	assert_ok(f, f->store->ops->audience_add(f->store, &audience, NULL, 0, &f->err));
	assert_int_equal(audience.number, 1);
	fixture_reopen(f);
	struct store_audience found = get(f, id_a);
	assert_string_equal(found.id, id_a);
	assert_string_equal(found.segment_id, id_s);
	assert_int_equal(found.number, 1);
	assert_int_equal(found.kind, STORE_AUDIENCE_LIVE);
	assert_text(found.name, "제주 VIP");
	assert_text(found.description, "those who came back");
	assert_text(found.definition, "{\"filters\":{\"region\":\"제주\"}}");
	assert_text(found.figures, "{\"audience_size\":3}");
	assert_int_equal(found.version, 1);
	assert_int_equal(found.created_ms, 1000);
	assert_int_equal(found.updated_ms, 1000);
	assert_int_equal(found.as_of_ms, 900);
}

static void audiences_are_listed_in_order_behind_a_number(void **state)
{
	struct fixture        *f = *state;
	struct store_audience *rows;
	size_t                 count;
	uint64_t               total;
	add(f, id_b, STORE_AUDIENCE_SNAPSHOT);
	add(f, id_a, STORE_AUDIENCE_SNAPSHOT);
	assert_ok(
		f, f->store->ops->audience_list(f->store, 0, 1, &f->arena, &rows, &count, &total, &f->err));
	assert_int_equal(count, 1);
	assert_int_equal(total, 2);
	assert_string_equal(rows[0].id, id_b);
	assert_ok(f, f->store->ops->audience_list(f->store, rows[0].number, 5, &f->arena, &rows, &count,
	                                          &total, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(rows[0].id, id_a);
}

static void an_audience_is_found_by_its_segment(void **state)
{
	struct fixture       *f        = *state;
	struct store_audience audience = new_audience(id_a, STORE_AUDIENCE_LIVE), found;
	snprintf(audience.segment_id, sizeof audience.segment_id, "%s", id_s);
	assert_ok(f, f->store->ops->audience_add(f->store, &audience, NULL, 0, &f->err));
	add(f, id_b, STORE_AUDIENCE_SNAPSHOT);
	assert_ok(f, f->store->ops->audience_by_segment(f->store, id_s, &f->arena, &found, &f->err));
	assert_string_equal(found.id, id_a);
	assert_int_equal(f->store->ops->audience_by_segment(f->store, id_b, &f->arena, &found, &f->err),
	                 STATUS_NOT_FOUND);
}

static void each_version_of_an_audience_stays(void **state)
{
	struct fixture                *f        = *state;
	struct store_audience          audience = add(f, id_a, STORE_AUDIENCE_SNAPSHOT);
	struct store_audience_version *rows;
	audience.version    = 2;
	audience.name       = TEXT("renamed");
	audience.updated_ms = 2000;
	assert_ok(f, change(f, &audience, 1));
	audience.as_of_ms = 2500; /* figures alone make no version */
	audience.figures  = TEXT("{}");
	assert_ok(f, change(f, &audience, 0));
	assert_int_equal(versions(f, id_a, &rows), 2);
	assert_int_equal(rows[0].version, 2);
	assert_text(rows[0].name, "renamed");
	assert_int_equal(rows[0].at_ms, 2000);
	assert_int_equal(rows[1].version, 1);
	assert_text(rows[1].name, "제주 VIP");
	assert_int_equal(get(f, id_a).as_of_ms, 2500);
}

static void a_change_of_another_version_does_not_happen(void **state)
{
	struct fixture       *f        = *state;
	struct store_audience audience = add(f, id_a, STORE_AUDIENCE_SNAPSHOT);
	audience.version               = 2;
	audience.name                  = TEXT("no");
	assert_int_equal(change(f, &audience, 7), STATUS_PRECONDITION);
	assert_string_equal(f->err.field, "If-Match");
	audience.version = 3;
	assert_int_equal(change(f, &audience, 0), STATUS_PRECONDITION);
	assert_text(get(f, id_a).name, "제주 VIP");
	snprintf(audience.id, sizeof audience.id, "%s", id_b);
	assert_int_equal(change(f, &audience, 0), STATUS_NOT_FOUND);
}

static void members_of_a_snapshot_stay_until_others_take_their_place(void **state)
{
	struct fixture                   *f        = *state;
	struct store_audience             audience = new_audience(id_a, STORE_AUDIENCE_SNAPSHOT);
	const struct store_audience_share first[]  = {{0, 2, TEXT("\x01\x05")}, {3, 1, TEXT("\x07")}};
	const struct store_audience_share second[] = {{1, 1, TEXT("\x02")}};
	assert_ok(f, f->store->ops->audience_add(f->store, &audience, first, 2, &f->err));
	assert_ok(f, change(f, &audience, 0));
	fixture_reopen(f);
	assert_int_equal(members(f, id_a, 0).count, 2);
	assert_text(members(f, id_a, 0).slots, "\x01\x05");
	assert_int_equal(members(f, id_a, 1).count, 0);
	assert_text(members(f, id_a, 3).slots, "\x07");
	assert_ok(f, f->store->ops->audience_change(f->store, &audience, 0, second, 1, &f->err));
	assert_int_equal(members(f, id_a, 0).count, 0);
	assert_text(members(f, id_a, 1).slots, "\x02");
}

static void a_deleted_audience_leaves_nothing(void **state)
{
	struct fixture                   *f        = *state;
	struct store_audience             audience = new_audience(id_a, STORE_AUDIENCE_SNAPSHOT);
	const struct store_audience_share shares[] = {{0, 1, TEXT("\x01")}};
	struct store_audience_version    *rows;
	assert_ok(f, f->store->ops->audience_add(f->store, &audience, shares, 1, &f->err));
	assert_ok(f, f->store->ops->audience_delete(f->store, text_of(id_a), &f->err));
	assert_int_equal(f->store->ops->audience_delete(f->store, text_of(id_a), &f->err),
	                 STATUS_NOT_FOUND);
	assert_int_equal(members(f, id_a, 0).count, 0);
	assert_int_equal(versions(f, id_a, &rows), 0);
}

static void an_audience_that_finds_no_room_is_not_there(void **state)
{
	struct fixture       *f        = *state;
	struct store_audience audience = new_audience(id_a, STORE_AUDIENCE_SNAPSHOT);
	f->backend->disk_full(true);
	assert_int_equal(f->store->ops->audience_add(f->store, &audience, NULL, 0, &f->err),
	                 STATUS_NO_SPACE);
	f->backend->disk_full(false);
	assert_int_equal(
		f->store->ops->audience_get(f->store, text_of(id_a), &f->arena, &audience, &f->err),
		STATUS_NOT_FOUND);
}

/* The segment that `audience` is to have. */
static struct store_segment segment_of(struct fixture *f, const char *id, const char *key)
{
	struct store_segment segment = {.key         = text_of(key),
	                                .name        = TEXT("제주 VIP"),
	                                .description = TEXT(""),
	                                .active      = true,
	                                .version     = 1,
	                                .definition  = TEXT("{}"),
	                                .canonical   = TEXT("{}")};
	snprintf(segment.id, sizeof segment.id, "%s", id);
	assert_ok(f, f->store->ops->segment_reserve(f->store, &segment.number, &f->err));
	return segment;
}

static enum status commit(struct fixture *f, struct store_segment *segment,
                          struct store_audience *audience)
{
	const struct store_commit change = {.segments = segment, .count = 1, .audience = audience};
	return f->store->ops->segment_commit(f->store, &change, &f->err);
}

static void a_live_audience_comes_changes_and_goes_with_its_segment(void **state)
{
	struct fixture                *f        = *state;
	struct store_audience          audience = new_audience(id_a, STORE_AUDIENCE_LIVE), found;
	struct store_segment           segment  = segment_of(f, id_s, "vip");
	struct store_audience_version *rows;
	add(f, id_b, STORE_AUDIENCE_SNAPSHOT);
	assert_ok(f, commit(f, &segment, &audience));
	assert_string_equal(audience.segment_id, id_s);
	fixture_reopen(f);
	assert_ok(f, f->store->ops->audience_by_segment(f->store, id_s, &f->arena, &found, &f->err));
	assert_string_equal(found.id, id_a);
	assert_int_equal(found.number, 2);

	audience.version = 2;
	audience.name    = TEXT("renamed");
	assert_ok(f, commit(f, &segment, &audience));
	assert_text(get(f, id_a).name, "renamed");
	assert_int_equal(versions(f, id_a, &rows), 2);

	assert_ok(f, f->store->ops->segment_delete(f->store, id_s, NULL, 0, &f->err));
	assert_int_equal(
		f->store->ops->audience_get(f->store, text_of(id_a), &f->arena, &found, &f->err),
		STATUS_NOT_FOUND);
	assert_int_equal(versions(f, id_a, &rows), 0);
	assert_int_equal(get(f, id_b).number, 1);
}

static void an_audience_and_its_segment_are_both_committed_or_none(void **state)
{
	struct fixture       *f        = *state;
	struct store_audience audience = add(f, id_a, STORE_AUDIENCE_SNAPSHOT), again;
	struct store_segment  segment  = segment_of(f, id_s, "vip"), found;
	again                          = new_audience(id_a, STORE_AUDIENCE_LIVE); /* the id is taken */
	assert_int_not_equal(commit(f, &segment, &again), STATUS_OK);
	assert_int_equal(again.number, 0);
	assert_int_equal(f->store->ops->segment_get(f->store, TEXT("vip"), &f->arena, &found, &f->err),
	                 STATUS_NOT_FOUND);

	audience.version = 7; /* skips some */
	assert_int_equal(commit(f, &segment, &audience), STATUS_PRECONDITION);
	assert_int_equal(f->store->ops->segment_get(f->store, TEXT("vip"), &f->arena, &found, &f->err),
	                 STATUS_NOT_FOUND);
}

static void a_live_audience_goes_back_with_its_segment(void **state)
{
	struct fixture                *f        = *state;
	struct store_audience          audience = new_audience(id_a, STORE_AUDIENCE_LIVE);
	struct store_segment           segment  = segment_of(f, id_s, "vip"), after;
	struct store_audience_version *rows;
	segment.definition = TEXT("{\"expression\":1}");
	assert_ok(f, commit(f, &segment, &audience));
	assert_ok(
		f, f->store->ops->segment_settle(f->store, id_s, 1, STORE_VERSION_LIVE, TEXT(""), &f->err));
	segment.version = audience.version = 2;
	segment.definition                 = TEXT("{\"expression\":2}");
	audience.definition                = TEXT("{\"filters\":2}");
	assert_ok(f, commit(f, &segment, &audience));

	struct store_abandoned abandoned = {.version = 2, .back_to = 1};
	struct store_outbox    outbox    = {.kind = 14, .payload = TEXT("change")};
	snprintf(abandoned.id, sizeof abandoned.id, "%s", id_s);
	assert_ok(f, f->store->ops->segment_abandon(f->store, &abandoned, 1, 99, &outbox, &f->arena,
	                                            &after, &f->err));
	assert_text(after.definition, "{\"expression\":1}");
	assert_text(get(f, id_a).definition, "{\"expression\":1}");
	assert_int_equal(get(f, id_a).version, 3);
	assert_int_equal(versions(f, id_a, &rows), 3);
	assert_text(rows[0].definition, "{\"expression\":1}");
	assert_int_equal(rows[0].at_ms, 99);
}

static void what_is_kept_by_name_is_the_last_that_was_put(void **state)
{
	struct fixture *f = *state;
	struct text     text;
	int64_t         at_ms;
	assert_int_equal(
		f->store->ops->kept_get(f->store, TEXT("a"), &f->arena, &text, &at_ms, &f->err),
		STATUS_NOT_FOUND);
	assert_ok(f, f->store->ops->kept_put(f->store, TEXT("a"), TEXT("one"), 1, &f->err));
	assert_ok(f, f->store->ops->kept_put(f->store, TEXT("b"), TEXT("other"), 2, &f->err));
	assert_ok(f, f->store->ops->kept_put(f->store, TEXT("a"), TEXT("two"), 3, &f->err));
	fixture_reopen(f);
	assert_ok(f, f->store->ops->kept_get(f->store, TEXT("a"), &f->arena, &text, &at_ms, &f->err));
	assert_text(text, "two");
	assert_int_equal(at_ms, 3);
}

int run_audience_tests(const char *backend)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(an_audience_is_there_with_all_that_it_was_added_with_after_a_restart),
		STORE_TEST(audiences_are_listed_in_order_behind_a_number),
		STORE_TEST(an_audience_is_found_by_its_segment),
		STORE_TEST(each_version_of_an_audience_stays),
		STORE_TEST(a_change_of_another_version_does_not_happen),
		STORE_TEST(members_of_a_snapshot_stay_until_others_take_their_place),
		STORE_TEST(a_deleted_audience_leaves_nothing),
		STORE_TEST(an_audience_that_finds_no_room_is_not_there),
		STORE_TEST(a_live_audience_comes_changes_and_goes_with_its_segment),
		STORE_TEST(an_audience_and_its_segment_are_both_committed_or_none),
		STORE_TEST(a_live_audience_goes_back_with_its_segment),
		STORE_TEST(what_is_kept_by_name_is_the_last_that_was_put),
	};
	char name[64];
	snprintf(name, sizeof name, "audiences of %s", backend);
	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
