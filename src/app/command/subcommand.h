#ifndef SONNIM_APP_SUBCOMMAND_H
#define SONNIM_APP_SUBCOMMAND_H

/* Commands of the form `sonnim segment members ID`: a table of actions over the server's API. */

#include "app/client.h"

/* The flags that actions may have of their own. */
struct subcommand_flags {
	int64_t limit;
	char   *segment; /* NULL: not named */
};

/* An action that is one request: of BASE, or BASE/ARGUMENT where there is an argument. */
struct subcommand_request {
	const char                 *method; /* NULL: gets a list */
	const char                 *base;
	const char                 *rest; /* behind them: "members"; NULL: nothing */
	const char                 *body; /* JSON; NULL: none */
	const struct client_column *columns;
};

struct subcommand {
	const char *name;
	const char *arguments; /* "ID FILE" */
	const char *help;
	int         argument_count;
	/* NULL: `request` is all there is to do. The arguments end with NULL. */
	enum exit_code (*run)(struct client *client, const struct subcommand_flags *flags,
	                      char **arguments);
	struct subcommand_request request;
	int                       argument_count_max; /* 0: argument_count */
};

/* `rows` end with an empty one. */
enum exit_code subcommand_main(const char *command, const struct subcommand *rows, int argc,
                               char **argv);

/* "/api/v1/segments/ID/members" in `path` (NUL-ended, to be freed by buffer_done()); `id` and
 * `rest` may be NULL. */
void subcommand_path(struct buffer *path, const char *base, const char *id, const char *rest);

/* Gets the list at that path and prints it. */
enum exit_code subcommand_list(struct client *client, const struct subcommand_flags *flags,
                               const char *base, const char *id, const char *rest,
                               const struct client_column *columns);

/* Sends a request and prints the object answered (nothing for an empty answer). */
enum exit_code subcommand_object(struct client *client, const char *method, const char *base,
                                 const char *id, const char *rest, struct text body,
                                 const struct client_column *columns);

/* The content of a file, "-" for the standard input; printed when it cannot be read. */
enum exit_code subcommand_read(struct client *client, const char *file, struct buffer *out);

#endif
