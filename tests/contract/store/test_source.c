/* The workspace, sources and tokens. */

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "base/instant.h"

static struct store_source new_source(const char *id, const char *write_key)
{
	struct store_source source = {
		.name = TEXT("Shop"), .write_key = text_of(write_key), .created_ms = 5, .updated_ms = 6};
	snprintf(source.id, sizeof source.id, "%s", id);
	return source;
}

static struct store_source put_source(struct fixture *f, const char *id, const char *write_key)
{
	struct store_source source = new_source(id, write_key);
	assert_ok(f, f->store->ops->source_put(f->store, &source, true, &f->err));
	return source;
}

static void a_new_store_takes_the_workspace_that_it_is_given(void **state)
{
	struct fixture        *f         = *state;
	struct store_workspace workspace = {.id              = "w-1",
	                                    .partition_count = 16,
	                                    .created_ms      = 7,
	                                    .manual_clock    = true,
	                                    .retention_ms    = 86400000};
	bool                   created   = false;
	assert_ok(f, f->store->ops->workspace_open(f->store, &workspace, &created, &f->err));
	assert_true(created);
	assert_string_equal(workspace.id, "w-1");
}

static void an_old_store_answers_its_own_workspace(void **state)
{
	struct fixture        *f         = *state;
	struct store_workspace workspace = {.id              = "w-1",
	                                    .partition_count = 16,
	                                    .created_ms      = 7,
	                                    .manual_clock    = true,
	                                    .retention_ms    = 86400000};
	bool                   created   = false;
	assert_ok(f, f->store->ops->workspace_open(f->store, &workspace, &created, &f->err));

	fixture_reopen(f);
	workspace = (struct store_workspace){
		.id = "w-2", .partition_count = 4, .created_ms = 9, .retention_ms = 1};
	assert_ok(f, f->store->ops->workspace_open(f->store, &workspace, &created, &f->err));
	assert_false(created);
	assert_string_equal(workspace.id, "w-1");
	assert_int_equal(workspace.partition_count, 16);
	assert_int_equal(workspace.created_ms, 7);
	assert_true(workspace.manual_clock);
	assert_int_equal(workspace.retention_ms, 86400000);
}

static void a_source_is_listed_with_all_its_members(void **state)
{
	struct fixture *f = *state;
	put_source(f, "s-1", "key-1");

	struct store_source *sources;
	size_t               count;
	assert_ok(f, f->store->ops->source_list(f->store, &f->arena, &sources, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(sources[0].id, "s-1");
	assert_int_equal(sources[0].number, 1);
	assert_true(text_equal(sources[0].name, TEXT("Shop")));
	assert_true(text_equal(sources[0].write_key, TEXT("key-1")));
	assert_int_equal(sources[0].created_ms, 5);
	assert_int_equal(sources[0].updated_ms, 6);
}

static void more_sources_than_a_first_guess_holds_are_listed_in_order_of_number(void **state)
{
	struct fixture *f = *state;
	char            id[37], key[37];
	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof id, "s-%d", 99 - i);
		snprintf(key, sizeof key, "key-%d", i);
		put_source(f, id, key);
	}
	struct store_source *sources;
	size_t               count;
	assert_ok(f, f->store->ops->source_list(f->store, &f->arena, &sources, &count, &f->err));
	assert_int_equal(count, 40);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(sources[i].number, i + 1);
}

static void a_deleted_sources_number_is_never_used_again(void **state)
{
	struct fixture *f = *state;
	put_source(f, "s-1", "key-1");
	assert_int_equal(put_source(f, "s-2", "key-2").number, 2);
	assert_ok(f, f->store->ops->source_delete(f->store, "s-2", &f->err));
	fixture_reopen(f);

	assert_int_equal(put_source(f, "s-3", "key-2").number, 3);
	assert_int_equal(f->store->ops->source_delete(f->store, "s-2", &f->err), STATUS_NOT_FOUND);
}

