#include "vault/cipher.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum {
	STOCK_BYTES    = 4096,
	AAD_BYTES_FAST = 64,
};

/* One for each thread. */
struct cipher {
	EVP_CIPHER_CTX *seal;
	EVP_CIPHER_CTX *open;
	EVP_CIPHER_CTX *wrap;
	EVP_CIPHER_CTX *unwrap;
	unsigned        generation; /* of `stock` */
	size_t          used;       /* of `stock` */
	uint8_t         stock[STOCK_BYTES];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t  mine;
static EVP_CIPHER    *gcm;
static EVP_CIPHER    *ecb;
static bool           fast; /* the processor has what libsodium's AES-GCM needs */

/* A forked child must not hand out the random bytes that its parent also holds. */
static atomic_uint generation = 1;

static void after_fork(void) { atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed); }

static void free_cipher(void *argument)
{
	struct cipher *cipher = argument;
	EVP_CIPHER_CTX_free(cipher->seal); /* they wipe their keys */
	EVP_CIPHER_CTX_free(cipher->open);
	EVP_CIPHER_CTX_free(cipher->wrap);
	EVP_CIPHER_CTX_free(cipher->unwrap);
	cipher_wipe(cipher, sizeof *cipher);
	free(cipher);
}

/* The main thread does not run the destructor of its key. */
static void free_of_main_thread(void)
{
	struct cipher *cipher = pthread_getspecific(mine);
	if (cipher) {
		pthread_setspecific(mine, NULL);
		free_cipher(cipher);
	}
	EVP_CIPHER_free(gcm);
	EVP_CIPHER_free(ecb);
}

/* OpenSSL fails here only without memory. */
static void must(bool success)
{
	if (!success)
		abort();
}

static void prepare(void)
{
	/* OpenSSL's own exit handler must be there first: then ours runs before it. */
	must(OPENSSL_init_crypto(0, NULL) == 1);
	gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
	must(gcm && ecb);
	fast = sodium_init() >= 0 && crypto_aead_aes256gcm_is_available() == 1;
	must(pthread_key_create(&mine, free_cipher) == 0);
	must(pthread_atfork(NULL, NULL, after_fork) == 0);
	must(atexit(free_of_main_thread) == 0);
}

static EVP_CIPHER_CTX *new_context(const EVP_CIPHER *type, bool encrypt)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	must(context);
	must(EVP_CipherInit_ex2(context, type, NULL, NULL, encrypt, NULL) == 1);
	EVP_CIPHER_CTX_set_padding(context, 0);
	return context;
}

static struct cipher *cipher_of_thread(void)
{
	pthread_once(&once, prepare);
	struct cipher *cipher = pthread_getspecific(mine);
	if (cipher)
		return cipher;
	cipher = calloc(1, sizeof *cipher);
	must(cipher);
	cipher->seal   = new_context(gcm, true);
	cipher->open   = new_context(gcm, false);
	cipher->wrap   = new_context(ecb, true);
	cipher->unwrap = new_context(ecb, false);
	cipher->used   = STOCK_BYTES;
	must(pthread_setspecific(mine, cipher) == 0);
	return cipher;
}

static void take_random(struct cipher *cipher, void *into, size_t length)
{
	assert(length <= STOCK_BYTES);
	unsigned now = atomic_load_explicit(&generation, memory_order_relaxed);
	if (cipher->generation != now || STOCK_BYTES - cipher->used < length) {
		random_bytes(cipher->stock, STOCK_BYTES);
		cipher->used       = 0;
		cipher->generation = now;
	}
	memcpy(into, cipher->stock + cipher->used, length);
	cipher_wipe(cipher->stock + cipher->used, length);
	cipher->used += length;
}

void cipher_random(void *into, size_t length) { take_random(cipher_of_thread(), into, length); }

/* The same bytes as OpenSSL's, at half the cost for what is short: a key of its own for every
 * person means that setting up is most of the work. */
struct fast {
	crypto_aead_aes256gcm_state state;
	size_t                      length; /* of what is authenticated with it */
	uint8_t                     aad[AAD_BYTES_FAST + sizeof(uint64_t)];
};

