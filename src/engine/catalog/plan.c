#include "engine/catalog/plan.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/vector.h"
#include "engine/change/change_record.h"

/* Capped counts come in few sizes, so that leaves with different values share one series. A series
 * must hold two times more than the largest value: one to be above it, one for the neighbour that
 * is dropped next. */
static const unsigned caps[] = {6, 16, 64};

/* What is needed only while compiling. Indices are stored in maps as value + 1. */
struct compiler {
	struct plan    *plan;
	int64_t         retention_ms;
	struct map_text features;
	struct map_text leaves;
	struct map_text traits;
	struct buffer   key;
	VECTOR(struct plan_feature) feature_list;
	VECTOR(struct plan_leaf) leaf_list;
	VECTOR(struct plan_trait) trait_list;
	VECTOR(uint32_t) rule_leaves;
	VECTOR(uint32_t) rule_traits;
	VECTOR(uint32_t) rule_segments;
};

struct plan *plan_ref(struct plan *plan)
{
	atomic_fetch_add_explicit(&plan->references, 1, memory_order_relaxed);
	return plan;
}

void plan_unref(struct plan *plan)
{
	if (plan == NULL || atomic_fetch_sub_explicit(&plan->references, 1, memory_order_acq_rel) > 1)
		return;
	arena_done(&plan->arena);
	free(plan);
}

/* The index of `key` in a map of indices; false when it is new: then `index` is put there. */
static bool known(struct map_text *map, struct text key, uint32_t index, uint32_t *ret_index)
{
	void **place = map_text_put(map, key);
	if (*place != NULL) {
		*ret_index = (uint32_t)(uintptr_t)*place - 1;
		return true;
	}
	*place     = (void *)((uintptr_t)index + 1);
	*ret_index = index;
	return false;
}

static struct text take_key(struct compiler *compiler)
{
	return arena_text(&compiler->plan->arena, buffer_text(&compiler->key));
}

static double largest_value(const struct expr_test *test)
{
	double largest = 0;
	for (unsigned i = 0; i < test->value_count; i++)
		if (test->values[i].type == EXPR_NUMBER && test->values[i].number > largest)
			largest = test->values[i].number;
	return largest;
}

static enum series_kind kind_for(enum expr_aggregate aggregate)
{
	switch (aggregate) {
	case EXPR_SUM:
	case EXPR_AVG:
		return SERIES_TOTALS;
	case EXPR_MIN:
	case EXPR_MAX:
		return SERIES_NUMBERS;
	case EXPR_DISTINCT:
		return SERIES_KEYS;
	case EXPR_FIRST:
	case EXPR_LAST:
		return SERIES_MARKS;
	default:
		return SERIES_TIMES;
	}
}

/* What asks for the newest events only needs no more of them. */
static unsigned cap_for(const struct expr_event *event)
{
	if (event->until_ms > 0 || event->from_ms != INSTANT_MS_NONE)
		return SERIES_UNLIMITED;
	if (event->aggregate == EXPR_LAST || event->aggregate == EXPR_DAYS_SINCE_LAST)
		return caps[0];
	if (event->aggregate != EXPR_COUNT)
		return SERIES_UNLIMITED;
	double largest = largest_value(&event->test);
	for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++)
		if (largest + 2 <= caps[i])
			return caps[i];
	return SERIES_UNLIMITED;
}

static void add_test_key(struct buffer *key, const struct expr_test *test)
{
	buffer_printf(key, "%u %lld %lld", test->op, (long long)test->duration_ms,
	              (long long)test->instant_ms);
	for (unsigned i = 0; i < test->value_count; i++) {
		const struct expr_scalar *value = &test->values[i];
		buffer_printf(key, " %u", value->type);
		if (value->type == EXPR_STRING)
			buffer_add_sized(key, value->text);
		else
			buffer_printf(key, " %a %d", value->number, value->boolean);
	}
}

static struct text event_name(struct text name, struct arena *arena)
{
	return text_equal(name, TEXT("*")) ? (struct text){0} : arena_text(arena, name);
}

static bool takes_property(const struct expr_event *event) { return event->property.length > 0; }

static bool takes_marks(const struct expr_event *event)
{
	return event->aggregate == EXPR_FIRST || event->aggregate == EXPR_LAST;
}

