#include "access/signing_keys.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "access/claims.h"
#include "base/file.h"
#include "base/hash.h"

enum { FILE_BYTES_MAX = 1 << 20 };

#define VERIFIES_MS (INT64_C(1000) * (CLAIMS_SECONDS + CLAIMS_SECONDS_ASTRAY))

static const struct text purpose = {"signing key", 11};

struct held {
	struct jwt_key *key;
	int64_t         created_ms;
	int64_t         signs_from_ms;
};

struct signing_keys {
	struct signing_keys_config config;
	char                       path[PATH_MAX];
	pthread_mutex_t            lock; /* over what follows */
	uint8_t                    secret[SIGNING_SECRET_BYTES];
	struct held                held[SIGNING_KEYS_MAX]; /* in the order of signs_from_ms */
	size_t                     count;
};

/* ---- The file ---- */

static void add_sealed(struct vault *vault, struct json_writer *w, struct text secret)
{
	struct buffer sealed = {0};
	char         *text;
	vault_seal_common(vault, purpose, secret, &sealed);
	text = malloc(2 * sealed.length + 1);
	assert(text != NULL);
	hash_hex((const uint8_t *)sealed.data, sealed.length, text);
	json_member_string(w, "sealed", text_of(text));
	free(text);
	buffer_done(&sealed);
}

static void write_key(const struct signing_keys *keys, const struct held *held,
                      struct json_writer *w)
{
	struct buffer secret = {0};
	json_begin_object(w);
	json_member_string(w, "id", text_of(jwt_key_id(held->key)));
	json_member_string(w, "algorithm", text_of(jwt_algorithm_name(jwt_key_algorithm(held->key))));
	json_member_int(w, "createdMs", held->created_ms);
	json_member_int(w, "signsFromMs", held->signs_from_ms);
	jwt_key_secret(held->key, &secret);
	add_sealed(keys->config.vault, w, buffer_text(&secret));
	sodium_memzero(secret.data, secret.length);
	buffer_done(&secret);
	json_end_object(w);
}

static enum status write_file(const struct signing_keys *keys, struct error *err)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	add_sealed(keys->config.vault, &w,
	           (struct text){(const char *)keys->secret, sizeof keys->secret});
	json_add_key(&w, TEXT("keys"));
	json_begin_array(&w);
	for (size_t i = 0; i < keys->count; i++)
		write_key(keys, &keys->held[i], &w);
	json_end_array(&w);
	json_end_object(&w);
	buffer_add_text(&out, TEXT("\n"));
	enum status status = file_replace(keys->path, 0600, out.data, out.length, err);
	buffer_done(&out);
	return status;
}

static bool read_sealed(const struct signing_keys *keys, struct json object, struct buffer *out)
{
	struct json sealed = json_get(object, "sealed");
	if (json_type(sealed) != JSON_STRING)
		return false;
	struct text   hex   = json_string(sealed);
	struct buffer bytes = {0};
	size_t        count = hex.length / 2;
	bool          valid = hash_unhex(hex, (uint8_t *)buffer_reserve(&bytes, count + 1), count);
	bytes.length        = valid ? count : 0;
	valid = valid && vault_unseal_common(keys->config.vault, purpose, buffer_text(&bytes), out,
	                                     NULL) == STATUS_OK;
	buffer_done(&bytes);
	return valid;
}

static bool read_key(struct signing_keys *keys, struct json object)
{
	struct json        id = json_get(object, "id"), name = json_get(object, "algorithm");
	struct json        created = json_get(object, "createdMs");
	struct json        signs   = json_get(object, "signsFromMs");
	struct buffer      secret  = {0};
	struct held       *held    = &keys->held[keys->count];
	enum jwt_algorithm algorithm;
	if (keys->count == SIGNING_KEYS_MAX || json_type(id) != JSON_STRING ||
	    json_type(name) != JSON_STRING || !jwt_algorithm_of(json_string(name), &algorithm) ||
	    json_type(created) != JSON_INT || json_type(signs) != JSON_INT)
		return false;
	*held      = (struct held){.created_ms = json_int(created), .signs_from_ms = json_int(signs)};
	bool valid = read_sealed(keys, object, &secret) &&
	             jwt_key_read(algorithm, json_string(id), buffer_text(&secret), &held->key, NULL) ==
	                 STATUS_OK;
	if (secret.data != NULL)
		sodium_memzero(secret.data, secret.capacity);
	buffer_done(&secret);
	keys->count += valid;
	return valid;
}

