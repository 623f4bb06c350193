#include "app/command/subcommand.h"

static const char base[] = "/api/v1/sources";

static const struct client_column list_columns[] = {
	{"ID", "id"}, {"NAME", "name"}, {"WRITE KEY", "writeKey"}, {"CREATED", "createdAt"}, {0}};

static const struct client_column object_columns[] = {
	{"Id", "id"}, {"Name", "name"}, {"Write key", "writeKey"}, {0}};

static enum exit_code create(struct client *client, const struct subcommand_flags *flags, char **a)
{
	struct buffer      body = {0};
	struct json_writer w    = json_writer_of(&body);
	(void)flags;
	json_begin_object(&w);
	json_member_string(&w, "name", text_of(a[0]));
	json_end_object(&w);
	enum exit_code code =
		subcommand_object(client, "POST", base, NULL, NULL, buffer_text(&body), object_columns);
	buffer_done(&body);
	return code;
}

/* ---- Its tracking plan, and what was observed of it ---- */

static const struct client_column plan_columns[] = {{"Source", "sourceId"},
                                                    {"Version", "version"},
                                                    {"Changed", "updatedAt"},
                                                    {"Plan", "plan"},
                                                    {0}};

static const struct client_column violation_columns[] = {
	{"EVENT", "event"},     {"PROPERTY", "property"}, {"KIND", "kind"},         {"COUNT", "count"},
	{"SINCE", "firstSeen"}, {"LAST", "lastSeen"},     {"MESSAGE", "messageId"}, {0}};

static const struct client_column type_columns[] = {{"EVENT", "event"},
                                                    {"PROPERTY", "property"},
                                                    {"COUNT", "count"},
                                                    {"LAST", "lastSeen"},
                                                    {"DRIFTED", "driftedAt"},
                                                    {"TYPES", "types"},
                                                    {0}};

static enum exit_code set_plan(struct client *client, const struct subcommand_flags *flags,
                               char **a)
{
	struct buffer body = {0};
	(void)flags;
	enum exit_code code = subcommand_read(client, a[1], &body);
	if (code == EXIT_DONE)
		code = subcommand_object(client, "PUT", base, a[0], "tracking-plan", buffer_text(&body),
		                         plan_columns);
	buffer_done(&body);
	return code;
}

static const struct subcommand table[] = {
	{"list", "", "All sources with their write keys", 0,
     .request = {.base = base, .columns = list_columns}},
	{"create", "NAME", "Make a source with a write key", 1, create},
	{"delete", "ID", "Delete a source: its write key is refused from now on", 1,
     .request = {.method = "DELETE", .base = base, .columns = object_columns}},
	{"plan", "ID", "Its tracking plan", 1,
     .request = {.method = "GET", .base = base, .rest = "tracking-plan", .columns = plan_columns}},
	{"set-plan", "ID FILE", "Set its tracking plan from JSON; - is the standard input", 2,
     set_plan},
	{"delete-plan", "ID", "Delete its tracking plan", 1,
     .request =
         {.method = "DELETE", .base = base, .rest = "tracking-plan", .columns = plan_columns}},
	{"violations", "ID", "What it has sent against its plan", 1,
     .request = {.base = base, .rest = "violations", .columns = violation_columns}},
	{"types", "ID", "Which properties it sends, of which types, and which have drifted", 1,
     .request = {.base = base, .rest = "types", .columns = type_columns}},
	{0},
};

enum exit_code command_source(int argc, char **argv)
{
	return subcommand_main("source", table, argc, argv);
}
