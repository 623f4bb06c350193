#include "sso/provider.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"

#define SEAL_PURPOSE TEXT("sonnim sso")

enum { NAME_OF_ROLE_BYTES_MAX = 64 };

/* ---- What may be said ---- */

bool sso_name_is_good(struct text name)
{
	if (name.length == 0 || name.length > SSO_NAME_BYTES_MAX || name.data[0] < 'a' ||
	    name.data[0] > 'z')
		return false;
	for (size_t i = 0; i < name.length; i++) {
		char c = name.data[i];
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-')
			return false;
	}
	return true;
}

static bool is_clean(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
			return false;
	return true;
}

/* What stands between "://" and the path. */
static struct text authority_of(struct text url, size_t skip)
{
	size_t end = skip;
	while (end < url.length && strchr("/?#", url.data[end]) == NULL)
		end++;
	return (struct text){url.data + skip, end - skip};
}

static bool is_plain(struct text url)
{
	for (size_t i = 0; i < url.length; i++)
		if ((unsigned char)url.data[i] <= ' ' || (unsigned char)url.data[i] > '~' ||
		    strchr("@#\\\"", url.data[i]) != NULL)
			return false;
	return true;
}

bool sso_address_is_loopback(struct text url)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
	if (!text_starts_with(url, TEXT("http://")))
		return false;
	struct text authority = authority_of(url, 7);
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		size_t length = strlen(hosts[i]);
		if (text_starts_with(authority, text_of(hosts[i])) &&
		    (authority.length == length || authority.data[length] == ':'))
			return true;
	}
	return false;
}

bool sso_address_is_good(struct text url, bool loopback)
{
	if (url.length > SSO_TEXT_BYTES_MAX || !is_plain(url))
		return false;
	if (text_starts_with(url, TEXT("https://")))
		return authority_of(url, 8).length > 0;
	return loopback && sso_address_is_loopback(url);
}

static enum status refuse(struct error *err, const char *field, const char *reason)
{
	return error_set_field(err, STATUS_INVALID, field, "%s", reason);
}

/* ---- From JSON ---- */

static enum status take_text(struct json body, const char *name, const char *fallback,
                             struct arena *arena, struct text *ret_text, struct error *err)
{
	struct json value = json_get(body, name);
	if (json_type(value) <= JSON_NULL) {
		if (fallback == NULL)
			return refuse(err, name, "It must be set");
		*ret_text = text_of(fallback);
		return STATUS_OK;
	}
	if (json_type(value) != JSON_STRING)
		return refuse(err, name, "It must be a string");
	struct text text = json_string(value);
	if (text.length == 0 || text.length > SSO_TEXT_BYTES_MAX || !is_clean(text))
		return error_set_field(err, STATUS_INVALID, name,
		                       "It must have 1 to %d bytes, without control characters",
		                       SSO_TEXT_BYTES_MAX);
	*ret_text = arena_text(arena, text);
	return STATUS_OK;
}

static enum status take_bool(struct json body, const char *name, bool fallback, bool *ret_value,
                             struct error *err)
{
	struct json value = json_get(body, name);
	if (json_type(value) != JSON_BOOL && json_type(value) != JSON_NONE)
		return refuse(err, name, "It must be true or false");
	*ret_value = json_type(value) == JSON_BOOL ? json_bool(value) : fallback;
	return STATUS_OK;
}

/* Whether the names with blanks between have this one. */
static bool has_name(struct text names, struct text name)
{
	for (size_t begin = 0, at = 0; at <= names.length; at++)
		if (at == names.length || names.data[at] == ' ') {
			if (text_equal((struct text){names.data + begin, at - begin}, name))
				return true;
			begin = at + 1;
		}
	return false;
}

static void add_name(struct buffer *names, struct text name)
{
	if (name.length == 0 || has_name(buffer_text(names), name))
		return;
	if (names->length > 0)
		buffer_add_text(names, TEXT(" "));
	buffer_add_text(names, name);
}

static void add_names(struct buffer *names, struct text more)
{
	for (size_t begin = 0, at = 0; at <= more.length; at++)
		if (at == more.length || more.data[at] == ' ') {
			add_name(names, (struct text){more.data + begin, at - begin});
			begin = at + 1;
		}
}

static struct text kept(struct buffer *names, struct arena *arena)
{
	struct text text = arena_text(arena, buffer_text(names));
	buffer_done(names);
	return text;
}

