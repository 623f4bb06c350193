#include <stdio.h>
#include <strings.h>

#include "base/hash.h"
#include "model/rules_internal.h"

/* The same id for the same segment, kind of row and index, for ever. */
static struct text make_id(const struct rules_context *context, const char *kind, size_t index,
                           char into[UUID_TEXT_BYTES])
{
	struct buffer name = {0};
	buffer_add_text(&name, context->segment_id);
	buffer_printf(&name, "/%s/%zu", kind, index);
	uint8_t digest[SHA256_BYTES];
	hash_sha256(name.data, name.length, digest);
	buffer_done(&name);

	digest[6] = (uint8_t)((digest[6] & 0x0f) | 0x80); /* version 8: made as its maker likes */
	digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80); /* variant of RFC 9562 */
	char hex[33];
	hash_hex(digest, 16, hex);
	snprintf(into, UUID_TEXT_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
	         hex + 20);
	return text_of(into);
}

static bool is_given(struct json value)
{
	return json_type(value) != JSON_NONE && json_type(value) != JSON_NULL;
}

static void write_id(struct json_writer *writer, struct json stored,
                     const struct rules_context *context, const char *kind, size_t index)
{
	char        made[UUID_TEXT_BYTES];
	struct json id = json_get(stored, "id");
	json_add_key(writer, TEXT("id"));
	if (is_given(id))
		json_add_value(writer, id);
	else
		json_add_string(writer, make_id(context, kind, index, made));
}

static void write_created(struct json_writer *writer, struct json stored,
                          const struct rules_context *context)
{
	struct json created = json_get(stored, "createdAt");
	json_add_key(writer, TEXT("createdAt"));
	if (is_given(created))
		json_add_value(writer, created);
	else
		json_add_instant(writer, context->created_ms);
}

static void write_window(struct json_writer *writer, int64_t minutes)
{
	if (minutes > 0)
		json_member_int(writer, "windowMinutes", minutes);
	else
		json_member_null(writer, "windowMinutes");
}

/* --- rules that were written as such --- */

static void write_member(struct json_writer *writer, struct json object, const char *name)
{
	struct json value = json_get(object, name);
	if (!is_given(value))
		return;
	json_add_key(writer, text_of(name));
	json_add_value(writer, value);
}

static void write_stored_property(struct json_writer *writer, struct json rule)
{
	struct json attribute = json_get(rule, "attribute");
	if (is_given(json_get(rule, "property")))
		write_member(writer, rule, "property");
	else if (json_type(attribute) == JSON_STRING && text_equal(json_string(attribute), TEXT("sum")))
		json_member_string(writer, "property", TEXT("$amount"));
}

static void write_stored_rule(struct json_writer *writer, struct json rule, struct json body,
                              const struct rules_context *context, size_t index)
{
	struct json window = json_get(rule, "windowMinutes");
	struct json active = json_get(rule, "active");
	if (!is_given(window))
		window = json_get(body, "windowMinutes");

	json_begin_object(writer);
	write_id(writer, rule, context, "rule", index);
	json_member_string(writer, "segmentId", context->segment_id);
	write_member(writer, rule, "eventType");
	write_member(writer, rule, "attribute");
	write_stored_property(writer, rule);
	write_member(writer, rule, "where");
	write_member(writer, rule, "operator");
	write_member(writer, rule, "value");
	write_window(writer, json_is_number(window) ? (int64_t)json_number(window) : 0);
	json_member_bool(writer, "active", json_type(active) != JSON_BOOL || json_bool(active));
	write_created(writer, rule, context);
	json_end_object(writer);
}

static void write_stored_rules(struct json_writer *writer, struct json body,
                               const struct rules_context *context)
{
	size_t index = 0;
	json_begin_array(writer);
	for (struct json_iterator i = json_iterate(json_get(body, "rules")); json_next(&i); index++)
		write_stored_rule(writer, i.value, body, context, index);
	json_end_array(writer);
}

/* --- rules of an expression --- */

static bool is_rule(const struct expr *expr)
{
	const struct expr_event *event = &expr->event;
	return expr->kind == EXPR_EVENT && event->until_ms == 0 && event->from_ms == INSTANT_MS_NONE &&
	       event->within_ms % MINUTE_MS == 0 &&
	       event->within_ms <= RULES_WINDOW_MINUTES_MAX * MINUTE_MS &&
	       (event->aggregate == EXPR_COUNT || event->aggregate == EXPR_SUM) &&
	       rules_operator_name(event->test.op) != NULL && event->test.values[0].number > 0;
}

