#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "query/columns_internal.h"

enum { UNADDED_SHARE = 8 /* one part in so many of a thread's time */ };

/* ---- Slots to look at again ---- */

static void *grown(void *items, size_t old_count, size_t count, size_t size)
{
	char *larger = realloc(items, count * size);
	if (larger == NULL)
		abort();
	memset(larger + old_count * size, 0, (count - old_count) * size);
	return larger;
}

static void dirty_grow(struct dirty *dirty, uint32_t block)
{
	uint32_t room = dirty->block_room == 0 ? 16 : dirty->block_room;
	while (room <= block)
		room *= 2;
	dirty->words      = grown(dirty->words, (size_t)dirty->block_room * COLUMN_BLOCK_WORDS,
	                          (size_t)room * COLUMN_BLOCK_WORDS, sizeof *dirty->words);
	dirty->listed     = grown(dirty->listed, dirty->block_room, room, sizeof *dirty->listed);
	dirty->block_room = room;
}

void dirty_add(struct dirty *dirty, uint32_t slot)
{
	uint32_t block = block_of(slot);
	if (block >= dirty->block_room)
		dirty_grow(dirty, block);
	uint64_t  bit  = UINT64_C(1) << slot % 64;
	uint64_t *word = &dirty->words[slot / 64];
	if ((*word & bit) != 0)
		return;
	*word |= bit;
	dirty->count++;
	if (!dirty->listed[block]) {
		dirty->listed[block] = true;
		VECTOR_ADD(&dirty->blocks, block);
	}
}

bool dirty_take(struct dirty *dirty, uint32_t *ret_block, uint64_t ret_words[COLUMN_BLOCK_WORDS])
{
	if (dirty->blocks.count == 0)
		return false;
	uint32_t  block = dirty->blocks.items[--dirty->blocks.count];
	uint64_t *words = dirty->words + (size_t)block * COLUMN_BLOCK_WORDS;
	memcpy(ret_words, words, COLUMN_BLOCK_WORDS * sizeof *words);
	memset(words, 0, COLUMN_BLOCK_WORDS * sizeof *words);
	dirty->listed[block] = false;
	for (unsigned i = 0; i < COLUMN_BLOCK_WORDS; i++)
		dirty->count -= (unsigned)__builtin_popcountll(ret_words[i]);
	*ret_block = block;
	return true;
}

static int compare_blocks(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return (a < b) - (a > b);
}

void dirty_sort(struct dirty *dirty)
{
	if (dirty->blocks.count > 1)
		qsort(dirty->blocks.items, dirty->blocks.count, sizeof *dirty->blocks.items,
		      compare_blocks);
}

void dirty_done(struct dirty *dirty)
{
	free(dirty->words);
	free(dirty->listed);
	VECTOR_DONE(&dirty->blocks);
}

/* ---- One column ---- */

void column_init(struct column *column, struct columns *columns, uint32_t built_blocks)
{
	*column = (struct column){.built_blocks = built_blocks};
	slices_init(&column->slices, &columns->budget->used_bytes);
}

void column_done(struct columns *columns, struct column *column)
{
	slices_done(&column->slices);
	free(column->staging);
	if (column->codes == NULL)
		return;
	atomic_fetch_sub_explicit(&columns->budget->used_bytes, column->codes->bytes,
	                          memory_order_relaxed);
	map_text_done(&column->codes->numbers);
	VECTOR_DONE(&column->codes->values);
	arena_done(&column->codes->texts);
	buffer_done(&column->codes->scratch);
	free(column->codes);
}

void column_refuse(struct columns *columns, struct column *column)
{
	column_done(columns, column);
	*column = (struct column){.refused = true, .doubles = column->doubles};
	slices_init(&column->slices, &columns->budget->used_bytes);
}

uint64_t column_bytes(const struct column *column)
{
	return column->slices.bytes + (column->codes == NULL ? 0 : column->codes->bytes);
}

/* The staging of the chunk at hand. */
static struct slices_value *staging_of(struct column *column)
{
	if (column->staging == NULL)
		column->staging = grown(NULL, 0, SLICES_CHUNK_SLOTS, sizeof *column->staging);
	return column->staging;
}

