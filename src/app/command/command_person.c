/* People who log in. Passwords come from the standard input, so that no list of processes shows
 * them. */

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "app/command/subcommand.h"

static const char base[]        = "/api/v1/people";
static const char invitations[] = "/api/v1/invitations";

enum { PASSWORD_LINE_BYTES = 512 };

static const struct client_column list_columns[] = {{"ID", "id"},
                                                    {"EMAIL", "email"},
                                                    {"NAME", "name"},
                                                    {"ROLES", "roles"},
                                                    {"ACTIVE", "active"},
                                                    {"TOTP", "totp"},
                                                    {0}};

static const struct client_column object_columns[] = {{"Id", "id"},
                                                      {"Email", "email"},
                                                      {"Name", "name"},
                                                      {"Roles", "roles"},
                                                      {"Active", "active"},
                                                      {"Address verified", "email_verified"},
                                                      {"Second factor", "totp"},
                                                      {0}};

static const struct client_column invitation_columns[] = {{"Id", "id"},
                                                          {"Email", "email"},
                                                          {"Roles", "roles"},
                                                          {"Invitation (shown once)", "invitation"},
                                                          {"Until", "expires_at"},
                                                          {0}};

static const struct client_column role_columns[] = {
	{"NAME", "name"}, {"DESCRIPTION", "description"}, {"PERMISSIONS", "permissions"}, {0}};

/* A line, which a terminal does not show. False: there is none, or it is too long. */
static bool read_password(char into[PASSWORD_LINE_BYTES])
{
	struct termios before, silent;
	bool           terminal = tcgetattr(STDIN_FILENO, &before) == 0;
	if (terminal) {
		silent = before;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		fputs("Password: ", stderr);
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	}
	bool read = fgets(into, PASSWORD_LINE_BYTES, stdin) != NULL;
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	size_t length = read ? strcspn(into, "\r\n") : 0;
	bool   whole  = read && length < PASSWORD_LINE_BYTES - 1;
	if (read)
		into[length] = '\0';
	return whole && length > 0;
}

static void add_roles(struct json_writer *w, const char *names)
{
	json_add_key(w, TEXT("roles"));
	json_begin_array(w);
	for (const char *at = names; *at != '\0';) {
		size_t length = strcspn(at, ",");
		json_add_string(w, (struct text){at, length});
		at += length + (at[length] == ',');
	}
	json_end_array(w);
}

static enum exit_code send(struct client *client, const char *method, const char *path,
                           const char *id, struct buffer *body, const struct client_column *columns)
{
	enum exit_code code =
		subcommand_object(client, method, path, id, NULL, buffer_text(body), columns);
	buffer_done(body);
	return code;
}

static enum exit_code add(struct client *client, const struct subcommand_flags *flags, char **a)
{
	char               password[PASSWORD_LINE_BYTES];
	struct buffer      body = {0};
	struct json_writer w    = json_writer_of(&body);
	(void)flags;
	if (!read_password(password))
		return command_usage_text("person", "a password is needed on the standard input");
	json_begin_object(&w);
	json_member_string(&w, "email", text_of(a[0]));
	json_member_string(&w, "name", text_of(a[1]));
	json_member_string(&w, "password", text_of(password));
	add_roles(&w, a[2]);
	json_end_object(&w);
	explicit_bzero(password, sizeof password);
	return send(client, "POST", base, NULL, &body, object_columns);
}

static enum exit_code invite(struct client *client, const struct subcommand_flags *flags, char **a)
{
	struct buffer      body = {0};
	struct json_writer w    = json_writer_of(&body);
	(void)flags;
	json_begin_object(&w);
	json_member_string(&w, "email", text_of(a[0]));
	add_roles(&w, a[1]);
	json_end_object(&w);
	return send(client, "POST", invitations, NULL, &body, invitation_columns);
}

static enum exit_code set_roles(struct client *client, const struct subcommand_flags *flags,
                                char **a)
{
	struct buffer      body = {0};
	struct json_writer w    = json_writer_of(&body);
	(void)flags;
	json_begin_object(&w);
	add_roles(&w, a[1]);
	json_end_object(&w);
	return send(client, "PUT", base, a[0], &body, object_columns);
}

static const struct subcommand table[] = {
	{"list", "", "Everybody who may log in", 0, .request = {.base = base, .columns = list_columns}},
	{"add", "EMAIL NAME ROLES", "Add a person; the password is read, roles have commas between", 3,
     add},
	{"invite", "EMAIL ROLES", "Make an invitation, to be used once", 2, invite},
	{"set-roles", "ID ROLES", "Change what a person may do; it holds at once", 2, set_roles},
	{"enable", "ID", "Let a person log in again", 1,
     .request =
         {.method = "PUT", .base = base, .body = "{\"active\":true}", .columns = object_columns}},
	{"disable", "ID", "Let a person log in no more; his sessions end", 1,
     .request =
         {.method = "PUT", .base = base, .body = "{\"active\":false}", .columns = object_columns}},
	{"end-sessions", "ID", "End all sessions of a person", 1,
     .request = {.method = "DELETE", .base = base, .rest = "sessions", .columns = object_columns}},
	{"reset-totp", "ID", "Take off the second factor of a person who has lost it", 1,
     .request = {.method = "DELETE", .base = base, .rest = "totp", .columns = object_columns}},
	{"delete", "ID", "Delete a person", 1,
     .request = {.method = "DELETE", .base = base, .columns = object_columns}},
	{"roles", "", "Roles and their permissions", 0,
     .request = {.base = "/api/v1/roles", .columns = role_columns}},
	{0},
};

enum exit_code command_person(int argc, char **argv)
{
	return subcommand_main("person", table, argc, argv);
}
