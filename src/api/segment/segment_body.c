#include "api/segment/segment_body.h"

#include <assert.h>

#include "api/personal/classification.h"
#include "api/personal/personal_index.h"
#include "api/call.h"
#include "base/hash.h"
#include "model/rules.h"

/* What of a body makes its definition, and is stored as the author wrote it. */
static const char *const definition_members[] = {
	"expression", "rules", "logicalExpression", "dependencies", "windowMinutes", NULL,
};

static const char *const known_members[] = {
	"key",          "name",          "description", "type",
	"active",       "rules",         "expression",  "logicalExpression",
	"dependencies", "windowMinutes", NULL,
};

static const char *const read_only_members[] = {
	"id",        "state",     "progress", "version", "liveVersion",
	"createdAt", "updatedAt", "warnings", "text",    NULL,
};

static enum status refuse_read_only(struct json body, struct error *err)
{
	for (unsigned i = 0; read_only_members[i] != NULL; i++)
		if (json_type(json_get(body, read_only_members[i])) != JSON_NONE)
			return error_set_field(err, STATUS_INVALID, read_only_members[i],
			                       "It is set by the server and cannot be sent");
	return STATUS_OK;
}

/* Letters of other scripts are letters too: a body is valid UTF-8. */
static bool key_character(char c, bool first)
{
	return (unsigned char)c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (!first && (c == '-' || c == '_' || c == '.'));
}

static enum status check_key(struct text key, struct error *err)
{
	bool valid = !uuid_valid(key); /* an id: the two share the place in paths */
	for (size_t i = 0; i < key.length; i++)
		valid = valid && key_character(key.data[i], i == 0);
	if (!valid)
		return error_set_field(err, STATUS_INVALID, "key",
		                       "A key is made of letters, digits, \"-\", \"_\" and \".\", begins "
		                       "with a letter or digit, and is no UUID");
	return STATUS_OK;
}

static enum status read_texts(struct json body, bool create, struct definition_wish *wish,
                              struct error *err)
{
	enum status status;
	if ((status = call_string(body, "key", true, 1, SEGMENT_KEY_BYTES_MAX, &wish->key, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "name", !create, 1, SEGMENT_NAME_BYTES_MAX, &wish->name,
	                          err)) != STATUS_OK ||
	    (status = call_string(body, "description", true, 0, SEGMENT_DESCRIPTION_BYTES_MAX,
	                          &wish->description, err)) != STATUS_OK)
		return status;
	return wish->key.data == NULL ? STATUS_OK : check_key(wish->key, err);
}

static bool has_definition(struct json body)
{
	for (unsigned i = 0; definition_members[i] != NULL; i++)
		if (json_type(json_get(body, definition_members[i])) > JSON_NULL)
			return true;
	return false;
}

static struct text definition_text(struct json body, struct arena *arena)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	for (unsigned i = 0; definition_members[i] != NULL; i++) {
		struct json value = json_get(body, definition_members[i]);
		if (json_type(value) <= JSON_NULL)
			continue;
		json_add_key(&w, text_of(definition_members[i]));
		json_add_value(&w, value);
	}
	json_end_object(&w);
	struct text text = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return text;
}

static const char *type_of(const struct expr *expr)
{
	return expr_is_derived(expr) ? "DERIVED" : "INDEPENDENT";
}

static enum status check_type(struct json body, const struct expr *expr, struct error *err)
{
	struct text type;
	enum status status = call_string(body, "type", true, 1, 16, &type, err);
	if (status != STATUS_OK || type.data == NULL)
		return status;
	if (expr == NULL)
		return error_set_field(err, STATUS_INVALID, "type",
		                       "The type follows from the definition: send both or neither");
	if (!text_equal(type, text_of(type_of(expr))))
		return error_set_field(err, STATUS_INVALID, "type",
		                       "By its definition the segment is %s (%s)", type_of(expr),
		                       expr_is_derived(expr) ? "it refers to other segments"
		                                             : "it refers to no other segment");
	return STATUS_OK;
}

static enum status read_active(struct json body, struct segment_body *ret_body, struct error *err)
{
	struct json active = json_get(body, "active");
	if (json_type(active) == JSON_NONE)
		return STATUS_OK;
	if (json_type(active) != JSON_BOOL)
		return error_set_field(err, STATUS_INVALID, "active", "It must be true or false");
	ret_body->has_active  = true;
	ret_body->wish.active = json_bool(active);
	return STATUS_OK;
}

static enum status read_definition(struct api_call *call, struct json body, bool required,
                                   struct definition_wish *wish, struct error *err)
{
	struct arena *arena = call->arena;
	enum status   status;
	if (!required && !has_definition(body))
		return STATUS_OK;
	bool                  indexed;
	const struct classes *classes = classification_now(call->api);
	if ((status = rules_parse_with(body, classes, arena, &wish->expr, err)) != STATUS_OK ||
	    (status = personal_index(call, wish->expr, "expression", &indexed, err)) != STATUS_OK)
		return status;
	/* Only an expression has traits. */
	wish->body = indexed
	                 ? text_of(arena_printf(arena, "{\"expression\":%.*s}",
	                                        TEXT_FORMAT(personal_index_text(wish->expr, arena))))
	                 : definition_text(body, arena);
	return STATUS_OK;
}

