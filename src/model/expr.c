#include "model/classes.h"
#include "model/expr.h"

#include <assert.h>

#include "model/expr_internal.h"

const char *expr_aggregate_name(enum expr_aggregate aggregate)
{
	static const char *const names[EXPR_AGGREGATE_COUNT] = {
		[EXPR_COUNT]            = "count",
		[EXPR_SUM]              = "sum",
		[EXPR_AVG]              = "avg",
		[EXPR_MIN]              = "min",
		[EXPR_MAX]              = "max",
		[EXPR_DISTINCT]         = "distinct",
		[EXPR_FIRST]            = "first",
		[EXPR_LAST]             = "last",
		[EXPR_DAYS_SINCE_LAST]  = "days_since_last",
		[EXPR_DAYS_SINCE_FIRST] = "days_since_first",
	};
	assert(aggregate < EXPR_AGGREGATE_COUNT);
	return names[aggregate];
}

static bool is_leaf(const struct expr *expr)
{
	return expr->kind != EXPR_AND && expr->kind != EXPR_OR && expr->kind != EXPR_NOT;
}

void expr_visit_leaves(const struct expr *expr, expr_visit_fn *visit, void *context)
{
	if (is_leaf(expr))
		visit(context, expr);
	for (unsigned i = 0; i < expr->count; i++)
		expr_visit_leaves(expr->operands[i], visit, context);
}

bool expr_is_derived(const struct expr *expr)
{
	for (unsigned i = 0; i < expr->count; i++)
		if (expr_is_derived(expr->operands[i]))
			return true;
	return expr->kind == EXPR_SEGMENT;
}

bool expr_test_is_relative(const struct expr_test *test)
{
	return test->op == EXPR_WITHIN_LAST || test->op == EXPR_WITHIN_NEXT;
}

bool expr_where_is_relative(const struct expr_where *where)
{
	if (where == NULL)
		return false;
	if (where->kind == EXPR_WHERE_TEST)
		return expr_test_is_relative(&where->test);
	for (unsigned i = 0; i < where->count; i++)
		if (expr_where_is_relative(where->operands[i]))
			return true;
	return false;
}

enum status expr_all_of(struct expr *const *operands, unsigned count, const char *field,
                        struct arena *arena, struct expr **ret_expr, struct error *err)
{
	assert(count > 0);
	if (count == 1) {
		*ret_expr = operands[0];
		return STATUS_OK;
	}
	struct expr         all    = {.kind = EXPR_AND, .count = count};
	struct buffer       out    = {0};
	struct json_writer  w      = json_writer_of(&out);
	struct json_parser *parser = json_parser_new();
	struct json         value;
	all.operands = ARENA_ARRAY(arena, struct expr *, count);
	memcpy(all.operands, operands, count * sizeof *operands);
	expr_write_json(&w, &all);
	enum status status = json_parse_text(parser, buffer_text(&out), &value, err);
	if (status == STATUS_OK)
		status = expr_parse_json_with(value, field, &classes_of_what_is_kept, arena, ret_expr, err);
	json_parser_free(parser);
	buffer_done(&out);
	return status;
}

/* Where operand `index` of `expr` stands, which stands at `place`. */
static struct expr_place operand_place(const struct expr_place *place, const struct expr *expr,
                                       unsigned index)
{
	struct text name = expr->kind == EXPR_AND  ? TEXT("and")
	                   : expr->kind == EXPR_OR ? TEXT("or")
	                                           : TEXT("not");
	return (struct expr_place){place, name, expr->kind == EXPR_NOT ? -1 : (int64_t)index};
}

struct resolver {
	const char      *field;
	expr_resolve_fn *resolve;
	void            *context;
	struct error    *err;
};

static enum status refuse_reference(struct resolver *resolver, const struct expr *leaf,
                                    const struct expr_place *place)
{
	if (leaf->segment.line > 0)
		return error_set_field(resolver->err, STATUS_INVALID, resolver->field,
		                       "line %u, column %u: there is no segment \"%.*s\"",
		                       leaf->segment.line, leaf->segment.column,
		                       TEXT_FORMAT(leaf->segment.reference));
	struct expr_parser parser  = {.err = resolver->err};
	struct expr_place  own     = {NULL, leaf->segment.place, -1};
	bool               has_own = leaf->segment.place.length > 0;
	return expr_refuse(&parser, STATUS_INVALID, has_own ? &own : place, has_own ? NULL : "segment",
	                   "there is no segment \"%.*s\"", TEXT_FORMAT(leaf->segment.reference));
}

static enum status resolve(struct resolver *resolver, struct expr *expr,
                           const struct expr_place *place)
{
	if (expr->kind == EXPR_SEGMENT) {
		uint32_t number = resolver->resolve(resolver->context, expr->segment.reference);
		if (number == 0)
			return refuse_reference(resolver, expr, place);
		expr->segment.number = number;
	}

	for (unsigned i = 0; i < expr->count; i++) {
		struct expr_place operand = operand_place(place, expr, i);
		enum status       status  = resolve(resolver, expr->operands[i], &operand);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

enum status expr_resolve(struct expr *expr, const char *field, expr_resolve_fn *resolve_reference,
                         void *context, struct error *err)
{
	struct resolver   resolver = {field, resolve_reference, context, err};
	struct expr_place root     = {NULL, text_of(field), -1};
	return resolve(&resolver, expr, &root);
}

struct indexer {
	expr_index_fn *index;
	void          *context;
	struct arena  *arena;
	bool           changed;
	struct error  *err;
};

static enum status index_trait(struct indexer *indexer, struct expr *leaf,
                               const struct expr_place *place)
{
	struct expr_test   *test = &leaf->trait.test;
	enum personal_index kind = personal_indexed(leaf->trait.name);
	for (unsigned i = 0; i < test->value_count; i++) {
		char                digits[PERSONAL_INDEX_BYTES];
		const char         *reason;
		struct expr_scalar *value = &test->values[i];
		if (personal_is_index(value->text))
			continue;
		if (!indexer->index(indexer->context, kind, value->text, digits, &reason)) {
			struct expr_parser parser = {.err = indexer->err};
			return expr_refuse(&parser, STATUS_INVALID, place, "value", "%s", reason);
		}
		value->text      = arena_text(indexer->arena, (struct text){digits, sizeof digits});
		indexer->changed = true;
	}
	return STATUS_OK;
}

static enum status index_leaves(struct indexer *indexer, struct expr *expr,
                                const struct expr_place *place)
{
	if (expr->kind == EXPR_TRAIT &&
	    personal_tests(PERSONAL_IN_TRAITS, expr->trait.name) == PERSONAL_EQUALITY)
		return index_trait(indexer, expr, place);
	for (unsigned i = 0; i < expr->count; i++) {
		struct expr_place operand = operand_place(place, expr, i);
		enum status       status  = index_leaves(indexer, expr->operands[i], &operand);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

enum status expr_index_personal(struct expr *expr, const char *field, expr_index_fn *index,
                                void *context, struct arena *arena, bool *ret_changed,
                                struct error *err)
{
	struct indexer    indexer = {.index = index, .context = context, .arena = arena, .err = err};
	struct expr_place root    = {NULL, text_of(field), -1};
	enum status       status  = index_leaves(&indexer, expr, &root);
	*ret_changed              = indexer.changed;
	return status;
}
