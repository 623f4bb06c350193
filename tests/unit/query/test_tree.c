#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "../seed.h"
#include "query/tree.h"

enum { ATOMS = 5, TREES = 300 };

/* Trees are made here by hand: their atoms stand for nothing. */
static struct tree_node *random_node(struct arena *arena, unsigned depth)
{
	struct tree_node *node = ARENA_NEW(arena, struct tree_node);
	uint64_t          kind = depth == 0 ? 3 : seed_next() % 4;
	node->kind = kind == 0 ? NODE_AND : kind == 1 ? NODE_OR : kind == 2 ? NODE_NOT : NODE_LEAF;
	node->atom = (uint32_t)(seed_next() % ATOMS);
	if (node->kind == NODE_LEAF)
		return node;
	node->count    = node->kind == NODE_NOT ? 1 : 1 + (uint32_t)(seed_next() % 4);
	node->operands = ARENA_ARRAY(arena, struct tree_node *, node->count);
	for (uint32_t i = 0; i < node->count; i++)
		node->operands[i] = random_node(arena, depth - 1);
	return node;
}

static bool plain(const struct tree_node *node, const bool *atoms)
{
	bool holds = node->kind == NODE_AND;
	switch (node->kind) {
	case NODE_AND:
		for (uint32_t i = 0; i < node->count; i++)
			holds &= plain(node->operands[i], atoms);
		return holds;
	case NODE_OR:
		for (uint32_t i = 0; i < node->count; i++)
			holds |= plain(node->operands[i], atoms);
		return holds;
	case NODE_NOT:
		return !plain(node->operands[0], atoms);
	default:
		return atoms[node->atom];
	}
}

struct truth {
	bool           atoms[BLOCK_SLOTS][ATOMS];
	struct verdict verdicts[ATOMS];
	struct mask    asked[ATOMS];
	bool           partly; /* every other answer is not known */
};

static void draw(struct truth *truth)
{
	memset(truth, 0, sizeof *truth);
	for (unsigned bit = 0; bit < BLOCK_SLOTS; bit++)
		for (unsigned atom = 0; atom < ATOMS; atom++) {
			truth->atoms[bit][atom] = seed_next() % 2 == 0;
			if (seed_next() % 2 == 0)
				continue;
			mask_set(&truth->verdicts[atom].known, bit);
			if (truth->atoms[bit][atom])
				mask_set(&truth->verdicts[atom].holds, bit);
		}
}

/* Nobody is asked about who was known, and nobody twice. */
static struct verdict ask(void *context, uint32_t atom, const struct mask *wanted)
{
	struct truth  *truth = context;
	struct verdict told  = {0};
	struct mask    again = mask_and(truth->asked[atom], wanted);
	struct mask    known = mask_and(truth->verdicts[atom].known, wanted);
	assert_true(mask_is_empty(&again) && mask_is_empty(&known));
	if (!truth->partly)
		truth->asked[atom] = mask_or(truth->asked[atom], wanted);
	for (unsigned bit = 0; mask_next(wanted, &bit); bit++) {
		if (truth->partly && bit % 2 == 0)
			continue;
		mask_set(&told.known, bit);
		if (truth->atoms[bit][atom])
			mask_set(&told.holds, bit);
	}
	return told;
}

static struct mask some(void)
{
	struct mask mask;
	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		mask.words[i] = seed_next();
	return mask;
}

/* What is said to be known is right, whatever the unknown atoms are. */
static void what_is_known_follows_from_the_atoms(void **state)
{
	(void)state;
	static struct truth truth;
	struct arena        arena;
	arena_init(&arena);
	for (unsigned i = 0; i < TREES; i++) {
		const struct tree_node *node = random_node(&arena, 4);
		draw(&truth);
		struct verdict told = tree_known(node, truth.verdicts);
		for (unsigned bit = 0; bit < BLOCK_SLOTS; bit++) {
			if (mask_has(&told.known, bit))
				assert_int_equal(mask_has(&told.holds, bit), plain(node, truth.atoms[bit]));
			else
				assert_false(mask_has(&told.holds, bit));
		}
	}
	arena_done(&arena);
}

