#ifndef SONNIM_ENGINE_DIMENSIONS_INTERNAL_H
#define SONNIM_ENGINE_DIMENSIONS_INTERNAL_H

/* Shared by dimensions.c (the table) and dimensions_file.c (its files). */

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "base/vector.h"
#include "engine/dimension/dimensions.h"

enum { DIMENSION_LINES = 2 };

struct row_version {
	uint64_t            number;
	struct row_version *older;
	uint32_t            size;
	bool                deleted;
	char                list[];
};

struct row {
	uint64_t            serial;
	uint64_t            hash;
	struct row         *next; /* of the same hash */
	struct row_version *newest;
	uint32_t            waiting; /* entries in `outdated` */
	uint32_t            id_length;
	char                id[];
};

/* From this number on the row's older versions are not asked for. */
struct outdated {
	uint64_t       number;
	enum dimension dimension;
	struct row    *row;
};

struct dimension_rows {
	struct map_u64 by_id;          /* hash → struct row, those of the same hash in a list */
	VECTOR(struct row *) in_order; /* by serial; NULL: gone */
	size_t           gone;
	uint64_t         serial; /* the newest */
	_Atomic uint64_t live;   /* whose newest version is not deleted */
};

struct dimensions {
	pthread_rwlock_t      lock;
	struct dimension_rows tables[DIMENSION_COUNT];
	VECTOR(struct outdated) outdated; /* from outdated_begin on */
	size_t outdated_begin;
	/* Numbers of records of which all rows were brought in, one behind the other. */
	uint64_t run_first;
	uint64_t run_last;

	_Atomic uint64_t  newest;
	_Atomic uint64_t  bytes; /* of rows and versions */
	_Atomic uint64_t  index_bytes;
	uint32_t          partition_count;
	_Atomic uint64_t *floors;                     /* by partition */
	_Atomic uint64_t  holds[DIMENSION_HOLDS_MAX]; /* UINT64_MAX: free */

	uint64_t         kept[DIMENSION_LINES];   /* the writer's: what the line's file reaches to */
	_Atomic uint64_t loaded[DIMENSION_LINES]; /* everything of the file through here is in */
};

/* A version, with the lock held. `serial` 0: the next one. */
void dimensions_put(struct dimensions *dimensions, enum dimension dimension, struct text id,
                    uint64_t number, struct text list, uint64_t serial);

#endif
