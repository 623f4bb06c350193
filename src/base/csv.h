#ifndef SONNIM_BASE_CSV_H
#define SONNIM_BASE_CSV_H

/* Fields of CSV (RFC 4180), without the commas between them.
 *
 * People open such files with spreadsheets, which take a text that begins with = + - @, a tab or
 * an end of line for a formula: whoever can choose a name would run it there. So a text from
 * outside is guarded: an apostrophe stands before it (OWASP, "CSV Injection"). A number, also one
 * of a telephone, is none and stays as it is. Programs take what begins with an apostrophe for
 * what it says: files for them may be written with csv_add_field() alone. */

#include <stdbool.h>

#include "base/buffer.h"
#include "base/text.h"

/* As it is; quoted where a comma, a semicolon, a tab, a quote or an end of line stands in it. */
void csv_add_field(struct buffer *out, struct text text);

/* Guarded. */
void csv_add_text(struct buffer *out, struct text text);

#endif