static bool has_rules(const struct expr *expr)
{
	if (expr->kind != EXPR_AND)
		return is_rule(expr);
	for (unsigned i = 0; i < expr->count; i++)
		if (!is_rule(expr->operands[i]))
			return false;
	return true;
}

static void write_rule(struct json_writer *writer, const struct expr_event *event,
                       const struct rules_context *context, size_t index)
{
	struct json none = {0};
	struct text type = rules_event_type(event->name);

	json_begin_object(writer);
	write_id(writer, none, context, "rule", index);
	json_member_string(writer, "segmentId", context->segment_id);
	json_member_string(writer, "eventType", type.length > 0 ? type : event->name);
	json_member_string(writer, "attribute", text_of(expr_aggregate_name(event->aggregate)));
	if (event->aggregate == EXPR_SUM)
		json_member_string(writer, "property", event->property);
	if (event->where != NULL) {
		json_add_key(writer, TEXT("where"));
		expr_write_json_where(writer, event->where);
	}
	json_member_string(writer, "operator", text_of(rules_operator_name(event->test.op)));
	json_member_double(writer, "value", event->test.values[0].number);
	write_window(writer, event->within_ms / MINUTE_MS);
	json_member_bool(writer, "active", true);
	write_created(writer, none, context);
	json_end_object(writer);
}

static void write_rules(struct json_writer *writer, const struct expr *expr,
                        const struct rules_context *context)
{
	json_begin_array(writer);
	if (expr->kind == EXPR_EVENT)
		write_rule(writer, &expr->event, context, 0);
	for (unsigned i = 0; i < expr->count; i++)
		write_rule(writer, &expr->operands[i]->event, context, i);
	json_end_array(writer);
}

/* --- logicalExpression and dependencies --- */

static bool has_logic(const struct expr *expr)
{
	if (expr->kind == EXPR_EVENT || expr->kind == EXPR_TRAIT || expr->kind == EXPR_SEQUENCE)
		return false;
	for (unsigned i = 0; i < expr->count; i++)
		if (!has_logic(expr->operands[i]))
			return false;
	return true;
}

static bool is_bare_key(struct text key)
{
	static const struct text words[] = {{"AND", 3}, {"OR", 2}, {"NOT", 3}};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (key.length == words[i].length && strncasecmp(key.data, words[i].data, key.length) == 0)
			return false;
	for (size_t i = 0; i < key.length; i++)
		if (strchr(" \t\r\n()\"", key.data[i]) != NULL)
			return false;
	return key.length > 0;
}

static void add_key(struct buffer *out, struct text key)
{
	if (is_bare_key(key)) {
		buffer_add_text(out, key);
		return;
	}
	buffer_add_u8(out, '"');
	for (size_t i = 0; i < key.length; i++) {
		if (key.data[i] == '"' || key.data[i] == '\\')
			buffer_add_u8(out, '\\');
		buffer_add_u8(out, (uint8_t)key.data[i]);
	}
	buffer_add_u8(out, '"');
}

enum binding { BINDING_OR, BINDING_AND, BINDING_NOT, BINDING_KEY };

static void add_logic(struct buffer *out, const struct expr *expr, enum binding demanded)
{
	static const enum binding bindings[] = {
		[EXPR_AND] = BINDING_AND, [EXPR_OR] = BINDING_OR, [EXPR_NOT] = BINDING_NOT};

	if (expr->kind == EXPR_SEGMENT) {
		add_key(out, expr->segment.reference);
		return;
	}
	if (expr->kind != EXPR_NOT && expr->count == 1) {
		add_logic(out, expr->operands[0], demanded);
		return;
	}
	enum binding own  = bindings[expr->kind];
	bool         open = own < demanded;
	buffer_add_text(out, open ? TEXT("(") : TEXT(""));
	buffer_add_text(out, own == BINDING_NOT ? TEXT("NOT ") : TEXT(""));
	for (unsigned i = 0; i < expr->count; i++) {
		if (i > 0)
			buffer_add_text(out, own == BINDING_OR ? TEXT(" OR ") : TEXT(" AND "));
		add_logic(out, expr->operands[i], own == BINDING_NOT ? BINDING_NOT : own + 1);
	}
	buffer_add_text(out, open ? TEXT(")") : TEXT(""));
}

