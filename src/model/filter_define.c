/* Filters as JSON: what a deployment adds. */

#include <stdio.h>

#include "base/file.h"
#include "base/json_locate.h"
#include "base/edit_distance.h"
#include "model/filter_internal.h"

/* A definition that is read. */
struct reader {
	struct filters *filters;
	const char     *field;
	struct error   *err;
};

#define REFUSE(reader, member, ...)                                                                \
	filter_refuse((reader)->err, STATUS_INVALID, (reader)->field, member, __VA_ARGS__)

static enum status check_members(struct reader *reader, struct json object, const char *place,
                                 const char *const *known)
{
	char member[ERROR_FIELD_BYTES_MAX];
	if (json_type(object) != JSON_OBJECT)
		return REFUSE(reader, place, "must be an object");
	for (struct json_iterator i = json_iterate(object); json_next(&i);) {
		const char *const *name = known;
		while (*name != NULL && !text_equal(i.name, text_of(*name)))
			name++;
		if (*name != NULL)
			continue;
		const char *meant = edit_nearest(i.name, known);
		snprintf(member, sizeof member, "%s%s%.*s", place, place[0] == '\0' ? "" : ".",
		         TEXT_FORMAT(i.name));
		if (meant != NULL)
			return REFUSE(reader, member, "unknown field: did you mean \"%s\"?", meant);
		return REFUSE(reader, member, "unknown field");
	}
	return STATUS_OK;
}

/* A string of 1 to `max` bytes, copied. */
static enum status read_string(struct reader *reader, struct json value, const char *member,
                               size_t max, struct text *ret_text)
{
	if (json_type(value) == JSON_NONE)
		return REFUSE(reader, member, "is required");
	if (json_type(value) != JSON_STRING)
		return REFUSE(reader, member, "must be a string");
	struct text text = json_string(value);
	if (text.length == 0 || text.length > max)
		return REFUSE(reader, member, "must have from 1 to %zu bytes", max);
	*ret_text = arena_text(&reader->filters->arena, text);
	return STATUS_OK;
}

/* "shoe_size" */
static enum status read_name(struct reader *reader, struct json object, struct text *ret_name)
{
	enum status status =
		read_string(reader, json_get(object, "name"), "name", FILTER_NAME_BYTES_MAX, ret_name);
	for (size_t i = 0; status == STATUS_OK && i < ret_name->length; i++) {
		char c = ret_name->data[i];
		if ((c < 'a' || c > 'z') && (i == 0 || (c != '_' && (c < '0' || c > '9'))))
			return REFUSE(reader, "name",
			              "must be made of a to z, 0 to 9 and _, and begin with a letter");
	}
	return status;
}

static enum status read_label(struct reader *reader, struct json object, const char *place,
                              struct filter_label *ret_label)
{
	static const char *const known[] = {"ko", "en", NULL};
	char                     member[ERROR_FIELD_BYTES_MAX];
	struct json              label  = json_get(object, "label");
	enum status              status = check_members(reader, label, place, known);
	snprintf(member, sizeof member, "%s.ko", place);
	if (status == STATUS_OK)
		status = read_string(reader, json_get(label, "ko"), member, FILTER_LABEL_BYTES_MAX,
		                     &ret_label->ko);
	snprintf(member, sizeof member, "%s.en", place);
	if (status == STATUS_OK)
		status = read_string(reader, json_get(label, "en"), member, FILTER_LABEL_BYTES_MAX,
		                     &ret_label->en);
	return status;
}

static enum status read_type(struct reader *reader, struct json object, enum filter_type *ret_type)
{
	struct text text;
	enum status status = read_string(reader, json_get(object, "type"), "type", 32, &text);
	if (status != STATUS_OK)
		return status;
	for (enum filter_type type = 0; type < FILTER_TYPE_COUNT; type++)
		if (text_equal(text, text_of(filter_type_name(type)))) {
			*ret_type = type;
			return STATUS_OK;
		}
	return REFUSE(reader, "type", "must be choice, text, number, range, days, boolean or period");
}

