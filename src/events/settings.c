#include "events/settings.h"

#include "base/hash.h"
#include "base/instant.h"

#define EVENTS struct events_settings
static const struct setting table[] = {
	SETTING_BYTES(EVENTS, tail_bytes, "events-tail", "0", 0, INT64_C(1) << 50,
                  "Memory for events that are not yet in files; 0: an eighth of --memory-limit"),
	SETTING_INT(EVENTS, part_rows_max, "events-part-rows", "524288", 16, 1 << 24,
                "Events in one file of the event store, at most"),
	SETTING_INT(EVENTS, columns_max, "events-columns-max", "128", 0, 2048,
                "Properties with a column of their own in one file, at most"),
	SETTING_STRING(EVENTS, columns, "events-columns", NULL,
                   "Properties that always have a column, however rare", "NAME,…"),
	SETTING_STRING(EVENTS, columns_exclude, "events-columns-exclude", NULL,
                   "Properties that never have one", "NAME,…"),
	SETTING_DURATION(EVENTS, erased_rewrite_ms, "events-erased-rewrite", "1d", 0,
                     INT64_C(366) * DAY_MS,
                     "After so long files that still hold stored events of erased persons are "
                     "written anew without them; merges do it earlier"),
};
#undef EVENTS

struct settings events_settings_of(struct events_settings *target)
{
	return (struct settings){table, sizeof table / sizeof table[0], target};
}

static uint64_t hash_list(const char *list, uint64_t seed)
{
	return list == NULL ? seed : hash_bytes_seeded(list, strlen(list), seed);
}

uint64_t events_settings_schema(const struct events_settings *settings)
{
	return hash_list(settings->columns_exclude,
	                 hash_list(settings->columns, (uint64_t)settings->columns_max));
}

bool events_settings_lists(const char *list, struct text name)
{
	while (list != NULL && *list != '\0') {
		list += strspn(list, ", ");
		size_t length = strcspn(list, ",");
		size_t end    = length;
		while (end > 0 && list[end - 1] == ' ')
			end--;
		if (end > 0 && text_equal((struct text){list, end}, name))
			return true;
		list += length;
	}
	return false;
}
