#include "model/evaluate.h"

#include <assert.h>
#include <stdlib.h>

#include "base/decimal.h"
#include "base/hash.h"

/* Lists up to this long are searched from the front. */
enum { FEW = 8 };

/* --- one value --- */

static int compare_scalars(const struct expr_scalar *a, const struct expr_scalar *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->type == EXPR_NUMBER)
		return (a->number > b->number) - (a->number < b->number);
	if (a->type == EXPR_BOOL)
		return (int)a->boolean - (int)b->boolean;
	/* By length first: most comparisons end there, and no order is promised. */
	if (a->text.length != b->text.length)
		return a->text.length < b->text.length ? -1 : 1;
	return text_compare(a->text, b->text);
}

static bool scalars_equal(const struct expr_scalar *a, const struct expr_scalar *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == EXPR_NUMBER)
		return a->number == b->number;
	if (a->type == EXPR_BOOL)
		return a->boolean == b->boolean;
	return text_equal(a->text, b->text);
}

static int compare_for_sort(const void *a, const void *b) { return compare_scalars(a, b); }

void evaluate_sort_test(struct expr_test *test, struct arena *arena)
{
	if (test->value_count <= FEW || test->sorted)
		return;
	size_t              size   = test->value_count * sizeof *test->values;
	struct expr_scalar *values = arena_alloc(arena, size);
	memcpy(values, test->values, size);
	qsort(values, test->value_count, sizeof *values, compare_for_sort);
	test->values = values;
	test->sorted = true;
}