void column_put(struct column *column, uint32_t slot, struct slices_value value)
{
	uint32_t block = block_of(slot);
	if (column->refused)
		return;
	if (column_is_built(column) ||
	    block / COLUMN_RUN_BLOCKS < column->built_blocks / COLUMN_RUN_BLOCKS)
		slices_set(&column->slices, slot, value);
	else if (block <= column->built_blocks)
		staging_of(column)[slot % SLICES_CHUNK_SLOTS] = value;
}

struct slices_value column_get(const struct column *column, uint32_t slot)
{
	bool staged = !column_is_built(column) &&
	              block_of(slot) / COLUMN_RUN_BLOCKS == column->built_blocks / COLUMN_RUN_BLOCKS;
	if (staged && column->staging != NULL)
		return column->staging[slot % SLICES_CHUNK_SLOTS];
	return slices_get(&column->slices, slot);
}

void column_advance(struct column *column, bool last)
{
	if (column_is_built(column) || column->refused)
		return;
	uint32_t block = column->built_blocks++;
	uint32_t count = block % COLUMN_RUN_BLOCKS + 1;
	if (!last && count < COLUMN_RUN_BLOCKS)
		return;
	slices_fill(&column->slices, block / COLUMN_RUN_BLOCKS, staging_of(column), count);
	if (last) {
		column->built_blocks = BLOCKS_ALL;
		free(column->staging);
		column->staging = NULL;
	} else {
		memset(column->staging, 0, SLICES_CHUNK_SLOTS * sizeof *column->staging);
	}
}

/* ---- All ---- */

bool columns_over_budget(const struct columns *columns)
{
	return atomic_load_explicit(&columns->budget->used_bytes, memory_order_relaxed) >=
	       columns->budget->limit_bytes;
}

static void saw_person(struct witness *witness, uint32_t slot)
{
	dirty_add(&((struct columns *)witness)->persons, slot);
}

static void saw_event(struct witness *witness, const struct record *record, int64_t time_ms)
{
	struct columns *columns = (struct columns *)witness;
	if (columns->groups.count > 0)
		column_metric_saw(columns, record, time_ms);
}

static void saw_events(struct witness *witness, uint32_t slot)
{
	column_metric_saw_all((struct columns *)witness, slot);
}

static void saw_end(struct witness *witness)
{
	struct columns *columns = (struct columns *)witness;
	column_metric_stop(columns);
	columns->partition = NULL;
}

static bool work(struct witness *witness, int64_t end_ns)
{
	return columns_work((struct columns *)witness, end_ns);
}

struct columns *columns_new(struct partition *partition, struct columns_budget *budget)
{
	struct columns *columns = grown(NULL, 0, 1, sizeof *columns);
	columns->witness        = (struct witness){saw_person, saw_event, saw_events, work, saw_end};
	columns->partition      = partition;
	columns->budget         = budget;
	columns->dues_ms        = INSTANT_MS_NONE;
	arena_init(&columns->names);
	column_init(&columns->identified, columns, 0);
	column_trait_value(columns, &columns->identified, &(struct value){.type = VALUE_FALSE});
	column_trait_value(columns, &columns->identified, &(struct value){.type = VALUE_TRUE});
	columns->folded    = grown(NULL, 0, COLUMN_BLOCK_SLOTS, sizeof *columns->folded);
	partition->witness = &columns->witness;
	return columns;
}

void columns_free(struct columns *columns)
{
	if (columns == NULL)
		return;
	if (columns->partition != NULL)
		columns->partition->witness = NULL;
	while (columns->metrics.count > 0)
		column_metric_free(columns, columns->metrics.items[columns->metrics.count - 1]);
	for (size_t i = 0; i < columns->traits.count; i++)
		column_trait_free(columns, columns->traits.items[i]);
	column_done(columns, &columns->identified);
	dirty_done(&columns->persons);
	VECTOR_DONE(&columns->traits);
	VECTOR_DONE(&columns->dotted);
	VECTOR_DONE(&columns->metrics);
	VECTOR_DONE(&columns->groups);
	map_u64_done(&columns->trait_of);
	map_u64_done(&columns->group_of);
	map_text_done(&columns->metric_of);
	arena_done(&columns->names);
	free(columns->exists);
	free(columns->folded);
	free(columns);
}

/* ---- What is kept ---- */