static void fast_begin(struct fast *with, const uint8_t key[CIPHER_KEY_BYTES], struct text purpose,
                       uint64_t number)
{
	crypto_aead_aes256gcm_beforenm(&with->state, key);
	if (purpose.length > 0)
		memcpy(with->aad, purpose.data, purpose.length);
	memcpy(with->aad + purpose.length, &number, sizeof number);
	with->length = purpose.length + sizeof number;
}

static void seal_fast(const uint8_t key[CIPHER_KEY_BYTES], struct text purpose, uint64_t number,
                      struct text plain, uint8_t *ret_sealed)
{
	struct fast with;
	uint8_t    *body = ret_sealed + CIPHER_NONCE_BYTES;
	fast_begin(&with, key, purpose, number);
	take_random(cipher_of_thread(), ret_sealed, CIPHER_NONCE_BYTES);
	must(crypto_aead_aes256gcm_encrypt_detached_afternm(
			 body, body + plain.length, NULL, (const uint8_t *)plain.data, plain.length, with.aad,
			 with.length, NULL, ret_sealed, (const void *)&with.state) == 0);
	cipher_wipe(&with.state, sizeof with.state);
}

static bool open_fast(const uint8_t key[CIPHER_KEY_BYTES], struct text purpose, uint64_t number,
                      struct text sealed, uint8_t *ret_plain)
{
	struct fast    with;
	const uint8_t *nonce = (const uint8_t *)sealed.data;
	const uint8_t *body  = nonce + CIPHER_NONCE_BYTES;
	size_t         size  = sealed.length - CIPHER_EXTRA_BYTES;
	fast_begin(&with, key, purpose, number);
	bool authentic = crypto_aead_aes256gcm_decrypt_detached_afternm(
						 ret_plain, NULL, body, size, body + size, with.aad, with.length, nonce,
						 (const void *)&with.state) == 0;
	cipher_wipe(&with.state, sizeof with.state);
	if (!authentic)
		cipher_wipe(ret_plain, size);
	return authentic;
}

static void authenticate(EVP_CIPHER_CTX *context, struct text purpose, uint64_t number)
{
	int length;
	if (purpose.length > 0)
		must(EVP_CipherUpdate(context, NULL, &length, (const uint8_t *)purpose.data,
		                      (int)purpose.length) == 1);
	must(EVP_CipherUpdate(context, NULL, &length, (const uint8_t *)&number, sizeof number) == 1);
}

void cipher_seal(const uint8_t key[CIPHER_KEY_BYTES], struct text purpose, uint64_t number,
                 struct text plain, uint8_t *ret_sealed)
{
	assert(plain.length <= INT32_MAX && purpose.length <= INT32_MAX);
	pthread_once(&once, prepare);
	if (fast && purpose.length <= AAD_BYTES_FAST) {
		seal_fast(key, purpose, number, plain, ret_sealed);
		return;
	}
	struct cipher  *cipher  = cipher_of_thread();
	EVP_CIPHER_CTX *context = cipher->seal;
	uint8_t        *body    = ret_sealed + CIPHER_NONCE_BYTES;
	uint8_t        *tag     = body + plain.length;
	int             length;
	take_random(cipher, ret_sealed, CIPHER_NONCE_BYTES);
	must(EVP_CipherInit_ex2(context, NULL, key, ret_sealed, 1, NULL) == 1);
	authenticate(context, purpose, number);
	if (plain.length > 0)
		must(EVP_CipherUpdate(context, body, &length, (const uint8_t *)plain.data,
		                      (int)plain.length) == 1);
	must(EVP_CipherFinal_ex(context, tag, &length) == 1);
	must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CIPHER_TAG_BYTES, tag) == 1);
}

bool cipher_open(const uint8_t key[CIPHER_KEY_BYTES], struct text purpose, uint64_t number,
                 struct text sealed, uint8_t *ret_plain)
{
	assert(sealed.length <= INT32_MAX && purpose.length <= INT32_MAX);
	if (sealed.length < CIPHER_EXTRA_BYTES)
		return false;
	pthread_once(&once, prepare);
	if (fast && purpose.length <= AAD_BYTES_FAST)
		return open_fast(key, purpose, number, sealed, ret_plain);

