#include "journal/log_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

static char directory[64];

static int new_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/sonnim-log-file-XXXXXX");
	return mkdtemp(directory) == NULL;
}

static void write_file(const char *name, const void *bytes, size_t length)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

static void remove_file(const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	unlink(path);
}

static int free_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

static const struct log_file_header example = {
	.workspace_id   = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac,
                       0xad, 0xae, 0xaf},
	.mark           = UINT64_C(0x0123456789abcdef),
	.first_position = 7,
	.file_bytes     = 1 << 20,
	.previous_position = 1,
	.previous_end      = 1000,
	.log_time_ms       = 1735689600000,
	.clock = {{0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd,
               0xbe, 0xbf},
              60000},
};

static const char name[] = "00000000000000000007.log";

static void a_header_is_read_as_it_was_written(void **state)
{
	(void)state;
	uint8_t bytes[LOG_FILE_HEADER_BYTES];
	log_file_header_encode(&example, bytes);
	write_file(name, bytes, sizeof bytes);

	struct log_file file;
	struct error    err;
	assert_int_equal(log_file_open(directory, 7, O_RDONLY, &file, &err), STATUS_OK);
	assert_memory_equal(&file.header, &example, sizeof example);
	assert_int_equal(file.length, LOG_FILE_HEADER_BYTES);
	log_file_close(&file);
	remove_file(name);
}

/* docs/formats/journal.md shows these bytes. */
static void the_bytes_are_those_of_the_documentation(void **state)
{
	(void)state;
	/* clang-format off */
	static const char documented[] =
		"534f4e4e494d4a4c" "01000000" "00000000" "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
		"efcdab8967452301" "0700000000000000" "0000100000000000" "0100000000000000"
		"e803000000000000" "007c291f94010000" "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
		"60ea000000000000" "00000000000000000000000000000000" "7729c41c66f9a778";
	/* clang-format on */
	uint8_t bytes[LOG_FILE_HEADER_BYTES];
	log_file_header_encode(&example, bytes);
	char hex[2 * LOG_FILE_HEADER_BYTES + 1];
	hash_hex(bytes, sizeof bytes, hex);
	assert_string_equal(hex, documented);
}

static void assert_refused(const uint8_t *bytes, size_t length, const char *why)
{
	struct log_file file;
	struct error    err;
	write_file(name, bytes, length);
	assert_int_equal(log_file_open(directory, 7, O_RDONLY, &file, &err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, name));
	assert_non_null(strstr(err.reason, why));
	assert_int_equal(file.fd, -1);
	remove_file(name);
}

static void a_header_that_makes_no_sense_is_refused_although_its_checksum_holds(void **state)
{
	(void)state;
	uint8_t                bytes[LOG_FILE_HEADER_BYTES];
	struct log_file_header header = example;
	header.mark                   = 0;
	log_file_header_encode(&header, bytes);
	assert_refused(bytes, sizeof bytes, "makes no sense");
	header                = example;
	header.first_position = 8;
	log_file_header_encode(&header, bytes);
	assert_refused(bytes, sizeof bytes, "another file's");
}

static void a_newer_version_is_refused_by_name(void **state)
{
	(void)state;
	uint8_t bytes[LOG_FILE_HEADER_BYTES];
	log_file_header_encode(&example, bytes);
	bytes[8]          = 2;
	uint64_t checksum = hash_bytes(bytes, 120);
	memcpy(bytes + 120, &checksum, sizeof checksum);
	assert_refused(bytes, sizeof bytes, "newer version");
}

static void any_file_shorter_than_a_header_is_refused(void **state)
{
	(void)state;
	uint8_t bytes[LOG_FILE_HEADER_BYTES];
	log_file_header_encode(&example, bytes);
	for (size_t length = 0; length < sizeof bytes; length += 13)
		assert_refused(bytes, length, "ends within its header");
}

static void files_are_listed_by_position_and_others_are_not(void **state)
{
	(void)state;
	static const char *const names[] = {"00000000000000000300.log",
	                                    "00000000000000000020.log",
	                                    "00000000000000001000.log",
	                                    "spare",
	                                    "20.log",
	                                    "00000000000000000020.log~",
	                                    "0000000000000000002x.log",
	                                    "99999999999999999999.log",
	                                    "00000000000000000020.lo"};
	size_t                   count   = sizeof names / sizeof names[0];
	for (size_t i = 0; i < count; i++)
		write_file(names[i], "", 0);

	struct log_file_list list;
	struct error         err;
	assert_int_equal(log_file_list(directory, &list, &err), STATUS_OK);
	assert_int_equal(list.count, 3);
	assert_int_equal(list.items[0], 20);
	assert_int_equal(list.items[1], 300);
	assert_int_equal(list.items[2], 1000);
	log_file_list_done(&list);
	for (size_t i = 0; i < count; i++)
		remove_file(names[i]);
}

static void a_chunk_moves_over_a_file_without_losing_a_byte(void **state)
{
	(void)state;
	enum { LENGTH = 5 * LOG_CHUNK_BYTES / 2 };
	uint8_t *bytes = malloc(LENGTH);
	for (size_t i = 0; i < LENGTH; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	log_file_header_encode(&example, bytes);
	write_file(name, bytes, LENGTH);
	struct log_file file;
	struct error    err;
	assert_int_equal(log_file_open(directory, 7, O_RDONLY, &file, &err), STATUS_OK);

	struct log_chunk chunk = {0};
	for (uint64_t offset = 0; offset < LENGTH; offset += 99991) {
		const uint8_t *got;
		size_t         length;
		assert_int_equal(log_chunk_need(&chunk, &file, offset, 300000, LENGTH, &got, &length, &err),
		                 STATUS_OK);
		assert_true(length >= 300000 || length == LENGTH - offset);
		assert_memory_equal(got, bytes + offset, length);
	}
	log_chunk_done(&chunk);
	log_file_close(&file);
	remove_file(name);
	free(bytes);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, new_directory, free_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_header_is_read_as_it_was_written),
		TEST(the_bytes_are_those_of_the_documentation),
		TEST(a_header_that_makes_no_sense_is_refused_although_its_checksum_holds),
		TEST(a_newer_version_is_refused_by_name),
		TEST(any_file_shorter_than_a_header_is_refused),
		TEST(files_are_listed_by_position_and_others_are_not),
		TEST(a_chunk_moves_over_a_file_without_losing_a_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
