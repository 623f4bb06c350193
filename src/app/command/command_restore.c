#include <inttypes.h>
#include <stdio.h>

#include "app/command/command.h"
#include "app/command/progress.h"
#include "backup/backup_key.h"
#include "backup/restore.h"
#include "backup/target_directory.h"
#include "base/instant.h"
#include "base/json.h"
#include "base/settings.h"

struct restore_flags {
	char *from;
	char *data;
	char *keyring;
	char *to_time;
	char *backup;
	char *key_file;
	char *key_command;
	bool  json;
};

static const struct setting table[] = {
	SETTING_STRING(struct restore_flags, from, "from", NULL,
                   "Directory of the backups: what --backup-directory of the server was",
                   "DIRECTORY"),
	SETTING_STRING(struct restore_flags, data, "data", "./data",
                   "Directory to restore into: absent, empty, or of an interrupted restore",
                   "DIRECTORY"),
	SETTING_STRING(struct restore_flags, keyring, "keyring", NULL,
                   "The present keyring: checked to be that of the backup, before anything is "
                   "written",
                   "DIRECTORY"),
	SETTING_STRING(struct restore_flags, to_time, "to-time", NULL,
                   "Restore the state of this instant (RFC 3339); without it the newest there is",
                   "TIME"),
	SETTING_STRING(struct restore_flags, backup, "backup", NULL,
                   "Begin with this backup (an id of `sonnim backup list`)", "ID"),
	SETTING_STRING(struct restore_flags, key_file, "backup-key-file", NULL,
                   "File with the key of the backups; or SONNIM_BACKUP_KEY in the environment",
                   "FILE"),
	SETTING_STRING(struct restore_flags, key_command, "backup-key-command", NULL,
                   "Command that prints the key of the backups", "COMMAND"),
	SETTING_BOOL(struct restore_flags, json, "json", "Print the report as JSON"),
};

static const char usage[] =
	"sonnim restore --from DIRECTORY --data DIRECTORY [FLAGS]\n\n"
	"Restores a backup and the archive behind it into an empty directory; no server is\n"
	"needed. What was interrupted is started again with the same command. The server then\n"
	"starts with this --data and the present --keyring.";

static void tell(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
	progress_draw(context, TEXT("restoring"), done_bytes, total_bytes, TEXT("bytes"));
}

static void print_report(const struct restore_report *report, bool json)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	char               text[INSTANT_TEXT_BYTES];
	struct text        reaches = instant_format(report->reaches_ms, text);
	if (!json) {
		printf("restored backup %s: everything up to %.*s, position %" PRIu64 "\n"
		       "%" PRIu64 " files, %" PRIu64 " bytes, %.1f s\n",
		       report->backup, TEXT_FORMAT(reaches), report->last_position, report->files,
		       report->bytes, (double)report->took_ms / 1000);
		return;
	}
	json_begin_object(&w);
	json_member_string(&w, "backup", text_of(report->backup));
	json_member_instant(&w, "reaches", report->reaches_ms);
	json_member_int(&w, "lastPosition", (int64_t)report->last_position);
	json_member_int(&w, "files", (int64_t)report->files);
	json_member_int(&w, "bytes", (int64_t)report->bytes);
	json_member_int(&w, "writtenBytes", (int64_t)report->written_bytes);
	json_member_int(&w, "tookMs", report->took_ms);
	json_end_object(&w);
	printf("%.*s\n", (int)out.length, out.data);
	buffer_done(&out);
}

static enum status restore(const struct restore_flags *flags, int64_t to_ms,
                           struct restore_report *ret_report, struct error *err)
{
	uint8_t             key[CIPHER_KEY_BYTES];
	struct progress     drawn = {0};
	struct target      *target;
	struct repository  *repository;
	struct restore_wish wish = {.data         = flags->data,
	                            .keyring      = flags->keyring,
	                            .to_ms        = to_ms,
	                            .backup       = flags->backup,
	                            .tell         = tell,
	                            .tell_context = &drawn};
	enum status         status;
	if ((status = backup_key_read(flags->key_file, flags->key_command, key, err)) != STATUS_OK)
		return status;
	if ((status = target_directory_open(flags->from, false, &target, err)) == STATUS_OK)
		status = repository_open(target, key, false, &repository, err);
	cipher_wipe(key, sizeof key);
	if (status != STATUS_OK)
		return status;
	status = restore_run(repository, &wish, ret_report, err);
	repository_free(repository);
	progress_end(&drawn);
	return status;
}

static enum exit_code run(int argc, char **argv, const void *own)
{
	const struct restore_flags *flags = own;
	struct restore_report       report;
	struct error                err   = {0};
	int64_t                     to_ms = INSTANT_MS_NEVER;
	if (argc > 1)
		return command_usage_text(argv[0], "\"%s\" is no flag", argv[1]);
	if (flags->from == NULL)
		return command_usage_text(argv[0], "--from is needed: where the backups are");
	if (flags->to_time != NULL && !instant_parse(text_of(flags->to_time), &to_ms))
		return command_usage_text(argv[0], "--to-time is no time: 2026-01-31T09:00:00Z");
	if (restore(flags, to_ms, &report, &err) == STATUS_OK) {
		print_report(&report, flags->json);
		return EXIT_DONE;
	}
	fprintf(stderr, "sonnim restore: %s%s%s\n", err.field, err.field[0] != '\0' ? ": " : "",
	        err.reason);
	return EXIT_REFUSED;
}

enum exit_code command_restore(int argc, char **argv)
{
	struct restore_flags  flags = {0};
	const struct settings own   = {table, sizeof table / sizeof table[0], &flags};
	return command_own(argc, argv, &own, usage, run);
}
