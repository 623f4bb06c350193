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
#include "vault/secret_key.h"
#include "vault/vault.h"

enum {
	MASTER_TEXT_BYTES  = 2 * CIPHER_KEY_BYTES + 1,
	PATH_BYTES_MAX     = 4096,
	VARIABLE_BYTES_MAX = 256,
};

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

static enum status path_in(const char *directory, const char *name, char into[PATH_BYTES_MAX],
                           struct error *err)
{
	int length = snprintf(into, PATH_BYTES_MAX, "%s/%s", directory, name);
	if (length < 0 || length >= PATH_BYTES_MAX)
		return file_error(err, ENAMETOOLONG, "open", directory);
	return STATUS_OK;
}

static bool exists(const char *path) { return access(path, F_OK) == 0; }

/* ---- The master key ---- */

void keyring_wrap(struct keyring *keyring, const uint8_t key[CIPHER_KEY_BYTES],
                  uint8_t ret_wrapped[CIPHER_WRAPPED_BYTES])
{
	pthread_rwlock_rdlock(&keyring->lock);
	cipher_wrap(keyring->master, key, ret_wrapped);
	pthread_rwlock_unlock(&keyring->lock);
}

bool keyring_unwrap(struct keyring *keyring, const uint8_t wrapped[CIPHER_WRAPPED_BYTES],
                    uint8_t ret_key[CIPHER_KEY_BYTES])
{
	pthread_rwlock_rdlock(&keyring->lock);
	bool unwrapped = cipher_unwrap(keyring->master, wrapped, ret_key) ||
	                 (keyring->rotating && cipher_unwrap(keyring->previous, wrapped, ret_key));
	pthread_rwlock_unlock(&keyring->lock);
	return unwrapped;
}

static enum status write_master(const char *path, const uint8_t master[CIPHER_KEY_BYTES],
                                struct error *err)
{
	char text[MASTER_TEXT_BYTES + 1];
	hash_hex(master, CIPHER_KEY_BYTES, text);
	text[MASTER_TEXT_BYTES - 1] = '\n';
	enum status status          = file_replace(path, 0600, text, MASTER_TEXT_BYTES, err);
	cipher_wipe(text, sizeof text);
	return status;
}

static bool from_file(const struct master_source *source)
{
	return source->command == NULL && source->variable == NULL;
}

static enum status read_file(const char *path, uint8_t ret_master[CIPHER_KEY_BYTES],
                             struct error *err)
{
	struct buffer text;
	buffer_init(&text);
	enum status status = file_read(path, MASTER_TEXT_BYTES + 1, &text, err);
	if (status == STATUS_OK) {
		struct text digits = buffer_text(&text);
		if (digits.length > 0 && digits.data[digits.length - 1] == '\n')
			digits.length--;
		if (!hash_unhex(digits, ret_master, CIPHER_KEY_BYTES))
			status =
				error_set(err, STATUS_CORRUPT, "%s holds no key of 64 hexadecimal digits", path);
	}
	if (text.data)
		cipher_wipe(text.data, text.capacity);
	buffer_done(&text);
	return status;
}

/* `suffix`: of the variable's name. STATUS_NOT_FOUND: it is not set. */
static enum status read_variable(const char *variable, const char *suffix,
                                 uint8_t ret_master[CIPHER_KEY_BYTES], struct error *err)
{
	char name[VARIABLE_BYTES_MAX];
	snprintf(name, sizeof name, "%s%s", variable, suffix);
	const char *value = getenv(name);
	if (value == NULL || value[0] == '\0')
		return error_set(err, STATUS_NOT_FOUND, "the environment has no %s", name);
	return secret_key_of_text(text_of(value), name, ret_master, err);
}

static enum status read_master(const struct master_source *source, const char *path,
                               uint8_t ret_master[CIPHER_KEY_BYTES], struct error *err)
{
	if (source->command != NULL)
		return secret_key_of_command(source->command, "--master-key-command", ret_master, err);
	if (source->variable != NULL)
		return read_variable(source->variable, "", ret_master, err);
	return read_file(path, ret_master, err);
}

/* ---- Its rotation ---- */

/* Each wrapped by the other. */
struct rotation {
	uint8_t next_by_previous[CIPHER_WRAPPED_BYTES];
	uint8_t previous_by_next[CIPHER_WRAPPED_BYTES];
};

/* From now on `next` is the master key. */
static enum status begin(struct keyring *keyring, const char *directory,
                         const uint8_t next[CIPHER_KEY_BYTES], struct error *err)
{
	char            path[PATH_BYTES_MAX];
	struct rotation rotation;
	enum status     status = path_in(directory, "rotation", path, err);
	cipher_wrap(keyring->master, next, rotation.next_by_previous);
	cipher_wrap(next, keyring->master, rotation.previous_by_next);
	if (status == STATUS_OK)
		status = file_replace(path, 0600, &rotation, sizeof rotation, err);
	if (status != STATUS_OK)
		return status;
	pthread_rwlock_wrlock(&keyring->lock);
	memcpy(keyring->previous, keyring->master, CIPHER_KEY_BYTES);
	memcpy(keyring->master, next, CIPHER_KEY_BYTES);
	keyring->rotating = true;
	pthread_rwlock_unlock(&keyring->lock);
	return STATUS_OK;
}

