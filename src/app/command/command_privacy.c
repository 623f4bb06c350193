#include <stdio.h>
#include <time.h>

#include "app/command/job_wait.h"
#include "app/command/subcommand.h"
#include "base/instant.h"

enum { RETRY_MS = 60000, POLL_MS = 200, TYPE_BYTES = 64 };

static const char base[] = "/api/v1/privacy/requests";

static const struct client_column list_columns[] = {{"ID", "id"},
                                                    {"TYPE", "type"},
                                                    {"STATE", "state"},
                                                    {"DONE", "counts.done"},
                                                    {"UNKNOWN", "counts.unknown"},
                                                    {"CREATED", "createdAt"},
                                                    {"REASON", "reason"},
                                                    {0}};

static const struct client_column columns[] = {{"Id", "id"},
                                               {"Type", "type"},
                                               {"State", "state"},
                                               {"Reason", "reason"},
                                               {"Subjects", "counts.subjects"},
                                               {"Done", "counts.done"},
                                               {"Unknown", "counts.unknown"},
                                               {"Invalid", "counts.invalid"},
                                               {"Persons", "counts.persons"},
                                               {"Dead letters", "counts.letters"},
                                               {"Files", "counts.files"},
                                               {"Finished", "receipt.finishedAt"},
                                               {"Audit record", "receipt.auditSeq"},
                                               {"Error", "error.message"},
                                               {0}};

static const struct client_column subject_columns[] = {
	{"Known", "known"}, {"Suppressed", "suppressed"}, {"History", "history"}, {0}};

static bool has_ended(const struct client *client)
{
	struct text state = job_text(client->answer, "state");
	return !text_equal(state, TEXT("INITIALIZED")) && !text_equal(state, TEXT("RUNNING"));
}

/* Of the request in the answer. */
static enum exit_code await(struct client *client)
{
	struct buffer  path    = {0};
	enum exit_code code    = EXIT_DONE;
	int64_t        lost_ms = INSTANT_MS_NONE;
	char           id[TYPE_BYTES];
	snprintf(id, sizeof id, "%.*s", TEXT_FORMAT(job_text(client->answer, "id")));
	subcommand_path(&path, base, id, NULL);
	do {
		nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
		code = job_poll(client, path.data, &lost_ms, RETRY_MS);
	} while (code == EXIT_DONE && (json_type(client->answer) != JSON_OBJECT || !has_ended(client)));
	buffer_done(&path);
	if (code != EXIT_DONE)
		return code;
	client_print_object(client, columns);
	return text_equal(job_text(client->answer, "state"), TEXT("FAILED")) ? EXIT_REFUSED : EXIT_DONE;
}

static enum exit_code ask(struct client *client, const char *member, char **a)
{
	struct buffer      body = {0};
	struct json_writer w    = json_writer_of(&body);
	json_begin_object(&w);
	json_member_string(&w, "type", text_of(a[0]));
	if (a[2] != NULL)
		json_member_string(&w, "reason", text_of(a[2]));
	json_add_key(&w, TEXT("subjects"));
	json_begin_array(&w);
	json_begin_object(&w);
	json_member_string(&w, member, text_of(a[1]));
	json_end_object(&w);
	json_end_array(&w);
	json_end_object(&w);
	enum exit_code code = client_send(client, "POST", base, buffer_text(&body));
	buffer_done(&body);
	return code == EXIT_DONE ? await(client) : code;
}

static enum exit_code user(struct client *client, const struct subcommand_flags *flags, char **a)
{
	(void)flags;
	return ask(client, "userId", a);
}

static enum exit_code visitor(struct client *client, const struct subcommand_flags *flags, char **a)
{
	(void)flags;
	return ask(client, "anonymousId", a);
}

static enum exit_code file(struct client *client, const struct subcommand_flags *flags, char **a)
{
	struct buffer body = {0}, path = {0};
	(void)flags;
	enum exit_code code = subcommand_read(client, a[1], &body);
	buffer_printf(&path, "%s/upload?type=", base);
	client_add_escaped(&path, a[0]);
	if (a[2] != NULL) {
		buffer_add_text(&path, TEXT("&reason="));
		client_add_escaped(&path, a[2]);
	}
	buffer_add_u8(&path, 0);
	if (code == EXIT_DONE)
		code = client_send(client, "POST", path.data, buffer_text(&body));
	buffer_done(&body);
	buffer_done(&path);
	return code == EXIT_DONE ? await(client) : code;
}

static enum exit_code known(struct client *client, const struct subcommand_flags *flags, char **a)
{
	struct buffer path = {0};
	(void)flags;
	buffer_add_text(&path, TEXT("/api/v1/privacy/subjects?userId="));
	client_add_escaped(&path, a[0]);
	buffer_add_u8(&path, 0);
	enum exit_code code = client_send(client, "GET", path.data, (struct text){0});
	buffer_done(&path);
	if (code == EXIT_DONE)
		client_print_object(client, subject_columns);
	return code;
}

static const struct subcommand table[] = {
	{"list", "", "All requests, the newest first", 0,
     .request = {.base = base, .columns = list_columns}},
	{"show", "ID", "A request with its counts and receipt", 1,
     .request = {.method = "GET", .base = base, .columns = columns}},
	{"user", "TYPE USERID [REASON]",
     "Ask for a user and wait: SUPPRESS_ONLY, UNSUPPRESS, DELETE_ONLY, SUPPRESS_WITH_DELETE, "
     "EXPORT",
     2, user, .argument_count_max = 3},
	{"visitor", "TYPE ANONYMOUSID [REASON]", "The same for an anonymous id", 2, visitor,
     .argument_count_max = 3},
	{"file", "TYPE FILE [REASON]", "The same for all ids of a CSV or JSON Lines file", 2, file,
     .argument_count_max = 3},
	{"known", "USERID", "Whether an id is suppressed, and when it was erased", 1, known},
	{"cancel", "ID", "Cancel a request that has not begun", 1,
     .request = {.method = "DELETE", .base = base, .columns = columns}},
	{0},
};

enum exit_code command_privacy(int argc, char **argv)
{
	return subcommand_main("privacy", table, argc, argv);
}
