#ifndef SONNIM_API_DEAD_LETTERS_H
#define SONNIM_API_DEAD_LETTERS_H

/* Dead letters that a call asks for: by id, or by a filter. */

#include "api/call.h"
#include "ingest/letters.h"

enum {
	DEAD_LETTERS_AT_ONCE     = 200,   /* fetched from the store */
	DEAD_LETTERS_SCANNED_MAX = 10000, /* by one call: opening them costs time and memory */
	DEAD_LETTERS_PIECE_BYTES = 4096,  /* a longer one counts as so many more */
	DEAD_LETTERS_TEXT_MAX    = 256,
};

struct dead_letters_filter {
	struct store_letter_filter stored;
	struct text                text; /* occurs in what came; empty: anything */
};

struct dead_letter {
	struct store_letter stored;
	bool                readable; /* the person was not erased */
	struct text         event;
	struct text         shared;
};

/* From the query: code, text, from, to; and the source from the path. Searching in what came needs
 * pii.read. Asks the store. */
MUST_USE enum status dead_letters_filter(struct api_call *call, struct dead_letters_filter *ret,
                                         struct error *err);

/* The same from a JSON object. */
MUST_USE enum status dead_letters_filter_of(struct api_call *call, struct json object,
                                            struct dead_letters_filter *ret, struct error *err);

/* The next ones, newest first: up to `limit` that the filter lets through, found among those before
 * `stored.before_id`, which moves behind them. `*ret_count` below `limit` means there are no more,
 * unless `*scanned`, which grows with how many and how long they are, has reached
 * DEAD_LETTERS_SCANNED_MAX. */
MUST_USE enum status dead_letters_next(struct api_call *call, struct dead_letters_filter *filter,
                                       size_t limit, size_t *scanned, struct dead_letter *ret,
                                       size_t *ret_count, uint64_t *ret_total, struct error *err);

/* The one of the path's {letterId}. STATUS_NOT_FOUND. */
MUST_USE enum status dead_letters_find(struct api_call *call, struct dead_letter *ret,
                                       struct error *err);

#endif
