#include "ingest/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ingest/plan_internal.h"
#include "model/personal.h"
#include "model/rules.h"

/* Where in the plan: "events[2].properties[0]". */
struct place {
	char text[ERROR_FIELD_BYTES_MAX];
};

const char *plan_type_name(enum plan_type type)
{
	static const char *const names[] = {
#define X(name, text, phrase) text,
		PLAN_TYPES(X)
#undef X
	};
	return names[type];
}

const char *plan_type_phrase(enum plan_type type)
{
	static const char *const phrases[] = {
#define X(name, text, phrase) phrase,
		PLAN_TYPES(X)
#undef X
	};
	return phrases[type];
}

/* ---- Reading one thing ---- */

static struct place within(const struct place *place, const char *member)
{
	struct place inner = *place;
	size_t       at    = strlen(inner.text);
	snprintf(inner.text + at, sizeof inner.text - at, "%s%s", at > 0 && member[0] != '[' ? "." : "",
	         member);
	return inner;
}

static struct place within_list(const struct place *place, const char *member, size_t index)
{
	char text[64];
	snprintf(text, sizeof text, "%s[%zu]", member, index);
	return within(place, text);
}

static enum status refuse(const struct place *place, const char *member, const char *reason,
                          struct error *err)
{
	struct place inner = member[0] == '\0' ? *place : within(place, member);
	return error_set_field(err, STATUS_INVALID, inner.text, "%s", reason);
}

static enum status only(struct json object, const struct place *place, const char *const *known,
                        struct error *err)
{
	if (json_type(object) != JSON_OBJECT)
		return refuse(place, "", "It must be an object", err);
	for (struct json_iterator i = json_iterate(object); json_next(&i);) {
		size_t at = 0;
		while (known[at] != NULL && !text_equal(i.name, text_of(known[at])))
			at++;
		if (known[at] != NULL)
			continue;
		char member[ERROR_FIELD_BYTES_MAX / 2];
		snprintf(member, sizeof member, "%.*s", TEXT_FORMAT(i.name));
		return refuse(place, member, "There is no such field here", err);
	}
	return STATUS_OK;
}

static struct json present(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_NULL ? (struct json){0} : value;
}

/* Absent: `*action` stays. */
static enum status read_action(struct json object, const struct place *place, const char *name,
                               enum plan_action lowest, enum plan_action *action, struct error *err)
{
	static const char *const names[] = {"allowed", "reported", "rejected"};
	struct json              value   = present(object, name);
	if (json_type(value) == JSON_NONE)
		return STATUS_OK;
	for (int i = lowest; i <= PLAN_REJECTED; i++)
		if (json_type(value) == JSON_STRING && text_equal(json_string(value), text_of(names[i]))) {
			*action = (enum plan_action)i;
			return STATUS_OK;
		}
	return refuse(place, name,
	              lowest == PLAN_ALLOWED ? "It must be allowed, reported or rejected"
	                                     : "It must be reported or rejected",
	              err);
}

static enum status check_description(struct json object, const struct place *place,
                                     struct error *err)
{
	struct json value = present(object, "description");
	if (json_type(value) == JSON_NONE || (json_type(value) == JSON_STRING &&
	                                      json_string(value).length <= PLAN_DESCRIPTION_BYTES_MAX))
		return STATUS_OK;
	return refuse(place, "description", "It must be a string of at most 1024 bytes", err);
}

static enum status read_name(struct json object, const struct place *place, struct text *ret_name,
                             struct error *err)
{
	struct json value = json_get(object, "name");
	if (json_type(value) != JSON_STRING || json_string(value).length == 0 ||
	    json_string(value).length > PLAN_NAME_BYTES_MAX)
		return refuse(place, "name", "It must be a string of 1 to 256 bytes", err);
	*ret_name = json_string(value);
	return STATUS_OK;
}

