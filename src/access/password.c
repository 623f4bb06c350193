#include "access/password.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <strings.h>

_Static_assert(PASSWORD_HASH_BYTES == crypto_pwhash_STRBYTES, "libsodium's text fits");

/* What an unknown person is compared with. */
static char           nobody[PASSWORD_HASH_BYTES];
static pthread_once_t nobody_once = PTHREAD_ONCE_INIT;

static bool make(struct text password, char ret_hash[PASSWORD_HASH_BYTES])
{
	return crypto_pwhash_str_alg(ret_hash, password.data, password.length, PASSWORD_PASSES,
	                             PASSWORD_MEMORY_BYTES, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

static void make_nobody(void)
{
	char random[PASSWORD_BYTES_MIN];
	randombytes_buf(random, sizeof random);
	(void)make((struct text){random, sizeof random}, nobody); /* else empty: false, and faster */
}

static bool is_one_character(struct text password)
{
	for (size_t i = 1; i < password.length; i++)
		if (password.data[i] != password.data[0])
			return false;
	return true;
}

static bool equals(struct text a, struct text b)
{
	return a.length == b.length && strncasecmp(a.data, b.data, a.length) == 0;
}

enum status password_check(struct text password, struct text email, struct text name,
                           struct error *err)
{
	if (password.length < PASSWORD_BYTES_MIN || password.length > PASSWORD_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, "password", "It must have %d to %d bytes",
		                       PASSWORD_BYTES_MIN, PASSWORD_BYTES_MAX);
	if (is_one_character(password))
		return error_set_field(err, STATUS_INVALID, "password",
		                       "It must be more than one character repeated");
	if (equals(password, email) || equals(password, name))
		return error_set_field(err, STATUS_INVALID, "password",
		                       "It must be neither the e-mail address nor the name");
	return STATUS_OK;
}

enum status password_hash(struct text password, char ret_hash[PASSWORD_HASH_BYTES],
                          struct error *err)
{
	assert(password.length <= PASSWORD_BYTES_MAX);
	if (!make(password, ret_hash))
		return error_set(err, STATUS_NO_MEMORY, "There is no memory to hash a password");
	return STATUS_OK;
}

bool password_matches(const char *hash, struct text password)
{
	pthread_once(&nobody_once, make_nobody);
	bool known = hash != NULL && hash[0] != '\0';
	bool equal =
		crypto_pwhash_str_verify(known ? hash : nobody, password.data, password.length) == 0;
	return known && equal;
}

bool password_is_outdated(const char *hash)
{
	return crypto_pwhash_str_needs_rehash(hash, PASSWORD_PASSES, PASSWORD_MEMORY_BYTES) != 0;
}
