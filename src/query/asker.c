#include "query/asker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/apply/leaf.h"

static void *zeroed(size_t count, size_t size)
{
	void *memory = calloc(count + 1, size);
	if (memory == NULL)
		abort();
	return memory;
}

/* ---- Binding ---- */

/* Leaves that the catalog keeps up are asked there. */
static uint32_t known_leaf(const struct catalog *catalog, const struct tree_atom *atom)
{
	struct text key   = atom->plan->leaves[atom->index].key;
	uintptr_t   found = (uintptr_t)map_text_get(&catalog->leaf_keys, key);
	if (found == 0)
		return RULE_NONE;
	uint32_t leaf    = (uint32_t)found - 1;
	uint32_t feature = catalog->leaves.items[leaf].feature;
	return catalog->features.items[feature].built == BUILT_ALL ? leaf : RULE_NONE;
}

static bool bind(struct asker *asker, uint32_t index)
{
	const struct catalog   *catalog = &asker->partition->catalog;
	const struct tree_atom *atom    = &asker->tree->atoms.items[index];
	struct asker_atom      *bound   = &asker->atoms[index];
	*bound = (struct asker_atom){.way = QUERY_BY_PERSON, .known = RULE_NONE};
	if (atom->kind == NODE_LEAF) {
		bound->known = known_leaf(catalog, atom);
	} else if (atom->kind == NODE_SEGMENT) {
		bound->way   = QUERY_BY_SEGMENT;
		bound->known = catalog_live(catalog, atom->index);
		return bound->known != RULE_NONE || atom->expr == NULL;
	}
	return true;
}

bool asker_init(struct asker *asker, struct partition *partition, const struct tree *tree,
                int64_t as_of_ms)
{
	*asker          = (struct asker){.partition = partition, .tree = tree, .as_of_ms = as_of_ms};
	asker->atoms    = zeroed(tree->atoms.count, sizeof *asker->atoms);
	asker->verdicts = zeroed(tree->atoms.count, sizeof *asker->verdicts);
	bool live       = true;
	for (uint32_t i = 0; i < tree->atoms.count; i++)
		live &= bind(asker, i);
	return live;
}

void asker_done(struct asker *asker)
{
	free(asker->atoms);
	free(asker->verdicts);
	*asker = (struct asker){0};
}

/* What one person costs, in ns, by rough measurement. */
struct tree_estimate asker_estimate(void *context, uint32_t atom)
{
	const struct asker *asker = context;
	switch (asker->tree->atoms.items[atom].kind) {
	case NODE_SEGMENT:
		return (struct tree_estimate){1, 0.2};
	case NODE_TRAIT:
		return (struct tree_estimate){100, 0.3};
	default:
		return (struct tree_estimate){asker->atoms[atom].known != RULE_NONE ? 150 : 3000, 0.3};
	}
}

/* ---- Asking ---- */

static struct mask members_of(struct asker *asker, uint32_t index, const struct mask *wanted)
{
	if (index == RULE_NONE)
		return (struct mask){0};
	struct rule              *rule  = &asker->partition->catalog.rules.items[index];
	uint32_t                  first = asker->first_slot;
	struct mask               found = {0};
	roaring_uint32_iterator_t at;
	roaring_init_iterator(exceptions_bitmap(&rule->exceptions), &at);
	roaring_move_uint32_iterator_equalorlarger(&at, first);
	for (; at.has_value && at.current_value - first < BLOCK_SLOTS;
	     roaring_advance_uint32_iterator(&at))
		mask_set(&found, at.current_value - first);
	if (rule->holds[false] == rule->holds[true])
		return rule->holds[false] ? mask_without(*wanted, &found) : mask_and(*wanted, &found);

	struct mask members = {0};
	for (unsigned bit = 0; mask_next(wanted, &bit); bit++) {
		const struct profile *profile = profiles_find(&asker->partition->profiles, first + bit);
		if (profile != NULL && rule->holds[profile->identified] != mask_has(&found, bit))
			mask_set(&members, bit);
	}
	return members;
}

static bool person_passes(struct asker *asker, const struct tree_atom *atom, uint32_t known,
                          uint32_t slot)
{
	struct partition     *partition = asker->partition;
	const struct profile *profile   = profiles_find(&partition->profiles, slot);
	if (profile == NULL)
		return false;
	if (atom->kind == NODE_TRAIT) {
		const struct trait_leaf trait = {.plan = &atom->plan->traits[atom->index]};
		return trait_holds(&trait, profile_traits(profile), profile->identified, asker->as_of_ms);
	}
	if (known != RULE_NONE)
		return leaf_holds(partition, slot, profile, known, asker->as_of_ms);
	const struct plan_leaf *leaf = &atom->plan->leaves[atom->index];
	return leaf_look_events(partition, slot, leaf, &atom->plan->features[leaf->feature],
	                        asker->as_of_ms, NULL);
}

static struct mask ask_persons(struct asker *asker, uint32_t atom, const struct mask *wanted)
{
	struct mask passed = {0};
	for (unsigned bit = 0; mask_next(wanted, &bit); bit++)
		if (person_passes(asker, &asker->tree->atoms.items[atom], asker->atoms[atom].known,
		                  asker->first_slot + bit))
			mask_set(&passed, bit);
	return passed;
}

static struct verdict ask(void *context, uint32_t atom, const struct mask *wanted)
{
	struct asker      *asker    = context;
	struct asker_atom *bound    = &asker->atoms[atom];
	int64_t            begin_ns = clock_monotonic_ns();
	struct mask passed = bound->way == QUERY_BY_SEGMENT ? members_of(asker, bound->known, wanted)
	                                                    : ask_persons(asker, atom, wanted);
	bound->persons += mask_count(wanted);
	bound->passed += mask_count(&passed);
	bound->took_ns += clock_monotonic_ns() - begin_ns;
	return (struct verdict){passed, *wanted};
}

void asker_turn_to(struct asker *asker, uint32_t first_slot)
{
	asker->first_slot = first_slot;
	memset(asker->verdicts, 0, asker->tree->atoms.count * sizeof *asker->verdicts);
}

struct mask asker_settle(struct asker *asker, size_t root, const struct mask *wanted)
{
	struct verdict told =
		tree_settle(asker->tree->roots.items[root], asker->verdicts, wanted, ask, asker);
	struct mask open = verdict_open(&told, *wanted);
	assert(mask_is_empty(&open));
	return told.holds;
}
