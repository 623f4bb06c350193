#include "model/filter.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/edit_distance.h"
#include "model/filter_internal.h"

const char *filter_type_name(enum filter_type type)
{
	static const char *const names[FILTER_TYPE_COUNT] = {
#define X(name, text) text,
		FILTER_TYPES(X)
#undef X
	};
	assert(type < FILTER_TYPE_COUNT);
	return names[type];
}

const char *filter_origin_name(enum filter_origin origin)
{
	static const char *const names[] = {"built_in", "file", "api"};
	return names[origin];
}

enum status filter_refuse(struct error *err, enum status status, const char *field,
                          const char *member, const char *reason_format, ...)
{
	char    place[ERROR_FIELD_BYTES_MAX];
	char    reason[ERROR_REASON_BYTES_MAX];
	va_list arguments;
	va_start(arguments, reason_format);
	vsnprintf(reason, sizeof reason, reason_format, arguments);
	va_end(arguments);
	bool both = field[0] != '\0' && member[0] != '\0' && member[0] != '[';
	snprintf(place, sizeof place, "%s%s%s", field, both ? "." : "", member);
	return error_set_field(err, status, place, "%s", reason);
}

/* ---- What a template must have ---- */

#define BIT(parameter) (1U << EXPR_PARAMETER_##parameter)

static const struct {
	unsigned needed; /* one of them at least */
	unsigned allowed;
} parameters_of[FILTER_TYPE_COUNT] = {
	[FILTER_CHOICE]  = {BIT(VALUE), BIT(VALUE) | BIT(DAYS)},
	[FILTER_TEXT]    = {BIT(VALUE), BIT(VALUE) | BIT(DAYS)},
	[FILTER_NUMBER]  = {BIT(MIN) | BIT(MAX), BIT(MIN) | BIT(MAX) | BIT(DAYS)},
	[FILTER_RANGE]   = {BIT(MIN) | BIT(MAX), BIT(MIN) | BIT(MAX) | BIT(DAYS)},
	[FILTER_DAYS]    = {BIT(DAYS), BIT(DAYS)},
	[FILTER_BOOLEAN] = {0, BIT(DAYS)},
	[FILTER_PERIOD]  = {BIT(DAYS) | BIT(FROM) | BIT(TO), BIT(DAYS) | BIT(FROM) | BIT(TO)},
};

static const char *names_of(unsigned parameters, struct arena *arena)
{
	const char *names = "";
	for (unsigned i = 0; i < EXPR_PARAMETER_COUNT; i++)
		if ((parameters >> i & 1) != 0)
			names = arena_printf(arena, "%s%s%s", names, names[0] == '\0' ? "" : ", ",
			                     expr_parameter_name(i));
	return names;
}

static enum status check_parameters(struct filters *filters, const struct filter *filter,
                                    const char *field, struct error *err)
{
	unsigned    there   = filter->template->parameters;
	unsigned    needed  = parameters_of[filter->type].needed;
	unsigned    strange = there & ~parameters_of[filter->type].allowed;
	const char *type    = filter_type_name(filter->type);
	if (strange != 0)
		return filter_refuse(err, STATUS_INVALID, field, "template",
		                     "a filter of type %s is given no %s", type,
		                     names_of(strange, &filters->arena));
	if (needed != 0 && (there & needed) == 0)
		return filter_refuse(err, STATUS_INVALID, field, "template",
		                     "a filter of type %s must use %s", type,
		                     names_of(needed, &filters->arena));
	bool own_window = (there & BIT(DAYS)) != 0 && (needed & BIT(DAYS)) == 0;
	if (own_window && filter->days == 0)
		return filter_refuse(err, STATUS_INVALID, field, "days",
		                     "is required: the template uses $days");
	if (!own_window && filter->days != 0)
		return filter_refuse(err, STATUS_INVALID, field, "days",
		                     (there & BIT(DAYS)) == 0 ? "the template does not use $days"
		                                              : "is what a filter of this type is given");
	return STATUS_OK;
}

