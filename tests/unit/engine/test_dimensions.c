#include "engine/dimension/dimensions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../seed.h"
#include "engine/dimension/dimensions_internal.h"

enum { PARTITIONS = 3 };

static const uint8_t      workspace[16] = {1, 2, 3};
static struct dimensions *table;
static char               directory[64];

static int begin(void **state)
{
	(void)state;
	table = dimensions_new(PARTITIONS);
	snprintf(directory, sizeof directory, "/tmp/sonnim-test-dimensions-XXXXXX");
	return mkdtemp(directory) == NULL;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
	(void)info, (void)type, (void)place;
	return remove(path);
}

static int end(void **state)
{
	(void)state;
	dimensions_free(table);
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct text list_of(int value)
{
	static struct buffer list;
	struct value         number = {.type = VALUE_INT, .integer = value};
	buffer_clear(&list);
	size_t at = value_list_begin(&list);
	value_add(&list, TEXT("price_range"), &number);
	value_list_end(&list, at, 1);
	return buffer_text(&list);
}

/* The version `number` of one row; value 0: it is deleted. */
static void tell(struct dimensions *into, uint64_t number, const char *id, int value)
{
	struct buffer           rows = {0}, body = {0};
	struct dimension_record record;
	struct error            err;
	dimension_add(&rows, text_of(id), value == 0 ? (struct text){NULL, 0} : list_of(value));
	dimension_record_encode(number, DIMENSION_PRODUCTS, 1, buffer_text(&rows), &body);
	assert_int_equal(dimension_record_decode(buffer_text(&body), &record, &err), STATUS_OK);
	dimensions_insert(into, &record);
	buffer_done(&rows);
	buffer_done(&body);
}

/* 0: there is no such row. */
static int value_at_number(struct dimensions *from, const char *id, uint64_t number)
{
	dimensions_begin_read(from);
	struct text list  = dimensions_find(from, DIMENSION_PRODUCTS, text_of(id), number);
	int         value = 0;
	if (list.data != NULL) {
		struct value_reader reader = value_read(list);
		assert_true(value_next(&reader));
		value = (int)reader.value.integer;
	}
	dimensions_end_read(from);
	return value;
}

static void release_all(uint64_t number)
{
	for (uint32_t p = 0; p < PARTITIONS; p++)
		dimensions_release(table, p, number);
}

static void each_number_sees_its_own_version(void **state)
{
	(void)state;
	tell(table, 3, "a", 30);
	tell(table, 5, "a", 50);
	tell(table, 7, "a", 0);
	tell(table, 9, "a", 90);
	const int expected[] = {0, 0, 0, 30, 30, 50, 50, 0, 0, 90, 90};
	for (uint64_t number = 0; number <= 10; number++)
		assert_int_equal(value_at_number(table, "a", number), expected[number]);
	assert_int_equal(value_at_number(table, "b", 10), 0);
	assert_int_equal(dimensions_newest(table), 9);
}

static void a_record_that_another_partition_brought_changes_nothing(void **state)
{
	(void)state;
	for (int again = 0; again < 2; again++) {
		tell(table, 1, "a", 1);
		tell(table, 2, "a", 2);
	}
	assert_int_equal(value_at_number(table, "a", 1), 1);
	assert_int_equal(value_at_number(table, "a", 2), 2);
	assert_int_equal(dimensions_count(table, DIMENSION_PRODUCTS), 1);
}

static void versions_go_once_no_partition_asks_for_them(void **state)
{
	(void)state;
	for (uint64_t number = 1; number <= 200; number++)
		tell(table, number, "a", (int)number);
	uint64_t bytes = dimensions_bytes(table);
	dimensions_release(table, 0, 150);
	dimensions_release(table, 1, 200);
	assert_int_equal(value_at_number(table, "a", 1), 1); /* the third may still ask */
	dimensions_release(table, 2, 100);
	assert_int_equal(value_at_number(table, "a", 100), 100);
	assert_int_equal(value_at_number(table, "a", 150), 150);
	release_all(200);
	assert_int_equal(value_at_number(table, "a", 200), 200);
	assert_true(dimensions_bytes(table) < bytes / 2);
}

static void a_deleted_row_goes_and_may_come_again(void **state)
{
	(void)state;
	tell(table, 1, "a", 1);
	tell(table, 2, "b", 2);
	uint64_t bytes = atomic_load(&table->bytes);
	tell(table, 3, "a", 0);
	assert_int_equal(dimensions_count(table, DIMENSION_PRODUCTS), 1);
	release_all(3);
	assert_true(atomic_load(&table->bytes) < bytes);
	tell(table, 4, "a", 0); /* nothing to delete */
	assert_int_equal(dimensions_count(table, DIMENSION_PRODUCTS), 1);
	tell(table, 5, "a", 5);
	assert_int_equal(value_at_number(table, "a", 5), 5);
	uint64_t               serial = 0;
	struct dimension_found found;
	assert_true(dimensions_next(table, DIMENSION_PRODUCTS, 5, &serial, &found));
	assert_true(text_equal(found.id, TEXT("b")));
	assert_true(dimensions_next(table, DIMENSION_PRODUCTS, 5, &serial, &found));
	assert_true(text_equal(found.id, TEXT("a")));
	assert_false(dimensions_next(table, DIMENSION_PRODUCTS, 5, &serial, &found));
}

/* Random versions, releases, files: what is asked for is what a table of everything says. */
enum { IDS = 40, NUMBERS = 3000 };
static int said[NUMBERS + 1][IDS];

static const char *id_of(int number)
{
	static char id[16];
	snprintf(id, sizeof id, "p%d", number);
	return id;
}

static void expect_said(struct dimensions *asked, uint64_t from, uint64_t to)
{
	for (int i = 0; i < IDS; i++)
		for (unsigned tries = 0; tries < 4; tries++) {
			uint64_t number = from + seed_below(to - from + 1);
			assert_int_equal(value_at_number(asked, id_of(i), number), said[number][i]);
		}
	uint64_t               serial = 0, rows = 0, live = 0;
	struct dimension_found found;
	while (dimensions_next(asked, DIMENSION_PRODUCTS, to, &serial, &found))
		rows++;
	for (int i = 0; i < IDS; i++)
		live += said[to][i] != 0;
	assert_int_equal(rows, live);
	assert_int_equal(dimensions_count(asked, DIMENSION_PRODUCTS), live);
}

static void a_table_from_a_file_answers_as_the_one_that_wrote_it(void **state)
{
	(void)state;
	uint64_t     floor = 0, written = 0, bytes;
	struct error err = {0};
	for (uint64_t number = 1; number <= NUMBERS; number++) {
		int id = (int)seed_below(IDS), value = (int)seed_below(4) * 1000 + (int)seed_below(2);
		memcpy(said[number], said[number - 1], sizeof said[0]);
		said[number][id] = value;
		tell(table, number, id_of(id), value);
		if (seed_below(100) == 0 && floor < number) {
			floor += seed_below(number - floor);
			release_all(floor);
		}
		if (seed_below(150) == 0) {
			assert_int_equal(dimensions_keep(table, directory, 1, workspace, number, &bytes, &err),
			                 STATUS_OK);
			written                  = number;
			struct dimensions *other = dimensions_new(PARTITIONS);
			uint64_t           upto  = floor + seed_below(number - floor + 1);
			assert_int_equal(dimensions_load(other, directory, 1, workspace, upto, &err),
			                 STATUS_OK);
			if (upto > 0)
				expect_said(other, floor, upto);
			for (uint64_t more = upto + 1; more <= number; more++)
				for (int i = 0; i < IDS; i++)
					if (said[more][i] != said[more - 1][i])
						tell(other, more, id_of(i), said[more][i]);
			expect_said(other, floor, number);
			dimensions_free(other);
		}
	}
	expect_said(table, floor, NUMBERS);
	assert_true(written > 0);
}

static void a_damaged_file_is_refused_and_so_is_one_that_reaches_not_far_enough(void **state)
{
	(void)state;
	char          path[DIMENSIONS_PATH_MAX];
	uint64_t      bytes;
	struct error  err         = {0};
	const uint8_t another[16] = {9};
	tell(table, 1, "a", 1);
	assert_int_equal(dimensions_keep(table, directory, 0, workspace, 1, &bytes, &err), STATUS_OK);
	assert_true(bytes > 0);
	assert_int_equal(dimensions_keep(table, directory, 0, workspace, 1, &bytes, &err), STATUS_OK);
	assert_int_equal(bytes, 0); /* it is there */
	struct dimensions *other = dimensions_new(PARTITIONS);
	assert_int_equal(dimensions_load(other, directory, 0, workspace, 2, &err), STATUS_CORRUPT);
	assert_int_equal(dimensions_load(other, directory, 0, another, 1, &err), STATUS_CORRUPT);
	assert_int_equal(dimensions_load(other, directory, 1, workspace, 1, &err), STATUS_NOT_FOUND);
	dimensions_path(path, directory, 0);
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	fseek(file, -20, SEEK_END);
	int byte = fgetc(file);
	fseek(file, -20, SEEK_END);
	fputc(byte ^ 1, file);
	fclose(file);
	assert_int_equal(dimensions_load(other, directory, 0, workspace, 1, &err), STATUS_CORRUPT);
	dimensions_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_number_sees_its_own_version, begin, end),
		cmocka_unit_test_setup_teardown(a_record_that_another_partition_brought_changes_nothing,
	                                    begin, end),
		cmocka_unit_test_setup_teardown(versions_go_once_no_partition_asks_for_them, begin, end),
		cmocka_unit_test_setup_teardown(a_deleted_row_goes_and_may_come_again, begin, end),
		cmocka_unit_test_setup_teardown(a_table_from_a_file_answers_as_the_one_that_wrote_it, begin,
	                                    end),
		cmocka_unit_test_setup_teardown(
			a_damaged_file_is_refused_and_so_is_one_that_reaches_not_far_enough, begin, end),
	};
	seed_begin("dimensions");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