static bool read_all(struct signing_keys *keys, struct json root)
{
	struct buffer secret = {0};
	bool          valid  = json_type(root) == JSON_OBJECT && read_sealed(keys, root, &secret) &&
	             secret.length == sizeof keys->secret;
	if (valid)
		memcpy(keys->secret, secret.data, secret.length);
	if (secret.data != NULL)
		sodium_memzero(secret.data, secret.capacity);
	buffer_done(&secret);
	if (!valid)
		return false;
	for (struct json_iterator i = json_iterate(json_get(root, "keys")); json_next(&i);)
		if (!read_key(keys, i.value))
			return false;
	return true;
}

static enum status read_file(struct signing_keys *keys, struct error *err)
{
	struct buffer text   = {0};
	enum status   status = file_read(keys->path, FILE_BYTES_MAX, &text, err);
	if (status == STATUS_OK) {
		struct json_parser *parser = json_parser_new();
		struct json         root;
		if (json_parse_text(parser, buffer_text(&text), &root, NULL) != STATUS_OK ||
		    !read_all(keys, root))
			status = error_set(err, STATUS_CORRUPT,
			                   "%s is damaged, or belongs to another workspace", keys->path);
		json_parser_free(parser);
	}
	buffer_done(&text);
	return status;
}

/* ---- One follows another ---- */

/* The newest of the algorithm that has begun to sign; where none has, since the clock went back,
 * the oldest. Never NULL once goes_on(). */
static struct held *signing(struct signing_keys *keys, int64_t now_ms)
{
	struct held *oldest = NULL;
	for (size_t i = keys->count; i-- > 0;) {
		if (jwt_key_algorithm(keys->held[i].key) != keys->config.algorithm)
			continue;
		if (keys->held[i].signs_from_ms <= now_ms)
			return &keys->held[i];
		oldest = &keys->held[i];
	}
	return oldest;
}

/* Whether one that signs by now has followed it so long ago that what it signed has expired. */
static bool is_over(const struct signing_keys *keys, size_t index, int64_t now_ms)
{
	return index + 1 < keys->count && keys->held[index + 1].signs_from_ms <= now_ms - VERIFIES_MS;
}

static void drop_over(struct signing_keys *keys, int64_t now_ms)
{
	while (keys->count > 0 && is_over(keys, 0, now_ms)) {
		jwt_key_free(keys->held[0].key);
		memmove(&keys->held[0], &keys->held[1], --keys->count * sizeof keys->held[0]);
	}
}

/* Whether the newest is of the algorithm: one that another has followed signs no more. */
static bool goes_on(const struct signing_keys *keys)
{
	return keys->count > 0 &&
	       jwt_key_algorithm(keys->held[keys->count - 1].key) == keys->config.algorithm;
}

static enum status make_next(struct signing_keys *keys, int64_t now_ms, struct error *err)
{
	struct held next    = {.created_ms = now_ms, .signs_from_ms = now_ms};
	bool        follows = goes_on(keys);
	if (follows && keys->held[keys->count - 1].signs_from_ms > now_ms)
		return error_set(err, STATUS_CONFLICT, "A key waits to follow already");
	drop_over(keys, now_ms);
	if (keys->count == SIGNING_KEYS_MAX)
		return error_set(err, STATUS_CONFLICT,
		                 "There are %d keys already, and tokens of each that have not expired",
		                 SIGNING_KEYS_MAX);
	if (follows && keys->config.algorithm != JWT_HS256)
		next.signs_from_ms += SIGNING_AHEAD_MS;
	next.key = jwt_key_new(keys->config.algorithm);
	if (next.key == NULL)
		return error_set(err, STATUS_UNSUPPORTED, "libcrypto makes no key of %s here",
		                 jwt_algorithm_name(keys->config.algorithm));
	keys->held[keys->count++] = next;
	enum status status        = write_file(keys, err);
	if (status != STATUS_OK)
		jwt_key_free(keys->held[--keys->count].key);
	return status;
}

enum status signing_keys_rotate(struct signing_keys *keys, int64_t now_ms, struct error *err)
{
	pthread_mutex_lock(&keys->lock);
	enum status status = make_next(keys, now_ms, err);
	pthread_mutex_unlock(&keys->lock);
	return status;
}

