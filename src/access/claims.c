#include "access/claims.h"

#include <string.h>

#include "access/scope.h"
#include "base/json.h"

void claims_write(const struct claims *claims, const struct claims_realm *realm, struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_member_string(&w, "iss", text_of(realm->issuer));
	json_member_string(&w, "aud", text_of(realm->audience));
	json_member_string(&w, "sub", text_of(claims->person_id));
	json_member_string(&w, "user_id", text_of(claims->person_id));
	json_member_string(&w, "email", claims->email);
	json_member_string(&w, "subscription_tier", claims->tier);
	json_add_key(&w, TEXT("permissions"));
	scope_set_write_json(&w, claims->scopes);
	json_member_string(&w, "sid", text_of(claims->session_id));
	json_member_int(&w, "iat", claims->issued_s);
	json_member_int(&w, "exp", claims->expires_s);
	json_end_object(&w);
}

static struct text string_at(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_STRING ? json_string(value) : TEXT("");
}

static bool read_id(struct json object, const char *name, char ret_id[UUID_TEXT_BYTES])
{
	struct text id = string_at(object, name);
	if (!uuid_valid(id))
		return false;
	memcpy(ret_id, id.data, id.length);
	ret_id[id.length] = '\0';
	return true;
}

static bool read_seconds(struct json object, const char *name, int64_t *ret_s)
{
	struct json value = json_get(object, name);
	if (json_type(value) != JSON_INT)
		return false;
	*ret_s = json_int(value);
	return true;
}

static uint32_t read_scopes(struct json names)
{
	uint32_t set = 0;
	for (struct json_iterator i = json_iterate(names); json_next(&i);)
		if (json_type(i.value) == JSON_STRING)
			set |= scope_of(json_string(i.value));
	return set;
}

static bool read(struct json root, const struct claims_realm *realm, struct claims *claims)
{
	char user[UUID_TEXT_BYTES];
	if (json_type(root) != JSON_OBJECT || !read_id(root, "sub", claims->person_id) ||
	    !read_id(root, "user_id", user) || strcmp(user, claims->person_id) != 0 ||
	    !read_id(root, "sid", claims->session_id) ||
	    !text_equal(string_at(root, "iss"), text_of(realm->issuer)) ||
	    !text_equal(string_at(root, "aud"), text_of(realm->audience)) ||
	    !read_seconds(root, "iat", &claims->issued_s) ||
	    !read_seconds(root, "exp", &claims->expires_s))
		return false;
	claims->scopes = read_scopes(json_get(root, "permissions"));
	return true;
}

enum status claims_read(struct text json, const struct claims_realm *realm, int64_t now_ms,
                        struct claims *ret_claims, struct error *err)
{
	struct json_parser *parser = json_parser_new();
	struct claims       claims = {0};
	struct json         root;
	bool                valid =
		json_parse_text(parser, json, &root, NULL) == STATUS_OK && read(root, realm, &claims);
	int64_t     not_before_s = claims.issued_s;
	struct json nbf          = valid ? json_get(root, "nbf") : (struct json){0};
	if (json_type(nbf) > JSON_NULL)
		valid &= read_seconds(root, "nbf", &not_before_s);
	json_parser_free(parser);
	int64_t now_s = now_ms / 1000;
	if (!valid)
		return error_set(err, STATUS_UNAUTHORIZED, "The token is not known");
	if (now_s >= claims.expires_s)
		return error_set(err, STATUS_UNAUTHORIZED, "The token has expired");
	if (claims.issued_s > now_s + CLAIMS_SECONDS_ASTRAY ||
	    not_before_s > now_s + CLAIMS_SECONDS_ASTRAY || claims.expires_s <= claims.issued_s ||
	    claims.expires_s - claims.issued_s > CLAIMS_SECONDS)
		return error_set(err, STATUS_UNAUTHORIZED, "The token is not valid yet, or for too long");
	*ret_claims = claims;
	return STATUS_OK;
}
