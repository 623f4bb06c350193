#ifndef SONNIM_API_METRICS_TEXT_H
#define SONNIM_API_METRICS_TEXT_H

/* Prometheus' text format. Names: sonnim_PART_WHAT_UNIT, in base units (seconds, bytes), `_total`
 * for counters and for nothing else. `type` is counter, gauge or histogram. */

#include <stdint.h>

#include "base/buffer.h"

/* The two lines above the samples of a metric. */
void metric_head(struct buffer *out, const char *name, const char *type, const char *help);

/* A metric of one sample. */
void metric_one(struct buffer *out, const char *name, const char *type, const char *help,
                uint64_t value);
void metric_real(struct buffer *out, const char *name, const char *type, const char *help,
                 double value);

#endif
