#include "audit/audit_key.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/instant.h"
#include "base/json.h"

enum { SEED_BYTES = 32, SEED_TEXT_BYTES = 2 * SEED_BYTES + 1, HEAD_MESSAGE_BYTES = 256 };

_Static_assert(crypto_sign_ed25519_SEEDBYTES == SEED_BYTES, "a seed has 256 bits");
_Static_assert(crypto_sign_ed25519_PUBLICKEYBYTES == AUDIT_PUBLIC_KEY_BYTES, "so has a public key");
_Static_assert(crypto_sign_ed25519_SECRETKEYBYTES == AUDIT_SECRET_KEY_BYTES, "seed and public key");
_Static_assert(crypto_sign_ed25519_BYTES == AUDIT_SIGNATURE_BYTES, "Ed25519");

/* ---- Keys ---- */

static void set_id(struct audit_key *key)
{
	uint8_t digest[SHA256_BYTES];
	hash_sha256(key->public_key, sizeof key->public_key, digest);
	memcpy(key->id, digest, sizeof key->id);
}

static bool add_seed(struct audit_keys *keys, struct text digits)
{
	uint8_t           seed[SEED_BYTES];
	struct audit_key *key = &keys->items[keys->count];
	if (keys->count == AUDIT_KEYS_MAX || !hash_unhex(digits, seed, sizeof seed))
		return false;
	int failed = crypto_sign_ed25519_seed_keypair(key->public_key, key->secret_key, seed);
	assert(failed == 0);
	sodium_memzero(seed, sizeof seed);
	set_id(key);
	keys->count++;
	return true;
}

static bool read_seeds(struct text text, struct audit_keys *keys)
{
	for (size_t begin = 0, at = 0; at <= text.length; at++) {
		if (at < text.length && text.data[at] != '\n')
			continue;
		struct text line = {text.data + begin, at - begin};
		if (line.length > 0 && !add_seed(keys, line))
			return false;
		begin = at + 1;
	}
	return keys->count > 0;
}

static enum status make_key(const char *path, struct audit_keys *keys, struct error *err)
{
	uint8_t seed[SEED_BYTES];
	char    text[SEED_TEXT_BYTES + 1];
	random_bytes(seed, sizeof seed);
	hash_hex(seed, sizeof seed, text);
	bool added = add_seed(keys, text_of(text));
	assert(added);
	text[SEED_TEXT_BYTES - 1] = '\n';
	enum status status        = file_replace(path, 0600, text, SEED_TEXT_BYTES, err);
	sodium_memzero(seed, sizeof seed);
	sodium_memzero(text, sizeof text);
	return status;
}

enum status audit_keys_read(const char *keyring_directory, bool create, struct audit_keys *ret_keys,
                            struct error *err)
{
	char          path[PATH_MAX];
	struct buffer text = {0};
	struct error  why  = {0};
	*ret_keys          = (struct audit_keys){0};
	if (snprintf(path, sizeof path, "%s/audit.key", keyring_directory) >= (int)sizeof path)
		return error_set(err, STATUS_INVALID, "--keyring: the path is too long");
	enum status status = file_read(path, AUDIT_KEYS_MAX * SEED_TEXT_BYTES, &text, &why);
	if (status == STATUS_NOT_FOUND && create) {
		buffer_done(&text);
		return make_key(path, ret_keys, err);
	}
	if (status == STATUS_OK && !read_seeds(buffer_text(&text), ret_keys))
		status =
			error_set(&why, STATUS_CORRUPT, "%s holds no keys of 64 hexadecimal digits each", path);
	if (text.data != NULL)
		sodium_memzero(text.data, text.capacity);
	buffer_done(&text);
	if (status != STATUS_OK && err != NULL)
		*err = why;
	return status;
}

void audit_keys_wipe(struct audit_keys *keys) { sodium_memzero(keys, sizeof *keys); }

enum status audit_keys_add_public(struct audit_keys *keys, struct text digits, struct error *err)
{
	if (keys->count == AUDIT_KEYS_MAX)
		return error_set(err, STATUS_INVALID, "There are more than %d keys", AUDIT_KEYS_MAX);
	struct audit_key *key = &keys->items[keys->count];
	*key                  = (struct audit_key){0};
	if (!hash_unhex(digits, key->public_key, sizeof key->public_key))
		return error_set(err, STATUS_INVALID, "A public key has 64 hexadecimal digits");
	set_id(key);
	keys->count++;
	return STATUS_OK;
}

