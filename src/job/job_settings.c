#include "base/instant.h"
#include "job/job.h"

#define JOBS struct job_settings
static const struct setting table[] = {
	SETTING_INT(JOBS, threads, "job-threads", "4", 1, 64, "Background jobs that run at a time"),
	SETTING_INT(JOBS, nice, "job-nice", "10", 0, 19,
                "How far background jobs stand back for the processor: nice level of their "
                "threads; they read and write with the lowest priority of the disk"),
	SETTING_BYTES(JOBS, bandwidth_bytes_s, "job-bandwidth", "256MiB", 0, INT64_C(1) << 40,
                  "Bytes a second that background jobs read and write together; 0: no limit"),
	SETTING_DURATION(JOBS, retention_ms, "job-retention", "30d", 60000, INT64_C(36500) * DAY_MS,
                     "How long finished jobs are kept, with their results and files"),
	SETTING_DURATION(JOBS, retention_wait_ms, "retention-wait", "1d", 0, INT64_C(365) * DAY_MS,
                     "From the first report of what retention would drop to the first drop"),
	SETTING_STRING(JOBS, zone, "schedule-zone", "UTC",
                   "Time zone in which schedules are read: UTC, +09:00 or Europe/Berlin", "ZONE"),
};
#undef JOBS

struct settings job_settings_of(struct job_settings *target)
{
	return (struct settings){table, sizeof table / sizeof table[0], target};
}
