#ifndef SONNIM_ENGINE_DEFINITION_INTERNAL_H
#define SONNIM_ENGINE_DEFINITION_INTERNAL_H

/* Shared by definition.c (what callers want), definition_rollout.c (how it becomes live) and
 * definition_cancel.c (when it is not to).
 *
 * `commit_lock` orders the callers that write, over their store commit; `lock` guards the memory
 * and is held for moments only. Who holds commit_lock may read, without `lock`, what only callers
 * write. */

#include <pthread.h>

#include "base/vector.h"
#include "engine/change/change_record.h"
#include "engine/definition/definition.h"
#include "engine/engine_internal.h"

/* A segment as this process knows it. */
struct known {
	struct arena         arena; /* of the texts below; made anew with each change */
	struct store_segment segment;
	bool                 deleted;
	uint32_t            *references; /* numbers of the segments that the newest version names */
	uint32_t             reference_count;
	uint32_t             queued; /* outbox rows under way that name it */

	/* Written by the rollout, under `lock`. */
	bool        live;
	struct text live_canonical; /* its own memory; data NULL: none */
	unsigned    progress;       /* 0..1000 */
};

/* One outbox row that is not done. */
struct queued_change {
	uint64_t              id;
	bool                  prepare; /* else it only switches off */
	uint32_t              segment;
	uint32_t              version;
	struct queued_change *next;
};

struct definitions {
	struct engine  *engine;
	struct journal *journal;
	struct store   *store;
	uint32_t        partition_count;

	struct definition_watch watch; /* told of nothing without `begun` */

	pthread_mutex_t  commit_lock;
	pthread_rwlock_t lock;
	VECTOR(struct known *) segments; /* by number; NULL: never used */

	/* The rollout's queue, in order of id. */
	pthread_mutex_t       queue_lock;
	pthread_cond_t        queue_filled;
	struct queued_change *queue;
	bool                  stopping;
	pthread_t             thread;
	struct round         *unfinished; /* a round that the process before this one began */
	struct round         *current;    /* the one under way; under queue_lock */
};

/* By id or key, not deleted; NULL. With a lock held. */
struct known *definitions_find(struct definitions *definitions, struct text id_or_key);

/* Resolves and checks the wished definition and puts it into `segment`, of which number and key are
 * set; with commit_lock held. */
MUST_USE enum status definitions_take(struct definitions           *definitions,
                                      const struct definition_wish *wish,
                                      struct store_segment *segment, struct arena *arena,
                                      struct error *err);

struct known *definitions_known(struct definitions *definitions, uint32_t number);

/* Makes memory say what the store now says; with commit_lock held. */
MUST_USE enum status definitions_remember(struct definitions         *definitions,
                                          const struct store_segment *segment, struct error *err);

/* The segments that an expression names, each once; in the arena. */
uint32_t *definitions_references(const struct expr *expr, struct arena *arena, uint32_t *ret_count);

/* Whether `number` is reached from `from` by references; with the keys on the way appended to
 * `path`. `depth` 0. With commit_lock held. */
bool definitions_reach(struct definitions *definitions, uint32_t from, uint32_t number,
                       unsigned depth, struct buffer *path);

/* Appends the quoted keys of active definitions that refer to the segment. With commit_lock
 * held. */
void definitions_write_users(struct definitions *definitions, const struct known *known,
                             struct buffer *out);

/* Hands rows that were committed to the rollout; ids must grow. */
void rollout_add(struct definitions *definitions, uint64_t id, bool prepare, uint32_t segment,
                 uint32_t version);

/* A version that the round under way brings. */
struct brought {
	uint32_t segment;
	uint32_t version;
};

/* Holds the round of this change back from its decision, until rollout_let_go() says whether it is
 * abandoned. `*ret_held` false: it is already. STATUS_CONFLICT: it has decided, or is over. */
MUST_USE enum status rollout_hold(struct definitions *definitions, uint64_t change_id,
                                  struct arena *arena, bool *ret_held, struct brought **ret_brought,
                                  size_t *ret_count, struct error *err);
void                 rollout_let_go(struct definitions *definitions, bool abandoned);

MUST_USE enum status rollout_start(struct definitions *definitions, struct error *err);
void                 rollout_stop(struct definitions *definitions);

/* Queues what the store wants and what is live, `live`, has not; before the rollout runs. */
MUST_USE enum status definitions_reconcile(struct definitions       *definitions,
                                           const struct change_rule *live, size_t live_count,
                                           struct error *err);

/* Outbox payload: u32 segment, u32 version; of ABANDON u64 change id. What is sent is made of what
 * is newest then, with everything that is derived from it. */
void rollout_write_payload(struct buffer *out, uint32_t segment, uint32_t version);

#endif
