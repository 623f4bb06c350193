#ifndef SONNIM_DESTINATION_S3_H
#define SONNIM_DESTINATION_S3_H

/* Objects into a bucket of S3, or of whatever speaks like it (Amazon's REST API of 2006-03-01),
 * signed by Signature Version 4. Small ones in one piece; large ones in parts, which can go on
 * behind an interruption:
 *
 *   s3_begin() ─► upload id ─► s3_part() … ─► s3_complete()          or s3_abort()
 *
 * Errors: STATUS_FORBIDDEN (the credentials are refused), STATUS_NOT_FOUND (no such bucket, or
 * upload), STATUS_INVALID (another refusal), STATUS_UNAVAILABLE, STATUS_TIMEOUT, STATUS_LIMITED (to
 * be tried again); each with the server's own code, never with credentials. */

#include "destination/destination.h"
#include "http/client.h"

enum {
	S3_PART_BYTES      = 8 << 20, /* at least 5 MiB each, but for the last */
	S3_PARTS_MAX       = 10000,
	S3_UPLOAD_ID_BYTES = 1024, /* with its NUL */
	S3_ETAG_BYTES      = 128,
	S3_KEY_BYTES_MAX   = 1024,
};

/* "s3://bucket/prefix…name", as people write it, and the key alone. */
void s3_location(const struct destination *destination, const char *name, struct buffer *out);
void s3_key(const struct destination *destination, const char *name, struct buffer *out);

MUST_USE enum status s3_put(struct http_client *client, const struct destination *destination,
                            struct text key, const char *content_type, struct text body,
                            struct error *err);

MUST_USE enum status s3_begin(struct http_client *client, const struct destination *destination,
                              struct text key, const char *content_type,
                              char ret_upload[S3_UPLOAD_ID_BYTES], struct error *err);
/* `number` from 1. The same one again replaces it. */
MUST_USE enum status s3_part(struct http_client *client, const struct destination *destination,
                             struct text key, const char *upload, unsigned number, struct text body,
                             char ret_etag[S3_ETAG_BYTES], struct error *err);
MUST_USE enum status s3_complete(struct http_client *client, const struct destination *destination,
                                 struct text key, const char                 *upload,
                                 const char (*etags)[S3_ETAG_BYTES], unsigned count,
                                 struct error *err);
MUST_USE enum status s3_abort(struct http_client *client, const struct destination *destination,
                              struct text key, const char *upload, struct error *err);

#endif
