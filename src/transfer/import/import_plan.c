#include "transfer/import/import_plan.h"

#include <stdio.h>
#include <string.h>

static enum status refuse(struct error *err, const char *field, const char *reason)
{
	return error_set_field(err, STATUS_INVALID, field, "%s", reason);
}

static bool is_one_of(struct json value, const char *a, const char *b)
{
	return json_type(value) == JSON_STRING && (text_equal(json_string(value), text_of(a)) ||
	                                           text_equal(json_string(value), text_of(b)));
}

static enum status read_format(struct import_plan *plan, struct json value, struct error *err)
{
	if (!is_one_of(value, "csv", "jsonl"))
		return refuse(err, "format", "it is csv or jsonl");
	plan->format =
		text_equal(json_string(value), TEXT("csv")) ? IMPORT_FORMAT_CSV : IMPORT_FORMAT_JSONL;
	return STATUS_OK;
}

static enum status read_delimiter(struct import_plan *plan, struct json value, struct error *err)
{
	struct text text = json_type(value) == JSON_STRING ? json_string(value) : TEXT("");
	bool        tab  = text_equal(text, TEXT("tab"));
	if (!tab && (text.length != 1 || memchr("\"\r\n", text.data[0], 3) != NULL))
		return refuse(err, "delimiter", "it is one character, or \"tab\"");
	plan->delimiter = tab ? '\t' : text.data[0];
	return STATUS_OK;
}

static enum status read_columns(struct import_plan *plan, struct json value, struct error *err)
{
	struct buffer names = {0};
	bool          fine  = json_type(value) == JSON_ARRAY && json_count(value) > 0;
	for (struct json_iterator i = json_iterate(value); fine && json_next(&i);) {
		fine = json_type(i.value) == JSON_STRING &&
		       memchr(json_string(i.value).data, ',', json_string(i.value).length) == NULL &&
		       memchr(json_string(i.value).data, '\0', json_string(i.value).length) == NULL;
		if (!fine)
			break;
		if (names.length > 0)
			buffer_add_u8(&names, ',');
		buffer_add_text(&names, json_string(i.value));
	}
	buffer_add_u8(&names, '\0');
	if (fine)
		plan->columns = arena_text(&plan->map.arena, buffer_text(&names)).data;
	buffer_done(&names);
	return fine ? STATUS_OK
	            : refuse(err, "columns", "it is an array of names, without commas in them");
}

static bool is_of_map(struct text name)
{
	static const char *const names[] = {"map", "set", "type", "rest", "zone"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (text_equal(name, text_of(names[i])))
			return true;
	return false;
}

static enum status read_member(struct import_plan *plan, struct text name, struct json value,
                               struct error *err)
{
	if (text_equal(name, TEXT("format")))
		return read_format(plan, value, err);
	if (text_equal(name, TEXT("delimiter")))
		return read_delimiter(plan, value, err);
	if (text_equal(name, TEXT("columns")))
		return read_columns(plan, value, err);
	if (text_equal(name, TEXT("order"))) {
		if (!is_one_of(value, "file", "time"))
			return refuse(err, "order", "it is file or time");
		plan->by_time = text_equal(json_string(value), TEXT("time"));
		return STATUS_OK;
	}
	if (text_equal(name, TEXT("dimension"))) {
		plan->map.table = dimension_by_name(
			json_type(value) == JSON_STRING ? json_string(value) : TEXT(""), &plan->dimension);
		return plan->map.table != NULL ? STATUS_OK
		                               : refuse(err, "dimension", "it is products or properties");
	}
	char field[64];
	snprintf(field, sizeof field, "%.*s", TEXT_FORMAT(name));
	return is_of_map(name) ? STATUS_OK
	                       : refuse(err, field,
	                                "it is none of map, set, type, rest, zone, format, delimiter, "
	                                "columns, order, dimension");
}

static enum status read_all(struct import_plan *plan, struct json mapping, struct error *err)
{
	enum status status = STATUS_OK;
	if (json_type(mapping) == JSON_NONE)
		return STATUS_OK;
	if (json_type(mapping) != JSON_OBJECT)
		return refuse(err, "", "it must be a JSON object");
	for (struct json_iterator i = json_iterate(mapping); status == STATUS_OK && json_next(&i);)
		status = read_member(plan, i.name, i.value, err);
	for (struct json_iterator i = json_iterate(mapping);
	     plan->map.table != NULL && status == STATUS_OK && json_next(&i);)
		if (text_equal(i.name, TEXT("type")) || text_equal(i.name, TEXT("rest")) ||
		    text_equal(i.name, TEXT("order")))
			status = refuse(err, "dimension", "rows of it have no type, rest or order");
	return status == STATUS_OK ? import_map_read(&plan->map, mapping, err) : status;
}

enum status import_plan_init(struct import_plan *plan, struct json mapping, struct text name,
                             const char *place, struct error *err)
{
	char         path[2 * ERROR_FIELD_BYTES_MAX];
	struct error inner;
	*plan = (struct import_plan){.delimiter = ','};
	import_map_init(&plan->map);
	snprintf(path, sizeof path, "%.*s", TEXT_FORMAT(name));
	plan->format = import_format_of_name(path);
	if (strstr(path, ".tsv") != NULL)
		plan->delimiter = '\t';
	if (read_all(plan, mapping, &inner) == STATUS_OK)
		return STATUS_OK;
	snprintf(path, sizeof path, "%s%s%s", place, inner.field[0] != '\0' ? "." : "", inner.field);
	return error_set_field(err, STATUS_INVALID, path, "%s", inner.reason);
}

void import_plan_done(struct import_plan *plan) { import_map_done(&plan->map); }
