#ifndef SONNIM_API_SAVED_H
#define SONNIM_API_SAVED_H

/* Audiences that were saved, as JSON (docs/audiences.md): what is stored of each, and, of a live
 * one, what its segment answers now. */

#include "api/audience/asking.h"
#include "api/audience/audiences.h"

enum { AUDIENCE_NAME_BYTES_MAX = 256, AUDIENCE_DESCRIPTION_BYTES_MAX = 4096 };

const char *saved_kind_name(enum store_audience_kind kind); /* "live" */

/* The members of a snapshot; a reference for the caller. On workers. */
MUST_USE enum status saved_members(struct api *api, const char *id, struct member_list **ret_list,
                                   struct error *err);

/* One, with its segment. */
struct saved_row {
	struct store_audience audience;
	struct definition     definition; /* of a live one */
	bool                  found;      /* it is there */
};

/* What a call answers with. The state of such a call begins with it. */
struct saved {
	struct asking     asking; /* first */
	unsigned          http_status;
	bool              listed;
	size_t            limit;
	size_t            count;
	uint64_t          total;
	struct saved_row *rows;
	uint64_t         *sizes;   /* [partition][row]: members of its segment */
	uint64_t         *persons; /* [partition] */
	bool             *live;    /* [partition][row] */
};

/* Looks the segments up and answers with `rows`: one, or, `listed`, all of them. */
void saved_answer(struct api_call *call);

/* Answers with one. */
void saved_answer_one(struct api_call *call, unsigned http_status,
                      const struct store_audience *audience);

#endif