/* An array, or absent. */
static enum status check_list(struct json list, const struct place *place, const char *name,
                              size_t max, struct error *err)
{
	char reason[64];
	if (json_type(list) == JSON_NONE || (json_type(list) == JSON_ARRAY && json_count(list) <= max))
		return STATUS_OK;
	snprintf(reason, sizeof reason, "It must be an array of at most %zu", max);
	return refuse(place, name, reason, err);
}

/* ---- Properties ---- */

static enum status read_type(struct json object, const struct place *place, enum plan_type *ret,
                             struct error *err)
{
	struct json value = json_get(object, "type");
	for (int i = 0; i < PLAN_TYPE_COUNT; i++)
		if (json_type(value) == JSON_STRING &&
		    text_equal(json_string(value), text_of(plan_type_name((enum plan_type)i)))) {
			*ret = (enum plan_type)i;
			return STATUS_OK;
		}
	return refuse(place, "type",
	              "It must be string, number, integer, boolean, time, string_set, array, object "
	              "or any",
	              err);
}

static bool fits(enum plan_type type, struct json value)
{
	switch (type) {
	case PLAN_STRING:
	case PLAN_STRING_SET:
		return json_type(value) == JSON_STRING && json_string(value).length <= PLAN_NAME_BYTES_MAX;
	case PLAN_NUMBER:
		return json_is_number(value);
	case PLAN_INTEGER:
		return json_is_number(value) && floor(json_number(value)) == json_number(value);
	default:
		return false;
	}
}

static enum status read_enum(struct plan *plan, struct json object, const struct place *place,
                             struct plan_property *property, struct error *err)
{
	struct json list   = present(object, "enum");
	enum status status = check_list(list, place, "enum", PLAN_ENUM_MAX, err);
	if (status != STATUS_OK || json_type(list) == JSON_NONE)
		return status;
	if (property->type < PLAN_STRING || property->type == PLAN_BOOLEAN ||
	    property->type == PLAN_TIME || property->type > PLAN_STRING_SET)
		return refuse(place, "enum", "Only string, number, integer and string_set have one", err);
	if (json_count(list) == 0)
		return refuse(place, "enum", "Nothing would be allowed", err);

	property->values = ARENA_ARRAY(&plan->arena, struct plan_value, json_count(list));
	for (struct json_iterator i = json_iterate(list); json_next(&i);) {
		if (!fits(property->type, i.value)) {
			struct place item = within_list(place, "enum", property->value_count);
			return refuse(&item, "", "It is not of the property's type, or too long", err);
		}
		struct plan_value *value = &property->values[property->value_count++];
		value->text              = json_type(i.value) == JSON_STRING;
		if (value->text)
			value->string = arena_text(&plan->arena, json_string(i.value));
		else
			value->number = json_number(i.value);
	}
	return STATUS_OK;
}

/* "a" and "a.b" lead to "a.b.c". */
static void add_ways(struct plan *plan, struct plan_event *event, struct text name)
{
	for (size_t i = 1; i + 1 < name.length; i++) {
		struct text way = {name.data, i};
		if (name.data[i] != '.' || map_text_get(&event->properties, way) != NULL)
			continue;
		struct plan_property *property         = ARENA_NEW(&plan->arena, struct plan_property);
		property->name                         = arena_text(&plan->arena, way);
		*map_text_put(&event->properties, way) = property;
	}
}

/* Objects that are personal by their name are sealed as a whole. */
static enum status refuse_name(struct text name, bool traits, const struct place *place,
                               struct error *err)
{
	enum personal_place where = traits ? PERSONAL_IN_TRAITS : PERSONAL_IN_PROPERTIES;
	if (!traits && text_starts_with(name, TEXT("context.")))
		return refuse(place, "name", "The context is no part of a plan", err);
	for (size_t i = 1; i + 1 < name.length; i++)
		if (name.data[i] == '.' && personal_by_name(where, (struct text){name.data, i}))
			return refuse(place, "name", "It lies in an object that is sealed as a whole", err);
	return STATUS_OK;
}

