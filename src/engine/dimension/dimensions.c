#include "engine/dimension/dimensions.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/dimension/dimensions_internal.h"

enum { OUTDATED_A_TURN = 4096, GONE_MIN = 1024 };

static void *allocate(struct dimensions *dimensions, size_t size)
{
	void *memory = malloc(size);
	if (memory == NULL)
		abort();
	atomic_fetch_add_explicit(&dimensions->bytes, size, memory_order_relaxed);
	return memory;
}

static void release(struct dimensions *dimensions, void *memory, size_t size)
{
	atomic_fetch_sub_explicit(&dimensions->bytes, size, memory_order_relaxed);
	free(memory);
}

struct dimensions *dimensions_new(uint32_t partition_count)
{
	struct dimensions *dimensions = calloc(1, sizeof *dimensions);
	if (dimensions == NULL)
		abort();
	/* Readers come all the time; a writer must not wait for a moment without any. */
	pthread_rwlockattr_t attributes;
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&dimensions->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	dimensions->partition_count = partition_count;
	for (unsigned i = 0; i < DIMENSION_HOLDS_MAX; i++)
		atomic_init(&dimensions->holds[i], UINT64_MAX);
	dimensions->floors = calloc(partition_count, sizeof *dimensions->floors);
	if (dimensions->floors == NULL)
		abort();
	return dimensions;
}

static size_t row_bytes(const struct row *row) { return sizeof *row + row->id_length; }

static size_t version_bytes(const struct row_version *version)
{
	return sizeof *version + version->size;
}

static void free_older(struct dimensions *dimensions, struct row_version *version)
{
	while (version->older != NULL) {
		struct row_version *older = version->older;
		version->older            = older->older;
		release(dimensions, older, version_bytes(older));
	}
}

static void free_row(struct dimensions *dimensions, struct row *row)
{
	free_older(dimensions, row->newest);
	release(dimensions, row->newest, version_bytes(row->newest));
	release(dimensions, row, row_bytes(row));
}

void dimensions_free(struct dimensions *dimensions)
{
	if (dimensions == NULL)
		return;
	for (unsigned i = 0; i < DIMENSION_COUNT; i++) {
		struct dimension_rows *table = &dimensions->tables[i];
		for (size_t r = 0; r < table->in_order.count; r++)
			if (table->in_order.items[r] != NULL)
				free_row(dimensions, table->in_order.items[r]);
		map_u64_done(&table->by_id);
		VECTOR_DONE(&table->in_order);
	}
	VECTOR_DONE(&dimensions->outdated);
	pthread_rwlock_destroy(&dimensions->lock);
	free(dimensions->floors);
	free(dimensions);
}

/* ---- Rows ---- */

static struct row *find_row(const struct dimension_rows *table, struct text id, uint64_t hash)
{
	const uint64_t *place = map_u64_find(&table->by_id, hash);
	struct row     *row   = place == NULL ? NULL : (struct row *)(uintptr_t)*place;
	while (row != NULL && !text_equal((struct text){row->id, row->id_length}, id))
		row = row->next;
	return row;
}

static struct row *add_row(struct dimensions *dimensions, struct dimension_rows *table,
                           struct text id, uint64_t hash, uint64_t serial)
{
	struct row *row   = allocate(dimensions, sizeof *row + id.length);
	uint64_t   *place = map_u64_put(&table->by_id, hash);
	*row              = (struct row){.serial    = serial != 0 ? serial : table->serial + 1,
	                                 .hash      = hash,
	                                 .next      = (struct row *)(uintptr_t)*place,
	                                 .id_length = (uint32_t)id.length};
	memcpy(row->id, id.data, id.length);
	*place = (uint64_t)(uintptr_t)row;
	VECTOR_ADD(&table->in_order, row);
	/* Files of two lines may bring them in another order; that happens at a start alone. */
	size_t at = table->in_order.count - 1;
	for (; at > 0 && (table->in_order.items[at - 1] == NULL ||
	                  table->in_order.items[at - 1]->serial > row->serial);
	     at--) {
		table->in_order.items[at]     = table->in_order.items[at - 1];
		table->in_order.items[at - 1] = row;
	}
	if (row->serial > table->serial)
		table->serial = row->serial;
	return row;
}

/* The first place behind which no row has a serial up to this one. Holes say nothing of where they
 * are: the next row behind one does. */
static size_t place_behind(const struct dimension_rows *table, uint64_t serial)
{
	size_t low = 0, high = table->in_order.count;
	while (low < high) {
		size_t at = low + (high - low) / 2, middle = at;
		while (at < high && table->in_order.items[at] == NULL)
			at++;
		if (at == high || table->in_order.items[at]->serial > serial)
			high = middle;
		else
			low = at + 1;
	}
	return low;
}

