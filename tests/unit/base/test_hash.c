#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static void checksums_are_those_of_xxh3(void **state)
{
	(void)state;
	/* Vectors of the reference implementation: they are part of our formats. */
	assert_true(hash_bytes("", 0) == UINT64_C(0x2d06800538d394c2));
	assert_true(hash_bytes_seeded("", 0, 0) == hash_bytes("", 0));
	assert_true(hash_bytes_seeded("a", 1, 1) != hash_bytes("a", 1));
}

static void the_keyed_hash_is_siphash_2_4(void **state)
{
	(void)state;
	/* The example of the paper's appendix A. */
	uint8_t key[HASH_KEY_BYTES], message[15];
	for (uint8_t i = 0; i < sizeof key; i++)
		key[i] = i;
	memcpy(message, key, sizeof message);

	assert_true(hash_keyed(key, message, sizeof message) == UINT64_C(0xa129ca6149be45e5));
}

static void sha256_is_that_of_fips_180(void **state)
{
	(void)state;
	uint8_t digest[SHA256_BYTES];
	char    hex[2 * SHA256_BYTES + 1];

	hash_sha256("abc", 3, digest);
	hash_hex(digest, sizeof digest, hex);

	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void the_hash_of_a_name_is_never_zero_and_stays_what_it_is(void **state)
{
	(void)state;
	uint64_t    whole  = hash_bytes("revenue", 7);
	struct text name   = TEXT("revenue");
	uint32_t    folded = (uint32_t)(whole ^ whole >> 32);

	assert_int_equal(hash_name(name), folded);
	assert_int_not_equal(hash_name(TEXT("")), 0);
	assert_int_not_equal(hash_name(TEXT("a")), hash_name(TEXT("b")));
}

static void hexadecimal_text_is_read_again_in_either_case(void **state)
{
	(void)state;
	uint8_t data[3];

	assert_true(hash_unhex(TEXT("00fFa9"), data, 3));
	assert_memory_equal(data, "\x00\xff\xa9", 3);
}

static void text_that_is_not_hexadecimal_leaves_the_bytes_alone(void **state)
{
	(void)state;
	uint8_t data[2] = {1, 2};

	assert_false(hash_unhex(TEXT("00fg"), data, 2));
	assert_false(hash_unhex(TEXT("00f"), data, 2));
	assert_false(hash_unhex(TEXT("00ff00"), data, 2));
	assert_memory_equal(data, "\1\2", 2);
}

static void a_new_uuid_is_of_version_4_and_unlike_the_last(void **state)
{
	(void)state;
	char a[UUID_TEXT_BYTES], b[UUID_TEXT_BYTES];
	uuid_new(a);
	uuid_new(b);

	assert_true(uuid_valid(text_of(a)));
	assert_int_equal(a[14], '4');
	assert_non_null(strchr("89ab", a[19]));
	assert_string_not_equal(a, b);
}

static void texts_that_are_no_uuid_are_told_apart(void **state)
{
	(void)state;
	assert_true(uuid_valid(TEXT("123e4567-E89B-12d3-a456-426614174000")));
	assert_false(uuid_valid(TEXT("123e4567-e89b-12d3-a456-42661417400")));
	assert_false(uuid_valid(TEXT("123e4567-e89b-12d3-a456-4266141740000")));
	assert_false(uuid_valid(TEXT("123e4567ae89b-12d3-a456-426614174000")));
	assert_false(uuid_valid(TEXT("g23e4567-e89b-12d3-a456-426614174000")));
}

static void the_bytes_of_a_uuid_are_its_digits(void **state)
{
	(void)state;
	const uint8_t expected[UUID_BYTES] = {0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x69, 0x78,
	                                      0x87, 0x96, 0xa5, 0xb4, 0xc3, 0xd2, 0xe1, 0xf0};
	uint8_t       bytes[UUID_BYTES];
	assert_true(uuid_bytes(TEXT("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"), bytes));
	assert_memory_equal(bytes, expected, sizeof bytes);
	assert_false(uuid_bytes(TEXT("0f1e2d3c4b5a69788796a5b4c3d2e1f0"), bytes));
	assert_false(uuid_bytes(TEXT("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f"), bytes));
}

static void secrets_are_equal_only_byte_by_byte(void **state)
{
	(void)state;
	assert_true(constant_time_equal(TEXT("secret"), TEXT("secret")));
	assert_false(constant_time_equal(TEXT("secret"), TEXT("secreT")));
	assert_false(constant_time_equal(TEXT("secret"), TEXT("secre")));
	assert_true(constant_time_equal((struct text){NULL, 0}, TEXT("")));
}

static void random_bytes_fill_all_that_was_asked_for(void **state)
{
	(void)state;
	uint8_t some[64], others[64];
	random_bytes(some, sizeof some);
	random_bytes(others, sizeof others);

	assert_memory_not_equal(some, others, 32);
	assert_memory_not_equal(some + 32, others + 32, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums_are_those_of_xxh3),
		cmocka_unit_test(the_keyed_hash_is_siphash_2_4),
		cmocka_unit_test(sha256_is_that_of_fips_180),
		cmocka_unit_test(the_hash_of_a_name_is_never_zero_and_stays_what_it_is),
		cmocka_unit_test(hexadecimal_text_is_read_again_in_either_case),
		cmocka_unit_test(text_that_is_not_hexadecimal_leaves_the_bytes_alone),
		cmocka_unit_test(a_new_uuid_is_of_version_4_and_unlike_the_last),
		cmocka_unit_test(texts_that_are_no_uuid_are_told_apart),
		cmocka_unit_test(the_bytes_of_a_uuid_are_its_digits),
		cmocka_unit_test(secrets_are_equal_only_byte_by_byte),
		cmocka_unit_test(random_bytes_fill_all_that_was_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
