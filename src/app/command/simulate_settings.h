#ifndef SONNIM_APP_COMMAND_SIMULATE_SETTINGS_H
#define SONNIM_APP_COMMAND_SIMULATE_SETTINGS_H

/* The flags of `sonnim simulate`, and what they come to. */

#include "app/delivery.h"
#include "app/simulate/sim_traffic.h"
#include "base/settings.h"

struct simulate_settings {
	struct delivery_settings delivery;
	char                    *shape;
	char                    *scenario;
	int64_t                  seed;
	int64_t                  users;
	int64_t                  rate;
	int64_t                  limit;
	int64_t                  duration_ms;
	int64_t                  speed;
	int64_t                  batch;
	int64_t                  late_per_mille;
	int64_t                  duplicate_per_mille;
	int64_t                  activity;
	char                    *start;
	char                    *end;
	char                    *zone;
	bool                     live;
	bool                     flat;
	bool                     profiles;
	bool                     move_clock;
	bool                     dry_run;
};

struct simulate_plan {
	struct sim_config traffic;
	struct zone      *zone;
	int64_t           end_ms; /* nothing is sent at or after; INSTANT_MS_NEVER: no end */
	int64_t           speed;  /* 0: as fast as possible */
	bool              live;   /* what is past as fast as possible, then with the clock */
	bool              move_clock;
};

struct settings simulate_settings_of(struct simulate_settings *target);

/* EXIT_USAGE after it printed why. What is left out is taken from `now_ms`. */
enum exit_code simulate_plan_open(struct simulate_plan           *plan,
                                  const struct simulate_settings *settings, int64_t now_ms);
void           simulate_plan_close(struct simulate_plan *plan); /* zeroed memory is fine */

void simulate_print_help(void);

#endif
