#include "app/command/subcommand.h"

#include <string.h>

static const char base[] = "/api/v1/tokens";

static const struct client_column list_columns[] = {
	{"ID", "id"}, {"NAME", "name"}, {"SCOPES", "scopes"}, {"EXPIRES", "expiresAt"}, {0}};

static const struct client_column object_columns[] = {
	{"Id", "id"}, {"Name", "name"}, {"Scopes", "scopes"}, {"Token (shown once)", "token"}, {0}};

static enum exit_code create(struct client *client, const struct subcommand_flags *flags, char **a)
{
	struct buffer      body = {0};
	struct json_writer w    = json_writer_of(&body);
	(void)flags;
	json_begin_object(&w);
	json_member_string(&w, "name", text_of(a[0]));
	json_add_key(&w, TEXT("scopes"));
	json_begin_array(&w);
	for (const char *at = a[1]; *at != '\0';) {
		size_t length = strcspn(at, ",");
		json_add_string(&w, (struct text){at, length});
		at += length + (at[length] == ',');
	}
	json_end_array(&w);
	json_end_object(&w);
	enum exit_code code =
		subcommand_object(client, "POST", base, NULL, NULL, buffer_text(&body), object_columns);
	buffer_done(&body);
	return code;
}

static const struct subcommand table[] = {
	{"list", "", "All tokens, without their texts", 0,
     .request = {.base = base, .columns = list_columns}},
	{"create", "NAME SCOPES", "Make a token; scopes are separated by commas", 2, create},
	{"delete", "ID", "Delete a token: it is refused from now on", 1,
     .request = {.method = "DELETE", .base = base, .columns = object_columns}},
	{0},
};

enum exit_code command_token(int argc, char **argv)
{
	return subcommand_main("token", table, argc, argv);
}
