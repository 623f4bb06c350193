#ifndef SONNIM_API_KEPT_COLUMNS_H
#define SONNIM_API_KEPT_COLUMNS_H

/* What saved audiences look at is kept as columns, whatever it is compared with, so that the next
 * question about the same is answered from memory: from when one is saved, or the server starts,
 * until it is deleted or says something else. Of more than KEPT_AUDIENCES_MAX the first ones.
 * Threads: any. */

#include "query/query.h"

enum { KEPT_AUDIENCES_MAX = 1000 };

struct kept_columns;

struct kept_columns *kept_columns_new(struct queries *queries);
void                 kept_columns_free(struct kept_columns *kept); /* NULL is fine */

/* The audience of this id says this (canonical form; copied); empty: it is deleted. */
void kept_columns_set(struct kept_columns *kept, const char *id, struct text canonical);

#endif
