#ifndef SONNIM_API_SEGMENT_BODY_H
#define SONNIM_API_SEGMENT_BODY_H

/* A segment as JSON: what a client sends, and what it gets (docs/api.md, "Segments"). */

#include "api/call.h"
#include "api/segment/segment_warnings.h"
#include "base/json.h"
#include "engine/definition/definition.h"

enum {
	SEGMENT_KEY_BYTES_MAX         = 128,
	SEGMENT_NAME_BYTES_MAX        = 256,
	SEGMENT_DESCRIPTION_BYTES_MAX = 4096,
};

struct segment_body {
	struct definition_wish wish;
	bool                   has_active;
};

/* Checks every field; `create`: a name and a definition are needed. Texts point into `body` or the
 * call's arena; e-mail addresses and phones are compared by their blind indexes, and written by
 * those who may read personal values only (api/personal/personal_index.h). STATUS_INVALID with the
 * field. */
MUST_USE enum status segment_body_read(struct api_call *call, struct json body, bool create,
                                       struct segment_body *ret_body, struct error *err);

/* The members that make a definition, and "sample", which is left to the caller: the body of a
 * preview. Without a definition (if it is not `required`) the wish stays as it is. */
MUST_USE enum status segment_body_read_definition(struct api_call *call, struct json body,
                                                  bool required, struct definition_wish *wish,
                                                  struct error *err);

/* STATUS_INVALID when an event leaf looks back further than events are kept, less a day: it would
 * lose events that count. */
MUST_USE enum status segment_body_check_windows(const struct expr *expr, int64_t retention_ms,
                                                struct error *err);

/* Writes the whole object. Asks `definitions` for the ids of what it refers to. `names`: for its
 * warnings; NULL: none are looked for. */
void segment_body_write(struct json_writer *writer, const struct definition *definition,
                        struct definitions *definitions, const struct segment_names *names,
                        struct arena *arena);

#endif
