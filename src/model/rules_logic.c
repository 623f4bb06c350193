#include <strings.h>

#include "base/vector.h"
#include "model/rules_internal.h"

/* logicalExpression:  or = and { OR and } ;  and = not { AND not } ;  not = { NOT } atom ;
 *                     atom = "(" or ")" | key ;
 * Keys stand bare up to the next blank, quote or parenthesis, or in double quotes with \ before a
 * quote or backslash within. AND, OR, NOT in any case are no keys unless quoted. */

enum token_kind { TOKEN_END, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_AND, TOKEN_OR, TOKEN_NOT, TOKEN_KEY };

struct logic {
	struct expr_parser *parser;
	const char         *begin;
	const char         *at; /* behind the token */
	const char         *end;
	enum token_kind     token;
	const char         *token_at;
	struct text         key; /* of TOKEN_KEY */
};

static const struct expr_place logic_place = {NULL, {"logicalExpression", 17}, -1};

static enum status refuse(struct logic *logic, const char *reason)
{
	size_t character = 1;
	for (const char *at = logic->begin; at < logic->token_at; at++)
		character += ((unsigned char)*at & 0xc0) != 0x80;
	return expr_refuse(logic->parser, STATUS_INVALID, &logic_place, NULL, "at character %zu: %s",
	                   character, reason);
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static enum status read_quoted(struct logic *logic)
{
	char  *key    = arena_alloc(logic->parser->arena, (size_t)(logic->end - logic->at) + 1);
	size_t length = 0;
	for (logic->at++; logic->at < logic->end && *logic->at != '"'; logic->at++) {
		if (*logic->at == '\\' && logic->at + 1 < logic->end)
			logic->at++;
		key[length++] = *logic->at;
	}
	if (logic->at == logic->end)
		return refuse(logic, "the quote is not closed");
	logic->at++;
	logic->key   = (struct text){key, length};
	logic->token = TOKEN_KEY;
	return STATUS_OK;
}

static void read_bare(struct logic *logic)
{
	static const struct {
		const char     *word;
		enum token_kind token;
	} words[] = {{"AND", TOKEN_AND}, {"OR", TOKEN_OR}, {"NOT", TOKEN_NOT}};

	while (logic->at < logic->end && !is_blank(*logic->at) && *logic->at != '(' &&
	       *logic->at != ')' && *logic->at != '"')
		logic->at++;
	logic->key   = (struct text){logic->token_at, (size_t)(logic->at - logic->token_at)};
	logic->token = TOKEN_KEY;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (logic->key.length == strlen(words[i].word) &&
		    strncasecmp(logic->key.data, words[i].word, logic->key.length) == 0)
			logic->token = words[i].token;
}

static enum status next_token(struct logic *logic)
{
	while (logic->at < logic->end && is_blank(*logic->at))
		logic->at++;
	logic->token_at = logic->at;
	logic->token    = TOKEN_END;
	if (logic->at == logic->end)
		return STATUS_OK;
	if (*logic->at == '"')
		return read_quoted(logic);
	if (*logic->at == '(' || *logic->at == ')') {
		logic->token = *logic->at++ == '(' ? TOKEN_OPEN : TOKEN_CLOSE;
		return STATUS_OK;
	}
	read_bare(logic);
	return STATUS_OK;
}

static struct expr *segment_leaf(struct arena *arena, struct text reference, struct text place)
{
	struct expr *leaf       = ARENA_NEW(arena, struct expr);
	leaf->kind              = EXPR_SEGMENT;
	leaf->segment.reference = reference;
	leaf->segment.place     = place;
	return leaf;
}

static struct expr *joined(struct arena *arena, enum expr_kind kind, struct expr **operands,
                           size_t count)
{
	if (kind != EXPR_NOT && count == 1)
		return operands[0];
	struct expr *expr = ARENA_NEW(arena, struct expr);
	expr->kind        = kind;
	expr->count       = (unsigned)count;
	expr->operands    = ARENA_ARRAY(arena, struct expr *, count);
	memcpy(expr->operands, operands, count * sizeof(struct expr *));
	return expr;
}

static enum status read_key(struct logic *logic, struct expr **ret_expr)
{
	if (logic->key.length == 0)
		return refuse(logic, "a key must not be empty");
	if (logic->key.length > EXPR_NAME_BYTES_MAX)
		return refuse(logic, "the key is too long");
	enum status status = expr_count_leaf(logic->parser, &logic_place);
	if (status != STATUS_OK)
		return status;
	struct arena *arena = logic->parser->arena;
	*ret_expr           = segment_leaf(arena, arena_text(arena, logic->key), logic_place.name);
	return next_token(logic);
}

static enum status read_or(struct logic *logic, unsigned depth, struct expr **ret_expr);

static enum status read_atom(struct logic *logic, unsigned depth, struct expr **ret_expr)
{
	if (logic->token == TOKEN_KEY)
		return read_key(logic, ret_expr);
	if (logic->token != TOKEN_OPEN)
		return refuse(logic, "a key, NOT or ( is expected");

