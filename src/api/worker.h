#ifndef SONNIM_API_WORKER_H
#define SONNIM_API_WORKER_H

/* A few threads for what an HTTP loop and an engine thread must not do: writes to the store,
 * decrypting, writing large answers. First come, first served. Jobs are intrusive, so that handing
 * one over never fails; their number is limited by who admits calls (API_CALLS_MAX). */

struct worker_job {
	void (*run)(struct worker_job *job); /* may hand the same job over again */
	struct worker_job *next;
};

struct workers;

struct workers *workers_new(unsigned thread_count);
void            workers_submit(struct workers *workers, struct worker_job *job); /* any thread */
void            workers_free(struct workers *workers); /* runs what is queued first; NULL is fine */

#endif
