#include "query/visit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "engine/apply/leaf.h"

enum { NUMBERS_MAX = 4096 }; /* of a partition, at the instant */

static void *zeroed(size_t count, size_t size)
{
	void *memory = calloc(count + 1, size);
	if (memory == NULL)
		abort();
	return memory;
}

/* ---- Life ---- */

static struct visit *add_visit(struct visits *visits)
{
	struct visit *visit = &visits->items[visits->count++];
	*visit              = (struct visit){0};
	visit->todo         = zeroed(visits->config.block_end, sizeof *visit->todo);
	groups_init(&visit->groups);
	return visit;
}

static void add_dimension(struct visits *visits, const struct query_dimension *dimension)
{
	struct visit *visit = add_visit(visits);
	visit->dimension    = dimension;
	if (dimension->trait.length == 0) {
		amount_path_init(&visit->property, dimension->property, &visits->arena);
		return;
	}
	visit->trait.identified = text_equal(dimension->trait, TEXT("$identified"));
	value_path_init(&visit->trait.path, dimension->trait, &visits->arena);
	if (visits->config.columns != NULL)
		visit->column =
			columns_trait(visits->config.columns, dimension->trait, visits->config.as_of_ms);
}

static struct column *column_of(const struct visits *visits, const struct plan_leaf *leaf)
{
	const struct visits_config *config = &visits->config;
	if (config->columns == NULL)
		return NULL;
	return columns_metric(config->columns, &config->revenue->features[leaf->feature], leaf,
	                      config->as_of_ms);
}

static struct visit *add_part(struct visits *visits, enum revenue_part part)
{
	struct visit *visit = add_visit(visits);
	visit->part         = part;
	visit->leaf         = revenue_leaf(visits->config.revenue, part);
	visit->column       = column_of(visits, visit->leaf);
	if (visit->column != NULL)
		visit->mark = columns_mark(visits->config.columns, visit->column);
	return visit;
}

/* Orders that are folded are counted with their sum. */
static void add_revenue(struct visits *visits)
{
	const struct plan *plan    = visits->config.revenue;
	bool               columns = column_of(visits, revenue_leaf(plan, REVENUE_ORDERS)) != NULL &&
	               column_of(visits, revenue_leaf(plan, REVENUE_ORDERED)) != NULL;
	if (columns)
		add_part(visits, REVENUE_ORDERS);
	struct visit *ordered = add_part(visits, REVENUE_ORDERED);
	if (!columns) {
		ordered->column = NULL;
		ordered->counts = true;
	}
	if (revenue_leaf(plan, REVENUE_REFUNDED) != NULL) {
		add_part(visits, REVENUE_REFUNDED);
		add_part(visits, REVENUE_REFUNDED_BELOW);
	}
}

void visits_init(struct visits *visits, const struct visits_config *config)
{
	visits->config  = *config;
	visits->count   = 0;
	visits->folded  = NULL;
	visits->numbers = 0;
	arena_init(&visits->arena);
	for (unsigned i = 0; i < config->wish->dimension_count; i++)
		add_dimension(visits, &config->wish->dimensions[i]);
	if (config->revenue != NULL)
		add_revenue(visits);
}

void visits_done(struct visits *visits)
{
	for (unsigned i = 0; i < visits->count; i++) {
		fold_free(visits->items[i].fold);
		free(visits->items[i].codes);
		free(visits->items[i].todo);
		groups_done(&visits->items[i].groups);
	}
	free(visits->folded);
	arena_done(&visits->arena);
}

/* ---- By columns ---- */

/* Numbers beyond the first ones are left for later: each is found by itself, and the read must be
 * short. */
static struct mask look_trait(struct visits *visits, struct visit *visit, uint32_t block,
                              struct mask members)
{
	uint64_t    classes[COLUMN_CLASS_COUNT] = {0};
	struct mask rest                        = {0};
	if (visit->codes == NULL)
		visit->codes = zeroed(COLUMN_CODES_MAX, sizeof *visit->codes);
	column_count(visit->column, block, 1, members.words, visit->codes, classes, rest.words);
	visit->groups.missing += classes[COLUMN_MISSING];
	for (unsigned bit = 0; visits->numbers < NUMBERS_MAX && mask_next(&rest, &bit); bit++) {
		struct column_value told  = column_value(visit->column, block * BLOCK_SLOTS + bit);
		struct value        value = {.type = VALUE_DOUBLE, .number = told.number};
		if (told.class != COLUMN_NUMBER)
			continue;
		groups_add(&visit->groups, &value, 1);
		rest.words[bit / 64] &= ~(UINT64_C(1) << bit % 64);
		visits->numbers++;
	}
	return rest;
}

