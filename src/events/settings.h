#ifndef SONNIM_EVENTS_SETTINGS_H
#define SONNIM_EVENTS_SETTINGS_H

/* Settings of the event store. */

#include <stdint.h>

#include "base/settings.h"

struct events_settings {
	uint64_t tail_bytes;    /* of all partitions together; 0: an eighth of the memory limit */
	int64_t  part_rows_max; /* a part's rows */
	int64_t  columns_max;   /* of properties in one part */
	char    *columns;       /* names that always have one, separated by commas; NULL: none */
	char    *columns_exclude;
	int64_t  erased_rewrite_ms; /* until parts with rows of erased persons are written anew */
};

/* The table, bound to `target`. */
struct settings events_settings_of(struct events_settings *target);

/* Changes with whatever decides about columns; parts remember it. */
uint64_t events_settings_schema(const struct events_settings *settings);

/* Whether a list such as "a, b" has a name. */
bool events_settings_lists(const char *list, struct text name);

#endif
