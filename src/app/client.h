#ifndef SONNIM_APP_CLIENT_H
#define SONNIM_APP_CLIENT_H

/* What the commands that talk to a running server share: where it is, who asks, and how answers are
 * printed: tables for people, JSON for machines (--json). */

#include "app/command/command.h"
#include "base/json.h"
#include "base/settings.h"
#include "http/client.h"

struct client_settings {
	char *url;
	char *ca;        /* NULL: who the machine trusts */
	char *workspace; /* its slug; NULL: the one that the token belongs to */
	char *token;
	char *token_file;
	bool  json;
};

struct client {
	struct client_settings      settings;
	struct http_client         *http;
	struct http_client_response response;
	struct json_parser         *parser;
	struct json                 answer; /* of the last call; JSON_NONE: empty */
	const char                 *command;
	bool                        patient; /* that the server is not available is not printed */
	char                        authorization[320];
};

/* Reads the flags (those of the command itself too, in `own`, which may be NULL), and leaves the
 * rest in argv. EXIT_USAGE after it printed why. */
enum exit_code client_open(struct client *client, const struct settings *own, int *argc,
                           char **argv);
void           client_close(struct client *client, const struct settings *own);

/* Sends one request; `path` from "/api/…" on, `body` may be empty. Prints what went wrong and
 * answers EXIT_REFUSED or EXIT_UNREACHABLE; else `client->answer` is set. */
enum exit_code client_send(struct client *client, const char *method, const char *path,
                           struct text body);

/* Whether that is what the last call came to because the server is not there, or not able to
 * answer now: it may be asked again. */
bool client_unavailable(const struct client *client, enum exit_code code);

/* Posts a body that comes in pieces, however large; the same otherwise. */
enum exit_code client_upload(struct client *client, const char *path, const char *content_type,
                             http_client_read_fn *read, void *read_context, int64_t timeout_ms);

/* Appends a path segment, with its slash, or a value of the query, percent-encoded. */
void client_add_segment(struct buffer *path, const char *segment);
void client_add_escaped(struct buffer *path, const char *text);

/* A column of a table: its head, and the member that it shows ("members.size" is a path). */
struct client_column {
	const char *head;
	const char *member;
};

/* On a line of its own. */
void client_print_json(struct json value);

/* Prints an object as "member  value" lines; with --json as it came. */
void client_print_object(const struct client *client, const struct client_column *columns);

/* Prints an array of objects as a table. */
void client_print_table(struct json items, const struct client_column *columns, bool with_head);

/* Gets all pages of a list (at most `limit` items; 0: all) and prints them; `path` may have a query
 * already. */
enum exit_code client_print_list(struct client *client, const char *path, long limit,
                                 const struct client_column *columns);

/* Lines of --help for the flags that every such command has. */
void client_print_flags(const struct settings *own);

#endif
