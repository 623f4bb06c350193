#include "api/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

static struct text write(struct buffer *out, enum cursor_kind kind, struct text content)
{
	buffer_clear(out);
	cursor_write(out, kind, content);
	return buffer_text(out);
}

static void a_cursor_comes_back_with_its_content(void **state)
{
	(void)state;
	struct buffer text = {0}, content = {0};
	struct error  err;
	write(&text, CURSOR_MEMBERS, (struct text){"a\0b\xff", 4});

	assert_int_equal(cursor_read(buffer_text(&text), CURSOR_MEMBERS, &content, &err), STATUS_OK);

	assert_int_equal(content.length, 4);
	assert_memory_equal(content.data, "a\0b\xff", 4);
	buffer_done(&text);
	buffer_done(&content);
}

static void a_cursor_needs_no_escaping_in_a_url(void **state)
{
	(void)state;
	struct buffer text = {0};
	char          bytes[256];
	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	struct text cursor = write(&text, CURSOR_MEMBERS, (struct text){bytes, sizeof bytes});

	for (size_t i = 0; i < cursor.length; i++)
		assert_non_null(strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_",
		                       cursor.data[i]));
	buffer_done(&text);
}

static void a_cursor_of_another_list_is_refused(void **state)
{
	(void)state;
	struct buffer text = {0}, content = {0};
	struct error  err;
	write(&text, CURSOR_MEMBERS, TEXT("here"));

	assert_int_equal(cursor_read(buffer_text(&text), CURSOR_USER_EVENTS, &content, &err),
	                 STATUS_INVALID);

	assert_string_equal(err.field, "cursor");
	assert_int_equal(content.length, 0);
	buffer_done(&text);
	buffer_done(&content);
}

static void a_cursor_that_was_cut_or_changed_is_refused(void **state)
{
	(void)state;
	struct buffer text = {0}, content = {0};
	struct error  err;
	write(&text, CURSOR_MEMBERS, TEXT("where the list goes on"));
	for (size_t length = 0; length < text.length; length++)
		assert_int_equal(
			cursor_read((struct text){text.data, length}, CURSOR_MEMBERS, &content, &err),
			STATUS_INVALID);
	for (size_t i = 0; i < text.length; i++) {
		char kept    = text.data[i];
		text.data[i] = kept == 'A' ? 'B' : 'A';
		assert_int_equal(cursor_read(buffer_text(&text), CURSOR_MEMBERS, &content, &err),
		                 STATUS_INVALID);
		text.data[i] = kept;
	}
	buffer_done(&text);
	buffer_done(&content);
}

static void a_position_comes_back(void **state)
{
	(void)state;
	const uint64_t positions[] = {0, 1, 1000000, UINT64_MAX};
	for (unsigned i = 0; i < sizeof positions / sizeof positions[0]; i++) {
		char     text[POSITION_TEXT_BYTES];
		uint64_t position = 7;
		position_write(positions[i], text);
		assert_true(position_read(text_of(text), &position));
		assert_true(position == positions[i]);
	}
}

static void a_position_that_nobody_answered_is_refused(void **state)
{
	(void)state;
	uint64_t position = 7;
	char     text[POSITION_TEXT_BYTES];
	position_write(41, text);
	text[15] = 'f';

	assert_false(position_read(text_of(text), &position));
	assert_false(position_read(TEXT(""), &position));
	assert_false(position_read(TEXT("41"), &position));
	assert_false(position_read(TEXT("zzzzzzzzzzzzzzzzzzzz"), &position));
	assert_true(position == 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cursor_comes_back_with_its_content),
		cmocka_unit_test(a_cursor_needs_no_escaping_in_a_url),
		cmocka_unit_test(a_cursor_of_another_list_is_refused),
		cmocka_unit_test(a_cursor_that_was_cut_or_changed_is_refused),
		cmocka_unit_test(a_position_comes_back),
		cmocka_unit_test(a_position_that_nobody_answered_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
