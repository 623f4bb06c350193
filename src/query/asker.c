#include "query/asker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/apply/leaf.h"
#include "query/leaf_scan.h"
#include "query/step_scan.h"

/* Rough measures, in ns. */
enum {
	SEGMENT_NS = 1,
	COLUMN_NS  = 1,
	TRAIT_NS   = 100, /* a person */
	SERIES_NS  = 150, /* a person, of whom the engine keeps a series of the leaf */
	SCAN_NS    = 5,   /* a person, and */
	ROW_NS     = 3,   /* each of his events */
	FEW        = 4,   /* persons of a block: to be read one by one */
	MANY       = 8,   /* of a sequence: to be scanned for its steps first */

	ROWS_UNKNOWN    = 20, /* of a column's few that it does not know */
	EXPECTED_BLOCKS = 8,  /* looked at together by a scan */
	EXPECTED_SHARE  = 8,  /* of those expected so many a wanted one at most */
	TIMED           = 4,  /* of so many runs that columns are asked of, one is timed */
};

/* What was said of the run at hand, by block. */
struct run {
	struct mask holds[RUN_BLOCKS];
	struct mask known[RUN_BLOCKS];
};

static void *zeroed(size_t count, size_t size)
{
	void *memory = calloc(count + 1, size);
	if (memory == NULL)
		abort();
	return memory;
}

/* ---- Binding ---- */

/* Leaves that the catalog keeps up may be asked there. */
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

static struct leaf_scan *scan_of(struct asker *asker, uint32_t index)
{
	const struct asker_config *config = &asker->config;
	const struct tree_atom    *atom   = &config->tree->atoms.items[index];
	struct asker_atom         *bound  = &asker->atoms[index];
	if (bound->scan == NULL) {
		const struct plan_leaf       *leaf = &atom->plan->leaves[atom->index];
		const struct leaf_scan_config wish = {
			.partition          = config->partition,
			.leaf               = leaf,
			.feature            = &atom->plan->features[leaf->feature],
			.now_ms             = config->as_of_ms,
			.received_before_ms = config->past ? config->as_of_ms + 1 : 0,
		};
		bound->scan = leaf_scan_new(&wish);
	}
	return bound->scan;
}

static void bind_leaf(struct asker *asker, uint32_t index)
{
	const struct asker_config *config  = &asker->config;
	const struct tree_atom    *atom    = &config->tree->atoms.items[index];
	struct asker_atom         *bound   = &asker->atoms[index];
	const struct plan_leaf    *leaf    = &atom->plan->leaves[atom->index];
	uint64_t                   persons = config->partition->profiles.person_count;
	bound->way                         = QUERY_BY_SCAN;
	if (config->columns != NULL)
		bound->test = columns_test_leaf(config->columns, &atom->plan->features[leaf->feature], leaf,
		                                config->as_of_ms, &asker->arena);
	if (!config->past)
		bound->known = known_leaf(&config->partition->catalog, atom);
	bound->rows = ROWS_UNKNOWN;
	if (bound->test == NULL)
		bound->rows = (double)leaf_scan_cost(scan_of(asker, index)) / (double)(persons + 1);
	if (bound->known != RULE_NONE && SCAN_NS + bound->rows * ROW_NS > SERIES_NS)
		bound->way = QUERY_BY_PERSON;
}

static bool bind(struct asker *asker, uint32_t index)
{
	const struct asker_config *config = &asker->config;
	const struct tree_atom    *atom   = &config->tree->atoms.items[index];
	struct asker_atom         *bound  = &asker->atoms[index];
	*bound = (struct asker_atom){.way = QUERY_BY_PERSON, .known = RULE_NONE};
	if (atom->kind == NODE_LEAF) {
		bind_leaf(asker, index);
	} else if (atom->kind == NODE_TRAIT) {
		const struct plan_trait *trait = &atom->plan->traits[atom->index];
		if (config->columns != NULL)
			bound->test =
				columns_test_trait(config->columns, trait, config->as_of_ms, &asker->arena);
	} else if (atom->list != NULL) {
		bound->way = QUERY_BY_SEGMENT;
	} else if (atom->definition == NULL) {
		bound->way   = QUERY_BY_SEGMENT;
		bound->known = catalog_live(&config->partition->catalog, atom->index);
		return bound->known != RULE_NONE || atom->expr == NULL;
	}
	if (bound->test != NULL) {
		bound->way    = QUERY_BY_COLUMN;
		bound->column = asker->column_count++;
	}
	return true;
}

