#ifndef SONNIM_QUERY_COLUMNS_INTERNAL_H
#define SONNIM_QUERY_COLUMNS_INTERNAL_H

/* Shared by columns.c (what there is, work), column_trait.c and column_metric.c (how values come
 * about), column_test.c and column_value.c (what is asked of them). */

#include "base/buffer.h"
#include "base/map.h"
#include "base/vector.h"
#include "query/columns.h"
#include "query/event_fold.h"
#include "query/slices.h"

#define BLOCKS_ALL UINT32_MAX

enum { COLUMN_DUES_MS = 1000 }; /* how often leisure looks for what time has changed */

/* One column. While it is built, block by block, the chunk at hand lies in `staging`. */
struct column {
	struct slices        slices;
	uint32_t             built_blocks; /* kept up below; BLOCKS_ALL */
	struct slices_value *staging;      /* of SLICES_CHUNK_SLOTS; NULL: none */
	bool                 doubles;      /* numbers are slices_double_key() */
	struct column_codes *codes;        /* of a trait */
	bool                 refused;      /* there was no memory for it: never built */
	uint64_t             moved; /* times that somebody was measured, which time may have changed */
};

/* The values that have a code. */
struct column_codes {
	struct map_text numbers; /* written form → code + 1 */
	VECTOR(struct value) values;
	struct arena  texts;
	struct buffer scratch;
	uint64_t      bytes;
};

/* Slots to look at again, by block. */
struct dirty {
	uint64_t *words;
	bool     *listed; /* by block */
	uint32_t  block_room;
	VECTOR(uint32_t) blocks;
	uint64_t count;
};

struct trait_column {
	struct column     column;
	struct text       name; /* in columns->names */
	struct value_path path;
};

/* What a metric column holds of the events that count in `span`. */
enum metric_class {
	METRIC_COUNT,
	METRIC_SUM,     /* millionths */
	METRIC_AVERAGE, /* 2 × floor(millionths), + 1 when that is rounded */
	METRIC_MIN,     /* slices_double_key() */
	METRIC_MAX,
	METRIC_DISTINCT,
	METRIC_FIRST_TIME,
	METRIC_LAST_TIME,
};

/* What an event adds to a value, until that is done. */
struct metric_delta {
	uint32_t slot;
	int64_t  time_ms;
	int64_t  key; /* of SUM the amount, of MIN and MAX the number's, of others nothing */
};

/* When values change by time alone: units of DUE_MS, rounded down. */
struct dues {
	uint32_t  *block_least;
	uint32_t **blocks; /* of COLUMN_BLOCK_SLOTS each; NULL: nobody's does */
	uint32_t   block_count;
	uint64_t   bytes;
};

struct metric_column {
	struct column column;
	enum metric_class class;
	struct text                key;
	struct plan               *plan;
	const struct plan_feature *feature;
	struct span                span;
	struct dues                dues;
	struct metric_group       *group;
	uint32_t                   kept;        /* by so many columns_keep() */
	struct fold               *fold;        /* while it is built */
	size_t                     deltas_done; /* of these */
	VECTOR(struct metric_delta) deltas;
	char name[]; /* of the key */
};

/* The metrics of one event name. */
struct metric_group {
	struct text  event;   /* empty: any */
	struct dirty dirty;   /* who is to be measured again, for all columns */
	struct dirty unadded; /* likewise, for those to which an event cannot be added alone */
	VECTOR(struct metric_column *) columns;
	char name[]; /* of the event */
};

struct columns {
	struct witness         witness;   /* first: what the partition knows */
	struct partition      *partition; /* NULL: it is gone */
	struct columns_budget *budget;
	struct arena           names;

	/* Persons and traits. */
	uint64_t     *exists; /* by block */
	uint32_t      exists_room;
	struct column identified;
	struct dirty  persons;
	VECTOR(struct trait_column *) traits;
	VECTOR(struct trait_column *) dotted; /* of these, those to be found by a path */
	struct map_u64 trait_of;              /* hash of the name → index + 1 */
	bool           traits_full;           /* some that occur have no column */
	uint32_t       pass_block;            /* of the pass over all persons; BLOCKS_ALL: none */
	bool           pass_again;            /* once more, for columns that have come since */