	EVP_CIPHER_CTX *context = cipher_of_thread()->open;
	const uint8_t  *nonce   = (const uint8_t *)sealed.data;
	size_t          size    = sealed.length - CIPHER_EXTRA_BYTES;
	const uint8_t  *body    = nonce + CIPHER_NONCE_BYTES;
	uint8_t         tag[CIPHER_TAG_BYTES];
	int             length;
	memcpy(tag, body + size, sizeof tag);
	must(EVP_CipherInit_ex2(context, NULL, key, nonce, 0, NULL) == 1);
	must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, CIPHER_TAG_BYTES, tag) == 1);
	authenticate(context, purpose, number);
	if (size > 0)
		must(EVP_CipherUpdate(context, ret_plain, &length, body, (int)size) == 1);
	uint8_t none[CIPHER_TAG_BYTES];
	if (EVP_CipherFinal_ex(context, none, &length) == 1)
		return true;
	cipher_wipe(ret_plain, size);
	return false;
}

/* RFC 3394, 2.2.1, with n = 4. Not EVP_aes_256_wrap(): OpenSSL 3.0 runs it without the processor's
 * AES instructions, at three to five times the cost. */
enum { WRAP_ROUNDS = 6, WRAP_WORDS = CIPHER_KEY_BYTES / 8 };

#define WRAP_CHECK UINT64_C(0xa6a6a6a6a6a6a6a6)

/* The first word of the next block: the check word of this one, mixed with the step's number. */
static uint64_t mix_step(uint64_t check, unsigned step)
{
	return check ^ __builtin_bswap64((uint64_t)step);
}

static void one_block(EVP_CIPHER_CTX *context, uint64_t block[2])
{
	uint8_t *bytes = (uint8_t *)block;
	must(EVP_Cipher(context, bytes, bytes, 16) == 16); /* without what EVP_CipherUpdate keeps */
}

void cipher_wrap(const uint8_t wrapping[CIPHER_KEY_BYTES], const uint8_t key[CIPHER_KEY_BYTES],
                 uint8_t ret_wrapped[CIPHER_WRAPPED_BYTES])
{
	EVP_CIPHER_CTX *context = cipher_of_thread()->wrap;
	must(EVP_CipherInit_ex2(context, NULL, wrapping, NULL, 1, NULL) == 1);

	uint64_t words[WRAP_WORDS];
	uint64_t block[2] = {WRAP_CHECK, 0};
	memcpy(words, key, sizeof words);
	for (unsigned step = 0; step < WRAP_ROUNDS * WRAP_WORDS; step++) {
		block[1] = words[step % WRAP_WORDS];
		one_block(context, block);
		block[0]                 = mix_step(block[0], step + 1);
		words[step % WRAP_WORDS] = block[1];
	}
	memcpy(ret_wrapped, &block[0], 8);
	memcpy(ret_wrapped + 8, words, sizeof words);
	cipher_wipe(words, sizeof words);
	cipher_wipe(block, sizeof block);
}

bool cipher_unwrap(const uint8_t wrapping[CIPHER_KEY_BYTES],
                   const uint8_t wrapped[CIPHER_WRAPPED_BYTES], uint8_t ret_key[CIPHER_KEY_BYTES])
{
	EVP_CIPHER_CTX *context = cipher_of_thread()->unwrap;
	must(EVP_CipherInit_ex2(context, NULL, wrapping, NULL, 0, NULL) == 1);

	uint64_t words[WRAP_WORDS];
	uint64_t block[2];
	memcpy(&block[0], wrapped, 8);
	memcpy(words, wrapped + 8, sizeof words);
	for (unsigned step = WRAP_ROUNDS * WRAP_WORDS; step > 0; step--) {
		block[0] = mix_step(block[0], step);
		block[1] = words[(step - 1) % WRAP_WORDS];
		one_block(context, block);
		words[(step - 1) % WRAP_WORDS] = block[1];
	}
	/* The one comparison tells nothing but whether the whole was authentic. */
	bool authentic = block[0] == WRAP_CHECK;
	if (authentic)
		memcpy(ret_key, words, sizeof words);
	cipher_wipe(words, sizeof words);
	cipher_wipe(block, sizeof block);
	return authentic;
}

void cipher_wipe(void *secret, size_t length) { explicit_bzero(secret, length); }
