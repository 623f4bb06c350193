#include "model/classes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const place_names[] = {
	[PERSONAL_IN_TRAITS]     = "traits",
	[PERSONAL_IN_PROPERTIES] = "properties",
	[PERSONAL_IN_CONTEXT]    = "context",
};
static const char *const class_names[] = {"", "personal", "free_text", "plain", "not_personal"};

enum { PLACES = 3, CLASSES = 5 };

const struct classes classes_of_what_is_kept = {.open = true};

const char *class_place_name(enum personal_place place) { return place_names[place]; }

static enum status refuse(struct error *err, unsigned index, const char *member, const char *reason)
{
	char field[64];
	snprintf(field, sizeof field, "classes[%u].%s", index, member);
	return error_set_field(err, STATUS_INVALID, field, "%s", reason);
}

static bool read_word(struct json value, const char *const *words, unsigned from, unsigned count,
                      unsigned *ret_word)
{
	for (unsigned i = from; json_type(value) == JSON_STRING && i < count; i++)
		if (text_equal(json_string(value), text_of(words[i]))) {
			*ret_word = i;
			return true;
		}
	return false;
}

/* The key of a name, gone at the next call. */
static struct text key_of(char into[CLASS_NAME_BYTES_MAX + 1], enum personal_place place,
                          struct text name)
{
	into[0] = (char)place;
	memcpy(into + 1, name.data, name.length);
	return (struct text){into, name.length + 1};
}

/* Of a name that is personal by default: why it cannot have that class; NULL: it can. */
static const char *why_not(enum personal_place place, struct text name, enum personal_class kind)
{
	bool listed = personal_is_listed(place, name);
	if (kind == CLASS_NOT_PERSONAL && !listed)
		return "It is no name of the list: say so of the one that it lies in, or plain";
	if (kind == CLASS_NOT_PERSONAL && place == PERSONAL_IN_TRAITS &&
	    personal_indexed(name) != PERSONAL_NOT_INDEXED)
		return "People are found and compared by what is sealed with it: it stays personal";
	if (kind == CLASS_NOT_PERSONAL || (kind == CLASS_PERSONAL && !listed) ||
	    !personal_by_name(place, name))
		return NULL;
	return "This is personal by default, and stays so unless its class is not_personal";
}

static enum status read_rule(struct classes *classes, struct json json, unsigned index,
                             struct error *err)
{
	char        key[CLASS_NAME_BYTES_MAX + 1];
	unsigned    place, kind;
	struct json name = json_get(json, "name");
	if (json_type(json) != JSON_OBJECT)
		return refuse(err, index, "name", "It is an object of place, name and class");
	for (struct json_iterator i = json_iterate(json); json_next(&i);)
		if (!text_equal(i.name, TEXT("place")) && !text_equal(i.name, TEXT("name")) &&
		    !text_equal(i.name, TEXT("class")))
			return refuse(err, index, "name",
			              "There are place, name and class, and no other member");
	if (!read_word(json_get(json, "place"), place_names, 0, PLACES, &place))
		return refuse(err, index, "place", "It is traits, properties or context");
	if (!read_word(json_get(json, "class"), class_names, 1, CLASSES, &kind))
		return refuse(err, index, "class", "It is personal, free_text, plain or not_personal");
	if (json_type(name) != JSON_STRING || json_string(name).length == 0 ||
	    json_string(name).length > CLASS_NAME_BYTES_MAX)
		return refuse(err, index, "name", "A name is a string of 1 to 256 bytes");
	const char *reason =
		why_not((enum personal_place)place, json_string(name), (enum personal_class)kind);
	if (reason != NULL)
		return refuse(err, index, "name", reason);

	struct class_rule *rule = &classes->rules[classes->count];
	*rule                   = (struct class_rule){(enum personal_place)place,
	                                              arena_text(&classes->arena, json_string(name)),
	                                              (enum personal_class)kind};
	void **found            = map_text_put(&classes->names, key_of(key, rule->place, rule->name));
	if (*found != NULL)
		return refuse(err, index, "name", "It has a class already");
	*found = rule;
	classes->count++;
	return STATUS_OK;
}

enum status classes_read(struct json body, struct classes **ret_classes, struct error *err)
{
	struct json list = json_get(body, "classes");
	if (json_type(list) != JSON_ARRAY || json_count(list) > CLASSES_MAX)
		return error_set_field(err, STATUS_INVALID, "classes",
		                       "It is an array of at most %d classes", CLASSES_MAX);
	struct classes *classes = calloc(1, sizeof *classes);
	if (classes == NULL)
		abort();
	arena_init(&classes->arena);
	classes->rules     = ARENA_ARRAY(&classes->arena, struct class_rule, json_count(list) + 1);
	enum status status = STATUS_OK;
	unsigned    index  = 0;
	for (struct json_iterator i = json_iterate(list); status == STATUS_OK && json_next(&i); index++)
		status = read_rule(classes, i.value, index, err);
	if (status == STATUS_OK)
		*ret_classes = classes;
	else
		classes_free(classes);
	return status;
}

void classes_free(struct classes *classes)
{
	if (classes == NULL)
		return;
	map_text_done(&classes->names);
	arena_done(&classes->arena);
	free(classes);
}

void classes_write(struct json_writer *writer, const struct classes *classes)
{
	json_begin_array(writer);
	for (unsigned i = 0; classes != NULL && i < classes->count; i++) {
		json_begin_object(writer);
		json_member_string(writer, "place", text_of(place_names[classes->rules[i].place]));
		json_member_string(writer, "name", classes->rules[i].name);
		json_member_string(writer, "class", text_of(class_names[classes->rules[i].kind]));
		json_end_object(writer);
	}
	json_end_array(writer);
}

/* The path, then what it lies in, and so on. */
enum personal_class classes_find(const struct classes *classes, enum personal_place place,
                                 struct text path)
{
	char key[CLASS_NAME_BYTES_MAX + 1];
	if (classes != NULL && classes->open)
		return CLASS_NOT_PERSONAL;
	if (classes == NULL || classes->count == 0)
		return CLASS_NONE;
	while (path.length > 0) {
		const struct class_rule *rule =
			path.length > CLASS_NAME_BYTES_MAX
				? NULL
				: map_text_get(&classes->names, key_of(key, place, path));
		if (rule != NULL)
			return rule->kind;
		const char *dot = memrchr(path.data, '.', path.length);
		path.length     = dot == NULL ? 0 : (size_t)(dot - path.data);
	}
	return CLASS_NONE;
}

bool classes_free_name(const struct classes *classes, enum personal_place place, struct text path)
{
	return classes_find(classes, place, path) == CLASS_NOT_PERSONAL;
}

bool classes_mention(const struct classes *classes, struct text name)
{
	for (unsigned i = 0; classes != NULL && i < classes->count; i++) {
		const struct class_rule *rule = &classes->rules[i];
		size_t                   more = rule->name.length - name.length;
		if (rule->kind != CLASS_PLAIN && rule->kind != CLASS_NOT_PERSONAL &&
		    text_ends_with(rule->name, name) && (more == 0 || rule->name.data[more - 1] == '.'))
			return true;
	}
	return false;
}
