#include "app/command/subcommand.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/edit_distance.h"
#include "base/file.h"

enum { INPUT_BYTES_MAX = 4 << 20, SUBCOMMANDS_MAX = 16 };

static const struct setting table[] = {
	SETTING_INT(struct subcommand_flags, limit, "limit", "0", 0, 1000000000,
                "Rows of a list at most; 0: all"),
	SETTING_STRING(struct subcommand_flags, segment, "segment", NULL,
                   "Id or key of the segment (user explain, segment preview)", "SEGMENT"),
};

static struct settings flags_of(struct subcommand_flags *flags)
{
	return (struct settings){table, sizeof table / sizeof table[0], flags};
}

static void print_help(const char *command, const struct subcommand *rows)
{
	struct subcommand_flags flags = {0};
	struct settings         own   = flags_of(&flags);
	printf("Usage: sonnim %s ACTION [ARGUMENTS] [FLAGS]\n\n", command);
	for (; rows->name != NULL; rows++) {
		char usage[64];
		snprintf(usage, sizeof usage, "%s %s", rows->name, rows->arguments);
		printf("  %-24s %s\n", usage, rows->help);
	}
	printf("\n");
	client_print_flags(&own);
}

static enum exit_code unknown(const char *command, const struct subcommand *rows, const char *name)
{
	const char *names[SUBCOMMANDS_MAX + 1] = {NULL};
	for (int i = 0; rows[i].name != NULL && i < SUBCOMMANDS_MAX; i++)
		names[i] = rows[i].name;
	const char *nearest = edit_nearest(text_of(name), names);
	return command_usage_text(command, "there is no action \"%s\"%s%s%s", name,
	                          nearest != NULL ? "; did you mean \"" : "",
	                          nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}

static enum exit_code ask(struct client *client, const struct subcommand_flags *flags,
                          const struct subcommand *row, char **arguments)
{
	const struct subcommand_request *request = &row->request;
	const char                      *id      = row->argument_count > 0 ? arguments[0] : NULL;
	if (request->method == NULL)
		return subcommand_list(client, flags, request->base, id, request->rest, request->columns);
	struct text body = request->body == NULL ? (struct text){0} : text_of(request->body);
	return subcommand_object(client, request->method, request->base, id, request->rest, body,
	                         request->columns);
}

static enum exit_code run(struct client *client, const struct subcommand_flags *flags,
                          const char *command, const struct subcommand *rows, int argc, char **argv)
{
	if (argc < 2)
		return command_usage_text(command, "an action is needed; see --help");
	for (; rows->name != NULL; rows++) {
		if (strcmp(rows->name, argv[1]) != 0)
			continue;
		int most   = rows->argument_count_max > 0 ? rows->argument_count_max : rows->argument_count;
		argv[argc] = NULL; /* where flags stood, or the end */
		if (argc - 2 < rows->argument_count || argc - 2 > most)
			return command_usage_text(command, "usage: sonnim %s %s %s", command, rows->name,
			                          rows->arguments);
		return rows->run == NULL ? ask(client, flags, rows, argv + 2)
		                         : rows->run(client, flags, argv + 2);
	}
	return EXIT_USAGE;
}

static bool exists(const struct subcommand *rows, const char *name)
{
	for (; rows->name != NULL; rows++)
		if (strcmp(rows->name, name) == 0)
			return true;
	return false;
}

enum exit_code subcommand_main(const char *command, const struct subcommand *rows, int argc,
                               char **argv)
{
	struct subcommand_flags flags = {0};
	struct settings         own   = flags_of(&flags);
	struct client           client;
	if (command_wants_help(argc, argv)) {
		print_help(command, rows);
		return EXIT_DONE;
	}
	enum exit_code code = client_open(&client, &own, &argc, argv);
	if (code == EXIT_DONE && argc >= 2 && !exists(rows, argv[1]))
		code = unknown(command, rows, argv[1]);
	if (code == EXIT_DONE)
		code = run(&client, &flags, command, rows, argc, argv);
	client_close(&client, &own);
	return code;
}

void subcommand_path(struct buffer *path, const char *base, const char *id, const char *rest)
{
	buffer_printf(path, "%s", base);
	if (id != NULL)
		client_add_segment(path, id);
	if (rest != NULL)
		buffer_printf(path, "/%s", rest);
	buffer_add_u8(path, '\0');
}

enum exit_code subcommand_list(struct client *client, const struct subcommand_flags *flags,
                               const char *base, const char *id, const char *rest,
                               const struct client_column *columns)
{
	struct buffer path = {0};
	subcommand_path(&path, base, id, rest);
	enum exit_code code = client_print_list(client, path.data, (long)flags->limit, columns);
	buffer_done(&path);
	return code;
}

enum exit_code subcommand_object(struct client *client, const char *method, const char *base,
                                 const char *id, const char *rest, struct text body,
                                 const struct client_column *columns)
{
	struct buffer path = {0};
	subcommand_path(&path, base, id, rest);
	enum exit_code code = client_send(client, method, path.data, body);
	if (code == EXIT_DONE && json_type(client->answer) == JSON_OBJECT)
		client_print_object(client, columns);
	buffer_done(&path);
	return code;
}

static enum status read_stdin(struct buffer *out, struct error *err)
{
	for (;;) {
		ssize_t got = read(STDIN_FILENO, buffer_reserve(out, 65536), 65536);
		if (got < 0)
			return error_set(err, STATUS_IO, "the standard input cannot be read");
		if (got == 0)
			return STATUS_OK;
		out->length += (size_t)got;
		if (out->length > INPUT_BYTES_MAX)
			return error_set(err, STATUS_TOO_LARGE, "the standard input is too large");
	}
}

enum exit_code subcommand_read(struct client *client, const char *file, struct buffer *out)
{
	struct error err;
	enum status  status = strcmp(file, "-") == 0 ? read_stdin(out, &err)
	                                             : file_read(file, INPUT_BYTES_MAX, out, &err);
	return status == STATUS_OK ? EXIT_DONE : command_usage(client->command, &err);
}
