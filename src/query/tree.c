#include "query/tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void tree_init(struct tree *tree)
{
	*tree = (struct tree){0};
	arena_init(&tree->arena);
}

void tree_done(struct tree *tree)
{
	for (size_t i = 0; i < tree->plans.count; i++)
		plan_unref(tree->plans.items[i]);
	VECTOR_DONE(&tree->plans);
	VECTOR_DONE(&tree->roots);
	VECTOR_DONE(&tree->atoms);
	arena_done(&tree->arena);
}

/* ---- Building ---- */

struct building {
	struct tree          *tree;
	const struct catalog *catalog; /* NULL: segments are asked by their members */
	unsigned              level;
	enum status           status; /* so far */
};

static uint32_t put_atom(struct tree *tree, struct tree_atom atom, bool *ret_new)
{
	*ret_new = false;
	for (size_t i = 0; i < tree->atoms.count; i++) {
		struct tree_atom *known = &tree->atoms.items[i];
		if (known->kind != atom.kind || known->plan != atom.plan || known->index != atom.index ||
		    known->list != atom.list)
			continue;
		known->shared = true;
		return (uint32_t)i;
	}
	*ret_new = true;
	VECTOR_ADD(&tree->atoms, atom);
	return (uint32_t)tree->atoms.count - 1;
}

static struct tree_node *add_node(struct tree *tree, enum plan_node_kind kind, uint32_t count)
{
	struct tree_node *node = ARENA_NEW(&tree->arena, struct tree_node);
	node->kind             = kind;
	node->count            = count;
	node->operands         = ARENA_ARRAY(&tree->arena, struct tree_node *, count);
	return node;
}

static void keep_plan(struct tree *tree, struct plan *plan)
{
	for (size_t i = 0; i < tree->plans.count; i++)
		if (tree->plans.items[i] == plan)
			return;
	VECTOR_ADD(&tree->plans, plan_ref(plan));
}

static struct tree_node *add(struct building *building, struct plan *plan,
                             const struct plan_rule *rule, const struct plan_node *from,
                             const struct expr *expr);

/* Among definitions there are no cycles. */
static void define(struct building *building, uint32_t atom)
{
	struct tree *tree = building->tree;
	uint32_t     live = catalog_live(building->catalog, tree->atoms.items[atom].index);
	if (live == RULE_NONE || building->level == TREE_LEVELS_MAX) {
		building->status = live == RULE_NONE ? STATUS_CONFLICT : STATUS_UNSUPPORTED;
		return;
	}
	building->level++;
	const struct rule *rule = &building->catalog->rules.items[live];
	keep_plan(tree, rule->owner);
	struct tree_node *definition =
		add(building, rule->owner, rule->plan, &rule->plan->root, rule->plan->expr);
	tree->atoms.items[atom].definition = definition;
	building->level--;
}

static struct tree_node *add_atom(struct building *building, struct tree_atom atom)
{
	bool              is_new;
	struct tree_node *node = add_node(building->tree, atom.kind, 0);
	node->atom             = put_atom(building->tree, atom, &is_new);
	if (is_new && atom.kind == NODE_SEGMENT && building->catalog != NULL)
		define(building, node->atom);
	return node;
}

static struct tree_node *add(struct building *building, struct plan *plan,
                             const struct plan_rule *rule, const struct plan_node *from,
                             const struct expr *expr)
{
	if (from->kind == NODE_SEGMENT)
		return add_atom(building, (struct tree_atom){.kind  = NODE_SEGMENT,
		                                             .index = rule->segments[from->index],
		                                             .expr  = expr});
	if (from->kind == NODE_LEAF || from->kind == NODE_TRAIT)
		return add_atom(building,
		                (struct tree_atom){
							.kind = from->kind, .plan = plan, .index = from->index, .expr = expr});
	struct tree_node *node = add_node(building->tree, from->kind, from->count);
	for (uint32_t i = 0; i < from->count; i++)
		node->operands[i] = add(building, plan, rule, &from->children[i], expr->operands[i]);
	return node;
}

enum status tree_add_rule(struct tree *tree, struct plan *plan, uint32_t rule,
                          const struct catalog *catalog)
{
	struct building         building = {.tree = tree, .catalog = catalog};
	const struct plan_rule *of       = &plan->rules[rule];
	keep_plan(tree, plan);
	struct tree_node *root = add(&building, plan, of, &of->root, of->expr);
	VECTOR_ADD(&tree->roots, root);
	return building.status;
}

void tree_add_segment(struct tree *tree, uint32_t segment)
{
	struct building   building = {.tree = tree};
	struct tree_node *root =
		add_atom(&building, (struct tree_atom){.kind = NODE_SEGMENT, .index = segment});
	VECTOR_ADD(&tree->roots, root);
}

