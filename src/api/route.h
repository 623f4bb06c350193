#ifndef SONNIM_API_ROUTE_H
#define SONNIM_API_ROUTE_H

/* What a route is: one row of the table in routes.c. The router, the check of scopes and the
 * OpenAPI document are made from it, so that none of them can say anything else than the others. */

#include <stdbool.h>
#include <stddef.h>

#include "access/scope.h"

struct api_call;

enum route_access {
	ACCESS_PUBLIC,    /* anybody */
	ACCESS_WRITE_KEY, /* a source's write key; the handler checks */
	ACCESS_TOKEN,     /* a bearer token with the route's scope */
	ACCESS_PERSON,    /* the same, of a person who has logged in: no program's */
	ACCESS_SOCKET,    /* the same, in a subprotocol or as a one-time ticket; the handler checks */
};

enum route_flag {
	ROUTE_STARTING     = 1, /* also answered before the server is ready */
	ROUTE_MANUAL_CLOCK = 2, /* 404 under any other clock */
	ROUTE_UPLOAD       = 4, /* the body goes to a file, however large (http/server.h) */
	ROUTE_CREDENTIALS  = 8, /* what is sent says who asks: 401 when it is wrong */
};

/* What the audit trail is told of a request that was let in (call_audit.h). */
enum route_audit {
	AUDIT_NONE,     /* nothing: neither a change nor persons' data, or collection */
	AUDIT_READ,     /* a record; nobody waits for it */
	AUDIT_PERSONAL, /* the same, when personal values were shown or it was refused */
	AUDIT_DURABLE,  /* a change, or data that leaves: the record is durable before the answer */
};

/* Parameters of query and header, by name; those of the path come from the path. */
enum route_parameter {
	PARAMETER_LIMIT        = 1 << 0,
	PARAMETER_CURSOR       = 1 << 1,
	PARAMETER_MIN_POSITION = 1 << 2,
	PARAMETER_IF_MATCH     = 1 << 3,
	PARAMETER_PARTITION    = 1 << 4,
	PARAMETER_AFTER        = 1 << 5,
	PARAMETER_TICKET       = 1 << 6,
	PARAMETER_SEGMENT      = 1 << 7,
	PARAMETER_CONSUMER     = 1 << 8,
	PARAMETER_WRITE_KEY    = 1 << 9,
	PARAMETER_USER_ID      = 1 << 10,
	PARAMETER_ANONYMOUS_ID = 1 << 11,
	PARAMETER_EVENT        = 1 << 12,
	PARAMETER_SPAN         = 1 << 13,
	PARAMETER_FROM         = 1 << 14,
	PARAMETER_TO           = 1 << 15,
	PARAMETER_KIND         = 1 << 16,
	PARAMETER_JOB_STATE    = 1 << 17,
	PARAMETER_DRY_RUN      = 1 << 18,
	PARAMETER_MAPPING      = 1 << 19,
	PARAMETER_FILE_NAME    = 1 << 20,
	PARAMETER_SOURCE       = 1 << 21,
	PARAMETER_CODE         = 1 << 22,
	PARAMETER_TEXT         = 1 << 23,
	PARAMETER_AUDIENCE_ID  = 1 << 24,
	PARAMETER_DRIFTED      = 1 << 25,
	PARAMETER_NO_CACHE     = 1 << 26,
	PARAMETER_TOKEN        = 1 << 27,
	PARAMETER_FORMAT       = 1 << 28,
	PARAMETER_ACTOR        = 1 << 29,
	PARAMETER_ACTION       = 1 << 30,
	PARAMETER_TARGET       = 1U << 31,
	PARAMETER_COUNT        = 32,
	PARAMETER_RANGE        = PARAMETER_FROM | PARAMETER_TO,
	PARAMETER_LETTERS      = PARAMETER_CODE | PARAMETER_TEXT | PARAMETER_RANGE,
	PARAMETER_PAGE         = PARAMETER_LIMIT | PARAMETER_CURSOR,
	PARAMETER_UPLOAD =
		PARAMETER_DRY_RUN | PARAMETER_MAPPING | PARAMETER_FILE_NAME | PARAMETER_SOURCE,
	PARAMETER_RECORDS = PARAMETER_ACTOR | PARAMETER_ACTION | PARAMETER_TARGET | PARAMETER_RANGE,
	PARAMETER_MESSAGE = PARAMETER_USER_ID | PARAMETER_ANONYMOUS_ID,
};

typedef void api_handler_fn(struct api_call *call);

struct api_route {
	const char       *method;
	const char       *path; /* as in OpenAPI: "/api/v1/segments/{id}" */
	enum route_access access;
	enum scope        scope; /* of ACCESS_TOKEN, ACCESS_PERSON and ACCESS_SOCKET */
	unsigned          flags;
	api_handler_fn   *handler;

	const char *operation; /* operationId: "listSegments" */
	const char *tag;       /* "Segments" */
	const char *summary;
	unsigned    parameters; /* enum route_parameter */
	const char *request;    /* name of the body's schema in schemas.json; NULL: no body */
	unsigned    success;    /* 200, 201, 204, 101 */
	const char *response;   /* name of its schema; NULL: none */

	enum route_audit audit;
	const char      *action; /* "segment.create"; NULL with AUDIT_NONE */
};

extern const struct api_route api_routes[];
extern const size_t           api_route_count;

/* Paths under this are answered under /api too. */
#define API_PREFIX       "/api/v1"
#define API_SHORT_PREFIX "/api"

#endif
