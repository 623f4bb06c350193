#ifndef SONNIM_ENGINE_WAIT_H
#define SONNIM_ENGINE_WAIT_H

/* Reads of the engine that the calling thread waits for: for jobs, commands and starts, never for a
 * thread that others wait for.
 *
 *   struct look { struct engine_wait wait; …own members… } look = {.wait.read.run = run_look};
 *   status = engine_wait_all(engine, &look.wait, err);
 *
 * `run` gets &look.wait.read, which is where the struct begins. */

#include <pthread.h>

#include "engine/engine.h"

struct engine_wait {
	struct engine_read read; /* run, min_position and timeout_ms are the caller's */

	/* private */
	pthread_mutex_t lock;
	pthread_cond_t  ended;
	bool            done;
	enum status     status;
	struct error    err;
};

MUST_USE enum status engine_wait_person(struct engine *engine, uint32_t partition,
                                        struct engine_wait *wait, struct error *err);
MUST_USE enum status engine_wait_all(struct engine *engine, struct engine_wait *wait,
                                     struct error *err);

#endif
