#include "ingest/shapes.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "ingest/plan.h"
#include "model/value.h"

struct shape {
	uint64_t       key; /* 0: empty; else odd */
	uint64_t       count;
	int64_t        first_ms;
	int64_t        last_ms;
	struct source *source;
	VECTOR(struct observed_add) adds;
};

_Static_assert((SHAPES_MAX & (SHAPES_MAX - 1)) == 0, "a mask finds the slot");

struct shapes {
	pthread_mutex_t lock;
	struct buffer   path; /* of the property that is walked */
	struct shape    slots[SHAPES_MAX];
};

/* ---- Life ---- */

struct shapes *shapes_new(void)
{
	struct shapes *shapes = calloc(1, sizeof *shapes);
	if (shapes == NULL)
		abort();
	pthread_mutex_init(&shapes->lock, NULL);
	return shapes;
}

void shapes_lock(struct shapes *shapes) { pthread_mutex_lock(&shapes->lock); }
void shapes_unlock(struct shapes *shapes) { pthread_mutex_unlock(&shapes->lock); }

static void add_counted(struct shape *shape)
{
	const struct observed_seen seen = {
		.count = shape->count, .first_ms = shape->first_ms, .last_ms = shape->last_ms};
	if (shape->count == 0)
		return;
	observed_add(source_observed(shape->source, OBSERVED_TYPES), shape->adds.items,
	             shape->adds.count, &seen);
	shape->count = 0;
}

void shapes_flush(struct shapes *shapes)
{
	shapes_lock(shapes);
	for (unsigned i = 0; i < SHAPES_MAX; i++)
		add_counted(&shapes->slots[i]);
	shapes_unlock(shapes);
}

void shapes_forget(struct shapes *shapes)
{
	shapes_lock(shapes);
	for (unsigned i = 0; i < SHAPES_MAX; i++) {
		VECTOR_DONE(&shapes->slots[i].adds);
		shapes->slots[i] = (struct shape){0};
	}
	shapes_unlock(shapes);
}

void shapes_free(struct shapes *shapes)
{
	shapes_flush(shapes);
	shapes_forget(shapes);
	buffer_done(&shapes->path);
	pthread_mutex_destroy(&shapes->lock);
	free(shapes);
}

/* ---- A shape that is new here ---- */

struct walk {
	struct shapes   *shapes;
	struct shape    *shape;
	struct observed *types;
	struct text      event;
	struct text      personal;
};

static enum observed_kind kind_of(const struct value *value)
{
	switch (value->type) {
	case VALUE_FALSE:
	case VALUE_TRUE:
		return OBSERVED_BOOLEAN;
	case VALUE_INT:
	case VALUE_UINT:
	case VALUE_DOUBLE:
		return OBSERVED_NUMBER;
	case VALUE_STRING:
		return OBSERVED_STRING;
	case VALUE_STRING_SET:
		return value->text.length == 0 ? OBSERVED_NOTHING : OBSERVED_STRING_SET;
	case VALUE_ARRAY:
		return OBSERVED_ARRAY;
	case VALUE_OBJECT:
		return OBSERVED_OBJECT;
	default:
		return OBSERVED_NOTHING;
	}
}

static void add_kind(struct walk *walk, struct text property, enum observed_kind kind)
{
	struct observed_name *name =
		observed_name(walk->types, walk->event, plan_shown(property), false);
	if (name != NULL)
		VECTOR_ADD(&walk->shape->adds, (struct observed_add){name, kind});
}

/* Objects nest at most VALUE_DEPTH_MAX deep: sift made them. */
static void walk_list(struct walk *walk, struct text list)
{
	struct buffer *path  = &walk->shapes->path;
	size_t         outer = path->length;
	for (struct value_reader r = value_read(list);
	     value_next(&r) && walk->shape->adds.count < SHAPE_PROPERTIES_MAX;) {
		struct value value = r.value;
		if (outer > 0)
			buffer_add_u8(path, '.');
		buffer_add_text(path, r.name);
		struct text property = buffer_text(path);
		if (value.type == VALUE_PERSONAL)
			value = value_find(walk->personal, property, hash_name(property));
		enum observed_kind kind = kind_of(&value);
		if (kind != OBSERVED_NOTHING)
			add_kind(walk, property, kind);
		if (r.value.type == VALUE_OBJECT)
			walk_list(walk, r.value.text);
		path->length = outer;
	}
}

static void learn(struct shapes *shapes, struct shape *shape, struct source *source,
                  struct text event, struct text list, struct text personal)
{
	struct walk walk = {.shapes   = shapes,
	                    .shape    = shape,
	                    .types    = source_observed(source, OBSERVED_TYPES),
	                    .event    = plan_shown(event),
	                    .personal = personal};
	add_counted(shape);
	shape->adds.count = 0;
	shape->source     = source;
	add_kind(&walk, TEXT(""), OBSERVED_EVENT);
	buffer_clear(&shapes->path);
	walk_list(&walk, list);
}

/* ---- Counting ---- */

static inline void count(struct shape *shape, int64_t now_ms)
{
	if (shape->count++ == 0)
		shape->first_ms = now_ms;
	shape->last_ms = now_ms;
}

/* FxHash, as sift's shapes. */
static inline uint64_t mix(uint64_t hash, uint64_t word)
{
	return ((hash << 5 | hash >> 59) ^ word) * UINT64_C(0x517cc1b727220a95);
}

static inline uint64_t mix_text(uint64_t hash, struct text text)
{
	const char *end  = text.data + text.length;
	uint64_t    word = 0;
	hash             = mix(hash, text.length);
	if (text.length < sizeof word) {
		for (; text.data < end; text.data++)
			word = word << 8 | (uint8_t)*text.data;
		return mix(hash, word);
	}
	for (; text.data < end - sizeof word; text.data += sizeof word) {
		memcpy(&word, text.data, sizeof word);
		hash = mix(hash, word);
	}
	memcpy(&word, end - sizeof word, sizeof word); /* some of them twice */
	return mix(hash, word);
}

static inline struct shape *slot_of(struct shapes *shapes, uint64_t key)
{
	return &shapes->slots[key >> 32 & (SHAPES_MAX - 1)];
}

uint64_t shapes_count(struct shapes *shapes, const struct source *source, struct text event,
                      uint64_t shape, int64_t now_ms)
{
	uint64_t      key  = mix_text(mix(shape, (uintptr_t)source), event) | 1;
	struct shape *slot = slot_of(shapes, key);
	if (slot->key != key)
		return key;
	count(slot, now_ms);
	return 0;
}

void shapes_learn(struct shapes *shapes, uint64_t key, struct source *source, struct text event,
                  int64_t now_ms, struct text list, struct text personal)
{
	struct shape *slot = slot_of(shapes, key);
	learn(shapes, slot, source, event, list, personal);
	slot->key = key;
	count(slot, now_ms);
	/* What is new is known at once, not only when it is taken. */
	add_counted(slot);
}
