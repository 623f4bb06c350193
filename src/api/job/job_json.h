#ifndef SONNIM_API_JOB_JSON_H
#define SONNIM_API_JOB_JSON_H

/* Jobs as the API and its WebSockets show them. */

#include "base/json.h"
#include "job/job.h"

/* Everything of a job but its files: an object that is still open. */
void job_json_begin(struct json_writer *w, const struct jobs *jobs, const struct store_job *job);

/* The whole object, without files. */
void job_json_write(struct json_writer *w, const struct jobs *jobs, const struct store_job *job);

void job_json_files(struct json_writer *w, const struct job_file *files, size_t count);

#endif
