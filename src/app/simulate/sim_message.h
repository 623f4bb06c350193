#ifndef SONNIM_APP_SIMULATE_SIM_MESSAGE_H
#define SONNIM_APP_SIMULATE_SIM_MESSAGE_H

/* Writes messages as POST /v1/batch takes them: an envelope with ids and context around what a step
 * of a visit, or of a purchase's life, says. */

#include "app/simulate/sim_catalogue.h"
#include "app/simulate/sim_person.h"
#include "app/simulate/sim_visit.h"
#include "base/json.h"

/* What all messages of a simulation share. */
struct sim_world {
	uint64_t              seed;
	int64_t               start_ms;
	enum sim_shape        shape;
	enum sim_scenario     scenario;
	unsigned              activity; /* its id, of the scenarios with one */
	struct sim_population population;
	struct sim_calendar   calendar;
	struct sim_catalogue  catalogue;
	struct sim_chance     chance;
	uint64_t              message_count;
	uint64_t              purchase_count;
	uint32_t              tag; /* of ids: of seed and start */
};

/* One message is open between these two: first the properties (an object, open), then the end. */
struct sim_sender {
	unsigned                user;
	bool                    known;     /* with a userId */
	bool                    anonymous; /* with an anonymousId */
	const struct sim_visit *visit;     /* NULL: sent by the shop's own systems */
};
void sim_begin_event(struct sim_world *world, struct json_writer *w,
                     const struct sim_sender *sender, const char *event, int64_t at_ms);
void sim_end_event(struct sim_world *world, struct json_writer *w, const struct sim_sender *sender);

static inline struct sim_sender sim_sender_of(const struct sim_visit *visit)
{
	return (struct sim_sender){visit->user, visit->known, true, visit};
}

/* Every step but SIM_ORDER and SIM_LEAVE. */
void sim_write_step(struct sim_world *world, struct json_writer *w, const struct sim_visit *visit,
                    int64_t at_ms);

/* What the shop knows of a user, as its own systems send it: an identify without a visit. Who is no
 * member yet becomes one. */
void sim_write_profile(struct sim_world *world, struct json_writer *w, unsigned user,
                       int64_t at_ms);

#endif
