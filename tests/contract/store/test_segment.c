/* Segments, their versions, and the outbox. */

#include <stdio.h>
#include <string.h>

#include "backend.h"

static struct store_segment new_segment(struct fixture *f, const char *id, const char *key)
{
	struct store_segment segment = {
		.key         = text_of(key),
		.name        = TEXT("Loyal guests"),
		.description = TEXT(""),
		.active      = true,
		.created_ms  = 10,
		.updated_ms  = 11,
		.version     = 1,
		.definition  = TEXT("{\"expression\":1}"),
		.canonical   = TEXT("{\"c\":1}"),
	};
	snprintf(segment.id, sizeof segment.id, "%s", id);
	memset(segment.hash, 1, sizeof segment.hash);
	assert_ok(f, f->store->ops->segment_reserve(f->store, &segment.number, &f->err));
	return segment;
}

static enum status commit(struct fixture *f, struct store_segment *segment, uint32_t expected)
{
	return f->store->ops->segment_commit(
		f->store,
		&(struct store_commit){.segments = segment, .count = 1, .expected_versions = &expected},
		&f->err);
}

static enum status commit_with(struct fixture *f, struct store_segment *segments, size_t count,
                               struct store_outbox *outbox, size_t outbox_count)
{
	const struct store_commit change = {
		.segments = segments, .count = count, .outbox = outbox, .outbox_count = outbox_count};
	return f->store->ops->segment_commit(f->store, &change, &f->err);
}

static struct store_segment added(struct fixture *f, const char *id, const char *key)
{
	struct store_segment segment = new_segment(f, id, key);
	assert_ok(f, commit(f, &segment, 0));
	return segment;
}

/* A second version of the definition. */
static void edited(struct fixture *f, struct store_segment *segment, struct text canonical)
{
	segment->version++;
	segment->canonical = canonical;
	segment->hash[0]++;
	assert_ok(f, commit(f, segment, segment->version - 1));
}

static void settled(struct fixture *f, const char *id, uint32_t version,
                    enum store_version_state state, const char *reason)
{
	assert_ok(
		f, f->store->ops->segment_settle(f->store, id, version, state, text_of(reason), &f->err));
}

static struct store_segment get(struct fixture *f, const char *id_or_key)
{
	struct store_segment segment = {0};
	assert_ok(
		f, f->store->ops->segment_get(f->store, text_of(id_or_key), &f->arena, &segment, &f->err));
	return segment;
}

static size_t outbox_count(struct fixture *f)
{
	struct store_outbox *rows;
	size_t               count;
	assert_ok(f, f->store->ops->outbox_list(f->store, 1000, &f->arena, &rows, &count, &f->err));
	return count;
}

static void a_new_segment_is_preparing_its_first_version(void **state)
{
	struct fixture *f = *state;
	added(f, "g-1", "loyal");
	fixture_reopen(f);

	struct store_segment found = get(f, "g-1");
	assert_string_equal(found.id, "g-1");
	assert_int_equal(found.number, 1);
	assert_true(text_equal(found.key, TEXT("loyal")));
	assert_true(text_equal(found.name, TEXT("Loyal guests")));
	assert_int_equal(found.description.length, 0);
	assert_true(found.active);
	assert_int_equal(found.created_ms, 10);
	assert_int_equal(found.updated_ms, 11);
	assert_int_equal(found.version, 1);
	assert_int_equal(found.live_version, 0);
	assert_int_equal(found.state, STORE_VERSION_PREPARING);
	assert_true(text_equal(found.definition, TEXT("{\"expression\":1}")));
	assert_true(text_equal(found.canonical, TEXT("{\"c\":1}")));
	assert_int_equal(found.hash[31], 1);
	assert_int_equal(found.live_canonical.length, 0);
}

static void a_segment_is_found_by_id_or_key_and_the_id_comes_first(void **state)
{
	struct fixture *f = *state;
	added(f, "g-1", "loyal");
	added(f, "g-2", "g-1");

	assert_string_equal(get(f, "loyal").id, "g-1");
	assert_string_equal(get(f, "g-1").id, "g-1");
	assert_string_equal(get(f, "g-2").id, "g-2");

	struct store_segment none;
	assert_int_equal(f->store->ops->segment_get(f->store, TEXT("other"), &f->arena, &none, &f->err),
	                 STATUS_NOT_FOUND);
}