/* Neither a column nor a segment says anything at the instant. */
static bool is_left_open(const struct asker_atom *bound)
{
	return bound->test == NULL && bound->way != QUERY_BY_SEGMENT;
}

bool asker_init(struct asker *asker, const struct asker_config *config)
{
	uint32_t count  = (uint32_t)config->tree->atoms.count;
	*asker          = (struct asker){.config = *config};
	asker->atoms    = zeroed(count, sizeof *asker->atoms);
	asker->verdicts = zeroed(count, sizeof *asker->verdicts);
	asker->lanes    = lanes_best();
	arena_init(&asker->arena);
	bool live = true;
	for (uint32_t i = 0; i < count; i++) {
		live &= bind(asker, i);
		asker->leaves_open |= is_left_open(&asker->atoms[i]);
	}
	return live;
}

void asker_done(struct asker *asker)
{
	for (uint32_t i = 0; i < asker->config.tree->atoms.count; i++) {
		leaf_scan_free(asker->atoms[i].scan);
		step_scan_free(asker->atoms[i].steps);
	}
	free(asker->atoms);
	free(asker->runs);
	free(asker->verdicts);
	arena_done(&asker->arena);
}

struct tree_estimate asker_estimate(void *context, uint32_t index)
{
	const struct asker      *asker = context;
	const struct tree_atom  *atom  = &asker->config.tree->atoms.items[index];
	const struct asker_atom *bound = &asker->atoms[index];
	if (bound->test != NULL)
		return (struct tree_estimate){COLUMN_NS, column_test_share(bound->test) / 1e6};
	if (atom->definition != NULL)
		return (struct tree_estimate){atom->definition->cost, atom->definition->share};
	if (atom->kind == NODE_SEGMENT)
		return (struct tree_estimate){SEGMENT_NS, 0.2};
	if (atom->kind == NODE_TRAIT)
		return (struct tree_estimate){TRAIT_NS, 0.3};
	if (bound->way == QUERY_BY_PERSON)
		return (struct tree_estimate){SERIES_NS, 0.3};
	return (struct tree_estimate){SCAN_NS + bound->rows * ROW_NS, 0.3};
}

/* ---- The block ---- */

void asker_turn_to(struct asker *asker, uint32_t first_slot, const struct verdict *kept)
{
	uint32_t count    = (uint32_t)asker->config.tree->atoms.count;
	asker->first_slot = first_slot;
	memset(asker->verdicts, 0, count * sizeof *asker->verdicts);
	for (uint32_t i = 0; i < count && kept != NULL; i++)
		if (asker->atoms[i].test != NULL)
			asker->verdicts[i] = kept[asker->atoms[i].column];
}

/* ---- Asking ---- */

static const struct profile *person_at(const struct asker *asker, unsigned bit)
{
	return profiles_find(&asker->config.partition->profiles, asker->first_slot + bit);
}

/* Who of the block is in it. */
static struct mask in_bitmap(const struct asker *asker, const roaring_bitmap_t *bitmap)
{
	uint32_t                  first = asker->first_slot;
	struct mask               found = {0};
	roaring_uint32_iterator_t at;
	roaring_init_iterator(bitmap, &at);
	roaring_move_uint32_iterator_equalorlarger(&at, first);
	for (; at.has_value && at.current_value - first < BLOCK_SLOTS;
	     roaring_advance_uint32_iterator(&at))
		mask_set(&found, at.current_value - first);
	return found;
}

