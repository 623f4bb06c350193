#ifndef SONNIM_API_COLLECT_H
#define SONNIM_API_COLLECT_H

/* From handlers to ingest. */

#include "api/call.h"

/* What becomes of a call once its messages are durable. */
enum collect_answer {
	COLLECT_ANSWER_SDK,    /* {"success":true,"rejected":[…]} */
	COLLECT_ANSWER_PIXEL,  /* a picture, whatever was rejected */
	COLLECT_ANSWER_SINGLE, /* the same, but a rejection is an error in the API's form */
};

/* Takes in the body of the request, which is let in. On a loop or on a worker. */
void collect_body(struct api_call *call, enum ingest_kind kind, struct source *source,
                  enum collect_answer answer);

/* Takes in one message that stands in the query, as `padded_body` says it; the write key stands
 * there too. On a loop. */
void collect_pixel(struct api_call *call, enum ingest_kind kind, struct text padded_body);

/* Reads the registered event types from the store. At start. */
MUST_USE enum status collect_load(struct api *api, struct error *err);

/* Takes in messages of the server's own making, on a worker; then `read`, on a worker, answers with
 * what they have led to: call->min_position is their position. What goes wrong is answered. Uses
 * call->state. */
typedef void collect_read_fn(struct api_call *call);
void         collect_own(struct api_call *call, enum ingest_kind kind, struct buffer *message,
                         collect_read_fn *read);

#endif
