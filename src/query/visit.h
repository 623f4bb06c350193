#ifndef SONNIM_QUERY_VISIT_H
#define SONNIM_QUERY_VISIT_H

/* What is asked of each member of set 0: the groups that he is in, his orders and refunds. Each is
 * a visit, made once to each member, of whom columns know it at the instant, and else later, before
 * he changes. Columns of sums are asked later, too, as long as time has changed nothing in them.
 *
 *   members ──► columns say it, of many at once
 *          └──► todo ──► traits; newest event, sums of events: folded, a block at once
 *
 * Thread: the partition's. */

#include "query/columns.h"
#include "query/event_fold.h"
#include "query/groups.h"
#include "query/mask.h"
#include "query/query.h"
#include "query/revenue.h"

enum { VISITS_MAX = QUERY_DIMENSIONS_MAX + REVENUE_PART_COUNT };

struct visit {
	const struct query_dimension *dimension; /* NULL: a part of the revenue */
	enum revenue_part             part;
	const struct plan_leaf       *leaf;
	bool                          counts; /* beside the sum, the number of events */
	struct column                *column; /* at the instant; NULL: none */
	struct column_mark            mark;   /* of a part's column, from then */
	struct fold                  *fold;   /* of events; made when needed */
	struct plan_trait             trait;
	struct amount_path            property;
	uint64_t                     *codes; /* by code of the column, members so far */
	struct mask                  *todo;  /* by block */
	struct groups                 groups;
	__int128                      sum;     /* of REVENUE_ORDERS their number */
	uint64_t                      count;   /* of `counts` */
	uint64_t                      persons; /* looked at so far */
	int64_t                       took_ns;
};

/* How most of it is found. */
enum query_way visit_way(const struct visit *visit);

/* What is looked at, in the text notation; from `arena`. */
struct text visit_text(const struct visit *visit, const struct plan *revenue, struct arena *arena);

struct visits_config {
	struct partition        *partition;
	struct columns          *columns; /* NULL: none are to be asked */
	const struct query_wish *wish;
	const struct plan       *revenue; /* NULL: it is not asked */
	int64_t                  as_of_ms;
	bool                     past;
	uint32_t                 block_end;
};

struct visits {
	struct visits_config config;
	struct arena         arena;
	unsigned             count;
	struct visit         items[VISITS_MAX]; /* the dimensions, then the revenue */
	struct folded       *folded;            /* of a block, once needed */
	uint32_t             numbers;           /* that columns were asked for */
};

void visits_init(struct visits *visits, const struct visits_config *config);
void visits_done(struct visits *visits);

/* At the instant: these are members, in a run of blocks; who is not known by columns is left for
 * later. False: nobody is. When all blocks were looked at, visits_looked(). */
bool visits_look(struct visits *visits, uint32_t block, uint32_t count, const struct mask *members);
void visits_looked(struct visits *visits);

/* Later: these are members too. */
void visits_add(struct visits *visits, uint32_t block, const struct mask *members);

/* Who waits for some visit. */
struct mask visits_open(const struct visits *visits, uint32_t block);

/* Later: visits those of the wanted ones who wait. */
void visits_settle(struct visits *visits, uint32_t block, const struct mask *wanted);

#endif