static struct mask ask_list(const struct asker *asker, const struct member_list *list,
                            const struct mask *wanted)
{
	const roaring_bitmap_t *members = member_list_of(list, asker->config.partition->number);
	return members == NULL ? (struct mask){0} : mask_and(in_bitmap(asker, members), wanted);
}

/* Who differs from what the rule is without events lies in its bitmap. */
static struct mask ask_segment(struct asker *asker, uint32_t atom, const struct mask *wanted)
{
	const struct member_list *list  = asker->config.tree->atoms.items[atom].list;
	uint32_t                  known = asker->atoms[atom].known;
	if (list != NULL)
		return ask_list(asker, list, wanted);
	if (known == RULE_NONE)
		return (struct mask){0};
	struct rule *rule    = &asker->config.partition->catalog.rules.items[known];
	struct mask  found   = in_bitmap(asker, exceptions_bitmap(&rule->exceptions));
	struct mask  members = {0};
	if (rule->holds[false] == rule->holds[true])
		return rule->holds[false] ? mask_without(*wanted, &found) : mask_and(*wanted, &found);
	for (unsigned bit = 0; mask_next(wanted, &bit); bit++) {
		const struct profile *profile = person_at(asker, bit);
		if (profile != NULL && rule->holds[profile->identified] != mask_has(&found, bit))
			mask_set(&members, bit);
	}
	return members;
}

static struct mask ask_traits(struct asker *asker, uint32_t atom, const struct mask *wanted)
{
	const struct tree_atom *asked  = &asker->config.tree->atoms.items[atom];
	const struct trait_leaf trait  = {.plan = &asked->plan->traits[asked->index]};
	struct mask             passed = {0};
	for (unsigned bit = 0; mask_next(wanted, &bit); bit++) {
		const struct profile *profile = person_at(asker, bit);
		if (profile != NULL && trait_holds(&trait, profile_traits(profile), profile->identified,
		                                   asker->config.as_of_ms))
			mask_set(&passed, bit);
	}
	return passed;
}

static struct mask ask_series(struct asker *asker, uint32_t atom, const struct mask *wanted)
{
	struct mask passed = {0};
	for (unsigned bit = 0; mask_next(wanted, &bit); bit++) {
		const struct profile *profile = person_at(asker, bit);
		if (profile != NULL && leaf_holds(asker->config.partition, asker->first_slot + bit, profile,
		                                  asker->atoms[atom].known, asker->config.as_of_ms))
			mask_set(&passed, bit);
	}
	return passed;
}

/* Of a sequence, those of many who have an event for each step; of other leaves everybody. */
static struct mask who_may(struct asker *asker, uint32_t index, const struct mask *wanted)
{
	const struct asker_config *config = &asker->config;
	const struct tree_atom    *atom   = &config->tree->atoms.items[index];
	struct asker_atom         *bound  = &asker->atoms[index];
	const struct plan_feature *feature =
		&atom->plan->features[atom->plan->leaves[atom->index].feature];
	if (feature->sequence == NULL || mask_count(wanted) < MANY)
		return *wanted;
	if (bound->steps == NULL)
		bound->steps = step_scan_new(config->partition, feature, config->as_of_ms,
		                             config->past ? config->as_of_ms + 1 : 0);
	return step_scan_block(bound->steps, asker->first_slot, *wanted);
}

/* Those who stand open in this and the next blocks are looked at together, unless few of those of
 * this one are wanted. */
static void expect(struct asker *asker, struct leaf_scan *scan, const struct mask *wanted)
{
	struct mask expected[EXPECTED_BLOCKS];
	uint32_t    count = asker->expected_count;
	if (asker->expected == NULL)
		return;
	if (count > EXPECTED_BLOCKS)
		count = EXPECTED_BLOCKS;
	memcpy(expected, asker->expected, count * sizeof *expected);
	expected[0] = mask_or(expected[0], wanted);
	if (mask_count(wanted) * EXPECTED_SHARE >= mask_count(&expected[0]))
		leaf_scan_expect(scan, asker->first_slot, count * BLOCK_WORDS, expected->words);
}

