#ifndef SONNIM_VAULT_CIPHER_H
#define SONNIM_VAULT_CIPHER_H

/* The vault's cryptography: AES-256-GCM for values, by libsodium where the processor has
 * instructions for it, else by OpenSSL, with the same bytes; AES-256 key wrap (RFC 3394) for keys;
 * and random bytes. Contexts and a stock of random bytes are kept for each thread, so that a
 * call costs no set-up; they are wiped when the thread ends.
 *
 * A sealed value: 12 bytes of nonce (random: no counter could be trusted after a restore), the
 * ciphertext, 16 of tag. Authenticated with it: `purpose`, then the person number (8 bytes).
 *
 * Threads: any. OpenSSL failing for anything but a wrong tag means no memory: it aborts. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum {
	CIPHER_KEY_BYTES     = 32,
	CIPHER_WRAPPED_BYTES = 40,
	CIPHER_NONCE_BYTES   = 12,
	CIPHER_TAG_BYTES     = 16,
	CIPHER_EXTRA_BYTES   = CIPHER_NONCE_BYTES + CIPHER_TAG_BYTES,
};

/* Random bytes for keys and nonces: from the kernel, fetched in bulk, each handed out once, also
 * over fork(). */
void cipher_random(void *into, size_t length);

/* Writes plain.length + CIPHER_EXTRA_BYTES bytes. */
void cipher_seal(const uint8_t key[CIPHER_KEY_BYTES], struct text purpose, uint64_t number,
                 struct text plain, uint8_t *ret_sealed);

/* Writes sealed.length - CIPHER_EXTRA_BYTES bytes (wiped on failure). False: not authentic. */
bool cipher_open(const uint8_t key[CIPHER_KEY_BYTES], struct text purpose, uint64_t number,
                 struct text sealed, uint8_t *ret_plain);

void cipher_wrap(const uint8_t wrapping[CIPHER_KEY_BYTES], const uint8_t key[CIPHER_KEY_BYTES],
                 uint8_t ret_wrapped[CIPHER_WRAPPED_BYTES]);

/* False: wrapped by another key, or damaged. */
bool cipher_unwrap(const uint8_t wrapping[CIPHER_KEY_BYTES],
                   const uint8_t wrapped[CIPHER_WRAPPED_BYTES], uint8_t ret_key[CIPHER_KEY_BYTES]);

/* Overwrites a secret; never optimised away. */
void cipher_wipe(void *secret, size_t length);

#endif
