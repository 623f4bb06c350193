#include "transfer/audience/audience_row.h"

#include <stdio.h>
#include <string.h>

#include "base/csv.h"
#include "base/hash.h"
#include "base/instant.h"
#include "model/value.h"

static const char *const defaults[] = {"user_id", "email", "phone", "name", "push_token", "ad_id"};
enum { DEFAULT_COUNT = sizeof defaults / sizeof defaults[0] };

/* The traits that a column is found in, the first that is there. */
static const struct {
	const char *column;
	const char *traits[10];
} usual_names[] = {
	{"email", {"email"}},
	{"phone", {"phone"}},
	{"name", {"name"}},
	{"push_token",
     {"push_token", "pushToken", "device_token", "deviceToken", "device_tokens", "deviceTokens",
      "push_tokens", "pushTokens"}},
	{"ad_id", {"ad_id", "adId", "advertising_id", "advertisingId", "idfa", "gaid"}},
};
enum { USUAL_COUNT = sizeof usual_names / sizeof usual_names[0] };

/* ---- Columns ---- */

static enum status add_column(struct audience_columns *columns, unsigned at, struct json name,
                              struct error *err)
{
	char field[32];
	snprintf(field, sizeof field, "params.columns[%u]", at);
	if (json_type(name) != JSON_STRING || json_string(name).length == 0 ||
	    json_string(name).length > AUDIENCE_COLUMN_NAME_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, field, "A column is a name of 1 to %d bytes",
		                       AUDIENCE_COLUMN_NAME_BYTES_MAX);
	if (at == AUDIENCE_COLUMNS_MAX)
		return error_set_field(err, STATUS_INVALID, "params.columns", "There are more than %d",
		                       AUDIENCE_COLUMNS_MAX);
	for (unsigned i = 0; i < columns->count; i++)
		if (text_equal(columns->names[i], json_string(name)))
			return error_set_field(err, STATUS_INVALID, field, "It stands there twice");
	columns->names[columns->count++] = json_string(name);
	return STATUS_OK;
}

enum status audience_columns_read(struct json value, struct audience_columns *ret_columns,
                                  struct error *err)
{
	*ret_columns       = (struct audience_columns){0};
	enum status status = STATUS_OK;
	if (json_type(value) == JSON_NONE || json_type(value) == JSON_NULL) {
		for (unsigned i = 0; i < DEFAULT_COUNT; i++)
			ret_columns->names[ret_columns->count++] = text_of(defaults[i]);
		return STATUS_OK;
	}
	if (json_type(value) != JSON_ARRAY)
		return error_set_field(err, STATUS_INVALID, "params.columns", "It is an array of names");
	unsigned at = 0;
	for (struct json_iterator i = json_iterate(value); status == STATUS_OK && json_next(&i); at++)
		status = add_column(ret_columns, at, i.value, err);
	if (status == STATUS_OK && ret_columns->count == 0)
		return error_set_field(err, STATUS_INVALID, "params.columns", "There must be one at least");
	return status;
}

/* ---- Values ---- */

struct subject {
	const struct vault_id    *id;
	const struct view_person *view;
	struct text               personal;
};

static bool is_there(const struct value *value)
{
	return value->type != VALUE_NONE && value->type != VALUE_NULL;
}

static struct value trait(const struct subject *subject, struct text name)
{
	uint32_t     hash  = hash_name(name);
	struct value value = value_find(subject->view->traits, name, hash);
	return value_is_personal(&value) ? value_find(subject->personal, name, hash) : value;
}

static struct value usual_trait(const struct subject *subject, struct text column)
{
	for (unsigned i = 0; i < USUAL_COUNT; i++) {
		if (!text_equal(column, text_of(usual_names[i].column)))
			continue;
		for (const char *const *name = usual_names[i].traits; *name != NULL; name++) {
			struct value value = trait(subject, text_of(*name));
			if (is_there(&value))
				return value;
		}
		return (struct value){.type = VALUE_NULL};
	}
	return trait(subject, column);
}

