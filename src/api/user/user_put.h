#ifndef SONNIM_API_USER_PUT_H
#define SONNIM_API_USER_PUT_H

/* PUT of what a user's own messages say: the server takes in such messages itself, then answers
 * with what is read once they are applied. */

#include "api/collection/collect.h"
#include "base/json.h"
#include "ingest/ingest.h"

/* Makes the message out of the request's body, on a worker. */
typedef enum status user_put_message_fn(struct api_call *call, struct buffer *ret_message,
                                        struct error *err);

/* Answers the call: 404 for reserved ids, what `message` refuses, else what `read`, the GET,
 * answers. Uses call->state. */
void user_put(struct api_call *call, enum ingest_kind kind, user_put_message_fn *message,
              collect_read_fn *read);

/* Writes the member of a message that names the user of the path's {id}: userId, or anonymousId. */
void user_put_identity(const struct api_call *call, struct json_writer *w);

#endif