/* ---- The set ---- */

enum status filter_add(struct filters *filters, const struct filter *filter, const char *field,
                       struct error *err)
{
	struct filter added = *filter;
	struct expr_template *template;
	struct error why = {0};
	if (filters_find(filters, filter->name) != NULL)
		return filter_refuse(err, STATUS_CONFLICT, field, "name",
		                     "There is a filter \"%.*s\" already", TEXT_FORMAT(filter->name));
	enum status status =
		expr_template_read(filter->text, "template", &filters->arena, &template, &why);
	if (status != STATUS_OK)
		return filter_refuse(err, status, field, "template", "%s", why.reason);
	added.template = template;
	added.column   = expr_template_is_column(template);
	status         = check_parameters(filters, &added, field, err);
	if (status != STATUS_OK)
		return status;
	if (filters->count == filters->capacity) {
		size_t         capacity = filters->capacity == 0 ? 64 : 2 * filters->capacity;
		struct filter *list     = ARENA_ARRAY(&filters->arena, struct filter, capacity);
		if (filters->count > 0)
			memcpy(list, filters->list, filters->count * sizeof *list);
		filters->list     = list;
		filters->capacity = capacity;
	}
	filters->list[filters->count++] = added;
	return STATUS_OK;
}

void filters_init(struct filters *filters)
{
	*filters = (struct filters){.window_days_max = FILTER_DAYS_MAX};
	arena_init(&filters->arena);
	for (unsigned i = 0; i < filter_table_count; i++) {
		const struct filter_row *row    = &filter_table[i];
		struct filter            filter = {.name         = text_of(row->name),
		                                   .label        = {text_of(row->ko), text_of(row->en)},
		                                   .type         = row->type,
		                                   .choices      = row->choices,
		                                   .choice_count = row->choice_count,
		                                   .closed       = row->closed,
		                                   .days         = row->days,
		                                   .text         = text_of(row->template)};
		enum status              status = filter_add(filters, &filter, "", NULL);
		assert(status == STATUS_OK);
	}
}

void filters_done(struct filters *filters) { arena_done(&filters->arena); }

int64_t filters_window_days(const struct filters *filters, const struct filter *filter)
{
	return filter->days < filters->window_days_max ? filter->days : filters->window_days_max;
}

const struct filter *filters_find(const struct filters *filters, struct text name)
{
	for (size_t i = 0; i < filters->count; i++)
		if (text_equal(filters->list[i].name, name))
			return &filters->list[i];
	return NULL;
}

const char *const *filters_names(const struct filters *filters, struct arena *arena)
{
	const char **names = ARENA_ARRAY(arena, const char *, filters->count + 1);
	for (size_t i = 0; i < filters->count; i++)
		names[i] = arena_text(arena, filters->list[i].name).data;
	return names;
}

const char *filters_nearest(const struct filters *filters, struct text name, struct arena *arena)
{
	return edit_nearest(name, filters_names(filters, arena));
}

/* ---- Columns ---- */

void filters_columns(const struct filters *filters, filters_column_fn *visit, void *context)
{
	struct arena  arena;
	struct buffer canonical = {0};
	struct text   any       = TEXT("x");
	arena_init(&arena);
	for (size_t i = 0; i < filters->count; i++) {
		const struct filter *filter  = &filters->list[i];
		struct expr_filling  filling = {
			 .given       = filter->template->parameters,
			 .value_count = 1,
			 .values      = &any,
			 .days        = filter->days == 0 ? 1 : filters_window_days(filters, filter),
			 .to_ms       = 1};
		struct expr *expr;
		filling.given |= BIT(VALUE);
		if (!filter->column || expr_is_derived(filter->template->sample) ||
		    expr_template_fill(filter->template, &filling, "template", &arena, &expr, NULL) !=
		        STATUS_OK)
			continue;
		buffer_clear(&canonical);
		expr_write_canonical(&canonical, expr);
		visit(context, filter, buffer_text(&canonical));
	}
	buffer_done(&canonical);
	arena_done(&arena);
}
