#include "api/call.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "base/instant.h"

enum status call_json(struct api_call *call, struct json *ret_root, struct error *err)
{
	struct text body = http_body(call->request);
	if (body.length > CALL_BODY_BYTES_MAX)
		return error_set(err, STATUS_TOO_LARGE, "The body is larger than %d bytes",
		                 CALL_BODY_BYTES_MAX);
	if (body.length == 0)
		return error_set(err, STATUS_INVALID, "JSON is needed as the body");
	if (call->parser == NULL)
		call->parser = json_parser_new();
	return json_parse(call->parser, body.data, body.length, ret_root, err);
}

enum status call_body(struct api_call *call, struct json *ret_object, struct error *err)
{
	enum status status = call_json(call, ret_object, err);
	if (status == STATUS_OK && json_type(*ret_object) != JSON_OBJECT)
		return error_set(err, STATUS_INVALID, "The body must be a JSON object");
	return status;
}

/* How many there are before this one; UINT_MAX: it is not among them. */
static unsigned place_of(const char *const *names, struct text name)
{
	for (unsigned i = 0; names[i] != NULL; i++)
		if (text_equal(text_of(names[i]), name))
			return i;
	return UINT_MAX;
}

enum status call_only(struct json object, const char *const *known, struct error *err)
{
	uint64_t seen = 0;
	for (struct json_iterator i = json_iterate(object); json_next(&i);) {
		unsigned place = place_of(known, i.name);
		assert(place < 64 || place == UINT_MAX);
		bool again = place != UINT_MAX && (seen & UINT64_C(1) << place) != 0;
		if (place == UINT_MAX || again) {
			char field[ERROR_FIELD_BYTES_MAX];
			snprintf(field, sizeof field, "%.*s", TEXT_FORMAT(i.name));
			return error_set_field(err, STATUS_INVALID, field,
			                       again ? "It is there more than once"
			                             : "There is no such field here");
		}
		seen |= UINT64_C(1) << place;
	}
	return STATUS_OK;
}

enum status call_string(struct json object, const char *name, bool optional, size_t min, size_t max,
                        struct text *ret_text, struct error *err)
{
	struct json    value = json_get(object, name);
	enum json_type type  = json_type(value);
	*ret_text            = (struct text){0};
	if (type == JSON_NONE || type == JSON_NULL) {
		if (optional)
			return STATUS_OK;
		return error_set_field(err, STATUS_INVALID, name, "It is missing");
	}
	if (type != JSON_STRING)
		return error_set_field(err, STATUS_INVALID, name, "It must be a string");
	struct text text = json_string(value);
	if (text.length < min || text.length > max)
		return error_set_field(err, STATUS_INVALID, name,
		                       "It must be %zu to %zu bytes long, not %zu", min, max, text.length);
	*ret_text = text;
	return STATUS_OK;
}

static bool parse_whole(struct text text, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;
	if (text.length == 0 || text.length > 19)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(text.data[i] - '0');
	}
	*ret_number = number;
	return number <= max;
}

enum status call_query_number(struct api_call *call, const char *name, uint64_t max,
                              uint64_t fallback, uint64_t *ret_number, struct error *err)
{
	struct text text;
	*ret_number = fallback;
	if (!http_query(call->request, name, &text))
		return STATUS_OK;
	if (!parse_whole(text, max, ret_number))
		return error_set_field(err, STATUS_INVALID, name,
		                       "It must be a whole number up to %" PRIu64, max);
	return STATUS_OK;
}

enum status call_query_instant(struct api_call *call, const char *name, int64_t fallback_ms,
                               int64_t *ret_ms, struct error *err)
{
	struct text text;
	*ret_ms = fallback_ms;
	if (!http_query(call->request, name, &text) || instant_parse(text, ret_ms))
		return STATUS_OK;
	return error_set_field(err, STATUS_INVALID, name, "It must be an RFC 3339 instant");
}

enum status call_query_flag(struct api_call *call, const char *name, bool *ret_flag,
                            struct error *err)
{
	struct text text;
	*ret_flag = false;
	if (!http_query(call->request, name, &text))
		return STATUS_OK;
	*ret_flag = text_equal(text, TEXT("true"));
	if (*ret_flag || text_equal(text, TEXT("false")))
		return STATUS_OK;
	return error_set_field(err, STATUS_INVALID, name, "It must be true or false");
}

enum status call_limit(struct api_call *call, size_t *ret_limit, struct error *err)
{
	uint64_t    limit;
	enum status status =
		call_query_number(call, "limit", CALL_LIMIT_MAX, CALL_LIMIT_DEFAULT, &limit, err);
	if (status == STATUS_OK && limit == 0)
		return error_set_field(err, STATUS_INVALID, "limit", "It must be 1 to %d", CALL_LIMIT_MAX);
	*ret_limit = (size_t)limit;
	return status;
}

enum status call_cursor(struct api_call *call, enum cursor_kind kind,
                        struct byte_reader *ret_content, struct error *err)
{
	struct text text;
	*ret_content = byte_reader_of("", 0);
	if (!http_query(call->request, "cursor", &text) || text.length == 0)
		return STATUS_OK;
	struct buffer content = {0};
	enum status   status  = cursor_read(text, kind, &content, err);
	if (status == STATUS_OK) {
		struct text kept = arena_text(call->arena, buffer_text(&content));
		*ret_content     = byte_reader_of(kept.data, kept.length);
	}
	buffer_done(&content);
	return status;
}

enum status call_if_match(struct api_call *call, uint32_t *ret_version, struct error *err)
{
	struct text text;
	*ret_version = 0;
	if (!http_header(call->request, "If-Match", &text) || text_equal(text, TEXT("*")))
		return STATUS_OK;
	uint64_t version = 0;
	bool     valid   = text.length >= 3 && text.length <= 11 && text.data[0] == '"' &&
	             text.data[text.length - 1] == '"';
	for (size_t i = 1; valid && i < text.length - 1; i++) {
		valid   = text.data[i] >= '0' && text.data[i] <= '9';
		version = version * 10 + (uint64_t)(text.data[i] - '0');
	}
	if (!valid || version == 0 || version > UINT32_MAX)
		return error_set_field(err, STATUS_INVALID, "If-Match",
		                       "It must be an ETag that was answered, such as \"3\" in quotes");
	*ret_version = (uint32_t)version;
	return STATUS_OK;
}
