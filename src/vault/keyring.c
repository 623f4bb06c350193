#include "vault/keyring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "vault/append_file.h"
#include "vault/keys_log.h"
#include "vault/vault.h"

enum { MASTER_TEXT_BYTES = 2 * CIPHER_KEY_BYTES + 1, PATH_BYTES_MAX = 4096 };

_Static_assert(crypto_shorthash_siphashx24_KEYBYTES == HASH_KEY_BYTES, "SipHash takes 128 bits");
_Static_assert(crypto_shorthash_siphashx24_BYTES == sizeof(struct id_hash), "and gives 128");
_Static_assert(2 * HASH_KEY_BYTES == CIPHER_KEY_BYTES, "both keys of hashes fill one entry");

struct id_hash keyring_hash(const struct keyring *keyring, uint8_t namespace, struct text id)
{
	assert(id.length >= 1 && id.length <= VAULT_ID_BYTES_MAX);

	uint8_t        input[1 + VAULT_ID_BYTES_MAX];
	struct id_hash hash;
	input[0] = namespace;
	memcpy(input + 1, id.data, id.length);
	crypto_shorthash_siphashx24((uint8_t *)&hash, input, 1 + id.length, keyring->lookup);
	return hash;
}

struct id_hash keyring_mask(const struct keyring *keyring, struct id_hash hash, uint64_t seed,
                            uint64_t number, uint64_t nonce)
{
	uint64_t       input[3] = {seed, number, nonce};
	struct id_hash mask;
	crypto_shorthash_siphashx24((uint8_t *)&mask, (const uint8_t *)input, sizeof input,
	                            keyring->mask);
	return (struct id_hash){hash.first ^ mask.first, hash.second ^ mask.second};
}

static enum status read_master(const char *path, struct keyring *keyring, struct error *err)
{
	struct buffer text;
	buffer_init(&text);
	enum status status = file_read(path, MASTER_TEXT_BYTES + 1, &text, err);
	if (status == STATUS_OK) {
		struct text digits = buffer_text(&text);
		if (digits.length > 0 && digits.data[digits.length - 1] == '\n')
			digits.length--;
		if (!hash_unhex(digits, keyring->master, sizeof keyring->master))
			status =
				error_set(err, STATUS_CORRUPT, "%s holds no key of 64 hexadecimal digits", path);
	}
	if (text.data)
		cipher_wipe(text.data, text.capacity);
	buffer_done(&text);
	return status;
}

static enum status make_master(const char *path, struct keyring *keyring, struct error *err)
{
	char text[MASTER_TEXT_BYTES + 1];
	cipher_random(keyring->master, sizeof keyring->master);
	hash_hex(keyring->master, sizeof keyring->master, text);
	text[MASTER_TEXT_BYTES - 1] = '\n';
	enum status status          = file_replace(path, 0600, text, MASTER_TEXT_BYTES, err);
	cipher_wipe(text, sizeof text);
	return status;
}

static enum status make_keys_log(const char *path, struct keyring *keyring,
                                 const uint8_t workspace_id[16], struct error *err)
{
	uint8_t keys[CIPHER_KEY_BYTES];
	cipher_random(keyring->lookup, sizeof keyring->lookup);
	cipher_random(keyring->mask, sizeof keyring->mask);
	memcpy(keys, keyring->lookup, HASH_KEY_BYTES);
	memcpy(keys + HASH_KEY_BYTES, keyring->mask, HASH_KEY_BYTES);

	struct key_entry entries[KEY_AT_FIRST];
	entries[KEY_AT_HEADER] = key_entry_header(workspace_id);
	entries[KEY_AT_HASHES] = key_entry_of(KEY_ENTRY_HASHES, 0);
	cipher_wrap(keyring->master, keys, entries[KEY_AT_HASHES].wrapped);
	key_entry_finish(&entries[KEY_AT_HASHES], KEY_AT_HASHES);
	cipher_wipe(keys, sizeof keys);
	return file_replace(path, 0600, entries, sizeof entries, err);
}

static enum status read_keys_log(int fd, const char *path, struct keyring *keyring,
                                 const uint8_t workspace_id[16], struct error *err)
{
	struct key_entry entries[KEY_AT_FIRST];
	enum status      status = file_read_at(fd, entries, sizeof entries, 0, path, err);
	if (status == STATUS_OK)
		status = key_entry_check_header(&entries[KEY_AT_HEADER], path, workspace_id, err);
	if (status != STATUS_OK)
		return status;
	if (key_entry_kind(&entries[KEY_AT_HASHES], KEY_AT_HASHES) != KEY_ENTRY_HASHES)
		return error_set(err, STATUS_CORRUPT, "%s: bad entry at offset %d", path, KEY_ENTRY_BYTES);

	uint8_t keys[CIPHER_KEY_BYTES];
	if (!cipher_unwrap(keyring->master, entries[KEY_AT_HASHES].wrapped, keys))
		return error_set(err, STATUS_CORRUPT, "master.key is not the key of %s", path);
	memcpy(keyring->lookup, keys, HASH_KEY_BYTES);
	memcpy(keyring->mask, keys + HASH_KEY_BYTES, HASH_KEY_BYTES);
	cipher_wipe(keys, sizeof keys);
	return STATUS_OK;
}

