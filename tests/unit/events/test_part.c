#include "events/part.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_fixture.h"

static struct fixture fixture;

/* A store with one part, closed. */
static int begin(void **state)
{
	(void)state;
	fixture_begin(&fixture);
	fixture.settings.part_rows_max = 100000;
	fixture_open(&fixture);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fixture_end(&fixture);
	return 0;
}

static void add_event(const char *name, const char *message_id, struct text properties)
{
	struct record record = {.kind         = RECORD_EVENT,
	                        .slot         = 5,
	                        .call         = CALL_TRACK,
	                        .timestamp_ms = fixture.now_ms,
	                        .name         = text_of(name),
	                        .message_id   = text_of(message_id),
	                        .properties   = properties};
	fixture_add(&fixture, 5, &record, fixture.now_ms);
}

static void make_part(char path[256])
{
	for (unsigned i = 0; i < 50; i++) {
		struct buffer list = {0};
		add_event("상품 조회", i % 2 == 0 ? "" : "m", fixture_list(&list));
		buffer_done(&list);
	}
	fixture_flush(&fixture);
	fixture_close(&fixture);
	fixture_file(&fixture, ".part", path);
}

static void a_string_of_almost_a_megabyte_comes_back(void **state)
{
	(void)state;
	size_t        size   = 1000000;
	char         *string = malloc(size);
	struct buffer list   = {0};
	memset(string, 'x', size);
	size_t at = value_list_begin(&list);
	value_add(&list, TEXT("긴 글"), &(struct value){.type = VALUE_STRING, .text = {string, size}});
	value_list_end(&list, at, 1);
	add_event("a", "m", buffer_text(&list));
	fixture_flush(&fixture);
	const struct events_query query = {.from_ms          = INT64_MIN,
	                                   .to_ms            = INT64_MAX,
	                                   .through_position = UINT64_MAX,
	                                   .now_ms           = fixture.now_ms,
	                                   .retention_ms     = fixture.retention_ms};
	fixture_expect(&fixture, 5, &query);
	buffer_done(&list);
	free(string);
}

static void change_byte(const char *path, off_t at)
{
	char byte;
	int  fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x40;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void every_changed_byte_is_found(void **state)
{
	(void)state;
	char         path[256];
	uint64_t     parts = 0, events = 0;
	struct error err;
	struct stat  info;
	make_part(path);
	assert_int_equal(events_store_verify(fixture.directory, 0, &parts, &events, &err), STATUS_OK);
	assert_int_equal(parts, 1);
	assert_int_equal(events, 50);
	assert_int_equal(stat(path, &info), 0);
	for (off_t at = 0; at < info.st_size; at += 1 + (off_t)fixture_below(40)) {
		change_byte(path, at);
		assert_int_equal(events_store_verify(fixture.directory, 0, &parts, &events, &err),
		                 STATUS_CORRUPT);
		assert_non_null(strstr(err.reason, ".part: "));
		change_byte(path, at);
	}
}

static enum status open_store(struct error *err)
{
	const struct events_store_config config = {.directory       = fixture.directory,
	                                           .partition_count = 1,
	                                           .retention_ms    = fixture.retention_ms,
	                                           .budget          = &fixture.budget,
	                                           .settings        = &fixture.settings,
	                                           .position_end    = UINT64_MAX};
	struct events_store             *store;
	enum status                      status = events_store_open(&config, &store, err);
	if (status == STATUS_OK)
		events_store_close(store);
	return status;
}

static void a_cut_a_changed_head_and_a_missing_part_stop_the_start(void **state)
{
	(void)state;
	char         path[256], manifest[256];
	struct error err;
	struct stat  info;
	make_part(path);
	assert_int_equal(stat(path, &info), 0);

	change_byte(path, 60);
	assert_int_equal(open_store(&err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, "the checksum of its header is wrong"));
	change_byte(path, 60);

	assert_int_equal(truncate(path, info.st_size - 8), 0);
	assert_int_equal(open_store(&err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, "its length is not what its header says"));

	assert_int_equal(unlink(path), 0);
	assert_int_equal(open_store(&err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, "it is missing"));

	fixture_file(&fixture, "manifest", manifest);
	change_byte(manifest, 30);
	assert_int_equal(open_store(&err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, "manifest: its checksum is wrong"));
}

static void what_a_crash_left_is_removed(void **state)
{
	(void)state;
	char         path[256], remain[300];
	struct error err;
	make_part(path);
	snprintf(remain, sizeof remain, "%s/0000/00000000000000ff.part", fixture.directory);
	int fd = open(remain, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(open_store(&err), STATUS_OK);
	assert_int_not_equal(access(remain, F_OK), 0);
	assert_int_equal(access(path, F_OK), 0);
}

static void months_begin_on_their_first_day_also_before_1970(void **state)
{
	(void)state;
	assert_int_equal(event_month(0), 0);
	assert_int_equal(event_month(-1), -1);
	assert_int_equal(event_month(INT64_C(951782400000)), 361); /* 2000-02-29 */
	assert_int_equal(event_month(INT64_C(951868800000) - 1), 361);
	assert_int_equal(event_month(INT64_C(951868800000)), 362);       /* 2000-03-01 */
	assert_int_equal(event_month(INT64_C(-62135596800000)), -23628); /* 0001-01-01 */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_string_of_almost_a_megabyte_comes_back),
		TEST(every_changed_byte_is_found),
		TEST(a_cut_a_changed_head_and_a_missing_part_stop_the_start),
		TEST(what_a_crash_left_is_removed),
		cmocka_unit_test(months_begin_on_their_first_day_also_before_1970),
	};
	fixture_seed("events part");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
