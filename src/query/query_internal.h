#ifndef SONNIM_QUERY_QUERY_INTERNAL_H
#define SONNIM_QUERY_QUERY_INTERNAL_H

/* What the parts of a question share.
 *
 *   query_start ──► read of all ──► share of each partition (share.c) ──► query_join() ──► done */

#include <pthread.h>
#include <stdatomic.h>

#include <roaring/roaring.h>

#include "engine/survey.h"
#include "query/asker.h"
#include "query/query.h"
#include "query/tree.h"

struct queries {
	struct engine   *engine;
	_Atomic uint64_t started;
	_Atomic uint64_t running;
	_Atomic uint64_t persons_scanned;
	_Atomic uint64_t persons_asked;
	_Atomic uint64_t memory_bytes;
};

struct query {
	struct engine_read  read;
	struct queries     *queries;
	struct query_wish   wish; /* texts in `arena` */
	struct arena        arena;
	struct plan        *plan; /* a rule a set */
	int64_t             started_ns;
	uint32_t            partition_count;
	roaring_bitmap_t  **members; /* by partition; NULL: not kept */
	_Atomic uint32_t    left;    /* shares that are not over, and the read */
	_Atomic bool        broken;
	pthread_mutex_t     lock; /* of what stands below, while shares begin and end */
	bool                ordered;
	struct tree         tree; /* roots: the sets, then what set 0 is compared with */
	struct query_answer answer;
};

/* Begins the share of the view's partition; to be called in the read. */
void share_begin(struct query *query, struct view *view);

/* What a share has found is added to the answer; then it is over. */
void query_join(struct query *query, const struct query_answer *found, const struct asker *asker);
void query_part_is_over(struct query *query);

#endif
