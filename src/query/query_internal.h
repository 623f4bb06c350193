#ifndef SONNIM_QUERY_QUERY_INTERNAL_H
#define SONNIM_QUERY_QUERY_INTERNAL_H

/* What the parts of a question share.
 *
 *   query_start ──► read of all ──► share of each partition (share.c) ──► query_join() ──► done */

#include <pthread.h>
#include <stdatomic.h>

#include <roaring/roaring.h>

#include "query/asker.h"
#include "query/columns.h"
#include "query/groups.h"
#include "query/query.h"
#include "query/tree.h"
#include "query/visit.h"

/* A definition whose leaves are to have columns. */
struct kept_plan {
	struct text       canonical;
	struct plan      *plan;
	unsigned          count;   /* times that it is to be kept; 0: it is to be let go */
	uint32_t          applied; /* partitions that know of it */
	bool             *known;   /* by partition: it does */
	struct kept_plan *next;
};

struct queries {
	struct engine             *engine;
	uint32_t                   partition_count;
	_Atomic(struct columns *) *columns; /* by partition, its thread's; NULL: not yet */
	struct columns_budget      budget;
	struct engine_read         opening;
	_Atomic uint64_t           started;
	_Atomic uint64_t           running;
	_Atomic uint64_t           persons_scanned;
	_Atomic uint64_t           persons_asked;
	_Atomic uint64_t           memory_bytes; /* of queries under way */
	pthread_mutex_t            lock;
	struct kept_plan          *kept;
};

struct query {
	struct engine_read read;
	struct queries    *queries;
	struct query_wish  wish; /* texts in `arena` */
	struct arena       arena;
	struct plan       *plan;    /* a rule a set */
	struct plan       *revenue; /* NULL: it is not asked */
	bool               past;
	int64_t            started_ns;
	roaring_bitmap_t **members; /* by partition; NULL: not kept */
	_Atomic uint32_t   left;    /* shares that are not over, and the read */
	_Atomic bool       broken;

	pthread_mutex_t     lock; /* of what stands below, while shares begin and end */
	bool                planned;
	enum status         plan_status;
	struct tree         tree;                /* roots: the sets, then what set 0 is compared with */
	struct query_step  *asked;               /* by atom; NULL: no share is over */
	struct query_step   visited[VISITS_MAX]; /* dimensions, then revenue by part; its text is
	                                          * empty where no share had it */
	struct groups       groups[QUERY_DIMENSIONS_MAX];
	struct query_answer answer;
};

/* Begins the share of the view's partition; to be called in the read. */
void share_begin(struct query *query, struct view *view);

/* What the first share to begin makes for all: the tree, with its operands in order. */
enum status query_plan(struct query *query, struct partition *partition, int64_t now_ms);

/* What a share has found is added to the answer; then it is over. */
void query_join(struct query *query, const struct query_answer *found, const struct asker *asker,
                const struct visits *visits);
void query_part_is_over(struct query *query);

#endif
