#include "http/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <zlib.h>

/* gzip's form of `text`, behind what `out` holds. */
static void compress_into(struct buffer *out, struct text text)
{
	z_stream stream = {.next_in = (Bytef *)text.data, .avail_in = (uInt)text.length};
	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t bound     = deflateBound(&stream, text.length);
	stream.next_out  = (Bytef *)buffer_reserve(out, bound);
	stream.avail_out = (uInt)bound;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	out->length += bound - stream.avail_out;
	deflateEnd(&stream);
}

static enum status decompress(const struct buffer *compressed, size_t max, struct buffer *out)
{
	struct error err = {0};
	return gzip_decompress(buffer_text(compressed), max, out, &err);
}

static void what_was_compressed_comes_back(void **state)
{
	struct buffer compressed = {0}, out = {0};
	struct text   text = {malloc(300000), 300000};
	(void)state;
	for (size_t i = 0; i < text.length; i++)
		((char *)text.data)[i] = (char)(i * i >> 7);
	compress_into(&compressed, text);
	assert_int_equal(decompress(&compressed, 300000, &out), STATUS_OK);
	assert_true(text_equal(buffer_text(&out), text));
	free((char *)text.data);
	buffer_done(&compressed);
	buffer_done(&out);
}

static void members_in_a_row_are_joined(void **state)
{
	struct buffer compressed = {0}, out = {0};
	(void)state;
	compress_into(&compressed, TEXT("one, "));
	compress_into(&compressed, TEXT("two"));
	assert_int_equal(decompress(&compressed, 100, &out), STATUS_OK);
	assert_true(text_equal(buffer_text(&out), TEXT("one, two")));
	buffer_done(&compressed);
	buffer_done(&out);
}

static void a_bomb_stops_at_the_limit(void **state)
{
	struct buffer compressed = {0}, out = {0};
	char         *zeros = calloc(1, 1 << 24);
	(void)state;
	compress_into(&compressed, (struct text){zeros, 1 << 24});
	assert_true(compressed.length < 1 << 16);
	assert_int_equal(decompress(&compressed, 1 << 16, &out), STATUS_TOO_LARGE);
	assert_true(out.capacity < 1 << 18);
	free(zeros);
	buffer_done(&compressed);
	buffer_done(&out);
}

static void just_the_limit_passes_and_one_byte_more_does_not(void **state)
{
	struct buffer compressed = {0}, out = {0};
	(void)state;
	compress_into(&compressed, TEXT("0123456789"));
	assert_int_equal(decompress(&compressed, 9, &out), STATUS_TOO_LARGE);
	buffer_clear(&out);
	assert_int_equal(decompress(&compressed, 10, &out), STATUS_OK);
	buffer_done(&compressed);
	buffer_done(&out);
}

static void every_shortened_body_is_refused(void **state)
{
	struct buffer compressed = {0}, out = {0};
	(void)state;
	compress_into(&compressed, TEXT("{\"batch\":[1,2,3,4,5,6]}"));
	size_t whole = compressed.length;
	for (size_t length = 0; length < whole; length++) {
		compressed.length = length;
		buffer_clear(&out);
		assert_int_equal(decompress(&compressed, 1000, &out), STATUS_INVALID);
	}
	buffer_done(&compressed);
	buffer_done(&out);
}

static void a_wrong_checksum_and_trailing_bytes_are_refused(void **state)
{
	struct buffer compressed = {0}, out = {0};
	(void)state;
	compress_into(&compressed, TEXT("text"));
	buffer_add_u8(&compressed, 'x');
	assert_int_equal(decompress(&compressed, 1000, &out), STATUS_INVALID);
	compressed.length--;
	compressed.data[compressed.length - 6] ^= 1; /* CRC-32 */
	assert_int_equal(decompress(&compressed, 1000, &out), STATUS_INVALID);
	buffer_done(&compressed);
	buffer_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_compressed_comes_back),
		cmocka_unit_test(members_in_a_row_are_joined),
		cmocka_unit_test(a_bomb_stops_at_the_limit),
		cmocka_unit_test(just_the_limit_passes_and_one_byte_more_does_not),
		cmocka_unit_test(every_shortened_body_is_refused),
		cmocka_unit_test(a_wrong_checksum_and_trailing_bytes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
