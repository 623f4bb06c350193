#include <assert.h>

#include "model/classes.h"
#include "model/expr_internal.h"
#include "model/personal.h"

static const char *const expr_forms[] = {
	"and", "or", "not", "event", "trait", "segment", "sequence", NULL,
};
static const char *const where_forms[] = {"and", "or", "not", "property", NULL};

/* The form of an object is told by the one member that only this form has. An object without any
 * of them is refused, by name where it has a member that may be a misspelt one. */
static enum status find_form(struct expr_parser *parser, struct json object,
                             const struct expr_place *place, const char *const *forms,
                             const char *const *members, const char *kind, int *ret_form)
{
	if (json_type(object) != JSON_OBJECT)
		return expr_refuse(parser, STATUS_INVALID, place, NULL, "must be an object");
	for (int i = 0; forms[i] != NULL; i++) {
		if (json_type(json_get(object, forms[i])) == JSON_NONE)
			continue;
		*ret_form = i;
		return STATUS_OK;
	}
	enum status status = expr_check_members(parser, object, place, members);
	if (status != STATUS_OK)
		return status;
	return expr_refuse(parser, STATUS_INVALID, place, NULL, "must have one of %s", kind);
}

/* That the member of this name is a list of operands, not more than may follow. */
static enum status check_operands(struct expr_parser *parser, struct json object,
                                  const struct expr_place *place, const char *name,
                                  struct json *ret_list)
{
	const char *const members[] = {name, NULL};
	enum status       status    = expr_check_members(parser, object, place, members);
	if (status != STATUS_OK)
		return status;

	struct json list = json_get(object, name);
	if (json_type(list) != JSON_ARRAY)
		return expr_refuse(parser, STATUS_INVALID, place, name, "must be an array");
	size_t count = json_count(list);
	if (count == 0)
		return expr_refuse(parser, STATUS_INVALID, place, name, "must have at least one operand");
	/* Each has a leaf at least: not worth looking at them. */
	if (count > EXPR_LEAVES_MAX - parser->leaves)
		return expr_refuse(parser, STATUS_INVALID, place, name,
		                   "more than %d leaves and tests in one definition", EXPR_LEAVES_MAX);
	*ret_list = list;
	return STATUS_OK;
}

static enum status check_depth(struct expr_parser *parser, const struct expr_place *place,
                               unsigned depth)
{
	if (depth < EXPR_DEPTH_MAX)
		return STATUS_OK;
	return expr_refuse(parser, STATUS_INVALID, place, NULL,
	                   "nested deeper than %d levels of and, or, not", EXPR_DEPTH_MAX);
}

enum status expr_check_property(struct expr_parser *parser, const struct expr_place *place,
                                const char *member, struct text property)
{
	struct text         context = TEXT("context.");
	enum personal_place where   = PERSONAL_IN_PROPERTIES;
	struct text         path    = property;
	enum personal_tests tests   = personal_tests(where, property);
	if (tests == PERSONAL_ALL_TESTS && text_starts_with(property, context)) {
		where = PERSONAL_IN_CONTEXT;
		path  = (struct text){property.data + context.length, property.length - context.length};
		tests = personal_tests(where, path);
	}
	if (tests == PERSONAL_ALL_TESTS || classes_free_name(parser->classes, where, path))
		return STATUS_OK;
	return expr_refuse(parser, STATUS_INVALID, place, member, "%s", personal_reason(tests));
}

static enum status read_where_operands(struct expr_parser *parser, struct json object,
                                       const struct expr_place *place, unsigned depth,
                                       struct expr_where *where)
{
	const char *name = where->kind == EXPR_WHERE_AND ? "and" : "or";
	struct json list;
	enum status status = check_operands(parser, object, place, name, &list);
	if (status != STATUS_OK)
		return status;

	where->operands = ARENA_ARRAY(parser->arena, struct expr_where *, json_count(list));
	for (struct json_iterator i = json_iterate(list); json_next(&i);) {
		struct expr_place operand = {place, text_of(name), where->count};
		status =
			expr_read_where(parser, i.value, &operand, depth + 1, &where->operands[where->count]);
		if (status != STATUS_OK)
			return status;
		where->count++;
	}
	return STATUS_OK;
}

static enum status read_where_not(struct expr_parser *parser, struct json object,
                                  const struct expr_place *place, unsigned depth,
                                  struct expr_where *where)
{
	static const char *const members[] = {"not", NULL};
	enum status              status    = expr_check_members(parser, object, place, members);
	if (status != STATUS_OK)
		return status;
	struct expr_place operand = {place, TEXT("not"), -1};
	where->operands           = ARENA_NEW(parser->arena, struct expr_where *);
	where->count              = 1;
	return expr_read_where(parser, json_get(object, "not"), &operand, depth + 1,
	                       &where->operands[0]);
}