static void what_all_values_of_the_open_atoms_agree_on_is_known_of_an_and_and_an_or(void **state)
{
	(void)state;
	struct tree_node  atoms[2] = {{.kind = NODE_LEAF, .atom = 0}, {.kind = NODE_LEAF, .atom = 1}};
	struct tree_node *operands[2] = {&atoms[0], &atoms[1]};
	struct tree_node  both        = {.kind = NODE_AND, .count = 2, .operands = operands};
	struct tree_node  any         = {.kind = NODE_OR, .count = 2, .operands = operands};
	/* Bit 3 * a + b: what the two are, 0 fails, 1 holds, 2 open. */
	struct verdict verdicts[2] = {0};
	for (unsigned bit = 0; bit < 9; bit++)
		for (unsigned atom = 0; atom < 2; atom++) {
			unsigned is = atom == 0 ? bit / 3 : bit % 3;
			if (is != 2)
				mask_set(&verdicts[atom].known, bit);
			if (is == 1)
				mask_set(&verdicts[atom].holds, bit);
		}
	const struct verdict and = tree_known(&both, verdicts), or = tree_known(&any, verdicts);
	assert_int_equal(and.known.words[0] & 0x1ff, 0x05f); /* all but 12, 21, 22 */
	assert_int_equal(and.holds.words[0], 1 << 4);
	assert_int_equal(or.known.words[0] & 0x1ff, 0x0bb); /* all but 02, 20, 22 */
	assert_int_equal(or.holds.words[0], 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 7);
}

static void settling_answers_for_exactly_the_wanted_ones(void **state)
{
	(void)state;
	static struct truth truth;
	struct arena        arena;
	arena_init(&arena);
	for (unsigned i = 0; i < TREES; i++) {
		const struct tree_node *node   = random_node(&arena, 4);
		struct mask             wanted = some();
		draw(&truth);
		struct verdict told = tree_settle(node, truth.verdicts, &wanted, ask, &truth);
		assert_memory_equal(&told.known, &wanted, sizeof wanted);
		for (unsigned bit = 0; bit < BLOCK_SLOTS; bit++)
			assert_int_equal(mask_has(&told.holds, bit),
			                 mask_has(&wanted, bit) && plain(node, truth.atoms[bit]));
	}
	arena_done(&arena);
}

static void who_cannot_be_answered_for_stays_open(void **state)
{
	(void)state;
	static struct truth truth;
	struct arena        arena;
	arena_init(&arena);
	for (unsigned i = 0; i < TREES; i++) {
		const struct tree_node *node   = random_node(&arena, 4);
		struct mask             wanted = some();
		draw(&truth);
		truth.partly        = true;
		struct verdict told = tree_settle(node, truth.verdicts, &wanted, ask, &truth);
		for (unsigned bit = 0; bit < BLOCK_SLOTS; bit++) {
			if (!mask_has(&wanted, bit))
				assert_false(mask_has(&told.known, bit));
			else if (bit % 2 == 1)
				assert_true(mask_has(&told.known, bit));
			if (mask_has(&told.known, bit))
				assert_int_equal(mask_has(&told.holds, bit), plain(node, truth.atoms[bit]));
		}
	}
	arena_done(&arena);
}

enum { BLOCKS = 3 };

/* A run of blocks, of which each has truths of its own; `partly` as above. */
static void look(void *context, uint32_t atom, uint32_t count, const struct mask *wanted,
                 struct mask *ret_holds, struct mask *ret_open)
{
	struct truth *truths = context;
	assert_int_equal(count, BLOCKS);
	for (uint32_t i = 0; i < count; i++) {
		ret_holds[i] = ret_open[i] = (struct mask){0};
		for (unsigned bit = 0; mask_next(&wanted[i], &bit); bit++) {
			if (truths[i].partly && (bit + atom) % 3 == 0)
				mask_set(&ret_open[i], bit);
			else if (truths[i].atoms[bit][atom])
				mask_set(&ret_holds[i], bit);
		}
	}
}

