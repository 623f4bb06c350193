/* Checks a message against its source's plan, and coerces what is of another type than declared. */

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/instant.h"
#include "ingest/plan_internal.h"

enum { NUMBER_TEXT_BYTES_MAX = 40, EXACT_DIGITS = DBL_DIG };

#define WHOLE_MAX 9007199254740992.0 /* 2^53 */

void plan_check_done(struct plan_check *check) { buffer_done(&check->scratch); }

void plan_check_begin(struct plan_check *check, const struct plan_event *event, struct text name,
                      struct arena *arena)
{
	check->event           = event;
	check->event_name      = name;
	check->arena           = arena;
	check->violation_count = 0;
	check->rejecting       = 0;
	check->free_depth      = 0;
	if (event != NULL)
		memset(check->seen, 0, (event->required_count + 7) / 8);
}

/* ---- Violations ---- */

static void note(struct plan_check *check, const struct plan_violation *violation)
{
	if (check->violation_count == PLAN_VIOLATIONS_MAX) {
		/* What rejects is always told of. */
		if (!violation->rejects || plan_check_rejects(check))
			return;
		check->rejecting                    = PLAN_VIOLATIONS_MAX - 1;
		check->violations[check->rejecting] = *violation;
		return;
	}
	bool rejected                               = plan_check_rejects(check);
	check->violations[check->violation_count++] = *violation;
	if (!rejected)
		check->rejecting = check->violation_count - violation->rejects;
}

void plan_check_unplanned(struct plan_check *check, enum plan_action action)
{
	if (action != PLAN_ALLOWED)
		note(check, &(struct plan_violation){.kind    = OBSERVED_UNPLANNED_EVENT,
		                                     .event   = plan_shown(check->event_name),
		                                     .rejects = action == PLAN_REJECTED});
}

static void note_of(struct plan_check *check, enum observed_kind kind,
                    const struct plan_property *property, enum observed_kind got)
{
	note(check, &(struct plan_violation){.kind     = kind,
	                                     .event    = check->event->name,
	                                     .property = property->name,
	                                     .wanted   = property->type,
	                                     .got      = got,
	                                     .rejects  = check->event->violations == PLAN_REJECTED});
}

static void note_additional(struct plan_check *check, struct text path)
{
	enum plan_action action = check->event->additional;
	if (action == PLAN_ALLOWED || check->free_depth > 0)
		return;
	note(check, &(struct plan_violation){.kind     = OBSERVED_UNPLANNED_PROPERTY,
	                                     .event    = check->event->name,
	                                     .property = arena_text(check->arena, plan_shown(path)),
	                                     .rejects  = action == PLAN_REJECTED});
}

struct text plan_shown(struct text name)
{
	bool hidden = name.length > OBSERVED_NAME_BYTES_MAX ||
	              (name.length > 0 && memchr(name.data, '@', name.length) != NULL);
	return hidden ? TEXT("***") : name;
}

struct text plan_describe(const struct plan_violation *violation, char into[PLAN_REASON_BYTES_MAX])
{
	const char *phrase = "";
	char        wrong[128];
	switch (violation->kind) {
	case OBSERVED_UNPLANNED_EVENT:
		snprintf(into, PLAN_REASON_BYTES_MAX, "event \"%.*s\" is not in the tracking plan",
		         TEXT_FORMAT(violation->event));
		return text_of(into);
	case OBSERVED_UNPLANNED_PROPERTY:
		phrase = "is not in the tracking plan";
		break;
	case OBSERVED_MISSING:
		phrase = "is missing";
		break;
	case OBSERVED_WRONG_VALUE:
		phrase = "is none of the values that the tracking plan allows";
		break;
	default:
		assert(violation->kind == OBSERVED_WRONG_TYPE);
		snprintf(wrong, sizeof wrong, "must be %s, %s came", plan_type_phrase(violation->wanted),
		         observed_kind_phrase(violation->got));
		phrase = wrong;
	}
	snprintf(into, PLAN_REASON_BYTES_MAX, "event \"%.*s\": property \"%.*s\" %s",
	         TEXT_FORMAT(violation->event), TEXT_FORMAT(violation->property), phrase);
	return text_of(into);
}