enum status keyring_begin_rotation(struct keyring *keyring, const struct keyring_config *config,
                                   struct error *err)
{
	uint8_t     next[CIPHER_KEY_BYTES];
	enum status status = STATUS_OK;
	if (config->master.variable != NULL)
		return error_set(err, STATUS_CONFLICT,
		                 "The master key comes from the environment: start with the new one in %s "
		                 "and the present one in %s_PREVIOUS",
		                 config->master.variable, config->master.variable);
	if (config->master.command != NULL)
		status = read_master(&config->master, NULL, next, err);
	else
		cipher_random(next, sizeof next);
	if (status == STATUS_OK && memcmp(next, keyring->master, sizeof next) == 0)
		status = error_set(err, STATUS_CONFLICT,
		                   "--master-key-command still prints the key that is in use");
	if (status == STATUS_OK)
		status = begin(keyring, config->directory, next, err);
	cipher_wipe(next, sizeof next);
	return status;
}

/* Overwritten first: with it the old key yields the new one. */
static enum status remove_rotation(const char *path, struct error *err)
{
	static const struct rotation nothing;
	int                          fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return file_error(err, errno, "open", path);
	bool wiped = pwrite(fd, &nothing, sizeof nothing, 0) == sizeof nothing && fsync(fd) == 0;
	int  error = wiped ? 0 : errno;
	close(fd);
	if (wiped && unlink(path) != 0)
		error = errno;
	return error == 0 ? STATUS_OK : file_error(err, error, "remove", path);
}

enum status keyring_end_rotation(struct keyring *keyring, const struct keyring_config *config,
                                 struct error *err)
{
	char        master_path[PATH_BYTES_MAX], path[PATH_BYTES_MAX];
	enum status status = path_in(config->directory, "master.key", master_path, err);
	if (status == STATUS_OK)
		status = path_in(config->directory, "rotation", path, err);
	if (status == STATUS_OK && from_file(&config->master))
		status = write_master(master_path, keyring->master, err);
	if (status == STATUS_OK)
		status = remove_rotation(path, err);
	if (status == STATUS_OK)
		status = directory_sync(config->directory, err);
	if (status != STATUS_OK)
		return status;
	pthread_rwlock_wrlock(&keyring->lock);
	keyring->rotating = false;
	cipher_wipe(keyring->previous, sizeof keyring->previous);
	pthread_rwlock_unlock(&keyring->lock);
	return STATUS_OK;
}

/* The rotation that was interrupted, if one was: whichever of its keys the source has now. */
static enum status take_up_rotation(struct keyring *keyring, const char *directory,
                                    struct error *err)
{
	char          path[PATH_BYTES_MAX];
	struct buffer bytes  = {0};
	enum status   status = path_in(directory, "rotation", path, err);
	if (status != STATUS_OK || !exists(path))
		return status;
	status = file_read(path, sizeof(struct rotation), &bytes, err);
	if (status != STATUS_OK)
		return status;
	struct rotation rotation;
	uint8_t         other[CIPHER_KEY_BYTES];
	bool            whole = bytes.length == sizeof rotation;
	if (whole)
		memcpy(&rotation, bytes.data, sizeof rotation);
	buffer_done(&bytes);
	if (whole && sodium_is_zero((const uint8_t *)&rotation, sizeof rotation))
		return unlink(path) == 0 ? STATUS_OK /* it had ended */
		                         : file_error(err, errno, "remove", path);
	if (whole && cipher_unwrap(keyring->master, rotation.next_by_previous, other)) {
		memcpy(keyring->previous, keyring->master, sizeof other);
		memcpy(keyring->master, other, sizeof other);
	} else if (whole && cipher_unwrap(keyring->master, rotation.previous_by_next, other)) {
		memcpy(keyring->previous, other, sizeof other);
	} else {
		return error_set(err, STATUS_CORRUPT,
		                 "%s: the master key is neither the old nor the new one of the rotation",
		                 path);
	}
	keyring->rotating = true;
	cipher_wipe(other, sizeof other);
	return STATUS_OK;
}

/* ---- keys.log ---- */

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

