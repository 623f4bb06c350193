#ifndef SONNIM_MODEL_FILTER_INTERNAL_H
#define SONNIM_MODEL_FILTER_INTERNAL_H

/* What the files of filters share: the table (filter_table.c), what is checked of every filter
 * (filter.c), definitions as JSON (filter_define.c), flat filters (filter_flat.c). */

#include "model/filter.h"

/* A row of the table: its texts are not parsed yet. */
struct filter_row {
	const char                 *name;
	const char                 *ko;
	const char                 *en;
	enum filter_type            type;
	const struct filter_choice *choices;
	unsigned                    choice_count;
	bool                        closed;
	int                         days;
	const char                 *note; /* for docs/filters.md; NULL: the template says all */
	const char *template;
};
extern const struct filter_row filter_table[];
extern const unsigned          filter_table_count;

/* Parses the template, checks that it has the parameters of the type, and adds the filter, whose
 * texts are in the set's arena or static. */
MUST_USE enum status filter_add(struct filters *filters, const struct filter *filter,
                                const char *field, struct error *err);

/* error_set_field() with a member of `field`, which may be empty: "filters[2].type". */
enum status filter_refuse(struct error *err, enum status status, const char *field,
                          const char *member, const char *reason_format, ...)
	__attribute__((format(printf, 5, 6)));

#endif