/* A list of words as a text with blanks between; empty when it is absent. */
static enum status take_names(struct json list, const char *field, size_t count_max,
                              struct arena *arena, struct text *ret_names, struct error *err)
{
	struct buffer names  = {0};
	enum status   status = STATUS_OK;
	size_t        count  = 0;
	*ret_names           = TEXT("");
	if (json_type(list) == JSON_NONE)
		return STATUS_OK;
	if (json_type(list) != JSON_ARRAY)
		return refuse(err, field, "It must be a list of names");
	for (struct json_iterator i = json_iterate(list); status == STATUS_OK && json_next(&i);) {
		struct text name = json_type(i.value) == JSON_STRING ? json_string(i.value) : TEXT("");
		if (name.length == 0 || name.length > NAME_OF_ROLE_BYTES_MAX || !is_clean(name) ||
		    memchr(name.data, ' ', name.length) != NULL || ++count > count_max)
			status = error_set_field(err, STATUS_INVALID, field,
			                         "It must hold %zu names at most, of 1 to %d bytes", count_max,
			                         NAME_OF_ROLE_BYTES_MAX);
		else
			add_name(&names, name);
	}
	*ret_names = kept(&names, arena);
	return status;
}

static enum status take_scopes(struct json body, struct arena *arena, struct text *ret_scopes,
                               struct error *err)
{
	enum status status =
		take_names(json_get(body, "scopes"), "scopes", SSO_SCOPES_MAX, arena, ret_scopes, err);
	if (status == STATUS_OK && ret_scopes->length == 0)
		*ret_scopes = TEXT("email profile");
	return status;
}

static enum status take_mapping(struct json body, struct arena *arena,
                                struct sso_provider *provider, struct error *err)
{
	struct json mapping     = json_get(body, "role_mapping");
	enum status status      = STATUS_OK;
	provider->mapping_count = 0;
	if (json_type(mapping) == JSON_NONE)
		return STATUS_OK;
	if (json_type(mapping) != JSON_OBJECT || json_count(mapping) > SSO_MAPPINGS_MAX)
		return error_set_field(err, STATUS_INVALID, "role_mapping",
		                       "It must be an object of %d groups at most", SSO_MAPPINGS_MAX);
	provider->mappings = ARENA_ARRAY(arena, struct sso_mapping, json_count(mapping) + 1);
	for (struct json_iterator i = json_iterate(mapping); status == STATUS_OK && json_next(&i);) {
		struct sso_mapping *each = &provider->mappings[provider->mapping_count++];
		if (i.name.length == 0 || i.name.length > SSO_TEXT_BYTES_MAX)
			return refuse(err, "role_mapping", "A group has a name");
		each->group = arena_text(arena, i.name);
		status =
			take_names(i.value, "role_mapping", SSO_ROLES_OF_GROUP_MAX, arena, &each->roles, err);
	}
	return status;
}

/* On our own origin only: no host of somebody else gets the code. */
static bool is_return_path(struct text path)
{
	return path.length > 0 && path.data[0] == '/' && (path.length == 1 || path.data[1] != '/') &&
	       is_plain(path);
}

static enum status take_return_path(struct json body, struct arena *arena, struct text *ret_path,
                                    struct error *err)
{
	enum status status = take_text(body, "return_path", "", arena, ret_path, err);
	if (status == STATUS_OK && ret_path->length > 0 && !is_return_path(*ret_path))
		return refuse(err, "return_path", "It must be a path of this server, such as /login");
	return status;
}

static enum status take_secret(struct json body, struct arena *arena, struct text *secret,
                               struct error *err)
{
	enum json_type type = json_type(json_get(body, "client_secret"));
	if (type == JSON_NONE)
		return STATUS_OK;
	return take_text(body, "client_secret", "", arena, secret, err);
}

enum status sso_provider_read(struct json body, struct arena *arena, struct sso_provider *provider,
                              struct error *err)
{
	enum status status;
	if ((status = take_text(body, "issuer", NULL, arena, &provider->issuer, err)) != STATUS_OK ||
	    (status = take_text(body, "client_id", NULL, arena, &provider->client_id, err)) !=
	        STATUS_OK ||
	    (status = take_secret(body, arena, &provider->client_secret, err)) != STATUS_OK ||
	    (status = take_scopes(body, arena, &provider->scopes, err)) != STATUS_OK ||
	    (status = take_text(body, "groups_claim", "groups", arena, &provider->groups_claim, err)) !=
	        STATUS_OK ||
	    (status = take_mapping(body, arena, provider, err)) != STATUS_OK ||
	    (status = take_names(json_get(body, "default_roles"), "default_roles",
	                         SSO_ROLES_OF_GROUP_MAX, arena, &provider->default_roles, err)) !=
	        STATUS_OK ||
	    (status = take_return_path(body, arena, &provider->return_path, err)) != STATUS_OK ||
	    (status = take_bool(body, "link_by_email", false, &provider->link_by_email, err)) !=
	        STATUS_OK ||
	    (status = take_bool(body, "active", true, &provider->active, err)) != STATUS_OK)
		return status;
	if (!sso_address_is_good(provider->issuer, true) ||
	    memchr(provider->issuer.data, '?', provider->issuer.length) != NULL)
		return refuse(err, "issuer",
		              "It must be an https address without credentials, query and fragment; http "
		              "to this machine itself");
	return STATUS_OK;
}

