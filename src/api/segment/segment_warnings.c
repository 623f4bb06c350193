#include "api/segment/segment_warnings.h"

#include <assert.h>

#include "base/edit_distance.h"
#include "engine/apply/names.h"

void segment_names_init(struct segment_names *names, uint32_t partition_count, struct arena *arena)
{
	names->copies = ARENA_ARRAY(arena, struct buffer, partition_count);
	names->count  = partition_count;
}

void segment_names_done(struct segment_names *names)
{
	for (uint32_t i = 0; i < names->count; i++)
		buffer_done(&names->copies[i]);
}

void segment_names_copy(struct segment_names *names, struct view *view)
{
	assert(view_partition(view) < names->count);
	view_names(view, &names->copies[view_partition(view)]);
}

/* ---- Looking for one name ---- */

static const struct {
	enum name_kind kind;
	const char    *name;
} built_in[] = {
	{NAME_EVENT, "$page"},       {NAME_EVENT, "$screen"},  {NAME_PROPERTY, "$amount"},
	{NAME_TRAIT, "$identified"}, {NAME_TRAIT, "group_id"},
};

struct search {
	enum name_kind     kind;
	struct text        event; /* of a property: the event that should have it; "*": any */
	struct text        name;
	bool               known;  /* or it cannot be told */
	bool               naming; /* the second round: finds the nearest */
	const char *const *others; /* ended by NULL: among these too; NULL: none */
	struct text        nearest;
	size_t             distance;
};

static bool is_meant(const struct search *search, struct text seen)
{
	if (!text_starts_with(search->name, seen))
		return false;
	return search->name.length == seen.length ||
	       (search->kind != NAME_EVENT && search->name.data[seen.length] == '.');
}

static void consider(struct search *search, struct text seen)
{
	if (!search->naming) {
		search->known = search->known || is_meant(search, seen);
		return;
	}
	size_t distance = edit_distance(search->name, seen, search->distance);
	if (distance >= search->distance)
		return;
	search->distance = distance;
	search->nearest  = seen;
}

struct copied_kind {
	bool               full;
	struct byte_reader entries;
};

static void open_copy(const struct buffer *copy, struct copied_kind kinds[NAME_KIND_COUNT])
{
	struct byte_reader reader = byte_reader_of(copy->data, copy->length);
	for (unsigned i = 0; i < NAME_KIND_COUNT; i++) {
		kinds[i].full       = read_u8(&reader) != 0;
		struct text entries = read_sized(&reader);
		kinds[i].entries    = byte_reader_of(entries.data, entries.length);
	}
}

/* The number by which properties name their event; 0: it is not here. */
static uint32_t number_of(struct byte_reader *events, struct text event)
{
	uint32_t    none, number = 1;
	struct text name;
	for (; names_read(events, &none, &name); number++)
		if (text_equal(name, event))
			return number;
	return 0;
}

static void search_copy(struct search *search, const struct buffer *copy)
{
	struct copied_kind kinds[NAME_KIND_COUNT];
	open_copy(copy, kinds);
	if (kinds[search->kind].full || (search->kind == NAME_PROPERTY && kinds[NAME_EVENT].full))
		search->known = true;

	uint32_t    number;
	struct text name;
	bool        any   = search->kind != NAME_PROPERTY || text_equal(search->event, TEXT("*"));
	uint32_t    event = any ? 0 : number_of(&kinds[NAME_EVENT].entries, search->event);
	while (names_read(&kinds[search->kind].entries, &number, &name))
		if (any || number == event)
			consider(search, name);
}

static void search_all(struct search *search, const struct segment_names *names)
{
	for (size_t i = 0; i < sizeof built_in / sizeof built_in[0]; i++)
		if (built_in[i].kind == search->kind)
			consider(search, text_of(built_in[i].name));
	for (uint32_t i = 0; i < names->count; i++)
		search_copy(search, &names->copies[i]);
	for (unsigned i = 0; search->naming && search->others != NULL && search->others[i] != NULL; i++)
		if (!text_equal(search->name, text_of(search->others[i])))
			consider(search, text_of(search->others[i]));
}

/* ---- Going through a definition ---- */

struct walk {
	const struct segment_names *names;
	struct json_writer         *writer;
	struct buffer               place;
	const char                 *event_member; /* "event", in rules "eventType" */
	unsigned                    count;        /* warnings written */
};

static void write_message(struct json_writer *w, const struct search *search)
{
	struct buffer message = {0};
	if (search->kind == NAME_EVENT)
		buffer_printf(&message, "No event \"%.*s\" was ever seen", TEXT_FORMAT(search->name));
	else if (search->kind == NAME_TRAIT)
		buffer_printf(&message, "No trait \"%.*s\" was ever seen", TEXT_FORMAT(search->name));
	else if (text_equal(search->event, TEXT("*")))
		buffer_printf(&message, "No event with a property \"%.*s\" was ever seen",
		              TEXT_FORMAT(search->name));
	else
		buffer_printf(&message, "No \"%.*s\" with a property \"%.*s\" was ever seen",
		              TEXT_FORMAT(search->event), TEXT_FORMAT(search->name));
	json_member_string(w, "message", buffer_text(&message));
	buffer_done(&message);
}

static void write_warning(struct walk *walk, const char *member, const struct search *search)
{
	size_t length = walk->place.length;
	if (member != NULL)
		buffer_printf(&walk->place, ".%s", member);
	json_begin_object(walk->writer);
	json_member_string(walk->writer, "field", buffer_text(&walk->place));
	write_message(walk->writer, search);
	if (search->nearest.data == NULL)
		json_member_null(walk->writer, "nearest");
	else
		json_member_string(walk->writer, "nearest", search->nearest);
	json_end_object(walk->writer);
	walk->place.length = length;
	walk->count++;
}