/* ---- Life ---- */

enum status signing_keys_open(const struct signing_keys_config *config, int64_t now_ms,
                              struct signing_keys **ret_keys, struct error *err)
{
	struct signing_keys *keys = calloc(1, sizeof *keys);
	struct error         why  = {0};
	assert(keys != NULL);
	keys->config = *config;
	pthread_mutex_init(&keys->lock, NULL);
	snprintf(keys->path, sizeof keys->path, "%s/signing.keys", config->directory);
	enum status status = read_file(keys, &why);
	if (status == STATUS_NOT_FOUND) {
		random_bytes(keys->secret, sizeof keys->secret);
		status = make_next(keys, now_ms, &why);
	} else if (status == STATUS_OK && !goes_on(keys)) {
		status = make_next(keys, now_ms, &why); /* another algorithm was chosen */
	}
	if (status != STATUS_OK) {
		*err = why;
		signing_keys_free(keys);
		return status;
	}
	*ret_keys = keys;
	return STATUS_OK;
}

void signing_keys_free(struct signing_keys *keys)
{
	if (keys == NULL)
		return;
	for (size_t i = 0; i < keys->count; i++)
		jwt_key_free(keys->held[i].key);
	pthread_mutex_destroy(&keys->lock);
	sodium_memzero(keys, sizeof *keys);
	free(keys);
}

const uint8_t *signing_keys_secret(const struct signing_keys *keys) { return keys->secret; }

/* ---- Use ---- */

void signing_keys_sign(struct signing_keys *keys, struct text claims, int64_t now_ms,
                       struct buffer *out)
{
	pthread_mutex_lock(&keys->lock);
	struct held *held = signing(keys, now_ms);
	assert(held != NULL); /* at least the newest, since they were opened */
	if (keys->config.age_ms > 0 && now_ms - held->signs_from_ms >= keys->config.age_ms) {
		enum status status = make_next(keys, now_ms, NULL);
		(void)status;
		held = signing(keys, now_ms); /* elsewhere by now, also when there is no next one */
	}
	jwt_sign(held->key, claims, out);
	pthread_mutex_unlock(&keys->lock);
}

enum status signing_keys_verify(struct signing_keys *keys, struct text token, int64_t now_ms,
                                struct buffer *out, struct error *err)
{
	char        id[JWT_KEY_ID_BYTES];
	enum status status = STATUS_NOT_FOUND;
	if (!jwt_read_key_id(token, id))
		return error_set(err, STATUS_UNAUTHORIZED, "The token is not known");
	pthread_mutex_lock(&keys->lock);
	for (size_t i = 0; i < keys->count && status == STATUS_NOT_FOUND; i++)
		if (strcmp(jwt_key_id(keys->held[i].key), id) == 0 && !is_over(keys, i, now_ms))
			status = jwt_verify(keys->held[i].key, token, out, err);
	pthread_mutex_unlock(&keys->lock);
	if (status == STATUS_NOT_FOUND)
		return error_set(err, STATUS_UNAUTHORIZED, "The token is not known");
	return status;
}

size_t signing_keys_list(struct signing_keys *keys, int64_t now_ms,
                         struct signing_key_info ret_keys[SIGNING_KEYS_MAX])
{
	pthread_mutex_lock(&keys->lock);
	const struct held *present = signing(keys, now_ms);
	size_t             count   = keys->count;
	for (size_t i = 0; i < count; i++) {
		const struct held *held = &keys->held[i];
		ret_keys[i] = (struct signing_key_info){.algorithm     = jwt_key_algorithm(held->key),
		                                        .created_ms    = held->created_ms,
		                                        .signs_from_ms = held->signs_from_ms,
		                                        .signs         = held == present};
		snprintf(ret_keys[i].id, sizeof ret_keys[i].id, "%s", jwt_key_id(held->key));
	}
	pthread_mutex_unlock(&keys->lock);
	return count;
}

void signing_keys_write_public(struct signing_keys *keys, struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_add_key(&w, TEXT("keys"));
	json_begin_array(&w);
	pthread_mutex_lock(&keys->lock);
	for (size_t i = 0; i < keys->count; i++)
		jwt_key_write_public(keys->held[i].key, &w);
	pthread_mutex_unlock(&keys->lock);
	json_end_array(&w);
	json_end_object(&w);
}
