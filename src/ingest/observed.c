#include "ingest/observed.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/map.h"

struct slot {
	enum observed_kind   kind;
	bool                 changed; /* since it was taken */
	bool                 taken;   /* ever */
	struct observed_seen seen;
	char                 sample[OBSERVED_SAMPLE_BYTES_MAX];
};

struct observed_name {
	struct text event;
	struct text property;
	bool        planned;
	bool        retired;
	VECTOR(struct slot) slots;
	struct observed_name *next; /* of the retired */
};

struct observed {
	enum observed_family    family;
	struct observed_totals *totals;
	pthread_mutex_t         lock;
	struct map_text         names; /* event, NUL, property → struct observed_name */
	size_t                  unplanned_count;
	uint64_t                drifted; /* of totals, this table's share */
	uint64_t                bytes;
	struct slot             beyond;
	struct observed_name   *retired;
};

enum { KEY_BYTES_MAX = 4096 };

const char *observed_kind_name(enum observed_kind kind)
{
	static const char *const names[] = {
#define X(name, text, phrase) text,
		OBSERVED_KINDS(X)
#undef X
	};
	return names[kind];
}

const char *observed_kind_phrase(enum observed_kind kind)
{
	static const char *const phrases[] = {
#define X(name, text, phrase) phrase,
		OBSERVED_KINDS(X)
#undef X
	};
	return phrases[kind];
}

enum observed_kind observed_kind_of(struct text name)
{
	for (int kind = OBSERVED_NOTHING + 1; kind < OBSERVED_KIND_COUNT; kind++)
		if (text_equal(name, text_of(observed_kind_name((enum observed_kind)kind))))
			return (enum observed_kind)kind;
	return OBSERVED_NOTHING;
}

/* ---- Life ---- */

struct observed *observed_new(enum observed_family family, struct observed_totals *totals)
{
	struct observed *observed = calloc(1, sizeof *observed);
	if (observed == NULL)
		abort();
	observed->family = family;
	observed->totals = totals;
	observed->beyond = (struct slot){.kind = OBSERVED_BEYOND};
	pthread_mutex_init(&observed->lock, NULL);
	return observed;
}

static void free_name(struct observed_name *name)
{
	VECTOR_DONE(&name->slots);
	free((char *)name->event.data);
	free(name);
}

void observed_free_retired(struct observed *observed)
{
	pthread_mutex_lock(&observed->lock);
	struct observed_name *name = observed->retired;
	observed->retired          = NULL;
	pthread_mutex_unlock(&observed->lock);
	while (name != NULL) {
		struct observed_name *next = name->next;
		free_name(name);
		name = next;
	}
}

void observed_retire(struct observed *observed)
{
	pthread_mutex_lock(&observed->lock);
	for (size_t i = 0; i < observed->names.capacity; i++) {
		struct observed_name *name = observed->names.slots[i].value;
		if (observed->names.slots[i].key == NULL)
			continue;
		name->retired     = true;
		name->next        = observed->retired;
		observed->retired = name;
	}
	atomic_fetch_sub(&observed->totals->names, observed->names.count);
	atomic_fetch_sub(&observed->totals->drifted, observed->drifted);
	atomic_fetch_sub(&observed->totals->bytes, observed->bytes);
	map_text_done(&observed->names);
	observed->names           = (struct map_text){0};
	observed->unplanned_count = 0;
	observed->drifted = observed->bytes = 0;
	observed->beyond                    = (struct slot){.kind = OBSERVED_BEYOND};
	pthread_mutex_unlock(&observed->lock);
}

void observed_free(struct observed *observed)
{
	if (observed == NULL)
		return;
	observed_retire(observed);
	observed_free_retired(observed);
	pthread_mutex_destroy(&observed->lock);
	free(observed);
}

/* ---- Names; all of this under the lock ---- */

static struct text key_of(struct text event, struct text property, char into[KEY_BYTES_MAX])
{
	/* What is longer shares its key with what begins alike: names are limited by who calls. */
	size_t first = event.length < KEY_BYTES_MAX / 2 ? event.length : KEY_BYTES_MAX / 2 - 1;
	size_t rest  = KEY_BYTES_MAX - first - 1;
	rest         = property.length < rest ? property.length : rest;
	if (first > 0)
		memcpy(into, event.data, first);
	into[first] = '\0';
	if (rest > 0)
		memcpy(into + first + 1, property.data, rest);
	return (struct text){into, first + 1 + rest};
}

