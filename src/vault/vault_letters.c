#include "vault/vault_letters.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "vault/letter_key.h"
#include "vault/vault_internal.h"

enum { PLACES = 2 };

/* Authenticated with what belongs to no person: no person's number. */
#define LETTER_NUMBER UINT64_MAX

struct entry {
	uint64_t number; /* from 1; 0: no key */
	uint8_t  wrapped[CIPHER_WRAPPED_BYTES];
	uint64_t zero;
	uint64_t checksum; /* of the bytes before it */
};
_Static_assert(sizeof(struct entry) == 64, "as in docs/formats/vault.md");

struct key_of_letters {
	uint64_t number;
	uint8_t  key[CIPHER_KEY_BYTES];
};

struct letter_key {
	pthread_rwlock_t      lock;
	char                  path[PATH_MAX];
	int                   fd;
	uint8_t               wrapping[CIPHER_KEY_BYTES];
	struct key_of_letters keys[PLACES];
	bool                  failed;
};

static struct key_of_letters *newest(struct letter_key *key)
{
	return key->keys[0].number > key->keys[1].number ? &key->keys[0] : &key->keys[1];
}

static struct key_of_letters *before(struct letter_key *key)
{
	return newest(key) == &key->keys[0] ? &key->keys[1] : &key->keys[0];
}

/* Durable on return; number 0 wipes the place. */
static enum status write_place(struct letter_key *key, const struct key_of_letters *of,
                               struct error *err)
{
	struct entry entry = {.number = of->number};
	if (key->failed)
		return error_set(err, STATUS_FAILED, "%s: a write has failed before", key->path);
	if (of->number != 0) {
		cipher_wrap(key->wrapping, of->key, entry.wrapped);
		entry.checksum = hash_bytes(&entry, offsetof(struct entry, checksum));
	}
	enum status status = file_write_at(key->fd, &entry, sizeof entry,
	                                   (uint64_t)(of - key->keys) * sizeof entry, key->path, err);
	if (status == STATUS_OK && fdatasync(key->fd) != 0) {
		key->failed = true;
		status      = file_error(err, errno, "sync", key->path);
	}
	return status;
}

static void read_place(struct letter_key *key, size_t place)
{
	struct entry entry;
	struct error err;
	if (file_read_at(key->fd, &entry, sizeof entry, place * sizeof entry, key->path, &err) ==
	        STATUS_OK &&
	    entry.number != 0 &&
	    entry.checksum == hash_bytes(&entry, offsetof(struct entry, checksum)) &&
	    cipher_unwrap(key->wrapping, entry.wrapped, key->keys[place].key))
		key->keys[place].number = entry.number;
}

