#ifndef SONNIM_PRIVACY_CLEANING_H
#define SONNIM_PRIVACY_CLEANING_H

/* What else holds something of persons who were erased, behind the last batch:
 *   dead letters          ingest/letters_erase.h
 *   files of jobs         exports, imports with their rejected rows, privacy exports: all that were
 *                         asked for before the last batch lose their files, for any may hold him;
 *                         one that is under way is waited for
 *   the newest events     of all sources, in memory */

#include "privacy/request.h"

/* `subjects` is the list of the job's ids, `terms` of what else names them. STATUS_UNAVAILABLE
 * (retriable): a job that may hold them is still running. Once more is harmless. */
MUST_USE enum status cleaning_run(struct privacy *privacy, struct job *job, const char *subjects,
                                  const char *terms, int64_t done_ms, struct privacy_counts *counts,
                                  struct error *err);

#endif
