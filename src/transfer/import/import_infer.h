#ifndef SONNIM_TRANSFER_IMPORT_INFER_H
#define SONNIM_TRANSFER_IMPORT_INFER_H

/* Which types the columns of a file could have, by the cells of all its rows: what a trial run
 * tells, so that a mapping can be written. CSV only; JSON says its types itself. One owner. */

#include "transfer/import/import_rows.h"

struct import_infer {
	VECTOR(struct import_column {
		uint64_t filled;
		unsigned possible; /* bits of types that all cells so far allow */
	})
	columns;
};

void import_infer_init(struct import_infer *infer, const struct import_rows *rows);
void import_infer_done(struct import_infer *infer);

void import_infer_row(struct import_infer *infer, const struct import_rows *rows);

/* An array of {column, type, filled}. */
void import_infer_write(const struct import_infer *infer, const struct import_rows *rows,
                        struct json_writer *writer);

#endif