static enum status read_property(struct plan *plan, struct plan_event *event, struct json object,
                                 bool traits, const struct place *place, struct error *err)
{
	static const char *const known[] = {"name", "description", "type", "required", "enum", NULL};
	struct text              name;
	enum status              status;
	struct json              required = present(object, "required");
	struct plan_property    *property = ARENA_NEW(&plan->arena, struct plan_property);
	if ((status = only(object, place, known, err)) != STATUS_OK ||
	    (status = read_name(object, place, &name, err)) != STATUS_OK ||
	    (status = refuse_name(name, traits, place, err)) != STATUS_OK ||
	    (status = check_description(object, place, err)) != STATUS_OK ||
	    (status = read_type(object, place, &property->type, err)) != STATUS_OK ||
	    (status = read_enum(plan, object, place, property, err)) != STATUS_OK)
		return status;
	if (json_type(required) != JSON_NONE && json_type(required) != JSON_BOOL)
		return refuse(place, "required", "It must be true or false", err);

	struct plan_property *before = map_text_get(&event->properties, name);
	if (before != NULL && before->declared)
		return refuse(place, "name", "The property is declared twice", err);
	property->name     = arena_text(&plan->arena, name);
	property->declared = true;
	property->required = json_type(required) == JSON_BOOL && json_bool(required);
	if (property->required) {
		property->place                          = event->required_count;
		event->required[event->required_count++] = property;
	}
	*map_text_put(&event->properties, name) = property;
	add_ways(plan, event, name);
	plan->property_count++;
	return STATUS_OK;
}

static enum status read_properties(struct plan *plan, struct plan_event *event, struct json object,
                                   const char *member, const struct place *place, struct error *err)
{
	struct json list   = present(object, member);
	bool        traits = plan->traits == event;
	enum status status = check_list(list, place, member, PLAN_PROPERTIES_MAX, err);
	event->required    = ARENA_ARRAY(&plan->arena, struct plan_property *, json_count(list) + 1);
	size_t index       = 0;
	for (struct json_iterator i = json_iterate(list); status == STATUS_OK && json_next(&i);) {
		struct place item = within_list(place, member, index++);
		status            = read_property(plan, event, i.value, traits, &item, err);
	}
	return status;
}

/* ---- Events ---- */

/* Every page has them, whatever the plan says. */
static void add_page_names(struct plan *plan, struct plan_event *event)
{
	static const struct text names[] = {{"name", 4}, {"category", 8}};
	if (!text_equal(event->name, TEXT("$page")) && !text_equal(event->name, TEXT("$screen")))
		return;
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		if (map_text_get(&event->properties, names[i]) == NULL) {
			struct plan_property *property = ARENA_NEW(&plan->arena, struct plan_property);
			property->name                 = names[i];
			property->declared             = true;
			*map_text_put(&event->properties, names[i]) = property;
		}
}

static enum status read_event(struct plan *plan, struct json object, const struct place *place,
                              struct error *err)
{
	static const char *const known[] = {"name",       "description",          "violations",
	                                    "properties", "additionalProperties", NULL};
	struct text              name;
	enum status              status = only(object, place, known, err);
	if (status != STATUS_OK || (status = read_name(object, place, &name, err)) != STATUS_OK)
		return status;
	name = rules_event_name(name);
	if (map_text_get(&plan->events, name) != NULL)
		return refuse(place, "name", "The event is declared twice", err);

	struct plan_event *event           = ARENA_NEW(&plan->arena, struct plan_event);
	event->name                        = arena_text(&plan->arena, name);
	event->violations                  = plan->violations;
	event->additional                  = plan->additional;
	*map_text_put(&plan->events, name) = event;
	if ((status = check_description(object, place, err)) != STATUS_OK ||
	    (status = read_action(object, place, "violations", PLAN_REPORTED, &event->violations,
	                          err)) != STATUS_OK ||
	    (status = read_action(object, place, "additionalProperties", PLAN_ALLOWED,
	                          &event->additional, err)) != STATUS_OK)
		return status;
	status = read_properties(plan, event, object, "properties", place, err);
	add_page_names(plan, event);
	return status;
}