static enum status read_choice(struct reader *reader, struct json object, size_t index,
                               struct filter_choice *ret_choice)
{
	static const char *const known[] = {"value", "label", NULL};
	char                     place[48], member[64];
	snprintf(place, sizeof place, "values[%zu]", index);
	enum status status = check_members(reader, object, place, known);
	snprintf(member, sizeof member, "%s.value", place);
	if (status == STATUS_OK)
		status = read_string(reader, json_get(object, "value"), member, EXPR_TEXT_BYTES_MAX,
		                     &ret_choice->value);
	if (status != STATUS_OK)
		return status;
	ret_choice->label = (struct filter_label){ret_choice->value, ret_choice->value};
	snprintf(member, sizeof member, "%s.label", place);
	return json_type(json_get(object, "label")) == JSON_NONE
	           ? STATUS_OK
	           : read_label(reader, object, member, &ret_choice->label);
}

static enum status read_choices(struct reader *reader, struct json object, struct filter *filter)
{
	struct json values = json_get(object, "values");
	if (json_type(values) == JSON_NONE)
		return STATUS_OK;
	if (filter->type != FILTER_CHOICE)
		return REFUSE(reader, "values", "only a choice has values");
	size_t count = json_count(values);
	if (json_type(values) != JSON_ARRAY || count > FILTER_CHOICES_MAX)
		return REFUSE(reader, "values", "must be an array of at most %d", FILTER_CHOICES_MAX);
	struct filter_choice *choices =
		ARENA_ARRAY(&reader->filters->arena, struct filter_choice, count);
	for (struct json_iterator i = json_iterate(values); json_next(&i); filter->choice_count++) {
		enum status status =
			read_choice(reader, i.value, filter->choice_count, &choices[filter->choice_count]);
		if (status != STATUS_OK)
			return status;
	}
	filter->choices = choices;
	return STATUS_OK;
}

static enum status read_closed(struct reader *reader, struct json object, struct filter *filter)
{
	struct json closed = json_get(object, "closed");
	if (json_type(closed) == JSON_NONE)
		return STATUS_OK;
	if (json_type(closed) != JSON_BOOL)
		return REFUSE(reader, "closed", "must be true or false");
	filter->closed = json_bool(closed);
	if (filter->closed && filter->choice_count == 0)
		return REFUSE(reader, "closed", "needs values: there would be none");
	return STATUS_OK;
}

static enum status read_days(struct reader *reader, struct json object, struct filter *filter)
{
	struct json days = json_get(object, "days");
	if (json_type(days) == JSON_NONE)
		return STATUS_OK;
	if (json_type(days) != JSON_INT || json_int(days) < 1 || json_int(days) > FILTER_DAYS_MAX)
		return REFUSE(reader, "days", "must be a whole number from 1 to %d", FILTER_DAYS_MAX);
	filter->days = json_int(days);
	return STATUS_OK;
}

enum status filters_add(struct filters *filters, enum filter_origin origin, struct json object,
                        const char *field, struct error *err)
{
	static const char *const known[] = {"name",   "label", "type",     "values",
	                                    "closed", "days",  "template", NULL};
	struct reader            reader  = {filters, field, err};
	struct filter            filter  = {.origin = origin};
	enum status              status;
	if (filters->count >= filter_table_count + FILTERS_OWN_MAX)
		return filter_refuse(err, STATUS_CONFLICT, field, "", "There are %d own filters already",
		                     FILTERS_OWN_MAX);
	if ((status = check_members(&reader, object, "", known)) != STATUS_OK ||
	    (status = read_name(&reader, object, &filter.name)) != STATUS_OK ||
	    (status = read_label(&reader, object, "label", &filter.label)) != STATUS_OK ||
	    (status = read_type(&reader, object, &filter.type)) != STATUS_OK ||
	    (status = read_choices(&reader, object, &filter)) != STATUS_OK ||
	    (status = read_closed(&reader, object, &filter)) != STATUS_OK ||
	    (status = read_days(&reader, object, &filter)) != STATUS_OK ||
	    (status = read_string(&reader, json_get(object, "template"), "template",
	                          FILTER_TEMPLATE_BYTES_MAX, &filter.text)) != STATUS_OK)
		return status;
	return filter_add(filters, &filter, field, err);
}

