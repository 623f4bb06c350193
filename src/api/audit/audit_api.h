#ifndef SONNIM_API_AUDIT_API_H
#define SONNIM_API_AUDIT_API_H

/* What the questions to the audit trail share (audit_api.c, audit_export_api.c). */

#include "api/call.h"
#include "audit/audit_search.h"

/* ?actor=, action=, target=, from=, to=. A target "user_id:X" or "anonymous_id:X" is taken for the
 * number of that person, which records name. On a worker: asks the vault. */
MUST_USE enum status audit_api_query(struct api_call *call, struct audit_query *ret_query,
                                     struct error *err);

/* The fields of CSV, and a record as a line of it: each field in quotes, none that a spreadsheet
 * takes for a formula. */
void audit_csv_head(struct buffer *out);
void audit_csv_row(struct json record, struct buffer *out);

#endif