static bool exists(const char *path) { return access(path, F_OK) == 0; }

/* The master key first: a crash in between leaves one without keys.log, which is taken up. */
static enum status make_missing(const char *master_path, const char *log_path,
                                struct keyring *keyring, const uint8_t workspace_id[16],
                                struct error *err)
{
	enum status status = STATUS_OK;
	if (!exists(master_path))
		status = exists(log_path) ? error_set(err, STATUS_NOT_FOUND, "%s is missing", master_path)
		                          : make_master(master_path, keyring, err);
	else
		status = read_master(master_path, keyring, err);
	if (status == STATUS_OK && !exists(log_path))
		status = make_keys_log(log_path, keyring, workspace_id, err);
	return status;
}

static enum status open_files(const char *directory, const uint8_t workspace_id[16], bool create,
                              struct keyring *keyring, int *ret_fd, char **ret_path,
                              struct error *err)
{
	char master_path[PATH_BYTES_MAX], log_path[PATH_BYTES_MAX];
	int  length = snprintf(master_path, sizeof master_path, "%s/master.key", directory);
	snprintf(log_path, sizeof log_path, "%s/keys.log", directory);
	if (length < 0 || (size_t)length >= sizeof master_path)
		return file_error(err, ENAMETOOLONG, "open", directory);

	enum status status = STATUS_OK;
	if (create)
		status = make_missing(master_path, log_path, keyring, workspace_id, err);
	if (status == STATUS_OK)
		status = read_master(master_path, keyring, err);
	if (status != STATUS_OK)
		return status;

	int fd = open(log_path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return file_error(err, errno, "open", log_path);
	status = read_keys_log(fd, log_path, keyring, workspace_id, err);
	if (status != STATUS_OK) {
		close(fd);
		return status;
	}
	*ret_fd   = fd;
	*ret_path = strdup(log_path);
	if (!*ret_path)
		abort();
	return STATUS_OK;
}

enum status keyring_open(const char *directory, const uint8_t workspace_id[16], bool create,
                         struct keyring **ret_keyring, int *ret_fd, char **ret_path,
                         int *ret_lock_fd, struct error *err)
{
	enum status status = STATUS_OK;
	if (create)
		status = directory_create(directory, 0700, err);
	if (status == STATUS_OK)
		status = directory_lock(directory, ret_lock_fd, err);
	if (status != STATUS_OK)
		return status;

	struct keyring *keyring = sodium_malloc(sizeof *keyring);
	if (!keyring)
		abort();
	status = open_files(directory, workspace_id, create, keyring, ret_fd, ret_path, err);
	if (status == STATUS_OK) {
		*ret_keyring = keyring;
	} else {
		keyring_free(keyring);
		close(*ret_lock_fd);
	}
	return status;
}

void keyring_free(struct keyring *keyring) { sodium_free(keyring); /* wipes */ }

static void derive(const struct keyring *keyring, struct text label,
                   uint8_t ret_key[CIPHER_KEY_BYTES])
{
	uint8_t both[crypto_auth_hmacsha256_KEYBYTES];
	static_assert(sizeof both == 2 * HASH_KEY_BYTES, "both keys are the key");
	static_assert(crypto_auth_hmacsha256_BYTES == CIPHER_KEY_BYTES, "its output is the key");
	memcpy(both, keyring->lookup, HASH_KEY_BYTES);
	memcpy(both + HASH_KEY_BYTES, keyring->mask, HASH_KEY_BYTES);
	crypto_auth_hmacsha256(ret_key, (const uint8_t *)label.data, label.length, both);
	cipher_wipe(both, sizeof both);
}

void keyring_common(const struct keyring *keyring, uint8_t ret_key[CIPHER_KEY_BYTES])
{
	derive(keyring, TEXT("sonnim common key"), ret_key);
}

void keyring_blind(const struct keyring *keyring, uint8_t ret_key[HASH_KEY_BYTES])
{
	uint8_t key[CIPHER_KEY_BYTES];
	derive(keyring, TEXT("sonnim blind indexes"), key);
	memcpy(ret_key, key, HASH_KEY_BYTES);
	cipher_wipe(key, sizeof key);
}
