#ifndef SONNIM_API_SOURCES_H
#define SONNIM_API_SOURCES_H

/* Which source a path's {id} names. */

#include "api/call.h"

/* The id under which the platform's own events API is found where a source may be asked for. */
#define SOURCES_API_ID "api"

/* A source of the store. On workers. STATUS_NOT_FOUND. */
MUST_USE enum status sources_find(struct api_call *call, struct store_source *ret_source,
                                  struct error *err);

/* The same, and the number SOURCE_OF_API for SOURCES_API_ID. */
MUST_USE enum status sources_find_number(struct api_call *call, uint32_t *ret_number,
                                         struct error *err);

#endif