/* The variable holds a new key, and beside it stands the one that wraps. */
static enum status replace_by_variable(struct keyring *keyring, const struct keyring_config *config,
                                       const struct key_entry *hashes, struct error *err)
{
	uint8_t previous[CIPHER_KEY_BYTES], next[CIPHER_KEY_BYTES], keys[CIPHER_KEY_BYTES];
	if (config->master.variable == NULL || keyring->rotating ||
	    read_variable(config->master.variable, "_PREVIOUS", previous, err) != STATUS_OK ||
	    !cipher_unwrap(previous, hashes->wrapped, keys))
		return STATUS_OK; /* it is no rotation: the key is a wrong one */
	memcpy(next, keyring->master, sizeof next);
	memcpy(keyring->master, previous, sizeof previous);
	enum status status = begin(keyring, config->directory, next, err);
	cipher_wipe(previous, sizeof previous);
	cipher_wipe(next, sizeof next);
	cipher_wipe(keys, sizeof keys);
	return status;
}

static enum status read_keys_log(int fd, const char *path, struct keyring *keyring,
                                 const struct keyring_config *config, struct error *err)
{
	struct key_entry        entries[KEY_AT_FIRST];
	const struct key_entry *hashes = &entries[KEY_AT_HASHES];
	enum status             status = file_read_at(fd, entries, sizeof entries, 0, path, err);
	if (status == STATUS_OK)
		status = key_entry_check_header(&entries[KEY_AT_HEADER], path, config->workspace_id, err);
	if (status != STATUS_OK)
		return status;
	if (key_entry_kind(hashes, KEY_AT_HASHES) != KEY_ENTRY_HASHES)
		return error_set(err, STATUS_CORRUPT, "%s: bad entry at offset %d", path, KEY_ENTRY_BYTES);

	uint8_t keys[CIPHER_KEY_BYTES];
	if (!keyring_unwrap(keyring, hashes->wrapped, keys)) {
		status = replace_by_variable(keyring, config, hashes, err);
		if (status != STATUS_OK)
			return status;
		if (!keyring_unwrap(keyring, hashes->wrapped, keys))
			return error_set(err, STATUS_CORRUPT, "the master key is not the key of %s", path);
	}
	memcpy(keyring->lookup, keys, HASH_KEY_BYTES);
	memcpy(keyring->mask, keys + HASH_KEY_BYTES, HASH_KEY_BYTES);
	cipher_wipe(keys, sizeof keys);
	return STATUS_OK;
}

/* The master key first: a crash in between leaves one without keys.log, which is taken up. */
static enum status make_missing(const char *master_path, const char *log_path,
                                struct keyring *keyring, const struct keyring_config *config,
                                struct error *err)
{
	enum status status = STATUS_OK;
	if (from_file(&config->master) && !exists(master_path)) {
		if (exists(log_path))
			return error_set(err, STATUS_NOT_FOUND, "%s is missing", master_path);
		cipher_random(keyring->master, sizeof keyring->master);
		status = write_master(master_path, keyring->master, err);
	} else {
		status = read_master(&config->master, master_path, keyring->master, err);
	}
	if (status == STATUS_OK && !exists(log_path))
		status = make_keys_log(log_path, keyring, config->workspace_id, err);
	return status;
}

static enum status open_files(const struct keyring_config *config, struct keyring *keyring,
                              int *ret_fd, char **ret_path, struct error *err)
{
	char        master_path[PATH_BYTES_MAX], log_path[PATH_BYTES_MAX];
	enum status status = path_in(config->directory, "master.key", master_path, err);
	if (status == STATUS_OK)
		status = path_in(config->directory, "keys.log", log_path, err);
	if (status == STATUS_OK)
		status = config->create ? make_missing(master_path, log_path, keyring, config, err)
		                        : read_master(&config->master, master_path, keyring->master, err);
	if (status == STATUS_OK)
		status = take_up_rotation(keyring, config->directory, err);
	if (status != STATUS_OK)
		return status;

	int fd = open(log_path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return file_error(err, errno, "open", log_path);
	status = read_keys_log(fd, log_path, keyring, config, err);
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

enum status keyring_open(const struct keyring_config *config, struct keyring **ret_keyring,
                         int *ret_fd, char **ret_path, int *ret_lock_fd, struct error *err)
{
	enum status status = STATUS_OK;
	if (config->create)
		status = directory_create(config->directory, 0700, err);
	if (status == STATUS_OK)
		status = directory_lock(config->directory, ret_lock_fd, err);
	if (status != STATUS_OK)
		return status;

	struct keyring *keyring = sodium_malloc(sizeof *keyring);
	if (!keyring)
		abort();
	memset(keyring, 0, sizeof *keyring);
	pthread_rwlock_init(&keyring->lock, NULL);
	status = open_files(config, keyring, ret_fd, ret_path, err);
	if (status == STATUS_OK) {
		*ret_keyring = keyring;
	} else {
		keyring_free(keyring);
		close(*ret_lock_fd);
	}
	return status;
}

void keyring_free(struct keyring *keyring)
{
	pthread_rwlock_destroy(&keyring->lock);
	sodium_free(keyring); /* wipes */
}

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
