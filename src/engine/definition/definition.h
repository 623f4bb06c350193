#ifndef SONNIM_ENGINE_DEFINITION_H
#define SONNIM_ENGINE_DEFINITION_H

/* The life of segment definitions: create, edit, disable, enable, delete. The store commits what is
 * wanted together with an outbox row; a coordinator thread carries it into the journal:
 *
 *   commit ──► PREPARE in every partition ──► built beside the live ones ──► ACTIVATE, one append
 *   (store)                                    (any speed)   │                ──► Live, settled in
 *                                                            ▼                     the store
 *                         definition_cancel(): commit ──► ABANDON, one append
 *
 * A version is Live only by its ACTIVATE record. An edit takes along, in the same step, every
 * segment that is derived from it. Changes that touch the same segments follow one another; others
 * run side by side. After a restart what was begun is finished.
 *
 * Definitions are strongly consistent: one lock orders all calls here. Threads: any; the calls
 * write to the store, so not from an HTTP loop that must not block for longer than a commit (some
 * ms). */

#include <stdint.h>

#include "base/hash.h"
#include "base/json.h"
#include "engine/engine.h"
#include "model/expr.h"
#include "store/store.h"

struct definitions;

/* A change that is prepared from stored events: some segments become live together. */
struct definition_change {
	uint64_t id; /* of its PREPARE; grows from one to the next */
	struct definition_brought {
		char     id[UUID_TEXT_BYTES];
		uint32_t version;
	} * segments; /* those of which the change brings a version */
	size_t count;
	size_t derived_count; /* segments that are bound anew, since they are derived from those */
};

/* How a change ends. */
enum definition_end {
	DEFINITION_END_LIVE,
	DEFINITION_END_ABANDONED,
	DEFINITION_END_LEFT, /* the process ends, the next one goes on */
};

/* What a start finds of changes that processes before it began. */
struct definition_recovery {
	uint64_t        last_id;    /* up to it, what was prepared is live or was abandoned … */
	uint64_t        pending_id; /* … but for this one, which goes on; 0: none */
	const uint64_t *abandoned;  /* those of the newest that were, or are about to be */
	size_t          abandoned_count;
};

/* Who is told of changes, one at a time, by one thread (definitions_start() before there is one).
 * Nothing waits for what he makes of it but the change. */
struct definition_watch {
	void *context;
	/* At start; what is not known by now comes anew. */
	void (*recovered)(void *context, const struct definition_recovery *recovery);
	void (*begun)(void *context, const struct definition_change *change);
	void (*progressed)(void *context, unsigned progress); /* 0..1000, also when it did not change */
	void (*ended)(void *context, enum definition_end end);
};

/* To be started once the engine has replayed. `watch` (NULL: nobody) is copied. */
MUST_USE enum status definitions_start(struct engine *engine, struct journal *journal,
                                       struct store *store, uint32_t partition_count,
                                       const struct definition_watch *watch,
                                       struct definitions **ret_definitions, struct error *err);
void                 definitions_stop(struct definitions *definitions);

/* The states of contracts, Segments. */
enum definition_state {
	DEFINITION_PREPARING, /* with progress */
	DEFINITION_COMPUTING, /* built, its ACTIVATE is on its way */
	DEFINITION_LIVE,
	DEFINITION_DISABLED,
	DEFINITION_FAILED,
};
const char *definition_state_name(enum definition_state state); /* "Preparing" */

/* A segment with what became of it. */
struct definition {
	struct store_segment  segment;
	enum definition_state state;
	unsigned              progress; /* 0..1000, of PREPARING */
	struct expr          *expr;     /* of the newest version, as written: references are not
	                                 * resolved; in the caller's arena */
};

/* What a caller wants to set; texts with data NULL are left as they are in an update. */
struct definition_wish {
	struct text  key; /* NULL in a create: made from the name */
	struct text  name;
	struct text  description;
	struct text  body;   /* the definition as the author wrote it (store_segment.definition);
	                           * data NULL: unchanged */
	struct expr *expr;   /* parsed from it, unresolved; goes with body */
	bool         active; /* of a create */

	/* The audience that has the segment, which is committed with it (store_commit): either both
	 * are there or none, whenever the process ends. NULL: none. */
	struct store_audience *audience;
};

/* STATUS_INVALID (unknown reference, cycle with its path, `field`), STATUS_CONFLICT (key taken, a
 * reference to a disabled segment), store errors. Answers at once, in state Preparing. */
MUST_USE enum status definition_create(struct definitions           *definitions,
                                       const struct definition_wish *wish, struct arena *arena,
                                       struct definition *ret_definition, struct error *err);

/* `expected_version` 0: any. An equal canonical form makes no version. */
MUST_USE enum status definition_update(struct definitions *definitions, struct text id_or_key,
                                       uint32_t                      expected_version,
                                       const struct definition_wish *wish, struct arena *arena,
                                       struct definition *ret_definition, struct error *err);

/* Disable and delete are STATUS_CONFLICT while an active definition refers to it, and name
 * those. The audience that has the segment is deleted with it. */
MUST_USE enum status definition_set_active(struct definitions *definitions, struct text id_or_key,
                                           bool active, struct arena *arena,
                                           struct definition *ret_definition, struct error *err);
MUST_USE enum status definition_delete(struct definitions *definitions, struct text id_or_key,
                                       struct error *err);

/* Abandons the change that is being built, with all definitions that came with it: each segment
 * goes back to its live version, or, where none is live, is not active and can be enabled again.
 * A newer version that somebody committed meanwhile goes its own way. Durable when it returns; what
 * was built is dropped soon after. STATUS_CONFLICT: it is live, or about to be; the live version
 * refers to a segment that is disabled or deleted meanwhile, or to one that refers back to it; or
 * an active definition refers to a segment that would be no more. */
MUST_USE enum status definition_cancel(struct definitions *definitions, uint64_t change_id,
                                       struct error *err);

MUST_USE enum status definition_get(struct definitions *definitions, struct text id_or_key,
                                    struct arena *arena, struct definition *ret_definition,
                                    struct error *err);
MUST_USE enum status definition_list(struct definitions *definitions, struct arena *arena,
                                     struct definition **ret_definitions, size_t *ret_count,
                                     struct error *err);

/* What a preview of a definition asks: of the wished one (nothing else of the
 * wish counts), or, with `body.data` NULL, of the newest version of the segment. `id_or_key` with
 * data NULL: no segment is compared with. Errors as those of definition_update(); STATUS_CONFLICT
 * too when what it refers to is not live. */
struct definition_preview {
	struct text canonical;
	uint32_t    compared; /* number of the segment; 0: none */
	char        id[UUID_TEXT_BYTES];
	uint32_t    live_version; /* 0: it has none */
};
MUST_USE enum status definition_preview(struct definitions *definitions, struct text id_or_key,
                                        const struct definition_wish *wish, struct arena *arena,
                                        struct definition_preview *ret_preview, struct error *err);

/* id and key of a segment number, deleted ones included; false: unknown. Any thread, does not touch
 * the store. Copies into the arena. */
bool definition_name_of(struct definitions *definitions, uint32_t number, struct arena *arena,
                        struct text *ret_id, struct text *ret_key);

#endif
