#ifndef SONNIM_BASE_JSON_LOCATE_H
#define SONNIM_BASE_JSON_LOCATE_H

/* Where in a text of JSON a mistake stands, to name its line and column (text_find_line()): what is
 * read of files by json.h has no places. */

#include "base/text.h"

enum { JSON_LOCATE_DEPTH_MAX = 64 };

/* The offset of the value at `place` ("filters[2].label.ko"; empty: the whole), or, where there is
 * none, of the innermost one around it. Of what is no JSON, or nested deeper: where that shows.
 * Cost: one walk. */
size_t json_locate(struct text json, const char *place);

#endif
