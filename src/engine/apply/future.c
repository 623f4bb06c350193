#include "engine/apply/future.h"

#include <stdlib.h>

#include "base/vector.h"

void future_done(struct future *future) { VECTOR_DONE(future); }

static bool earlier(const struct future_event *a, const struct future_event *b)
{
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms;
	return a->position < b->position;
}

static void swap(struct future *future, size_t a, size_t b)
{
	struct future_event other = future->items[a];
	future->items[a]          = future->items[b];
	future->items[b]          = other;
}

void future_add(struct future *future, struct future_event event)
{
	VECTOR_ADD(future, event);
	for (size_t at = future->count - 1; at > 0;) {
		size_t parent = (at - 1) / 2;
		if (!earlier(&future->items[at], &future->items[parent]))
			break;
		swap(future, at, parent);
		at = parent;
	}
}

static void sink(struct future *future)
{
	size_t at = 0;
	for (;;) {
		size_t least = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
			if (child < future->count && earlier(&future->items[child], &future->items[least]))
				least = child;
		if (least == at)
			return;
		swap(future, at, least);
		at = least;
	}
}

bool future_take(struct future *future, int64_t through_ms, struct future_event *ret_event)
{
	if (future->count == 0 || future->items[0].time_ms > through_ms)
		return false;
	*ret_event       = future->items[0];
	future->items[0] = future->items[--future->count];
	sink(future);
	return true;
}