static enum status read_where_test(struct expr_parser *parser, struct json object,
                                   const struct expr_place *place, struct expr_where *where)
{
	static const char *const members[] = {"property", "op", "value", NULL};
	enum status              status    = expr_count_leaf(parser, place);
	if (status == STATUS_OK)
		status = expr_check_members(parser, object, place, members);
	if (status == STATUS_OK)
		status = expr_read_name(parser, object, place, "property", &where->property);
	if (status == STATUS_OK)
		status = expr_read_test(parser, object, place, EXPR_SUBJECT_VALUE, &where->test);
	if (status == STATUS_OK && !expr_asks_for_presence(where->test.op))
		status = expr_check_property(parser, place, "op", where->property);
	return status;
}

enum status expr_read_where(struct expr_parser *parser, struct json value,
                            const struct expr_place *place, unsigned depth,
                            struct expr_where **ret_where)
{
	static const char *const members[] = {"and", "or", "not", "property", "op", "value", NULL};
	static const enum expr_where_kind kinds[] = {EXPR_WHERE_AND, EXPR_WHERE_OR, EXPR_WHERE_NOT,
	                                             EXPR_WHERE_TEST};
	int                               form;
	enum status                       status =
		find_form(parser, value, place, where_forms, members, "and, or, not, property", &form);
	if (status == STATUS_OK && kinds[form] != EXPR_WHERE_TEST)
		status = check_depth(parser, place, depth);
	if (status != STATUS_OK)
		return status;

	struct expr_where *where = ARENA_NEW(parser->arena, struct expr_where);
	where->kind              = kinds[form];
	if (where->kind == EXPR_WHERE_TEST)
		status = read_where_test(parser, value, place, where);
	else if (where->kind == EXPR_WHERE_NOT)
		status = read_where_not(parser, value, place, depth, where);
	else
		status = read_where_operands(parser, value, place, depth, where);
	if (status == STATUS_OK)
		*ret_where = where;
	return status;
}

/* What is journalled of a definition holds no address, only its hash. */
static enum status check_personal_trait(struct expr_parser *parser, const struct expr_place *place,
                                        const struct expr *expr)
{
	const struct expr_test *test  = &expr->trait.test;
	enum personal_tests     tests = personal_tests(PERSONAL_IN_TRAITS, expr->trait.name);
	if (tests == PERSONAL_ALL_TESTS || expr_asks_for_presence(test->op))
		return STATUS_OK;
	if (tests == PERSONAL_NO_TESTS &&
	    classes_free_name(parser->classes, PERSONAL_IN_TRAITS, expr->trait.name))
		return STATUS_OK;
	if (tests == PERSONAL_NO_TESTS || (test->op != EXPR_EQ && test->op != EXPR_NEQ &&
	                                   test->op != EXPR_IN && test->op != EXPR_NOT_IN))
		return expr_refuse(parser, STATUS_INVALID, place, "op", "%s", personal_reason(tests));
	for (unsigned i = 0; i < test->value_count; i++) {
		const struct expr_scalar *value = &test->values[i];
		if (value->type != EXPR_STRING)
			return expr_refuse(parser, STATUS_INVALID, place, "value", "%s",
			                   personal_reason(tests));
		if (parser->canonical && !personal_is_index(value->text))
			return expr_refuse(parser, STATUS_INVALID, place, "value", "must be a blind index");
	}
	return STATUS_OK;
}

static enum status read_trait(struct expr_parser *parser, struct json object,
                              const struct expr_place *place, struct expr *expr)
{
	static const char *const members[] = {"trait", "op", "value", NULL};
	enum status              status    = expr_check_members(parser, object, place, members);
	if (status == STATUS_OK)
		status = expr_read_name(parser, object, place, "trait", &expr->trait.name);
	if (status == STATUS_OK)
		status = expr_read_test(parser, object, place, EXPR_SUBJECT_VALUE, &expr->trait.test);
	return status == STATUS_OK ? check_personal_trait(parser, place, expr) : status;
}

static enum status read_segment(struct expr_parser *parser, struct json object,
                                const struct expr_place *place, struct expr *expr)
{
	static const char *const members[] = {"segment", NULL};
	enum status              status    = expr_check_members(parser, object, place, members);
	if (status != STATUS_OK)
		return status;
	if (!parser->canonical)
		return expr_read_name(parser, object, place, "segment", &expr->segment.reference);

	struct json number = json_get(object, "segment");
	if (json_type(number) != JSON_INT || json_int(number) < 1 || json_int(number) > UINT32_MAX)
		return expr_refuse(parser, STATUS_INVALID, place, "segment", "must be a segment's number");
	expr->segment.number    = (uint32_t)json_int(number);
	expr->segment.reference = text_of(arena_printf(parser->arena, "%u", expr->segment.number));
	return STATUS_OK;
}

static enum status read_operands(struct expr_parser *parser, struct json object,
                                 const struct expr_place *place, unsigned depth, struct expr *expr)
{
	const char *name = expr->kind == EXPR_AND ? "and" : "or";
	struct json list;
	enum status status = check_operands(parser, object, place, name, &list);
	if (status != STATUS_OK)
		return status;

	expr->operands = ARENA_ARRAY(parser->arena, struct expr *, json_count(list));
	for (struct json_iterator i = json_iterate(list); json_next(&i);) {
		struct expr_place operand = {place, text_of(name), expr->count};
		status = expr_read(parser, i.value, &operand, depth + 1, &expr->operands[expr->count]);
		if (status != STATUS_OK)
			return status;
		expr->count++;
	}
	return STATUS_OK;
}

