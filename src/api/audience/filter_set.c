#include "api/audience/filter_set.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/metrics/metrics_text.h"
#include "base/clock.h"
#include "base/log.h"

struct filter_set {
	int64_t          window_days_max;
	struct store    *store;
	struct queries  *queries;
	bool             kept;     /* the columns of `current` */
	pthread_mutex_t  changing; /* one change at a time */
	pthread_rwlock_t lock;     /* over `current` */
	struct filters   current;
};

/* What expressions are held to, in days. */
static int64_t window_days_max(int64_t retention_ms)
{
	int64_t days = retention_ms == INSTANT_MS_NEVER ? FILTER_DAYS_MAX : retention_ms / DAY_MS - 1;
	return days > FILTER_DAYS_MAX ? FILTER_DAYS_MAX : days < 1 ? 1 : days;
}

static void begin(const struct filter_set *set, struct filters *filters)
{
	filters_init(filters);
	filters->window_days_max = set->window_days_max;
}

struct filter_set *filter_set_new(struct store *store, struct queries *queries,
                                  int64_t retention_ms)
{
	struct filter_set *set = calloc(1, sizeof *set);
	assert(set != NULL);
	set->store   = store;
	set->queries = queries;
	pthread_mutex_init(&set->changing, NULL);
	pthread_rwlock_init(&set->lock, NULL);
	set->window_days_max = window_days_max(retention_ms);
	begin(set, &set->current);
	return set;
}

void filter_set_free(struct filter_set *set)
{
	if (set == NULL)
		return;
	filters_done(&set->current);
	pthread_rwlock_destroy(&set->lock);
	pthread_mutex_destroy(&set->changing);
	free(set);
}

const struct filters *filter_set_lock(struct filter_set *set)
{
	pthread_rwlock_rdlock(&set->lock);
	return &set->current;
}

void filter_set_unlock(struct filter_set *set) { pthread_rwlock_unlock(&set->lock); }

/* ---- Columns ---- */

/* Without a column a filter is scanned: slower, and the same. */
static void keep_column(void *context, const struct filter *filter, struct text canonical)
{
	struct queries *queries = context;
	struct error    err;
	char            name[FILTER_NAME_BYTES_MAX + 1];
	if (queries_keep(queries, canonical, &err) != STATUS_LIMITED)
		return;
	snprintf(name, sizeof name, "%.*s", TEXT_FORMAT(filter->name));
	log_line(LOG_WARNING, "a filter is scanned, not kept as columns", LOG_STRING("filter", name),
	         LOG_STRING("error", err.reason));
}

static void forget_column(void *context, const struct filter *filter, struct text canonical)
{
	(void)filter;
	queries_forget(context, canonical);
}

/* What both sets look at stays. */
static void replace(struct filter_set *set, struct filters *filters)
{
	filters_columns(filters, keep_column, set->queries);
	pthread_rwlock_wrlock(&set->lock);
	struct filters before = set->current;
	set->current          = *filters;
	pthread_rwlock_unlock(&set->lock);
	if (set->kept)
		filters_columns(&before, forget_column, set->queries);
	set->kept = true;
	filters_done(&before);
}

enum status filter_set_expr(struct filter_set *set, struct json object, const char *field,
                            struct arena *arena, struct expr **ret_expr, struct error *err)
{
	enum status status = filters_to_expr(filter_set_lock(set), object, field, arena, ret_expr, err);
	filter_set_unlock(set);
	return status;
}

bool filter_set_dimension(const struct filters *filters, const struct filter *filter,
                          struct arena *arena, struct query_dimension *ret_dimension)
{
	const struct expr_template *template = filter->template;
	bool any                             = text_equal(template->event, TEXT("*"));
	if (template->trait.length == 0 && template->property.length == 0)
		return false;
	*ret_dimension = (struct query_dimension){
		.trait     = arena_text(arena, template->trait),
		.event     = any ? (struct text){0} : arena_text(arena, template->event),
		.property  = arena_text(arena, template->property),
		.within_ms = filters_window_days(filters, filter) * DAY_MS,
	};
	return true;
}

/* ---- Making a set ---- */

/* Adds a definition that is text. */
static enum status add_text(struct filters *filters, enum filter_origin origin, struct text text,
                            struct error *err)
{
	struct json_parser *parser = json_parser_new();
	struct json         object;
	enum status         status = json_parse_text(parser, text, &object, err);
	if (status == STATUS_OK)
		status = filters_add(filters, origin, object, "", err);
	json_parser_free(parser);
	return status;
}

static void write_definition(struct buffer *out, const struct filter *filter)
{
	struct json_writer w = json_writer_of(out);
	filter_write(&w, filter);
}

static bool is_stored(const struct filter *filter, struct text name)
{
	return filter->origin == FILTER_OF_STORE && text_equal(filter->name, name);
}

/* Everything that is in force, but for the stored one of that name. */
static void copy_without(const struct filter_set *set, struct text name, struct filters *ret_copy)
{
	struct buffer text = {0};
	begin(set, ret_copy);
	for (size_t i = 0; i < set->current.count; i++) {
		const struct filter *filter = &set->current.list[i];
		if (filter->origin == FILTER_BUILT_IN || is_stored(filter, name))
			continue;
		buffer_clear(&text);
		write_definition(&text, filter);
		enum status status = add_text(ret_copy, filter->origin, buffer_text(&text), NULL);
		assert(status == STATUS_OK); /* it was added once */
	}
	buffer_done(&text);
}