void visits_looked(struct visits *visits)
{
	for (unsigned i = 0; i < visits->count; i++) {
		struct visit *visit = &visits->items[i];
		uint32_t      codes = visit->codes == NULL ? 0 : column_code_count(visit->column);
		for (uint32_t code = 0; code < codes; code++) {
			struct value value = column_code_value(visit->column, code);
			if (visit->codes[code] > 0)
				groups_add(&visit->groups, &value, visit->codes[code]);
		}
	}
}

/* False: nobody is left. */
static bool leave(struct visit *visit, uint32_t block, uint32_t count, const struct mask *left)
{
	bool any = false;
	for (uint32_t i = 0; i < count; i++) {
		visit->todo[block + i] = left[i];
		any |= !mask_is_empty(&left[i]);
	}
	return any;
}

/* False: nobody is left. */
static bool look(struct visits *visits, struct visit *visit, uint32_t block, uint32_t count,
                 const struct mask *members)
{
	struct mask rest[RUN_BLOCKS];
	int64_t     begin_ns = clock_monotonic_ns();
	if (visit->dimension == NULL)
		column_sum(visit->column, block, count, members->words, &visit->sum, rest->words);
	for (uint32_t i = 0; visit->dimension != NULL && i < count; i++)
		rest[i] = look_trait(visits, visit, block + i, members[i]);
	for (uint32_t i = 0; i < count; i++)
		visit->persons += mask_count(&members[i]) - mask_count(&rest[i]);
	visit->took_ns += clock_monotonic_ns() - begin_ns;
	return leave(visit, block, count, rest);
}

bool visits_look(struct visits *visits, uint32_t block, uint32_t count, const struct mask *members)
{
	bool left = false;
	for (unsigned i = 0; i < visits->count; i++) {
		struct visit *visit = &visits->items[i];
		if (visit->column == NULL)
			left |= leave(visit, block, count, members);
		else
			left |= look(visits, visit, block, count, members);
	}
	return left;
}

/* ---- Later ---- */

void visits_add(struct visits *visits, uint32_t block, const struct mask *members)
{
	for (unsigned i = 0; i < visits->count; i++)
		visits->items[i].todo[block] = mask_or(visits->items[i].todo[block], members);
}

struct mask visits_open(const struct visits *visits, uint32_t block)
{
	struct mask open = {0};
	for (unsigned i = 0; i < visits->count; i++)
		open = mask_or(open, &visits->items[i].todo[block]);
	return open;
}

static void visit_traits(struct visits *visits, struct visit *visit, uint32_t block,
                         const struct mask *wanted)
{
	const struct trait_leaf trait = {.plan = &visit->trait};
	for (unsigned bit = 0; mask_next(wanted, &bit); bit++) {
		const struct profile *profile =
			profiles_find(&visits->config.partition->profiles, block * BLOCK_SLOTS + bit);
		struct value value = trait_value(&trait, profile_traits(profile), profile->identified);
		groups_add(&visit->groups, &value, 1);
	}
}

static struct fold *fold_of(struct visits *visits, struct visit *visit)
{
	const struct visits_config *config = &visits->config;
	if (visit->fold != NULL)
		return visit->fold;
	struct fold_wish wish = {
		.partition          = config->partition,
		.now_ms             = config->as_of_ms,
		.received_before_ms = config->past ? config->as_of_ms + 1 : 0,
	};
	if (visit->dimension != NULL) {
		wish.event    = visit->dimension->event;
		wish.property = &visit->property;
		wish.span     = (struct span){.within_ms    = visit->dimension->within_ms,
		                              .from_ms      = INSTANT_MS_NONE,
		                              .to_ms        = INSTANT_MS_NEVER,
		                              .retention_ms = config->partition->retention_ms};
		wish.takes    = FOLD_LAST;
	} else {
		const struct plan_feature *feature = &config->revenue->features[visit->leaf->feature];
		wish.event                         = feature->event;
		wish.where                         = feature->where;
		wish.property = feature->kind == SERIES_TIMES ? NULL : &feature->property;
		wish.span     = visit->leaf->span;
		wish.takes    = visit->part == REVENUE_ORDERS ? 0 : FOLD_SUM;
	}
	return visit->fold = fold_new(&wish);
}

