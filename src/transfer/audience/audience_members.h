#ifndef SONNIM_TRANSFER_AUDIENCE_MEMBERS_H
#define SONNIM_TRANSFER_AUDIENCE_MEMBERS_H

/* Who is exported: the members at one instant, kept in a file of the job so that an interruption
 * does not change them.
 *
 *   u32 magic, i64 as_of, u32 partitions, { u32 partition, varint count, sized slots }…, u64 XXH3
 *
 * Slots as query/slot_list.h has them. About two bytes a member, in memory too. One thread. */

#include "job/job.h"
#include "query/query.h"
#include "query/slot_list.h"

struct audience_members {
	int64_t       as_of_ms;
	uint64_t      count;
	struct buffer file; /* as above */
	uint32_t      partition_count;
	struct text  *slots; /* by partition: into `file` */
};

/* Asks who is in it, and writes the file: replaced whole, synced. `definition`: canonical;
 * `as_of_ms` INSTANT_MS_NONE: now, else a past instant. Errors: those of the question;
 * STATUS_AGAIN: the job has to stop, or definitions changed. */
MUST_USE enum status audience_members_ask(struct queries *queries, struct text definition,
                                          int64_t as_of_ms, uint32_t partition_count,
                                          struct job *job, const char *path, struct error *err);

/* The same with the members of a snapshot as it is now. STATUS_NOT_FOUND: it is gone. */
MUST_USE enum status audience_members_copy(struct store *store, struct text audience_id,
                                           uint32_t partition_count, const char *path,
                                           struct error *err);

/* Reads it. STATUS_NOT_FOUND; STATUS_CORRUPT: the file is damaged. */
MUST_USE enum status audience_members_open(const char *path, uint32_t partition_count,
                                           struct audience_members *ret_members, struct error *err);
void                 audience_members_done(struct audience_members *members);

#endif