/* ---- Types ---- */

static bool only_strings(struct json array)
{
	for (struct json_iterator i = json_iterate(array); json_next(&i);)
		if (json_type(i.value) != JSON_STRING)
			return false;
	return true;
}

enum observed_kind plan_kind_of(struct json value)
{
	switch (json_type(value)) {
	case JSON_BOOL:
		return OBSERVED_BOOLEAN;
	case JSON_INT:
	case JSON_UINT:
	case JSON_DOUBLE:
	case JSON_OVERFLOW:
		return OBSERVED_NUMBER;
	case JSON_STRING:
		return OBSERVED_STRING;
	case JSON_OBJECT:
		return OBSERVED_OBJECT;
	case JSON_ARRAY:
		if (json_count(value) == 0)
			return OBSERVED_NOTHING;
		return only_strings(value) ? OBSERVED_STRING_SET : OBSERVED_ARRAY;
	default:
		return OBSERVED_NOTHING;
	}
}

/* ---- Coercion ---- */

static size_t digits(const char *text, size_t at)
{
	while (text[at] >= '0' && text[at] <= '9')
		at++;
	return at;
}

/* Significant digits of a mantissa. */
static unsigned significant(const char *text, size_t end)
{
	unsigned count = 0, zeros = 0;
	for (size_t i = 0; i < end; i++) {
		if (text[i] < '0' || text[i] > '9')
			continue;
		if (text[i] == '0' && count == 0)
			continue; /* leading */
		zeros = text[i] == '0' ? zeros + 1 : 0;
		count++;
	}
	return count - zeros;
}

