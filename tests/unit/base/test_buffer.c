#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <float.h>
#include <stdlib.h>

static struct byte_reader reader_of(const struct buffer *buffer)
{
	return byte_reader_of(buffer->data, buffer->length);
}

static void what_was_written_is_read_again(void **state)
{
	(void)state;
	struct buffer buffer = {0};
	buffer_add_u8(&buffer, 0xfe);
	buffer_add_u16(&buffer, 0xfedc);
	buffer_add_u32(&buffer, 0xfedcba98);
	buffer_add_u64(&buffer, UINT64_MAX - 1);
	buffer_add_i64(&buffer, INT64_MIN);
	buffer_add_f64(&buffer, -DBL_MIN);
	buffer_add_sized(&buffer, TEXT("제주"));

	struct byte_reader reader = reader_of(&buffer);

	assert_int_equal(read_u8(&reader), 0xfe);
	assert_int_equal(read_u16(&reader), 0xfedc);
	assert_int_equal(read_u32(&reader), 0xfedcba98);
	assert_true(read_u64(&reader) == UINT64_MAX - 1);
	assert_true(read_i64(&reader) == INT64_MIN);
	assert_true(read_f64(&reader) == -DBL_MIN);
	assert_true(text_equal(read_sized(&reader), TEXT("제주")));
	assert_false(reader.failed);
	assert_int_equal(read_left(&reader), 0);
	buffer_done(&buffer);
}

static void numbers_lie_with_their_least_significant_byte_first(void **state)
{
	(void)state;
	struct buffer buffer = {0};
	buffer_add_u32(&buffer, 0x01020304);

	assert_memory_equal(buffer.data, "\4\3\2\1", 4);
	buffer_done(&buffer);
}

static void varints_of_every_length_are_read_again(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 64; bits++) {
		for (int offset = -1; offset <= 1; offset++) {
			struct buffer buffer = {0};
			uint64_t      value  = (UINT64_C(1) << bits) + (uint64_t)offset;
			buffer_add_varint(&buffer, value);

			struct byte_reader reader = reader_of(&buffer);

			assert_true(read_varint(&reader) == value);
			assert_false(reader.failed);
			assert_int_equal(read_left(&reader), 0);
			buffer_done(&buffer);
		}
	}
}

static void a_varint_without_an_end_is_refused(void **state)
{
	(void)state;
	struct byte_reader reader = byte_reader_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11);

	assert_int_equal(read_varint(&reader), 0);
	assert_true(reader.failed);
}

static void a_read_behind_the_end_fails_and_stays_failed(void **state)
{
	(void)state;
	struct byte_reader reader = byte_reader_of("\1\2\3", 3);

	assert_int_equal(read_u32(&reader), 0);
	assert_true(reader.failed);
	assert_int_equal(read_u8(&reader), 0);
	assert_int_equal(read_sized(&reader).length, 0);
}

static void a_sized_text_longer_than_what_is_left_is_refused(void **state)
{
	(void)state;
	struct byte_reader reader = byte_reader_of("\3ab", 3);

	assert_int_equal(read_sized(&reader).length, 0);
	assert_true(reader.failed);
}

static void a_buffer_grows_and_keeps_its_content(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer);
	for (int i = 0; i < 10000; i++)
		buffer_printf(&buffer, "%04d", i);

	assert_int_equal(buffer.length, 40000);
	assert_memory_equal(buffer.data, "00000001", 8);
	assert_memory_equal(buffer.data + 39996, "9999", 4);
	buffer_done(&buffer);
	assert_int_equal(buffer.length, 0);
}

static void reserving_leaves_the_length_and_is_never_null(void **state)
{
	(void)state;
	struct buffer buffer = {0};

	assert_non_null(buffer_reserve(&buffer, 0));
	memset(buffer_reserve(&buffer, 1000), 1, 1000);

	assert_int_equal(buffer.length, 0);
	buffer_done(&buffer);
}

static void adding_nothing_is_allowed(void **state)
{
	(void)state;
	struct buffer buffer = {0};

	buffer_add(&buffer, NULL, 0);
	buffer_add_text(&buffer, (struct text){0});

	assert_int_equal(buffer.length, 0);
	buffer_done(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read_again),
		cmocka_unit_test(numbers_lie_with_their_least_significant_byte_first),
		cmocka_unit_test(varints_of_every_length_are_read_again),
		cmocka_unit_test(a_varint_without_an_end_is_refused),
		cmocka_unit_test(a_read_behind_the_end_fails_and_stays_failed),
		cmocka_unit_test(a_sized_text_longer_than_what_is_left_is_refused),
		cmocka_unit_test(a_buffer_grows_and_keeps_its_content),
		cmocka_unit_test(reserving_leaves_the_length_and_is_never_null),
		cmocka_unit_test(adding_nothing_is_allowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