const struct audit_key *audit_keys_find(const struct audit_keys *keys,
                                        const uint8_t            id[AUDIT_KEY_ID_BYTES])
{
	for (size_t i = 0; i < keys->count; i++)
		if (memcmp(keys->items[i].id, id, AUDIT_KEY_ID_BYTES) == 0)
			return &keys->items[i];
	return NULL;
}

/* ---- Heads ---- */

static size_t write_message(const struct audit_head *head, char into[HEAD_MESSAGE_BYTES])
{
	char workspace[2 * sizeof head->workspace_id + 1], hash[2 * SHA256_BYTES + 1];
	hash_hex(head->workspace_id, sizeof head->workspace_id, workspace);
	hash_hex(head->hash, sizeof head->hash, hash);
	int length =
		snprintf(into, HEAD_MESSAGE_BYTES, "sonnim audit 1\n%s\n%" PRIu64 "\n%" PRId64 "\n%s\n",
	             workspace, head->seq, head->at_ms, hash);
	assert(length > 0 && length < HEAD_MESSAGE_BYTES);
	return (size_t)length;
}

void audit_head_sign(struct audit_head *head, const struct audit_key *key)
{
	char   message[HEAD_MESSAGE_BYTES];
	size_t length = write_message(head, message);
	memcpy(head->key_id, key->id, sizeof head->key_id);
	crypto_sign_ed25519_detached(head->signature, NULL, (const uint8_t *)message, length,
	                             key->secret_key);
}

bool audit_head_verify(const struct audit_head *head, const struct audit_keys *keys)
{
	char                    message[HEAD_MESSAGE_BYTES];
	size_t                  length = write_message(head, message);
	const struct audit_key *key    = audit_keys_find(keys, head->key_id);
	return key != NULL &&
	       crypto_sign_ed25519_verify_detached(head->signature, (const uint8_t *)message, length,
	                                           key->public_key) == 0;
}

static void member_hex(struct json_writer *w, const char *name, const uint8_t *data, size_t length)
{
	char text[2 * AUDIT_SIGNATURE_BYTES + 1];
	assert(2 * length < sizeof text);
	hash_hex(data, length, text);
	json_member_string(w, name, text_of(text));
}

void audit_head_write(const struct audit_head *head, struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	member_hex(&w, "workspace", head->workspace_id, sizeof head->workspace_id);
	json_member_int(&w, "seq", (int64_t)head->seq);
	json_member_instant(&w, "timestamp", head->at_ms);
	member_hex(&w, "hash", head->hash, sizeof head->hash);
	member_hex(&w, "key", head->key_id, sizeof head->key_id);
	member_hex(&w, "signature", head->signature, sizeof head->signature);
	json_end_object(&w);
}

static bool read_hex(struct json object, const char *name, uint8_t *into, size_t length)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_STRING && hash_unhex(json_string(value), into, length);
}

static bool read_members(struct json object, struct audit_head *head)
{
	struct json seq = json_get(object, "seq"), at = json_get(object, "timestamp");
	if (json_type(seq) != JSON_INT || json_int(seq) < 0 || json_type(at) != JSON_STRING)
		return false;
	head->seq = json_uint(seq);
	return instant_parse(json_string(at), &head->at_ms) &&
	       read_hex(object, "workspace", head->workspace_id, sizeof head->workspace_id) &&
	       read_hex(object, "hash", head->hash, sizeof head->hash) &&
	       read_hex(object, "key", head->key_id, sizeof head->key_id) &&
	       read_hex(object, "signature", head->signature, sizeof head->signature);
}

enum status audit_head_read(struct text text, struct audit_head *ret_head, struct error *err)
{
	struct json_parser *parser = json_parser_new();
	struct audit_head   head   = {0};
	struct json         root;
	struct error        ignored;
	bool                good = json_parse_text(parser, text, &root, &ignored) == STATUS_OK &&
	            json_type(root) == JSON_OBJECT && read_members(root, &head);
	json_parser_free(parser);
	if (!good)
		return error_set(err, STATUS_INVALID, "It is no head of an audit trail");
	*ret_head = head;
	return STATUS_OK;
}
