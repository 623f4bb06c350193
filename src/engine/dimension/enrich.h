#ifndef SONNIM_ENGINE_ENRICH_H
#define SONNIM_ENGINE_ENRICH_H

/* Events that name a row of a dimension get its fields, as properties that they do not carry
 * themselves (contracts, Part 3), from the version in force in their partition where they are
 * applied. It happens before anything else looks at the event: the features that it matches, what
 * is stored, what a merge moves elsewhere are the event as it then is, and no later version changes
 * it.
 *
 *   {"product_id":"p1","region":"부산"}  +  p1 {"region":"제주","category":"감귤"}
 *     ──► {"product_id":"p1","region":"부산","category":"감귤"}
 *
 * A product's fields come before those of a property that the same event names. A property that is
 * there, as null too, is carried. What lies in arrays (products[] of an order) names nothing: no
 * filter could tell its fields apart. A correction of a fact is enriched as the event that it is:
 * when it names a row, the row's fields as of then are laid over the original's with it.
 *
 * A partition knows which number was in force from which position on, as far back as a restart may
 * have to read: events that no part holds yet are stored anew then, and must be what they were.
 *
 * Thread: the partition's. Cost: without any row a branch; with rows a pass over the properties,
 * and where a row is named its copy and one more encoding of the record. */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/vector.h"
#include "engine/dimension/dimensions.h"
#include "model/record.h"

struct in_force {
	uint64_t position; /* of the record that brought it */
	uint64_t number;
};

struct enrichment {
	struct dimensions *dimensions; /* shared by all partitions; the engine sets it */
	VECTOR(struct in_force) in_force;
	uint64_t           events; /* that got something, since start */
	bool               reading;
	struct arena       arena; /* of the events enriched last */
	struct buffer      bytes;
	struct value_path *keys;   /* by dimension */
	struct value_path *fields; /* DIMENSION_FIELDS_MAX of each */
	struct arena       names;
};

void enrichment_init(struct enrichment *enrichment);
void enrichment_done(struct enrichment *enrichment);

/* A DIMENSION record. STATUS_CORRUPT. */
MUST_USE enum status enrichment_apply(struct enrichment *enrichment, struct text body,
                                      uint64_t position, struct error *err);

/* The number that is in force behind this position; 0: none. */
uint64_t enrichment_number(const struct enrichment *enrichment, uint64_t position);

/* Nothing at or before this position is read again, in no restart: what only that would need goes.
 */
void enrichment_forget(struct enrichment *enrichment, uint32_t partition, uint64_t position);

/* Events in a row: begin, each of them, end. What they got lives until the next begin. */
static inline bool enrichment_is_empty(const struct enrichment *enrichment)
{
	return enrichment->in_force.count == 0;
}
void enrichment_begin(struct enrichment *enrichment);
void enrichment_event(struct enrichment *enrichment, uint64_t position, struct record *record,
                      struct text *encoded);
void enrichment_end(struct enrichment *enrichment);

/* ---- Checkpoints ---- */

void enrichment_save(const struct enrichment *enrichment, struct buffer *out);
bool enrichment_load(struct enrichment  *enrichment,
                     struct byte_reader *reader);     /* false: damaged */
void enrichment_clear(struct enrichment *enrichment); /* as if nothing was loaded */

#endif