static bool is_relative(const struct expr_event *event)
{
	return (event->where != NULL && expr_where_is_relative(event->where)) ||
	       (takes_marks(event) && expr_test_is_relative(&event->test));
}

/* The index of the feature whose key stands in `compiler->key`; new: its description is to be
 * filled in. */
static uint32_t put_feature(struct compiler *compiler, struct plan_feature **ret_new)
{
	uint32_t index;
	*ret_new = NULL;
	if (known(&compiler->features, buffer_text(&compiler->key),
	          (uint32_t)compiler->feature_list.count, &index))
		return index;
	struct text text = take_key(compiler);
	VECTOR_ADD(&compiler->feature_list,
	           (struct plan_feature){.key = text, .key_hash = hash_bytes(text.data, text.length)});
	*ret_new = &compiler->feature_list.items[index];
	return index;
}

static uint32_t add_feature(struct compiler *compiler, const struct expr_event *event)
{
	bool             relative = is_relative(event);
	enum series_kind kind     = kind_for(event->aggregate);
	unsigned         cap      = relative ? SERIES_UNLIMITED : cap_for(event);
	struct buffer   *key      = &compiler->key;
	buffer_clear(key);
	buffer_printf(key, "%u %u ", cap, kind);
	buffer_add_sized(key, event->name);
	buffer_add_sized(key, takes_property(event) ? event->property : (struct text){0});
	expr_write_canonical_where(key, event->where);
	if (takes_marks(event))
		add_test_key(key, &event->test);

	struct plan_feature *feature;
	uint32_t             index = put_feature(compiler, &feature);
	if (feature == NULL)
		return index;
	struct arena *arena = &compiler->plan->arena;
	feature->event      = event_name(event->name, arena);
	feature->where      = evaluate_compile_where(event->where, arena);
	feature->filter     = plan_filter_of(event->where, arena);
	feature->relative   = relative;
	feature->kind       = kind;
	feature->cap        = cap;
	if (takes_property(event))
		amount_path_init(&feature->property, event->property, arena);
	if (takes_marks(event)) {
		struct expr_test *marks = ARENA_NEW(arena, struct expr_test);
		*marks                  = event->test;
		evaluate_sort_test(marks, arena);
		feature->marks = marks;
	}
	return index;
}

static uint32_t add_sequence_feature(struct compiler            *compiler,
                                     const struct expr_sequence *sequence)
{
	struct buffer *key = &compiler->key;
	buffer_clear(key);
	buffer_printf(key, "sequence %lld %lld ", (long long)sequence->within_ms,
	              (long long)sequence->ended_within_ms);
	for (unsigned i = 0; i < sequence->step_count; i++) {
		struct buffer where = {0};
		expr_write_canonical_where(&where, sequence->steps[i].where);
		buffer_add_sized(key, sequence->steps[i].name);
		buffer_add_sized(key, buffer_text(&where));
		buffer_done(&where);
	}

	struct plan_feature *feature;
	uint32_t             index = put_feature(compiler, &feature);
	if (feature == NULL)
		return index;
	struct arena *arena = &compiler->plan->arena;
	feature->kind       = SERIES_MARKS;
	feature->sequence   = sequence_compile(sequence, compiler->retention_ms, arena);
	feature->relative   = feature->sequence->relative;
	feature->step_count = sequence->step_count;
	feature->steps      = ARENA_ARRAY(arena, struct plan_feature, sequence->step_count);
	for (unsigned i = 0; i < sequence->step_count; i++)
		feature->steps[i] = (struct plan_feature){
			.event  = event_name(sequence->steps[i].name, arena),
			.filter = plan_filter_of(sequence->steps[i].where, arena),
		};
	return index;
}

/* The index of a leaf that is described but for its key, which begins with what stands in
 * `compiler->key`. */
static uint32_t put_leaf(struct compiler *compiler, struct plan_leaf *leaf)
{
	struct buffer *key = &compiler->key;
	buffer_add_text(key, TEXT(" of "));
	buffer_add_text(key, compiler->feature_list.items[leaf->feature].key);
	uint32_t index;
	if (known(&compiler->leaves, buffer_text(key), (uint32_t)compiler->leaf_list.count, &index))
		return index;
	leaf->key = take_key(compiler);
	evaluate_sort_test(&leaf->test, &compiler->plan->arena);
	VECTOR_ADD(&compiler->leaf_list, *leaf);
	return index;
}

