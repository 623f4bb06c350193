#include "model/rules.h"

#include <assert.h>

#include "model/rules_internal.h"

static const struct {
	const char *type;
	const char *name;
} event_types[] = {
	{"clicks", "Link Clicked"},
	{"installs", "Application Installed"},
	{"orders", "Order Completed"},
	{"addToCart", "Product Added"},
};
enum { EVENT_TYPE_COUNT = sizeof event_types / sizeof event_types[0] };

struct text rules_event_name(struct text event_type)
{
	for (int i = 0; i < EVENT_TYPE_COUNT; i++)
		if (text_equal(event_type, text_of(event_types[i].type)))
			return text_of(event_types[i].name);
	return event_type;
}

struct text rules_event_type(struct text event_name)
{
	for (int i = 0; i < EVENT_TYPE_COUNT; i++)
		if (text_equal(event_name, text_of(event_types[i].name)))
			return text_of(event_types[i].type);
	return TEXT("");
}

static const char *const operators[EXPR_OP_COUNT] = {
	[EXPR_GT] = "GT",   [EXPR_LT] = "LT",   [EXPR_EQ] = "EQ",
	[EXPR_GTE] = "GTE", [EXPR_LTE] = "LTE", [EXPR_NEQ] = "NEQ",
};

const char *rules_operator_name(enum expr_op op)
{
	assert(op < EXPR_OP_COUNT);
	return operators[op];
}

enum expr_op rules_operator(struct text name)
{
	enum expr_op op = 0;
	while (op < EXPR_OP_COUNT &&
	       (operators[op] == NULL || !text_equal(name, text_of(operators[op]))))
		op++;
	return op;
}

/* In rules an optional member may be null: that is how they are answered. */
static bool is_absent(struct json value)
{
	return json_type(value) == JSON_NONE || json_type(value) == JSON_NULL;
}

bool rules_has(struct json body, const char *member)
{
	struct json value = json_get(body, member);
	return !is_absent(value) && !(json_type(value) == JSON_ARRAY && json_count(value) == 0);
}

static enum status read_window(struct expr_parser *parser, struct json value,
                               const struct expr_place *place, int64_t *window_ms)
{
	if (is_absent(value))
		return STATUS_OK;
	double minutes = json_is_number(value) ? json_number(value) : 0;
	if (!(minutes >= 1 && minutes <= RULES_WINDOW_MINUTES_MAX) ||
	    minutes != (double)(int64_t)minutes)
		return expr_refuse(parser, STATUS_INVALID, place, NULL,
		                   "must be a whole number from 1 to %d", RULES_WINDOW_MINUTES_MAX);
	*window_ms = (int64_t)minutes * MINUTE_MS;
	return STATUS_OK;
}

static enum status read_attribute(struct expr_parser *parser, struct json rule,
                                  const struct expr_place *place, struct expr_event *event)
{
	struct json property  = json_get(rule, "property");
	struct json attribute = json_get(rule, "attribute");
	struct text name      = json_type(attribute) == JSON_STRING ? json_string(attribute) : TEXT("");
	if (!text_equal(name, TEXT("count")) && !text_equal(name, TEXT("sum")))
		return expr_refuse(parser, STATUS_INVALID, place, "attribute", "must be count or sum");

	if (text_equal(name, TEXT("count"))) {
		event->aggregate = EXPR_COUNT;
		if (!is_absent(property))
			return expr_refuse(parser, STATUS_INVALID, place, "property",
			                   "count takes no property");
		return STATUS_OK;
	}
	event->aggregate = EXPR_SUM;
	event->property  = TEXT("$amount");
	if (is_absent(property))
		return STATUS_OK;
	enum status status = expr_read_name(parser, rule, place, "property", &event->property);
	if (status == STATUS_OK)
		status = expr_check_property(parser, place, "property", event->property);
	return status;
}

static enum status read_comparison(struct expr_parser *parser, struct json rule,
                                   const struct expr_place *place, struct expr_event *event)
{
	struct json name = json_get(rule, "operator");
	event->test.op =
		json_type(name) == JSON_STRING ? rules_operator(json_string(name)) : EXPR_OP_COUNT;
	if (event->test.op == EXPR_OP_COUNT)
		return expr_refuse(parser, STATUS_INVALID, place, "operator",
		                   "must be one of GT, LT, EQ, GTE, LTE, NEQ");

	struct json       value       = json_get(rule, "value");
	struct expr_place value_place = {place, TEXT("value"), -1};
	if (json_is_number(value) && !(json_number(value) > 0))
		return expr_refuse(parser, STATUS_INVALID, &value_place, NULL,
		                   "Value must be greater than 0");
	event->test.values      = ARENA_NEW(parser->arena, struct expr_scalar);
	event->test.value_count = 1;
	return expr_read_scalar(parser, value, &value_place,
	                        event->aggregate == EXPR_COUNT ? EXPR_SUBJECT_COUNT : EXPR_SUBJECT_SUM,
	                        &event->test.values[0]);
}

static const struct expr_event no_event = {.from_ms = INSTANT_MS_NONE, .to_ms = INSTANT_MS_NONE};

