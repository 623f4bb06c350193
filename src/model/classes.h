#ifndef SONNIM_MODEL_CLASSES_H
#define SONNIM_MODEL_CLASSES_H

/* What a workspace says of its own traits, properties and context values, besides what is personal
 * by default (model/personal.h):
 *
 *   {"classes":[{"place":"traits","name":"nickname","class":"personal"},
 *               {"place":"properties","name":"review.text","class":"free_text"},
 *               {"place":"properties","name":"sku_list","class":"plain"},
 *               {"place":"traits","name":"address","class":"not_personal"}]}
 *
 *   personal    sealed, whatever it is
 *   free_text   strings, and arrays and objects, are sealed, however short
 *   plain       in clear and filterable, however long
 *   not_personal  the same of a name that is on the default list: who says so says that it holds
 *               nobody's data here
 *
 * A name covers what lies within it, the longest one counts. What is personal by default has no
 * other class, but what lies within it may be personal where it is not. The traits email, phone and
 * birthday stay personal: people are found and compared by what is sealed with them. Records carry
 * what became of them, so that another version holds for those to come and changes none that is
 * stored.
 *
 * Immutable once read; any thread. */

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/map.h"
#include "model/personal.h"

enum { CLASSES_MAX = 500, CLASS_NAME_BYTES_MAX = 256 };

enum personal_class {
	CLASS_NONE,
	CLASS_PERSONAL,
	CLASS_FREE_TEXT,
	CLASS_PLAIN,
	CLASS_NOT_PERSONAL,
};

struct class_rule {
	enum personal_place place;
	struct text         name;
	enum personal_class kind;
};

struct classes {
	bool               open; /* all names have the class not_personal */
	uint32_t           version;
	int64_t            updated_ms;
	unsigned           count;
	struct class_rule *rules;
	struct map_text    names; /* a byte for the place and the name → the rule */
	struct arena       arena;
};

/* For what was let in before and is read again: what the workspace said then is not known. */
extern const struct classes classes_of_what_is_kept;

/* Reads `classes` of an object. STATUS_INVALID with the field: "classes[3].name". */
MUST_USE enum status classes_read(struct json body, struct classes **ret_classes,
                                  struct error *err);
void                 classes_free(struct classes *classes); /* NULL is fine */
void                 classes_write(struct json_writer *writer, const struct classes *classes);

/* The class of a dotted path; `classes` may be NULL. */
enum personal_class classes_find(const struct classes *classes, enum personal_place place,
                                 struct text path);

/* Whether the name, personal by default, was said not to be. */
bool classes_free_name(const struct classes *classes, enum personal_place place, struct text path);

/* Whether some place has a name that is sealed and ends so: where the place is not known. */
bool classes_mention(const struct classes *classes, struct text name);

const char *class_place_name(enum personal_place place); /* "traits" */

#endif