void tree_add_list(struct tree *tree, const struct member_list *list)
{
	struct building   building = {.tree = tree};
	struct tree_node *root =
		add_atom(&building, (struct tree_atom){.kind = NODE_SEGMENT, .list = list});
	VECTOR_ADD(&tree->roots, root);
}

/* ---- Order ---- */

struct ordering {
	tree_estimate_fn *estimate;
	void             *context;
};

static bool is_atom(const struct tree_node *node)
{
	return node->kind != NODE_AND && node->kind != NODE_OR && node->kind != NODE_NOT;
}

/* What asking costs for each person whom it settles: of an and those for whom it does not hold, of
 * an or those for whom it does. */
static double worth(enum plan_node_kind kind, const struct tree_node *operand)
{
	double settled = kind == NODE_AND ? 1 - operand->share : operand->share;
	return operand->cost / (settled > 0.001 ? settled : 0.001);
}

static void sort_operands(struct tree_node *node)
{
	for (uint32_t i = 1; i < node->count; i++) {
		struct tree_node *moved = node->operands[i];
		double            at    = worth(node->kind, moved);
		uint32_t          place = i;
		for (; place > 0 && worth(node->kind, node->operands[place - 1]) > at; place--)
			node->operands[place] = node->operands[place - 1];
		node->operands[place] = moved;
	}
}

/* As if operands had nothing to do with each other. */
static void order(const struct ordering *ordering, struct tree_node *node)
{
	if (is_atom(node)) {
		struct tree_estimate told = ordering->estimate(ordering->context, node->atom);
		node->cost                = told.cost;
		node->share               = told.share;
		return;
	}
	for (uint32_t i = 0; i < node->count; i++)
		order(ordering, node->operands[i]);
	sort_operands(node);
	double open = 1; /* the share that is left to the next operand */
	node->cost  = 0;
	for (uint32_t i = 0; i < node->count; i++) {
		const struct tree_node *operand = node->operands[i];
		node->cost += open * operand->cost;
		open *= node->kind == NODE_OR ? 1 - operand->share : operand->share;
	}
	node->share = node->kind == NODE_AND ? open : 1 - open;
}

void tree_order(struct tree *tree, tree_estimate_fn *estimate, void *context)
{
	const struct ordering ordering = {estimate, context};
	for (size_t i = 0; i < tree->atoms.count; i++)
		if (tree->atoms.items[i].definition != NULL)
			order(&ordering, tree->atoms.items[i].definition);
	for (size_t i = 0; i < tree->roots.count; i++)
		order(&ordering, tree->roots.items[i]);
}

/* ---- Evaluation of runs ---- */

/* Who is left to the next operand of an and: for whom this one does not fail. False: nobody. */
static bool leave_all(uint32_t count, const struct mask *restrict holds,
                      const struct mask *restrict open, struct mask *restrict left,
                      struct mask *restrict all_open)
{
	uint64_t any = 0;
	for (uint32_t block = 0; block < count; block++)
		for (unsigned word = 0; word < BLOCK_WORDS; word++) {
			uint64_t both           = holds[block].words[word] | open[block].words[word];
			left[block].words[word] = both;
			all_open[block].words[word] =
				(all_open[block].words[word] | open[block].words[word]) & both;
			any |= both;
		}
	return any != 0;
}

/* The same of an or: for whom this one does not hold. */
static bool leave_any(uint32_t count, const struct mask *restrict holds,
                      const struct mask *restrict open, struct mask *restrict left,
                      struct mask *restrict all_open)
{
	uint64_t any = 0;
	for (uint32_t block = 0; block < count; block++)
		for (unsigned word = 0; word < BLOCK_WORDS; word++) {
			uint64_t rest           = left[block].words[word] & ~holds[block].words[word];
			left[block].words[word] = rest;
			all_open[block].words[word] =
				(all_open[block].words[word] | open[block].words[word]) & rest;
			any |= rest;
		}
	return any != 0;
}

static void take_out(uint32_t count, const struct mask *restrict of,
                     const struct mask *restrict those, struct mask *restrict ret_others)
{
	for (uint32_t block = 0; block < count; block++)
		for (unsigned word = 0; word < BLOCK_WORDS; word++)
			ret_others[block].words[word] = of[block].words[word] & ~those[block].words[word];
}

/* Those who are left at the end of an and are they for whom it holds, of an or the others: of both
 * without those for whom some operand is open. */