static size_t bytes_of(const struct observed_name *name)
{
	/* Its texts, those again as the key, and a first slot. */
	return sizeof *name + 2 * (name->event.length + name->property.length) +
	       sizeof(struct map_text_slot) + sizeof(struct slot);
}

static bool has_room(const struct observed *observed, bool planned)
{
	size_t max =
		observed->family == OBSERVED_TYPES ? OBSERVED_PROPERTIES_MAX : OBSERVED_VIOLATIONS_MAX;
	if (observed->names.count >= max ||
	    atomic_load_explicit(&observed->totals->bytes, memory_order_relaxed) >= OBSERVED_BYTES_MAX)
		return false;
	return observed->family == OBSERVED_TYPES || planned ||
	       observed->unplanned_count < OBSERVED_UNPLANNED_MAX;
}

static struct observed_name *new_name(struct observed *observed, struct text event,
                                      struct text property, bool planned)
{
	struct observed_name *name  = calloc(1, sizeof *name);
	char                 *texts = malloc(event.length + property.length + 1);
	if (name == NULL || texts == NULL)
		abort();
	if (event.length > 0)
		memcpy(texts, event.data, event.length);
	if (property.length > 0)
		memcpy(texts + event.length, property.data, property.length);
	name->event    = (struct text){texts, event.length};
	name->property = (struct text){texts + event.length, property.length};
	name->planned  = planned;
	observed->unplanned_count += !planned;
	observed->bytes += bytes_of(name);
	atomic_fetch_add(&observed->totals->bytes, bytes_of(name));
	atomic_fetch_add(&observed->totals->names, 1);
	return name;
}

/* NULL: no room. */
static struct observed_name *find(struct observed *observed, struct text event,
                                  struct text property, bool planned)
{
	char                  into[KEY_BYTES_MAX];
	struct text           key  = key_of(event, property, into);
	struct observed_name *name = map_text_get(&observed->names, key);
	if (name != NULL || !has_room(observed, planned))
		return name;
	name                                 = new_name(observed, event, property, planned);
	*map_text_put(&observed->names, key) = name;
	return name;
}

static unsigned type_count(const struct observed_name *name)
{
	unsigned count = 0;
	for (size_t i = 0; i < name->slots.count; i++)
		count += observed_is_type(name->slots.items[i].kind);
	return count;
}

static struct slot *slot_of(struct observed *observed, struct observed_name *name,
                            enum observed_kind kind)
{
	for (size_t i = 0; i < name->slots.count; i++)
		if (name->slots.items[i].kind == kind)
			return &name->slots.items[i];
	if (name->slots.count > 0) {
		observed->bytes += sizeof(struct slot);
		atomic_fetch_add(&observed->totals->bytes, sizeof(struct slot));
	}
	VECTOR_ADD(&name->slots, (struct slot){.kind = kind});
	if (observed_is_type(kind) && type_count(name) == 2) {
		observed->drifted++;
		atomic_fetch_add(&observed->totals->drifted, 1);
	}
	return &name->slots.items[name->slots.count - 1];
}

static void add_beyond(struct observed *observed, uint64_t count)
{
	observed->beyond.changed = true;
	observed->beyond.seen.count += count;
	atomic_fetch_add(&observed->totals->beyond, count);
}

struct observed_name *observed_name(struct observed *observed, struct text event,
                                    struct text property, bool planned)
{
	pthread_mutex_lock(&observed->lock);
	struct observed_name *name = find(observed, event, property, planned);
	if (name == NULL)
		add_beyond(observed, 1);
	pthread_mutex_unlock(&observed->lock);
	return name;
}

static void add_to(struct slot *slot, const struct observed_seen *seen)
{
	if (slot->seen.count == 0 || seen->first_ms < slot->seen.first_ms)
		slot->seen.first_ms = seen->first_ms;
	if (slot->seen.count == 0 || seen->last_ms >= slot->seen.last_ms) {
		slot->seen.last_ms = seen->last_ms;
		if (seen->sample.length > 0 && seen->sample.length <= OBSERVED_SAMPLE_BYTES_MAX) {
			memcpy(slot->sample, seen->sample.data, seen->sample.length);
			slot->seen.sample.length = seen->sample.length;
		}
	}
	slot->seen.count += seen->count;
	slot->changed = true;
}

