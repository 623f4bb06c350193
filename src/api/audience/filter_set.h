#ifndef SONNIM_API_FILTER_SET_H
#define SONNIM_API_FILTER_SET_H

/* The filters that are in force (model/filter.h): those built in, those of the store, those of the
 * file that the server was started with. A change is checked against all of them, stored, and then
 * counts for whoever asks from then on.
 *
 * Threads: any; filter_set_put() and filter_set_delete() write to the store. */

#include "model/filter.h"
#include "query/query.h"
#include "store/store.h"

struct filter_set;

/* The built-in ones alone, until filter_set_load(). Windows lie within the retention
 * (INSTANT_MS_NEVER: there is no end to it). */
struct filter_set *filter_set_new(struct store *store, struct queries *queries,
                                  int64_t retention_ms);
void               filter_set_free(struct filter_set *set); /* NULL is fine */

/* Adds those of the store and of `file` (NULL: none), once, at start; from here on what the filters
 * look at is kept as columns where it can be. STATUS_INVALID: "file:line:column: …". What is stored
 * and makes no sense to this version is left out, and the log says so. */
MUST_USE enum status filter_set_load(struct filter_set *set, const char *file, struct error *err);

/* The set stays as it is until filter_set_unlock(), which is to follow soon. */
const struct filters *filter_set_lock(struct filter_set *set);
void                  filter_set_unlock(struct filter_set *set);

/* filters_to_expr() with the set in force. */
MUST_USE enum status filter_set_expr(struct filter_set *set, struct json object, const char *field,
                                     struct arena *arena, struct expr **ret_expr,
                                     struct error *err);

/* By what persons are grouped so that each group has one of the filter's values: what its first
 * $value is compared with, in its own window. Copies into the arena. False: it has none. */
bool filter_set_dimension(const struct filters *filters, const struct filter *filter,
                          struct arena *arena, struct query_dimension *ret_dimension);

/* Adds the filter `object`, or puts it in the place of the one called `name` that was added before:
 * its own name is then left out or the same. `name` empty: it must be new. `ret_name` is a copy
 * from the arena. STATUS_INVALID; STATUS_CONFLICT: the name is taken, by a built-in one or one of
 * the file, or there are too many. */
MUST_USE enum status filter_set_put(struct filter_set *set, struct text name, struct json object,
                                    struct arena *arena, struct text *ret_name, struct error *err);

/* STATUS_NOT_FOUND; STATUS_CONFLICT: it is built in, or of the file. */
MUST_USE enum status filter_set_delete(struct filter_set *set, struct text name, struct error *err);

void filter_set_write_metrics(struct filter_set *set, struct buffer *out);

#endif
