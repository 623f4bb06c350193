#ifndef SONNIM_PRIVACY_UPLOAD_H
#define SONNIM_PRIVACY_UPLOAD_H

/* The ids of a file: CSV with a header that has a column userId or anonymousId, or both, or JSON
 * Lines {"userId":"…"} or {"anonymousId":"…"}; plain, gzip or zstd. A row is about its userId, or
 * its anonymousId where that is empty. */

#include "privacy/request.h"

/* Reads the job's upload into its sealed list of subjects and removes it; counts subjects and
 * invalid rows. Once more is harmless. STATUS_INVALID: the file has no such column. */
MUST_USE enum status privacy_upload_read(struct privacy *privacy, struct job *job,
                                         struct privacy_counts *counts, struct error *err);

#endif
