#ifndef SONNIM_API_JOB_ASK_H
#define SONNIM_API_JOB_ASK_H

/* How requests have jobs run: in the name of their token, which is asked for what the kind of job
 * needs (job.h). On workers. */

#include "api/call.h"
#include "job/job.h"

/* The caller's token, while the call lives. */
struct job_asker job_asker_of(struct api_call *call);

/* Adds a job for the caller; `id` as in a wish. */
MUST_USE enum status job_ask(struct api_call *call, const struct job_wish *wish,
                             struct store_job *ret_job, struct error *err);

/* The same where the caller does not know that his wish becomes parameters: errors name the field
 * as he does. */
MUST_USE enum status job_ask_plain(struct api_call *call, const struct job_wish *wish,
                                   struct store_job *ret_job, struct error *err);

/* 202 with the job, and where it is. */
void job_answer_accepted(struct api_call *call, const struct store_job *job);

#endif
