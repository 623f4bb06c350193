#ifndef SONNIM_INGEST_SHAPES_H
#define SONNIM_INGEST_SHAPES_H

/* Watches which types the properties of events and traits come with, at next to no cost: a thread
 * remembers the SHAPES that it has seen, each the names and types of one event's properties in
 * their order, and where they are counted.
 *
 *   message ─► shape (64-bit hash, made while it is sifted) ─► slot of the cache ─► count++
 *                                    │ another shape lies there
 *                                    └─► what that counted is added to the tables (observed.h); the
 *                                        list is walked once, name by name
 *
 * So a known shape costs one probe, whatever it holds; what a new one brings is in the tables at
 * once, a drift too. Two shapes with one hash would be counted as one; with 64 bits that is not to
 * be expected. Of one event SHAPE_PROPERTIES_MAX properties are looked at; inner fields of objects
 * by dotted path, items of arrays not.
 *
 * An own lock, taken once a request by its thread, so that others take the counts, and forget. */

#include "ingest/observed.h"
#include "ingest/source.h"

enum { SHAPES_MAX = 1024, SHAPE_PROPERTIES_MAX = 256 };

struct shapes;

struct shapes *shapes_new(void);
void           shapes_free(struct shapes *shapes); /* adds what was counted */

void shapes_lock(struct shapes *shapes);
void shapes_unlock(struct shapes *shapes);

/* Counts a message of the source, under the lock: `shape` is sift's of its properties or traits. 0,
 * or the key under which a shape that is new here is to be learned at once. */
uint64_t shapes_count(struct shapes *shapes, const struct source *source, struct text event,
                      uint64_t shape, int64_t now_ms);

/* `list` and `personal` are what sift made. */
void shapes_learn(struct shapes *shapes, uint64_t key, struct source *source, struct text event,
                  int64_t now_ms, struct text list, struct text personal);

/* Adds what was counted to the tables; takes the lock. */
void shapes_flush(struct shapes *shapes);

/* Forgets all shapes, without adding what was counted; takes the lock. */
void shapes_forget(struct shapes *shapes);

#endif
