#include "app/command/subcommand.h"

static const char base[] = "/api/v1/segments";

static const struct client_column list_columns[] = {
	{"KEY", "key"},
	{"NAME", "name"},
	{"STATE", "state"},
	{"TYPE", "type"},
	{"VERSION", "version"},
	{"DEFINITION", "text"},
	{0},
};

static const struct client_column object_columns[] = {
	{"Id", "id"},           {"Key", "key"},
	{"Name", "name"},       {"Description", "description"},
	{"Type", "type"},       {"Active", "active"},
	{"State", "state"},     {"Reason", "reason"},
	{"Version", "version"}, {"Live version", "liveVersion"},
	{"Definition", "text"}, {0},
};

static const struct client_column member_columns[] = {
	{"USER", "userId"}, {"VISITOR", "anonymousId"}, {"ENTERED", "enteredAt"}, {0}};

static const struct client_column history_columns[] = {{"AT", "at"},
                                                       {"CHANGE", "change"},
                                                       {"USER", "userId"},
                                                       {"VISITOR", "anonymousId"},
                                                       {"CAUSE", "cause"},
                                                       {"MESSAGE", "messageId"},
                                                       {0}};

static const struct client_column statistics_columns[] = {
	{"Size", "size"}, {"Users", "total_users"}, {"Ratio", "ratio"}, {"As of", "as_of"}, {0}};

static enum exit_code send_file(struct client *client, const char *method, const char *id,
                                const char *file)
{
	struct buffer  body = {0};
	enum exit_code code = subcommand_read(client, file, &body);
	if (code == EXIT_DONE)
		code =
			subcommand_object(client, method, base, id, NULL, buffer_text(&body), object_columns);
	buffer_done(&body);
	return code;
}

static enum exit_code create(struct client *client, const struct subcommand_flags *flags, char **a)
{
	(void)flags;
	return send_file(client, "POST", NULL, a[0]);
}

static enum exit_code update(struct client *client, const struct subcommand_flags *flags, char **a)
{
	(void)flags;
	return send_file(client, "PUT", a[0], a[1]);
}

/* A segment by its expression alone, in the text notation. */
static enum exit_code define(struct client *client, const struct subcommand_flags *flags, char **a)
{
	struct buffer      body   = {0};
	struct json_writer writer = json_writer_of(&body);
	(void)flags;
	json_begin_object(&writer);
	json_member_string(&writer, "name", text_of(a[0]));
	json_member_string(&writer, "expression", text_of(a[1]));
	json_end_object(&writer);
	enum exit_code code =
		subcommand_object(client, "POST", base, NULL, NULL, buffer_text(&body), object_columns);
	buffer_done(&body);
	return code;
}

static enum exit_code redefine(struct client *client, const struct subcommand_flags *flags,
                               char **a)
{
	struct buffer      body   = {0};
	struct json_writer writer = json_writer_of(&body);
	(void)flags;
	json_begin_object(&writer);
	json_member_string(&writer, "expression", text_of(a[1]));
	json_end_object(&writer);
	enum exit_code code =
		subcommand_object(client, "PUT", base, a[0], NULL, buffer_text(&body), object_columns);
	buffer_done(&body);
	return code;
}

static const struct client_column preview_columns[] = {
	{"Size", "size"},
	{"Users", "total_users"},
	{"Live version", "difference.liveVersion"},
	{"Live size", "difference.size"},
	{"Would enter", "difference.entering"},
	{"Would leave", "difference.leaving"},
	{"As of", "as_of"},
	{0},
};

static enum exit_code preview(struct client *client, const struct subcommand_flags *flags, char **a)
{
	struct buffer  body = {0};
	enum exit_code code = subcommand_read(client, a[0], &body);
	if (code == EXIT_DONE)
		code = subcommand_object(client, "POST", base, flags->segment, "preview",
		                         buffer_text(&body), preview_columns);
	buffer_done(&body);
	return code;
}

static const struct subcommand table[] = {
	{"list", "", "All segments", 0, .request = {.base = base, .columns = list_columns}},
	{"get", "ID", "One segment, by id or key", 1,
     .request = {.method = "GET", .base = base, .columns = object_columns}},
	{"create", "FILE", "Define a segment from JSON (- for the standard input)", 1, create},
	{"define", "NAME TEXT", "Define a segment as text: 'count(\"Order Completed\") >= 3'", 2,
     define},
	{"redefine", "ID TEXT", "Define it anew as text", 2, redefine},
	{"update", "ID FILE", "Change a segment; fields that are absent stay", 2, update},
	{"preview", "FILE", "What a definition would answer; a change of --segment beside it", 1,
     preview},
	{"delete", "ID", "Delete a segment", 1,
     .request = {.method = "DELETE", .base = base, .columns = object_columns}},
	{"enable", "ID", "Enable a segment", 1,
     .request = {.method  = "PATCH",
                 .base    = base,
                 .rest    = "status",
                 .body    = "{\"active\":true}",
                 .columns = object_columns}},
	{"disable", "ID", "Disable a segment", 1,
     .request = {.method  = "PATCH",
                 .base    = base,
                 .rest    = "status",
                 .body    = "{\"active\":false}",
                 .columns = object_columns}},
	{"members", "ID", "Who is a member now", 1,
     .request = {.base = base, .rest = "members", .columns = member_columns}},
	{"statistics", "ID", "How many members there are now", 1,
     .request =
         {.method = "GET", .base = base, .rest = "statistics", .columns = statistics_columns}},
	{"history", "ID", "Who entered and left, oldest first", 1,
     .request = {.base = base, .rest = "history", .columns = history_columns}},
	{0},
};

enum exit_code command_segment(int argc, char **argv)
{
	return subcommand_main("segment", table, argc, argv);
}