static enum status read_rule(struct expr_parser *parser, struct json rule,
                             const struct expr_place *place, unsigned depth,
                             int64_t default_window_ms, struct expr **ret_expr)
{
	static const char *const members[] = {
		"id",       "segmentId", "eventType",     "attribute", "property",  "where",
		"operator", "value",     "windowMinutes", "active",    "createdAt", NULL};
	struct expr       *expr        = ARENA_NEW(parser->arena, struct expr);
	struct expr_event *event       = &expr->event;
	struct json        where       = json_get(rule, "where");
	struct expr_place  where_place = {place, TEXT("where"), -1};
	struct expr_place  window      = {place, TEXT("windowMinutes"), -1};
	expr->kind                     = EXPR_EVENT;
	*event                         = no_event;
	event->within_ms               = default_window_ms;

	enum status status = expr_check_members(parser, rule, place, members);
	if (status == STATUS_OK)
		status = expr_count_leaf(parser, place);
	if (status == STATUS_OK)
		status = expr_read_name(parser, rule, place, "eventType", &event->name);
	if (status == STATUS_OK)
		status = read_attribute(parser, rule, place, event);
	if (status == STATUS_OK)
		status = read_comparison(parser, rule, place, event);
	if (status == STATUS_OK)
		status = read_window(parser, json_get(rule, "windowMinutes"), &window, &event->within_ms);
	if (status == STATUS_OK && !is_absent(where))
		status = expr_read_where(parser, where, &where_place, depth, &event->where);
	if (status != STATUS_OK)
		return status;
	event->name = rules_event_name(event->name);
	*ret_expr   = expr;
	return STATUS_OK;
}

static enum status read_active(struct expr_parser *parser, struct json rule,
                               const struct expr_place *place, bool *ret_active)
{
	struct json active = json_get(rule, "active");
	if (!is_absent(active) && json_type(active) != JSON_BOOL)
		return expr_refuse(parser, STATUS_INVALID, place, "active", "must be true or false");
	*ret_active = is_absent(active) || json_bool(active);
	return STATUS_OK;
}

static enum status read_rules(struct expr_parser *parser, struct json rules, int64_t window_ms,
                              struct expr **ret_expr)
{
	struct expr_place list = {NULL, TEXT("rules"), -1};
	if (json_type(rules) != JSON_ARRAY)
		return expr_refuse(parser, STATUS_INVALID, &list, NULL, "must be an array");
	size_t count = json_count(rules);
	if (count > EXPR_LEAVES_MAX)
		return expr_refuse(parser, STATUS_INVALID, &list, NULL, "more than %d rules",
		                   EXPR_LEAVES_MAX);

	struct expr *all = ARENA_NEW(parser->arena, struct expr);
	all->kind        = EXPR_AND;
	all->operands    = ARENA_ARRAY(parser->arena, struct expr *, count);
	int64_t index    = 0;
	for (struct json_iterator i = json_iterate(rules); json_next(&i); index++) {
		struct expr_place place  = {NULL, TEXT("rules"), index};
		bool              active = false;
		enum status       status =
			read_rule(parser, i.value, &place, count > 1, window_ms, &all->operands[all->count]);
		if (status == STATUS_OK)
			status = read_active(parser, i.value, &place, &active);
		if (status != STATUS_OK)
			return status;
		all->count += active;
	}
	if (all->count == 0)
		return expr_refuse(parser, STATUS_INVALID, &list, NULL,
		                   "must have at least one active rule");
	*ret_expr = all->count == 1 ? all->operands[0] : all;
	return expr_check_size(parser, *ret_expr, &list);
}

static enum status refuse_body(struct error *err, const char *field, const char *reason)
{
	return error_set_field(err, STATUS_INVALID, field, "%s", reason);
}

enum status rules_parse(struct json body, struct arena *arena, struct expr **ret_expr,
                        struct error *err)
{
	return rules_parse_with(body, NULL, arena, ret_expr, err);
}

enum status rules_parse_with(struct json body, const struct classes *classes, struct arena *arena,
                             struct expr **ret_expr, struct error *err)
{
	struct expr_parser parser    = {.arena = arena, .err = err, .classes = classes};
	struct expr_place  place     = {NULL, TEXT("windowMinutes"), -1};
	int64_t            window_ms = 0;
	if (json_type(body) != JSON_OBJECT)
		return error_set(err, STATUS_INVALID, "a segment must be an object");
	enum status status = read_window(&parser, json_get(body, "windowMinutes"), &place, &window_ms);
	if (status != STATUS_OK)
		return status;

	bool        has_expression = rules_has(body, "expression");
	bool        has_rules      = rules_has(body, "rules");
	const char *logic          = rules_has(body, "logicalExpression") ? "logicalExpression"
	                             : rules_has(body, "dependencies")    ? "dependencies"
	                                                                  : NULL;
	if (has_expression && has_rules)
		return refuse_body(err, "rules", "cannot stand together with expression");
	if (logic != NULL && (has_expression || has_rules))
		return refuse_body(err, logic,
		                   has_rules ? "cannot stand together with rules"
		                             : "cannot stand together with expression");
	if (has_expression)
		return expr_parse_json_with(json_get(body, "expression"), "expression", classes, arena,
		                            ret_expr, err);
	if (logic != NULL)
		return rules_read_logic(&parser, body, ret_expr);
	if (has_rules || json_type(json_get(body, "rules")) == JSON_ARRAY)
		return read_rules(&parser, json_get(body, "rules"), window_ms, ret_expr);
	return refuse_body(err, "expression",
	                   "one of expression, rules, logicalExpression, dependencies is required");
}