static void write_logic(struct json_writer *writer, struct json definition, const struct expr *expr)
{
	struct json stored = json_get(definition, "logicalExpression");
	json_add_key(writer, TEXT("logicalExpression"));
	if (is_given(stored)) {
		json_add_value(writer, stored);
		return;
	}
	struct buffer text = {0};
	add_logic(&text, expr, BINDING_OR);
	json_add_string(writer, buffer_text(&text));
	buffer_done(&text);
}

static struct text id_of(const struct rules_context *context, struct text reference)
{
	struct text id = context->segment_id_of(context->context, reference);
	return id.length > 0 ? id : reference;
}

static void write_dependency(struct json_writer *writer, struct json stored, struct text reference,
                             const char *joint, const struct rules_context *context, size_t index)
{
	json_begin_object(writer);
	write_id(writer, stored, context, "dependency", index);
	json_member_string(writer, "derivedSegmentId", context->segment_id);
	json_member_string(writer, "independentSegmentId", id_of(context, reference));
	json_member_string(writer, "logicalOperator", text_of(joint));
	write_created(writer, stored, context);
	json_end_object(writer);
}

static void write_stored_dependencies(struct json_writer *writer, struct json list,
                                      const struct rules_context *context)
{
	size_t index = 0;
	for (struct json_iterator i = json_iterate(list); json_next(&i); index++) {
		struct json joint     = json_get(i.value, "logicalOperator");
		struct json reference = json_get(i.value, "independentSegmentId");
		bool is_or = json_type(joint) == JSON_STRING && text_equal(json_string(joint), TEXT("OR"));
		write_dependency(writer, i.value, json_string(reference), is_or ? "OR" : "AND", context,
		                 index);
	}
}

/* One row a segment, with the operator that its first mention stands under. */
struct dependency_rows {
	struct json_writer         *writer;
	const struct rules_context *context;
	struct text                 written[EXPR_LEAVES_MAX];
	size_t                      count;
};

static void write_row(struct dependency_rows *rows, const struct expr *leaf, const char *joint)
{
	struct text id = id_of(rows->context, leaf->segment.reference);
	for (size_t i = 0; i < rows->count; i++)
		if (text_equal(rows->written[i], id))
			return;
	write_dependency(rows->writer, (struct json){0}, leaf->segment.reference, joint, rows->context,
	                 rows->count);
	rows->written[rows->count++] = id;
}

static void write_rows(struct dependency_rows *rows, const struct expr *expr, const char *joint)
{
	if (expr->kind == EXPR_SEGMENT)
		write_row(rows, expr, joint);
	if (expr->kind == EXPR_AND || expr->kind == EXPR_OR)
		joint = expr->kind == EXPR_OR ? "OR" : "AND";
	for (unsigned i = 0; i < expr->count; i++)
		write_rows(rows, expr->operands[i], joint);
}

static void write_dependencies(struct json_writer *writer, struct json definition,
                               const struct expr *expr, const struct rules_context *context)
{
	json_add_key(writer, TEXT("dependencies"));
	json_begin_array(writer);
	if (rules_has(definition, "dependencies")) {
		write_stored_dependencies(writer, json_get(definition, "dependencies"), context);
	} else {
		struct dependency_rows rows = {.writer = writer, .context = context};
		write_rows(&rows, expr, "AND");
	}
	json_end_array(writer);
}

void rules_write(struct json_writer *writer, struct json definition, const struct expr *expr,
                 const struct rules_context *context)
{
	bool stored_rules = rules_has(definition, "rules");
	bool derived      = !stored_rules && has_logic(expr);

	if (stored_rules || has_rules(expr)) {
		json_add_key(writer, TEXT("rules"));
		if (stored_rules)
			write_stored_rules(writer, definition, context);
		else
			write_rules(writer, expr, context);
	} else {
		json_member_null(writer, "rules");
	}
	if (derived) {
		write_logic(writer, definition, expr);
		write_dependencies(writer, definition, expr, context);
		return;
	}
	json_member_null(writer, "logicalExpression");
	json_add_key(writer, TEXT("dependencies"));
	json_begin_array(writer);
	json_end_array(writer);
}
