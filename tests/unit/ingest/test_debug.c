#include "ingest/debug.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

struct fixture {
	_Atomic uint64_t bytes;
	struct debug    *debug;
	struct arena     arena;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	f->debug          = debug_new(&f->bytes);
	arena_init(&f->arena);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	debug_free(f->debug);
	arena_done(&f->arena);
	free(f);
	return 0;
}

static void add(struct fixture *f, unsigned count, size_t length)
{
	debug_list list = {0};
	for (unsigned i = 0; i < count; i++)
		VECTOR_ADD(&list, (struct debug_event){.index = i, .event = {calloc(1, length), length}});
	debug_add(f->debug, &list);
	VECTOR_DONE(&list);
}

static size_t read_newest(struct fixture *f, uint64_t after, size_t max, struct debug_event **ret)
{
	size_t count;
	debug_read(f->debug, after, max, &f->arena, ret, &count);
	return count;
}

static void the_newest_are_kept_and_read_oldest_first(void **state)
{
	struct fixture     *f = *state;
	struct debug_event *events;
	assert_int_equal(read_newest(f, 0, 10, &events), 0);
	add(f, DEBUG_EVENTS_MAX + 50, 8);
	assert_int_equal(f->bytes, 8 * DEBUG_EVENTS_MAX);
	assert_int_equal(read_newest(f, 0, 1000, &events), DEBUG_EVENTS_MAX);
	assert_int_equal(events[0].number, 51);
	assert_int_equal(events[DEBUG_EVENTS_MAX - 1].number, DEBUG_EVENTS_MAX + 50);
	assert_int_equal(read_newest(f, 0, 3, &events), 3);
	assert_int_equal(events[2].number, DEBUG_EVENTS_MAX + 50);
	assert_int_equal(read_newest(f, DEBUG_EVENTS_MAX + 49, 1000, &events), 1);
	assert_int_equal(read_newest(f, DEBUG_EVENTS_MAX + 50, 1000, &events), 0);
}

static void while_nobody_looks_few_requests_are_noted(void **state)
{
	struct fixture     *f = *state;
	struct debug_event *events;
	unsigned            due = 0;
	for (int i = 0; i < 1000; i++)
		due += debug_due(f->debug);
	assert_in_range(due, 1, 100);
	read_newest(f, 0, 1, &events);
	for (int i = 0; i < 10; i++)
		assert_true(debug_due(f->debug));
}

static void beyond_the_memory_of_all_sources_texts_are_left_out(void **state)
{
	struct fixture     *f = *state;
	struct debug_event *events;
	f->bytes = DEBUG_BYTES_MAX - 10;
	add(f, 3, 8);
	assert_int_equal(read_newest(f, 0, 10, &events), 3);
	assert_non_null(events[0].event.data);
	assert_null(events[1].event.data);
	assert_null(events[2].event.data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_newest_are_kept_and_read_oldest_first),
		TEST(while_nobody_looks_few_requests_are_noted),
		TEST(beyond_the_memory_of_all_sources_texts_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
