#include "app/command/subcommand.h"

static const char base[] = "/api/v1/sources";

static const struct client_column list_columns[] = {
	{"ID", "id"}, {"NAME", "name"}, {"WRITE KEY", "writeKey"}, {"CREATED", "createdAt"}, {0}};

static const struct client_column object_columns[] = {
	{"Id", "id"}, {"Name", "name"}, {"Write key", "writeKey"}, {0}};

static enum exit_code list(struct client *client, const struct subcommand_flags *flags, char **a)
{
	(void)a;
	return subcommand_list(client, flags, base, NULL, NULL, list_columns);
}

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

static enum exit_code delete_source(struct client *client, const struct subcommand_flags *flags,
                                    char **a)
{
	(void)flags;
	return subcommand_object(client, "DELETE", base, a[0], NULL, (struct text){0}, object_columns);
}

static const struct subcommand table[] = {
	{"list", "", "All sources with their write keys", 0, list},
	{"create", "NAME", "Make a source with a write key", 1, create},
	{"delete", "ID", "Delete a source: its write key is refused from now on", 1, delete_source},
	{0},
};

enum exit_code command_source(int argc, char **argv)
{
	return subcommand_main("source", table, argc, argv);
}