static void look_at_operands(const struct tree_look *look, const struct tree_node *node,
                             const struct mask *wanted, struct mask *ret_holds,
                             struct mask *ret_open)
{
	struct mask left[RUN_BLOCKS], holds[RUN_BLOCKS], open[RUN_BLOCKS];
	bool        any = true;
	memcpy(left, wanted, look->count * sizeof *wanted);
	memset(ret_open, 0, look->count * sizeof *ret_open);
	for (uint32_t i = 0; i < node->count && any; i++) {
		tree_look(look, node->operands[i], left, holds, open);
		any = node->kind == NODE_AND ? leave_all(look->count, holds, open, left, ret_open)
		                             : leave_any(look->count, holds, open, left, ret_open);
	}
	if (node->kind == NODE_AND)
		take_out(look->count, left, ret_open, ret_holds);
	else
		take_out(look->count, wanted, left, ret_holds);
}

void tree_look(const struct tree_look *look, const struct tree_node *node,
               const struct mask *wanted, struct mask *ret_holds, struct mask *ret_open)
{
	if (is_atom(node)) {
		look->look(look->context, node->atom, look->count, wanted, ret_holds, ret_open);
	} else if (node->kind == NODE_NOT) {
		struct mask fails[RUN_BLOCKS];
		tree_look(look, node->operands[0], wanted, ret_holds, ret_open);
		take_out(look->count, wanted, ret_holds, fails);
		take_out(look->count, fails, ret_open, ret_holds);
	} else {
		look_at_operands(look, node, wanted, ret_holds, ret_open);
	}
}

/* ---- Evaluation of a block ---- */

static struct verdict contrary(struct verdict verdict)
{
	verdict.holds = verdict_fails(&verdict);
	return verdict;
}

/* An or is the contrary of an and of contraries. */
static struct verdict known_of_all(const struct tree_node *node, const struct verdict *atoms)
{
	bool           any   = node->kind == NODE_OR;
	struct mask    all   = mask_first(BLOCK_SLOTS);
	struct verdict whole = {.holds = all}; /* known: for whom some operand fails */
	for (uint32_t i = 0; i < node->count; i++) {
		struct verdict one = tree_known(node->operands[i], atoms);
		if (any)
			one = contrary(one);
		struct mask fails = verdict_fails(&one);
		whole.known       = mask_or(whole.known, &fails);
		whole.holds       = mask_and(whole.holds, &one.holds);
	}
	whole.known = mask_or(whole.known, &whole.holds);
	return any ? contrary(whole) : whole;
}

struct verdict tree_known(const struct tree_node *node, const struct verdict *atoms)
{
	if (is_atom(node))
		return atoms[node->atom];
	if (node->kind == NODE_NOT)
		return contrary(tree_known(node->operands[0], atoms));
	return known_of_all(node, atoms);
}

static struct verdict among(struct verdict verdict, const struct mask *wanted)
{
	verdict.holds = mask_and(verdict.holds, wanted);
	verdict.known = mask_and(verdict.known, wanted);
	return verdict;
}

static struct verdict settle_atom(uint32_t atom, struct verdict *atoms, const struct mask *wanted,
                                  tree_ask_fn *ask, void *context)
{
	struct mask open = verdict_open(&atoms[atom], *wanted);
	if (!mask_is_empty(&open)) {
		struct verdict told = ask(context, atom, &open);
		atoms[atom].known   = mask_or(atoms[atom].known, &told.known);
		atoms[atom].holds   = mask_or(atoms[atom].holds, &told.holds);
	}
	return among(atoms[atom], wanted);
}

/* Of an or the contrary of its operands, as above. */
static struct verdict settle_all(const struct tree_node *node, struct verdict *atoms,
                                 const struct mask *wanted, tree_ask_fn *ask, void *context)
{
	bool           any   = node->kind == NODE_OR;
	struct mask    open  = *wanted; /* no operand fails yet */
	struct verdict whole = {.holds = *wanted};
	for (uint32_t i = 0; i < node->count && !mask_is_empty(&open); i++) {
		struct verdict one = tree_settle(node->operands[i], atoms, &open, ask, context);
		if (any)
			one = contrary(one);
		struct mask fails = verdict_fails(&one);
		open              = mask_without(open, &fails);
		whole.known       = mask_or(whole.known, &fails);
		whole.holds       = mask_and(whole.holds, &one.holds);
	}
	whole.known = mask_or(whole.known, &whole.holds);
	return any ? contrary(whole) : whole;
}

struct verdict tree_settle(const struct tree_node *node, struct verdict *atoms,
                           const struct mask *wanted, tree_ask_fn *ask, void *context)
{
	if (is_atom(node))
		return settle_atom(node->atom, atoms, wanted, ask, context);
	if (node->kind == NODE_NOT)
		return contrary(tree_settle(node->operands[0], atoms, wanted, ask, context));
	struct verdict known = among(tree_known(node, atoms), wanted);
	struct mask    open  = verdict_open(&known, *wanted);
	if (mask_is_empty(&open))
		return known;
	struct verdict told = settle_all(node, atoms, &open, ask, context);
	known.holds         = mask_or(known.holds, &told.holds);
	known.known         = mask_or(known.known, &told.known);
	return known;
}