/* ---- A file ---- */

static enum status add_all(struct filters *filters, struct json root, struct error *err)
{
	static const char *const known[] = {"filters", NULL};
	struct reader            reader  = {filters, "", err};
	struct json              list    = json_get(root, "filters");
	size_t                   index   = 0;
	char                     field[48];
	enum status              status = check_members(&reader, root, "", known);
	if (status != STATUS_OK)
		return status;
	if (json_type(list) != JSON_ARRAY)
		return REFUSE(&reader, "filters", "must be an array of filters");
	for (struct json_iterator i = json_iterate(list); json_next(&i); index++) {
		snprintf(field, sizeof field, "filters[%zu]", index);
		if ((status = filters_add(filters, FILTER_OF_FILE, i.value, field, err)) != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

enum status filters_add_text(struct filters *filters, struct text text, struct error *err)
{
	struct json_parser *parser = json_parser_new();
	struct error        why    = {0};
	struct json         root;
	unsigned            line, column;
	enum status         status = json_parse_text(parser, text, &root, &why);
	if (status == STATUS_OK)
		status = add_all(filters, root, &why);
	json_parser_free(parser);
	if (status == STATUS_OK)
		return STATUS_OK;
	text_find_line(text, json_locate(text, why.field), &line, &column);
	return error_set(err, STATUS_INVALID, "%u:%u: %s%s%s", line, column, why.field,
	                 why.field[0] == '\0' ? "" : ": ", why.reason);
}

enum status filters_add_file(struct filters *filters, const char *file, struct error *err)
{
	struct buffer text   = {0};
	struct error  why    = {0};
	enum status   status = file_read(file, FILTERS_FILE_BYTES_MAX, &text, err);
	if (status != STATUS_OK)
		return status;
	status = filters_add_text(filters, buffer_text(&text), &why);
	buffer_done(&text);
	return status == STATUS_OK ? status : error_set(err, status, "%s:%s", file, why.reason);
}

/* ---- Writing ---- */

static void write_label(struct json_writer *w, const struct filter_label *label)
{
	json_add_key(w, TEXT("label"));
	json_begin_object(w);
	json_member_string(w, "ko", label->ko);
	json_member_string(w, "en", label->en);
	json_end_object(w);
}

static void write_choices(struct json_writer *w, const struct filter *filter)
{
	json_add_key(w, TEXT("values"));
	json_begin_array(w);
	for (unsigned i = 0; i < filter->choice_count; i++) {
		json_begin_object(w);
		json_member_string(w, "value", filter->choices[i].value);
		write_label(w, &filter->choices[i].label);
		json_end_object(w);
	}
	json_end_array(w);
}

void filter_write_members(struct json_writer *w, const struct filter *filter)
{
	json_member_string(w, "name", filter->name);
	write_label(w, &filter->label);
	json_member_string(w, "type", text_of(filter_type_name(filter->type)));
	if (filter->days != 0)
		json_member_int(w, "days", filter->days);
	json_member_string(w, "template", filter->text);
}

void filter_write(struct json_writer *w, const struct filter *filter)
{
	json_begin_object(w);
	filter_write_members(w, filter);
	if (filter->type == FILTER_CHOICE)
		write_choices(w, filter);
	if (filter->closed)
		json_member_bool(w, "closed", true);
	json_end_object(w);
}
