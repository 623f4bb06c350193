#ifndef SONNIM_EVENTS_EVENTS_SCAN_H
#define SONNIM_EVENTS_EVENTS_SCAN_H

/* Reading the events of many persons at once: those of a name that pass a `where`, person by person
 * of a block of slots, from all parts and tails side by side. The same events as events_read() of
 * each of them and evaluate_where(), in no particular order.
 *
 *   slots ──► persons of each part ──► rows ──► part_filter ──► hits
 *         └─► the directory of each tail (tail_scan.h) ────────► hits
 *
 * What is found out of a part (its dictionaries, its shapes) is kept from block to block. The store
 * may be polled in between: what has changed is opened anew.
 *
 * Thread: the partition's. Cost: of parts that may have something about 0.1 ns a row, some ns for
 * each that has the name; of tails 2 ns an event, 100 ns for each that is asked further. */

#include <stdbool.h>
#include <stdint.h>

#include "events/events.h"
#include "events/part_filter.h"

enum {
	SCAN_WORDS_MAX = 64, /* of slots at once: the more, the longer are the runs of rows */
	SCAN_SLOTS_MAX = 64 * SCAN_WORDS_MAX,
	SCAN_HITS_MAX  = 64 * FILTER_WORDS_MAX,
};

struct events_scan_wish {
	struct part_filter_wish   filter;   /* at `now_ms` */
	const struct amount_path *property; /* whose value hits bring; NULL: none */
	int64_t                   retention_ms;
};

/* An event's place in the order of rule 13, until the store is polled; what of it lies in a part is
 * only read where the times do not decide. */
struct scan_place {
	int64_t      time_ms;
	struct part *part; /* NULL: `accepted` */
	uint32_t     row;
	struct scan_acceptance {
		uint32_t partition;
		uint64_t position;
		int64_t  received_ms;
	} accepted;
};
int scan_place_compare(const struct scan_place *a, const struct scan_place *b);

/* Events that were found, of several persons. */
struct scan_hits {
	uint32_t     count;
	uint16_t     at[SCAN_HITS_MAX]; /* slot − first slot */
	int64_t      times_ms[SCAN_HITS_MAX];
	bool         with_values;
	struct value values[SCAN_HITS_MAX]; /* only with a property; texts live until the next poll */

	struct part           *part; /* private; NULL: of a tail */
	uint32_t               rows[SCAN_HITS_MAX];
	struct scan_acceptance accepted[SCAN_HITS_MAX];
};
struct scan_place scan_place_of(const struct scan_hits *hits, uint32_t index);

/* Of an event that was read alone. */
struct scan_place scan_place_of_event(const struct event *event);

/* When and where it was accepted. */
struct scan_acceptance scan_place_acceptance(const struct scan_place *place);

typedef void scan_take_fn(void *context, const struct scan_hits *hits);

struct events_scan;

struct events_scan *events_scan_new(const struct events           *events,
                                    const struct events_scan_wish *wish);
void                events_scan_free(struct events_scan *scan); /* NULL is fine */

/* Of the wanted ones (bit i: slot first_slot + i, a multiple of 64) of at most SCAN_WORDS_MAX words
 * what was stored at or before the position. */
void events_scan_block(struct events_scan *scan, uint32_t first_slot, uint32_t word_count,
                       const uint64_t *wanted, uint64_t through_position, scan_take_fn *take,
                       void *context);

/* The same, but only counts: added to `counts` by slot − first slot. Faster. */
void events_scan_count(struct events_scan *scan, uint32_t first_slot, uint32_t word_count,
                       const uint64_t *wanted, uint64_t through_position, uint32_t *counts);

/* Stored calls in those parts that may have something, and in tails: what reading everybody would
 * look at. */
uint64_t events_scan_cost(struct events_scan *scan);

/* Looked at so far. */
uint64_t events_scan_rows(const struct events_scan *scan);

#endif
