#ifndef SONNIM_TRANSFER_IMPORT_FEED_H
#define SONNIM_TRANSFER_IMPORT_FEED_H

/* Rows on their way into ingest: in batches, several under way at a time, so that the journal's
 * group commit never waits for the next; what came of them is told in the order of the rows.
 *
 *   add() ─► batch ─► ingest ─► journal ─┐
 *    full:   batch ─► ingest ─► journal ─┤ durable, in any order
 *                                        └─► collect, the oldest first ─► report, rejected rows
 *
 * What the report says and what the mark of the last batch collected stands for is always the same
 * rows: a safe point. Rows that were bad before they came here go through it too.
 *
 * While ingest takes nothing (a full disk, a memory limit, a full queue) the feed waits, until it
 * is told to stop. One thread; ingest's callbacks come from others. */

#include <pthread.h>

#include "ingest/ingest.h"
#include "transfer/import/import_report.h"
#include "transfer/import/import_rows.h"

enum {
	FEED_BATCHES        = 6, /* made, under way or waiting to be collected */
	FEED_ROWS_MAX       = 4096,
	FEED_BODY_BYTES_AIM = 512 << 10,
	FEED_RAW_BYTES_AIM  = 4 << 20,
	/* Longer ones cannot be within the limit of an event, however they are escaped. */
	FEED_MESSAGE_BYTES_MAX = 256 << 10,
};

/* Where to go on when everything before is safe. */
struct import_mark {
	struct import_place place;   /* of a file that is read in its order */
	int64_t             time_ms; /* of rows in the order of time: the last one */
	uint64_t            line;
};

struct import_feed_config {
	struct ingest *ingest;
	uint32_t       source_number;
	bool           trial; /* nothing is taken in */

	struct import_report *report;

	/* A row that is not taken, in order. */
	enum status (*reject)(void *context, uint64_t line, struct text code, struct text reason,
	                      struct text row, struct error *err);
	/* Before each batch is sent: false: stop, with STATUS_AGAIN. May wait. */
	bool (*may_send)(void *context);
	/* Ingest takes nothing at the moment: wait a while. False: stop. */
	bool (*wait)(void *context, int64_t duration_ms);
	void *context;
};

struct feed_batch;

struct import_feed {
	struct import_feed_config config;
	struct ingest_thread     *thread;
	struct source            *planned; /* whose tracking plan holds; NULL: no source was named */
	struct feed_batch        *batches; /* a ring */
	uint64_t                  made;    /* the one that is filled */
	uint64_t                  collected;
	struct import_mark        safe; /* behind the last one collected */
	pthread_mutex_t           lock;
	pthread_cond_t            finished;
};

void import_feed_init(struct import_feed *feed, const struct import_feed_config *config);

/* Waits for what is under way. */
void import_feed_done(struct import_feed *feed);

/* A row: its message, or why there is none (`message` empty). Texts are copied; `mark` is where to
 * go on behind it. STATUS_AGAIN: stop. Others end the import. */
MUST_USE enum status import_feed_add(struct import_feed *feed, uint64_t line, int64_t time_ms,
                                     struct text message, struct text reason, struct text row,
                                     struct import_mark mark, struct error *err);

/* Sends what there is, and collects all of it. */
MUST_USE enum status import_feed_flush(struct import_feed *feed, struct error *err);

#endif