static void add_stored(struct filters *filters, const struct store_filter *stored)
{
	struct error err;
	char         name[FILTER_NAME_BYTES_MAX + 1];
	if (add_text(filters, FILTER_OF_STORE, stored->definition, &err) == STATUS_OK)
		return;
	snprintf(name, sizeof name, "%.*s", TEXT_FORMAT(stored->name));
	log_line(LOG_WARNING, "a stored filter is left out", LOG_STRING("filter", name),
	         LOG_STRING("error", err.reason));
}

enum status filter_set_load(struct filter_set *set, const char *file, struct error *err)
{
	struct store_filter *stored;
	struct filters       filters;
	struct arena         arena;
	size_t               count;
	arena_init(&arena);
	begin(set, &filters);
	enum status status = file == NULL ? STATUS_OK : filters_add_file(&filters, file, err);
	if (status == STATUS_OK)
		status = set->store->ops->filter_list(set->store, &arena, &stored, &count, err);
	if (status == STATUS_OK) {
		for (size_t i = 0; i < count; i++)
			add_stored(&filters, &stored[i]);
		replace(set, &filters);
	} else {
		filters_done(&filters);
	}
	arena_done(&arena);
	return status;
}

/* ---- Changes ---- */

/* The definition with the name of the path in it. */
static enum status write_named(struct buffer *out, struct text name, struct json object,
                               struct error *err)
{
	struct json        given = json_get(object, "name");
	struct json_writer w     = json_writer_of(out);
	if (json_type(given) != JSON_NONE &&
	    (json_type(given) != JSON_STRING || !text_equal(json_string(given), name)))
		return error_set_field(err, STATUS_INVALID, "name", "must be that of the path");
	json_begin_object(&w);
	json_member_string(&w, "name", name);
	for (struct json_iterator i = json_iterate(object); json_next(&i);)
		if (!text_equal(i.name, TEXT("name"))) {
			json_add_key(&w, i.name);
			json_add_value(&w, i.value);
		}
	json_end_object(&w);
	return STATUS_OK;
}

static enum status add_wish(struct filters *filters, struct text name, struct json object,
                            struct error *err)
{
	struct buffer text = {0};
	if (name.length == 0)
		return filters_add(filters, FILTER_OF_STORE, object, "", err);
	enum status status = write_named(&text, name, object, err);
	if (status == STATUS_OK)
		status = add_text(filters, FILTER_OF_STORE, buffer_text(&text), err);
	buffer_done(&text);
	return status;
}

static enum status store_last(struct filter_set *set, const struct filters *filters,
                              struct error *err)
{
	const struct filter *filter     = &filters->list[filters->count - 1];
	struct buffer        definition = {0};
	write_definition(&definition, filter);
	struct store_filter stored = {.name       = filter->name,
	                              .definition = buffer_text(&definition),
	                              .updated_ms = clock_wall_ms()};
	enum status         status = set->store->ops->filter_put(set->store, &stored, err);
	buffer_done(&definition);
	return status;
}

enum status filter_set_put(struct filter_set *set, struct text name, struct json object,
                           struct arena *arena, struct text *ret_name, struct error *err)
{
	struct filters next;
	pthread_mutex_lock(&set->changing);
	copy_without(set, name, &next);
	enum status status = add_wish(&next, name, object, err);
	if (status == STATUS_OK)
		status = store_last(set, &next, err);
	if (status == STATUS_OK) {
		*ret_name = arena_text(arena, next.list[next.count - 1].name);
		replace(set, &next);
	} else {
		filters_done(&next);
	}
	pthread_mutex_unlock(&set->changing);
	return status;
}

static enum status check_deletable(const struct filter_set *set, struct text name,
                                   struct error *err)
{
	const struct filter *filter = filters_find(&set->current, name);
	if (filter == NULL)
		return error_set(err, STATUS_NOT_FOUND, "There is no such filter");
	if (filter->origin == FILTER_BUILT_IN)
		return error_set(err, STATUS_CONFLICT, "The filter is built in");
	if (filter->origin == FILTER_OF_FILE)
		return error_set(err, STATUS_CONFLICT, "The filter is of the file of the server");
	return STATUS_OK;
}

enum status filter_set_delete(struct filter_set *set, struct text name, struct error *err)
{
	struct filters next;
	pthread_mutex_lock(&set->changing);
	enum status status = check_deletable(set, name, err);
	if (status == STATUS_OK)
		status = set->store->ops->filter_delete(set->store, name, err);
	if (status == STATUS_OK) {
		copy_without(set, name, &next);
		replace(set, &next);
	}
	pthread_mutex_unlock(&set->changing);
	return status;
}

void filter_set_write_metrics(struct filter_set *set, struct buffer *out)
{
	const struct filters *filters = filter_set_lock(set);
	uint64_t              added   = 0;
	for (size_t i = 0; i < filters->count; i++)
		added += filters->list[i].origin != FILTER_BUILT_IN;
	filter_set_unlock(set);
	metric_one(out, "sonnim_audience_filters", "gauge",
	           "Filters of audiences beside the built-in ones", added);
	metric_one(out, "sonnim_audience_filters_max", "gauge", "Beyond it they are refused",
	           FILTERS_OWN_MAX);
}
