#ifndef SONNIM_API_OVERVIEW_H
#define SONNIM_API_OVERVIEW_H

/* What an audience builder shows before anything is asked: all users, those who were active within
 * 30 days, what they searched for, how memberships divide.
 *
 * Calculated when the api opens, again when somebody looks and it is older than `audience-cache`,
 * and kept in the store: after a restart it is there at once, with the instant that it was of,
 * until the newer one is. By what it divides is what the filters "membership" and "search_keyword"
 * look at (model/filter.h). Threads: any. */

#include "api/audience/audiences.h"

struct overview;

struct overview *overview_new(struct api *api);
/* Reads what was kept; asks the store. */
void overview_load(struct overview *overview);
/* From here on it is calculated; the first time right away. */
void overview_start(struct overview *overview, struct audiences *audiences);
void overview_free(struct overview *overview); /* when nothing is under way; NULL is fine */

#endif
