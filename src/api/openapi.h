#ifndef SONNIM_API_OPENAPI_H
#define SONNIM_API_OPENAPI_H

/* The OpenAPI 3.1 document, written from the table of routes (route.h) and schemas.json (the
 * components' schemas, embedded by the build). */

#include "base/buffer.h"

void openapi_write(struct buffer *out);

/* schemas.json as it is. */
extern const char openapi_schemas[];

#endif
