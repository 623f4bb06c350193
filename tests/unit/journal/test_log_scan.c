#include "journal/log_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILE_BYTES = 8192 };

static const uint64_t mark = UINT64_C(0x0123456789abcdef);

/* A file in memory, written frame by frame. */
struct example {
	struct log_file file;
	uint64_t        end;
};

static struct example new_file(void)
{
	struct example example = {
		.file = {.length = FILE_BYTES,
	             .header = {.mark           = mark,
	                        .first_position = 1,
	                        .file_bytes     = FILE_BYTES,
	                        .log_time_ms    = 1000}},
		.end  = LOG_FILE_HEADER_BYTES,
	};
	example.file.fd = memfd_create("log", MFD_CLOEXEC);
	assert_int_equal(ftruncate(example.file.fd, FILE_BYTES), 0);
	return example;
}

static void put(struct example *example, uint64_t offset, const void *bytes, size_t length)
{
	assert_int_equal(pwrite(example->file.fd, bytes, length, (off_t)offset), length);
}

/* A frame of `count` records of one byte each, as if written at `offset`. */
static void add_frame(struct example *example, enum frame_kind kind, uint64_t position,
                      int64_t log_time_ms, uint32_t count)
{
	uint8_t      bytes[512] = {0};
	struct frame frame      = {
			 .first_position = position,
			 .log_time_ms    = log_time_ms,
			 .record_count   = count,
			 .batch_count    = kind == FRAME_DATA,
			 .kind           = kind,
    };
	if (kind == FRAME_DATA) {
		struct journal_batch batch = {2, count, {"xxxxxxxxxxxxxxxx", count}};
		frame.payload.length       = frame_batch_encode(bytes + FRAME_HEADER_BYTES, &batch);
	}
	if (kind == FRAME_MARK)
		frame.payload.length = sizeof(struct frame_mark);
	frame_encode(bytes, &frame, mark, example->end);
	put(example, example->end, bytes, frame_bytes(frame.payload.length));
	example->end += frame_bytes(frame.payload.length);
}

static struct log_scan scan(struct example *example)
{
	struct log_scan result;
	struct error    err;
	assert_int_equal(log_scan(&example->file, NULL, NULL, &result, &err), STATUS_OK);
	log_file_close(&example->file);
	return result;
}

static void an_empty_file_is_clean_and_goes_on_from_its_header(void **state)
{
	(void)state;
	struct example  example = new_file();
	struct log_scan result  = scan(&example);
	assert_int_equal(result.end, LOG_SCAN_CLEAN);
	assert_int_equal(result.end_offset, LOG_FILE_HEADER_BYTES);
	assert_int_equal(result.next_position, 1);
	assert_int_equal(result.log_time_ms, 1000);
	assert_false(result.ends_with_mark);
}

static void good_frames_are_counted(void **state)
{
	(void)state;
	struct example example = new_file();
	add_frame(&example, FRAME_MARK, 1, 1000, 0);
	add_frame(&example, FRAME_DATA, 1, 1001, 3);
	add_frame(&example, FRAME_DATA, 4, 1001, 2);
	add_frame(&example, FRAME_MARK, 6, 1005, 0);
	uint64_t        end    = example.end;
	struct log_scan result = scan(&example);
	assert_int_equal(result.end, LOG_SCAN_CLEAN);
	assert_int_equal(result.end_offset, end);
	assert_int_equal(result.frames, 2);
	assert_int_equal(result.records, 5);
	assert_int_equal(result.next_position, 6);
	assert_int_equal(result.log_time_ms, 1005);
	assert_true(result.ends_with_mark);
	assert_int_equal(result.mark_ms, 1005);
}

static void a_seal_ends_the_file(void **state)
{
	(void)state;
	struct example example = new_file();
	add_frame(&example, FRAME_DATA, 1, 1001, 3);
	uint64_t seal = example.end;
	add_frame(&example, FRAME_SEAL, 4, 1001, 0);
	struct log_scan result = scan(&example);
	assert_int_equal(result.end, LOG_SCAN_SEALED);
	assert_int_equal(result.end_offset, seal);
	assert_int_equal(result.next_position, 4);
}

static void assert_damaged_behind_the_first(struct example *example, const char *why)
{
	struct log_scan result = scan(example);
	assert_int_equal(result.end, LOG_SCAN_DAMAGED);
	assert_int_equal(result.end_offset, LOG_FILE_HEADER_BYTES + frame_bytes(12 + 3));
	assert_int_equal(result.records, 3);
	assert_non_null(strstr(result.reason, why));
}