/* ---- To JSON ---- */

static void write_names(struct json_writer *w, struct text names)
{
	json_begin_array(w);
	for (size_t begin = 0, at = 0; at <= names.length; at++)
		if (at == names.length || names.data[at] == ' ') {
			if (at > begin)
				json_add_string(w, (struct text){names.data + begin, at - begin});
			begin = at + 1;
		}
	json_end_array(w);
}

void sso_provider_write(struct json_writer *w, const struct sso_provider *provider)
{
	json_member_string(w, "issuer", provider->issuer);
	json_member_string(w, "client_id", provider->client_id);
	json_add_key(w, TEXT("scopes"));
	write_names(w, provider->scopes);
	json_member_string(w, "groups_claim", provider->groups_claim);
	json_add_key(w, TEXT("role_mapping"));
	json_begin_object(w);
	for (size_t i = 0; i < provider->mapping_count; i++) {
		json_add_key(w, provider->mappings[i].group);
		write_names(w, provider->mappings[i].roles);
	}
	json_end_object(w);
	json_add_key(w, TEXT("default_roles"));
	write_names(w, provider->default_roles);
	json_member_bool(w, "link_by_email", provider->link_by_email);
	if (provider->return_path.length > 0)
		json_member_string(w, "return_path", provider->return_path);
	else
		json_member_null(w, "return_path");
	json_member_bool(w, "active", provider->active);
}

/* ---- In the store ---- */

void sso_provider_seal(const struct sso_provider *provider, struct vault *vault,
                       struct arena *arena, struct store_sso_provider *ret_row)
{
	struct buffer      settings = {0}, sealed = {0};
	struct json_writer w = json_writer_of(&settings);
	json_begin_object(&w);
	sso_provider_write(&w, provider);
	json_end_object(&w);
	vault_seal_common(vault, SEAL_PURPOSE, provider->client_secret, &sealed);
	*ret_row = (struct store_sso_provider){.name        = provider->name,
	                                       .settings    = kept(&settings, arena),
	                                       .credentials = kept(&sealed, arena),
	                                       .created_ms  = provider->created_ms,
	                                       .updated_ms  = provider->updated_ms};
	memcpy(ret_row->id, provider->id, sizeof ret_row->id);
}

enum status sso_provider_open(const struct store_sso_provider *row, struct vault *vault,
                              struct arena *arena, struct sso_provider *ret_provider,
                              struct error *err)
{
	struct sso_provider provider = {.name       = arena_text(arena, row->name),
	                                .created_ms = row->created_ms,
	                                .updated_ms = row->updated_ms};
	struct json_parser *parser   = json_parser_new();
	struct buffer       secret   = {0};
	struct json         body;
	memcpy(provider.id, row->id, sizeof provider.id);
	enum status status = vault_unseal_common(vault, SEAL_PURPOSE, row->credentials, &secret, err);
	if (status == STATUS_OK) {
		provider.client_secret = arena_text(arena, buffer_text(&secret));
		status                 = json_parse_text(parser, row->settings, &body, err);
	}
	if (status == STATUS_OK)
		status = sso_provider_read(body, arena, &provider, err);
	if (status == STATUS_INVALID)
		status = error_set(err, STATUS_CORRUPT, "A provider's row in the store is damaged");
	if (secret.data != NULL)
		explicit_bzero(secret.data, secret.capacity);
	buffer_done(&secret);
	json_parser_free(parser);
	if (status == STATUS_OK)
		*ret_provider = provider;
	return status;
}

/* ---- Roles ---- */

struct text sso_provider_roles(const struct sso_provider *provider, const struct text *groups,
                               size_t count, struct arena *arena)
{
	struct buffer roles = {0};
	for (size_t i = 0; i < provider->mapping_count; i++)
		for (size_t j = 0; j < count; j++)
			if (text_equal(provider->mappings[i].group, groups[j]))
				add_names(&roles, provider->mappings[i].roles);
	if (roles.length == 0)
		add_names(&roles, provider->default_roles);
	return kept(&roles, arena);
}

struct text sso_provider_all_roles(const struct sso_provider *provider, struct arena *arena)
{
	struct buffer roles = {0};
	add_names(&roles, provider->default_roles);
	for (size_t i = 0; i < provider->mapping_count; i++)
		add_names(&roles, provider->mappings[i].roles);
	return kept(&roles, arena);
}
