#ifndef SONNIM_API_READS_H
#define SONNIM_API_READS_H

/* What reads of segments and of users share. */

#include "api/call.h"

/* ---- Segments (segment_reads.c); on workers, they ask the store ---- */

/* The segment of the path's {id}, by id or key. */
MUST_USE enum status reads_segment(struct api_call *call, struct definition *ret_definition,
                                   struct error *err);

/* STATUS_CONFLICT: questions are answered by Live segments only. */
enum status reads_not_live(const struct definition *definition, struct error *err);

/* ---- Users (users.c) ---- */

/* The user of the path's {id}: "x" and "user_id:x" name a user, "anonymous_id:x" a visitor (who
 * answers as the user that it was linked to). */
struct reads_user {
	struct person person;
	bool          merged;      /* asked for as a visitor, answered as a user */
	struct person merged_into; /* then: who has the visitor's events */
};
MUST_USE enum status reads_user(struct api_call *call, struct reads_user *ret_user,
                                struct error *err);

/* Writes "mergedInto" of a visitor who has become a user. */
void reads_write_merged(struct api_call *call, struct json_writer *writer,
                        const struct reads_user *user);

/* As call_begin_list(), with that. */
struct json_writer reads_begin_list(struct api_call *call, struct buffer *out,
                                    const struct reads_user *user);

/* STATUS_NOT_FOUND for paths of the account API, which are no user's ids. */
MUST_USE enum status reads_reserved(struct text id, struct error *err);

/* STATUS_NOT_FOUND: nobody of that id. */
enum status reads_unknown_user(struct error *err);

/* Writes "segmentId" and "segmentKey" of a segment number; null when it is not known any more. */
void reads_write_segment(struct api_call *call, struct json_writer *writer, uint32_t segment);

/* Of a `context` list or traits: what the sealed block holds, decrypted, appended to `out` (empty
 * when the person under whose key it is has none any more). The block is two sized lists
 * (model/record.h). */
MUST_USE enum status reads_unseal(struct api_call *call, struct person person, struct text sealed,
                                  struct buffer *out, struct error *err);

/* Writes the entries of a value list as the members of an object. Entries that are personal are
 * left out, unless `personal` (a list of dotted paths) is given: then they are looked up there. */
void reads_write_values(struct json_writer *writer, struct text list, const struct text *personal);

#endif
