#include "http/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define VALID "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static struct trace begin(struct text traceparent)
{
	struct trace_source source;
	struct trace        trace;
	trace_source_init(&source);
	trace_begin(&trace, &source, traceparent);
	return trace;
}

static void a_valid_traceparent_goes_on_under_a_span_of_our_own(void **state)
{
	(void)state;
	struct trace trace = begin(TEXT(VALID));
	assert_string_equal(trace.id, "4bf92f3577b34da6a3ce929d0e0e4736");
	assert_memory_equal(trace.parent, VALID, 36);
	assert_memory_not_equal(trace.parent + 36, VALID + 36, 16);
	assert_string_equal(trace.parent + 52, "-01");
}

static void fields_of_a_later_version_are_left_out(void **state)
{
	(void)state;
	struct trace trace = begin(TEXT("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x"));
	assert_string_equal(trace.id, "4bf92f3577b34da6a3ce929d0e0e4736");
	assert_int_equal(strlen(trace.parent), strlen(VALID));
	assert_memory_equal(trace.parent, "00-", 3);
}

static void whatever_is_not_valid_begins_a_new_trace(void **state)
{
	static const char *const bad[] = {
		"",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
		"00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct trace trace = begin(text_of(bad[i]));
		assert_int_equal(strspn(trace.id, "0123456789abcdef"), 32);
		assert_memory_not_equal(trace.id, "4bf92f3577b34da6a3ce929d0e0e473", 31);
		assert_memory_equal(trace.parent + 3, trace.id, 32);
		assert_string_equal(trace.parent + 52, "-00");
	}
}

static void new_traces_differ(void **state)
{
	struct trace_source source;
	struct trace        one, two;
	(void)state;
	trace_source_init(&source);
	trace_begin(&one, &source, (struct text){NULL, 0});
	trace_begin(&two, &source, (struct text){NULL, 0});
	assert_string_not_equal(one.id, two.id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_valid_traceparent_goes_on_under_a_span_of_our_own),
		cmocka_unit_test(fields_of_a_later_version_are_left_out),
		cmocka_unit_test(whatever_is_not_valid_begins_a_new_trace),
		cmocka_unit_test(new_traces_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