static void a_reserved_number_is_not_given_out_twice(void **state)
{
	struct fixture *f = *state;
	uint32_t        first, second;
	assert_ok(f, f->store->ops->segment_reserve(f->store, &first, &f->err));
	fixture_reopen(f);
	assert_ok(f, f->store->ops->segment_reserve(f->store, &second, &f->err));
	assert_int_equal(first, 1);
	assert_int_equal(second, 2);
}

static void a_key_that_is_taken_is_a_conflict_that_names_it(void **state)
{
	struct fixture *f = *state;
	added(f, "g-1", "loyal");
	struct store_segment other = new_segment(f, "g-2", "loyal");

	assert_int_equal(commit(f, &other, 0), STATUS_CONFLICT);
	assert_string_equal(f->err.field, "key");
}

static void the_same_version_changes_names_and_leaves_the_definition(void **state)
{
	struct fixture      *f       = *state;
	struct store_segment segment = added(f, "g-1", "loyal");
	settled(f, "g-1", 1, STORE_VERSION_LIVE, "");
	segment.key         = TEXT("devoted");
	segment.name        = TEXT("Devoted guests");
	segment.description = TEXT("often here");
	segment.active      = false;
	segment.updated_ms  = 99;
	segment.canonical   = TEXT("{\"c\":2}");
	assert_ok(f, commit(f, &segment, 1));

	struct store_segment found = get(f, "devoted");
	assert_true(text_equal(found.name, TEXT("Devoted guests")));
	assert_true(text_equal(found.description, TEXT("often here")));
	assert_false(found.active);
	assert_int_equal(found.updated_ms, 99);
	assert_int_equal(found.created_ms, 10);
	assert_int_equal(found.state, STORE_VERSION_LIVE);
	assert_true(text_equal(found.canonical, TEXT("{\"c\":1}")));
}

static void a_new_version_prepares_while_the_old_one_stays_live(void **state)
{
	struct fixture      *f       = *state;
	struct store_segment segment = added(f, "g-1", "loyal");
	settled(f, "g-1", 1, STORE_VERSION_LIVE, "");
	edited(f, &segment, TEXT("{\"c\":2}"));

	struct store_segment found = get(f, "g-1");
	assert_int_equal(found.version, 2);
	assert_int_equal(found.state, STORE_VERSION_PREPARING);
	assert_true(text_equal(found.canonical, TEXT("{\"c\":2}")));
	assert_int_equal(found.live_version, 1);
	assert_true(text_equal(found.live_canonical, TEXT("{\"c\":1}")));
}

static void a_version_that_is_settled_as_live_takes_the_place_of_the_old_one(void **state)
{
	struct fixture      *f       = *state;
	struct store_segment segment = added(f, "g-1", "loyal");
	settled(f, "g-1", 1, STORE_VERSION_LIVE, "");
	edited(f, &segment, TEXT("{\"c\":2}"));
	settled(f, "g-1", 2, STORE_VERSION_LIVE, "");

	struct store_segment found = get(f, "g-1");
	assert_int_equal(found.live_version, 2);
	assert_int_equal(found.state, STORE_VERSION_LIVE);
	assert_true(text_equal(found.live_canonical, TEXT("{\"c\":2}")));
}

static void a_version_that_failed_says_why_and_keeps_the_live_one(void **state)
{
	struct fixture      *f       = *state;
	struct store_segment segment = added(f, "g-1", "loyal");
	settled(f, "g-1", 1, STORE_VERSION_LIVE, "");
	edited(f, &segment, TEXT("{\"c\":2}"));
	settled(f, "g-1", 2, STORE_VERSION_FAILED, "too large");

	struct store_segment found = get(f, "g-1");
	assert_int_equal(found.state, STORE_VERSION_FAILED);
	assert_true(text_equal(found.reason, TEXT("too large")));
	assert_int_equal(found.live_version, 1);
	assert_true(text_equal(found.live_canonical, TEXT("{\"c\":1}")));
}

