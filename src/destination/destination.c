#include "destination/destination.h"

#include <stddef.h>
#include <string.h>

#include "base/hash.h"
#include "model/consent.h"

#define SEAL_PURPOSE TEXT("sonnim destination")

static const char *const kind_names[DESTINATION_KIND_COUNT] = {"s3", "marketing_platform"};

const char *destination_kind_name(enum destination_kind kind) { return kind_names[kind]; }

enum status destination_judge(unsigned http_status)
{
	switch (http_status) {
	case 401:
	case 403:
		return STATUS_FORBIDDEN;
	case 404:
		return STATUS_NOT_FOUND;
	case 408:
		return STATUS_TIMEOUT;
	case 429:
		return STATUS_LIMITED;
	default:
		return http_status / 100 == 2                    ? STATUS_OK
		       : http_status >= 500 || http_status < 200 ? STATUS_UNAVAILABLE
		                                                 : STATUS_INVALID;
	}
}

/* ---- Members ---- */

enum { OF_S3 = 1 << DESTINATION_S3, OF_PLATFORM = 1 << DESTINATION_MARKETING_PLATFORM };

struct member {
	const char *name;
	size_t      at; /* of the text in struct destination */
	unsigned    kinds;
	bool        needed;
	bool        secret;
};

#define AT(field) offsetof(struct destination, field)
static const struct member members[] = {
	{"region", AT(region), OF_S3, true, false},
	{"bucket", AT(bucket), OF_S3, true, false},
	{"endpoint", AT(endpoint), OF_S3, false, false},
	{"prefix", AT(prefix), OF_S3, false, false},
	{"url", AT(url), OF_PLATFORM, true, false},
	{"source", AT(source), OF_PLATFORM, false, false},
	{"consent", AT(consent), OF_S3 | OF_PLATFORM, false, false},
	{"accessKeyId", AT(access_key_id), OF_S3, true, true},
	{"secretAccessKey", AT(secret_access_key), OF_S3, true, true},
	{"token", AT(token), OF_PLATFORM, false, true},
};
enum { MEMBER_COUNT = sizeof members / sizeof members[0] };

static const char **place_of(struct destination *destination, const struct member *member)
{
	return (const char **)(void *)((char *)destination + member->at);
}

static const char *text_at(const struct destination *destination, const struct member *member)
{
	const char *const *place =
		(const char *const *)(const void *)((const char *)destination + member->at);
	return *place == NULL ? "" : *place;
}

static const struct member *member_of(const struct destination *destination, struct text name)
{
	for (unsigned i = 0; i < MEMBER_COUNT; i++)
		if (text_equal(name, text_of(members[i].name)) &&
		    (members[i].kinds & (1U << destination->kind)) != 0)
			return &members[i];
	return NULL;
}

/* ---- Checks ---- */

static enum status refuse(struct error *err, const char *field, const char *reason)
{
	return error_set_field(err, STATUS_INVALID, field, "%s", reason);
}

static bool is_of(const char *text, const char *others)
{
	for (; *text != '\0'; text++) {
		bool alnum = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
		             (*text >= '0' && *text <= '9');
		if (!alnum && strchr(others, *text) == NULL)
			return false;
	}
	return true;
}