static void a_gap_in_the_positions_is_damage(void **state)
{
	(void)state;
	struct example example = new_file();
	add_frame(&example, FRAME_DATA, 1, 1001, 3);
	add_frame(&example, FRAME_DATA, 5, 1001, 2);
	assert_damaged_behind_the_first(&example, "missing or comes twice");
}

static void a_position_that_comes_twice_is_damage(void **state)
{
	(void)state;
	struct example example = new_file();
	add_frame(&example, FRAME_DATA, 1, 1001, 3);
	add_frame(&example, FRAME_DATA, 3, 1001, 2);
	assert_damaged_behind_the_first(&example, "missing or comes twice");
}

static void a_log_time_that_goes_back_is_damage(void **state)
{
	(void)state;
	struct example example = new_file();
	add_frame(&example, FRAME_DATA, 1, 1001, 3);
	add_frame(&example, FRAME_DATA, 4, 1000, 2);
	assert_damaged_behind_the_first(&example, "goes back");
}

static void a_good_frame_anywhere_behind_a_bad_one_makes_it_damage(void **state)
{
	(void)state;
	for (uint64_t gap = 8; gap < 4096; gap += 264) {
		struct example example = new_file();
		add_frame(&example, FRAME_DATA, 1, 1001, 3);
		put(&example, example.end, "bad", 3);
		example.end += gap;
		char place[32];
		snprintf(place, sizeof place, "at %llu", (unsigned long long)example.end);
		add_frame(&example, FRAME_DATA, 9, 1001, 2);
		assert_damaged_behind_the_first(&example, place);
	}
}

static void zeros_in_place_of_a_frame_are_damage_when_a_good_one_follows(void **state)
{
	(void)state;
	struct example example = new_file();
	add_frame(&example, FRAME_DATA, 1, 1001, 3);
	example.end += 64;
	add_frame(&example, FRAME_DATA, 7, 1001, 2);
	assert_damaged_behind_the_first(&example, "no good frame here");
}

static void bytes_behind_the_last_frame_are_a_torn_tail_up_to_the_last_that_is_not_zero(
	void **state)
{
	(void)state;
	struct example example = new_file();
	add_frame(&example, FRAME_DATA, 1, 1001, 3);
	put(&example, example.end + 100, "x", 1);
	uint64_t        end    = example.end;
	struct log_scan result = scan(&example);
	assert_int_equal(result.end, LOG_SCAN_TORN);
	assert_int_equal(result.end_offset, end);
	assert_int_equal(result.tail_bytes, 104);
}

static void a_frame_that_goes_beyond_the_file_is_torn(void **state)
{
	(void)state;
	struct example example = new_file();
	add_frame(&example, FRAME_DATA, 1, 1001, 3);
	uint64_t head[6] = {mark, 1, 4, 1001, FILE_BYTES, 0};
	put(&example, example.end, head, sizeof head);
	struct log_scan result = scan(&example);
	assert_int_equal(result.end, LOG_SCAN_TORN);
	assert_int_equal(result.records, 3);
}

static void count_frame(void *context, const struct frame *frame, uint64_t offset)
{
	assert_int_equal(frame->first_position, 1 + 3 * ((unsigned *)context)[0]);
	assert_int_equal(offset, LOG_FILE_HEADER_BYTES + 64 * ((unsigned *)context)[0]);
	((unsigned *)context)[0]++;
}

static void every_good_frame_is_shown_with_its_offset(void **state)
{
	(void)state;
	struct example  example = new_file();
	struct log_scan result;
	struct error    err;
	unsigned        count = 0;
	for (unsigned i = 0; i < 20; i++)
		add_frame(&example, FRAME_DATA, 1 + 3 * i, 1001, 3);
	assert_int_equal(log_scan(&example.file, count_frame, &count, &result, &err), STATUS_OK);
	assert_int_equal(count, 20);
	log_file_close(&example.file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_is_clean_and_goes_on_from_its_header),
		cmocka_unit_test(good_frames_are_counted),
		cmocka_unit_test(a_seal_ends_the_file),
		cmocka_unit_test(a_gap_in_the_positions_is_damage),
		cmocka_unit_test(a_position_that_comes_twice_is_damage),
		cmocka_unit_test(a_log_time_that_goes_back_is_damage),
		cmocka_unit_test(a_good_frame_anywhere_behind_a_bad_one_makes_it_damage),
		cmocka_unit_test(zeros_in_place_of_a_frame_are_damage_when_a_good_one_follows),
		cmocka_unit_test(
			bytes_behind_the_last_frame_are_a_torn_tail_up_to_the_last_that_is_not_zero),
		cmocka_unit_test(a_frame_that_goes_beyond_the_file_is_torn),
		cmocka_unit_test(every_good_frame_is_shown_with_its_offset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
