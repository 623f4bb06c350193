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
	sift->shape = 0;
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

/* ---- The shape ---- */

enum { SHAPE_ENTERS = 1 << 8 }; /* an object; its own entry follows what is within */

/* FxHash (of Firefox): who uses the shape mixes it once more. */
static inline void mix(struct sift *sift, uint64_t what)
{
	sift->shape = ((sift->shape << 5 | sift->shape >> 59) ^ what) * UINT64_C(0x517cc1b727220a95);
}

/* The entry that begins at `at` in `out`, with the hash of its name (model/value.h). */
static inline void watch(struct sift *sift, const struct buffer *out, size_t at,
                         enum observed_kind kind)
{
	uint32_t hash;
	if (!sift->watching)
		return;
	memcpy(&hash, out->data + at, sizeof hash);
	mix(sift, hash | (uint64_t)kind << 32);
}

/* Of what is no array and no object. */
static enum observed_kind kind_of(const struct value *value)
{
	static const uint8_t kinds[VALUE_TYPE_COUNT] = {
		[VALUE_FALSE]  = OBSERVED_BOOLEAN,
		[VALUE_TRUE]   = OBSERVED_BOOLEAN,
		[VALUE_INT]    = OBSERVED_NUMBER,
		[VALUE_UINT]   = OBSERVED_NUMBER,
		[VALUE_DOUBLE] = OBSERVED_NUMBER,
		[VALUE_STRING] = OBSERVED_STRING,

		[VALUE_STRING_SET] = OBSERVED_STRING_SET,
	};
	return (enum observed_kind)kinds[value->type];
}

/* ---- Values ---- */

/* Whether a value is sealed: of its name, of its class, or for being `long_text`. */
static bool is_sealed(const struct sift *sift, struct text path, bool scalar, bool long_text)
{
	switch (classes_find(sift->classes, sift->place, path)) {
	case CLASS_PERSONAL:
		return true;
	case CLASS_FREE_TEXT:
		return !scalar || personal_by_name(sift->place, path);
	case CLASS_PLAIN:
		return personal_by_name(sift->place, path);
	case CLASS_NOT_PERSONAL:
		return false;
	default:
		return long_text || personal_by_name(sift->place, path);
	}
}

static void add_text(struct sift *sift, struct buffer *out, struct text name, struct text text)
{
	struct value value = {.type = VALUE_STRING, .text = text};
	struct text  path  = path_of(sift, name);
	size_t       at    = out->length;
	if (is_sealed(sift, path, false, text.length > PERSONAL_TEXT_BYTES_MAX)) {
		value_add(&sift->personal, path, &value);
		add_personal_entry(sift, out, name);
	} else {
		value_add(out, name, &value);
	}
	watch(sift, out, at, OBSERVED_STRING);
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
	size_t       at    = out->length;
	if (value.type != VALUE_NULL && is_sealed(sift, path, true, false)) {
		value_add(&sift->personal, path, &value);
		add_personal_entry(sift, out, name);
	} else {
		value_add(out, name, &value);
	}
	watch(sift, out, at, kind_of(&value));
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
	size_t      at = out->length;
	if (personal || is_sealed(sift, path_of(sift, name), false,
	                          scan.text_bytes_max > PERSONAL_TEXT_BYTES_MAX)) {
		status = value_add_json(&sift->personal, path_of(sift, name), json, NULL);
		add_personal_entry(sift, out, name);
	} else {
		status = value_add_json(out, name, json, NULL);
	}
	/* It can only fail for what was looked at above. */
	assert(status == STATUS_OK);
	if (sift->watching)
		watch(sift, out, at, plan_kind_of(json));
	return INGEST_ACCEPTED;
}

/* ---- Members ---- */

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
	size_t   begin = value_list_begin(nested);
	unsigned count = 0;
	size_t   outer = enter(sift, name);
	if (sift->watching)
		mix(sift, SHAPE_ENTERS);
	enum ingest_code code = add_members(sift, nested, object, depth + 1, &count);
	sift->path.length     = outer;
	if (code != INGEST_ACCEPTED)
		return code;

	size_t at = out->length;
	value_list_end(nested, begin, count);
	value_add(out, name, &(struct value){.type = VALUE_OBJECT, .text = buffer_text(nested)});
	watch(sift, out, at, OBSERVED_OBJECT);
	return INGEST_ACCEPTED;
}

static enum ingest_code add_json(struct sift *sift, struct buffer *out, struct text name,
                                 struct json value, unsigned depth)
{
	bool personal;
	switch (json_type(value)) {
	case JSON_STRING:
		add_text(sift, out, name, json_string(value));
		return INGEST_ACCEPTED;
	case JSON_ARRAY:
	case JSON_OBJECT:
		personal = is_sealed(sift, path_of(sift, name),
		                     json_type(value) == JSON_OBJECT &&
		                         classes_find(sift->classes, sift->place, path_of(sift, name)) !=
		                             CLASS_FREE_TEXT,
		                     false);
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

/* ---- What a plan makes of them ---- */

static bool is_long(const struct value *value)
{
	struct byte_reader items = byte_reader_of(value->text.data, value->text.length);
	if (value->type == VALUE_STRING)
		return value->text.length > PERSONAL_TEXT_BYTES_MAX;
	if (value->type != VALUE_STRING_SET)
		return false;
	for (struct text item; value_set_next(&items, &item);)
		if (item.length > PERSONAL_TEXT_BYTES_MAX)
			return true;
	return false;
}

static void add_coerced(struct sift *sift, struct buffer *out, struct text name,
                        const struct value *value)
{
	size_t      at   = out->length;
	struct text path = path_of(sift, name);
	bool        text = value->type == VALUE_STRING || value->type == VALUE_STRING_SET;
	if (is_sealed(sift, path, !text, is_long(value))) {
		value_add(&sift->personal, path, value);
		add_personal_entry(sift, out, name);
	} else {
		value_add(out, name, value);
	}
	watch(sift, out, at, kind_of(value));
}

static enum ingest_code add_checked(struct sift *sift, struct buffer *out, struct text name,
                                    struct json value, unsigned depth)
{
	struct value     coerced;
	enum ingest_code code;
	switch (plan_check_member(sift->check, path_of(sift, name), value, &coerced)) {
	case PLAN_COERCED:
		add_coerced(sift, out, name, &coerced);
		return INGEST_ACCEPTED;
	case PLAN_FREE:
		sift->check->free_depth++;
		code = add_json(sift, out, name, value, depth);
		sift->check->free_depth--;
		return code;
	default:
		return add_json(sift, out, name, value, depth);
	}
}

static enum ingest_code add_member(struct sift *sift, struct buffer *out, struct text name,
                                   struct json value, unsigned depth)
{
	return sift->check == NULL ? add_json(sift, out, name, value, depth)
	                           : add_checked(sift, out, name, value, depth);
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

void sift_add_bool(struct sift *sift, struct text name, bool value)
{
	const struct value added = {.type = value ? VALUE_TRUE : VALUE_FALSE};
	size_t             at    = sift->out->length;
	sift->count++;
	value_add(sift->out, name, &added);
	watch(sift, sift->out, at, kind_of(&added));
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