enum status letter_key_open(const char *directory, const struct keyring *keyring,
                            struct letter_key **ret_key, struct error *err)
{
	struct letter_key *key = sodium_malloc(sizeof *key);
	if (key == NULL)
		abort();
	memset(key, 0, sizeof *key);
	pthread_rwlock_init(&key->lock, NULL);
	keyring_common(keyring, key->wrapping);
	int         length = snprintf(key->path, sizeof key->path, "%s/letters.key", directory);
	enum status status = STATUS_OK;
	key->fd =
		length < (int)sizeof key->path ? open(key->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (key->fd < 0)
		status = file_error(err, errno, "open", key->path);
	else
		status = directory_sync(directory, err);
	for (size_t place = 0; place < PLACES && status == STATUS_OK; place++)
		read_place(key, place);
	if (status == STATUS_OK && newest(key)->number == 0) {
		key->keys[0].number = 1;
		cipher_random(key->keys[0].key, CIPHER_KEY_BYTES);
		status = write_place(key, &key->keys[0], err);
	}
	if (status == STATUS_OK)
		*ret_key = key;
	else
		letter_key_close(key);
	return status;
}

void letter_key_close(struct letter_key *key)
{
	if (key == NULL)
		return;
	if (key->fd >= 0)
		close(key->fd);
	pthread_rwlock_destroy(&key->lock);
	sodium_free(key); /* wipes */
}

void vault_seal_letter(struct vault *vault, struct text purpose, struct text plain,
                       struct buffer *out)
{
	struct letter_key *key = vault->letter_key;
	pthread_rwlock_rdlock(&key->lock);
	const struct key_of_letters *of = newest(key);
	buffer_add_u64(out, of->number);
	size_t length = plain.length + CIPHER_EXTRA_BYTES;
	char  *into   = buffer_reserve(out, length);
	cipher_seal(of->key, purpose, LETTER_NUMBER, plain, (uint8_t *)into);
	out->length += length;
	pthread_rwlock_unlock(&key->lock);
}

static uint64_t number_of(struct text sealed)
{
	struct byte_reader reader = byte_reader_of(sealed.data, sealed.length);
	return sealed.length >= sizeof(uint64_t) + CIPHER_EXTRA_BYTES ? read_u64(&reader) : 0;
}

static bool open_with(const struct key_of_letters *of, struct text purpose, struct text sealed,
                      struct buffer *out)
{
	struct text rest = {sealed.data + sizeof(uint64_t), sealed.length - sizeof(uint64_t)};
	char       *into = buffer_reserve(out, rest.length);
	if (!cipher_open(of->key, purpose, LETTER_NUMBER, rest, (uint8_t *)into))
		return false;
	out->length += rest.length - CIPHER_EXTRA_BYTES;
	return true;
}

enum status vault_unseal_letter(struct vault *vault, struct text purpose, struct text sealed,
                                struct buffer *out, struct error *err)
{
	struct letter_key *key    = vault->letter_key;
	uint64_t           number = number_of(sealed);
	bool               opened = false;
	pthread_rwlock_rdlock(&key->lock);
	for (size_t place = 0; place < PLACES && number != 0 && !opened; place++)
		opened =
			key->keys[place].number == number && open_with(&key->keys[place], purpose, sealed, out);
	bool newer = number > newest(key)->number; /* no number: it is of before there was a key */
	pthread_rwlock_unlock(&key->lock);
	if (opened || (newer && vault_unseal_common(vault, purpose, sealed, out, err) == STATUS_OK))
		return STATUS_OK;
	return newer ? error_set(err, STATUS_CORRUPT, "a sealed value is not authentic")
	             : error_set(err, STATUS_NOT_FOUND, "the key of this was renewed since");
}

bool vault_letter_is_new(struct vault *vault, struct text sealed)
{
	struct letter_key *key = vault->letter_key;
	pthread_rwlock_rdlock(&key->lock);
	bool is_new = number_of(sealed) == newest(key)->number;
	pthread_rwlock_unlock(&key->lock);
	return is_new;
}

enum status vault_letters_renew_begin(struct vault *vault, struct error *err)
{
	struct letter_key *key    = vault->letter_key;
	enum status        status = STATUS_OK;
	pthread_rwlock_wrlock(&key->lock);
	if (before(key)->number == 0) {
		struct key_of_letters *next   = before(key);
		uint64_t               number = newest(key)->number + 1;
		cipher_random(next->key, CIPHER_KEY_BYTES);
		next->number = number;
		status       = write_place(key, next, err);
		if (status != STATUS_OK)
			*next = (struct key_of_letters){0};
	}
	pthread_rwlock_unlock(&key->lock);
	return status;
}

enum status vault_letters_renew_end(struct vault *vault, struct error *err)
{
	struct letter_key *key    = vault->letter_key;
	enum status        status = STATUS_OK;
	pthread_rwlock_wrlock(&key->lock);
	struct key_of_letters *old = before(key);
	if (old->number != 0) {
		cipher_wipe(old->key, sizeof old->key);
		old->number = 0;
		status      = write_place(key, old, err);
	}
	pthread_rwlock_unlock(&key->lock);
	return status;
}