static uint32_t add_leaf(struct compiler *compiler, const struct expr_event *event)
{
	struct plan_leaf leaf = {
		.feature   = add_feature(compiler, event),
		.aggregate = event->aggregate,
		.span =
			{
				.within_ms    = event->within_ms,
				.until_ms     = event->until_ms,
				.from_ms      = event->from_ms,
				.to_ms        = event->from_ms == INSTANT_MS_NONE ? INSTANT_MS_NEVER : event->to_ms,
				.retention_ms = compiler->retention_ms,
			},
		.test      = event->test,
		.value_max = largest_value(&event->test),
	};
	buffer_clear(&compiler->key);
	buffer_printf(&compiler->key, "%u %lld %lld %lld %lld ", leaf.aggregate,
	              (long long)leaf.span.within_ms, (long long)leaf.span.until_ms,
	              (long long)leaf.span.from_ms, (long long)leaf.span.to_ms);
	add_test_key(&compiler->key, &event->test);
	return put_leaf(compiler, &leaf);
}

static uint32_t add_sequence(struct compiler *compiler, const struct expr_sequence *sequence)
{
	struct plan_leaf leaf = {
		.feature = add_sequence_feature(compiler, sequence),
		.span    = {.from_ms      = INSTANT_MS_NONE,
	                .to_ms        = INSTANT_MS_NEVER,
	                .retention_ms = compiler->retention_ms},
	};
	buffer_clear(&compiler->key);
	return put_leaf(compiler, &leaf);
}

static uint32_t add_trait(struct compiler *compiler, struct text name, const struct expr_test *test)
{
	buffer_clear(&compiler->key);
	buffer_add_sized(&compiler->key, name);
	add_test_key(&compiler->key, test);

	uint32_t index;
	if (known(&compiler->traits, buffer_text(&compiler->key), (uint32_t)compiler->trait_list.count,
	          &index))
		return index;
	struct arena     *arena = &compiler->plan->arena;
	struct plan_trait trait = {
		.key        = take_key(compiler),
		.identified = text_equal(name, TEXT("$identified")),
		.test       = *test,
		.relative   = expr_test_is_relative(test),
	};
	value_path_init(&trait.path, arena_text(arena, name), arena);
	trait.first_hash = trait.path.part_count > 0 ? trait.path.parts[0].hash : trait.path.hash;
	evaluate_sort_test(&trait.test, arena);
	VECTOR_ADD(&compiler->trait_list, trait);
	return index;
}

/* Adds `index` to a list of which each member stands there once; returns its place. */
static uint32_t add_once(uint32_t **items, size_t *count, size_t *capacity, uint32_t index)
{
	for (size_t i = 0; i < *count; i++)
		if ((*items)[i] == index)
			return (uint32_t)i;
	if (*count == *capacity)
		*items = vector_grow(*items, capacity, *count + 1, sizeof **items);
	(*items)[*count] = index;
	return (uint32_t)(*count)++;
}

#define ADD_ONCE(list, index) add_once(&(list).items, &(list).count, &(list).capacity, (index))

static struct plan_node compile_node(struct compiler *compiler, const struct expr *expr)
{
	struct plan_node node = {0};
	switch (expr->kind) {
	case EXPR_AND:
	case EXPR_OR:
	case EXPR_NOT:
		node.kind  = expr->kind == EXPR_AND ? NODE_AND : expr->kind == EXPR_OR ? NODE_OR : NODE_NOT;
		node.count = expr->count;
		node.children = ARENA_ARRAY(&compiler->plan->arena, struct plan_node, expr->count);
		for (unsigned i = 0; i < expr->count; i++)
			node.children[i] = compile_node(compiler, expr->operands[i]);
		return node;
	case EXPR_EVENT:
		node.kind  = NODE_LEAF;
		node.index = add_leaf(compiler, &expr->event);
		ADD_ONCE(compiler->rule_leaves, node.index);
		return node;
	case EXPR_TRAIT:
		node.kind  = NODE_TRAIT;
		node.index = add_trait(compiler, expr->trait.name, &expr->trait.test);
		ADD_ONCE(compiler->rule_traits, node.index);
		return node;
	case EXPR_SEGMENT:
		node.kind  = NODE_SEGMENT;
		node.index = ADD_ONCE(compiler->rule_segments, expr->segment.number);
		return node;
	case EXPR_SEQUENCE:
		node.kind  = NODE_LEAF;
		node.index = add_sequence(compiler, &expr->sequence);
		ADD_ONCE(compiler->rule_leaves, node.index);
		return node;
	}
	assert(false);
	return node;
}