static struct mask ask_leaf(struct asker *asker, uint32_t atom, const struct mask *wanted)
{
	struct asker_atom *bound  = &asker->atoms[atom];
	bool               few    = mask_count(wanted) <= FEW;
	struct mask        passed = {0};
	if (bound->known != RULE_NONE && (few || SCAN_NS + bound->rows * ROW_NS > SERIES_NS))
		return ask_series(asker, atom, wanted);
	struct leaf_scan *scan = scan_of(asker, atom);
	expect(asker, scan, wanted);
	if (!few || leaf_scan_is_ahead(scan, asker->first_slot)) {
		struct mask may = who_may(asker, atom, wanted);
		leaf_scan_block(scan, asker->first_slot, may.words, passed.words);
		return passed;
	}
	for (unsigned bit = 0; mask_next(wanted, &bit); bit++)
		if (leaf_scan_person(scan, asker->first_slot + bit))
			mask_set(&passed, bit);
	return passed;
}

static struct verdict ask(void *context, uint32_t atom, const struct mask *wanted);

static struct mask answer(struct asker *asker, uint32_t atom, const struct mask *wanted)
{
	const struct tree_atom *asked = &asker->config.tree->atoms.items[atom];
	switch (asked->kind) {
	case NODE_LEAF:
		return ask_leaf(asker, atom, wanted);
	case NODE_TRAIT:
		return ask_traits(asker, atom, wanted);
	default:
		if (asked->definition == NULL)
			return ask_segment(asker, atom, wanted);
		return tree_settle(asked->definition, asker->verdicts, wanted, ask, asker).holds;
	}
}

static void note(struct asker_atom *bound, const struct verdict *told)
{
	bound->persons += mask_count(&told->known);
	bound->passed += mask_count(&told->holds);
}

static struct verdict ask(void *context, uint32_t atom, const struct mask *wanted)
{
	struct asker        *asker    = context;
	int64_t              begin_ns = clock_monotonic_ns();
	const struct verdict told     = {answer(asker, atom, wanted), *wanted};
	note(&asker->atoms[atom], &told);
	asker->atoms[atom].took_ns += clock_monotonic_ns() - begin_ns;
	return told;
}

struct mask asker_settle(struct asker *asker, size_t root, const struct mask *wanted)
{
	struct verdict told =
		tree_settle(asker->config.tree->roots.items[root], asker->verdicts, wanted, ask, asker);
	struct mask open = verdict_open(&told, *wanted);
	assert(mask_is_empty(&open));
	return told.holds;
}

/* ---- At the instant ---- */

void asker_turn_to_run(struct asker *asker, uint32_t block)
{
	uint32_t count    = (uint32_t)asker->config.tree->atoms.count;
	asker->first_slot = block * BLOCK_SLOTS;
	if (asker->runs == NULL)
		asker->runs = zeroed(count, sizeof *asker->runs);
	for (uint32_t i = 0; i < count; i++)
		asker->atoms[i].asked = false;
}

void asker_keep(const struct asker *asker, uint32_t block, struct verdict *into)
{
	for (uint32_t i = 0; i < asker->config.tree->atoms.count; i++) {
		const struct asker_atom *bound = &asker->atoms[i];
		const struct run        *run   = &asker->runs[i];
		struct verdict           told  = {0};
		if (bound->asked)
			told = (struct verdict){run->holds[block], run->known[block]};
		if (bound->test != NULL)
			into[bound->column] = told;
	}
}

