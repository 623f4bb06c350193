#include "journal/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { OFFSET = 128, BYTES_MAX = 256 };

static const uint64_t mark = UINT64_C(0x0123456789abcdef);

/* Two batches: partition 3 with the records "a" and "bc", partition 5 with "d". */
struct example {
	uint8_t bytes[BYTES_MAX];
	size_t  size;
};

static struct example encode_example(void)
{
	static const char    first[]   = "\x01\0\0\0a\x02\0\0\0bc";
	static const char    second[]  = "\x01\0\0\0d";
	struct journal_batch batches[] = {
		{3, 2, {first, sizeof first - 1}},
		{5, 1, {second, sizeof second - 1}},
	};
	struct example example = {.size = 0};
	size_t         at      = FRAME_HEADER_BYTES;
	at += frame_batch_encode(example.bytes + at, &batches[0]);
	at += frame_batch_encode(example.bytes + at, &batches[1]);
	const struct frame frame = {
		.first_position = 7,
		.log_time_ms    = 1735689600000, /* 2025-01-01T00:00:00Z */
		.record_count   = 3,
		.batch_count    = 2,
		.kind           = FRAME_DATA,
		.payload        = {NULL, at - FRAME_HEADER_BYTES},
	};
	frame_encode(example.bytes, &frame, mark, OFFSET);
	example.size = frame_bytes(frame.payload.length);
	return example;
}

static enum frame_check check(const struct example *example, struct frame *ret_frame)
{
	size_t bytes;
	return frame_check(example->bytes, example->size, mark, OFFSET, ret_frame, &bytes);
}

static void a_frame_is_read_as_it_was_written(void **state)
{
	(void)state;
	struct example example = encode_example();
	struct frame   frame;
	assert_int_equal(check(&example, &frame), FRAME_GOOD);
	assert_int_equal(frame.first_position, 7);
	assert_int_equal(frame_last_position(&frame), 9);
	assert_int_equal(frame.log_time_ms, 1735689600000);
	assert_int_equal(frame.kind, FRAME_DATA);

	struct frame_batches batches = frame_batches(&frame);
	struct journal_read  read;
	assert_true(frame_batch_next(&batches, &read));
	assert_int_equal(read.partition, 3);
	assert_int_equal(read.record_count, 2);
	assert_int_equal(read.records.length, 11);
	assert_int_equal(read.first_position, 7);
	assert_int_equal(read.frame_position, 9);
	assert_int_equal(read.log_time_ms, 1735689600000);
	assert_false(read.frame_end);
	assert_true(frame_batch_next(&batches, &read));
	assert_int_equal(read.partition, 5);
	assert_int_equal(read.first_position, 9);
	assert_memory_equal(read.records.data, "\x01\0\0\0d", 5);
	assert_true(read.frame_end);
	assert_false(frame_batch_next(&batches, &read));
}

/* docs/formats/journal.md shows these bytes. */
static void the_bytes_are_those_of_the_documentation(void **state)
{
	(void)state;
	/* clang-format off */
	static const char documented[] =
		"efcdab8967452301" "208830ac05b7650d" "0700000000000000" "007c291f94010000"
		"28000000" "03000000" "02000000" "01000000"
		"03000000" "02000000" "0b000000" "0100000061" "020000006263"
		"05000000" "01000000" "05000000" "0100000064";
	/* clang-format on */
	struct example example = encode_example();
	char           hex[2 * BYTES_MAX + 1];
	hash_hex(example.bytes, example.size, hex);
	assert_string_equal(hex, documented);
}

static void every_changed_bit_is_noticed(void **state)
{
	(void)state;
	struct example example = encode_example();
	struct frame   frame;
	for (size_t at = 0; at < example.size; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			example.bytes[at] ^= (uint8_t)(1u << bit);
			assert_int_not_equal(check(&example, &frame), FRAME_GOOD);
			example.bytes[at] ^= (uint8_t)(1u << bit);
		}
	}
	assert_int_equal(check(&example, &frame), FRAME_GOOD);
}

static void a_frame_that_was_moved_is_bad(void **state)
{
	(void)state;
	struct example example = encode_example();
	struct frame   frame;
	size_t         bytes;
	assert_int_equal(frame_check(example.bytes, example.size, mark, OFFSET + 8, &frame, &bytes),
	                 FRAME_BAD);
}