enum status segment_body_read_definition(struct api_call *call, struct json body, bool required,
                                         struct definition_wish *wish, struct error *err)
{
	static const char *const known[] = {
		"expression", "rules", "logicalExpression", "dependencies", "windowMinutes",
		"sample",     NULL};
	enum status status = call_only(body, known, err);
	return status == STATUS_OK ? read_definition(call, body, required, wish, err) : status;
}

enum status segment_body_read(struct api_call *call, struct json body, bool create,
                              struct segment_body *ret_body, struct error *err)
{
	*ret_body                    = (struct segment_body){.wish.active = true};
	struct definition_wish *wish = &ret_body->wish;
	enum status             status;
	if ((status = refuse_read_only(body, err)) != STATUS_OK ||
	    (status = call_only(body, known_members, err)) != STATUS_OK ||
	    (status = read_texts(body, create, wish, err)) != STATUS_OK ||
	    (status = read_active(body, ret_body, err)) != STATUS_OK)
		return status;
	status = read_definition(call, body, create, wish, err);
	return status == STATUS_OK ? check_type(body, wish->expr, err) : status;
}

static void find_longest(void *context, const struct expr *leaf)
{
	int64_t *longest_ms   = context;
	int64_t  windows_ms[] = {
		 leaf->kind == EXPR_EVENT ? leaf->event.within_ms : 0,
		leaf->kind == EXPR_SEQUENCE ? leaf->sequence.within_ms : 0,
		leaf->kind == EXPR_SEQUENCE ? leaf->sequence.ended_within_ms : 0,
	};
	for (size_t i = 0; i < sizeof windows_ms / sizeof windows_ms[0]; i++)
		if (windows_ms[i] > *longest_ms)
			*longest_ms = windows_ms[i];
}

enum status segment_body_check_windows(const struct expr *expr, int64_t retention_ms,
                                       struct error *err)
{
	int64_t longest_ms = 0;
	expr_visit_leaves(expr, find_longest, &longest_ms);
	if (retention_ms != INSTANT_MS_NEVER && longest_ms > retention_ms - DAY_MS)
		return error_set_field(err, STATUS_INVALID, "expression",
		                       "Windows can be %lld days long at most: events are kept for %lld",
		                       (long long)(retention_ms / DAY_MS - 1),
		                       (long long)(retention_ms / DAY_MS));
	return STATUS_OK;
}

/* ---- Writing ---- */

struct references {
	struct definitions *definitions;
	struct arena       *arena;
};

static struct text segment_id_of(void *context, struct text reference)
{
	const struct references *to = context;
	struct definition        found;
	struct error             err;
	if (definition_get(to->definitions, reference, to->arena, &found, &err) != STATUS_OK)
		return (struct text){"", 0};
	return arena_text(to->arena, text_of(found.segment.id));
}

static void write_head(struct json_writer *w, const struct definition *definition)
{
	const struct store_segment *segment = &definition->segment;
	json_member_string(w, "id", text_of(segment->id));
	json_member_string(w, "key", segment->key);
	json_member_string(w, "name", segment->name);
	json_member_string(w, "description", segment->description);
	json_member_string(w, "type", text_of(type_of(definition->expr)));
	json_member_bool(w, "active", segment->active);
	json_member_string(w, "state", text_of(definition_state_name(definition->state)));
	if (definition->state == DEFINITION_PREPARING)
		json_member_double(w, "progress", definition->progress / 1000.0);
	else
		json_member_null(w, "progress");
	if (definition->state == DEFINITION_FAILED)
		json_member_string(w, "reason", segment->reason);
	json_member_int(w, "version", segment->version);
	if (segment->live_version == 0)
		json_member_null(w, "liveVersion");
	else
		json_member_int(w, "liveVersion", segment->live_version);
}

static void write_expression(struct json_writer *w, struct json written, const struct expr *expr)
{
	json_add_key(w, TEXT("expression"));
	if (json_type(written) == JSON_OBJECT)
		json_add_value(w, written);
	else
		expr_write_json(w, expr);

	struct buffer text = {0};
	expr_write_text(&text, expr);
	json_member_string(w, "text", buffer_text(&text));
	buffer_done(&text);
}

void segment_body_write(struct json_writer *writer, const struct definition *definition,
                        struct definitions *definitions, const struct segment_names *names,
                        struct arena *arena)
{
	const struct store_segment *segment = &definition->segment;
	struct json_parser         *parser  = json_parser_new();
	struct json                 written = {0};
	struct error                err;
	enum status status = json_parse_text(parser, segment->definition, &written, &err);
	assert(status == STATUS_OK); /* we wrote it */

	struct references          to      = {definitions, arena};
	const struct rules_context context = {.segment_id    = text_of(segment->id),
	                                      .created_ms    = segment->created_ms,
	                                      .segment_id_of = segment_id_of,
	                                      .context       = &to};
	json_begin_object(writer);
	write_head(writer, definition);
	rules_write(writer, written, definition->expr, &context);
	struct json window = json_get(written, "windowMinutes");
	json_add_key(writer, TEXT("windowMinutes"));
	if (json_type(window) == JSON_NONE)
		json_add_null(writer);
	else
		json_add_value(writer, window);
	write_expression(writer, json_get(written, "expression"), definition->expr);
	json_member_instant(writer, "createdAt", segment->created_ms);
	json_member_instant(writer, "updatedAt", segment->updated_ms);
	json_add_key(writer, TEXT("warnings"));
	segment_warnings_write(writer, written, definition->expr, NULL, 0, names);
	json_end_object(writer);
	json_parser_free(parser);
}
