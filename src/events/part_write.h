#ifndef SONNIM_EVENTS_PART_WRITE_H
#define SONNIM_EVENTS_PART_WRITE_H

/* Makes a part out of rows. Two looks at each record: the first counts which properties occur, so
 * that those that occur often (or are declared) get a column; the second fills the columns.
 *
 * Thread: any; everything is the caller's. Memory: about the rows' size again. */

#include "base/buffer.h"
#include "base/error.h"
#include "events/part.h"
#include "events/settings.h"

/* An encoded record, of an event or with a message id, as a person's; the numbers are those of
 * struct event. */
struct part_row {
	int64_t     time_ms;
	int64_t     received_ms;
	uint64_t    position;
	uint64_t    stored_position;
	uint32_t    partition;
	uint32_t    slot;
	uint32_t    size : 31;
	uint32_t    marked : 1;
	const char *encoded;
};

struct part_identity {
	uint32_t partition;
	int32_t  month;
	uint64_t number;
	uint64_t run; /* number of the first part that was written with it */
	uint64_t message_key;
};

/* By slot, then as rule 13 has it. */
int part_row_compare(const void *left, const void *right);

/* The file's bytes as head and body, one after the other. At least one row, all of one month,
 * sorted by part_row_compare(). */
void part_build(const struct part_row *rows, uint32_t count, const struct part_identity *identity,
                const struct events_settings *settings, struct buffer *head, struct buffer *body);

/* Builds, and writes the file durably: under another name, synced, renamed; the directory is to be
 * synced by the caller. After an error nothing is there; a retry is safe. */
MUST_USE enum status part_write(const char *path, const struct part_row *rows, uint32_t count,
                                const struct part_identity   *identity,
                                const struct events_settings *settings, struct error *err);

#endif