/* What the block's atoms are known to be, as `look` says. */
static void tell(struct truth *truth)
{
	memset(truth->verdicts, 0, sizeof truth->verdicts);
	for (unsigned bit = 0; bit < BLOCK_SLOTS; bit++)
		for (unsigned atom = 0; atom < ATOMS; atom++) {
			if (truth->partly && (bit + atom) % 3 == 0)
				continue;
			mask_set(&truth->verdicts[atom].known, bit);
			if (truth->atoms[bit][atom])
				mask_set(&truth->verdicts[atom].holds, bit);
		}
}

static void a_look_at_a_run_says_of_the_wanted_ones_what_is_known_of_them(void **state)
{
	(void)state;
	static struct truth truths[BLOCKS];
	struct arena        arena;
	arena_init(&arena);
	for (unsigned i = 0; i < TREES; i++) {
		const struct tree_node *node = random_node(&arena, 4);
		const struct tree_look  run  = {look, truths, BLOCKS};
		struct mask             wanted[BLOCKS], holds[BLOCKS], open[BLOCKS];
		for (unsigned block = 0; block < BLOCKS; block++) {
			draw(&truths[block]);
			truths[block].partly = seed_next() % 3 > 0;
			wanted[block]        = block == 1 ? (struct mask){0} : some();
			tell(&truths[block]);
		}
		tree_look(&run, node, wanted, holds, open);
		for (unsigned block = 0; block < BLOCKS; block++) {
			struct verdict known  = tree_known(node, truths[block].verdicts);
			struct mask    passed = mask_and(known.holds, &wanted[block]);
			struct mask    left   = mask_without(wanted[block], &known.known);
			assert_memory_equal(&holds[block], &passed, sizeof passed);
			assert_memory_equal(&open[block], &left, sizeof left);
		}
	}
	arena_done(&arena);
}

static struct tree_estimate estimate(void *context, uint32_t atom)
{
	(void)context;
	static const struct tree_estimate estimates[] = {{100, 0.5}, {1, 0.9}, {1, 0.1}};
	return estimates[atom];
}

static void cheap_operands_that_settle_many_come_first(void **state)
{
	(void)state;
	struct tree_node  atoms[3]    = {{.kind = NODE_LEAF, .atom = 0},
	                                 {.kind = NODE_LEAF, .atom = 1},
	                                 {.kind = NODE_LEAF, .atom = 2}};
	struct tree_node *operands[3] = {&atoms[0], &atoms[1], &atoms[2]};
	struct tree_node  node        = {.kind = NODE_AND, .count = 3, .operands = operands};
	struct tree       tree;
	tree_init(&tree);
	VECTOR_ADD(&tree.roots, &node);
	tree_order(&tree, estimate, NULL);
	assert_int_equal(operands[0]->atom, 2);
	assert_int_equal(operands[1]->atom, 1);
	assert_int_equal(operands[2]->atom, 0);
	node.kind = NODE_OR;
	tree_order(&tree, estimate, NULL);
	assert_int_equal(operands[0]->atom, 1);
	assert_int_equal(operands[1]->atom, 2);
	assert_int_equal(operands[2]->atom, 0);
	tree_done(&tree);
}

int main(void)
{
	seed_begin("tree");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_known_follows_from_the_atoms),
		cmocka_unit_test(what_all_values_of_the_open_atoms_agree_on_is_known_of_an_and_and_an_or),
		cmocka_unit_test(settling_answers_for_exactly_the_wanted_ones),
		cmocka_unit_test(who_cannot_be_answered_for_stays_open),
		cmocka_unit_test(a_look_at_a_run_says_of_the_wanted_ones_what_is_known_of_them),
		cmocka_unit_test(cheap_operands_that_settle_many_come_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