void observed_add(struct observed *observed, const struct observed_add *adds, size_t count,
                  const struct observed_seen *seen)
{
	pthread_mutex_lock(&observed->lock);
	for (size_t i = 0; i < count; i++)
		if (!adds[i].name->retired)
			add_to(slot_of(observed, adds[i].name, adds[i].kind), seen);
	pthread_mutex_unlock(&observed->lock);
}

void observed_load(struct observed *observed, const struct observed_row *row)
{
	pthread_mutex_lock(&observed->lock);
	if (row->kind == OBSERVED_BEYOND) {
		observed->beyond.seen.count += row->seen.count;
	} else {
		/* Whether a plan names it is not known: it keeps its place. */
		struct observed_name *name = find(observed, row->event, row->property, true);
		if (name != NULL) {
			struct slot *slot = slot_of(observed, name, row->kind);
			add_to(slot, &row->seen);
			slot->changed = false;
			slot->taken   = true;
		}
	}
	pthread_mutex_unlock(&observed->lock);
}

/* ---- What was seen ---- */

static struct observed_row row_of(const struct observed_name *name, const struct slot *slot,
                                  struct arena *arena)
{
	struct observed_row row = {.kind = slot->kind, .seen = slot->seen};
	if (name != NULL) {
		row.event    = arena_text(arena, name->event);
		row.property = arena_text(arena, name->property);
	}
	row.seen.sample = arena_text(arena, (struct text){slot->sample, slot->seen.sample.length});
	return row;
}

static int by_name(const void *a, const void *b)
{
	const struct observed_row *left = a, *right = b;
	int                        order = text_compare(left->event, right->event);
	if (order == 0)
		order = text_compare(left->property, right->property);
	return order != 0 ? order : (left->kind > right->kind) - (left->kind < right->kind);
}

void observed_list(struct observed *observed, struct arena *arena, observed_row_list *list,
                   uint64_t *ret_beyond)
{
	pthread_mutex_lock(&observed->lock);
	for (size_t i = 0; i < observed->names.capacity; i++) {
		const struct observed_name *name = observed->names.slots[i].value;
		for (size_t s = 0; observed->names.slots[i].key != NULL && s < name->slots.count; s++)
			VECTOR_ADD(list, row_of(name, &name->slots.items[s], arena));
	}
	*ret_beyond = observed->beyond.seen.count;
	pthread_mutex_unlock(&observed->lock);
	if (list->count > 0)
		qsort(list->items, list->count, sizeof *list->items, by_name);
}

static void take(const struct observed_name *name, struct slot *slot, bool new_only,
                 struct arena *arena, observed_row_list *list)
{
	if (!slot->changed || (new_only && slot->taken))
		return;
	VECTOR_ADD(list, row_of(name, slot, arena));
	slot->changed = false;
	slot->taken   = true;
}

void observed_take(struct observed *observed, bool new_only, struct arena *arena,
                   observed_row_list *list)
{
	pthread_mutex_lock(&observed->lock);
	for (size_t i = 0; i < observed->names.capacity; i++) {
		const struct observed_name *name = observed->names.slots[i].value;
		for (size_t s = 0; observed->names.slots[i].key != NULL && s < name->slots.count; s++)
			take(name, &name->slots.items[s], new_only, arena, list);
	}
	take(NULL, &observed->beyond, new_only, arena, list);
	pthread_mutex_unlock(&observed->lock);
}

void observed_return(struct observed *observed)
{
	pthread_mutex_lock(&observed->lock);
	for (size_t i = 0; i < observed->names.capacity; i++) {
		struct observed_name *name = observed->names.slots[i].value;
		for (size_t s = 0; observed->names.slots[i].key != NULL && s < name->slots.count; s++) {
			name->slots.items[s].changed = true;
			name->slots.items[s].taken   = false;
		}
	}
	observed->beyond.changed = observed->beyond.seen.count > 0;
	pthread_mutex_unlock(&observed->lock);
}
