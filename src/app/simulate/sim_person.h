#ifndef SONNIM_APP_SIMULATE_SIM_PERSON_H
#define SONNIM_APP_SIMULATE_SIM_PERSON_H

/* Made-up people: everything about one is a function of the seed and the person's number, so that
 * no number of people takes memory. Those with low numbers come more often and have the higher
 * memberships. Nobody is real: e-mail addresses end in example.com, and telephone numbers lie in a
 * block that is not given out (010-0…). */

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

enum { SIM_REGION_COUNT = 8, SIM_PERSON_NAME_BYTES = 64 };

struct sim_population {
	uint64_t seed;
	unsigned count;
	int64_t  start_ms; /* members signed up within the three years before */
};

struct sim_person {
	unsigned    number;
	bool        korean; /* else English-speaking */
	bool        female;
	bool        member; /* before the simulation begins */
	int         birth_year, birth_month, birth_day;
	int64_t     created_ms; /* of a member */
	unsigned    region;     /* sim_region() */
	unsigned    region_count;
	const char *tier;
	const char *device;
	const char *channel;
	bool        email_consent, sms_consent, push_consent;
	char        family[SIM_PERSON_NAME_BYTES], given[SIM_PERSON_NAME_BYTES];
};

void sim_person(const struct sim_population *population, unsigned number,
                struct sim_person *ret_person);

/* The same person's device alone, for every message. */
const char *sim_person_device(const struct sim_population *population, unsigned number);

/* Which region of this number (any) it is: a name in Korean. */
const char *sim_region(uint64_t number);

/* The members of the object `traits`. `created_ms` INSTANT_MS_NONE: without. */
void sim_person_write_traits(const struct sim_person *person, int64_t now_ms, int64_t created_ms,
                             struct json_writer *w);

#endif