	enum status status = next_token(logic);
	if (status == STATUS_OK)
		status = read_or(logic, depth + 1, ret_expr);
	if (status != STATUS_OK)
		return status;
	if (logic->token != TOKEN_CLOSE)
		return refuse(logic, "AND, OR or ) is expected");
	return next_token(logic);
}

static enum status read_not(struct logic *logic, unsigned depth, struct expr **ret_expr)
{
	/* Parentheses and NOTs are what makes this recurse. */
	if (depth > EXPR_DEPTH_MAX)
		return refuse(logic, "nested too deep");
	if (logic->token != TOKEN_NOT)
		return read_atom(logic, depth, ret_expr);

	struct expr *operand;
	enum status  status = next_token(logic);
	if (status == STATUS_OK)
		status = read_not(logic, depth + 1, &operand);
	if (status == STATUS_OK)
		*ret_expr = joined(logic->parser->arena, EXPR_NOT, &operand, 1);
	return status;
}

typedef enum status read_fn(struct logic *logic, unsigned depth, struct expr **ret_expr);

static enum status read_chain(struct logic *logic, unsigned depth, read_fn *read_operand,
                              enum token_kind joint, enum expr_kind kind, struct expr **ret_expr)
{
	VECTOR(struct expr *) operands = {0};
	enum status status;
	for (;;) {
		struct expr *operand;
		status = read_operand(logic, depth, &operand);
		if (status != STATUS_OK)
			break;
		VECTOR_ADD(&operands, operand);
		if (logic->token != joint)
			break;
		status = next_token(logic);
		if (status != STATUS_OK)
			break;
	}
	if (status == STATUS_OK)
		*ret_expr = joined(logic->parser->arena, kind, operands.items, operands.count);
	VECTOR_DONE(&operands);
	return status;
}

static enum status read_and(struct logic *logic, unsigned depth, struct expr **ret_expr)
{
	return read_chain(logic, depth, read_not, TOKEN_AND, EXPR_AND, ret_expr);
}

static enum status read_or(struct logic *logic, unsigned depth, struct expr **ret_expr)
{
	return read_chain(logic, depth, read_and, TOKEN_OR, EXPR_OR, ret_expr);
}

static unsigned depth_of(const struct expr *expr)
{
	unsigned deepest = 0;
	for (unsigned i = 0; i < expr->count; i++) {
		unsigned depth = depth_of(expr->operands[i]) + 1;
		deepest        = depth > deepest ? depth : deepest;
	}
	return deepest;
}

static enum status check_depth(struct expr_parser *parser, const struct expr *expr,
                               const struct expr_place *place)
{
	if (depth_of(expr) <= EXPR_DEPTH_MAX)
		return STATUS_OK;
	return expr_refuse(parser, STATUS_INVALID, place, NULL,
	                   "nested deeper than %d levels of and, or, not", EXPR_DEPTH_MAX);
}

static enum status read_text(struct expr_parser *parser, struct json value, struct expr **ret_expr)
{
	if (json_type(value) != JSON_STRING)
		return expr_refuse(parser, STATUS_INVALID, &logic_place, NULL, "must be a string");
	struct text  text  = json_string(value);
	struct logic logic = {
		.parser = parser, .begin = text.data, .at = text.data, .end = text.data + text.length};
	struct expr *expr   = NULL;
	enum status  status = next_token(&logic);
	if (status == STATUS_OK)
		status = read_or(&logic, 0, &expr);
	if (status == STATUS_OK && logic.token != TOKEN_END)
		status =
			refuse(&logic, logic.token == TOKEN_CLOSE ? "no ( is open" : "AND or OR is expected");
	if (status == STATUS_OK)
		status = check_depth(parser, expr, &logic_place);
	if (status == STATUS_OK)
		*ret_expr = expr;
	return status;
}

struct dependency {
	struct text    reference;
	enum expr_kind joint; /* EXPR_AND, EXPR_OR; EXPR_NOT: not given */
};

static enum status read_joint(struct expr_parser *parser, struct json object,
                              const struct expr_place *place, enum expr_kind *ret_joint)
{
	struct json value = json_get(object, "logicalOperator");
	struct text name  = json_type(value) == JSON_STRING ? json_string(value) : TEXT("");
	*ret_joint        = EXPR_NOT;
	if (json_type(value) == JSON_NONE || json_type(value) == JSON_NULL)
		return STATUS_OK;
	*ret_joint = text_equal(name, TEXT("OR")) ? EXPR_OR : EXPR_AND;
	if (*ret_joint == EXPR_AND && !text_equal(name, TEXT("AND")))
		return expr_refuse(parser, STATUS_INVALID, place, "logicalOperator", "must be AND or OR");
	return STATUS_OK;
}

static struct expr_place dependency_place(size_t index)
{
	return (struct expr_place){NULL, TEXT("dependencies"), (int64_t)index};
}

static enum status read_dependencies(struct expr_parser *parser, struct json list,
                                     struct dependency **ret_dependencies, size_t *ret_count)
{
	static const char *const members[] = {
		"id", "derivedSegmentId", "independentSegmentId", "logicalOperator", "createdAt", NULL};
	struct expr_place whole = {NULL, TEXT("dependencies"), -1};
	if (json_type(list) != JSON_ARRAY)
		return expr_refuse(parser, STATUS_INVALID, &whole, NULL, "must be an array");
	if (json_count(list) > EXPR_LEAVES_MAX)
		return expr_refuse(parser, STATUS_INVALID, &whole, NULL, "more than %d dependencies",
		                   EXPR_LEAVES_MAX);