/* Whether the name is known; a warning if not. */
static bool look_for(struct walk *walk, struct search search, const char *member)
{
	if (walk->count == SEGMENT_WARNINGS_MAX)
		return true;
	search_all(&search, walk->names);
	if (search.known)
		return true;
	search.naming   = true;
	search.distance = search.name.length / 3 + 2; /* farther away it would be a guess, not a slip */
	search_all(&search, walk->names);
	write_warning(walk, member, &search);
	return false;
}

static bool look_up(struct walk *walk, enum name_kind kind, struct text event, struct text name,
                    const char *member)
{
	return look_for(walk, (struct search){.kind = kind, .event = event, .name = name}, member);
}

static void look_up_property(struct walk *walk, struct text event, struct text property)
{
	if (property.length > 0 && !text_starts_with(property, TEXT("context.")))
		look_up(walk, NAME_PROPERTY, event, property, "property");
}

static void walk_where(struct walk *walk, struct text event, const struct expr_where *where)
{
	size_t length = walk->place.length;
	if (where->kind == EXPR_WHERE_TEST)
		look_up_property(walk, event, where->property);
	for (unsigned i = 0; where->kind != EXPR_WHERE_TEST && i < where->count; i++) {
		if (where->kind == EXPR_WHERE_NOT)
			buffer_add_text(&walk->place, TEXT(".not"));
		else
			buffer_printf(&walk->place, ".%s[%u]", where->kind == EXPR_WHERE_AND ? "and" : "or", i);
		walk_where(walk, event, where->operands[i]);
		walk->place.length = length;
	}
}

/* The event, property (empty: none) and `where` of a leaf or step. */
static void walk_event(struct walk *walk, struct text name, struct text property,
                       const struct expr_where *where)
{
	size_t length = walk->place.length;
	if (!text_equal(name, TEXT("*")) &&
	    !look_up(walk, NAME_EVENT, (struct text){0}, name, walk->event_member))
		return;
	look_up_property(walk, name, property);
	if (where == NULL)
		return;
	buffer_add_text(&walk->place, TEXT(".where"));
	walk_where(walk, name, where);
	walk->place.length = length;
}

static void walk_sequence(struct walk *walk, const struct expr_sequence *sequence)
{
	size_t length = walk->place.length;
	for (unsigned i = 0; i < sequence->step_count; i++) {
		buffer_printf(&walk->place, ".sequence[%u]", i);
		walk_event(walk, sequence->steps[i].name, (struct text){0}, sequence->steps[i].where);
		walk->place.length = length;
	}
}

static void walk_expr(struct walk *walk, const struct expr *expr)
{
	size_t length = walk->place.length;
	switch (expr->kind) {
	case EXPR_EVENT:
		walk_event(walk, expr->event.name, expr->event.property, expr->event.where);
		return;
	case EXPR_SEQUENCE:
		walk_sequence(walk, &expr->sequence);
		return;
	case EXPR_TRAIT:
		look_up(walk, NAME_TRAIT, (struct text){0}, expr->trait.name, "trait");
		return;
	case EXPR_SEGMENT:
		return;
	case EXPR_NOT:
		buffer_add_text(&walk->place, TEXT(".not"));
		walk_expr(walk, expr->operands[0]);
		walk->place.length = length;
		return;
	case EXPR_AND:
	case EXPR_OR:
		for (unsigned i = 0; i < expr->count; i++) {
			buffer_printf(&walk->place, ".%s[%u]", expr->kind == EXPR_AND ? "and" : "or", i);
			walk_expr(walk, expr->operands[i]);
			walk->place.length = length;
		}
		return;
	}
}

/* The active rules are the operands, one alone is the whole (model/rules.h). */
static void walk_rules(struct walk *walk, struct json rules, const struct expr *expr)
{
	unsigned index = 0, operand = 0;
	for (struct json_iterator i = json_iterate(rules); json_next(&i); index++) {
		struct json active = json_get(i.value, "active");
		if (json_type(active) == JSON_BOOL && !json_bool(active))
			continue;
		buffer_clear(&walk->place);
		buffer_printf(&walk->place, "rules[%u]", index);
		walk_expr(walk, expr->kind == EXPR_AND ? expr->operands[operand++] : expr);
	}
}

static void walk_group(struct walk *walk, const struct segment_group *group)
{
	buffer_clear(&walk->place);
	buffer_printf(&walk->place, "%s", group->field);
	if (group->trait.length == 0)
		walk_event(walk, group->event, group->property, NULL);
	else
		look_for(walk,
		         (struct search){.kind = NAME_TRAIT, .name = group->trait, .others = group->others},
		         NULL);
}

void segment_warnings_write(struct json_writer *writer, struct json definition,
                            const struct expr *expr, const struct segment_group *groups,
                            size_t group_count, const struct segment_names *names)
{
	struct walk walk  = {.names = names, .writer = writer};
	struct json rules = json_get(definition, "rules");
	json_begin_array(writer);
	if (names != NULL && json_type(rules) == JSON_ARRAY && json_count(rules) > 0) {
		walk.event_member = "eventType";
		walk_rules(&walk, rules, expr);
	} else if (names != NULL) {
		walk.event_member = "event";
		buffer_add_text(&walk.place, TEXT("expression"));
		walk_expr(&walk, expr);
	}
	for (size_t i = 0; names != NULL && i < group_count; i++)
		walk_group(&walk, &groups[i]);
	json_end_array(writer);
	buffer_done(&walk.place);
}
