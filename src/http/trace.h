#ifndef SONNIM_HTTP_TRACE_H
#define SONNIM_HTTP_TRACE_H

/* Trace ids of requests: W3C Trace Context, https://www.w3.org/TR/trace-context/ (only traceparent;
 * a tracestate is neither read nor passed on). */

#include <stdint.h>

#include "base/text.h"

enum { TRACE_ID_BYTES = 33, TRACE_PARENT_BYTES = 56 }; /* with the NUL */

/* A generator of ids, one for each thread: xoshiro256**, seeded by the system. Ids must not
 * collide; they are no secrets. */
struct trace_source {
	uint64_t state[4];
};
void trace_source_init(struct trace_source *source);

struct trace {
	char id[TRACE_ID_BYTES];         /* 32 hexadecimal digits */
	char parent[TRACE_PARENT_BYTES]; /* the traceparent that goes out: our own span within it */
};

/* Takes the trace of a valid `traceparent` ({NULL, 0}: there is none), else begins a new one. */
void trace_begin(struct trace *trace, struct trace_source *source, struct text traceparent);

#endif
