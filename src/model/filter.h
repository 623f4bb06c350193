#ifndef SONNIM_MODEL_FILTER_H
#define SONNIM_MODEL_FILTER_H

/* Filters: named questions about persons that take a value instead of an expression.
 *
 *   {"region":["제주"],"membership":"VIP","recency":30}          flat filters, all of which hold
 *      └─► count(* where region in ["제주"]) within 365d >= 1
 *          and trait(membership_tier) in ["VIP"] and days_since_last(*) < 30
 *
 * A filter is a template (model/expr_template.h) with a name, labels and a type that says what it
 * takes. 32 are built in: one table, in filter_table.c, of which docs/filters.md is made. A
 * deployment adds its own, in a file or through the API, in the same form as JSON:
 *
 *   {"name":"shoe_size","label":{"ko":"신발 치수","en":"Shoe size"},"type":"choice",
 *    "values":[{"value":"270","label":{"ko":"270","en":"US 9"}}],"closed":false,"days":365,
 *    "template":"count(\"Product Viewed\" where size in [$value]) within $days >= 1"}
 *
 *   type      takes                                         parameters
 *   choice    a string, or several: any of them             $value (, $days)
 *   text      the same                                      $value (, $days)
 *   number    a least whole number, or {"min","max"}        $min, $max (, $days)
 *   range     a least number, or {"min","max"}              $min, $max (, $days)
 *   days      how many, 1 to 1,095                          $days
 *   boolean   true, or false: it does not hold              none (, $days)
 *   period    as days, or {"from","to"}: instants,          $days, $from, $to
 *             from ≤ t < to
 *
 * Where a filter has a window of its own, every one of these may be an object with "days", too:
 * {"value":["제주"],"days":90}. The label of a choice, in either language, stands for its value or
 * itself, whichever the events have.
 *
 * A set of filters and all that is in it live in the set's arena; it is not changed while it is
 * read. Any number of threads may read. */

#include "model/expr_template.h"

enum {
	FILTER_NAME_BYTES_MAX     = 64,
	FILTER_LABEL_BYTES_MAX    = 128,
	FILTER_CHOICES_MAX        = 200,
	FILTER_TEMPLATE_BYTES_MAX = 8192,
	FILTERS_OWN_MAX           = 500, /* of a deployment */
	FILTER_DAYS_MAX           = 1095,
	FILTERS_FILE_BYTES_MAX    = 8 << 20,
};

#define FILTER_TYPES(X)                                                                            \
	X(CHOICE, "choice")                                                                            \
	X(TEXT, "text")                                                                                \
	X(NUMBER, "number")                                                                            \
	X(RANGE, "range")                                                                              \
	X(DAYS, "days")                                                                                \
	X(BOOLEAN, "boolean")                                                                          \
	X(PERIOD, "period")

enum filter_type {
#define X(name, text) FILTER_##name,
	FILTER_TYPES(X)
#undef X
		FILTER_TYPE_COUNT
};
const char *filter_type_name(enum filter_type type); /* "choice" */

struct filter_label {
	struct text ko;
	struct text en;
};

struct filter_choice {
	struct text         value;
	struct filter_label label;
};

enum filter_origin { FILTER_BUILT_IN, FILTER_OF_FILE, FILTER_OF_STORE };
const char *filter_origin_name(enum filter_origin origin); /* "built_in", "file", "api" */

struct filter {
	struct text                 name;
	struct filter_label         label;
	enum filter_type            type;
	enum filter_origin          origin;
	unsigned                    choice_count;
	const struct filter_choice *choices;
	bool                        closed; /* no other values than these */
	int64_t                     days;   /* the window when none is given; 0: it has none */
	struct text                 text;   /* of the template */
	const struct expr_template *template;
	bool column; /* else scanned: expr_template_is_column() */
};

struct filters {
	struct arena   arena;
	size_t         count;
	size_t         capacity;
	struct filter *list; /* the built-in ones in the table's order, then as they were added */

	/* The longest window that may be asked for; FILTER_DAYS_MAX unless events are kept shorter. Who
	 * names no window gets that of the filter, as far as it is within. */
	int64_t window_days_max;
};

/* With the built-in ones. */
void filters_init(struct filters *filters);
void filters_done(struct filters *filters);

/* The window of a filter that was named none; 0: it has none. */
int64_t filters_window_days(const struct filters *filters, const struct filter *filter);

/* NULL: there is none. */
const struct filter *filters_find(const struct filters *filters, struct text name);

/* Copies of all names, ended by NULL. */
const char *const *filters_names(const struct filters *filters, struct arena *arena);

/* The nearest name of a filter to one that is unknown; NULL: none is near. */
const char *filters_nearest(const struct filters *filters, struct text name, struct arena *arena);

/* Appends the table of the built-in ones, and their templates, as docs/filters.md shows them. */
void filters_markdown(struct buffer *out);

/* Adds a filter as JSON; it is checked whole, its template by compiling it. `field` is what the
 * place of a mistake begins with ("filters[2]"; empty: nothing). STATUS_INVALID; STATUS_CONFLICT:
 * the name is taken, or there are FILTERS_OWN_MAX. */
MUST_USE enum status filters_add(struct filters *filters, enum filter_origin origin,
                                 struct json object, const char *field, struct error *err);

/* Adds those of a text {"filters":[ … ]}. STATUS_INVALID begins with "line:column: ". */
MUST_USE enum status filters_add_text(struct filters *filters, struct text text, struct error *err);

/* The same of a file of at most FILTERS_FILE_BYTES_MAX, "file:line:column: "; STATUS_IO: it cannot
 * be read. */
MUST_USE enum status filters_add_file(struct filters *filters, const char *file, struct error *err);

/* A filter as JSON, in the form in which filters_add() takes it. */
void filter_write(struct json_writer *writer, const struct filter *filter);

/* Only its members, for more to be added. */
void filter_write_members(struct json_writer *writer, const struct filter *filter);

/* The expression of flat filters, `object`: what holds when all of them do; `*ret_expr` is NULL
 * when there are none. Segment leaves of own filters are not resolved yet. `field` is where the
 * object stands ("filters"); errors name the filter: "filters.region[1]". */
MUST_USE enum status filters_to_expr(const struct filters *filters, struct json object,
                                     const char *field, struct arena *arena, struct expr **ret_expr,
                                     struct error *err);

/* The definitions that are to be kept as columns: for each filter that is a `column` one the
 * expression of its template, with its own window, in canonical form. Those with segment leaves are
 * left out. */
typedef void filters_column_fn(void *context, const struct filter *filter, struct text canonical);
void filters_columns(const struct filters *filters, filters_column_fn *visit, void *context);

#endif
