#ifndef SONNIM_TRANSFER_AUDIENCE_EXPORT_H
#define SONNIM_TRANSFER_AUDIENCE_EXPORT_H

/* Jobs of the kind "audience-export": the members of an audience to a file, a bucket, or a
 * marketing platform.
 *
 *   who is in it ─► .members ─► rows ─► {audience}_{YYYYMMDD}.csv ─► S3, in parts ─► platform
 *
 * Parameters: {"audience_id","name","snapshot","as_of","format","compression","destination",
 * "columns","masked","consent","base"}: `destination` "file" or the name of one
 * (destination/destination.h), `base` what the file's own address begins with, `snapshot` true: the
 * members that were saved under `audience_id`; else the definition lies beside, in the job's file
 * AUDIENCE_DEFINITION_FILE (canonical), and is asked as of now or of `as_of`.
 *
 * Who has not agreed to what the destination asks for, and to `consent` where it is given
 * (model/consent.h), is left out and counted.
 *
 * Each step is saved: who the members are is asked once, so that they are those of one instant
 * whatever happens; a file is whole or not there, and is written anew behind an interruption; parts
 * that a bucket has are not sent twice; a platform is told under the job's id. What a destination
 * refuses for now (5xx, 429, unreachable) is tried again for some hours.
 *
 * Files of an unmasked export have names that begin with a dot, as those of raw exports. */

#include "job/job.h"
#include "transfer/transfer.h"

#define AUDIENCE_EXPORT_KIND     "audience-export"
#define AUDIENCE_DEFINITION_FILE ".definition"

/* How long the address of a file holds that is given to a platform. */
#define AUDIENCE_SOURCE_MS INT64_C(604800000)

struct job_kind audience_export_kind(struct transfer *transfer);

#endif
