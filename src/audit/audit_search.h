#ifndef SONNIM_AUDIT_SEARCH_H
#define SONNIM_AUDIT_SEARCH_H

/* Finds records. Files outside of the time asked for are not read; of the others, each line is
 * looked at. A search stops after AUDIT_SEARCH_BYTES_MAX and says where to go on, so that no
 * request takes long, however rare what it looks for is. */

#include "audit/audit_files.h"
#include "base/arena.h"
#include "base/json.h"

#define AUDIT_SEARCH_BYTES_MAX (INT64_C(64) << 20)

struct audit_query {
	struct text actor;  /* of each text: empty: any */
	struct text action; /* "segment.create", or "segment." for all that begin with it */
	struct text target;
	bool        unknown;    /* those of unknown outcome alone */
	int64_t     from_ms;    /* INSTANT_MS_MIN: from the first */
	int64_t     to_ms;      /* exclusive; INSTANT_MS_MAX: to the last */
	uint64_t    before_seq; /* newest first: those before it; UINT64_MAX: all */
	size_t      limit;
};

/* Newest first, as lines in `arena`. `*ret_next`: the `before_seq` to go on with; 0: no more. */
MUST_USE enum status audit_search(const char *directory, const audit_file_list *files,
                                  const struct audit_query *query, struct arena *arena,
                                  struct text **ret_lines, size_t *ret_count, uint64_t *ret_next,
                                  struct error *err);

/* Oldest first, all of them, as long as `take` says true. */
typedef bool         audit_take_fn(void *context, struct text line);
MUST_USE enum status audit_each(const char *directory, const audit_file_list *files,
                                const struct audit_query *query, audit_take_fn *take, void *context,
                                struct error *err);

#endif
