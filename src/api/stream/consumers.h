#ifndef SONNIM_API_CONSUMERS_H
#define SONNIM_API_CONSUMERS_H

#include "api/context.h"

/* Appends sonnim_consumer_lag_changes of every consumer. Asks the store. */
void consumers_write_metrics(struct buffer *out, struct api *api);

#endif
