/* Flat filters: what each is given, checked by its type, fills its template. */

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "base/edit_distance.h"
#include "model/filter_internal.h"

/* One filter that is given something. */
struct reader {
	const struct filter *filter;
	const char          *field; /* "filters.region" */
	struct arena        *arena;
	struct expr_filling  filling;
	struct error        *err;
};

#define REFUSE(reader, member, ...)                                                                \
	filter_refuse((reader)->err, STATUS_INVALID, (reader)->field, member, __VA_ARGS__)
#define BIT(parameter) (1U << EXPR_PARAMETER_##parameter)

/* ---- Strings ---- */

static void add_value(struct reader *reader, struct text value)
{
	reader->filling.values[reader->filling.value_count++] = value;
}

/* "\"mon\", \"tue\", …" for a mistake. */
static enum status refuse_choice(struct reader *reader, const char *member, struct text given)
{
	const struct filter *filter = reader->filter;
	const char         **names = ARENA_ARRAY(reader->arena, const char *, filter->choice_count + 1);
	const char          *known = "";
	for (unsigned i = 0; i < filter->choice_count; i++) {
		names[i] = arena_text(reader->arena, filter->choices[i].value).data;
		if (i < 10)
			known = arena_printf(reader->arena, "%s%s%s", known, i == 0 ? "" : ", ", names[i]);
	}
	const char *meant = edit_nearest(given, names);
	if (meant != NULL)
		return REFUSE(reader, member, "there is no such value: did you mean \"%s\"?", meant);
	return REFUSE(reader, member, "there is no such value: known are %s", known);
}

/* A label stands for its value; where the events may have others, for itself too. */
static enum status add_string(struct reader *reader, struct json value, const char *member)
{
	const struct filter *filter = reader->filter;
	bool                 known  = !filter->closed;
	if (json_type(value) != JSON_STRING)
		return REFUSE(reader, member, "must be a string");
	struct text given = json_string(value);
	if (given.length == 0 || given.length > EXPR_TEXT_BYTES_MAX)
		return REFUSE(reader, member, "must have from 1 to %d bytes", EXPR_TEXT_BYTES_MAX);
	if (!filter->closed)
		add_value(reader, given);
	for (unsigned i = 0; i < filter->choice_count; i++) {
		const struct filter_choice *choice = &filter->choices[i];
		bool                        is     = text_equal(given, choice->value);
		if (!is && !text_equal(given, choice->label.ko) && !text_equal(given, choice->label.en))
			continue;
		if (filter->closed || !is)
			add_value(reader, choice->value);
		known = true;
	}
	return known ? STATUS_OK : refuse_choice(reader, member, given);
}

