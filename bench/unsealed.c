/* The vault's cryptography left out and nothing personal by its name, for the measurement of what
 * both cost: linked in the place of src/vault/cipher.c and of one function of src/model/personal.c
 * (by the linker's --wrap) into programs that are built for the bench alone and must never see data
 * of anybody. What they write only they can read. */

#include <string.h>

#include "model/personal.h"
#include "vault/cipher.h"

bool __wrap_personal_by_name(enum personal_place place, struct text path);
void __wrap_cipher_seal(const uint8_t key[CIPHER_KEY_BYTES], struct text purpose, uint64_t number,
                        struct text plain, uint8_t *ret_sealed);
bool __wrap_cipher_open(const uint8_t key[CIPHER_KEY_BYTES], struct text purpose, uint64_t number,
                        struct text sealed, uint8_t *ret_plain);
void __wrap_cipher_wrap(const uint8_t wrapping[CIPHER_KEY_BYTES],
                        const uint8_t key[CIPHER_KEY_BYTES],
                        uint8_t       ret_wrapped[CIPHER_WRAPPED_BYTES]);
bool __wrap_cipher_unwrap(const uint8_t wrapping[CIPHER_KEY_BYTES],
                          const uint8_t wrapped[CIPHER_WRAPPED_BYTES],
                          uint8_t       ret_key[CIPHER_KEY_BYTES]);

bool __wrap_personal_by_name(enum personal_place place, struct text path)
{
	(void)place;
	(void)path;
	return false;
}

void __wrap_cipher_seal(const uint8_t key[CIPHER_KEY_BYTES], struct text purpose, uint64_t number,
                        struct text plain, uint8_t *ret_sealed)
{
	(void)key;
	(void)purpose;
	(void)number;
	memset(ret_sealed, 0, CIPHER_NONCE_BYTES);
	memcpy(ret_sealed + CIPHER_NONCE_BYTES, plain.data, plain.length);
	memset(ret_sealed + CIPHER_NONCE_BYTES + plain.length, 0, CIPHER_TAG_BYTES);
}

bool __wrap_cipher_open(const uint8_t key[CIPHER_KEY_BYTES], struct text purpose, uint64_t number,
                        struct text sealed, uint8_t *ret_plain)
{
	(void)key;
	(void)purpose;
	(void)number;
	if (sealed.length < CIPHER_EXTRA_BYTES)
		return false;
	memcpy(ret_plain, sealed.data + CIPHER_NONCE_BYTES, sealed.length - CIPHER_EXTRA_BYTES);
	return true;
}

void __wrap_cipher_wrap(const uint8_t wrapping[CIPHER_KEY_BYTES],
                        const uint8_t key[CIPHER_KEY_BYTES],
                        uint8_t       ret_wrapped[CIPHER_WRAPPED_BYTES])
{
	(void)wrapping;
	memcpy(ret_wrapped, key, CIPHER_KEY_BYTES);
	memset(ret_wrapped + CIPHER_KEY_BYTES, 0, CIPHER_WRAPPED_BYTES - CIPHER_KEY_BYTES);
}

bool __wrap_cipher_unwrap(const uint8_t wrapping[CIPHER_KEY_BYTES],
                          const uint8_t wrapped[CIPHER_WRAPPED_BYTES],
                          uint8_t       ret_key[CIPHER_KEY_BYTES])
{
	(void)wrapping;
	memcpy(ret_key, wrapped, CIPHER_KEY_BYTES);
	return true;
}