static void remove_row(struct dimensions *dimensions, struct dimension_rows *table, struct row *row)
{
	uint64_t   *place = map_u64_find(&table->by_id, row->hash);
	struct row *first = (struct row *)(uintptr_t)*place;
	if (first == row) {
		*place = (uint64_t)(uintptr_t)row->next;
	} else {
		while (first->next != row)
			first = first->next;
		first->next = row->next;
	}
	if (*place == 0)
		map_u64_remove(&table->by_id, row->hash);
	size_t low = place_behind(table, row->serial - 1);
	while (table->in_order.items[low] != row)
		low++;
	table->in_order.items[low] = NULL;
	table->gone++;
	free_row(dimensions, row);
	if (table->gone < GONE_MIN || table->gone * 2 < table->in_order.count)
		return;
	size_t kept = 0;
	for (size_t i = 0; i < table->in_order.count; i++)
		if (table->in_order.items[i] != NULL)
			table->in_order.items[kept++] = table->in_order.items[i];
	table->in_order.count = kept;
	table->gone           = 0;
}

/* ---- Versions ---- */

/* What finds the rows is counted too. */
static void count_index(struct dimensions *dimensions)
{
	uint64_t bytes = dimensions->outdated.capacity * sizeof *dimensions->outdated.items;
	for (unsigned i = 0; i < DIMENSION_COUNT; i++)
		bytes += dimensions->tables[i].by_id.capacity * 2 * sizeof(uint64_t) +
		         dimensions->tables[i].in_order.capacity * sizeof(struct row *);
	atomic_store_explicit(&dimensions->index_bytes, bytes, memory_order_relaxed);
}

static struct row_version *make_version(struct dimensions *dimensions, uint64_t number,
                                        struct text list)
{
	struct row_version *version = allocate(dimensions, sizeof *version + list.length);
	version->number             = number;
	version->older              = NULL;
	version->size               = (uint32_t)list.length;
	version->deleted            = list.data == NULL;
	if (list.length > 0)
		memcpy(version->list, list.data, list.length);
	return version;
}

void dimensions_put(struct dimensions *dimensions, enum dimension dimension, struct text id,
                    uint64_t number, struct text list, uint64_t serial)
{
	struct dimension_rows *table = &dimensions->tables[dimension];
	uint64_t               hash  = hash_bytes(id.data, id.length);
	struct row            *row   = find_row(table, id, hash);
	if (row == NULL) {
		if (list.data == NULL && serial == 0)
			return; /* nothing to delete */
		row = add_row(dimensions, table, id, hash, serial);
	}
	struct row_version **place = &row->newest;
	bool                 was   = row->newest != NULL && !row->newest->deleted;
	while (*place != NULL && (*place)->number > number)
		place = &(*place)->older;
	/* The last one of a record counts. */
	if (*place != NULL && (*place)->number == number) {
		struct row_version *same = *place;
		*place                   = same->older;
		release(dimensions, same, version_bytes(same));
	}
	struct row_version *version = make_version(dimensions, number, list);
	version->older              = *place;
	*place                      = version;
	bool is                     = !row->newest->deleted;
	if (is != was)
		atomic_fetch_add_explicit(&table->live, is ? 1 : UINT64_MAX, memory_order_relaxed);
	if (row->newest->older != NULL || row->newest->deleted) {
		row->waiting++;
		VECTOR_ADD(&dimensions->outdated, (struct outdated){row->newest->number, dimension, row});
	}
}

void dimensions_insert(struct dimensions *dimensions, const struct dimension_record *record)
{
	struct dimension_record rows = *record;
	struct text             id, list;
	pthread_rwlock_wrlock(&dimensions->lock);
	bool known = dimensions->run_first > 0 && record->number >= dimensions->run_first &&
	             record->number <= dimensions->run_last;
	while (!known && dimension_next(&rows, &id, &list))
		dimensions_put(dimensions, record->dimension, id, record->number, list, 0);
	if (dimensions->run_first == 0)
		dimensions->run_first = record->number;
	if (record->number > dimensions->run_last)
		dimensions->run_last = record->number;
	if (record->number > atomic_load_explicit(&dimensions->newest, memory_order_relaxed))
		atomic_store_explicit(&dimensions->newest, record->number, memory_order_release);
	count_index(dimensions);
	pthread_rwlock_unlock(&dimensions->lock);
}

/* ---- What goes ---- */

static uint64_t lowest_floor(const struct dimensions *dimensions)
{
	uint64_t lowest = UINT64_MAX;
	for (uint32_t i = 0; i < dimensions->partition_count; i++) {
		uint64_t floor = atomic_load_explicit(&dimensions->floors[i], memory_order_acquire);
		if (floor < lowest)
			lowest = floor;
	}
	for (unsigned i = 0; i < DIMENSION_HOLDS_MAX; i++) {
		uint64_t held = atomic_load_explicit(&dimensions->holds[i], memory_order_acquire);
		if (held < lowest)
			lowest = held;
	}
	return lowest;
}

