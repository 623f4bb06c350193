#include "events/tail_scan.h"

#include <stdlib.h>

enum { GROUP_SHIFT = 9, CAME_MAX = 1024 };

void tail_scan_done(struct tail_scan *scan)
{
	VECTOR_DONE(&scan->found);
	VECTOR_DONE(&scan->listed);
	free(scan->starts);
	*scan = (struct tail_scan){0};
}

/* Counts, then places: in each group they stay in the order in which they came. */
static void group(struct tail_scan *scan)
{
	size_t           count  = scan->found.count;
	struct tail_row *sorted = malloc((count + 1) * sizeof *sorted);
	uint32_t         last   = 0;
	for (size_t i = 0; i < count; i++)
		if (scan->found.items[i].slot >> GROUP_SHIFT > last)
			last = scan->found.items[i].slot >> GROUP_SHIFT;
	uint32_t *starts = calloc((size_t)last + 3, sizeof *starts);
	if (sorted == NULL || starts == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		starts[(scan->found.items[i].slot >> GROUP_SHIFT) + 2]++;
	for (uint32_t i = 2; i <= last + 2; i++)
		starts[i] += starts[i - 1];
	/* Entry i + 1 is where the next one of group i goes; in the end it is where they end. */
	for (size_t i = 0; i < count; i++)
		sorted[starts[(scan->found.items[i].slot >> GROUP_SHIFT) + 1]++] = scan->found.items[i];
	free(scan->found.items);
	free(scan->starts);
	scan->found.items    = sorted;
	scan->found.capacity = count + 1;
	scan->grouped        = count;
	scan->starts         = starts;
	scan->group_count    = last + 1;
}

static void take_in_name(struct tail_scan *scan, const struct events_query *query, uint32_t name)
{
	size_t                 count;
	const struct tail_row *rows = tail_named(scan->tail, name, &count);
	while (scan->listed.count <= name)
		VECTOR_ADD(&scan->listed, (size_t)0);
	for (size_t i = scan->listed.items[name]; i < count; i++)
		if (rows[i].time_ms >= query->from_ms && rows[i].time_ms < query->to_ms)
			VECTOR_ADD(&scan->found, rows[i]);
	scan->listed.items[name] = count;
}

static void take_in(struct tail_scan *scan, const struct events_query *query)
{
	uint32_t names = tail_list(scan->tail);
	if (query->name.length == 0) {
		for (uint32_t name = 0; name < names; name++)
			take_in_name(scan, query, name);
		return;
	}
	uint32_t name = tail_name(scan->tail, query->name);
	if (name != UINT32_MAX)
		take_in_name(scan, query, name);
}

void tail_scan_turn_to(struct tail_scan *scan, struct tail *tail, const struct events_query *query)
{
	if (scan->number != tail_number(tail)) {
		tail_scan_done(scan);
		scan->number = tail_number(tail);
	}
	scan->tail = tail;
	take_in(scan, query);
	if (scan->starts == NULL || scan->found.count - scan->grouped > CAME_MAX)
		group(scan);
}

void tail_scan_find(const struct tail_scan *scan, uint32_t first_slot, uint64_t end_slot,
                    struct tail_run ret_runs[2])
{
	uint64_t first = first_slot >> GROUP_SHIFT;
	uint64_t end   = (end_slot + (1 << GROUP_SHIFT) - 1) >> GROUP_SHIFT;
	if (first > scan->group_count)
		first = scan->group_count;
	if (end > scan->group_count)
		end = scan->group_count;
	ret_runs[0] = (struct tail_run){scan->found.items + scan->starts[first],
	                                scan->starts[end] - scan->starts[first]};
	ret_runs[1] =
		(struct tail_run){scan->found.items + scan->grouped, scan->found.count - scan->grouped};
}
