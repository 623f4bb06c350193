#include "audit/audit_search.h"

#include <string.h>

#include "audit_fixture.h"
#include "audit/audit_line.h"
#include "base/instant.h"

static struct audit *audit;

static void add(const char *actor, const char *action, const char *target)
{
	const struct audit_record record = {.actor       = text_of(actor),
	                                    .action      = text_of(action),
	                                    .target      = text_of(target),
	                                    .result_size = -1};
	struct error              err;
	assert_int_equal(audit_note(audit, &record, &err), STATUS_OK);
}

static int setup(void **state)
{
	trail_setup(state);
	trail_settings.file_bytes = 1500; /* several files */
	audit                     = trail_open();
	for (int i = 0; i < 20; i++) {
		add("token:a", "segment.create", "s1");
		add("token:b", "segment.delete", "s2");
		add("token:b", "audience.query", "");
	}
	return 0;
}

static int teardown(void **state)
{
	audit_close(audit);
	return trail_teardown(state);
}

static struct audit_query any(void)
{
	return (struct audit_query){.from_ms    = INSTANT_MS_MIN,
	                            .to_ms      = INSTANT_MS_MAX,
	                            .before_seq = UINT64_MAX,
	                            .limit      = 1000};
}

static size_t count(struct audit_query query)
{
	audit_file_list files;
	struct arena    arena;
	struct text    *lines;
	size_t          found = 0, got;
	struct error    err;
	arena_init(&arena);
	audit_snapshot(audit, &files);
	do {
		assert_int_equal(audit_search(trail_directory, &files, &query, &arena, &lines, &got,
		                              &query.before_seq, &err),
		                 STATUS_OK);
		assert_true(got <= query.limit);
		found += got;
	} while (query.before_seq != 0);
	VECTOR_DONE(&files);
	arena_done(&arena);
	return found;
}

static void records_are_found_by_actor_action_and_target(void **state)
{
	struct audit_query query = any();
	(void)state;
	query.actor = TEXT("token:b");
	assert_int_equal(count(query), 40);
	query.action = TEXT("segment.");
	assert_int_equal(count(query), 20);
	query.target = TEXT("s1");
	assert_int_equal(count(query), 0);
	query        = any();
	query.action = TEXT("segment.create");
	assert_int_equal(count(query), 20);
}

static void pages_together_hold_each_record_once(void **state)
{
	struct audit_query query = any();
	(void)state;
	query.action = TEXT("segment.");
	query.limit  = 7;
	assert_int_equal(count(query), 40);
	query.limit = 40;
	assert_int_equal(count(query), 40);
	query.limit = 1;
	assert_int_equal(count(query), 40);
}

static void nothing_is_found_outside_of_the_time_asked_for(void **state)
{
	struct audit_query query = any();
	(void)state;
	query.to_ms = 1000;
	assert_int_equal(count(query), 0);
	query         = any();
	query.from_ms = INSTANT_MS_MAX - 1;
	assert_int_equal(count(query), 0);
}

struct order {
	uint64_t last_seq;
	size_t   count;
};

static bool take(void *context, struct text line)
{
	struct order     *order = context;
	struct audit_line read;
	struct error      err;
	assert_int_equal(audit_line_read(line, &read, &err), STATUS_OK);
	assert_true(read.link.seq > order->last_seq);
	order->last_seq = read.link.seq;
	return ++order->count < 50;
}

static void all_are_given_oldest_first_until_enough(void **state)
{
	const struct audit_query query = any();
	struct order             order = {0};
	audit_file_list          files;
	struct error             err;
	(void)state;
	audit_snapshot(audit, &files);
	assert_int_equal(audit_each(trail_directory, &files, &query, take, &order, &err), STATUS_OK);
	assert_int_equal(order.count, 50);
	VECTOR_DONE(&files);
}

#define TRAIL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRAIL(records_are_found_by_actor_action_and_target),
		TRAIL(pages_together_hold_each_record_once),
		TRAIL(nothing_is_found_outside_of_the_time_asked_for),
		TRAIL(all_are_given_oldest_first_until_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
