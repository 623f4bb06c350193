#ifndef SONNIM_INGEST_SUPPRESS_H
#define SONNIM_INGEST_SUPPRESS_H

/* Messages that nothing is to be kept of, since an id in them is suppressed (vault_subjects.h):
 * neither records nor links, dead letters, observed types, nor newest events. */

#include "ingest/message.h"

/* Whether the message, as decoded or as it came in `json`, names a suppressed user or visitor, or
 * bears nothing but an anonymous id that is linked by now to a suppressed user: it would be his.
 * One that names another user with such an id is that one's. */
bool suppress_message(struct vault *vault, const struct message *message, struct json json);

#endif