static void news_of_an_older_version_than_the_live_one_changes_nothing(void **state)
{
	struct fixture      *f       = *state;
	struct store_segment segment = added(f, "g-1", "loyal");
	settled(f, "g-1", 1, STORE_VERSION_LIVE, "");
	edited(f, &segment, TEXT("{\"c\":2}"));
	settled(f, "g-1", 2, STORE_VERSION_LIVE, "");
	settled(f, "g-1", 1, STORE_VERSION_LIVE, "");
	settled(f, "g-1", 1, STORE_VERSION_FAILED, "late");

	struct store_segment found = get(f, "g-1");
	assert_int_equal(found.live_version, 2);
	assert_int_equal(found.state, STORE_VERSION_LIVE);
}

static void settling_an_unknown_version_is_not_found(void **state)
{
	struct fixture *f = *state;
	added(f, "g-1", "loyal");
	assert_int_equal(
		f->store->ops->segment_settle(f->store, "g-1", 2, STORE_VERSION_LIVE, TEXT(""), &f->err),
		STATUS_NOT_FOUND);
	assert_int_equal(
		f->store->ops->segment_settle(f->store, "g-9", 1, STORE_VERSION_LIVE, TEXT(""), &f->err),
		STATUS_NOT_FOUND);
	assert_int_equal(get(f, "g-1").live_version, 0);
}

static void another_version_than_the_expected_one_is_a_failed_precondition(void **state)
{
	struct fixture      *f       = *state;
	struct store_segment segment = added(f, "g-1", "loyal");
	edited(f, &segment, TEXT("{\"c\":2}"));

	segment.version = 3;
	assert_int_equal(commit(f, &segment, 1), STATUS_PRECONDITION);
	assert_int_equal(get(f, "g-1").version, 2);
}

static void a_version_that_skips_one_or_goes_back_is_a_failed_precondition(void **state)
{
	struct fixture      *f       = *state;
	struct store_segment segment = added(f, "g-1", "loyal");
	edited(f, &segment, TEXT("{\"c\":2}"));

	segment.version = 4;
	assert_int_equal(commit(f, &segment, 0), STATUS_PRECONDITION);
	segment.version = 1;
	assert_int_equal(commit(f, &segment, 0), STATUS_PRECONDITION);
}

static enum status abandon(struct fixture *f, const struct store_abandoned *abandoned, size_t count)
{
	struct store_outbox  outbox = {.kind = 14, .payload = TEXT("change")};
	struct store_segment segments[2];
	enum status status = f->store->ops->segment_abandon(f->store, abandoned, count, 99, &outbox,
	                                                    &f->arena, segments, &f->err);
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		assert_string_equal(segments[i].id, abandoned[i].id);
	return status;
}

static void an_abandoned_version_gives_way_to_the_live_one_and_its_number_is_not_used_again(
	void **state)
{
	struct fixture      *f       = *state;
	struct store_segment segment = added(f, "g-1", "loyal");
	settled(f, "g-1", 1, STORE_VERSION_LIVE, "");
	edited(f, &segment, TEXT("{\"c\":2}"));
	assert_ok(f, abandon(f, &(struct store_abandoned){"g-1", 2, 1}, 1));
	fixture_reopen(f);

	struct store_segment found = get(f, "g-1");
	assert_int_equal(found.version, 1);
	assert_int_equal(found.live_version, 1);
	assert_int_equal(found.last_version, 2);
	assert_int_equal(found.state, STORE_VERSION_LIVE);
	assert_int_equal(found.updated_ms, 99);
	assert_true(found.active);
	assert_true(text_equal(found.canonical, TEXT("{\"c\":1}")));
	assert_int_equal(outbox_count(f), 1);

	found.version = 2;
	assert_int_equal(commit(f, &found, 1), STATUS_PRECONDITION);
	found.version = 3;
	assert_ok(f, commit(f, &found, 1));
	settled(f, "g-1", 3, STORE_VERSION_LIVE, "");
	assert_int_equal(get(f, "g-1").live_version, 3);
}

