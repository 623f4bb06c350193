#include "backup/settings.h"

#define BACKUP struct backup_settings
static const struct setting table[] = {
	SETTING_STRING(
		BACKUP, directory, "backup-directory", NULL,
		"Where backups and the archive of the journal are kept: another disk or machine; "
		"made when it is absent. Absent: there are none",
		"DIRECTORY"),
	SETTING_STRING(
		BACKUP, key_file, "backup-key-file", NULL,
		"File with the key of the backups, 64 hexadecimal digits, outside of the data and "
		"of the backups; or SONNIM_BACKUP_KEY in the environment",
		"FILE"),
	SETTING_STRING(BACKUP, key_command, "backup-key-command", NULL,
                   "Command that prints the key of the backups", "COMMAND"),
	SETTING_STRING(BACKUP, schedule, "backup-schedule", "17 3 * * *",
                   "When a backup is made by itself, as a cron expression, until the schedule "
                   "\"backup\" is changed; empty: not",
                   "CRON"),
	SETTING_DURATION(BACKUP, archive_interval_ms, "backup-archive-interval", "20s", 1000, 300000,
                     "From one step of the archive to the next: what can be lost with the machine"),
	SETTING_DURATION(
		BACKUP, keep_ms, "backup-keep", "30d", 0, INT64_C(36500) * 86400000,
		"How far back a restore can go; older backups are removed, but for the one that "
		"reaches into this time, and the newest"),
};
#undef BACKUP

struct settings backup_settings_of(struct backup_settings *target)
{
	return (struct settings){table, sizeof table / sizeof table[0], target};
}
