#ifndef SONNIM_MART_MART_ROW_H
#define SONNIM_MART_MART_ROW_H

/* Columns of the mart's tables, and one row of them as text. */

#include "engine/view.h"
#include "mart/mart.h"
#include "model/value.h"

/* A booking as it is now: its first event with the later ones laid over it. */
struct mart_booking {
	struct text         key;
	const struct event *original;         /* NULL: corrections of nothing */
	VECTOR(const struct event *) updates; /* in order */
	bool cancelled;
};

/* What a row is made of; what its table does not need is not set. */
struct mart_source {
	struct text                id;       /* of the user, or of a dimension's row; data NULL: none */
	const struct view_person  *person;   /* NULL: not known any more */
	struct text                personal; /* traits that are sealed, masked where need be */
	const struct event        *event;
	const struct mart_booking *booking; /* NULL: the event is none */
	struct text                list;    /* of a dimension's row */
};

/* The first row of CSV; nothing for JSON Lines. */
void mart_row_head(enum mart_table table, bool csv, struct buffer *out);

/* `keep_formulas`: texts of CSV are not guarded (base/csv.h). */
void mart_row_write(enum mart_table table, bool csv, bool keep_formulas,
                    const struct mart_source *source, struct buffer *scratch, struct buffer *out);

#endif