static void take(struct visit *visit, const struct folded *folded)
{
	static const struct value none = {.type = VALUE_NULL};
	if (visit->dimension != NULL) {
		groups_add(&visit->groups, folded == NULL ? &none : &folded->value, 1);
	} else if (folded != NULL) {
		visit->sum += visit->part == REVENUE_ORDERS ? folded->count : folded->sum;
		visit->count += visit->counts ? folded->count : 0;
	}
}

static void visit_events(struct visits *visits, struct visit *visit, uint32_t block,
                         const struct mask *wanted)
{
	struct mask touched = {0};
	if (visits->folded == NULL)
		visits->folded = zeroed(BLOCK_SLOTS, sizeof *visits->folded);
	fold_block(fold_of(visits, visit), block * BLOCK_SLOTS, BLOCK_SLOTS / 64, wanted->words,
	           touched.words, visits->folded);
	for (unsigned bit = 0; mask_next(wanted, &bit); bit++)
		take(visit, mask_has(&touched, bit) ? &visits->folded[bit] : NULL);
}

/* By the column, if it still says what it said; those whom it does not know are left. */
static struct mask sum_up(const struct visits *visits, struct visit *visit, uint32_t block,
                          struct mask todo)
{
	struct mask unknown;
	if (visit->column == NULL || visit->dimension != NULL ||
	    !columns_mark_is_good(visits->config.columns, visit->column, visit->mark))
		return todo;
	column_sum(visit->column, block, 1, todo.words, &visit->sum, unknown.words);
	return unknown;
}

static void settle(struct visits *visits, struct visit *visit, uint32_t block, struct mask todo)
{
	int64_t begin_ns = clock_monotonic_ns();
	visit->persons += mask_count(&todo);
	todo = sum_up(visits, visit, block, todo);
	if (visit->dimension != NULL && visit->dimension->trait.length > 0)
		visit_traits(visits, visit, block, &todo);
	else if (!mask_is_empty(&todo))
		visit_events(visits, visit, block, &todo);
	visit->took_ns += clock_monotonic_ns() - begin_ns;
}

void visits_settle(struct visits *visits, uint32_t block, const struct mask *wanted)
{
	for (unsigned i = 0; i < visits->count; i++) {
		struct visit *visit = &visits->items[i];
		struct mask   todo  = mask_and(visit->todo[block], wanted);
		visit->todo[block]  = mask_without(visit->todo[block], &todo);
		if (!mask_is_empty(&todo))
			settle(visits, visit, block, todo);
	}
}

/* ---- What is told of it ---- */

enum query_way visit_way(const struct visit *visit)
{
	if (visit->column != NULL)
		return QUERY_BY_COLUMN;
	return visit->dimension != NULL && visit->dimension->trait.length > 0 ? QUERY_BY_PERSON
	                                                                      : QUERY_BY_SCAN;
}

static struct expr dimension_expr(const struct query_dimension *dimension)
{
	if (dimension->trait.length > 0)
		return (struct expr){.kind = EXPR_TRAIT, .trait.name = dimension->trait};
	return (struct expr){
		.kind  = EXPR_EVENT,
		.event = {.name      = dimension->event.length > 0 ? dimension->event : TEXT("*"),
	              .aggregate = EXPR_LAST,
	              .property  = dimension->property,
	              .within_ms = dimension->within_ms,
	              .from_ms   = INSTANT_MS_NONE},
	};
}

struct text visit_text(const struct visit *visit, const struct plan *revenue, struct arena *arena)
{
	struct buffer out = {0};
	if (visit->dimension != NULL) {
		const struct expr expr = dimension_expr(visit->dimension);
		expr_write_text_value(&out, &expr);
	} else {
		expr_write_text_value(&out, revenue->rules[visit->part].expr);
	}
	struct text text = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return text;
}
