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

static void add_event_of(uint32_t slot, const char *name, const char *message_id,
                         struct text properties)
{
	struct record record = {.kind         = RECORD_EVENT,
	                        .slot         = slot,
	                        .call         = CALL_TRACK,
	                        .timestamp_ms = fixture.now_ms,
	                        .name         = text_of(name),
	                        .message_id   = text_of(message_id),
	                        .properties   = properties};
	fixture_add(&fixture, slot, &record, fixture.now_ms);
}

static void add_event(const char *name, const char *message_id, struct text properties)
{
	add_event_of(5, name, message_id, properties);
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
		fixture_change_byte(path, at);
		assert_int_equal(events_store_verify(fixture.directory, 0, &parts, &events, &err),
		                 STATUS_CORRUPT);
		assert_non_null(strstr(err.reason, ".part: "));
		fixture_change_byte(path, at);
	}
}

/* What readers get of everybody; STATUS_CORRUPT: they are told that it may be wrong. */
static enum status read_everybody(uint32_t slots, struct buffer *out, struct error *err)
{
	const struct events_query query = {.calls            = true,
	                                   .from_ms          = INT64_MIN,
	                                   .to_ms            = INT64_MAX,
	                                   .through_position = UINT64_MAX,
	                                   .now_ms           = fixture.now_ms,
	                                   .retention_ms     = fixture.retention_ms};
	event_list                list  = {0};
	buffer_clear(out);
	for (uint32_t slot = 0; slot < slots; slot++) {
		event_list_clear(&list);
		events_read(fixture.events, slot, &query, &list);
		buffer_add_u32(out, (uint32_t)list.count);
		for (size_t i = 0; i < list.count; i++) {
			const struct event *event = &list.items[i];
			struct text         id    = event->record.message_id;
			buffer_add_i64(out, event->time_ms);
			buffer_add_u64(out, event->stored_position);
			buffer_add_sized(out, event->record.name);
			buffer_add_sized(out, id);
			buffer_add_sized(out, event->record.properties);
			buffer_add_u8(out, id.length > 0 && events_seen(fixture.events, slot, id, UINT64_MAX,
			                                                fixture.now_ms, fixture.retention_ms));
		}
	}
	event_list_done(&list);
	return events_check(fixture.events, err);
}

static void no_damage_goes_into_what_is_read(void **state)
{
	(void)state;
	enum { SLOTS = 20, EVENTS = 3000, FLIPS = 150 };
	char          path[256];
	struct error  err;
	struct stat   info;
	struct buffer whole = {0}, found = {0};
	unsigned      told = 0, hidden = 0;
	for (unsigned i = 0; i < EVENTS; i++) {
		struct buffer list = {0};
		char          id[32];
		snprintf(id, sizeof id, "message-%u", i);
		add_event_of(i % SLOTS, "상품 조회", i % 5 == 0 ? "" : id, fixture_list(&list));
		buffer_done(&list);
	}
	fixture_flush(&fixture);
	assert_int_equal(read_everybody(SLOTS, &whole, &err), STATUS_OK);
	fixture_close(&fixture);
	fixture_file(&fixture, ".part", path);
	assert_int_equal(stat(path, &info), 0);
	assert_true(info.st_size > 4 * GUARD_BLOCK_BYTES);
	for (unsigned i = 0; i < FLIPS; i++) {
		off_t at = (off_t)fixture_below((uint64_t)info.st_size);
		fixture_change_byte(path, at);
		if (fixture_try_open(&fixture, &err) == STATUS_OK) {
			fixture_open(&fixture);
			enum status status = read_everybody(SLOTS, &found, &err);
			if (status == STATUS_OK) {
				hidden++;
				assert_int_equal(found.length, whole.length);
				assert_memory_equal(found.data, whole.data, whole.length);
			} else {
				told++;
				assert_int_equal(status, STATUS_CORRUPT);
				assert_non_null(strstr(err.reason, ".part: damaged at byte "));
			}
			fixture_close(&fixture);
		}
		fixture_change_byte(path, at);
	}
	/* Only what nobody looked at, such as the index of an empty column, stays unnoticed. */
	assert_true(told > 10 * hidden);
	buffer_done(&whole);
	buffer_done(&found);
}

static void a_cut_a_changed_head_and_a_missing_part_stop_the_start(void **state)
{
	(void)state;
	char         path[256], manifest[256];
	struct error err;
	struct stat  info;
	make_part(path);
	assert_int_equal(stat(path, &info), 0);

	fixture_change_byte(path, 60);
	assert_int_equal(fixture_try_open(&fixture, &err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, "the checksum of its header is wrong"));
	fixture_change_byte(path, 60);

	assert_int_equal(truncate(path, info.st_size - 8), 0);
	assert_int_equal(fixture_try_open(&fixture, &err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, "its length is not what its header says"));

	assert_int_equal(unlink(path), 0);
	assert_int_equal(fixture_try_open(&fixture, &err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, "it is missing"));

	fixture_file(&fixture, "manifest", manifest);
	fixture_change_byte(manifest, 30);
	assert_int_equal(fixture_try_open(&fixture, &err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, "manifest: its checksum is wrong"));
}

/* Every bucket of slots that take all 32 bits is one of 2^32 and one more. */
static void a_count_that_does_not_fit_its_width_is_no_count_at_all(void **state)
{
	(void)state;
	char         path[256];
	struct text  bytes;
	struct part *part;
	struct error err;
	make_part(path);
	struct part_header *header = fixture_part(&fixture, &bytes);
	header->slot_min           = 0;
	header->slot_max           = UINT32_MAX;
	header->bucket_shift       = 0;

	struct part_column *buckets = fixture_part_column(header, ROLE_PERSON_BUCKET);
	buckets->count              = 1;
	buckets->number_bytes       = buckets->width;
	fixture_seal_header(header);
	assert_int_equal(part_open_bytes(bytes, "forged", &part, &err), STATUS_CORRUPT);
	free(header);
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
	assert_int_equal(fixture_try_open(&fixture, &err), STATUS_OK);
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
		TEST(no_damage_goes_into_what_is_read),
		TEST(a_cut_a_changed_head_and_a_missing_part_stop_the_start),
		TEST(a_count_that_does_not_fit_its_width_is_no_count_at_all),
		TEST(what_a_crash_left_is_removed),
		cmocka_unit_test(months_begin_on_their_first_day_also_before_1970),
	};
	fixture_seed("events part");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