static void an_abandoned_segment_that_was_never_live_is_not_active(void **state)
{
	struct fixture *f = *state;
	added(f, "g-1", "loyal");
	assert_ok(f, abandon(f, &(struct store_abandoned){"g-1", 1, 0}, 1));

	struct store_segment found = get(f, "g-1");
	assert_false(found.active);
	assert_int_equal(found.version, 1);
	assert_int_equal(found.state, STORE_VERSION_PREPARING);
}

static void abandoning_happens_whole_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	added(f, "g-1", "loyal");
	added(f, "g-2", "new");
	const struct store_abandoned pair[] = {{"g-1", 1, 0}, {"g-2", 2, 0}};
	assert_int_equal(abandon(f, pair, 2), STATUS_PRECONDITION);
	assert_int_equal(abandon(f, &(struct store_abandoned){"g-1", 1, 1}, 1), STATUS_PRECONDITION);
	assert_int_equal(abandon(f, &(struct store_abandoned){"g-9", 1, 0}, 1), STATUS_NOT_FOUND);
	assert_true(get(f, "g-1").active);
	assert_int_equal(outbox_count(f), 0);
}

static void a_commit_happens_whole_or_not_at_all(void **state)
{
	struct fixture      *f = *state;
	struct store_segment pair[2];
	pair[0]                    = new_segment(f, "g-1", "loyal");
	pair[1]                    = new_segment(f, "g-2", "loyal"); /* the same key */
	struct store_outbox outbox = {.id = 77, .kind = 3, .payload = TEXT("body")};

	assert_int_equal(commit_with(f, pair, 2, &outbox, 1), STATUS_CONFLICT);
	struct store_segment *segments;
	size_t                count;
	assert_ok(f, f->store->ops->segment_list(f->store, &f->arena, &segments, &count, &f->err));
	assert_int_equal(count, 0);
	assert_int_equal(outbox_count(f), 0);
	assert_int_equal(outbox.id, 77);
}

static void a_deleted_segment_frees_its_key_and_keeps_its_number(void **state)
{
	struct fixture      *f       = *state;
	struct store_segment segment = added(f, "g-1", "loyal");
	struct store_outbox  outbox  = {.kind = 4, .payload = TEXT("off")};
	assert_ok(f, f->store->ops->segment_delete(f->store, "g-1", &outbox, 1, &f->err));
	assert_int_equal(outbox.id, 1);
	assert_int_equal(outbox_count(f), 1);

	struct store_segment none;
	assert_int_equal(f->store->ops->segment_get(f->store, TEXT("g-1"), &f->arena, &none, &f->err),
	                 STATUS_NOT_FOUND);
	segment.version = 2;
	assert_int_equal(commit(f, &segment, 0), STATUS_NOT_FOUND);
	assert_int_equal(f->store->ops->segment_delete(f->store, "g-1", NULL, 0, &f->err),
	                 STATUS_NOT_FOUND);
	assert_int_equal(added(f, "g-2", "loyal").number, 2);
}

