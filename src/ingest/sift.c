#include "ingest/sift.h"

#include <assert.h>

#include "ingest/tape.h"

void sift_init(struct sift *sift, enum personal_place place)
{
	*sift = (struct sift){.place = place};
}

void sift_done(struct sift *sift)
{
	buffer_done(&sift->personal);
	buffer_done(&sift->path);
	for (unsigned i = 0; i < VALUE_DEPTH_MAX; i++)
		buffer_done(&sift->nested[i]);
}

void sift_begin(struct sift *sift, struct buffer *out)
{
	buffer_clear(&sift->personal);
	buffer_clear(&sift->path);
	sift->personal_begin = value_list_begin(&sift->personal);
	sift->personal_count = 0;
	sift->out            = out;
	sift->begin          = value_list_begin(out);
	sift->count          = 0;
}

void sift_end(struct sift *sift)
{
	value_list_end(sift->out, sift->begin, sift->count);
	value_list_end(&sift->personal, sift->personal_begin, sift->personal_count);
}

/* The dotted path of a member of the object that is walked; gone at the next call. */
static struct text path_of(struct sift *sift, struct text name)
{
	size_t outer = sift->path.length;
	if (outer == 0)
		return name;
	buffer_add_u8(&sift->path, '.');
	buffer_add_text(&sift->path, name);
	struct text path  = buffer_text(&sift->path);
	sift->path.length = outer;
	return path;
}

static void add_personal_entry(struct sift *sift, struct buffer *out, struct text name)
{
	static const struct value personal = {.type = VALUE_PERSONAL};
	value_add(out, name, &personal);
	sift->personal_count++;
}

static void add_text(struct sift *sift, struct buffer *out, struct text name, struct text text)
{
	struct value value = {.type = VALUE_STRING, .text = text};
	struct text  path  = path_of(sift, name);
	if (text.length > PERSONAL_TEXT_BYTES_MAX || personal_by_name(sift->place, path)) {
		value_add(&sift->personal, path, &value);
		add_personal_entry(sift, out, name);
	} else {
		value_add(out, name, &value);
	}
}

static struct value scalar_of(struct json json)
{
	switch (json_type(json)) {
	case JSON_INT:
		return (struct value){.type = VALUE_INT, .integer = json_int(json)};
	case JSON_UINT:
		return (struct value){.type = VALUE_UINT, .unsigned_integer = json_uint(json)};
	case JSON_DOUBLE:
		return (struct value){.type = VALUE_DOUBLE, .number = json_number(json)};
	case JSON_BOOL:
		return (struct value){.type = json_bool(json) ? VALUE_TRUE : VALUE_FALSE};
	default:
		return (struct value){.type = VALUE_NULL};
	}
}

static void add_scalar(struct sift *sift, struct buffer *out, struct text name, struct json json)
{
	struct value value = scalar_of(json);
	struct text  path  = path_of(sift, name);
	if (value.type != VALUE_NULL && personal_by_name(sift->place, path)) {
		value_add(&sift->personal, path, &value);
		add_personal_entry(sift, out, name);
	} else {
		value_add(out, name, &value);
	}
}

/* An array, or an object that is personal by its name, as one value. `depth` is that of the list in
 * which it stands. */
static enum ingest_code add_whole(struct sift *sift, struct buffer *out, struct text name,
                                  struct json json, bool personal, unsigned depth)
{
	struct tape_scan scan = tape_scan(json);
	if (scan.overflow)
		return INGEST_INVALID_NUMBER;
	if (depth + scan.depth > VALUE_DEPTH_MAX)
		return INGEST_TOO_DEEP;

	enum status status;
	if (personal || scan.text_bytes_max > PERSONAL_TEXT_BYTES_MAX) {
		status = value_add_json(&sift->personal, path_of(sift, name), json, NULL);
		add_personal_entry(sift, out, name);
	} else {
		status = value_add_json(out, name, json, NULL);
	}
	/* It can only fail for what was looked at above. */
	assert(status == STATUS_OK);
	return INGEST_ACCEPTED;
}

static enum ingest_code add_member(struct sift *sift, struct buffer *out, struct text name,
                                   struct json value, unsigned depth);

static enum ingest_code add_members(struct sift *sift, struct buffer *out, struct json object,
                                    unsigned depth, unsigned *count)
{
	for (struct json_iterator i = json_iterate(object); json_next(&i); (*count)++) {
		enum ingest_code code = add_member(sift, out, i.name, i.value, depth);
		if (code != INGEST_ACCEPTED)
			return code;
	}
	return INGEST_ACCEPTED;
}

static size_t enter(struct sift *sift, struct text name)
{
	size_t outer = sift->path.length;
	if (outer > 0)
		buffer_add_u8(&sift->path, '.');
	buffer_add_text(&sift->path, name);
	return outer;
}

static enum ingest_code add_object(struct sift *sift, struct buffer *out, struct text name,
                                   struct json object, unsigned depth)
{
	if (depth >= VALUE_DEPTH_MAX)
		return INGEST_TOO_DEEP;

	struct buffer *nested = &sift->nested[depth];
	buffer_clear(nested);
	size_t           begin = value_list_begin(nested);
	unsigned         count = 0;
	size_t           outer = enter(sift, name);
	enum ingest_code code  = add_members(sift, nested, object, depth + 1, &count);
	sift->path.length      = outer;
	if (code != INGEST_ACCEPTED)
		return code;

	value_list_end(nested, begin, count);
	value_add(out, name, &(struct value){.type = VALUE_OBJECT, .text = buffer_text(nested)});
	return INGEST_ACCEPTED;
}

static enum ingest_code add_member(struct sift *sift, struct buffer *out, struct text name,
                                   struct json value, unsigned depth)
{
	bool personal;
	switch (json_type(value)) {
	case JSON_STRING:
		add_text(sift, out, name, json_string(value));
		return INGEST_ACCEPTED;
	case JSON_ARRAY:
	case JSON_OBJECT:
		personal = personal_by_name(sift->place, path_of(sift, name));
		if (personal || json_type(value) == JSON_ARRAY)
			return add_whole(sift, out, name, value, personal, depth);
		return add_object(sift, out, name, value, depth);
	case JSON_OVERFLOW:
		return INGEST_INVALID_NUMBER;
	default:
		add_scalar(sift, out, name, value);
		return INGEST_ACCEPTED;
	}
}

enum ingest_code sift_add(struct sift *sift, struct text name, struct json value)
{
	sift->count++;
	return add_member(sift, sift->out, name, value, 0);
}

void sift_add_text(struct sift *sift, struct text name, struct text value)
{
	sift->count++;
	add_text(sift, sift->out, name, value);
}

void sift_add_nested_text(struct sift *sift, struct text name, struct text inner, struct text value)
{
	struct buffer *nested = &sift->nested[0];
	buffer_clear(nested);
	size_t begin = value_list_begin(nested);
	size_t outer = enter(sift, name);
	add_text(sift, nested, inner, value);
	sift->path.length = outer;
	value_list_end(nested, begin, 1);

	sift->count++;
	value_add(sift->out, name, &(struct value){.type = VALUE_OBJECT, .text = buffer_text(nested)});
}