/* One that there is no room for is noted all the same, so that it can be forgotten. */
static struct metric_column *put_metric(struct columns *columns, struct plan *plan,
                                        const struct plan_leaf *leaf, struct text key,
                                        enum metric_class class)
{
	struct metric_column *metric = map_text_get(&columns->metric_of, key);
	if (metric != NULL)
		return metric;
	bool room = columns->metrics.count < COLUMN_METRICS_MAX && !columns_over_budget(columns);
	metric    = column_metric_new(columns, plan, leaf, key, class);
	if (metric != NULL && !room)
		column_metric_refuse(columns, metric);
	return metric;
}

static bool keep_leaf(struct columns *columns, struct plan *plan, const struct plan_leaf *leaf)
{
	struct buffer key = {0};
	enum metric_class class;
	struct metric_column *metric = NULL;
	if (column_metric_key(&plan->features[leaf->feature], leaf, &key, &class))
		metric = put_metric(columns, plan, leaf, buffer_text(&key), class);
	buffer_done(&key);
	if (metric == NULL)
		return false;
	metric->kept++;
	return !metric->column.refused;
}

static bool keep_trait(struct columns *columns, const struct plan_trait *plan)
{
	if (plan->identified)
		return true;
	return column_trait_put(columns, plan->path.name) != NULL;
}

bool columns_keep(struct columns *columns, struct plan *plan)
{
	bool all = true;
	for (uint32_t i = 0; i < plan->leaf_count; i++)
		all &= keep_leaf(columns, plan, &plan->leaves[i]);
	for (uint32_t i = 0; i < plan->trait_count; i++)
		all &= keep_trait(columns, &plan->traits[i]);
	return all;
}

void columns_forget(struct columns *columns, struct plan *plan)
{
	struct buffer key = {0};
	enum metric_class class;
	for (uint32_t i = 0; i < plan->leaf_count; i++) {
		const struct plan_leaf *leaf = &plan->leaves[i];
		buffer_clear(&key);
		if (!column_metric_key(&plan->features[leaf->feature], leaf, &key, &class))
			continue;
		struct metric_column *metric = map_text_get(&columns->metric_of, buffer_text(&key));
		if (metric != NULL && --metric->kept == 0)
			column_metric_free(columns, metric);
	}
	buffer_done(&key);
}

/* ---- Work ---- */

static void publish(struct columns *columns)
{
	uint32_t count = 0, built = 0;
	uint64_t bytes = column_bytes(&columns->identified), dirty = columns->persons.count;
	for (size_t i = 0; i < columns->traits.count; i++) {
		const struct column *column = &columns->traits.items[i]->column;
		count += !column->refused;
		built += column_is_built(column);
		bytes += column_bytes(column);
	}
	for (size_t i = 0; i < columns->metrics.count; i++) {
		const struct metric_column *metric = columns->metrics.items[i];
		count += !metric->column.refused;
		built += column_is_built(&metric->column);
		bytes += column_bytes(&metric->column) + metric->dues.bytes;
	}
	for (size_t i = 0; i < columns->groups.count; i++)
		dirty += columns->groups.items[i]->dirty.count + columns->groups.items[i]->unadded.count;
	atomic_store_explicit(&columns->built_count, built, memory_order_relaxed);
	atomic_store_explicit(&columns->column_count, count, memory_order_relaxed);
	atomic_store_explicit(&columns->bytes, bytes, memory_order_relaxed);
	atomic_store_explicit(&columns->dirty_count, dirty, memory_order_relaxed);
}

/* Each event asks for this, and the more has gathered the less it costs: in leisure it takes a
 * share of the time only. Who needs them at once refreshes them himself. False: it is late. */
static bool work_on_unadded(struct columns *columns, int64_t now_ms, int64_t end_ns)
{
	int64_t begin_ns = clock_monotonic_ns();
	bool    done     = true;
	if (begin_ns < columns->unadded_from_ns)
		return true;
	for (size_t i = 0; i < columns->groups.count && done; i++)
		done = column_metric_refresh_unadded(columns, columns->groups.items[i], now_ms, end_ns);
	int64_t after_ns         = clock_monotonic_ns();
	columns->unadded_from_ns = after_ns + (UNADDED_SHARE - 1) * (after_ns - begin_ns);
	return done;
}

