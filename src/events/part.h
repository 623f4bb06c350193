#ifndef SONNIM_EVENTS_PART_H
#define SONNIM_EVENTS_PART_H

/* An immutable part of a partition's events: one month, clustered by person, then in the order of
 * rule 13, in columns (docs/formats/part.md).
 *
 *   slot ──► bucket ──► person ──► rows [begin, end) ──► columns
 *
 * The file is mapped, read-only. part_open() checks the header, where everything lies and the
 * filter; part_verify() every checksum. What else is damaged is noticed when a reader meets it, at
 * the latest: the part is then damaged (part_guard.h), and what was read of it may be wrong.
 *
 * Any thread; counted references. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "events/column.h"
#include "events/event.h"
#include "events/fuse_filter.h"

struct part {
	const struct part_header *header;
	struct column            *columns;
	const struct column      *roles[ROLE_COUNT]; /* all but ROLE_PROPERTY; NULL: no row has one */
	struct fuse_filter        filter;
	struct part_guard         guard;

	size_t forgotten_checked; /* the shelf's, under its lock: of its forgotten persons */
	bool   has_forgotten;     /* one of those has rows */

	char            *path;  /* NULL: not a file */
	const char      *bytes; /* of the file */
	_Atomic uint32_t refs;
};

/* STATUS_NOT_FOUND, STATUS_IO; STATUS_CORRUPT: path and reason. */
MUST_USE enum status part_open(const char *path, struct part **ret_part, struct error *err);

/* The same over bytes that the caller keeps, aligned to 8; `path` names them in errors. */
MUST_USE enum status part_open_bytes(struct text bytes, const char *path, struct part **ret_part,
                                     struct error *err);

struct part *part_ref(struct part *part);
void         part_unref(struct part *part);

/* STATUS_CORRUPT, path and place: something of it was found damaged. */
MUST_USE enum status part_check(const struct part *part, struct error *err);

/* Reads the whole file. STATUS_CORRUPT: path and the first region that is wrong. */
MUST_USE enum status part_verify(struct part *part, struct error *err);

/* The rows of a person; false when there are none. */
bool part_find(const struct part *part, uint32_t slot, uint32_t *ret_begin, uint32_t *ret_end);

/* The person by number, in order of slots, with its rows. */
bool part_person(const struct part *part, uint32_t person, uint32_t *ret_slot, uint32_t *ret_begin,
                 uint32_t *ret_end);

/* What the head says of a column. */
static inline const struct part_column *part_column_entry(const struct part   *part,
                                                          const struct column *column)
{
	const struct part_column *entries = (const void *)(part->bytes + sizeof(struct part_header));
	return &entries[column - part->columns];
}

static inline int64_t part_time_ms(const struct part *part, uint32_t row)
{
	return column_int(part->roles[ROLE_TIME], row);
}

static inline int64_t part_received_ms(const struct part *part, uint32_t row)
{
	return (int64_t)((uint64_t)part_time_ms(part, row) +
	                 (uint64_t)column_int(part->roles[ROLE_RECEIVED], row));
}

static inline uint64_t part_position(const struct part *part, uint32_t row)
{
	return (uint64_t)column_int(part->roles[ROLE_POSITION], row);
}

static inline bool part_is_event(const struct part *part, uint32_t row)
{
	return (column_int(part->roles[ROLE_FLAGS], row) & ROW_EVENT) != 0;
}

/* An event name as a part knows it, to be asked of many rows. */
struct part_name {
	struct text name;
	bool        any;     /* the empty name: every event */
	bool        nowhere; /* no event of the part has it */
	bool        coded;
	uint32_t    code;
};
struct part_name part_name_of(const struct part *part, struct text name);
bool             part_has_name(const struct part *part, uint32_t row, const struct part_name *name);

/* Reads a row of `slot` into `*ret_event`; what is not in the file as it is lies in `list`. False:
 * damaged. */
bool part_read(struct part *part, uint32_t slot, uint32_t row, event_list *list,
               struct event *ret_event);

/* Whether a row of the person has this message id (not empty), lies before the position and ends
 * after `after_ms`. Asks no filter. */
bool part_has_message(struct part *part, uint32_t slot, struct text message_id,
                      uint64_t before_position, int64_t after_ms, int64_t retention_ms);

/* How ids lie in the message column: a UUID in lower case as its 16 bytes. `into` holds those. */
enum { PART_UUID_BYTES = 16 };
struct text part_pack_message(struct text message_id, uint8_t into[PART_UUID_BYTES],
                              bool *ret_uuid);

#endif
