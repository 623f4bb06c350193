#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

enum { CAPTURE_BYTES = 16384 };

struct capture {
	FILE               *file;
	int                 error_fd;
	char                text[CAPTURE_BYTES + 1];
	struct json_parser *parser;
};

static int begin_capture(void **state)
{
	static struct capture capture;
	capture.file     = tmpfile();
	capture.error_fd = dup(STDERR_FILENO);
	capture.parser   = json_parser_new();
	dup2(fileno(capture.file), STDERR_FILENO);
	log_level_set(LOG_INFO);
	*state = &capture;
	return 0;
}

static int end_capture(void **state)
{
	struct capture *capture = *state;
	dup2(capture->error_fd, STDERR_FILENO);
	close(capture->error_fd);
	fclose(capture->file);
	json_parser_free(capture->parser);
	log_trace_set(NULL);
	return 0;
}

static const char *captured(void **state)
{
	struct capture *capture = *state;
	ssize_t         length  = pread(fileno(capture->file), capture->text, CAPTURE_BYTES, 0);
	assert_true(length >= 0);
	capture->text[length] = '\0';
	return capture->text;
}

/* The one line that was written. */
static struct json captured_line(void **state)
{
	struct capture *capture = *state;
	const char     *text    = captured(state);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	struct json root;
	assert_int_equal(json_parse_text(capture->parser, text_of(text), &root, NULL), STATUS_OK);
	return root;
}

static void assert_member(struct json line, const char *name, const char *expected)
{
	assert_int_equal(json_type(json_get(line, name)), JSON_STRING);
	assert_true(text_equal(json_string(json_get(line, name)), text_of(expected)));
}

static void a_line_is_one_json_object(void **state)
{
	log_line(LOG_WARNING, "listening", LOG_STRING("address", "a\"\nb"), LOG_NUMBER("port", -1));

	struct json line = captured_line(state);
	assert_member(line, "level", "warning");
	assert_member(line, "message", "listening");
	assert_member(line, "address", "a\"\nb");
	assert_int_equal(json_int(json_get(line, "port")), -1);
	assert_int_equal(json_type(json_get(line, "time")), JSON_STRING);
	assert_int_equal(json_type(json_get(line, "traceId")), JSON_NONE);
}

static void lines_below_the_least_level_are_not_written(void **state)
{
	log_message(LOG_DEBUG, "detail");
	assert_string_equal(captured(state), "");

	log_level_set(LOG_DEBUG);
	log_message(LOG_DEBUG, "detail");

	assert_member(captured_line(state), "level", "debug");
}

static void the_trace_id_of_the_thread_is_added_until_it_is_cleared(void **state)
{
	log_trace_set("4bf92f3577b34da6a3ce929d0e0e4736");
	log_message(LOG_INFO, "a");
	assert_member(captured_line(state), "traceId", "4bf92f3577b34da6a3ce929d0e0e4736");

	log_trace_set("");
	log_message(LOG_INFO, "b");

	const char *second = strchr(captured(state), '\n') + 1;
	assert_null(strstr(second, "traceId"));
}

static void *log_from_thread(void *unused)
{
	log_message(LOG_INFO, "from another thread");
	return unused;
}

static void the_trace_id_of_one_thread_is_not_that_of_another(void **state)
{
	pthread_t thread;
	log_trace_set("4bf92f3577b34da6a3ce929d0e0e4736");

	assert_int_equal(pthread_create(&thread, NULL, log_from_thread, NULL), 0);
	pthread_join(thread, NULL);

	assert_int_equal(json_type(json_get(captured_line(state), "traceId")), JSON_NONE);
}

static void an_error_is_logged_with_its_code_and_reason(void **state)
{
	struct error err;
	error_set_field(&err, STATUS_IO, "data", "cannot open x");
	log_error("start failed", &err);

	struct json line = captured_line(state);
	assert_member(line, "level", "error");
	assert_member(line, "code", "IO_ERROR");
	assert_member(line, "reason", "cannot open x");
	assert_member(line, "field", "data");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_capture, end_capture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_is_one_json_object),
		TEST(lines_below_the_least_level_are_not_written),
		TEST(the_trace_id_of_the_thread_is_added_until_it_is_cleared),
		TEST(the_trace_id_of_one_thread_is_not_that_of_another),
		TEST(an_error_is_logged_with_its_code_and_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