static bool work_on_metrics(struct columns *columns, int64_t end_ns)
{
	int64_t now_ms = atomic_load_explicit(&columns->partition->clock_ms, memory_order_relaxed);
	for (size_t i = 0; i < columns->metrics.count; i++)
		if (!column_metric_build(columns, columns->metrics.items[i], end_ns))
			return false;
	for (size_t i = 0; i < columns->groups.count; i++)
		if (!column_metric_refresh(columns, columns->groups.items[i], now_ms, end_ns))
			return false;
	if (!work_on_unadded(columns, now_ms, end_ns))
		return false;
	if (now_ms < columns->dues_ms + COLUMN_DUES_MS)
		return true;
	for (size_t i = 0; i < columns->metrics.count; i++)
		if (!column_metric_refresh_dues(columns, columns->metrics.items[i], now_ms, end_ns))
			return false;
	columns->dues_ms = now_ms;
	return true;
}

/* The column that takes most goes. */
static void drop_largest(struct columns *columns)
{
	struct column        *trait  = NULL;
	struct metric_column *metric = NULL;
	uint64_t              bytes  = 0;
	for (size_t i = 0; i < columns->traits.count; i++)
		if (column_bytes(&columns->traits.items[i]->column) > bytes) {
			trait = &columns->traits.items[i]->column;
			bytes = column_bytes(trait);
		}
	for (size_t i = 0; i < columns->metrics.count; i++) {
		struct metric_column *other = columns->metrics.items[i];
		if (column_bytes(&other->column) + other->dues.bytes > bytes) {
			metric = other;
			bytes  = column_bytes(&other->column) + other->dues.bytes;
		}
	}
	if (metric != NULL)
		column_metric_refuse(columns, metric);
	else if (trait != NULL)
		column_refuse(columns, trait);
}

bool columns_work(struct columns *columns, int64_t end_ns)
{
	if (clock_monotonic_ns() >= end_ns)
		return true;
	bool over = column_trait_pass(columns, end_ns) && column_trait_refresh(columns, end_ns) &&
	            work_on_metrics(columns, end_ns);
	if (columns_over_budget(columns))
		drop_largest(columns);
	publish(columns);
	return !over;
}

void columns_status(const struct columns *columns, struct columns_status *ret_status)
{
	*ret_status = (struct columns_status){
		.columns       = atomic_load_explicit(&columns->column_count, memory_order_relaxed),
		.columns_built = atomic_load_explicit(&columns->built_count, memory_order_relaxed),
		.bytes         = atomic_load_explicit(&columns->bytes, memory_order_relaxed),
		.dirty         = atomic_load_explicit(&columns->dirty_count, memory_order_relaxed),
	};
}

struct column_mark columns_mark(const struct columns *columns, const struct column *column)
{
	return (struct column_mark){columns->gone, column->moved};
}

bool columns_mark_is_good(const struct columns *columns, const struct column *column,
                          struct column_mark mark)
{
	return columns->gone == mark.gone && column->moved == mark.moved;
}

/* ---- Persons ---- */

uint32_t columns_block_count(const struct columns *columns)
{
	uint32_t slots = columns->partition->profiles.slot_count;
	return slots == 0 ? 0 : block_of(slots - 1) + 1;
}

/* A word at a time of a block that the pass has not reached. */
static uint64_t look_at_persons(const struct columns *columns, uint32_t first_slot)
{
	uint64_t exist = 0;
	for (uint32_t i = 0; i < 64; i++)
		exist |= (uint64_t)(profiles_find(&columns->partition->profiles, first_slot + i) != NULL)
		         << i;
	return exist;
}

void columns_persons(struct columns *columns, uint32_t block, uint32_t count, uint64_t *ret_mask)
{
	assert(block + count <= columns_block_count(columns));
	column_trait_refresh(columns, INT64_MAX);
	for (uint32_t i = 0; i < count * COLUMN_BLOCK_WORDS; i++) {
		uint32_t word  = block * COLUMN_BLOCK_WORDS + i;
		bool     built = word / COLUMN_BLOCK_WORDS < columns->identified.built_blocks;
		ret_mask[i]    = built ? columns->exists[word] : look_at_persons(columns, word * 64);
	}
}