/* Of those who are wanted, and of nobody else. */
static void tell(struct asker *asker, uint32_t atom, uint32_t count, const struct mask *wanted,
                 struct mask *ret_holds, struct mask *ret_open)
{
	const size_t       words    = (size_t)count * BLOCK_WORDS;
	struct asker_atom *bound    = &asker->atoms[atom];
	const uint32_t     first    = asker->first_slot;
	bool               timed    = first / (BLOCK_SLOTS * RUN_BLOCKS) % TIMED == 0;
	int64_t            begin_ns = timed ? clock_monotonic_ns() : 0;
	if (bound->test != NULL) {
		if (column_test_run(bound->test, first / BLOCK_SLOTS, count, wanted->words,
		                    ret_holds->words, ret_open->words))
			bound->persons -= asker->lanes->count(ret_open->words, words);
	} else {
		memset(ret_open, 0, count * sizeof *ret_open);
		for (uint32_t i = 0; i < count; i++, asker->first_slot += BLOCK_SLOTS)
			ret_holds[i] = ask_segment(asker, atom, &wanted[i]);
		asker->first_slot = first;
	}
	bound->persons += asker->lanes->count(wanted->words, words);
	bound->passed += asker->lanes->count(ret_holds->words, words);
	if (timed)
		bound->took_ns += (clock_monotonic_ns() - begin_ns) * TIMED;
}

/* What is asked for again: of those who are not known yet. */
static void tell_more(struct asker *asker, uint32_t atom, uint32_t count, const struct mask *wanted)
{
	struct run *run = &asker->runs[atom];
	struct mask left[RUN_BLOCKS], holds[RUN_BLOCKS], open[RUN_BLOCKS];
	assert(count > 0 && count <= RUN_BLOCKS);
	for (uint32_t i = 0; i < count; i++)
		left[i] = mask_without(wanted[i], &run->known[i]);
	tell(asker, atom, count, left, holds, open);
	for (uint32_t i = 0; i < count; i++) {
		struct mask known = mask_without(left[i], &open[i]);
		run->holds[i]     = mask_or(run->holds[i], &holds[i]);
		run->known[i]     = mask_or(run->known[i], &known);
	}
}

/* What is to be remembered of the run. */
static void look_and_note(struct asker *asker, uint32_t atom, uint32_t count,
                          const struct mask *wanted, struct mask *ret_holds, struct mask *ret_open)
{
	struct asker_atom *bound = &asker->atoms[atom];
	struct run        *run   = &asker->runs[atom];
	if (!bound->asked)
		memset(run, 0, sizeof *run);
	bound->asked = true;
	tell_more(asker, atom, count, wanted);
	for (uint32_t i = 0; i < count; i++) {
		ret_holds[i] = mask_and(run->holds[i], &wanted[i]);
		ret_open[i]  = mask_without(wanted[i], &run->known[i]);
	}
}

static void look(void *context, uint32_t atom, uint32_t count, const struct mask *wanted,
                 struct mask *ret_holds, struct mask *ret_open)
{
	struct asker            *asker = context;
	const struct asker_atom *bound = &asker->atoms[atom];
	if (is_left_open(bound)) {
		memset(ret_holds, 0, count * sizeof *ret_holds);
		memcpy(ret_open, wanted, count * sizeof *ret_open);
	} else if (asker->leaves_open || asker->config.tree->atoms.items[atom].shared) {
		look_and_note(asker, atom, count, wanted, ret_holds, ret_open);
	} else {
		tell(asker, atom, count, wanted, ret_holds, ret_open);
	}
}

void asker_look(struct asker *asker, size_t root, uint32_t count, const struct mask *wanted,
                struct mask *ret_holds, struct mask *ret_open)
{
	const struct tree_look run = {look, asker, count};
	tree_look(&run, asker->config.tree->roots.items[root], wanted, ret_holds, ret_open);
}

uint64_t asker_rows(const struct asker *asker, uint32_t atom)
{
	const struct asker_atom *bound = &asker->atoms[atom];
	return (bound->scan == NULL ? 0 : leaf_scan_rows(bound->scan)) +
	       (bound->steps == NULL ? 0 : step_scan_rows(bound->steps));
}