	struct dependency *read  = ARENA_ARRAY(parser->arena, struct dependency, json_count(list));
	size_t             count = 0;
	for (struct json_iterator i = json_iterate(list); json_next(&i); count++) {
		struct expr_place place  = dependency_place(count);
		enum status       status = expr_check_members(parser, i.value, &place, members);
		if (status == STATUS_OK)
			status = expr_read_name(parser, i.value, &place, "independentSegmentId",
			                        &read[count].reference);
		if (status == STATUS_OK)
			status = read_joint(parser, i.value, &place, &read[count].joint);
		if (status != STATUS_OK)
			return status;
	}
	*ret_dependencies = read;
	*ret_count        = count;
	return STATUS_OK;
}

/* ((a op b) op c) …: operands with the same operator side by side become one node. */
static enum status join_dependencies(struct expr_parser      *parser,
                                     const struct dependency *dependencies, size_t count,
                                     struct expr **ret_expr)
{
	VECTOR(struct expr *) operands = {0};
	enum expr_kind kind            = EXPR_AND;
	enum status    status          = STATUS_OK;
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		struct expr_place place = dependency_place(i);
		if (i > 0 && dependencies[i].joint == EXPR_NOT) {
			status = expr_refuse(parser, STATUS_INVALID, &place, "logicalOperator",
			                     "is required without logicalExpression");
			break;
		}
		if (i > 0 && dependencies[i].joint != kind) {
			operands.items[0] = joined(parser->arena, kind, operands.items, operands.count);
			operands.count    = 1;
			kind              = dependencies[i].joint;
		}
		char *where = arena_printf(parser->arena, "dependencies[%zu].independentSegmentId", i);
		VECTOR_ADD(&operands,
		           segment_leaf(parser->arena, dependencies[i].reference, text_of(where)));
		status = expr_count_leaf(parser, &place);
	}
	if (status == STATUS_OK)
		*ret_expr = joined(parser->arena, kind, operands.items, operands.count);
	VECTOR_DONE(&operands);
	return status;
}