/* http or https with a host, and neither credentials, query nor fragment. */
static bool is_address(const char *url)
{
	size_t skip = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
	if (skip == 0 || url[skip] == '\0' || url[skip] == '/')
		return false;
	for (const char *at = url; *at != '\0'; at++)
		if ((unsigned char)*at <= ' ' || (unsigned char)*at > '~' || strchr("@?#\\\"", *at) != NULL)
			return false;
	return true;
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static bool is_consent(const char *text)
{
	struct consent consent;
	struct arena   arena;
	arena_init(&arena);
	bool valid = strcmp(text, "none") == 0 || consent_read(text_of(text), &arena, &consent);
	arena_done(&arena);
	return valid;
}

static enum status check_member(const struct member *member, const char *text, struct error *err)
{
	if (member->needed && *text == '\0')
		return refuse(err, member->name, "It must be set");
	if (!is_printable(text))
		return refuse(err, member->name, "It has a control character");
	if (*text == '\0')
		return STATUS_OK;
	if ((strcmp(member->name, "endpoint") == 0 || strcmp(member->name, "url") == 0) &&
	    !is_address(text))
		return refuse(err, member->name,
		              "It must be an http or https address without credentials and query");
	if (strcmp(member->name, "region") == 0 && !is_of(text, "-"))
		return refuse(err, member->name, "A region is letters, digits and \"-\"");
	if (strcmp(member->name, "bucket") == 0 && !is_of(text, ".-"))
		return refuse(err, member->name, "A bucket's name is letters, digits, \".\" and \"-\"");
	if (strcmp(member->name, "consent") == 0 && !is_consent(text))
		return refuse(
			err, member->name,
			"It is a purpose, a purpose and a channel (\"marketing.email\"), or \"none\"");
	return STATUS_OK;
}

struct text destination_consent(const struct destination *destination)
{
	const char *consent = destination->consent;
	if (consent == NULL || *consent == '\0')
		consent = destination->kind == DESTINATION_MARKETING_PLATFORM ? "marketing" : "none";
	return strcmp(consent, "none") == 0 ? TEXT("") : text_of(consent);
}

static enum status check(const struct destination *destination, struct error *err)
{
	enum status status = STATUS_OK;
	for (unsigned i = 0; i < MEMBER_COUNT && status == STATUS_OK; i++)
		if ((members[i].kinds & (1U << destination->kind)) != 0)
			status = check_member(&members[i], text_at(destination, &members[i]), err);
	return status;
}

/* ---- From JSON ---- */

static enum status take_text(struct json value, const char *field, size_t max, struct arena *arena,
                             const char **ret_text, struct error *err)
{
	if (json_type(value) == JSON_NULL) {
		*ret_text = "";
		return STATUS_OK;
	}
	if (json_type(value) != JSON_STRING)
		return refuse(err, field, "It must be a string");
	struct text text = json_string(value);
	if (text.length > max)
		return error_set_field(err, STATUS_INVALID, field, "It is longer than %zu bytes", max);
	if (text.length > 0 && memchr(text.data, '\0', text.length) != NULL)
		return refuse(err, field, "It has a control character");
	*ret_text = arena_text(arena, text).data;
	return STATUS_OK;
}

static enum status take_name(struct json value, struct arena *arena,
                             struct destination *destination, struct error *err)
{
	enum status status =
		take_text(value, "name", DESTINATION_NAME_BYTES_MAX, arena, &destination->name, err);
	if (status == STATUS_OK &&
	    (*destination->name == '\0' || !is_of(destination->name, ".-_") ||
	     strcmp(destination->name, "file") == 0 || strcmp(destination->name, "s3") == 0 ||
	     strcmp(destination->name, "marketing_platform") == 0))
		return refuse(err, "name",
		              "A name is letters, digits, \".\", \"-\" and \"_\", and no kind");
	return status;
}

static enum status take_kind(struct json value, struct destination *destination, struct error *err)
{
	for (unsigned i = 0; i < DESTINATION_KIND_COUNT; i++)
		if (json_type(value) == JSON_STRING &&
		    text_equal(json_string(value), text_of(kind_names[i]))) {
			destination->kind = (enum destination_kind)i;
			return STATUS_OK;
		}
	return refuse(err, "kind", "It is s3 or marketing_platform");
}

static enum status take_member(struct text name, struct json value, struct arena *arena,
                               struct destination *destination, struct error *err)
{
	if (text_equal(name, TEXT("kind")))
		return STATUS_OK;
	if (text_equal(name, TEXT("name")))
		return take_name(value, arena, destination, err);
	if (text_equal(name, TEXT("pathStyle")) && destination->kind == DESTINATION_S3) {
		if (json_type(value) != JSON_BOOL)
			return refuse(err, "pathStyle", "It is true or false");
		destination->path_style = json_bool(value);
		return STATUS_OK;
	}
	const struct member *member = member_of(destination, name);
	if (member == NULL)
		return error_set_field(err, STATUS_INVALID, arena_text(arena, name).data,
		                       "A destination of the kind %s has no such member",
		                       kind_names[destination->kind]);
	return take_text(value, member->name, DESTINATION_TEXT_BYTES_MAX, arena,
	                 place_of(destination, member), err);
}

enum status destination_read(struct json body, bool create, struct arena *arena,
                             struct destination *destination, struct error *err)
{
	struct json kind   = json_get(body, "kind");
	enum status status = STATUS_OK;
	if (create || json_type(kind) != JSON_NONE) {
		enum destination_kind before = destination->kind;
		status                       = take_kind(kind, destination, err);
		if (status == STATUS_OK && !create && destination->kind != before)
			return refuse(err, "kind", "The kind of a destination cannot be changed");
	}
	if (status == STATUS_OK && create && json_type(json_get(body, "name")) == JSON_NONE)
		return refuse(err, "name", "It must be set");
	for (struct json_iterator i = json_iterate(body); status == STATUS_OK && json_next(&i);)
		status = take_member(i.name, i.value, arena, destination, err);
	return status == STATUS_OK ? check(destination, err) : status;
}

/* ---- To JSON ---- */

static void write_members(struct json_writer *writer, const struct destination *destination,
                          bool secret)
{
	for (unsigned i = 0; i < MEMBER_COUNT; i++)
		if ((members[i].kinds & (1U << destination->kind)) != 0 && members[i].secret == secret)
			json_member_string(writer, members[i].name, text_of(text_at(destination, &members[i])));
	if (!secret && destination->kind == DESTINATION_S3)
		json_member_bool(writer, "pathStyle", destination->path_style);
}

void destination_write(struct json_writer *writer, const struct destination *destination)
{
	json_begin_object(writer);
	json_member_string(writer, "id", text_of(destination->id));
	json_member_string(writer, "name", text_of(destination->name));
	json_member_string(writer, "kind", text_of(kind_names[destination->kind]));
	write_members(writer, destination, false);
	json_add_key(writer, TEXT("credentials"));
	json_begin_array(writer);
	for (unsigned i = 0; i < MEMBER_COUNT; i++)
		if (members[i].secret && *text_at(destination, &members[i]) != '\0')
			json_add_string(writer, text_of(members[i].name));
	json_end_array(writer);
	json_member_int(writer, "version", destination->version);
	json_member_instant(writer, "createdAt", destination->created_ms);
	json_member_instant(writer, "updatedAt", destination->updated_ms);
	json_end_object(writer);
}

/* ---- In the store ---- */

static struct text written(const struct destination *destination, bool secret, struct arena *arena)
{
	struct buffer      out    = {0};
	struct json_writer writer = json_writer_of(&out);
	json_begin_object(&writer);
	write_members(&writer, destination, secret);
	json_end_object(&writer);
	struct text text = arena_text(arena, buffer_text(&out));
	if (secret)
		explicit_bzero(out.data, out.length);
	buffer_done(&out);
	return text;
}

void destination_seal(const struct destination *destination, struct vault *vault,
                      struct arena *arena, struct store_destination *ret_row)
{
	struct buffer sealed = {0};
	struct text   plain  = written(destination, true, arena);
	vault_seal_common(vault, SEAL_PURPOSE, plain, &sealed);
	explicit_bzero((char *)plain.data, plain.length);
	*ret_row = (struct store_destination){
		.name        = text_of(destination->name),
		.kind        = text_of(kind_names[destination->kind]),
		.settings    = written(destination, false, arena),
		.credentials = arena_text(arena, buffer_text(&sealed)),
		.version     = destination->version,
		.created_ms  = destination->created_ms,
		.updated_ms  = destination->updated_ms,
	};
	memcpy(ret_row->id, destination->id, sizeof ret_row->id);
	buffer_done(&sealed);
}

static enum status take_all(struct text json, struct arena *arena, struct destination *destination,
                            struct error *err)
{
	struct json_parser *parser = json_parser_new();
	struct json         object;
	enum status         status = json_parse_text(parser, json, &object, err);
	if (status == STATUS_OK)
		for (struct json_iterator i = json_iterate(object); status == STATUS_OK && json_next(&i);)
			status = take_member(i.name, i.value, arena, destination, err);
	json_parser_free(parser);
	return status;
}

enum status destination_open(const struct store_destination *row, struct vault *vault,
                             struct arena *arena, struct destination *ret_destination,
                             struct error *err)
{
	struct destination destination = {
		.name       = arena_text(arena, row->name).data,
		.version    = row->version,
		.created_ms = row->created_ms,
		.updated_ms = row->updated_ms,
	};
	memcpy(destination.id, row->id, sizeof destination.id);
	while (destination.kind < DESTINATION_KIND_COUNT &&
	       !text_equal(row->kind, text_of(kind_names[destination.kind])))
		destination.kind++;
	if (destination.kind == DESTINATION_KIND_COUNT)
		return error_set(err, STATUS_CORRUPT, "destination %s is of an unknown kind",
		                 destination.name);
	for (unsigned i = 0; i < MEMBER_COUNT; i++)
		*place_of(&destination, &members[i]) = "";

	struct buffer plain  = {0};
	enum status   status = vault_unseal_common(vault, SEAL_PURPOSE, row->credentials, &plain, err);
	if (status == STATUS_OK)
		status = take_all(row->settings, arena, &destination, err);
	if (status == STATUS_OK)
		status = take_all(buffer_text(&plain), arena, &destination, err);
	if (plain.length > 0)
		explicit_bzero(plain.data, plain.length);
	buffer_done(&plain);
	if (status == STATUS_OK)
		*ret_destination = destination;
	return status;
}

enum status destination_load(struct store *store, struct vault *vault, struct text name,
                             struct arena *arena, struct destination *ret_destination,
                             struct error *err)
{
	struct store_destination row;
	enum status              status = store->ops->destination_get(store, name, arena, &row, err);
	if (status == STATUS_NOT_FOUND)
		return error_set(err, status, "There is no destination %.*s", TEXT_FORMAT(name));
	return status == STATUS_OK ? destination_open(&row, vault, arena, ret_destination, err)
	                           : status;
}
