#ifndef SONNIM_BASE_HASH_H
#define SONNIM_BASE_HASH_H

/* Hashes. Checksums and names use XXH3 (not keyed: it must give the same on every machine); what
 * an outsider could flood with chosen keys uses SipHash-2-4 (libsodium) under a secret key. */

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum { HASH_KEY_BYTES = 16, SHA256_BYTES = 32 };

uint64_t hash_bytes(const void *data, size_t length);                       /* XXH3, seed 0 */
uint64_t hash_bytes_seeded(const void *data, size_t length, uint64_t seed); /* XXH3 */
uint64_t hash_keyed(const uint8_t key[HASH_KEY_BYTES], const void *data, size_t length);
void     hash_sha256(const void *data, size_t length, uint8_t ret_digest[SHA256_BYTES]);

/* The 32-bit hash that stands beside every name in our formats, so that a comparison is one
 * instruction; never 0. */
uint32_t hash_name(struct text name);

/* Lower-case hexadecimal with a NUL; `ret_text` holds 2 × length + 1 bytes. */
void hash_hex(const uint8_t *data, size_t length, char *ret_text);
bool hash_unhex(struct text hex, uint8_t *ret_data, size_t length); /* false: not so many digits */

/* Random bytes for ids, keys and tokens (getrandom). */
void random_bytes(void *into, size_t length);

/* A random UUID (version 4), 36 characters and a NUL. */
enum { UUID_TEXT_BYTES = 37, UUID_BYTES = 16 };
void uuid_new(char ret_text[UUID_TEXT_BYTES]);
bool uuid_valid(struct text text);
bool uuid_bytes(struct text text, uint8_t ret_bytes[UUID_BYTES]); /* false: it is none */

/* Whether both are equal, in a time that depends on the lengths alone. */
bool constant_time_equal(struct text a, struct text b);

#endif