static void a_write_key_that_is_taken_is_a_conflict_that_names_it(void **state)
{
	struct fixture *f = *state;
	put_source(f, "s-1", "key-1");
	struct store_source source = new_source("s-2", "key-1");

	assert_int_equal(f->store->ops->source_put(f->store, &source, true, &f->err), STATUS_CONFLICT);
	assert_string_equal(f->err.field, "write_key");
	assert_int_equal(source.number, 0);

	/* Nothing of it is there, not even its number. */
	assert_int_equal(put_source(f, "s-3", "key-3").number, 2);
}

static void changing_a_source_changes_its_name_and_settings_alone(void **state)
{
	struct fixture *f = *state;
	put_source(f, "s-1", "key-1");
	struct store_source change = new_source("s-1", "key-other");
	change.name                = TEXT("Web");
	change.updated_ms          = 50;
	assert_ok(f, f->store->ops->source_put(f->store, &change, false, &f->err));

	struct store_source found;
	assert_ok(f, f->store->ops->source_by_key(f->store, TEXT("key-1"), &f->arena, &found, &f->err));
	assert_true(text_equal(found.name, TEXT("Web")));
	assert_int_equal(found.number, 1);
	assert_int_equal(found.created_ms, 5);
	assert_int_equal(found.updated_ms, 50);
}

static void changing_a_source_that_is_not_there_is_not_found(void **state)
{
	struct fixture     *f      = *state;
	struct store_source source = new_source("s-1", "key-1");
	assert_int_equal(f->store->ops->source_put(f->store, &source, false, &f->err),
	                 STATUS_NOT_FOUND);
}

static void an_unknown_write_key_is_not_found_and_keys_are_told_apart_by_case(void **state)
{
	struct fixture     *f     = *state;
	struct store_source found = {.number = 77};
	put_source(f, "s-1", "key-1");
	assert_int_equal(
		f->store->ops->source_by_key(f->store, TEXT("KEY-1"), &f->arena, &found, &f->err),
		STATUS_NOT_FOUND);
	assert_int_equal(found.number, 77);
}

static struct store_token new_token(const char *id, uint8_t byte)
{
	struct store_token token = {.name       = TEXT("admin"),
	                            .scopes     = TEXT("read write"),
	                            .created_ms = byte,
	                            .expires_ms = INT64_MAX};
	snprintf(token.id, sizeof token.id, "%s", id);
	memset(token.hash, byte, sizeof token.hash);
	return token;
}

static void a_token_is_found_by_its_hash(void **state)
{
	struct fixture    *f     = *state;
	struct store_token token = new_token("t-1", 0), found;
	assert_ok(f, f->store->ops->token_add(f->store, &token, &f->err));
	fixture_reopen(f);

	assert_ok(f, f->store->ops->token_by_hash(f->store, token.hash, &f->arena, &found, &f->err));
	assert_string_equal(found.id, "t-1");
	assert_true(text_equal(found.name, TEXT("admin")));
	assert_true(text_equal(found.scopes, TEXT("read write")));
	assert_memory_equal(found.hash, token.hash, sizeof token.hash);
	assert_int_equal(found.expires_ms, INT64_MAX);

	token.hash[31] ^= 1;
	assert_int_equal(f->store->ops->token_by_hash(f->store, token.hash, &f->arena, &found, &f->err),
	                 STATUS_NOT_FOUND);
}