static void a_frame_of_another_file_is_none(void **state)
{
	(void)state;
	struct example example = encode_example();
	struct frame   frame;
	size_t         bytes;
	assert_int_equal(frame_check(example.bytes, example.size, mark + 1, OFFSET, &frame, &bytes),
	                 FRAME_ABSENT);
}

static void a_part_of_a_frame_says_how_much_is_needed(void **state)
{
	(void)state;
	struct example example = encode_example();
	for (size_t length = 0; length < example.size; length++) {
		/* Exactly as long, so that a sanitizer sees a read behind the end. */
		uint8_t     *part = malloc(length + 1);
		struct frame frame;
		size_t       bytes;
		memcpy(part, example.bytes, length);
		assert_int_equal(frame_check(part, length, mark, OFFSET, &frame, &bytes), FRAME_SHORT);
		assert_int_equal(bytes, length < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : example.size);
		free(part);
	}
}

/* A payload whose checksum holds but which nobody here would write. */
static enum frame_check check_payload(const void *payload, size_t length, struct frame frame)
{
	struct example example = {.size = frame_bytes(length)};
	memcpy(example.bytes + FRAME_HEADER_BYTES, payload, length);
	frame.payload.length = length;
	frame_encode(example.bytes, &frame, mark, OFFSET);
	return check(&example, &frame);
}

static void a_payload_that_makes_no_sense_is_malformed(void **state)
{
	(void)state;
	static const char batch[17] = "\x03\0\0\0\x01\0\0\0\x05\0\0\0\x01\0\0\0d";
	struct frame      frame     = {
				 .first_position = 1, .record_count = 1, .batch_count = 1, .kind = FRAME_DATA};
	assert_int_equal(check_payload(batch, 17, frame), FRAME_GOOD);

	assert_int_equal(check_payload(batch, 16, frame), FRAME_MALFORMED);
	assert_int_equal(check_payload(batch, 0, frame), FRAME_MALFORMED);
	frame.record_count = 2;
	assert_int_equal(check_payload(batch, 17, frame), FRAME_MALFORMED);
	frame.record_count = 1;
	frame.batch_count  = 2;
	assert_int_equal(check_payload(batch, 17, frame), FRAME_MALFORMED);
	frame.batch_count    = 1;
	frame.first_position = 0;
	assert_int_equal(check_payload(batch, 17, frame), FRAME_MALFORMED);
	frame.first_position = UINT64_MAX;
	assert_int_equal(check_payload(batch, 17, frame), FRAME_MALFORMED);
	frame.first_position = 1;
	frame.kind           = 77;
	assert_int_equal(check_payload(batch, 17, frame), FRAME_MALFORMED);
	frame.kind = FRAME_SEAL;
	assert_int_equal(check_payload(batch, 17, frame), FRAME_MALFORMED);
	frame.kind = FRAME_MARK;
	assert_int_equal(check_payload(batch, 17, frame), FRAME_MALFORMED);
}

static void a_mark_carries_the_machine_s_clock(void **state)
{
	(void)state;
	struct frame_mark clock   = {.boot_id = {1, 2, 3}, .monotonic_ms = 123456};
	struct example    example = {.size = FRAME_MARK_BYTES};
	memcpy(example.bytes + FRAME_HEADER_BYTES, &clock, sizeof clock);
	struct frame frame = {.first_position = 8, .kind = FRAME_MARK, .payload.length = sizeof clock};
	frame_encode(example.bytes, &frame, mark, OFFSET);

	assert_int_equal(check(&example, &frame), FRAME_GOOD);
	struct frame_mark got = frame_mark_of(&frame);
	assert_memory_equal(&got, &clock, sizeof clock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_read_as_it_was_written),
		cmocka_unit_test(the_bytes_are_those_of_the_documentation),
		cmocka_unit_test(every_changed_bit_is_noticed),
		cmocka_unit_test(a_frame_that_was_moved_is_bad),
		cmocka_unit_test(a_frame_of_another_file_is_none),
		cmocka_unit_test(a_part_of_a_frame_says_how_much_is_needed),
		cmocka_unit_test(a_payload_that_makes_no_sense_is_malformed),
		cmocka_unit_test(a_mark_carries_the_machine_s_clock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