static bool whole_of(const char *text, size_t length, struct value *ret)
{
	uint64_t number   = 0;
	bool     negative = text[0] == '-';
	for (size_t i = negative; i < length; i++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
			return false;
	if (number > (uint64_t)INT64_MAX) {
		*ret = (struct value){.type = VALUE_UINT, .unsigned_integer = number};
		return !negative;
	}
	*ret =
		(struct value){.type = VALUE_INT, .integer = negative ? -(int64_t)number : (int64_t)number};
	return true;
}

static bool decimal_of_text(const char *text, size_t mantissa_end, struct value *ret)
{
	unsigned count  = significant(text, mantissa_end);
	double   number = strtod(text, NULL);
	if (count > EXACT_DIGITS || !isfinite(number) || (count > 0 && fabs(number) < DBL_MIN))
		return false;
	*ret = (struct value){.type = VALUE_DOUBLE, .number = number};
	return true;
}

/* A JSON number that can be read without loss. */
static bool number_of_text(struct text from, struct value *ret)
{
	char text[NUMBER_TEXT_BYTES_MAX + 1];
	if (from.length == 0 || from.length > NUMBER_TEXT_BYTES_MAX)
		return false;
	memcpy(text, from.data, from.length);
	text[from.length] = '\0';

	size_t begin = text[0] == '-', at = digits(text, begin);
	if (at == begin || (text[begin] == '0' && at > begin + 1))
		return false;
	if (at == from.length)
		return whole_of(text, from.length, ret);
	if (text[at] == '.') {
		size_t fraction = at + 1;
		at              = digits(text, fraction);
		if (at == fraction)
			return false;
	}
	size_t mantissa_end = at;
	if (text[at] == 'e' || text[at] == 'E') {
		size_t exponent = at + 1 + (text[at + 1] == '+' || text[at + 1] == '-');
		at              = digits(text, exponent);
		if (at == exponent)
			return false;
	}
	return at == from.length && decimal_of_text(text, mantissa_end, ret);
}

static bool to_number(struct json value, struct value *ret)
{
	return json_type(value) == JSON_STRING && number_of_text(json_string(value), ret);
}

static bool make_whole(struct value *value)
{
	if (value->type == VALUE_INT || value->type == VALUE_UINT)
		return true;
	if (floor(value->number) != value->number || fabs(value->number) > WHOLE_MAX)
		return false;
	*value = (struct value){.type = VALUE_INT, .integer = (int64_t)value->number};
	return true;
}

static bool to_integer(struct json value, struct value *ret)
{
	if (json_type(value) == JSON_DOUBLE)
		*ret = (struct value){.type = VALUE_DOUBLE, .number = json_number(value)};
	else if (!to_number(value, ret))
		return false;
	return make_whole(ret);
}

static bool to_boolean(struct json value, struct value *ret)
{
	struct text text = json_type(value) == JSON_STRING ? json_string(value) : TEXT("");
	bool        yes  = text_equal(text, TEXT("true"));
	*ret             = (struct value){.type = yes ? VALUE_TRUE : VALUE_FALSE};
	return yes || text_equal(text, TEXT("false"));
}

/* Of a string, number or boolean, in the arena. */
static bool text_of_scalar(struct plan_check *check, struct json value, struct text *ret)
{
	if (json_type(value) == JSON_STRING) {
		*ret = json_string(value);
		return true;
	}
	if (!json_is_number(value) && json_type(value) != JSON_BOOL)
		return false;
	struct json_writer writer = json_writer_of(&check->scratch);
	buffer_clear(&check->scratch);
	json_add_value(&writer, value);
	*ret = arena_text(check->arena, buffer_text(&check->scratch));
	return true;
}

static bool to_string(struct plan_check *check, struct json value, struct value *ret)
{
	*ret = (struct value){.type = VALUE_STRING};
	return text_of_scalar(check, value, &ret->text);
}

static bool to_time(struct plan_check *check, struct json value, struct value *ret)
{
	char text[INSTANT_TEXT_BYTES];
	if (!json_is_number(value))
		return false;
	double ms = json_number(value);
	if (floor(ms) != ms || ms < (double)PLAN_EPOCH_MS_MIN || ms > (double)INSTANT_MS_MAX)
		return false;
	*ret = (struct value){
		.type = VALUE_STRING,
		.text = arena_text(check->arena, instant_format((int64_t)ms, text)),
	};
	return true;
}

static bool to_set(struct plan_check *check, struct json value, struct value *ret)
{
	struct buffer items = {0};
	struct text   text;
	bool          fits = true;
	if (json_type(value) == JSON_STRING) {
		buffer_add_sized(&items, json_string(value));
	} else {
		fits = json_type(value) == JSON_ARRAY;
		for (struct json_iterator i = json_iterate(value); fits && json_next(&i);) {
			fits = text_of_scalar(check, i.value, &text);
			if (fits)
				buffer_add_sized(&items, text);
		}
	}
	if (fits)
		*ret = (struct value){.type = VALUE_STRING_SET,
		                      .text = arena_text(check->arena, buffer_text(&items))};
	buffer_done(&items);
	return fits;
}

static bool is_of_type(enum plan_type type, struct json value)
{
	int64_t ms;
	switch (type) {
	case PLAN_ANY:
		return true;
	case PLAN_STRING:
		return json_type(value) == JSON_STRING;
	case PLAN_NUMBER:
		return json_is_number(value);
	case PLAN_INTEGER:
		return json_type(value) == JSON_INT || json_type(value) == JSON_UINT;
	case PLAN_BOOLEAN:
		return json_type(value) == JSON_BOOL;
	case PLAN_TIME:
		return json_type(value) == JSON_STRING && instant_parse(json_string(value), &ms);
	case PLAN_STRING_SET:
		return json_type(value) == JSON_ARRAY && only_strings(value);
	case PLAN_ARRAY:
		return json_type(value) == JSON_ARRAY;
	default:
		return json_type(value) == JSON_OBJECT;
	}
}

static bool coerce(struct plan_check *check, enum plan_type type, struct json value,
                   struct value *ret)
{
	switch (type) {
	case PLAN_STRING:
		return to_string(check, value, ret);
	case PLAN_NUMBER:
		return to_number(value, ret);
	case PLAN_INTEGER:
		return to_integer(value, ret);
	case PLAN_BOOLEAN:
		return to_boolean(value, ret);
	case PLAN_TIME:
		return to_time(check, value, ret);
	case PLAN_STRING_SET:
		return to_set(check, value, ret);
	default:
		return false;
	}
}

/* ---- Values allowed ---- */

static bool allows_text(const struct plan_property *property, struct text text)
{
	for (size_t i = 0; i < property->value_count; i++)
		if (property->values[i].text && text_equal(property->values[i].string, text))
			return true;
	return false;
}

static bool allows_number(const struct plan_property *property, double number)
{
	for (size_t i = 0; i < property->value_count; i++)
		if (!property->values[i].text && property->values[i].number == number)
			return true;
	return false;
}

static bool allows_json(const struct plan_property *property, struct json value)
{
	if (json_type(value) == JSON_STRING)
		return allows_text(property, json_string(value));
	if (json_is_number(value))
		return allows_number(property, json_number(value));
	for (struct json_iterator i = json_iterate(value); json_next(&i);)
		if (!allows_text(property, json_string(i.value)))
			return false;
	return true;
}

static bool allows_value(const struct plan_property *property, const struct value *value)
{
	double number;
	if (value->type == VALUE_STRING)
		return allows_text(property, value->text);
	if (value_number(value, &number))
		return allows_number(property, number);
	struct byte_reader items = byte_reader_of(value->text.data, value->text.length);
	for (struct text item; value_set_next(&items, &item);)
		if (!allows_text(property, item))
			return false;
	return true;
}

/* ---- Members ---- */

static void see(struct plan_check *check, const struct plan_property *property, bool present)
{
	uint8_t bit = (uint8_t)(1 << property->place % 8);
	if (!property->required)
		return;
	if (present)
		check->seen[property->place / 8] |= bit;
	else
		check->seen[property->place / 8] &= (uint8_t)~bit;
}

static bool is_open(enum plan_type type) { return type == PLAN_ANY || type == PLAN_OBJECT; }

enum plan_verdict plan_check_member(struct plan_check *check, struct text path, struct json value,
                                    struct value *ret_value)
{
	const struct plan_property *property = map_text_get(&check->event->properties, path);
	bool                        null     = json_type(value) == JSON_NULL;
	if (property == NULL || (!property->declared && json_type(value) != JSON_OBJECT)) {
		if (!null)
			note_additional(check, path);
		return PLAN_FREE;
	}
	if (!property->declared)
		return PLAN_AS_IS;
	see(check, property, !null);
	if (null)
		return PLAN_FREE;

	bool as_is   = is_of_type(property->type, value);
	bool coerced = !as_is && coerce(check, property->type, value, ret_value);
	if (!as_is && !coerced)
		note_of(check, OBSERVED_WRONG_TYPE, property, plan_kind_of(value));
	else if (property->value_count > 0 &&
	         !(as_is ? allows_json(property, value) : allows_value(property, ret_value)))
		note_of(check, OBSERVED_WRONG_VALUE, property, OBSERVED_NOTHING);
	if (coerced)
		return PLAN_COERCED;
	return as_is && !is_open(property->type) ? PLAN_AS_IS : PLAN_FREE;
}

void plan_check_end(struct plan_check *check)
{
	if (check->event == NULL)
		return;
	for (unsigned i = 0; i < check->event->required_count; i++)
		if ((check->seen[i / 8] & (1 << i % 8)) == 0)
			note_of(check, OBSERVED_MISSING, check->event->required[i], OBSERVED_NOTHING);
}
