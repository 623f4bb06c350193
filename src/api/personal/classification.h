#ifndef SONNIM_API_CLASSIFICATION_H
#define SONNIM_API_CLASSIFICATION_H

/* What a workspace says of its own names (model/classes.h): kept in the store, used by ingest. */

#include "api/api.h"
#include "model/classes.h"
#include "model/expr.h"

/* Reads it from the store. At start. */
MUST_USE enum status classification_load(struct api *api, struct error *err);

/* What is said by now; NULL: nothing, or nothing is taken in here. */
const struct classes *classification_now(const struct api *api);

/* STATUS_INVALID: a new definition compares a name that is sealed by its class. */
MUST_USE enum status classification_check(struct api *api, const struct expr *expr,
                                          const char *field, struct error *err);

#endif
