#include "events/rewrite.h"

#include <stdlib.h>

#include "base/instant.h"
#include "store_fixture.h"

static struct fixture fixture;

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

static bool count_rows(void *context, const struct part_row *rows, uint32_t count)
{
	(void)rows;
	*(uint32_t *)context += count;
	return true;
}

static enum status rewrite(struct part *part, uint32_t *ret_rows, struct error *err)
{
	static const _Atomic bool go_on;
	bool                      left_out;
	struct rewrite            rewrite = {.parts            = &part,
	                                     .part_count       = 1,
	                                     .retention_ms     = INSTANT_MS_NEVER,
	                                     .through_position = UINT64_MAX,
	                                     .rows_max         = 10,
	                                     .take             = count_rows,
	                                     .context          = ret_rows,
	                                     .stopping         = &go_on};
	*ret_rows                         = 0;
	return rewrite_run(&rewrite, &left_out, err);
}

static struct part_header *make_part(struct text *ret_bytes)
{
	for (uint32_t i = 0; i < 50; i++) {
		struct record record = {.kind         = RECORD_EVENT,
		                        .slot         = i % 3,
		                        .call         = CALL_TRACK,
		                        .timestamp_ms = fixture.now_ms,
		                        .name         = TEXT("Order Completed")};
		fixture_add(&fixture, i % 3, &record, fixture.now_ms);
	}
	fixture_flush(&fixture);
	fixture_close(&fixture);
	return fixture_part(&fixture, ret_bytes);
}

static void every_row_of_a_part_is_handed_on(void **state)
{
	(void)state;
	struct text         bytes;
	struct part        *part;
	struct error        err;
	uint32_t            rows;
	struct part_header *header = make_part(&bytes);
	assert_int_equal(part_open_bytes(bytes, "whole", &part, &err), STATUS_OK);
	assert_int_equal(rewrite(part, &rows, &err), STATUS_OK);
	assert_int_equal(rows, header->rows);
	part_unref(part);
	free(header);
}

/* As a mistake of the program that wrote it would leave it: nothing but a reader finds it. */
static void a_part_that_contradicts_itself_under_right_checksums_is_damaged_from_then_on(
	void **state)
{
	(void)state;
	struct text         bytes;
	struct part        *part;
	struct error        err;
	uint32_t            rows;
	struct part_header *header = make_part(&bytes);

	fixture_part_column(header, ROLE_PERSON_ROW)->base += header->rows;
	fixture_seal_header(header);
	assert_int_equal(part_open_bytes(bytes, "forged", &part, &err), STATUS_OK);
	assert_int_equal(part_check(part, &err), STATUS_OK);
	assert_int_equal(rewrite(part, &rows, &err), STATUS_CORRUPT);
	assert_int_equal(part_check(part, &err), STATUS_CORRUPT);
	part_unref(part);
	free(header);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_row_of_a_part_is_handed_on),
		TEST(a_part_that_contradicts_itself_under_right_checksums_is_damaged_from_then_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