static enum status read_events(struct plan *plan, struct json root, struct error *err)
{
	const struct place top    = {""};
	struct json        list   = present(root, "events");
	enum status        status = check_list(list, &top, "events", PLAN_EVENTS_MAX, err);
	size_t             index  = 0;
	for (struct json_iterator i = json_iterate(list); status == STATUS_OK && json_next(&i);) {
		struct place item = within_list(&top, "events", index++);
		status            = read_event(plan, i.value, &item, err);
	}
	return status;
}

static enum status read_traits(struct plan *plan, struct json root, struct error *err)
{
	const struct place top = {""};
	if (json_type(present(root, "traits")) == JSON_NONE && plan->additional_traits == PLAN_ALLOWED)
		return STATUS_OK;
	plan->traits             = ARENA_NEW(&plan->arena, struct plan_event);
	plan->traits->name       = TEXT("$identify");
	plan->traits->violations = plan->violations;
	plan->traits->additional = plan->additional_traits;
	return read_properties(plan, plan->traits, root, "traits", &top, err);
}

static enum status read_plan(struct plan *plan, struct json root, struct error *err)
{
	static const char *const known[] = {
		"description",      "violations",           "unplannedEvents", "events",
		"additionalTraits", "additionalProperties", "traits",          NULL};
	const struct place top = {""};
	enum status        status;
	plan->violations = PLAN_REPORTED;
	if ((status = only(root, &top, known, err)) != STATUS_OK ||
	    (status = check_description(root, &top, err)) != STATUS_OK ||
	    (status = read_action(root, &top, "violations", PLAN_REPORTED, &plan->violations, err)) !=
	        STATUS_OK ||
	    (status = read_action(root, &top, "unplannedEvents", PLAN_ALLOWED, &plan->unplanned,
	                          err)) != STATUS_OK ||
	    (status = read_action(root, &top, "additionalProperties", PLAN_ALLOWED, &plan->additional,
	                          err)) != STATUS_OK ||
	    (status = read_action(root, &top, "additionalTraits", PLAN_ALLOWED,
	                          &plan->additional_traits, err)) != STATUS_OK ||
	    (status = read_events(plan, root, err)) != STATUS_OK)
		return status;
	return read_traits(plan, root, err);
}

enum status plan_read(struct json root, struct plan **ret_plan, struct error *err)
{
	struct plan *plan = calloc(1, sizeof *plan);
	if (plan == NULL)
		abort();
	arena_init(&plan->arena);
	enum status status = read_plan(plan, root, err);
	if (status == STATUS_OK)
		*ret_plan = plan;
	else
		plan_free(plan);
	return status;
}

void plan_free(struct plan *plan)
{
	if (plan == NULL)
		return;
	for (size_t i = 0; i < plan->events.capacity; i++)
		if (plan->events.slots[i].key != NULL)
			map_text_done(&((struct plan_event *)plan->events.slots[i].value)->properties);
	map_text_done(&plan->events);
	if (plan->traits != NULL)
		map_text_done(&plan->traits->properties);
	arena_done(&plan->arena);
	free(plan);
}

/* ---- Looking up ---- */

const struct plan_event *plan_event(const struct plan *plan, struct text name)
{
	return map_text_get(&plan->events, name);
}

const struct plan_event *plan_traits(const struct plan *plan) { return plan->traits; }

enum plan_action plan_unplanned(const struct plan *plan) { return plan->unplanned; }

size_t plan_event_count(const struct plan *plan) { return plan->events.count; }

size_t plan_property_count(const struct plan *plan) { return plan->property_count; }
