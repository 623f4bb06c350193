#ifndef SONNIM_TRANSFER_IMPORT_DIMENSION_H
#define SONNIM_TRANSFER_IMPORT_DIMENSION_H

/* Rows of a file on their way into a dimension: gathered, and appended one batch after the other,
 * each once the one before is durable. What the report says and the mark of the last batch stands
 * for is always the same rows. Sent again after a stop, a row is what it was: rows are replaced.
 *
 * One thread, which waits for the journal. */

#include <pthread.h>

#include "engine/engine.h"
#include "model/dimension.h"
#include "transfer/import/import_feed.h"

struct import_dimension_config {
	struct engine        *engine;
	enum dimension        dimension;
	bool                  trial; /* nothing is taken in */
	struct import_report *report;
	/* As of import_feed_config. */
	enum status (*reject)(void *context, uint64_t line, struct text code, struct text reason,
	                      struct text row, struct error *err);
	bool (*may_send)(void *context);
	bool (*wait)(void *context, int64_t duration_ms);
	void *context;
};

struct import_dimension {
	struct import_dimension_config config;
	struct json_parser            *parser;
	struct buffer                  rows; /* of the batch */
	struct buffer                  list;
	struct buffer                  scratch;
	uint64_t                       count;
	size_t                         bytes_max;
	struct import_mark             mark; /* behind the last row */
	struct import_mark             safe; /* behind the last batch */

	pthread_mutex_t lock;
	pthread_cond_t  finished;
	bool            done;
	enum status     status;
	struct error    err;
	uint64_t        position;
};

void import_dimension_init(struct import_dimension              *feed,
                           const struct import_dimension_config *config);
void import_dimension_done(struct import_dimension *feed);

/* A row as JSON, or why there is none (`row` empty). STATUS_AGAIN: stop. Others end the import. */
MUST_USE enum status import_dimension_add(struct import_dimension *feed, uint64_t line,
                                          struct text row, struct text reason, struct text raw,
                                          struct import_mark mark, struct error *err);

/* Sends what there is. */
MUST_USE enum status import_dimension_flush(struct import_dimension *feed, struct error *err);

#endif
