#ifndef SONNIM_API_METRICS_H
#define SONNIM_API_METRICS_H

/* What /metrics counts of its own, beside what the parts of the server tell. Any thread; a request
 * costs a few atomic additions. Names and labels: docs/api.md, "Metrics". */

#include "api/route.h"
#include "http/server.h"
#include "ingest/ingest.h"

struct metrics;

struct metrics *metrics_new(void);
void            metrics_free(struct metrics *metrics);

/* An answer goes out. */
void metrics_answered(struct metrics *metrics, const struct http_request *request,
                      unsigned http_status);

/* Messages were taken in, or rejected. */
void metrics_ingested(struct metrics *metrics, const struct ingest_result *result);

#endif
