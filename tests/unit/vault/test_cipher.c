#include "vault/cipher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"

static const uint8_t key[CIPHER_KEY_BYTES]   = {1, 2, 3};
static const uint8_t other[CIPHER_KEY_BYTES] = {1, 2, 4};

static void wrapping_gives_what_rfc_3394_says(void **state)
{
	(void)state;
	/* RFC 3394, 4.6: 256 bits of key data with a 256-bit KEK. */
	uint8_t kek[32], data[32], expected[40], wrapped[40], back[32];
	for (int i = 0; i < 32; i++)
		kek[i] = (uint8_t)i;
	assert_true(hash_unhex(TEXT("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"),
	                       data, 32));
	assert_true(hash_unhex(TEXT("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326"
	                            "cbc7f0e71a99f43bfb988b9b7a02dd21"),
	                       expected, 40));
	cipher_wrap(kek, data, wrapped);
	assert_memory_equal(wrapped, expected, sizeof expected);
	assert_true(cipher_unwrap(kek, wrapped, back));
	assert_memory_equal(back, data, sizeof data);
}

static void a_wrapped_key_that_was_touched_does_not_unwrap(void **state)
{
	(void)state;
	uint8_t wrapped[CIPHER_WRAPPED_BYTES], back[CIPHER_KEY_BYTES] = {7};
	cipher_wrap(key, other, wrapped);
	for (size_t bit = 0; bit < 8 * sizeof wrapped; bit++) {
		wrapped[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(cipher_unwrap(key, wrapped, back));
		wrapped[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_false(cipher_unwrap(other, wrapped, back));
	assert_int_equal(back[0], 7);
	assert_true(cipher_unwrap(key, wrapped, back));
}

static void values_of_any_length_open_again(void **state)
{
	(void)state;
	char    plain[300], back[300];
	uint8_t sealed[300 + CIPHER_EXTRA_BYTES];
	memset(plain, 'a', sizeof plain);
	for (size_t length = 0; length <= sizeof plain; length++) {
		cipher_seal(key, TEXT("p"), 5, (struct text){plain, length}, sealed);
		struct text whole = {(char *)sealed, length + CIPHER_EXTRA_BYTES};
		assert_true(cipher_open(key, TEXT("p"), 5, whole, (uint8_t *)back));
		assert_memory_equal(plain, back, length);
	}
}

/* One that is so long goes another way: both open what the other one has sealed. */
static void the_bytes_are_those_of_aes_256_gcm(void **state)
{
	static const char long_purpose[200] = "p";
	struct text       purposes[]        = {TEXT(""),
	                                       TEXT("p"),
	                                       {long_purpose, 64},
	                                       {long_purpose, 65},
	                                       {long_purpose, sizeof long_purpose}};
	const uint64_t    number            = 5;
	(void)state;
	for (size_t p = 0; p < sizeof purposes / sizeof purposes[0]; p++)
		for (int length = 0; length < 300; length++) {
			uint8_t plain[300], sealed[300 + CIPHER_EXTRA_BYTES], opened[300];
			int     out;
			memset(plain, length, sizeof plain);
			cipher_seal(key, purposes[p], number,
			            (struct text){(const char *)plain, (size_t)length}, sealed);
			EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
			EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, sealed);
			EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, CIPHER_TAG_BYTES,
			                    sealed + CIPHER_NONCE_BYTES + length);
			EVP_DecryptUpdate(context, NULL, &out, (const uint8_t *)purposes[p].data,
			                  (int)purposes[p].length);
			EVP_DecryptUpdate(context, NULL, &out, (const uint8_t *)&number, sizeof number);
			EVP_DecryptUpdate(context, opened, &out, sealed + CIPHER_NONCE_BYTES, length);
			assert_int_equal(EVP_DecryptFinal_ex(context, opened + length, &out), 1);
			assert_memory_equal(opened, plain, (size_t)length);
			EVP_CIPHER_CTX_free(context);
		}
}

static void key_purpose_and_person_number_must_be_those_of_the_sealing(void **state)
{
	(void)state;
	uint8_t     sealed[6 + CIPHER_EXTRA_BYTES], back[6];
	struct text whole = {(char *)sealed, sizeof sealed};
	cipher_seal(key, TEXT("p"), 5, TEXT("secret"), sealed);
	assert_false(cipher_open(other, TEXT("p"), 5, whole, back));
	assert_false(cipher_open(key, TEXT("q"), 5, whole, back));
	assert_false(cipher_open(key, TEXT(""), 5, whole, back));
	assert_false(cipher_open(key, TEXT("p"), 6, whole, back));
	assert_true(cipher_open(key, TEXT("p"), 5, whole, back));
}

static void random_bytes_are_never_handed_out_twice(void **state)
{
	(void)state;
	static uint8_t drawn[2000][12];
	for (size_t i = 0; i < 2000; i++) {
		cipher_random(drawn[i], 12);
		for (size_t before = 0; before < i; before++)
			assert_memory_not_equal(drawn[i], drawn[before], 12);
	}
}

static void a_forked_child_draws_other_random_bytes_than_its_parent(void **state)
{
	(void)state;
	int     pipes[2];
	uint8_t mine[16], theirs[16];
	assert_int_equal(pipe(pipes), 0);
	cipher_random(mine, sizeof mine); /* a stock is there, and shared */
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		cipher_random(theirs, sizeof theirs);
		_exit(write(pipes[1], theirs, sizeof theirs) == sizeof theirs ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(read(pipes[0], theirs, sizeof theirs), sizeof theirs);
	cipher_random(mine, sizeof mine);
	assert_memory_not_equal(mine, theirs, sizeof mine);
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrapping_gives_what_rfc_3394_says),
		cmocka_unit_test(a_wrapped_key_that_was_touched_does_not_unwrap),
		cmocka_unit_test(values_of_any_length_open_again),
		cmocka_unit_test(the_bytes_are_those_of_aes_256_gcm),
		cmocka_unit_test(key_purpose_and_person_number_must_be_those_of_the_sealing),
		cmocka_unit_test(random_bytes_are_never_handed_out_twice),
		cmocka_unit_test(a_forked_child_draws_other_random_bytes_than_its_parent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
