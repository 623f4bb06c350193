#include "engine/wait.h"

static void done(struct engine_read *read, enum status status, const struct error *err)
{
	struct engine_wait *wait = (struct engine_wait *)read;
	pthread_mutex_lock(&wait->lock);
	wait->status = status;
	if (status != STATUS_OK)
		wait->err = *err;
	wait->done = true;
	pthread_cond_signal(&wait->ended);
	pthread_mutex_unlock(&wait->lock);
}

static void begin(struct engine_wait *wait)
{
	pthread_mutex_init(&wait->lock, NULL);
	pthread_cond_init(&wait->ended, NULL);
	wait->done      = false;
	wait->read.done = done;
}

static enum status end(struct engine_wait *wait, struct error *err)
{
	pthread_mutex_lock(&wait->lock);
	while (!wait->done)
		pthread_cond_wait(&wait->ended, &wait->lock);
	pthread_mutex_unlock(&wait->lock);
	pthread_mutex_destroy(&wait->lock);
	pthread_cond_destroy(&wait->ended);
	if (wait->status != STATUS_OK)
		*err = wait->err;
	return wait->status;
}

enum status engine_wait_person(struct engine *engine, uint32_t partition, struct engine_wait *wait,
                               struct error *err)
{
	begin(wait);
	engine_read_person(engine, partition, &wait->read);
	return end(wait, err);
}

enum status engine_wait_all(struct engine *engine, struct engine_wait *wait, struct error *err)
{
	begin(wait);
	engine_read_all(engine, &wait->read);
	return end(wait, err);
}
