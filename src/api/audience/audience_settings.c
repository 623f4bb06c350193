#include "api/audience/audience_settings.h"

#define AUDIENCE struct audience_settings
static const struct setting table[] = {
	SETTING_STRING(AUDIENCE, order_event, "audience-order-event", "Order Completed",
                   "The event whose $amount is the revenue of audiences", "EVENT"),
	SETTING_STRING(AUDIENCE, refund_event, "audience-refund-event", "Order Refunded",
                   "The event whose $amount is taken off that revenue, whatever its sign", "EVENT"),
	SETTING_DURATION(AUDIENCE, cache_ms, "audience-cache", "5m", 0, 86400000,
                     "How long the answer about an audience is given again"),
	SETTING_INT(AUDIENCE, cache_percent, "audience-cache-change", "1", 0, 100,
                "Percent of the users: an answer is dropped early when more changes than that "
                "came since"),
	SETTING_INT(AUDIENCE, cache_count_max, "audience-cache-count", "1000", 0, 1000000,
                "Answers about audiences that are kept at most"),
	SETTING_BYTES(AUDIENCE, cache_bytes_max, "audience-cache-bytes", "64MiB", 0, INT64_C(1) << 40,
                  "Bytes of the answers about audiences that are kept at most"),
	SETTING_INT(AUDIENCE, running_max, "audience-running", "8", 1, 1000,
                "Questions about audiences under way at a time; beyond it 429"),
	SETTING_DURATION(AUDIENCE, unsaved_ms, "audience-unsaved", "1h", 1000, 86400000,
                     "How long the id of an audience that is not saved is known after it was "
                     "last calculated"),
	SETTING_INT(AUDIENCE, unsaved_max, "audience-unsaved-count", "10000", 1, 1000000,
                "Audiences that are not saved and known by id at most; beyond it the oldest go"),
	SETTING_DURATION(AUDIENCE, live_ms, "audience-live", "500ms", 100, 3600000,
                     "From one calculation of an audience that is watched to the next, at least"),
	SETTING_DURATION(AUDIENCE, live_idle_ms, "audience-live-idle", "5s", 100, 3600000,
                     "The same while no data comes: time alone changes sizes too"),
};
#undef AUDIENCE

struct settings audience_settings_of(struct audience_settings *target)
{
	return (struct settings){table, sizeof table / sizeof table[0], target};
}
