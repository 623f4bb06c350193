#include "sso/id_token.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#include "access/federated.h"
#include "sso/provider.h"

static struct text string_of(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_STRING ? json_string(value) : TEXT("");
}

/* Seconds, perhaps with a fraction; false: it is no number. */
static bool seconds_of(struct json object, const char *name, double *ret_seconds)
{
	struct json value = json_get(object, name);
	if (!json_is_number(value))
		return false;
	*ret_seconds = json_number(value);
	return true;
}

static enum status refuse(struct error *err, const char *claim, const char *reason)
{
	return error_set_field(err, STATUS_UNAUTHORIZED, claim, "The ID token %s", reason);
}

static enum status check_audience(struct json claims, struct text client_id, struct error *err)
{
	struct json aud = json_get(claims, "aud"), azp = json_get(claims, "azp");
	bool        ours  = false;
	size_t      count = 0;
	if (json_type(aud) == JSON_STRING) {
		ours  = text_equal(json_string(aud), client_id);
		count = 1;
	} else if (json_type(aud) == JSON_ARRAY) {
		for (struct json_iterator i = json_iterate(aud); json_next(&i); count++)
			ours |=
				json_type(i.value) == JSON_STRING && text_equal(json_string(i.value), client_id);
	}
	if (!ours)
		return refuse(err, "aud", "is meant for somebody else");
	if (json_type(azp) == JSON_NONE && count == 1)
		return STATUS_OK;
	if (json_type(azp) != JSON_STRING || !text_equal(json_string(azp), client_id))
		return refuse(err, "azp", "was issued to somebody else");
	return STATUS_OK;
}

static enum status check_times(struct json claims, int64_t now_ms, struct error *err)
{
	double now = (double)now_ms / 1000, exp, iat, nbf;
	if (!seconds_of(claims, "exp", &exp) || exp + ID_TOKEN_SECONDS_ASTRAY <= now)
		return refuse(err, "exp", "has expired");
	if (!seconds_of(claims, "iat", &iat) || iat > now + ID_TOKEN_SECONDS_ASTRAY ||
	    iat + ID_TOKEN_SECONDS_OLD < now)
		return refuse(err, "iat", "was not issued just now");
	if (json_type(json_get(claims, "nbf")) != JSON_NONE &&
	    (!seconds_of(claims, "nbf", &nbf) || nbf > now + ID_TOKEN_SECONDS_ASTRAY))
		return refuse(err, "nbf", "is not valid yet");
	return STATUS_OK;
}

/* The left half of the hash that goes with the algorithm (Core, 3.1.3.6). */
static enum status check_access_token(struct json claims, const struct id_token_wish *wish,
                                      struct error *err)
{
	struct json   at_hash = json_get(claims, "at_hash");
	const EVP_MD *digest  = wish->algorithm == JWS_EDDSA ? EVP_sha512() : EVP_sha256();
	struct buffer wanted  = {0};
	uint8_t       hash[EVP_MAX_MD_SIZE];
	unsigned      length = 0;
	if (json_type(at_hash) == JSON_NONE || wish->access_token.length == 0)
		return STATUS_OK;
	bool made = EVP_Digest(wish->access_token.data, wish->access_token.length, hash, &length,
	                       digest, NULL) == 1;
	if (made)
		jws_add_base64(&wanted, hash, length / 2);
	bool equal = made && json_type(at_hash) == JSON_STRING &&
	             text_equal(json_string(at_hash), buffer_text(&wanted));
	buffer_done(&wanted);
	return equal ? STATUS_OK : refuse(err, "at_hash", "belongs to another access token");
}

enum status id_token_check(struct json claims, const struct id_token_wish *wish, struct error *err)
{
	enum status status;
	if (json_type(claims) != JSON_OBJECT || !text_equal(string_of(claims, "iss"), wish->issuer))
		return refuse(err, "iss", "is of another issuer");
	if ((status = check_audience(claims, wish->client_id, err)) != STATUS_OK ||
	    (status = check_times(claims, wish->now_ms, err)) != STATUS_OK)
		return status;
	struct text nonce = string_of(claims, "nonce"), subject = string_of(claims, "sub");
	if (nonce.length != wish->nonce.length ||
	    sodium_memcmp(nonce.data, wish->nonce.data, nonce.length) != 0)
		return refuse(err, "nonce", "is of another login");
	if (subject.length == 0 || subject.length > FEDERATED_SUBJECT_BYTES_MAX)
		return refuse(err, "sub", "names nobody");
	return check_access_token(claims, wish, err);
}

/* ---- Who it is ---- */

static bool is_clean(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
			return false;
	return true;
}

static void take_text(struct json claims, const char *name, struct arena *arena, struct text *found)
{
	struct text text = string_of(claims, name);
	if (found->length == 0 && text.length <= SSO_TEXT_BYTES_MAX && is_clean(text))
		*found = arena_text(arena, text);
}

/* Some providers write it as a string. */
static void take_email(struct json claims, struct arena *arena, struct sso_claims *found)
{
	struct json verified = json_get(claims, "email_verified");
	if (found->email.length > 0)
		return;
	take_text(claims, "email", arena, &found->email);
	found->email_verified =
		json_type(verified) == JSON_BOOL
			? json_bool(verified)
			: json_type(verified) == JSON_STRING && text_equal(json_string(verified), TEXT("true"));
	found->email_denied = json_type(verified) != JSON_NONE && !found->email_verified;
}

static void take_groups(struct json value, struct arena *arena, struct sso_claims *found)
{
	if (found->has_groups || (json_type(value) != JSON_ARRAY && json_type(value) != JSON_STRING))
		return;
	found->has_groups = true;
	if (json_type(value) == JSON_STRING) {
		found->groups      = ARENA_ARRAY(arena, struct text, 1);
		found->groups[0]   = arena_text(arena, json_string(value));
		found->group_count = 1;
		return;
	}
	found->groups = ARENA_ARRAY(arena, struct text, SSO_GROUPS_OF_PERSON_MAX);
	for (struct json_iterator i = json_iterate(value);
	     found->group_count < SSO_GROUPS_OF_PERSON_MAX && json_next(&i);)
		if (json_type(i.value) == JSON_STRING)
			found->groups[found->group_count++] = arena_text(arena, json_string(i.value));
}

void sso_claims_take(struct json claims, struct text groups_claim, struct arena *arena,
                     struct sso_claims *found)
{
	take_text(claims, "sub", arena, &found->subject);
	take_text(claims, "name", arena, &found->name);
	take_email(claims, arena, found);
	take_groups(json_get(claims, groups_claim.data), arena, found);
}
