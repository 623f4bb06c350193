#ifndef SONNIM_TRANSFER_AUDIENCE_ROW_H
#define SONNIM_TRANSFER_AUDIENCE_ROW_H

/* Rows of an audience that is exported: a member each, with the columns that were asked for.
 *
 *   user_id, anonymous_id, created_at, last_active_at    of the profile
 *   email, phone, name, push_token, ad_id                traits, under any of their usual names
 *   any other name                                       the trait of that name
 *
 * CSV: a first row of names; of a set of strings the items with ";" between them; texts guarded
 * (base/csv.h). JSON Lines: an object each, missing values null. */

#include "base/json.h"
#include "transfer/export/export_row.h"

enum {
	AUDIENCE_COLUMNS_MAX           = 64,
	AUDIENCE_COLUMN_NAME_BYTES_MAX = 256,
};

struct audience_columns {
	unsigned    count;
	struct text names[AUDIENCE_COLUMNS_MAX];
};

/* From an array of names, or, when there is none, the default ones. Texts point into `value`.
 * STATUS_INVALID: `params.columns` or one of them. */
MUST_USE enum status audience_columns_read(struct json value, struct audience_columns *ret_columns,
                                           struct error *err);

void audience_write_head(const struct audience_columns *columns, enum export_format format,
                         struct buffer *out);

/* Errors are the vault's. Who was erased since is left out: `*ret_written` false. */
MUST_USE enum status audience_write_row(struct export_writer          *writer,
                                        const struct audience_columns *columns,
                                        const struct export_profile *profile, struct buffer *out,
                                        bool *ret_written, struct error *err);

#endif
