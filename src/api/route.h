#ifndef SONNIM_API_ROUTE_H
#define SONNIM_API_ROUTE_H

/* What a route is: one row of the table in routes.c. The router, the check of scopes and the
 * OpenAPI document are made from it, so that none of them can say anything else than the others. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	ROUTE_STARTING     = 1,  /* also answered before the server is ready */
	ROUTE_MANUAL_CLOCK = 2,  /* 404 under any other clock */
	ROUTE_UPLOAD       = 4,  /* the body goes to a file, however large (http/server.h) */
	ROUTE_CREDENTIALS  = 8,  /* what is sent says who asks: 401 when it is wrong */
	ROUTE_SSO          = 16, /* a browser's: 302 besides its success, 403 when somebody refuses */
	ROUTE_COOKIE       = 32, /* a login that a browser keeps: 403 for pages of somebody else */
};

/* What the audit trail is told of a request that was let in (call_audit.h). */
enum route_audit {
	AUDIT_NONE,     /* nothing: neither a change nor persons' data, or collection */
	AUDIT_READ,     /* a record; nobody waits for it */
	AUDIT_PERSONAL, /* the same, when personal values were shown or it was refused */
	/* A change, or data that leaves: noted on the disk before it is begun, its record durable
	 * before the answer, but of what is made while it is sent. */
	AUDIT_DURABLE,
};

/* Parameters of query and header, by name; those of the path come from the path. At most 64, a bit
 * each: a route's are in a uint64_t. */
enum route_parameter {
	PARAMETER_LIMIT        = UINT64_C(1) << 0,
	PARAMETER_CURSOR       = UINT64_C(1) << 1,
	PARAMETER_MIN_POSITION = UINT64_C(1) << 2,
	PARAMETER_IF_MATCH     = UINT64_C(1) << 3,
	PARAMETER_PARTITION    = UINT64_C(1) << 4,
	PARAMETER_AFTER        = UINT64_C(1) << 5,
	PARAMETER_TICKET       = UINT64_C(1) << 6,
	PARAMETER_SEGMENT      = UINT64_C(1) << 7,
	PARAMETER_CONSUMER     = UINT64_C(1) << 8,
	PARAMETER_WRITE_KEY    = UINT64_C(1) << 9,
	PARAMETER_USER_ID      = UINT64_C(1) << 10,
	PARAMETER_ANONYMOUS_ID = UINT64_C(1) << 11,
	PARAMETER_EVENT        = UINT64_C(1) << 12,
	PARAMETER_SPAN         = UINT64_C(1) << 13,
	PARAMETER_FROM         = UINT64_C(1) << 14,
	PARAMETER_TO           = UINT64_C(1) << 15,
	PARAMETER_KIND         = UINT64_C(1) << 16,
	PARAMETER_JOB_STATE    = UINT64_C(1) << 17,
	PARAMETER_DRY_RUN      = UINT64_C(1) << 18,
	PARAMETER_MAPPING      = UINT64_C(1) << 19,
	PARAMETER_FILE_NAME    = UINT64_C(1) << 20,
	PARAMETER_SOURCE       = UINT64_C(1) << 21,
	PARAMETER_CODE         = UINT64_C(1) << 22,
	PARAMETER_TEXT         = UINT64_C(1) << 23,
	PARAMETER_AUDIENCE_ID  = UINT64_C(1) << 24,
	PARAMETER_DRIFTED      = UINT64_C(1) << 25,
	PARAMETER_NO_CACHE     = UINT64_C(1) << 26,
	PARAMETER_TOKEN        = UINT64_C(1) << 27,
	PARAMETER_FORMAT       = UINT64_C(1) << 28,
	PARAMETER_ACTOR        = UINT64_C(1) << 29,
	PARAMETER_ACTION       = UINT64_C(1) << 30,
	PARAMETER_TARGET       = UINT64_C(1) << 31,
	PARAMETER_FORMULAS     = UINT64_C(1) << 32,
	PARAMETER_EMAIL        = UINT64_C(1) << 33,
	PARAMETER_PHONE        = UINT64_C(1) << 34,
	PARAMETER_CONFIRM      = UINT64_C(1) << 35,
	PARAMETER_PRIVACY_TYPE = UINT64_C(1) << 36,
	PARAMETER_REASON       = UINT64_C(1) << 37,
	PARAMETER_SSO_CODE     = UINT64_C(1) << 38,
	PARAMETER_SSO_STATE    = UINT64_C(1) << 39,
	PARAMETER_SSO_ISSUER   = UINT64_C(1) << 40,
	PARAMETER_SSO_ERROR    = UINT64_C(1) << 41,
	PARAMETER_COOKIE       = UINT64_C(1) << 42,
	PARAMETER_OUTCOME      = UINT64_C(1) << 43,
	PARAMETER_COUNT        = 44,
	PARAMETER_RANGE        = PARAMETER_FROM | PARAMETER_TO,
	PARAMETER_LETTERS      = PARAMETER_CODE | PARAMETER_TEXT | PARAMETER_RANGE,
	PARAMETER_PAGE         = PARAMETER_LIMIT | PARAMETER_CURSOR,
	PARAMETER_PRIVACY      = PARAMETER_PRIVACY_TYPE | PARAMETER_REASON,
	PARAMETER_UPLOAD =
		PARAMETER_DRY_RUN | PARAMETER_MAPPING | PARAMETER_FILE_NAME | PARAMETER_SOURCE,
	PARAMETER_RECORDS =
		PARAMETER_ACTOR | PARAMETER_ACTION | PARAMETER_TARGET | PARAMETER_OUTCOME | PARAMETER_RANGE,
	PARAMETER_SSO =
		PARAMETER_SSO_CODE | PARAMETER_SSO_STATE | PARAMETER_SSO_ISSUER | PARAMETER_SSO_ERROR,
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
	uint64_t    parameters; /* enum route_parameter */
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