static void segments_are_listed_in_order_of_number(void **state)
{
	struct fixture *f = *state;
	added(f, "g-9", "one");
	added(f, "g-5", "two");
	added(f, "g-7", "three");
	assert_ok(f, f->store->ops->segment_delete(f->store, "g-5", NULL, 0, &f->err));

	struct store_segment *segments;
	size_t                count;
	assert_ok(f, f->store->ops->segment_list(f->store, &f->arena, &segments, &count, &f->err));
	assert_int_equal(count, 2);
	assert_string_equal(segments[0].id, "g-9");
	assert_string_equal(segments[1].id, "g-7");

	assert_ok(f,
	          f->store->ops->segment_list_deleted(f->store, &f->arena, &segments, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(segments[0].id, "g-5");
	assert_true(text_equal(segments[0].key, TEXT("two")));
}

static void the_outbox_keeps_bytes_in_order_until_they_are_delivered(void **state)
{
	struct fixture      *f         = *state;
	struct store_segment segment   = new_segment(f, "g-1", "loyal");
	struct store_outbox  outbox[3] = {
		 {.kind = 3, .payload = {"a\0b", 3}},
		 {.kind = 4, .payload = TEXT("second")},
		 {.kind = 4, .payload = TEXT("")},
    };
	assert_ok(f, commit_with(f, &segment, 1, outbox, 3));
	assert_int_equal(outbox[0].id, 1);
	assert_int_equal(outbox[2].id, 3);
	fixture_reopen(f);

	struct store_outbox *rows;
	size_t               count;
	assert_ok(f, f->store->ops->outbox_list(f->store, 2, &f->arena, &rows, &count, &f->err));
	assert_int_equal(count, 2);
	assert_int_equal(rows[0].id, 1);
	assert_int_equal(rows[0].kind, 3);
	assert_true(text_equal(rows[0].payload, (struct text){"a\0b", 3}));
	assert_int_equal(rows[1].kind, 4);

	assert_ok(f, f->store->ops->outbox_done(f->store, 2, &f->err));
	assert_ok(f, f->store->ops->outbox_list(f->store, 2, &f->arena, &rows, &count, &f->err));
	assert_int_equal(count, 1);
	assert_int_equal(rows[0].id, 3);
	assert_int_equal(rows[0].payload.length, 0);
}

static void outbox_ids_grow_on_after_all_was_delivered(void **state)
{
	struct fixture     *f      = *state;
	struct store_outbox outbox = {.kind = 3, .payload = TEXT("one")};
	assert_ok(f, commit_with(f, NULL, 0, &outbox, 1));
	assert_ok(f, f->store->ops->outbox_done(f->store, outbox.id, &f->err));
	fixture_reopen(f);
	assert_ok(f, commit_with(f, NULL, 0, &outbox, 1));
	assert_int_equal(outbox.id, 2);
}

static void a_full_disk_refuses_a_commit_whole(void **state)
{
	struct fixture      *f       = *state;
	struct store_segment segment = new_segment(f, "g-1", "loyal");
	struct store_outbox  outbox  = {.kind = 3, .payload = TEXT("one")};
	f->backend->disk_full(true);
	enum status status = commit_with(f, &segment, 1, &outbox, 1);
	f->backend->disk_full(false);
	assert_int_equal(status, STATUS_NO_SPACE);
	assert_int_equal(outbox_count(f), 0);

	assert_ok(f, commit_with(f, &segment, 1, &outbox, 1));
	assert_int_equal(outbox.id, 1);
}

int run_segment_tests(const char *backend)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_new_segment_is_preparing_its_first_version),
		STORE_TEST(a_segment_is_found_by_id_or_key_and_the_id_comes_first),
		STORE_TEST(a_reserved_number_is_not_given_out_twice),
		STORE_TEST(a_key_that_is_taken_is_a_conflict_that_names_it),
		STORE_TEST(the_same_version_changes_names_and_leaves_the_definition),
		STORE_TEST(a_new_version_prepares_while_the_old_one_stays_live),
		STORE_TEST(a_version_that_is_settled_as_live_takes_the_place_of_the_old_one),
		STORE_TEST(a_version_that_failed_says_why_and_keeps_the_live_one),
		STORE_TEST(news_of_an_older_version_than_the_live_one_changes_nothing),
		STORE_TEST(settling_an_unknown_version_is_not_found),
		STORE_TEST(another_version_than_the_expected_one_is_a_failed_precondition),
		STORE_TEST(a_version_that_skips_one_or_goes_back_is_a_failed_precondition),
		STORE_TEST(an_abandoned_version_gives_way_to_the_live_one_and_its_number_is_not_used_again),
		STORE_TEST(an_abandoned_segment_that_was_never_live_is_not_active),
		STORE_TEST(abandoning_happens_whole_or_not_at_all),
		STORE_TEST(a_commit_happens_whole_or_not_at_all),
		STORE_TEST(a_deleted_segment_frees_its_key_and_keeps_its_number),
		STORE_TEST(segments_are_listed_in_order_of_number),
		STORE_TEST(the_outbox_keeps_bytes_in_order_until_they_are_delivered),
		STORE_TEST(outbox_ids_grow_on_after_all_was_delivered),
		STORE_TEST(a_full_disk_refuses_a_commit_whole),
	};
	return cmocka_run_group_tests_name(backend, tests, NULL, NULL);
}
