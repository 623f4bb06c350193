#ifndef SONNIM_BACKUP_PIN_H
#define SONNIM_BACKUP_PIN_H

/* Holds on to the files of checkpoints, change streams, stored events and the audit trail as of one
 * moment, while the server goes on: hard links in DATA/pinned, made in milliseconds, that are read
 * at leisure.
 *
 * Those files never change but at their ends: parts never, blocks and change streams are appended
 * to, manifests are replaced as a whole. What a manifest names is there as long as the manifest is;
 * so a partition's files are linked, manifest first, and then it is looked whether it is still the
 * same manifest. Where not, once more. */

#include <stdint.h>

#include "base/error.h"

#define PIN_DIRECTORY "pinned"

/* What an earlier one has left is removed first. STATUS_UNAVAILABLE (retriable): files were
 * replaced faster than they could be linked. */
MUST_USE enum status pin_take(const char *data, const uint8_t workspace_id[16],
                              uint32_t partition_count, struct error *err);

/* Removes it, and what a killed process has left of one. */
MUST_USE enum status pin_release(const char *data, struct error *err);

/* Each pinned file with the path that it has in the data directory. An error ends it. */
typedef enum status  pin_visit_fn(void *context, const char *path, const char *pinned,
                                  struct error *err);
MUST_USE enum status pin_each(const char *data, pin_visit_fn *visit, void *context,
                              struct error *err);

#endif
