#ifndef SONNIM_DESTINATION_SIGNED_URL_H
#define SONNIM_DESTINATION_SIGNED_URL_H

/* Addresses of files that whoever has them may fetch until they expire: what a file is fetched by,
 * and until when, sealed under a key of the workspace. Nothing is kept of them. Any thread. */

#include "vault/vault.h"

/* Appends "{base}/api/v1/audience/exports/{id}/file?token=…". */
void signed_url_write(struct vault *vault, struct text base, struct text id, int64_t expires_ms,
                      struct buffer *out);

/* STATUS_NOT_FOUND: not one of ours, of another file, or expired. */
MUST_USE enum status signed_url_check(struct vault *vault, struct text id, struct text token,
                                      int64_t now_ms, struct error *err);

#endif
