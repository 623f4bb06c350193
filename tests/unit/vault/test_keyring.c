#include "vault/keyring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "vault/vault.h"

static const struct keyring keyring = {.lookup = {1}, .mask = {2}};
static const struct keyring other   = {.lookup = {3}, .mask = {4}};

static bool equal(struct id_hash a, struct id_hash b)
{
	return a.first == b.first && a.second == b.second;
}

static void a_hash_depends_on_key_name_space_and_id(void **state)
{
	(void)state;
	struct id_hash hash = keyring_hash(&keyring, VAULT_USER, TEXT("kim"));
	assert_true(equal(hash, keyring_hash(&keyring, VAULT_USER, TEXT("kim"))));
	assert_false(equal(hash, keyring_hash(&other, VAULT_USER, TEXT("kim"))));
	assert_false(equal(hash, keyring_hash(&keyring, VAULT_ANONYMOUS, TEXT("kim"))));
	assert_false(equal(hash, keyring_hash(&keyring, VAULT_USER, TEXT("kin"))));
}

static void a_masked_hash_comes_back_with_the_same_seed_number_and_nonce_alone(void **state)
{
	(void)state;
	struct id_hash hash   = keyring_hash(&keyring, VAULT_USER, TEXT("kim"));
	struct id_hash masked = keyring_mask(&keyring, hash, 1, 2, 3);
	assert_true(equal(keyring_mask(&keyring, masked, 1, 2, 3), hash));
	assert_false(equal(masked, hash));
	assert_false(equal(keyring_mask(&other, masked, 1, 2, 3), hash));
	assert_false(equal(keyring_mask(&keyring, masked, 9, 2, 3), hash));
	assert_false(equal(keyring_mask(&keyring, masked, 1, 9, 3), hash));
	assert_false(equal(keyring_mask(&keyring, masked, 1, 2, 9), hash));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_depends_on_key_name_space_and_id),
		cmocka_unit_test(a_masked_hash_comes_back_with_the_same_seed_number_and_nonce_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