static void tokens_are_listed_oldest_first_until_they_are_deleted(void **state)
{
	struct fixture    *f     = *state;
	struct store_token newer = new_token("t-1", 9), older = new_token("t-2", 3);
	assert_ok(f, f->store->ops->token_add(f->store, &newer, &f->err));
	assert_ok(f, f->store->ops->token_add(f->store, &older, &f->err));

	struct store_token *tokens;
	size_t              count;
	assert_ok(f, f->store->ops->token_list(f->store, &f->arena, &tokens, &count, &f->err));
	assert_int_equal(count, 2);
	assert_string_equal(tokens[0].id, "t-2");

	assert_ok(f, f->store->ops->token_delete(f->store, "t-2", &f->err));
	assert_ok(f, f->store->ops->token_list(f->store, &f->arena, &tokens, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(tokens[0].id, "t-1");
	assert_int_equal(f->store->ops->token_delete(f->store, "t-2", &f->err), STATUS_NOT_FOUND);
}

static struct store_consumer put_consumer(struct fixture *f, const char *name, const char *cursor,
                                          int64_t now_ms)
{
	struct store_consumer consumer = {
		.name = text_of(name), .cursor = text_of(cursor), .updated_ms = now_ms};
	assert_ok(f, f->store->ops->consumer_put(f->store, &consumer, &f->err));
	return consumer;
}

static void a_consumer_keeps_its_cursor_until_it_is_moved_or_deleted(void **state)
{
	struct fixture *f = *state;
	put_consumer(f, "b", "", 5);
	put_consumer(f, "a", "one", 6);
	assert_int_equal(put_consumer(f, "a", "two", 7).created_ms, 6);
	fixture_reopen(f);

	struct store_consumer *consumers, consumer;
	size_t                 count;
	assert_ok(f, f->store->ops->consumer_list(f->store, &f->arena, &consumers, &count, &f->err));
	assert_int_equal(count, 2);
	assert_true(text_equal(consumers[0].name, TEXT("a")));
	assert_ok(f, f->store->ops->consumer_get(f->store, TEXT("a"), &f->arena, &consumer, &f->err));
	assert_true(text_equal(consumer.cursor, TEXT("two")));
	assert_int_equal(consumer.updated_ms, 7);

	assert_ok(f, f->store->ops->consumer_delete(f->store, TEXT("a"), &f->err));
	assert_int_equal(f->store->ops->consumer_delete(f->store, TEXT("a"), &f->err),
	                 STATUS_NOT_FOUND);
	assert_int_equal(
		f->store->ops->consumer_get(f->store, TEXT("a"), &f->arena, &consumer, &f->err),
		STATUS_NOT_FOUND);
}

static void a_full_disk_refuses_a_write_for_now_and_keeps_nothing_of_it(void **state)
{
	struct fixture     *f      = *state;
	struct store_source source = new_source("s-1", "key-1");
	f->backend->disk_full(true);
	enum status status = f->store->ops->source_put(f->store, &source, true, &f->err);
	f->backend->disk_full(false);
	assert_int_equal(status, STATUS_NO_SPACE);
	assert_true(status_retriable(status));

	struct store_source *sources;
	size_t               count;
	assert_ok(f, f->store->ops->source_list(f->store, &f->arena, &sources, &count, &f->err));
	assert_int_equal(count, 0);
	assert_int_equal(put_source(f, "s-1", "key-1").number, 1);
}

struct adder {
	struct fixture *fixture;
	int             number;
	int             failures;
};

enum { ADDER_COUNT = 4, SOURCES_AN_ADDER = 20 };

static void *add_sources(void *argument)
{
	struct adder *adder = argument;
	for (int i = 0; i < SOURCES_AN_ADDER; i++) {
		char id[37];
		snprintf(id, sizeof id, "s-%d-%d", adder->number, i);
		struct store_source source = new_source(id, id);
		struct error        err;
		struct store       *store = adder->fixture->store;
		adder->failures += store->ops->source_put(store, &source, true, &err) != STATUS_OK;
	}
	return NULL;
}

static void threads_that_add_at_once_get_numbers_of_their_own(void **state)
{
	struct fixture *f = *state;
	struct adder    adders[ADDER_COUNT];
	pthread_t       threads[ADDER_COUNT];
	for (int i = 0; i < ADDER_COUNT; i++) {
		adders[i] = (struct adder){f, i, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, add_sources, &adders[i]), 0);
	}
	for (int i = 0; i < ADDER_COUNT; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(adders[i].failures, 0);
	}
	struct store_source *sources;
	size_t               count;
	assert_ok(f, f->store->ops->source_list(f->store, &f->arena, &sources, &count, &f->err));
	assert_int_equal(count, ADDER_COUNT * SOURCES_AN_ADDER);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(sources[i].number, i + 1);
}

static void event_types_are_listed_by_name_and_added_once(void **state)
{
	struct fixture                *f       = *state;
	const struct store_event_type  second  = {TEXT("refunds"), TEXT("Money back"), 5};
	const struct store_event_type  first   = {TEXT("checkins"), TEXT(""), 6};
	const struct store_event_type *added[] = {&second, &first};
	for (int i = 0; i < 2; i++)
		assert_ok(f, f->store->ops->event_type_add(f->store, added[i], &f->err));
	assert_int_equal(f->store->ops->event_type_add(f->store, &first, &f->err), STATUS_CONFLICT);
	fixture_reopen(f);
	struct store_event_type *types;
	size_t                   count;
	assert_ok(f, f->store->ops->event_type_list(f->store, &f->arena, &types, &count, &f->err));
	assert_int_equal(count, 2);
	assert_true(text_equal(types[0].name, first.name));
	assert_true(text_equal(types[1].description, second.description));
	assert_int_equal(types[1].created_ms, 5);
}

static void a_destination_is_found_by_id_and_name_and_changed_at_its_version(void **state)
{
	struct fixture          *f     = *state;
	const struct store_ops  *ops   = f->store->ops;
	struct store_destination first = {.id          = "11111111-1111-4111-8111-111111111111",
	                                  .name        = TEXT("bucket"),
	                                  .kind        = TEXT("s3"),
	                                  .settings    = TEXT("{\"bucket\":\"고객\"}"),
	                                  .credentials = TEXT("a\0b"),
	                                  .created_ms  = 5};
	struct store_destination taken = first, read, changed, *all;
	size_t                   count;
	memcpy(taken.id, "22222222-2222-4222-8222-222222222222", sizeof taken.id);
	assert_ok(f, ops->destination_add(f->store, &first, &f->err));
	assert_int_equal(ops->destination_add(f->store, &taken, &f->err), STATUS_CONFLICT);
	fixture_reopen(f);
	ops = f->store->ops;
	assert_ok(f, ops->destination_get(f->store, TEXT("bucket"), &f->arena, &read, &f->err));
	assert_string_equal(read.id, first.id);
	assert_true(text_equal(read.settings, first.settings));
	assert_true(text_equal(read.credentials, first.credentials));
	assert_int_equal(read.version, 1);
	assert_int_equal(read.updated_ms, 5);

	changed            = read;
	changed.name       = TEXT("other");
	changed.updated_ms = 6;
	assert_ok(f, ops->destination_change(f->store, &changed, &f->err));
	assert_int_equal(changed.version, 2);
	assert_int_equal(ops->destination_change(f->store, &read, &f->err), STATUS_PRECONDITION);
	assert_ok(f, ops->destination_list(f->store, &f->arena, &all, &count, &f->err));
	assert_int_equal(count, 1);
	assert_true(text_equal(all[0].name, TEXT("other")));
	assert_int_equal(all[0].updated_ms, 6);

	assert_int_equal(ops->destination_delete(f->store, TEXT("bucket"), &f->err), STATUS_NOT_FOUND);
	assert_ok(f, ops->destination_delete(f->store, text_of(first.id), &f->err));
	assert_int_equal(ops->destination_get(f->store, TEXT("other"), &f->arena, &read, &f->err),
	                 STATUS_NOT_FOUND);
}

static int64_t counted(struct fixture *f, uint32_t number, enum store_span span, const char *name)
{
	struct store_count *counts;
	size_t              count;
	int64_t             value = 0;
	assert_ok(f, f->store->ops->count_list(f->store, number, span, INT64_MIN, INT64_MAX, &f->arena,
	                                       &counts, &count, &f->err));
	for (size_t i = 0; i < count; i++)
		if (text_equal(counts[i].name, text_of(name)))
			value += counts[i].value;
	return value;
}

static void counts_are_added_up_by_minute_hour_and_day(void **state)
{
	struct fixture          *f        = *state;
	const struct store_count counts[] = {
		{1, 5 * DAY_MS, TEXT("accepted"), 3},
		{1, 5 * DAY_MS + 59999, TEXT("accepted"), 4},
		{1, 5 * DAY_MS + STORE_HOUR_MS, TEXT("accepted"), 5},
		{2, 5 * DAY_MS, TEXT("accepted"), 9},
	};
	assert_ok(f, f->store->ops->count_add(f->store, counts, 4, &f->err));
	fixture_reopen(f);
	struct store_count *listed;
	size_t              count;
	assert_ok(f, f->store->ops->count_list(f->store, 1, STORE_SPAN_HOUR, 5 * DAY_MS, 6 * DAY_MS,
	                                       &f->arena, &listed, &count, &f->err));
	assert_int_equal(count, 2);
	assert_int_equal(listed[0].value, 7);
	assert_int_equal(listed[1].at_ms, 5 * DAY_MS + STORE_HOUR_MS);
	assert_int_equal(counted(f, 1, STORE_SPAN_DAY, "accepted"), 12);
	assert_int_equal(counted(f, 2, STORE_SPAN_MINUTE, "accepted"), 9);
	assert_int_equal(counted(f, 3, STORE_SPAN_MINUTE, "accepted"), 0);
}

static void counts_are_dropped_when_they_were_kept_long_enough(void **state)
{
	struct fixture          *f      = *state;
	const struct store_count first  = {1, 900 * DAY_MS, TEXT("accepted"), 1};
	const struct store_count second = {1, 900 * DAY_MS + STORE_MINUTES_KEPT_MS + STORE_MINUTE_MS,
	                                   TEXT("accepted"), 1};
	assert_ok(f, f->store->ops->count_add(f->store, &first, 1, &f->err));
	assert_ok(f, f->store->ops->count_add(f->store, &second, 1, &f->err));
	assert_int_equal(counted(f, 1, STORE_SPAN_MINUTE, "accepted"), 1);
	assert_int_equal(counted(f, 1, STORE_SPAN_HOUR, "accepted"), 2);
	assert_int_equal(counted(f, 1, STORE_SPAN_DAY, "accepted"), 2);
}

static void a_deleted_source_takes_its_counts_along(void **state)
{
	struct fixture     *f      = *state;
	struct store_source source = put_source(f, "s-1", "key-1");
	struct store_count  count  = {source.number, 5, TEXT("accepted"), 1};
	assert_ok(f, f->store->ops->count_add(f->store, &count, 1, &f->err));
	assert_ok(f, f->store->ops->source_delete(f->store, "s-1", &f->err));
	assert_int_equal(counted(f, source.number, STORE_SPAN_DAY, "accepted"), 0);
}

static struct store_letter new_letter(uint32_t source_number, int64_t at_ms, const char *code)
{
	return (struct store_letter){.source_number = source_number,
	                             .at_ms         = at_ms,
	                             .code          = text_of(code),
	                             .place         = TEXT("batch[3]"),
	                             .kind          = 4,
	                             .bytes         = 10,
	                             .content       = TEXT("sealed")};
}

static void add_letters(struct fixture *f, const struct store_letter *letters, size_t count,
                        uint64_t count_max, uint64_t bytes_max)
{
	const struct store_letter_limits limits = {count_max, bytes_max};
	assert_ok(f, f->store->ops->letter_add(f->store, letters, count, &limits, &f->err));
}

static size_t list_letters(struct fixture *f, struct store_letter_filter filter,
                           struct store_letter **ret_letters, uint64_t *ret_total)
{
	size_t count;
	filter.limit = filter.limit == 0 ? 100 : filter.limit;
	if (filter.until_ms == 0)
		filter.until_ms = INT64_MAX;
	assert_ok(f, f->store->ops->letter_list(f->store, &filter, &f->arena, ret_letters, &count,
	                                        ret_total, &f->err));
	return count;
}

static void dead_letters_are_kept_and_listed_newest_first(void **state)
{
	struct fixture      *f         = *state;
	struct store_letter  letters[] = {new_letter(1, 10, "A"), new_letter(1, 20, "B"),
	                                  new_letter(1, 30, "A"), new_letter(2, 40, "A")};
	struct store_letter *listed;
	uint64_t             total;
	letters[1].personal  = true;
	letters[1].partition = 2;
	letters[1].slot      = 7;
	add_letters(f, letters, 4, 100, 1000);
	fixture_reopen(f);
	assert_int_equal(list_letters(f, (struct store_letter_filter){1}, &listed, &total), 3);
	assert_int_equal(total, 3);
	assert_int_equal(listed[0].at_ms, 30);
	assert_true(listed[0].id > listed[1].id && !listed[0].personal);
	assert_true(listed[1].personal && listed[1].partition == 2 && listed[1].slot == 7);
	assert_string_equal(listed[1].place.data, "batch[3]");
	assert_true(text_equal(listed[1].content, TEXT("sealed")));
	assert_true(listed[1].kind == 4 && listed[1].bytes == 10 && listed[1].replays == 0);

	const struct store_letter_filter by_code = {.source_number = 1, .code = TEXT("A"), .limit = 1};
	assert_int_equal(list_letters(f, by_code, &listed, &total), 1);
	assert_int_equal(total, 2);
	const struct store_letter_filter before = {1, TEXT(""), 15, 31, listed[0].id, 10};
	assert_int_equal(list_letters(f, before, &listed, &total), 1);
	assert_int_equal(listed[0].at_ms, 20);
}

static void the_oldest_dead_letters_of_a_source_go_beyond_its_limits(void **state)
{
	struct fixture      *f = *state;
	struct store_letter *listed;
	uint64_t             total;
	for (int i = 0; i < 6; i++) {
		struct store_letter letters[] = {new_letter(1, i, "A"), new_letter(2, i, "A")};
		add_letters(f, letters, 2, 4, 1000);
	}
	assert_int_equal(list_letters(f, (struct store_letter_filter){1}, &listed, &total), 4);
	assert_int_equal(listed[3].at_ms, 2);
	struct store_letter last = new_letter(1, 9, "A");
	add_letters(f, &last, 1, 4, 25);
	assert_int_equal(list_letters(f, (struct store_letter_filter){1}, &listed, &total), 2);
	assert_int_equal(listed[0].at_ms, 9);
	assert_int_equal(list_letters(f, (struct store_letter_filter){2}, &listed, &total), 4);
}

static void a_dead_letter_that_is_rejected_again_says_why(void **state)
{
	struct fixture     *f      = *state;
	struct store_letter letter = new_letter(1, 10, "A"), *listed, found;
	uint64_t            total;
	add_letters(f, &letter, 1, 10, 1000);
	list_letters(f, (struct store_letter_filter){1}, &listed, &total);
	listed[0].code  = TEXT("B");
	listed[0].place = TEXT("x");
	assert_ok(f, f->store->ops->letter_again(f->store, &listed[0], &f->err));
	assert_ok(f, f->store->ops->letter_get(f->store, 1, listed[0].id, &f->arena, &found, &f->err));
	assert_string_equal(found.code.data, "B");
	assert_string_equal(found.place.data, "x");
	assert_int_equal(found.replays, 1);
	assert_int_equal(
		f->store->ops->letter_get(f->store, 2, listed[0].id, &f->arena, &found, &f->err),
		STATUS_NOT_FOUND);
}

static void dead_letters_of_all_sources_are_read_by_id_and_sealed_again(void **state)
{
	struct fixture           *f         = *state;
	const struct store_letter letters[] = {new_letter(1, 10, "A"), new_letter(1, 20, "A"),
	                                       new_letter(2, 30, "A")};
	struct store_letter      *all, *rest;
	size_t                    count;
	add_letters(f, letters, 3, 100, 1000);
	assert_ok(f, f->store->ops->letter_all(f->store, 0, 2, &f->arena, &all, &count, &f->err));
	assert_int_equal(count, 2);
	assert_true(all[0].id < all[1].id);
	all[1].content = TEXT("sealed again");
	assert_ok(f, f->store->ops->letter_reseal(f->store, &all[1], 1, &f->err));
	assert_ok(
		f, f->store->ops->letter_all(f->store, all[0].id, 10, &f->arena, &rest, &count, &f->err));
	assert_int_equal(count, 2);
	assert_true(text_equal(rest[0].content, TEXT("sealed again")));
	assert_int_equal(rest[0].id, all[1].id);
	assert_int_equal(rest[0].at_ms, all[1].at_ms);
	assert_int_equal(rest[1].source_number, 2);
	assert_ok(
		f, f->store->ops->letter_all(f->store, rest[1].id, 10, &f->arena, &rest, &count, &f->err));
	assert_int_equal(count, 0);
}

static void dead_letters_are_deleted_by_id_by_age_and_with_their_source(void **state)
{
	struct fixture           *f         = *state;
	struct store_source       source    = put_source(f, "s-1", "key-1");
	uint32_t                  number    = source.number;
	const struct store_letter letters[] = {new_letter(number, 10, "A"), new_letter(number, 20, "A"),
	                                       new_letter(number, 30, "A"), new_letter(9, 30, "A")};
	struct store_letter      *listed;
	struct store_letter_totals totals;
	uint64_t                   total;
	size_t                     deleted;
	add_letters(f, letters, 4, 100, 1000);
	list_letters(f, (struct store_letter_filter){number}, &listed, &total);
	const uint64_t ids[] = {listed[0].id, listed[0].id + 1000};
	assert_ok(f, f->store->ops->letter_delete(f->store, number, ids, 2, &deleted, &f->err));
	assert_int_equal(deleted, 1);
	assert_ok(f, f->store->ops->letter_expire(f->store, 20, &deleted, &f->err));
	assert_int_equal(deleted, 1);
	assert_ok(f, f->store->ops->letter_totals(f->store, 30, &totals, &f->err));
	assert_int_equal(totals.count, 1);
	assert_ok(f, f->store->ops->letter_totals(f->store, INT64_MAX, &totals, &f->err));
	assert_true(totals.count == 2 && totals.bytes == 20 && totals.oldest_ms == 20);
	assert_ok(f, f->store->ops->source_delete(f->store, "s-1", &f->err));
	assert_ok(f, f->store->ops->letter_totals(f->store, INT64_MAX, &totals, &f->err));
	assert_int_equal(totals.count, 1);
}

int run_source_tests(const char *backend)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_new_store_takes_the_workspace_that_it_is_given),
		STORE_TEST(an_old_store_answers_its_own_workspace),
		STORE_TEST(a_source_is_listed_with_all_its_members),
		STORE_TEST(more_sources_than_a_first_guess_holds_are_listed_in_order_of_number),
		STORE_TEST(a_deleted_sources_number_is_never_used_again),
		STORE_TEST(a_write_key_that_is_taken_is_a_conflict_that_names_it),
		STORE_TEST(changing_a_source_changes_its_name_and_settings_alone),
		STORE_TEST(changing_a_source_that_is_not_there_is_not_found),
		STORE_TEST(an_unknown_write_key_is_not_found_and_keys_are_told_apart_by_case),
		STORE_TEST(a_token_is_found_by_its_hash),
		STORE_TEST(tokens_are_listed_oldest_first_until_they_are_deleted),
		STORE_TEST(a_consumer_keeps_its_cursor_until_it_is_moved_or_deleted),
		STORE_TEST(event_types_are_listed_by_name_and_added_once),
		STORE_TEST(a_destination_is_found_by_id_and_name_and_changed_at_its_version),
		STORE_TEST(counts_are_added_up_by_minute_hour_and_day),
		STORE_TEST(counts_are_dropped_when_they_were_kept_long_enough),
		STORE_TEST(a_deleted_source_takes_its_counts_along),
		STORE_TEST(dead_letters_are_kept_and_listed_newest_first),
		STORE_TEST(the_oldest_dead_letters_of_a_source_go_beyond_its_limits),
		STORE_TEST(a_dead_letter_that_is_rejected_again_says_why),
		STORE_TEST(dead_letters_of_all_sources_are_read_by_id_and_sealed_again),
		STORE_TEST(dead_letters_are_deleted_by_id_by_age_and_with_their_source),
		STORE_TEST(a_full_disk_refuses_a_write_for_now_and_keeps_nothing_of_it),
		STORE_TEST(threads_that_add_at_once_get_numbers_of_their_own),
	};
	return cmocka_run_group_tests_name(backend, tests, NULL, NULL);
}
