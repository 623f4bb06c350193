#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/command/job_wait.h"
#include "app/command/subcommand.h"
#include "base/instant.h"

static const char base[]      = "/api/v1/jobs";
static const char schedules[] = "/api/v1/schedules";

enum { WATCH_MS = 500, LOST_MS_MAX = 60000 };

static const struct client_column list_columns[] = {{"ID", "id"},
                                                    {"KIND", "kind"},
                                                    {"STATE", "state"},
                                                    {"DONE", "progress.done"},
                                                    {"OF", "progress.total"},
                                                    {"UNIT", "progress.unit"},
                                                    {"CREATED", "createdAt"},
                                                    {"ERROR", "error.message"},
                                                    {0}};

static const struct client_column job_columns[] = {{"Id", "id"},
                                                   {"Kind", "kind"},
                                                   {"State", "state"},
                                                   {"Cancel wanted", "cancelWanted"},
                                                   {"Priority", "priority"},
                                                   {"Parameters", "params"},
                                                   {"Asked by", "askedBy"},
                                                   {"Schedule", "schedule"},
                                                   {"Attempt", "attempt"},
                                                   {"of", "attemptsMax"},
                                                   {"Created", "createdAt"},
                                                   {"Runs from", "runFrom"},
                                                   {"Started", "startedAt"},
                                                   {"Finished", "finishedAt"},
                                                   {"Done", "progress.done"},
                                                   {"Total", "progress.total"},
                                                   {"Unit", "progress.unit"},
                                                   {"Doing", "progress.message"},
                                                   {"Result", "result"},
                                                   {"Error", "error"},
                                                   {"Files", "files"},
                                                   {0}};

static const struct client_column schedule_columns[] = {
	{"NAME", "name"},     {"KIND", "kind"},   {"CRON", "cron"},          {"ZONE", "zone"},
	{"ACTIVE", "active"}, {"NEXT", "nextAt"}, {"LAST JOB", "lastJobId"}, {0}};

static const struct client_column one_schedule_columns[] = {{"Name", "name"},
                                                            {"Kind", "kind"},
                                                            {"Parameters", "params"},
                                                            {"Cron", "cron"},
                                                            {"Zone", "zone"},
                                                            {"Priority", "priority"},
                                                            {"Active", "active"},
                                                            {"Next", "nextAt"},
                                                            {"Last", "lastAt"},
                                                            {"Last job", "lastJobId"},
                                                            {0}};

static const struct client_column retention_columns[] = {{"WHAT", "name"},
                                                         {"KEPT FOR", "keptFor"},
                                                         {"SETTING", "setting"},
                                                         {"COUNT", "count"},
                                                         {"BYTES", "bytes"},
                                                         {"OLDEST", "oldest"},
                                                         {"NEXT RUN", "next"},
                                                         {"TOO OLD", "due.count"},
                                                         {"DROPS FROM", "dropsFrom"},
                                                         {0}};

/* ---- Watching ---- */

static bool is_state(struct json job, const char *state)
{
	return text_equal(job_text(job, "state"), text_of(state));
}

static int64_t number_of(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_INT ? json_int(value) : -1;
}

/* One line, when it says something else than the one before. */
static void print_progress(struct json job, struct buffer *before)
{
	struct json   progress = json_get(job, "progress");
	int64_t       total    = number_of(progress, "total");
	struct text   state = job_text(job, "state"), unit = job_text(progress, "unit");
	struct text   message = job_text(progress, "message");
	struct buffer line    = {0};
	buffer_printf(&line, "%.*s", TEXT_FORMAT(state));
	if (unit.length > 0)
		buffer_printf(&line, "  %lld", (long long)number_of(progress, "done"));
	if (unit.length > 0 && total >= 0)
		buffer_printf(&line, " of %lld", (long long)total);
	buffer_printf(&line, " %.*s  %.*s", TEXT_FORMAT(unit), TEXT_FORMAT(message));
	if (!text_equal(buffer_text(&line), buffer_text(before))) {
		printf("%.*s\n", TEXT_FORMAT(buffer_text(&line)));
		fflush(stdout);
	}
	buffer_done(before);
	*before = line;
}

/* Until it has ended, over restarts of the server; refused when it did not end well. */
static enum exit_code watch(struct client *client, const struct subcommand_flags *flags, char **a)
{
	const struct timespec pause  = {.tv_nsec = WATCH_MS * 1000000};
	struct buffer         before = {0}, path = {0};
	int64_t               lost_ms = INSTANT_MS_NONE;
	enum exit_code        code;
	(void)flags;
	subcommand_path(&path, base, a[0], NULL);
	while ((code = job_poll(client, path.data, &lost_ms, LOST_MS_MAX)) == EXIT_DONE) {
		bool lost = json_type(client->answer) != JSON_OBJECT;
		if (!lost)
			print_progress(client->answer, &before);
		if (!lost && !is_state(client->answer, "queued") && !is_state(client->answer, "running")) {
			code = is_state(client->answer, "done") ? EXIT_DONE : EXIT_REFUSED;
			client_print_object(client, job_columns);
			break;
		}
		nanosleep(&pause, NULL);
	}
	buffer_done(&before);
	buffer_done(&path);
	return code;
}

/* ---- Schedules ---- */

static enum exit_code put_schedule(struct client *client, const struct subcommand_flags *flags,
                                   char **a)
{
	struct buffer      body = {0};
	struct json_writer w    = json_writer_of(&body);
	(void)flags;
	json_begin_object(&w);
	json_member_string(&w, "kind", text_of(a[1]));
	json_member_string(&w, "cron", text_of(a[2]));
	json_end_object(&w);
	enum exit_code code = subcommand_object(client, "PUT", schedules, a[0], NULL,
	                                        buffer_text(&body), one_schedule_columns);
	buffer_done(&body);
	return code;
}

static const struct subcommand table[] = {
	{"list", "", "Background jobs, the newest first", 0,
     .request = {.base = base, .columns = list_columns}},
	{"show", "ID", "One job, with its result and files", 1,
     .request = {.method = "GET", .base = base, .columns = job_columns}},
	{"watch", "ID", "Print the progress of a job until it has ended", 1, watch},
	{"cancel", "ID", "Cancel a job", 1,
     .request = {.method = "POST", .base = base, .rest = "cancel", .columns = job_columns}},
	{"retry", "ID", "Run a failed or cancelled job again", 1,
     .request = {.method = "POST", .base = base, .rest = "retry", .columns = job_columns}},
	{"schedules", "", "What adds jobs by the clock", 0,
     .request = {.base = schedules, .columns = schedule_columns}},
	{"schedule", "NAME KIND CRON", "Set a schedule: five fields, such as \"0 3 * * MON-FRI\"", 3,
     put_schedule},
	{"unschedule", "NAME", "Delete a schedule", 1,
     .request = {.method = "DELETE", .base = schedules}},
	{"run", "NAME", "Add the job of a schedule now", 1,
     .request = {.method = "POST", .base = schedules, .rest = "run", .columns = job_columns}},
	{"retention", "", "What is kept for a time, and what the next run drops", 0,
     .request = {.base = "/api/v1/retention", .columns = retention_columns}},
	{0},
};

enum exit_code command_job(int argc, char **argv)
{
	return subcommand_main("job", table, argc, argv);
}
