#include "api/worker.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct workers {
	pthread_mutex_t    lock;
	pthread_cond_t     wake;
	struct worker_job *first;
	struct worker_job *last;
	bool               stopping;
	unsigned           thread_count;
	pthread_t          threads[];
};

static struct worker_job *take(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	while (workers->first == NULL && !workers->stopping)
		pthread_cond_wait(&workers->wake, &workers->lock);
	struct worker_job *job = workers->first;
	if (job != NULL)
		workers->first = job->next;
	if (workers->first == NULL)
		workers->last = NULL;
	pthread_mutex_unlock(&workers->lock);
	return job;
}

static void *work(void *context)
{
	struct worker_job *job;
	while ((job = take(context)) != NULL)
		job->run(job);
	return NULL;
}

struct workers *workers_new(unsigned thread_count)
{
	struct workers *workers = calloc(1, sizeof *workers + thread_count * sizeof(pthread_t));
	assert(workers != NULL);
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->wake, NULL);
	workers->thread_count = thread_count;
	for (unsigned i = 0; i < thread_count; i++) {
		int failed = pthread_create(&workers->threads[i], NULL, work, workers);
		assert(failed == 0);
	}
	return workers;
}

void workers_submit(struct workers *workers, struct worker_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&workers->lock);
	if (workers->last != NULL)
		workers->last->next = job;
	else
		workers->first = job;
	workers->last = job;
	pthread_cond_signal(&workers->wake);
	pthread_mutex_unlock(&workers->lock);
}

void workers_free(struct workers *workers)
{
	if (workers == NULL)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	pthread_cond_broadcast(&workers->wake);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned i = 0; i < workers->thread_count; i++)
		pthread_join(workers->threads[i], NULL);
	pthread_mutex_destroy(&workers->lock);
	pthread_cond_destroy(&workers->wake);
	free(workers);
}
