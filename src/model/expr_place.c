#include <stdarg.h>
#include <stdio.h>

#include "base/edit_distance.h"
#include "model/expr_internal.h"

void expr_place_write(struct buffer *out, const struct expr_place *place, const char *member)
{
	if (place->parent != NULL) {
		expr_place_write(out, place->parent, NULL);
		buffer_add_text(out, TEXT("."));
	}
	buffer_add_text(out, place->name);
	if (place->index >= 0)
		buffer_printf(out, "[%lld]", (long long)place->index);
	if (member != NULL)
		buffer_printf(out, ".%s", member);
}

enum status expr_refuse(struct expr_parser *parser, enum status status,
                        const struct expr_place *place, const char *member,
                        const char *reason_format, ...)
{
	char    reason[ERROR_REASON_BYTES_MAX];
	va_list arguments;
	va_start(arguments, reason_format);
	vsnprintf(reason, sizeof reason, reason_format, arguments);
	va_end(arguments);

	struct buffer field = {0};
	expr_place_write(&field, place, member);
	buffer_add_u8(&field, '\0');
	error_set_field(parser->err, status, field.data, "%s", reason);
	buffer_done(&field);
	return status;
}

static enum status refuse_member(struct expr_parser *parser, const struct expr_place *place,
                                 struct text name, const char *const *names)
{
	struct expr_place unknown = {place, name, -1};
	const char       *meant   = edit_nearest(name, names);
	if (meant != NULL)
		return expr_refuse(parser, STATUS_INVALID, &unknown, NULL,
		                   "unknown field: did you mean \"%s\"?", meant);

	char   known[ERROR_REASON_BYTES_MAX / 2] = "";
	size_t length                            = 0;
	for (; *names != NULL && length + strlen(*names) + 3 < sizeof known; names++)
		length += (size_t)snprintf(known + length, sizeof known - length, "%s%s",
		                           length == 0 ? "" : ", ", *names);
	return expr_refuse(parser, STATUS_INVALID, &unknown, NULL, "unknown field: known here are %s",
	                   known);
}

static bool is_among(struct text name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (text_equal(name, text_of(*names)))
			return true;
	return false;
}

enum status expr_check_members(struct expr_parser *parser, struct json object,
                               const struct expr_place *place, const char *const *names)
{
	if (json_type(object) != JSON_OBJECT)
		return expr_refuse(parser, STATUS_INVALID, place, NULL, "must be an object");

	for (struct json_iterator i = json_iterate(object); json_next(&i);)
		if (!is_among(i.name, names))
			return refuse_member(parser, place, i.name, names);
	return STATUS_OK;
}

enum status expr_read_name(struct expr_parser *parser, struct json object,
                           const struct expr_place *place, const char *member,
                           struct text *ret_name)
{
	struct json value = json_get(object, member);
	if (json_type(value) == JSON_NONE)
		return expr_refuse(parser, STATUS_INVALID, place, member, "is required");
	if (json_type(value) != JSON_STRING)
		return expr_refuse(parser, STATUS_INVALID, place, member, "must be a string");

	struct text name = json_string(value);
	if (name.length == 0)
		return expr_refuse(parser, STATUS_INVALID, place, member, "must not be empty");
	if (name.length > EXPR_NAME_BYTES_MAX)
		return expr_refuse(parser, STATUS_INVALID, place, member,
		                   "must not be longer than %d bytes", EXPR_NAME_BYTES_MAX);
	*ret_name = arena_text(parser->arena, name);
	return STATUS_OK;
}

enum status expr_count_leaf(struct expr_parser *parser, const struct expr_place *place)
{
	if (parser->leaves == EXPR_LEAVES_MAX)
		return expr_refuse(parser, STATUS_INVALID, place, NULL,
		                   "more than %d leaves and tests in one definition", EXPR_LEAVES_MAX);
	parser->leaves++;
	return STATUS_OK;
}
