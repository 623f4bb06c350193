#ifndef SONNIM_ENGINE_DIMENSIONS_H
#define SONNIM_ENGINE_DIMENSIONS_H

/* The rows of the dimensions (model/dimension.h) in all versions that any partition may still ask
 * for: one table for all partitions of an engine, since all of them read the same DIMENSION records
 * in the same order, only not at the same time.
 *
 *   map of the id ──► row ──► version 61 ──► version 57 ──► version 12      newest first
 *                                 ▲              ▲
 *                        partition 3 at 62   partition 0 at 60
 *
 * A version bears the number of the record that brought it. A partition asks with the number that
 * is in force where it stands (enrich.h) and gets the newest version at or below it, so that what
 * it gets does not depend on how far others are. Whoever reads a record first brings its rows in;
 * the others find them there. A version that is followed by another one goes once every partition
 * has told that it never asks below that one again (dimensions_release()): that is where a restart
 * would begin to read.
 *
 * Deleting is a version too; a row of which only that is left goes. Rows are listed in the order in
 * which they first came: by serial.
 *
 * Threads: any; readers do not hold each other up. A reader holds the lock for a few lookups.
 * Cost: a row some 130 bytes beside its id and its list; a lookup a hash, two to three loads. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "model/dimension.h"

struct dimensions;

struct dimensions *dimensions_new(uint32_t partition_count);
void               dimensions_free(struct dimensions *dimensions); /* NULL is fine */

/* Brings in what the record says; what is there already stays. */
void dimensions_insert(struct dimensions *dimensions, const struct dimension_record *record);

/* The partition asks for nothing below this number any more. Never goes back. */
void dimensions_release(struct dimensions *dimensions, uint32_t partition, uint64_t number);

/* Keeps what may be asked for at this number or above, for as long as it is held: for a long look
 * from outside, begun where a partition stands. Which one; false: DIMENSION_HOLDS_MAX are held. */
enum { DIMENSION_HOLDS_MAX = 16 };
bool dimensions_hold(struct dimensions *dimensions, uint64_t number, unsigned *ret_hold);
void dimensions_let_go(struct dimensions *dimensions, unsigned hold);

/* What is found between the two is valid until the second. */
void dimensions_begin_read(struct dimensions *dimensions);
void dimensions_end_read(struct dimensions *dimensions);

/* The row's list at that number, without copying; data NULL: there is none. */
struct text dimensions_find(const struct dimensions *dimensions, enum dimension dimension,
                            struct text id, uint64_t number);

/* The next row behind a serial; false: there is none. `*serial` becomes its own. */
struct dimension_found {
	struct text id;
	struct text list;
};
bool dimensions_next(const struct dimensions *dimensions, enum dimension dimension, uint64_t number,
                     uint64_t *serial, struct dimension_found *ret_found);

/* For others; any thread. */
uint64_t dimensions_count(const struct dimensions *dimensions, enum dimension dimension);
uint64_t dimensions_bytes(const struct dimensions *dimensions);
uint64_t dimensions_newest(const struct dimensions *dimensions); /* the highest number seen */

/* ---- On disk: beside the checkpoints of each line (docs/formats/checkpoint.md) ---- */

/* Sees to it that the file has what a checkpoint at this number needs; written anew when it does
 * not. One thread. `*ret_bytes`: written now. */
MUST_USE enum status dimensions_keep(struct dimensions *dimensions, const char *directory,
                                     unsigned line, const uint8_t workspace_id[16], uint64_t number,
                                     uint64_t *ret_bytes, struct error *err);

/* Brings in all versions of the line's file through this number. STATUS_CORRUPT, STATUS_NOT_FOUND:
 * the file is damaged, or does not reach as far, or is not there. Any thread. */
MUST_USE enum status dimensions_load(struct dimensions *dimensions, const char *directory,
                                     unsigned line, const uint8_t workspace_id[16], uint64_t number,
                                     struct error *err);

/* "DIRECTORY/dimensions-a" */
enum { DIMENSIONS_PATH_MAX = 1024 };
void dimensions_path(char ret_path[DIMENSIONS_PATH_MAX], const char *directory, unsigned line);

#endif
