#include "model/expr_draft.h"

#include <stdlib.h>

struct draft *draft_new(struct arena *arena, enum draft_kind kind, size_t at)
{
	struct draft *draft = ARENA_NEW(arena, struct draft);
	draft->kind         = kind;
	draft->at           = at;
	return draft;
}

void draft_add(struct draft *container, const char *name, struct draft *draft)
{
	draft->name = name;
	if (container->last == NULL)
		container->first = draft;
	else
		container->last->next = draft;
	container->last = draft;
}

void draft_write(struct json_writer *writer, const struct draft *draft)
{
	switch (draft->kind) {
	case DRAFT_RAW:
	case DRAFT_HOLE:
		json_add_raw(writer, draft->raw);
		return;
	case DRAFT_OBJECT:
		json_begin_object(writer);
		for (const struct draft *child = draft->first; child != NULL; child = child->next) {
			json_add_key(writer, text_of(child->name));
			draft_write(writer, child);
		}
		json_end_object(writer);
		return;
	case DRAFT_ARRAY:
		json_begin_array(writer);
		for (const struct draft *child = draft->first; child != NULL; child = child->next)
			draft_write(writer, child);
		json_end_array(writer);
		return;
	}
}

static const struct draft *item(const struct draft *array, long index)
{
	const struct draft *child = array->first;
	for (; child != NULL && index > 0; index--)
		child = child->next;
	return child;
}

static const struct draft *member(const struct draft *object, struct text name)
{
	const struct draft *child = object->first;
	while (child != NULL && !text_equal(text_of(child->name), name))
		child = child->next;
	return child;
}

size_t draft_find(const struct draft *draft, const char *place)
{
	size_t at = draft->at;
	while (*place != '\0' && draft != NULL) {
		bool   is_item = *place++ == '[';
		size_t length  = strcspn(place, ".[]");
		if (is_item)
			draft = item(draft, strtol(place, NULL, 10));
		else
			draft =
				draft->kind == DRAFT_OBJECT ? member(draft, (struct text){place, length}) : NULL;
		at = draft == NULL ? at : draft->at;
		place += length + (place[length] == ']');
	}
	return at;
}