static enum status read_strings(struct reader *reader, struct json value, const char *member)
{
	bool   list  = json_type(value) == JSON_ARRAY;
	size_t count = list ? json_count(value) : 1, index = 0;
	char   item[64];
	if (!list && json_type(value) != JSON_STRING)
		return REFUSE(reader, member, "must be a string or an array of strings");
	if (count == 0 || count > EXPR_LIST_MAX)
		return REFUSE(reader, member, "must have from 1 to %d items", EXPR_LIST_MAX);
	reader->filling.values =
		ARENA_ARRAY(reader->arena, struct text, count * (1 + reader->filter->choice_count));
	reader->filling.value_count = 0; /* of a member that stands twice the last one counts */
	reader->filling.given |= BIT(VALUE);
	if (!list)
		return add_string(reader, value, member);
	for (struct json_iterator i = json_iterate(value); json_next(&i); index++) {
		snprintf(item, sizeof item, "%s[%zu]", member, index);
		enum status status = add_string(reader, i.value, item);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* ---- Numbers, days, booleans, instants ---- */

static enum status read_number(struct reader *reader, struct json value, const char *member,
                               double *ret_number)
{
	bool   whole  = reader->filter->type == FILTER_NUMBER;
	double number = json_is_number(value) ? json_number(value) : -1;
	if (whole && (!json_is_number(value) || number < 0 || number != floor(number)))
		return REFUSE(reader, member, "must be a whole number, 0 or more");
	if (!json_is_number(value))
		return REFUSE(reader, member, "must be a number");
	*ret_number = number;
	return STATUS_OK;
}

static enum status read_min(struct reader *reader, struct json value, const char *member)
{
	reader->filling.given |= BIT(MIN);
	return read_number(reader, value, member, &reader->filling.min);
}

static enum status read_max(struct reader *reader, struct json value, const char *member)
{
	reader->filling.given |= BIT(MAX);
	return read_number(reader, value, member, &reader->filling.max);
}

static enum status read_days(struct reader *reader, struct json value, const char *member)
{
	if (json_type(value) != JSON_INT || json_int(value) < 1 || json_int(value) > FILTER_DAYS_MAX)
		return REFUSE(reader, member, "must be a whole number of days from 1 to %d",
		              FILTER_DAYS_MAX);
	reader->filling.given |= BIT(DAYS);
	reader->filling.days = json_int(value);
	return STATUS_OK;
}

static enum status read_boolean(struct reader *reader, struct json value, const char *member)
{
	if (json_type(value) != JSON_BOOL)
		return REFUSE(reader, member, "must be true or false");
	reader->filling.negated = !json_bool(value);
	return STATUS_OK;
}

static enum status read_instant(struct reader *reader, struct json value, const char *member,
                                int64_t *ret_ms)
{
	if (json_type(value) != JSON_STRING || !instant_parse(json_string(value), ret_ms))
		return REFUSE(reader, member,
		              "must be a date or an instant such as \"2025-01-07T10:30:00Z\"");
	return STATUS_OK;
}

/* `after` does not hold at the instant itself, so it is asked of the last one before. */
static enum status read_from(struct reader *reader, struct json value, const char *member)
{
	reader->filling.given |= BIT(FROM);
	enum status status = read_instant(reader, value, member, &reader->filling.from_ms);
	reader->filling.from_ms -= status == STATUS_OK && reader->filling.from_ms > INSTANT_MS_MIN;
	return status;
}

static enum status read_to(struct reader *reader, struct json value, const char *member)
{
	reader->filling.given |= BIT(TO);
	return read_instant(reader, value, member, &reader->filling.to_ms);
}

/* ---- By type ---- */

typedef enum status read_fn(struct reader *reader, struct json value, const char *member);

enum { MEMBERS_MAX = 3 };

static const struct {
	read_fn *alone; /* what is no object */
	struct {
		const char *name;
		read_fn    *read;
	} members[MEMBERS_MAX];
} shapes[FILTER_TYPE_COUNT] = {
	[FILTER_CHOICE]  = {read_strings, {{"value", read_strings}, {"days", read_days}}},
	[FILTER_TEXT]    = {read_strings, {{"value", read_strings}, {"days", read_days}}},
	[FILTER_NUMBER]  = {read_min, {{"min", read_min}, {"max", read_max}, {"days", read_days}}},
	[FILTER_RANGE]   = {read_min, {{"min", read_min}, {"max", read_max}, {"days", read_days}}},
	[FILTER_DAYS]    = {read_days, {{"days", read_days}}},
	[FILTER_BOOLEAN] = {read_boolean, {{"value", read_boolean}, {"days", read_days}}},
	[FILTER_PERIOD]  = {read_days, {{"days", read_days}, {"from", read_from}, {"to", read_to}}},
};

static enum status read_member(struct reader *reader, struct text name, struct json value)
{
	enum filter_type type                   = reader->filter->type;
	const char      *known[MEMBERS_MAX + 1] = {NULL};
	char             member[ERROR_FIELD_BYTES_MAX];
	for (unsigned i = 0; i < MEMBERS_MAX && shapes[type].members[i].name != NULL; i++) {
		known[i] = shapes[type].members[i].name;
		if (text_equal(name, text_of(known[i])))
			return shapes[type].members[i].read(reader, value, known[i]);
	}
	const char *meant = edit_nearest(name, known);
	snprintf(member, sizeof member, "%.*s", TEXT_FORMAT(name));
	if (meant != NULL)
		return REFUSE(reader, member, "unknown field: did you mean \"%s\"?", meant);
	return REFUSE(reader, member, "unknown field: known here are %s%s%s%s%s", known[0],
	              known[1] == NULL ? "" : ", ", known[1] == NULL ? "" : known[1],
	              known[1] == NULL || known[2] == NULL ? "" : ", ",
	              known[1] == NULL || known[2] == NULL ? "" : known[2]);
}

static enum status read_given(struct reader *reader, struct json value)
{
	if (json_type(value) != JSON_OBJECT)
		return shapes[reader->filter->type].alone(reader, value, "");
	for (struct json_iterator i = json_iterate(value); json_next(&i);) {
		enum status status = read_member(reader, i.name, i.value);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* That what is given goes together, and is what the template asks for. */
static enum status check_given(struct reader *reader, const struct filters *filters)
{
	const struct filter *filter  = reader->filter;
	struct expr_filling *filling = &reader->filling;
	unsigned             range   = BIT(MIN) | BIT(MAX);
	unsigned             strange = filling->given & ~filter->template->parameters;
	for (unsigned i = 0; i < EXPR_PARAMETER_COUNT; i++)
		if ((strange >> i & 1) != 0)
			return REFUSE(reader, expr_parameter_name(i) + 1, "this filter takes no %s",
			              expr_parameter_name(i) + 1);
	if ((filling->given & range) == range && filling->min > filling->max)
		return REFUSE(reader, "max", "must not be less than min");
	if ((filling->given & BIT(DAYS)) != 0 && (filling->given & (BIT(FROM) | BIT(TO))) != 0)
		return REFUSE(reader, "days", "must not stand together with from and to");
	if ((filling->given & (BIT(FROM) | BIT(TO))) == (BIT(FROM) | BIT(TO)) &&
	    filling->to_ms <= filling->from_ms + 1)
		return REFUSE(reader, "to", "must be later than from");
	if (filter->days != 0 && (filling->given & BIT(DAYS)) == 0) {
		filling->given |= BIT(DAYS);
		filling->days = filters_window_days(filters, filter);
	}
	if (filter->days != 0 && filling->days > filters->window_days_max)
		return REFUSE(reader, "days", "can be %lld at most: events are kept for %lld days",
		              (long long)filters->window_days_max, (long long)filters->window_days_max + 1);
	return STATUS_OK;
}

/* An object that leaves out what the filter is about. */
static enum status check_enough(struct reader *reader, struct json value)
{
	static const struct {
		unsigned    needed;
		const char *reason;
	} needs[FILTER_TYPE_COUNT] = {
		[FILTER_CHOICE]  = {BIT(VALUE), "needs value"},
		[FILTER_TEXT]    = {BIT(VALUE), "needs value"},
		[FILTER_NUMBER]  = {BIT(MIN) | BIT(MAX), "needs min, max or both"},
		[FILTER_RANGE]   = {BIT(MIN) | BIT(MAX), "needs min, max or both"},
		[FILTER_DAYS]    = {BIT(DAYS), "needs days"},
		[FILTER_BOOLEAN] = {0, "needs value"},
		[FILTER_PERIOD]  = {BIT(DAYS) | BIT(FROM) | BIT(TO), "needs days, or from, to or both"},
	};
	enum filter_type type = reader->filter->type;
	bool             says = (reader->filling.given & needs[type].needed) != 0;
	if (type == FILTER_BOOLEAN)
		says = json_type(value) == JSON_BOOL || json_type(json_get(value, "value")) != JSON_NONE;
	return says ? STATUS_OK : REFUSE(reader, "", "%s", needs[type].reason);
}

static enum status read_filter(const struct filters *filters, struct text name, struct json value,
                               const char *field, struct arena *arena, struct expr **ret_expr,
                               struct error *err)
{
	struct reader reader = {.filter = filters_find(filters, name),
	                        .field  = arena_printf(arena, "%s%s%.*s", field,
                                                  field[0] == '\0' ? "" : ".", TEXT_FORMAT(name)),
	                        .arena  = arena,
	                        .err    = err};
	if (reader.filter == NULL) {
		const char *meant = filters_nearest(filters, name, arena);
		if (meant != NULL)
			return REFUSE(&reader, "", "There is no such filter: did you mean \"%s\"?", meant);
		return REFUSE(&reader, "",
		              "There is no such filter: GET /api/v1/audience/filters lists them");
	}
	enum status status = read_given(&reader, value);
	if (status == STATUS_OK)
		status = check_enough(&reader, value);
	if (status == STATUS_OK)
		status = check_given(&reader, filters);
	return status != STATUS_OK ? status
	                           : expr_template_fill(reader.filter->template, &reader.filling,
	                                                reader.field, arena, ret_expr, err);
}

enum status filters_to_expr(const struct filters *filters, struct json object, const char *field,
                            struct arena *arena, struct expr **ret_expr, struct error *err)
{
	if (json_type(object) != JSON_OBJECT)
		return error_set_field(err, STATUS_INVALID, field, "must be an object of filters");
	size_t count = json_count(object), read = 0;
	if (count > EXPR_LEAVES_MAX)
		return error_set_field(err, STATUS_INVALID, field, "has more than %d filters",
		                       EXPR_LEAVES_MAX);
	struct expr **operands = ARENA_ARRAY(arena, struct expr *, count);
	for (struct json_iterator i = json_iterate(object); json_next(&i); read++) {
		enum status status =
			read_filter(filters, i.name, i.value, field, arena, &operands[read], err);
		if (status != STATUS_OK)
			return status;
	}
	if (count == 0) {
		*ret_expr = NULL;
		return STATUS_OK;
	}
	return expr_all_of(operands, (unsigned)count, field, arena, ret_expr, err);
}
