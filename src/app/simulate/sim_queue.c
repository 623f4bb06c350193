#include "app/simulate/sim_queue.h"

#include <assert.h>

enum { CHILD_COUNT = 4 };

static bool before(const struct sim_entry *a, const struct sim_entry *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void sim_queue_add(struct sim_queue *queue, int64_t at_ms, void *what)
{
	struct sim_entry added = {at_ms, queue->added_count++, what};
	VECTOR_ADD(&queue->heap, added);
	struct sim_entry *heap = queue->heap.items;
	size_t            i    = queue->heap.count - 1;
	for (; i > 0 && before(&added, &heap[(i - 1) / CHILD_COUNT]); i = (i - 1) / CHILD_COUNT)
		heap[i] = heap[(i - 1) / CHILD_COUNT];
	heap[i] = added;
}

static size_t least_child(const struct sim_entry *heap, size_t count, size_t of)
{
	size_t first = CHILD_COUNT * of + 1, least = first;
	for (size_t child = first + 1; child < first + CHILD_COUNT && child < count; child++)
		if (before(&heap[child], &heap[least]))
			least = child;
	return least;
}

struct sim_entry sim_queue_take(struct sim_queue *queue)
{
	assert(queue->heap.count > 0);
	struct sim_entry *heap = queue->heap.items, first = heap[0], last = heap[--queue->heap.count];
	size_t            count = queue->heap.count, i = 0;
	while (CHILD_COUNT * i + 1 < count) {
		size_t child = least_child(heap, count, i);
		if (!before(&heap[child], &last))
			break;
		heap[i] = heap[child];
		i       = child;
	}
	if (count > 0)
		heap[i] = last;
	return first;
}

void sim_queue_done(struct sim_queue *queue) { VECTOR_DONE(&queue->heap); }