static struct value of_text(struct text text)
{
	return (struct value){.type = text.length == 0 ? VALUE_NULL : VALUE_STRING, .text = text};
}

static struct value of_instant(int64_t ms, char into[INSTANT_TEXT_BYTES])
{
	return of_text(ms == INSTANT_MS_NONE ? TEXT("") : instant_format(ms, into));
}

static struct value cell(const struct subject *subject, struct text column,
                         char instant[INSTANT_TEXT_BYTES])
{
	const struct vault_id *id = subject->id;
	if (text_equal(column, TEXT("user_id")))
		return of_text(id->namespace == VAULT_USER ? id->id : TEXT(""));
	if (text_equal(column, TEXT("anonymous_id")))
		return of_text(id->namespace == VAULT_ANONYMOUS ? id->id : TEXT(""));
	if (text_equal(column, TEXT("created_at")) &&
	    trait(subject, column).type != VALUE_STRING) /* a trait of that name says more */
		return of_instant(subject->view->created_ms, instant);
	if (text_equal(column, TEXT("last_active_at")))
		return of_instant(subject->view->last_active_ms, instant);
	return usual_trait(subject, column);
}

/* ---- CSV ---- */

static void add_csv(struct buffer *out, const struct value *value)
{
	struct buffer      text   = {0};
	struct json_writer writer = json_writer_of(&text);
	if (!is_there(value))
		return;
	switch (value->type) {
	case VALUE_STRING:
		csv_add_text(out, value->text);
		return;
	case VALUE_STRING_SET: {
		struct byte_reader set = byte_reader_of(value->text.data, value->text.length);
		for (struct text item; value_set_next(&set, &item);) {
			if (text.length > 0)
				buffer_add_u8(&text, ';');
			buffer_add_text(&text, item);
		}
		csv_add_text(out, buffer_text(&text));
		break;
	}
	default:
		value_write_json(&writer, value);
		csv_add_field(out, buffer_text(&text));
		break;
	}
	buffer_done(&text);
}

void audience_write_head(const struct audience_columns *columns, enum export_format format,
                         struct buffer *out)
{
	if (format != EXPORT_CSV)
		return;
	for (unsigned i = 0; i < columns->count; i++) {
		if (i > 0)
			buffer_add_u8(out, ',');
		csv_add_text(out, columns->names[i]);
	}
	buffer_add_text(out, TEXT("\r\n"));
}

static void write_csv(const struct audience_columns *columns, const struct subject *subject,
                      struct buffer *out)
{
	char instant[INSTANT_TEXT_BYTES];
	for (unsigned i = 0; i < columns->count; i++) {
		struct value value = cell(subject, columns->names[i], instant);
		if (i > 0)
			buffer_add_u8(out, ',');
		add_csv(out, &value);
	}
	buffer_add_text(out, TEXT("\r\n"));
}

static void write_json(const struct audience_columns *columns, const struct subject *subject,
                       struct buffer *out)
{
	char               instant[INSTANT_TEXT_BYTES];
	struct json_writer writer = json_writer_of(out);
	json_begin_object(&writer);
	for (unsigned i = 0; i < columns->count; i++) {
		struct value value = cell(subject, columns->names[i], instant);
		json_add_key(&writer, columns->names[i]);
		if (!is_there(&value))
			json_add_null(&writer);
		else
			value_write_json(&writer, &value);
	}
	json_end_object(&writer);
	buffer_add_u8(out, '\n');
}

enum status audience_write_row(struct export_writer *writer, const struct audience_columns *columns,
                               const struct export_profile *profile, struct buffer *out,
                               bool *ret_written, struct error *err)
{
	struct subject subject = {.view = &profile->view};
	enum status status = export_writer_open(writer, profile, &subject.id, &subject.personal, err);
	*ret_written       = status == STATUS_OK && subject.id != NULL;
	if (!*ret_written)
		return status;
	if (writer->format == EXPORT_CSV)
		write_csv(columns, &subject, out);
	else
		write_json(columns, &subject, out);
	return STATUS_OK;
}
