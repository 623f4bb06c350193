#ifndef SONNIM_DESTINATION_DESTINATION_H
#define SONNIM_DESTINATION_DESTINATION_H

/* Where audiences are sent: named places with credentials.
 *
 *   kind                 settings                                           credentials
 *   s3                   region, bucket, endpoint, prefix, pathStyle        accessKeyId,
 *                                                                           secretAccessKey
 *   marketing_platform   url, source (name of an s3 destination)            token
 *   both                 consent
 *
 * Credentials lie in the store sealed under a key of the workspace, which its keyring yields; they
 * are never shown again, and what sends reads them anew each time, so that they can be replaced
 * without a restart.
 *
 * Threads: any; destination_load() asks the store. */

#include "base/json.h"
#include "store/store.h"
#include "vault/vault.h"

enum {
	DESTINATION_NAME_BYTES_MAX = 64, /* letters, digits, ".", "-", "_" */
	DESTINATION_TEXT_BYTES_MAX = 1024,
	DESTINATIONS_MAX           = 100,
};

enum destination_kind { DESTINATION_S3, DESTINATION_MARKETING_PLATFORM, DESTINATION_KIND_COUNT };
const char *destination_kind_name(enum destination_kind kind); /* "marketing_platform" */

/* Texts are NUL-ended, "" where not set; in the arena of whoever loaded it. */
struct destination {
	char                  id[37];
	const char           *name;
	enum destination_kind kind;
	uint32_t              version;
	int64_t               created_ms;
	int64_t               updated_ms;

	const char *region;
	const char *bucket;
	const char *endpoint; /* "https://s3.example.com"; "": Amazon's of the region */
	const char *prefix;   /* of keys: "audiences/" */
	bool        path_style;
	const char *url;
	const char *source;

	/* Whom it is sent to: who has agreed to this (model/consent.h); "none": everybody. "": that of
	 * the kind, "marketing" for marketing platforms and everybody for S3. */
	const char *consent;

	const char *access_key_id;
	const char *secret_access_key;
	const char *token;
};

/* What an answer of HTTP from one of them means; 2xx: STATUS_OK. */
enum status destination_judge(unsigned http_status);

/* Who it is sent to; empty: everybody. */
struct text destination_consent(const struct destination *destination);

/* Takes over what `body` says: all of a new one, or changes. The kind never changes; credentials
 * that are absent stay. STATUS_INVALID with the field. */
MUST_USE enum status destination_read(struct json body, bool create, struct arena *arena,
                                      struct destination *destination, struct error *err);

/* All members but credentials, of which it tells which are there. */
void destination_write(struct json_writer *writer, const struct destination *destination);

/* As a row of the store, with the credentials sealed; and back, in the arena. STATUS_CORRUPT: a
 * keyring of another workspace. */
void                 destination_seal(const struct destination *destination, struct vault *vault,
                                      struct arena *arena, struct store_destination *ret_row);
MUST_USE enum status destination_open(const struct store_destination *row, struct vault *vault,
                                      struct arena *arena, struct destination *ret_destination,
                                      struct error *err);

/* By name or id. STATUS_NOT_FOUND names it. */
MUST_USE enum status destination_load(struct store *store, struct vault *vault, struct text name,
                                      struct arena *arena, struct destination *ret_destination,
                                      struct error *err);

#endif