	/* Metrics. */
	struct map_text metric_of; /* key → the column */
	VECTOR(struct metric_column *) metrics;
	VECTOR(struct metric_group *) groups;
	struct map_u64       group_of;        /* hash of the event's name → the group */
	struct metric_group *any;             /* the group of events of any name; NULL: none */
	struct folded       *folded;          /* of a block */
	int64_t              dues_ms;         /* when dues were last looked for in leisure */
	int64_t              unadded_from_ns; /* not before, the unadded are refreshed in leisure */
	uint64_t             gone;            /* metrics that have lost their column */

	_Atomic uint32_t built_count;
	_Atomic uint32_t column_count;
	_Atomic uint64_t bytes;
	_Atomic uint64_t dirty_count;
};

static inline uint32_t block_of(uint32_t slot) { return slot / COLUMN_BLOCK_SLOTS; }

static inline bool column_is_built(const struct column *column)
{
	return column->built_blocks == BLOCKS_ALL;
}

void dirty_add(struct dirty *dirty, uint32_t slot);
/* Takes a block out; its bits go to `ret_words`. False: there is none. */
bool dirty_take(struct dirty *dirty, uint32_t *ret_block, uint64_t ret_words[COLUMN_BLOCK_WORDS]);
/* What is taken from then on comes in order of the blocks. */
void dirty_sort(struct dirty *dirty);
void dirty_done(struct dirty *dirty);

/* ---- columns.c ---- */

void column_init(struct column *column, struct columns *columns, uint32_t built_blocks);
void column_done(struct columns *columns, struct column *column);
/* Frees what it holds, and keeps nothing any more. */
void     column_refuse(struct columns *columns, struct column *column);
uint64_t column_bytes(const struct column *column);
/* Keeps a value, unless the block is still to be built. */
void column_put(struct column *column, uint32_t slot, struct slices_value value);
/* What was kept last; of a block that is built or being built. */
struct slices_value column_get(const struct column *column, uint32_t slot);
/* The block at built_blocks is built. `last`: there is no other. */
void column_advance(struct column *column, bool last);
bool columns_over_budget(const struct columns *columns);

/* ---- column_trait.c ---- */

struct trait_column *column_trait_find(const struct columns *columns, struct text name);
/* New where it is not there; NULL: no room. */
struct trait_column *column_trait_put(struct columns *columns, struct text name);
void                 column_trait_free(struct columns *columns, struct trait_column *trait);
/* What a value is in the column; what gets a code for the first time is noted. */
struct slices_value column_trait_value(struct columns *columns, struct column *column,
                                       const struct value *value);
/* Brings everything up to date until clock_monotonic_ns() is `end_ns`; false: not all. */
bool column_trait_refresh(struct columns *columns, int64_t end_ns);
/* Goes on with the pass over all persons; false: it is not over. */
bool column_trait_pass(struct columns *columns, int64_t end_ns);

/* ---- column_metric.c ---- */

/* The key of what a leaf looks at; false: it can have no column. */
bool column_metric_key(const struct plan_feature *feature, const struct plan_leaf *leaf,
                       struct buffer *key, enum metric_class *ret_class);
/* The key of the last time, in all time, of the events of the leaf. */
void column_metric_last_key(const struct plan_feature *feature, struct buffer *key);
/* Frees what it holds, and keeps nothing any more. */
void                  column_metric_refuse(struct columns *columns, struct metric_column *metric);
struct metric_column *column_metric_new(struct columns *columns, struct plan *plan,
                                        const struct plan_leaf *leaf, struct text key,
                                        enum metric_class class);
void                  column_metric_free(struct columns *columns, struct metric_column *metric);
/* As those of traits, at `now_ms`. */
bool column_metric_refresh(struct columns *columns, struct metric_group *group, int64_t now_ms,
                           int64_t end_ns);
/* Those to which an event cannot be added alone; behind column_metric_refresh(), likewise. */
bool column_metric_refresh_unadded(struct columns *columns, struct metric_group *group,
                                   int64_t now_ms, int64_t end_ns);
/* Behind column_metric_refresh() for its group at the same instant. */
bool column_metric_refresh_dues(struct columns *columns, struct metric_column *metric,
                                int64_t now_ms, int64_t end_ns);
/* All that this one needs, now. */
void column_metric_refresh_now(struct columns *columns, struct metric_column *metric,
                               int64_t now_ms);
bool column_metric_build(struct columns *columns, struct metric_column *metric, int64_t end_ns);
void column_metric_saw(struct columns *columns, const struct record *record, int64_t time_ms);
/* Ends what is under way with the partition. */
void column_metric_stop(struct columns *columns);
void column_metric_saw_all(struct columns *columns, uint32_t slot);

#endif