static void *keep_array(struct arena *arena, const void *items, size_t count, size_t item_size)
{
	void *kept = arena_zalloc(arena, count * item_size);
	if (count > 0)
		memcpy(kept, items, count * item_size);
	return kept;
}

#define KEEP_ARRAY(arena, list)                                                                    \
	keep_array((arena), (list).items, (list).count, sizeof *(list).items)

static enum status compile_rule(struct compiler *compiler, const struct change_rule *change,
                                struct plan_rule *ret_rule, struct error *err)
{
	struct arena *arena = &compiler->plan->arena;
	struct expr  *expr;
	struct text   canonical = arena_text(arena, change->canonical);
	enum status   status    = expr_parse_canonical(canonical, arena, &expr, err);
	if (status != STATUS_OK)
		return status;

	compiler->rule_leaves.count = compiler->rule_traits.count = compiler->rule_segments.count = 0;
	*ret_rule = (struct plan_rule){
		.segment   = change->segment,
		.version   = change->version,
		.canonical = canonical,
		.root      = compile_node(compiler, expr),
		.expr      = expr,
	};
	ret_rule->leaf_count    = (uint32_t)compiler->rule_leaves.count;
	ret_rule->leaves        = KEEP_ARRAY(arena, compiler->rule_leaves);
	ret_rule->trait_count   = (uint32_t)compiler->rule_traits.count;
	ret_rule->traits        = KEEP_ARRAY(arena, compiler->rule_traits);
	ret_rule->segment_count = (uint32_t)compiler->rule_segments.count;
	ret_rule->segments      = KEEP_ARRAY(arena, compiler->rule_segments);
	return STATUS_OK;
}

static enum status compile(struct compiler *compiler, struct text body, struct error *err)
{
	struct plan         *plan = compiler->plan;
	struct change_record record;
	enum status          status = change_record_read_prepare(body, &plan->arena, &record, err);
	if (status != STATUS_OK)
		return status;

	plan->id         = record.id;
	plan->rule_count = (uint32_t)record.rule_count;
	plan->rules      = ARENA_ARRAY(&plan->arena, struct plan_rule, record.rule_count);
	for (size_t i = 0; i < record.rule_count && status == STATUS_OK; i++)
		status = compile_rule(compiler, &record.rules[i], &plan->rules[i], err);
	if (status != STATUS_OK)
		return status;

	plan->feature_count = (uint32_t)compiler->feature_list.count;
	plan->features      = KEEP_ARRAY(&plan->arena, compiler->feature_list);
	plan->leaf_count    = (uint32_t)compiler->leaf_list.count;
	plan->leaves        = KEEP_ARRAY(&plan->arena, compiler->leaf_list);
	plan->trait_count   = (uint32_t)compiler->trait_list.count;
	plan->traits        = KEEP_ARRAY(&plan->arena, compiler->trait_list);
	return STATUS_OK;
}

enum status plan_compile(struct text body, int64_t retention_ms, struct plan **ret_plan,
                         struct error *err)
{
	struct plan *plan = calloc(1, sizeof *plan);
	if (plan == NULL)
		abort();
	atomic_init(&plan->references, 1);
	arena_init(&plan->arena);

	struct compiler compiler = {.plan = plan, .retention_ms = retention_ms};
	enum status     status   = compile(&compiler, body, err);

	map_text_done(&compiler.features);
	map_text_done(&compiler.leaves);
	map_text_done(&compiler.traits);
	buffer_done(&compiler.key);
	VECTOR_DONE(&compiler.feature_list);
	VECTOR_DONE(&compiler.leaf_list);
	VECTOR_DONE(&compiler.trait_list);
	VECTOR_DONE(&compiler.rule_leaves);
	VECTOR_DONE(&compiler.rule_traits);
	VECTOR_DONE(&compiler.rule_segments);
	if (status != STATUS_OK) {
		plan_unref(plan);
		return status;
	}
	*ret_plan = plan;
	return STATUS_OK;
}
