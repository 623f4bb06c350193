#ifndef SONNIM_API_SEGMENT_WARNINGS_H
#define SONNIM_API_SEGMENT_WARNINGS_H

/* What in a definition, or in what its members are grouped by, names nothing that was ever seen:
 * events, properties, traits, each with the nearest name that was (docs/api.md, "Segments"). Never
 * an error: a segment may come before its first event. Known besides are $page, $screen, $amount,
 * $identified, group_id; a dotted name is known by its first part; properties of an unknown event,
 * and of the context, are not looked for; nor is a kind of which a partition has more names than it
 * keeps (engine/apply/names.h). */

#include "base/json.h"
#include "engine/view.h"
#include "model/expr.h"

enum { SEGMENT_WARNINGS_MAX = 20 };

/* The names of every partition. */
struct segment_names {
	struct buffer *copies; /* by partition: what view_names() writes */
	uint32_t       count;
};

void segment_names_init(struct segment_names *names, uint32_t partition_count, struct arena *arena);
void segment_names_done(struct segment_names *names);

/* In a read of all partitions, by several threads at once. */
void segment_names_copy(struct segment_names *names, struct view *view);

/* What members are grouped by. */
struct segment_group {
	const char        *field; /* where it stands: "breakdowns[0]" */
	struct text        trait; /* empty: by event and property */
	struct text        event; /* "*": any */
	struct text        property;
	const char *const *others; /* ended by NULL: what may have been meant instead of a trait */
};

/* Writes the array. `definition` is the body as stored, `expr` what it says; `names` NULL:
 * empty. */
void segment_warnings_write(struct json_writer *writer, struct json definition,
                            const struct expr *expr, const struct segment_group *groups,
                            size_t group_count, const struct segment_names *names);

#endif
