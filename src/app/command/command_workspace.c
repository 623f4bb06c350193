#include "app/command/subcommand.h"

static const char base[] = "/api/v1/workspaces";

static const struct client_column list_columns[] = {{"SLUG", "slug"},
                                                    {"NAME", "name"},
                                                    {"STATE", "state"},
                                                    {"OPEN", "open"},
                                                    {"ID", "id"},
                                                    {"CREATED", "createdAt"},
                                                    {0}};

static const struct client_column object_columns[] = {{"Id", "id"},
                                                      {"Slug", "slug"},
                                                      {"Name", "name"},
                                                      {"State", "state"},
                                                      {"Open", "open"},
                                                      {"Partitions", "partitions"},
                                                      {"Retention", "retentionDays"},
                                                      {"Limits", "limits"},
                                                      {0}};

static const struct client_column new_columns[] = {
	{"Id", "id"},       {"Slug", "slug"},          {"Name", "name"},
	{"Token", "token"}, {"Write key", "writeKey"}, {0}};

static const struct client_column member_columns[] = {
	{"PERSON", "personId"}, {"ROLES", "roles"}, {"SINCE", "createdAt"}, {0}};

static enum exit_code create(struct client *client, const struct subcommand_flags *flags, char **a)
{
	struct buffer      body = {0};
	struct json_writer w    = json_writer_of(&body);
	(void)flags;
	json_begin_object(&w);
	json_member_string(&w, "slug", text_of(a[0]));
	json_member_string(&w, "name", text_of(a[1] != NULL ? a[1] : a[0]));
	json_end_object(&w);
	enum exit_code code =
		subcommand_object(client, "POST", base, NULL, NULL, buffer_text(&body), new_columns);
	buffer_done(&body);
	return code;
}

static enum exit_code delete (struct client *client, const struct subcommand_flags *flags,
                              char **a) {
	struct buffer path = {0}; (void)flags; buffer_printf(&path, "%s", base);
	client_add_segment(&path, a[0]);
	buffer_printf(&path, "?confirm=");
	client_add_escaped(&path, a[1]);
	buffer_add_u8(&path, '\0');
	enum exit_code code = client_send(client, "DELETE", path.data, (struct text){0});
	buffer_done(&path);
	return code;
}

static const struct subcommand table[] = {
	{"list", "", "All workspaces but the default one", 0,
     .request = {.base = base, .columns = list_columns}},
	{"show", "SLUG", "One of them, with its limits", 1,
     .request = {.method = "GET", .base = base, .columns = object_columns}},
	{"create", "SLUG [NAME]", "Make one; its first token and write key are shown once", 1, create,
     .argument_count_max = 2},
	{"delete", "SLUG SLUG", "Delete all of it for good; the slug twice, as a confirmation", 2,
     delete},
	{"members", "SLUG", "Who of the default one may enter it", 1,
     .request = {.base = base, .rest = "members", .columns = member_columns}},
	{0},
};

enum exit_code command_workspace(int argc, char **argv)
{
	return subcommand_main("workspace", table, argc, argv);
}
