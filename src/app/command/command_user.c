#include "app/command/subcommand.h"

static const char base[] = "/api/v1/users";

static const struct client_column profile_columns[] = {{"Id", "id"},
                                                       {"Identified", "identified"},
                                                       {"Email", "email"},
                                                       {"Phone", "phone"},
                                                       {"Attributes", "attributes"},
                                                       {"Created", "createdAt"},
                                                       {"Last active", "lastActiveAt"},
                                                       {0}};

static const struct client_column segment_columns[] = {
	{"SEGMENT", "segmentKey"}, {"ENTERED", "enteredAt"}, {0}};

static const struct client_column history_columns[] = {
	{"AT", "at"},       {"CHANGE", "change"},     {"SEGMENT", "segmentKey"},
	{"CAUSE", "cause"}, {"MESSAGE", "messageId"}, {0}};

static const struct client_column event_columns[] = {{"TIME", "time"},
                                                     {"EVENT", "event"},
                                                     {"MESSAGE", "messageId"},
                                                     {"PROPERTIES", "properties"},
                                                     {0}};

static const struct client_column explain_columns[] = {{"Member", "member"},
                                                       {"Entered", "enteredAt"},
                                                       {"Changes at", "next.at"},
                                                       {"왜", "sentence.ko"},
                                                       {"Why", "sentence.en"},
                                                       {"As of", "as_of"},
                                                       {0}};

static enum exit_code explain(struct client *client, const struct subcommand_flags *flags, char **a)
{
	if (flags->segment == NULL)
		return command_usage_text("user", "explain needs --segment, an id or a key");
	struct buffer rest = {0}, segment = {0};
	client_add_segment(&segment, flags->segment); /* "/KEY", percent-encoded */
	buffer_printf(&rest, "explain?segment=%.*s", (int)segment.length - 1, segment.data + 1);
	buffer_add_u8(&rest, '\0');
	enum exit_code code =
		subcommand_object(client, "GET", base, a[0], rest.data, (struct text){0}, explain_columns);
	buffer_done(&rest);
	buffer_done(&segment);
	return code;
}

static const struct subcommand table[] = {
	{"profile", "ID", "What is known of a user (or of anonymous_id:ID)", 1,
     .request = {.method = "GET", .base = base, .rest = "profile", .columns = profile_columns}},
	{"segments", "ID", "Of which segments the user is a member now", 1,
     .request = {.base = base, .rest = "segments", .columns = segment_columns}},
	{"history", "ID", "Which segments the user entered and left", 1,
     .request = {.base = base, .rest = "segments/history", .columns = history_columns}},
	{"explain", "ID", "Why the user is, or is not, in --segment; the tree with --json", 1, explain},
	{"events", "ID", "What the user did, newest first", 1,
     .request = {.base = base, .rest = "events", .columns = event_columns}},
	{0},
};

enum exit_code command_user(int argc, char **argv)
{
	return subcommand_main("user", table, argc, argv);
}
