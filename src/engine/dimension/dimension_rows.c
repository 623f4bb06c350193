#include "engine/dimension/dimension_rows.h"

#include <stdlib.h>

#include "engine/engine_internal.h"

enum { RECORD_HEAD_BYTES = 64 }; /* of a record around its rows, at most */

/* ---- Into the journal ---- */

size_t dimension_rows_bytes_max(const struct engine *engine)
{
	size_t shared = JOURNAL_APPEND_BYTES_MAX / engine->config.partition_count;
	size_t most   = shared < RECORD_BYTES_MAX ? shared : RECORD_BYTES_MAX;
	return most - RECORD_HEAD_BYTES;
}

/* How many of these rows would be new ones. */
static uint64_t count_new(const struct dimensions *dimensions, enum dimension dimension,
                          uint64_t count, struct text rows)
{
	struct dimension_record record = {.count = count,
	                                  .rows  = byte_reader_of(rows.data, rows.length)};
	struct text             id, list;
	uint64_t                added = 0;
	while (dimension_next(&record, &id, &list))
		added += list.data != NULL &&
		         dimensions_find(dimensions, dimension, id, UINT64_MAX).data == NULL;
	return added;
}

static enum status check_room(struct engine *engine, enum dimension dimension, uint64_t count,
                              struct text rows, struct error *err)
{
	if (engine_admits(engine) != STATUS_OK)
		return error_set(err, STATUS_NO_MEMORY, "The memory limit is reached");
	uint64_t present = dimensions_count(engine->dimensions, dimension);
	if (present + count <= DIMENSION_ROWS_MAX)
		return STATUS_OK;
	dimensions_begin_read(engine->dimensions);
	uint64_t added = count_new(engine->dimensions, dimension, count, rows);
	dimensions_end_read(engine->dimensions);
	if (present + added <= DIMENSION_ROWS_MAX)
		return STATUS_OK;
	return error_set(err, STATUS_CONFLICT, "There would be more than %d %s", DIMENSION_ROWS_MAX,
	                 dimension_table(dimension)->name);
}

static enum status append(struct engine *engine, struct text record, journal_appended_fn *appended,
                          void *context, struct error *err)
{
	uint32_t              count   = engine->config.partition_count;
	struct journal_batch *batches = calloc(count, sizeof *batches);
	if (batches == NULL)
		abort();
	for (uint32_t p = 0; p < count; p++)
		batches[p] = (struct journal_batch){p, 1, record};
	enum status status =
		engine->journal->ops->append(engine->journal, batches, count, appended, context, err);
	free(batches);
	return status;
}

enum status dimension_rows_append(struct engine *engine, enum dimension dimension, uint64_t count,
                                  struct text rows, journal_appended_fn *appended, void *context,
                                  struct error *err)
{
	if (rows.length > dimension_rows_bytes_max(engine))
		return error_set(err, STATUS_TOO_LARGE,
		                 "These rows take %zu bytes, at most %zu can be sent", rows.length,
		                 dimension_rows_bytes_max(engine));
	enum status status = check_room(engine, dimension, count, rows, err);
	if (status != STATUS_OK)
		return status;
	struct buffer body = {0}, record = {0};
	/* What is queued first is read first, so numbers are given in the order of the queue. */
	pthread_mutex_lock(&engine->dimension_lock);
	uint64_t newest = dimensions_newest(engine->dimensions);
	uint64_t number = (newest > engine->dimension_number ? newest : engine->dimension_number) + 1;
	dimension_record_encode(number, dimension, count, rows, &body);
	record_encode(
		&record,
		&(struct record){.kind = RECORD_DIMENSION, .slot = SLOT_NONE, .body = buffer_text(&body)});
	status = append(engine, buffer_text(&record), appended, context, err);
	if (status == STATUS_OK)
		engine->dimension_number = number;
	pthread_mutex_unlock(&engine->dimension_lock);
	buffer_done(&body);
	buffer_done(&record);
	return status;
}

/* ---- Out of a view ---- */

static uint64_t number_of(const struct view *view)
{
	return enrichment_number(&view->partition->enrichment, UINT64_MAX);
}

static struct text copy(struct arena *arena, struct text text)
{
	return text.data == NULL ? text : arena_text(arena, text);
}

bool dimension_row_at(struct view *view, enum dimension dimension, struct text id,
                      struct arena *arena, struct text *ret_list)
{
	struct dimensions *dimensions = view->engine->dimensions;
	dimensions_begin_read(dimensions);
	*ret_list = copy(arena, dimensions_find(dimensions, dimension, id, number_of(view)));
	dimensions_end_read(dimensions);
	return ret_list->data != NULL;
}

bool dimension_look_begin(struct dimension_look *look, struct view *view)
{
	*look =
		(struct dimension_look){.dimensions = view->engine->dimensions, .number = number_of(view)};
	return dimensions_hold(look->dimensions, look->number, &look->hold);
}

size_t dimension_look_next(const struct dimension_look *look, enum dimension dimension,
                           uint64_t *serial, size_t limit, struct arena *arena,
                           struct dimension_found *ret_rows)
{
	size_t                 count = 0;
	struct dimension_found found;
	dimensions_begin_read(look->dimensions);
	while (count < limit &&
	       dimensions_next(look->dimensions, dimension, look->number, serial, &found))
		ret_rows[count++] =
			(struct dimension_found){copy(arena, found.id), copy(arena, found.list)};
	dimensions_end_read(look->dimensions);
	return count;
}

void dimension_look_end(struct dimension_look *look)
{
	dimensions_let_go(look->dimensions, look->hold);
}

size_t dimension_rows_at(struct view *view, enum dimension dimension, uint64_t *serial,
                         size_t limit, struct arena *arena, struct dimension_found *ret_rows)
{
	const struct dimension_look look = {view->engine->dimensions, number_of(view), 0};
	return dimension_look_next(&look, dimension, serial, limit, arena, ret_rows);
}

uint64_t dimension_rows_count(const struct view *view, enum dimension dimension)
{
	return dimensions_count(view->engine->dimensions, dimension);
}