static enum status read_not(struct expr_parser *parser, struct json object,
                            const struct expr_place *place, unsigned depth, struct expr *expr)
{
	static const char *const members[] = {"not", NULL};
	enum status              status    = expr_check_members(parser, object, place, members);
	if (status != STATUS_OK)
		return status;
	struct expr_place operand = {place, TEXT("not"), -1};
	expr->operands            = ARENA_NEW(parser->arena, struct expr *);
	expr->count               = 1;
	return expr_read(parser, json_get(object, "not"), &operand, depth + 1, &expr->operands[0]);
}

static enum status read_form(struct expr_parser *parser, struct json value,
                             const struct expr_place *place, unsigned depth, struct expr *expr)
{
	enum status status = STATUS_OK;
	if (expr->kind == EXPR_AND || expr->kind == EXPR_OR || expr->kind == EXPR_NOT)
		status = check_depth(parser, place, depth);
	else
		status = expr_count_leaf(parser, place);
	if (status != STATUS_OK)
		return status;

	switch (expr->kind) {
	case EXPR_AND:
	case EXPR_OR:
		return read_operands(parser, value, place, depth, expr);
	case EXPR_NOT:
		return read_not(parser, value, place, depth, expr);
	case EXPR_EVENT:
		return expr_read_event(parser, value, place, depth, &expr->event);
	case EXPR_TRAIT:
		return read_trait(parser, value, place, expr);
	case EXPR_SEGMENT:
		return read_segment(parser, value, place, expr);
	case EXPR_SEQUENCE:
		return expr_read_sequence(parser, value, place, depth, &expr->sequence);
	}
	return STATUS_OK;
}

enum status expr_read(struct expr_parser *parser, struct json value, const struct expr_place *place,
                      unsigned depth, struct expr **ret_expr)
{
	static const enum expr_kind kinds[] = {EXPR_AND,   EXPR_OR,      EXPR_NOT,     EXPR_EVENT,
	                                       EXPR_TRAIT, EXPR_SEGMENT, EXPR_SEQUENCE};
	static const char           names[] = "and, or, not, event, trait, segment, sequence";
	int                         form;
	enum status status = find_form(parser, value, place, expr_forms, expr_forms, names, &form);
	if (status != STATUS_OK)
		return status;

	struct expr *expr = ARENA_NEW(parser->arena, struct expr);
	expr->kind        = kinds[form];
	status            = read_form(parser, value, place, depth, expr);
	if (status == STATUS_OK)
		*ret_expr = expr;
	return status;
}

enum status expr_check_size(struct expr_parser *parser, const struct expr *expr,
                            const struct expr_place *place)
{
	struct buffer      json   = {0};
	struct json_writer writer = json_writer_of(&json);
	expr_write_json(&writer, expr);
	bool fits = json.length <= EXPR_BYTES_MAX;
	buffer_done(&json);
	return fits ? STATUS_OK
	            : expr_refuse(parser, STATUS_INVALID, place, NULL, "is longer than %d bytes",
	                          EXPR_BYTES_MAX);
}

enum status expr_parse_json(struct json value, const char *field, struct arena *arena,
                            struct expr **ret_expr, struct error *err)
{
	return expr_parse_json_with(value, field, NULL, arena, ret_expr, err);
}

enum status expr_parse_json_with(struct json value, const char *field,
                                 const struct classes *classes, struct arena *arena,
                                 struct expr **ret_expr, struct error *err)
{
	struct expr_parser parser = {.arena = arena, .err = err, .classes = classes};
	struct expr_place  root   = {NULL, text_of(field), -1};
	if (json_type(value) == JSON_STRING)
		return expr_parse_text_with(json_string(value), field, classes, arena, ret_expr, err);
	if (json_type(value) == JSON_NONE)
		return expr_refuse(&parser, STATUS_INVALID, &root, NULL, "is required");

	struct expr *expr;
	enum status  status = expr_read(&parser, value, &root, 0, &expr);
	if (status == STATUS_OK)
		status = expr_check_size(&parser, expr, &root);
	if (status == STATUS_OK)
		*ret_expr = expr;
	return status;
}

enum status expr_parse_canonical(struct text canonical, struct arena *arena, struct expr **ret_expr,
                                 struct error *err)
{
	struct error       why    = {0};
	struct expr_parser parser = {
		.arena = arena, .err = &why, .canonical = true, .classes = &classes_of_what_is_kept};
	struct expr_place   root = {NULL, TEXT("canonical"), -1};
	struct json_parser *json = json_parser_new();
	struct json         value;
	struct expr        *expr;

	enum status status = json_parse_text(json, canonical, &value, &why);
	if (status == STATUS_OK)
		status = expr_read(&parser, value, &root, 0, &expr);
	json_parser_free(json);
	if (status != STATUS_OK)
		return error_set_field(err, STATUS_CORRUPT, why.field,
		                       "a definition that cannot be read: %s", why.reason);
	*ret_expr = expr;
	return STATUS_OK;
}
