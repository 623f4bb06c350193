#ifndef SONNIM_API_METRICS_PROCESS_H
#define SONNIM_API_METRICS_PROCESS_H

/* Of the process and what it stands on: processor time, memory, descriptors, disk, clock. The names
 * that begin with process_ are those that Prometheus' own clients use. */

#include "api/context.h"

void metrics_write_process(struct buffer *out, const struct api *api);

/* What of it is told of each workspace: version, readiness, its clock. */
void metrics_write_workspace(struct buffer *out, const struct api *api);

#endif
