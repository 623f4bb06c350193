#ifndef SONNIM_ENGINE_CHECKPOINT_CATALOG_H
#define SONNIM_ENGINE_CHECKPOINT_CATALOG_H

/* The live definitions of a partition in a checkpoint: the body of a PREPARE record that would
 * bring them all (change_record.h), those that others refer to first, then for each two
 * instants: since when it holds for the anonymous and for the identified without events. Nothing
 * may be under construction. Thread: the partition's. */

#include "engine/apply/partition.h"

void checkpoint_catalog_write(const struct catalog *catalog, struct buffer *out);

/* Into an empty catalog. STATUS_CORRUPT: it holds a part of them. */
MUST_USE enum status checkpoint_catalog_read(struct partition *partition, struct text bytes,
                                             struct error *err);

#endif
