#ifndef SONNIM_API_AUDIENCE_SETTINGS_H
#define SONNIM_API_AUDIENCE_SETTINGS_H

/* What of audiences is set by whoever runs the server. */

#include "base/settings.h"

struct audience_settings {
	char    *order_event;  /* its `$amount` is revenue */
	char    *refund_event; /* its |`$amount`| is taken off; empty: nothing is */
	int64_t  cache_ms;
	int64_t  cache_percent; /* of the users: so many changes make an answer too old */
	int64_t  cache_count_max;
	uint64_t cache_bytes_max;
	int64_t  running_max;
	int64_t  unsaved_ms;
	int64_t  unsaved_max;
	int64_t  live_ms;
	int64_t  live_idle_ms;
};

struct settings audience_settings_of(struct audience_settings *target);

#endif
