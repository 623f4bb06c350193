#include <stdio.h>

#include "app/command/job_wait.h"
#include "app/command/subcommand.h"

enum { RETRY_MS = 60000 /* how long a server that does not answer is asked again */ };

static const char base[] = "/api/v1/backups";

static const struct client_column list_columns[] = {
	{"ID", "id"},        {"FINISHED", "finishedAt"}, {"HOLDS", "logTime"},   {"BYTES", "bytes"},
	{"NEW", "newBytes"}, {"STORED", "storedBytes"},  {"DAMAGED", "damaged"}, {0}};

static const struct client_column taken_columns[] = {{"Backup", "result.backup"},
                                                     {"Files", "result.files"},
                                                     {"Bytes", "result.bytes"},
                                                     {"New", "result.newBytes"},
                                                     {"Stored", "result.storedBytes"},
                                                     {"Took ms", "result.tookMs"},
                                                     {0}};

static const struct client_column verified_columns[] = {
	{"Backups", "result.backups"}, {"Steps", "result.steps"},
	{"Objects", "result.objects"}, {"Bytes", "result.bytes"},
	{"Damaged", "result.damaged"}, {"Missing", "result.missing"},
	{"Took ms", "result.tookMs"},  {0}};

static const struct client_column pruned_columns[] = {{"Backups", "result.backups"},
                                                      {"Steps", "result.steps"},
                                                      {"Objects", "result.objects"},
                                                      {"Removed backups", "result.removedBackups"},
                                                      {"Removed steps", "result.removedSteps"},
                                                      {"Removed objects", "result.removedObjects"},
                                                      {"Took ms", "result.tookMs"},
                                                      {0}};

static enum exit_code run(struct client *client, const char *rest,
                          const struct client_column *columns)
{
	struct buffer path = {0};
	subcommand_path(&path, base, NULL, rest);
	enum exit_code code = client_send(client, "POST", path.data, (struct text){0});
	buffer_done(&path);
	if (code != EXIT_DONE)
		return code;
	char id[64];
	snprintf(id, sizeof id, "%.*s", TEXT_FORMAT(job_text(client->answer, "id")));
	if ((code = job_wait(client, id, RETRY_MS)) != EXIT_DONE)
		return code;
	if (json_type(json_get(client->answer, "result")) == JSON_OBJECT)
		client_print_object(client, columns);
	return job_is_done(client) ? EXIT_DONE : EXIT_REFUSED;
}

static enum exit_code now(struct client *client, const struct subcommand_flags *flags, char **a)
{
	(void)flags;
	(void)a;
	return run(client, NULL, taken_columns);
}

static enum exit_code verify(struct client *client, const struct subcommand_flags *flags, char **a)
{
	(void)flags;
	(void)a;
	return run(client, "verify", verified_columns);
}

static enum exit_code prune(struct client *client, const struct subcommand_flags *flags, char **a)
{
	(void)flags;
	(void)a;
	return run(client, "prune", pruned_columns);
}

static const struct subcommand table[] = {
	{"list", "", "All backups, the newest first", 0,
     .request = {.base = base, .columns = list_columns}},
	{"now", "", "Make a backup and wait for it", 0, now},
	{"verify", "", "Read everything that backups consist of", 0, verify},
	{"prune", "", "Remove what is older than --backup-keep", 0, prune},
	{0},
};

enum exit_code command_backup(int argc, char **argv)
{
	return subcommand_main("backup", table, argc, argv);
}
