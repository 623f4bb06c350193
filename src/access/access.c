#include "access/access.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "access/access_internal.h"
#include "access/code.h"
#include "base/clock.h"
#include "base/instant.h"

static const char        required[] = "required";
static const struct text purpose    = {"people", 6};

static const char *check_algorithm(const void *member)
{
	const char        *name = *(const char *const *)member;
	enum jwt_algorithm algorithm;
	return name != NULL && jwt_algorithm_of(text_of(name), &algorithm)
	           ? NULL
	           : "must be HS256, RS256 or EdDSA";
}

static const char *check_second_factor(const void *member)
{
	const char *name = *(const char *const *)member;
	return name != NULL && (strcmp(name, "optional") == 0 || strcmp(name, required) == 0)
	           ? NULL
	           : "must be optional or required";
}

#define ACCESS struct access_settings
static const struct setting table[] = {
	SETTING_STRING(ACCESS, algorithm, "token-algorithm", "HS256",
                   "How access tokens of people are signed: HS256, or RS256 or EdDSA, whose public "
                   "keys stand at /.well-known/jwks.json",
                   "ALGORITHM", .check = check_algorithm),
	SETTING_DURATION(ACCESS, key_age_ms, "signing-key-age", "90d", 0, INT64_C(36500) * DAY_MS,
                     "A key that has signed tokens for so long is followed by a new one; 0: never"),
	SETTING_DURATION(ACCESS, session_idle_ms, "session-idle", "14d", 60000, INT64_C(3660) * DAY_MS,
                     "A login that is not refreshed for so long ends"),
	SETTING_DURATION(ACCESS, session_ms, "session-length", "90d", 0, INT64_C(3660) * DAY_MS,
                     "A login ends after so long in any case; 0: never"),
	SETTING_DURATION(ACCESS, invitation_ms, "invitation-length", "7d", 60000, INT64_C(366) * DAY_MS,
                     "How long an invitation can be used"),
	SETTING_STRING(ACCESS, second_factor, "second-factor", "optional",
                   "Whether who logs in by a password must have a second factor: optional, or "
                   "required, by which he may do nothing but what is his own until he has one",
                   "WHETHER", .check = check_second_factor),
};
#undef ACCESS

struct settings access_settings_of(struct access_settings *target)
{
	return (struct settings){table, sizeof table / sizeof table[0], target};
}

static char *copy(const char *text)
{
	char *own = strdup(text);
	assert(own != NULL);
	return own;
}

enum status access_open(const struct access_config *config, struct access **ret_access,
                        struct error *err)
{
	struct access             *access = calloc(1, sizeof *access);
	struct signing_keys_config keys   = {.directory = config->keyring_directory,
	                                     .vault     = config->vault,
	                                     .age_ms    = config->settings->key_age_ms};
	assert(access != NULL);
	bool known = jwt_algorithm_of(text_of(config->settings->algorithm), &keys.algorithm);
	assert(known); /* the settings are checked */
	access->config                 = *config;
	access->issuer                 = copy(config->issuer);
	access->audience               = copy(config->audience);
	access->attempts               = attempts_new();
	access->second_factor_required = strcmp(config->settings->second_factor, required) == 0;
	enum status status             = signing_keys_open(&keys, clock_wall_ms(), &access->keys, err);
	if (status != STATUS_OK) {
		access_close(access);
		return status;
	}
	*ret_access = access;
	return STATUS_OK;
}

void access_close(struct access *access)
{
	if (access == NULL)
		return;
	signing_keys_free(access->keys);
	attempts_free(access->attempts);
	free(access->issuer);
	free(access->audience);
	free(access);
}

struct signing_keys *access_signing_keys(struct access *access) { return access->keys; }

const struct access_settings *access_settings(const struct access *access)
{
	return access->config.settings;
}

const char *access_issuer(const struct access *access) { return access->issuer; }

struct access_counts access_counts(struct access *access)
{
	return (struct access_counts){.logins    = atomic_load(&access->logins),
	                              .refused   = atomic_load(&access->refused),
	                              .delayed   = atomic_load(&access->delayed),
	                              .passwords = atomic_load(&access->passwords),
	                              .refreshes = atomic_load(&access->refreshes),
	                              .reuses    = atomic_load(&access->reuses)};
}

/* ---- What is personal ---- */

enum { EMAIL_BYTES_MAX = 254 };

void access_email_hash(const struct access *access, struct text email,
                       uint8_t ret_hash[STORE_TOKEN_HASH_BYTES])
{
	char   lower[EMAIL_BYTES_MAX];
	size_t length = email.length < sizeof lower ? email.length : sizeof lower;
	for (size_t i = 0; i < length; i++) {
		char c   = email.data[i];
		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	code_hash(access_secret(access), "email", (struct text){lower, length}, ret_hash);
}

struct text access_seal(const struct access *access, struct arena *arena, struct text plain)
{
	struct buffer out = {0};
	vault_seal_common(access->config.vault, purpose, plain, &out);
	struct text sealed = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return sealed;
}

enum status access_unseal(const struct access *access, struct arena *arena, struct text sealed,
                          struct text *ret_plain, struct error *err)
{
	struct buffer out    = {0};
	enum status   status = vault_unseal_common(access->config.vault, purpose, sealed, &out, err);
	if (status == STATUS_OK)
		*ret_plain = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return status;
}

struct text access_string(struct json object, const char *name, struct arena *arena)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_STRING ? arena_text(arena, json_string(value)) : TEXT("");
}