/* Whether `item` is the value, or one of the values, of the test. */
static bool is_among(const struct expr_test *test, const struct expr_scalar *item)
{
	if (!test->sorted) {
		for (unsigned i = 0; i < test->value_count; i++)
			if (scalars_equal(&test->values[i], item))
				return true;
		return false;
	}
	unsigned begin = 0;
	unsigned end   = test->value_count;
	while (begin < end) {
		unsigned middle = begin + (end - begin) / 2;
		if (compare_scalars(&test->values[middle], item) < 0)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin < test->value_count && scalars_equal(&test->values[begin], item);
}

static bool equals_some(const struct expr_test *test, const struct value *value)
{
	struct expr_scalar item = {0};
	switch (value->type) {
	case VALUE_FALSE:
	case VALUE_TRUE:
		item.type    = EXPR_BOOL;
		item.boolean = value->type == VALUE_TRUE;
		return is_among(test, &item);
	case VALUE_INT:
	case VALUE_UINT:
	case VALUE_DOUBLE:
		item.type = EXPR_NUMBER;
		return value_number(value, &item.number) && is_among(test, &item);
	case VALUE_STRING:
		item.type = EXPR_STRING;
		item.text = value->text;
		return is_among(test, &item);
	case VALUE_STRING_SET: {
		struct byte_reader set = byte_reader_of(value->text.data, value->text.length);
		item.type              = EXPR_STRING;
		while (value_set_next(&set, &item.text))
			if (is_among(test, &item))
				return true;
		return false;
	}
	default:
		return false;
	}
}

static bool compares(const struct expr_test *test, const struct value *value)
{
	double number;
	double with = test->values[0].number;
	if (!value_number(value, &number))
		return false;
	switch (test->op) {
	case EXPR_GT:
		return number > with;
	case EXPR_GTE:
		return number >= with;
	case EXPR_LT:
		return number < with;
	default:
		return number <= with;
	}
}

static bool text_has(struct text text, struct text part)
{
	return memmem(text.data, text.length, part.data, part.length) != NULL;
}

static bool string_passes(enum expr_op op, struct text text, struct text part)
{
	if (op == EXPR_STARTS_WITH)
		return text_starts_with(text, part);
	if (op == EXPR_ENDS_WITH)
		return text_ends_with(text, part);
	return text_has(text, part);
}

static bool matches(const struct expr_test *test, const struct value *value)
{
	struct text part = test->values[0].text;
	if (value->type == VALUE_STRING)
		return string_passes(test->op, value->text, part);
	if (value->type != VALUE_STRING_SET)
		return false;
	if (test->op == EXPR_CONTAINS)
		return equals_some(test, value);

	struct text        item;
	struct byte_reader set = byte_reader_of(value->text.data, value->text.length);
	while (value_set_next(&set, &item))
		if (string_passes(test->op, item, part))
			return true;
	return false;
}

static bool holds_in_time(const struct expr_test *test, const struct value *value, int64_t now_ms)
{
	int64_t at_ms;
	if (value->type != VALUE_STRING || !instant_parse(value->text, &at_ms))
		return false;
	switch (test->op) {
	case EXPR_WITHIN_LAST:
		return at_ms <= now_ms && now_ms < at_ms + test->duration_ms;
	case EXPR_WITHIN_NEXT:
		return at_ms - test->duration_ms <= now_ms && now_ms < at_ms;
	case EXPR_BEFORE:
		return at_ms < test->instant_ms;
	default:
		return at_ms > test->instant_ms;
	}
}

bool evaluate_exists(const struct value *value)
{
	return value->type != VALUE_NONE && value->type != VALUE_NULL && value->type != VALUE_ARRAY &&
	       value->type != VALUE_OBJECT;
}

bool evaluate_test(const struct expr_test *test, const struct value *value, int64_t now_ms)
{
	if (__builtin_expect(value->type == VALUE_INDEXED, 0) && test->op != EXPR_EXISTS &&
	    test->op != EXPR_ABSENT) {
		struct value inner = value_tested(value);
		return evaluate_test(test, &inner, now_ms);
	}
	switch (test->op) {
	case EXPR_EQ:
	case EXPR_IN:
		return equals_some(test, value);
	case EXPR_NEQ:
	case EXPR_NOT_IN:
		return !equals_some(test, value);
	case EXPR_GT:
	case EXPR_GTE:
	case EXPR_LT:
	case EXPR_LTE:
		return compares(test, value);
	case EXPR_CONTAINS:
	case EXPR_STARTS_WITH:
	case EXPR_ENDS_WITH:
		return matches(test, value);
	case EXPR_EXISTS:
		return evaluate_exists(value);
	case EXPR_ABSENT:
		return !evaluate_exists(value);
	case EXPR_WITHIN_LAST:
	case EXPR_WITHIN_NEXT:
	case EXPR_BEFORE:
	case EXPR_AFTER:
		return holds_in_time(test, value, now_ms);
	case EXPR_OP_COUNT:
		break;
	}
	assert(!"an operator of the table");
	return false;
}

int64_t evaluate_test_next_ms(const struct expr_test *test, const struct value *value,
                              int64_t now_ms)
{
	int64_t at_ms;
	if (!expr_test_is_relative(test) || value->type != VALUE_STRING ||
	    !instant_parse(value->text, &at_ms))
		return INSTANT_MS_NEVER;

	bool    last     = test->op == EXPR_WITHIN_LAST;
	int64_t begin_ms = last ? at_ms : at_ms - test->duration_ms;
	int64_t end_ms   = begin_ms + test->duration_ms;
	if (begin_ms > now_ms)
		return begin_ms;
	return end_ms > now_ms ? end_ms : INSTANT_MS_NEVER;
}

/* --- properties of an event --- */

const char *const amount_names[AMOUNT_NAME_COUNT] = {"revenue", "amount", "total", "value"};

void amount_path_init(struct amount_path *path, struct text property, struct arena *arena)
{
	struct text context = TEXT("context.");

	*path          = (struct amount_path){0};
	path->built_in = text_equal(property, TEXT("$amount"));
	if (path->built_in) {
		for (int i = 0; i < AMOUNT_NAME_COUNT; i++)
			path->name_hashes[i] = hash_name(text_of(amount_names[i]));
		return;
	}
	value_path_init(&path->path, property, arena);
	path->in_context = text_starts_with(property, context);
	if (path->in_context)
		value_path_init(
			&path->context_path,
			(struct text){property.data + context.length, property.length - context.length}, arena);
}

static struct value built_in_amount(const struct amount_path *path, struct text properties)
{
	double number;
	for (int i = 0; i < AMOUNT_NAME_COUNT; i++) {
		struct value value = value_find(properties, text_of(amount_names[i]), path->name_hashes[i]);
		if (value_number(&value, &number))
			return value;
	}
	return (struct value){.type = VALUE_NONE};
}

static struct value at_path(struct text list, const struct value_path *path)
{
	if (path->part_count == 0)
		return value_find(list, path->name, path->hash);
	return value_at(list, path);
}

struct value evaluate_property(const struct amount_path *path, struct text properties,
                               struct text context)
{
	if (path->built_in)
		return built_in_amount(path, properties);
	struct value value = at_path(properties, &path->path);
	if (value.type == VALUE_NONE && path->in_context)
		return at_path(context, &path->context_path);
	return value;
}

bool evaluate_amount(const struct amount_path *path, struct text properties, struct text context,
                     int64_t *ret_millionths)
{
	double       number;
	struct value value = evaluate_property(path, properties, context);
	return value_number(&value, &number) && decimal_of(number, ret_millionths);
}

/* --- where --- */

_Static_assert((int)EXPR_LEAVES_MAX < (int)WHERE_FAILS, "every test has a number");

static unsigned count_tests(const struct expr_where *where)
{
	if (where->kind == EXPR_WHERE_TEST)
		return 1;
	unsigned count = 0;
	for (unsigned i = 0; i < where->count; i++)
		count += count_tests(where->operands[i]);
	return count;
}

static void compile(struct compiled_where *into, const struct expr_where *where, uint16_t when_true,
                    uint16_t when_false, struct arena *arena)
{
	switch (where->kind) {
	case EXPR_WHERE_TEST: {
		struct where_test *test = &into->tests[into->count++];
		test->test              = where->test;
		test->when_true         = when_true;
		test->when_false        = when_false;
		amount_path_init(&test->property, where->property, arena);
		evaluate_sort_test(&test->test, arena);
		return;
	}
	case EXPR_WHERE_NOT:
		compile(into, where->operands[0], when_false, when_true, arena);
		return;
	case EXPR_WHERE_AND:
	case EXPR_WHERE_OR:
		break;
	}
	for (unsigned i = 0; i < where->count; i++) {
		bool     last  = i + 1 == where->count;
		uint16_t next  = (uint16_t)(into->count + count_tests(where->operands[i]));
		bool     every = where->kind == EXPR_WHERE_AND;
		compile(into, where->operands[i], last || !every ? when_true : next,
		        last || every ? when_false : next, arena);
	}
}

struct compiled_where *evaluate_compile_where(const struct expr_where *where, struct arena *arena)
{
	if (where == NULL)
		return NULL;
	unsigned               count = count_tests(where);
	struct compiled_where *compiled =
		arena_zalloc(arena, sizeof *compiled + count * sizeof compiled->tests[0]);
	compile(compiled, where, WHERE_PASSES, WHERE_FAILS, arena);
	assert(compiled->count == count);
	return compiled;
}

bool evaluate_where(const struct compiled_where *where, struct text properties, struct text context,
                    int64_t now_ms)
{
	if (where == NULL)
		return true;
	unsigned at = 0;
	while (at < where->count) {
		const struct where_test *test  = &where->tests[at];
		struct value             value = evaluate_property(&test->property, properties, context);
		at = evaluate_test(&test->test, &value, now_ms) ? test->when_true : test->when_false;
	}
	return at == WHERE_PASSES;
}

int64_t evaluate_where_next_ms(const struct compiled_where *where, struct text properties,
                               struct text context, int64_t now_ms)
{
	int64_t next_ms = INSTANT_MS_NEVER;
	for (unsigned i = 0; where != NULL && i < where->count; i++) {
		const struct where_test *test = &where->tests[i];
		if (!expr_test_is_relative(&test->test))
			continue;
		struct value value   = evaluate_property(&test->property, properties, context);
		int64_t      flip_ms = evaluate_test_next_ms(&test->test, &value, now_ms);
		if (flip_ms < next_ms)
			next_ms = flip_ms;
	}
	return next_ms;
}
