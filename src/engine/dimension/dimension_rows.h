#ifndef SONNIM_ENGINE_DIMENSION_ROWS_H
#define SONNIM_ENGINE_DIMENSION_ROWS_H

/* Rows of dimensions for those outside of the engine: into the journal, and out of a view. */

#include "base/arena.h"
#include "engine/dimension/dimensions.h"
#include "engine/engine.h"
#include "engine/view.h"

/* At most so many bytes of rows (dimension_add()) go into one append: they are written once for
 * each partition. */
size_t dimension_rows_bytes_max(const struct engine *engine);

/* Appends `count` rows, the same record in every partition at one stamp, numbered in the order of
 * the calls. `appended` is called as by journal->ops->append(), not if it fails here:
 * STATUS_CONFLICT, there would be more than DIMENSION_ROWS_MAX; STATUS_NO_MEMORY; the journal's.
 * Once everything that was there at start is applied (engine_status().replayed); any thread. */
MUST_USE enum status dimension_rows_append(struct engine *engine, enum dimension dimension,
                                           uint64_t count, struct text rows,
                                           journal_appended_fn *appended, void *context,
                                           struct error *err);

/* The row that is in force where the view's partition stands, copied; false: there is none. */
bool dimension_row_at(struct view *view, enum dimension dimension, struct text id,
                      struct arena *arena, struct text *ret_list);

/* The rows behind `*serial` in the order in which they first came, at most `limit`, copied;
 * `*serial` is then the last one's. */
size_t dimension_rows_at(struct view *view, enum dimension dimension, uint64_t *serial,
                         size_t limit, struct arena *arena, struct dimension_found *ret_rows);

/* All rows as of one moment, from any thread, page by page: begun within a read of a person, of the
 * partition that says which moment that is. False: too many look at once. */
struct dimension_look {
	struct dimensions *dimensions;
	uint64_t           number;
	unsigned           hold;
};
bool   dimension_look_begin(struct dimension_look *look, struct view *view);
size_t dimension_look_next(const struct dimension_look *look, enum dimension dimension,
                           uint64_t *serial, size_t limit, struct arena *arena,
                           struct dimension_found *ret_rows);
void   dimension_look_end(struct dimension_look *look);

/* How many rows there are, as of the newest version. */
uint64_t dimension_rows_count(const struct view *view, enum dimension dimension);

#endif
