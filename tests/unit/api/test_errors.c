#include "api/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/json.h"

static const char trace[] = "0af7651916cd43dd8448eb211c80319c";

struct written {
	struct buffer       text;
	struct json_parser *parser;
	struct json         error;
};

static struct written write(const struct error *err, const char *code)
{
	struct written written = {.parser = json_parser_new()};
	struct json    root;
	struct error   failed;
	errors_write(&written.text, err, code, trace, 1736245800000);
	assert_int_equal(json_parse_text(written.parser, buffer_text(&written.text), &root, &failed),
	                 STATUS_OK);
	written.error = json_get(root, "error");
	return written;
}

static void done(struct written *written)
{
	buffer_done(&written->text);
	json_parser_free(written->parser);
}

static void assert_member(struct json object, const char *name, const char *value)
{
	struct text text = json_string(json_get(object, name));
	assert_true(text_equal(text, text_of(value)));
}

static void an_error_has_the_form_that_is_promised(void **state)
{
	(void)state;
	struct error err;
	error_set_field(&err, STATUS_INVALID, "rules[0].value", "Value must be greater than 0");
	struct written written = write(&err, NULL);

	assert_member(written.error, "code", "VALIDATION_ERROR");
	assert_member(written.error, "message", "Value must be greater than 0");
	assert_member(json_get(written.error, "details"), "field", "rules[0].value");
	assert_member(json_get(written.error, "details"), "reason", "Value must be greater than 0");
	assert_member(written.error, "timestamp", "2025-01-07T10:30:00Z");
	assert_member(written.error, "traceId", trace);
	done(&written);
}

static void a_message_may_bring_its_own_code(void **state)
{
	(void)state;
	struct error err;
	error_set(&err, STATUS_INVALID, "eventType is none of ours");
	struct written written = write(&err, "UNKNOWN_EVENT_TYPE");

	assert_member(written.error, "code", "UNKNOWN_EVENT_TYPE");
	done(&written);
}

static void what_failed_inside_is_not_shown_to_the_outside(void **state)
{
	(void)state;
	struct error err;
	error_set_field(&err, STATUS_IO, "secret", "cannot read /srv/secret/file");
	struct written written = write(&err, NULL);

	assert_member(written.error, "code", "IO_ERROR");
	assert_null(memmem(written.text.data, written.text.length, "secret", 6));
	done(&written);
}

static void every_status_has_an_http_status(void **state)
{
	(void)state;
	for (int status = STATUS_OK + 1; status < STATUS_COUNT; status++) {
		unsigned http_status = errors_http_status((enum status)status);
		assert_in_range(http_status, 400, 503);
	}
	assert_int_equal(errors_http_status(STATUS_INVALID), 400);
	assert_int_equal(errors_http_status(STATUS_UNSUPPORTED), 400);
	assert_int_equal(errors_http_status(STATUS_UNAUTHORIZED), 401);
	assert_int_equal(errors_http_status(STATUS_FORBIDDEN), 403);
	assert_int_equal(errors_http_status(STATUS_NOT_FOUND), 404);
	assert_int_equal(errors_http_status(STATUS_CONFLICT), 409);
	assert_int_equal(errors_http_status(STATUS_PRECONDITION), 412);
	assert_int_equal(errors_http_status(STATUS_TOO_LARGE), 413);
	assert_int_equal(errors_http_status(STATUS_LIMITED), 429);
}

/* SDKs keep what is answered 503 and drop what gets another status. */
static void whenever_the_truth_cannot_be_written_the_client_is_told_to_come_back(void **state)
{
	(void)state;
	const enum status statuses[] = {STATUS_NO_SPACE, STATUS_NO_MEMORY, STATUS_UNAVAILABLE,
	                                STATUS_TIMEOUT, STATUS_FAILED};
	for (unsigned i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
		assert_int_equal(errors_http_status(statuses[i]), 503);
		assert_true(errors_wants_retry_after(errors_http_status(statuses[i])));
	}
	assert_true(errors_wants_retry_after(429));
	assert_false(errors_wants_retry_after(400));
	assert_false(errors_wants_retry_after(500));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_has_the_form_that_is_promised),
		cmocka_unit_test(a_message_may_bring_its_own_code),
		cmocka_unit_test(what_failed_inside_is_not_shown_to_the_outside),
		cmocka_unit_test(every_status_has_an_http_status),
		cmocka_unit_test(whenever_the_truth_cannot_be_written_the_client_is_told_to_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