bool dimensions_hold(struct dimensions *dimensions, uint64_t number, unsigned *ret_hold)
{
	for (unsigned i = 0; i < DIMENSION_HOLDS_MAX; i++) {
		uint64_t unused = UINT64_MAX;
		if (atomic_compare_exchange_strong(&dimensions->holds[i], &unused, number)) {
			*ret_hold = i;
			return true;
		}
	}
	return false;
}

void dimensions_let_go(struct dimensions *dimensions, unsigned hold)
{
	assert(hold < DIMENSION_HOLDS_MAX);
	atomic_store_explicit(&dimensions->holds[hold], UINT64_MAX, memory_order_release);
}

/* Frees what is below the newest version at or below `floor`. */
static void settle(struct dimensions *dimensions, const struct outdated *outdated, uint64_t floor)
{
	struct row         *row     = outdated->row;
	struct row_version *version = row->newest;
	row->waiting--;
	while (version != NULL && version->number > floor)
		version = version->older;
	if (version != NULL)
		free_older(dimensions, version);
	if (version == row->newest && version->deleted && row->waiting == 0)
		remove_row(dimensions, &dimensions->tables[outdated->dimension], row);
}

static void collect(struct dimensions *dimensions, uint64_t floor)
{
	pthread_rwlock_wrlock(&dimensions->lock);
	unsigned left = OUTDATED_A_TURN;
	while (left-- > 0 && dimensions->outdated_begin < dimensions->outdated.count) {
		struct outdated outdated = dimensions->outdated.items[dimensions->outdated_begin];
		if (outdated.number > floor)
			break;
		dimensions->outdated_begin++;
		settle(dimensions, &outdated, floor);
	}
	size_t rest = dimensions->outdated.count - dimensions->outdated_begin;
	if (dimensions->outdated_begin > rest) {
		if (rest > 0)
			memmove(dimensions->outdated.items,
			        dimensions->outdated.items + dimensions->outdated_begin,
			        rest * sizeof *dimensions->outdated.items);
		dimensions->outdated.count = rest;
		dimensions->outdated_begin = 0;
	}
	pthread_rwlock_unlock(&dimensions->lock);
}

void dimensions_release(struct dimensions *dimensions, uint32_t partition, uint64_t number)
{
	assert(partition < dimensions->partition_count);
	uint64_t before = atomic_load_explicit(&dimensions->floors[partition], memory_order_relaxed);
	if (number > before)
		atomic_store_explicit(&dimensions->floors[partition], number, memory_order_release);
	uint64_t floor = lowest_floor(dimensions);
	pthread_rwlock_rdlock(&dimensions->lock);
	bool wanted = dimensions->outdated_begin < dimensions->outdated.count &&
	              dimensions->outdated.items[dimensions->outdated_begin].number <= floor;
	pthread_rwlock_unlock(&dimensions->lock);
	if (wanted)
		collect(dimensions, floor);
}

/* ---- Reading ---- */

void dimensions_begin_read(struct dimensions *dimensions)
{
	pthread_rwlock_rdlock(&dimensions->lock);
}

void dimensions_end_read(struct dimensions *dimensions)
{
	pthread_rwlock_unlock(&dimensions->lock);
}

static struct text list_at(const struct row *row, uint64_t number)
{
	const struct row_version *version = row->newest;
	while (version != NULL && version->number > number)
		version = version->older;
	if (version == NULL || version->deleted)
		return (struct text){NULL, 0};
	return (struct text){version->list, version->size};
}

struct text dimensions_find(const struct dimensions *dimensions, enum dimension dimension,
                            struct text id, uint64_t number)
{
	const struct row *row =
		find_row(&dimensions->tables[dimension], id, hash_bytes(id.data, id.length));
	return row == NULL ? (struct text){NULL, 0} : list_at(row, number);
}

bool dimensions_next(const struct dimensions *dimensions, enum dimension dimension, uint64_t number,
                     uint64_t *serial, struct dimension_found *ret_found)
{
	const struct dimension_rows *table = &dimensions->tables[dimension];
	size_t                       low   = place_behind(table, *serial);
	for (; low < table->in_order.count; low++) {
		const struct row *row = table->in_order.items[low];
		if (row == NULL || row->serial <= *serial)
			continue;
		struct text list = list_at(row, number);
		if (list.data == NULL)
			continue;
		*serial    = row->serial;
		*ret_found = (struct dimension_found){{row->id, row->id_length}, list};
		return true;
	}
	return false;
}

uint64_t dimensions_count(const struct dimensions *dimensions, enum dimension dimension)
{
	return atomic_load_explicit(&dimensions->tables[dimension].live, memory_order_relaxed);
}

uint64_t dimensions_bytes(const struct dimensions *dimensions)
{
	return atomic_load_explicit(&dimensions->bytes, memory_order_relaxed) +
	       atomic_load_explicit(&dimensions->index_bytes, memory_order_relaxed);
}

uint64_t dimensions_newest(const struct dimensions *dimensions)
{
	return atomic_load_explicit(&dimensions->newest, memory_order_acquire);
}