enum status rules_read_logic(struct expr_parser *parser, struct json body, struct expr **ret_expr)
{
	struct expr_place  whole        = {NULL, TEXT("dependencies"), -1};
	struct dependency *dependencies = NULL;
	size_t             count        = 0;
	enum status        status       = STATUS_OK;
	if (rules_has(body, "dependencies"))
		status = read_dependencies(parser, json_get(body, "dependencies"), &dependencies, &count);
	if (status != STATUS_OK)
		return status;
	if (rules_has(body, "logicalExpression"))
		return read_text(parser, json_get(body, "logicalExpression"), ret_expr);

	struct expr *expr;
	status = join_dependencies(parser, dependencies, count, &expr);
	if (status == STATUS_OK)
		status = check_depth(parser, expr, &whole);
	if (status == STATUS_OK)
		*ret_expr = expr;
	return status;
}

/* The segments that logicalExpression names, each looked for among the dependencies. */
struct listing {
	const uint32_t *numbers; /* of the dependencies */
	bool           *used;
	size_t          count;
	struct text     missing; /* a reference that is not listed; empty: none */
};

static void look_up(void *context, const struct expr *leaf)
{
	struct listing *listing = context;
	bool            found   = false;
	for (size_t i = 0; i < listing->count; i++) {
		if (listing->numbers[i] != leaf->segment.number)
			continue;
		listing->used[i] = true;
		found            = true;
	}
	if (!found && listing->missing.length == 0)
		listing->missing = leaf->segment.reference;
}

static enum status check_listing(struct expr_parser *parser, const struct listing *listing)
{
	if (listing->missing.length > 0)
		return expr_refuse(parser, STATUS_INVALID, &logic_place, NULL,
		                   "\"%.*s\" is not among the dependencies", TEXT_FORMAT(listing->missing));
	for (size_t i = 0; i < listing->count; i++) {
		struct expr_place place = dependency_place(i);
		if (!listing->used[i])
			return expr_refuse(parser, STATUS_INVALID, &place, NULL,
			                   "is not named in logicalExpression");
	}
	return STATUS_OK;
}

enum status rules_check_dependencies(struct json body, const struct expr *expr,
                                     expr_resolve_fn *resolve, void *context, struct error *err)
{
	if (!rules_has(body, "logicalExpression") || !rules_has(body, "dependencies"))
		return STATUS_OK;

	struct arena       arena  = {0};
	struct expr_parser parser = {.arena = &arena, .err = err};
	struct dependency *dependencies;
	size_t             count;
	enum status        status =
		read_dependencies(&parser, json_get(body, "dependencies"), &dependencies, &count);
	if (status == STATUS_OK) {
		uint32_t      *numbers = ARENA_ARRAY(&arena, uint32_t, count);
		struct listing listing = {numbers, ARENA_ARRAY(&arena, bool, count), count, {0}};
		for (size_t i = 0; i < count; i++)
			numbers[i] = resolve(context, dependencies[i].reference);
		expr_visit_leaves(expr, look_up, &listing);
		status = check_listing(&parser, &listing);
	}
	arena_done(&arena);
	return status;
}
