#include "app/command/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/edit_distance.h"

static const struct command commands[] = {
	{"serve", "Run the server", command_serve},
	{"segment", "List, make, change and look into segments", command_segment},
	{"audience", "Calculate audiences, save and refresh them", command_audience},
	{"user", "Look at a user: profile, segments, history, events", command_user},
	{"source", "List, make and delete sources and their write keys", command_source},
	{"key", "Replace the keyring's master key", command_key},
	{"token", "List, make and delete tokens", command_token},
	{"workspace", "List, make and delete other workspaces of the server", command_workspace},
	{"person", "Who may log in: list, add, invite, change, delete", command_person},
	{"import", "Send the rows of a CSV or JSON Lines file", command_import},
	{"export", "Write events and profiles of a running server to files", command_export},
	{"simulate", "Send the made-up traffic of a shop or a travel agency", command_simulate},
	{"job", "Watch, cancel and schedule background jobs; what is kept for a time", command_job},
	{"doctor", "Check this machine, the settings and a running server", command_doctor},
	{"health", "Whether the server is ready", command_health},
	{"journal", "Verify or dump the journal of a stopped server", command_journal},
	{"audit", "Verify, list and export the audit trail", command_audit},
	{"privacy", "Suppress, erase and export persons at their request", command_privacy},
	{"backup", "Make, list, verify and prune backups", command_backup},
	{"restore", "Bring data back from a backup, into an empty directory", command_restore},
	{"filters", "List the built-in filters of audiences, check a file of own ones",
     command_filters},
	{"config", "Print all settings with their defaults", command_config},
	{"version", "Print the version", command_version},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out)
{
	fprintf(out, "Usage: sonnim COMMAND [ARGUMENTS]\n\n");
	for (int i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(out,
	        "\n`sonnim COMMAND --help` says more. Commands that talk to a server take --url and\n"
	        "--token-file, or SONNIM_URL and SONNIM_TOKEN.\n"
	        "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 no server answers.\n");
}

bool command_wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

enum exit_code command_usage(const char *name, const struct error *err)
{
	fprintf(stderr, "sonnim %s: %s%s%s\n", name, err->field, err->field[0] != '\0' ? ": " : "",
	        err->reason);
	return EXIT_USAGE;
}

enum exit_code command_usage_text(const char *name, const char *format, ...)
{
	va_list arguments;
	fprintf(stderr, "sonnim %s: ", name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\n");
	return EXIT_USAGE;
}

enum exit_code command_own(int argc, char **argv, const struct settings *own, const char *usage,
                           enum exit_code (*run)(int argc, char **argv, const void *flags))
{
	struct buffer  out = {0};
	struct error   err;
	enum exit_code code = EXIT_DONE;
	if (command_wants_help(argc, argv)) {
		settings_help(own, 1, &out);
		printf("Usage: %s\n\n%.*s", usage, (int)out.length, out.data);
		buffer_done(&out);
		return code;
	}
	if (settings_load(own, 1, &err) != STATUS_OK ||
	    settings_parse_flags(own, 1, &argc, argv, &err) != STATUS_OK)
		code = command_usage(argv[0], &err);
	else
		code = run(argc, argv, own->target);
	settings_done(own, 1);
	return code;
}

static enum exit_code unknown_command(const char *name)
{
	const char *names[COMMAND_COUNT + 1] = {NULL};
	for (int i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i].name;
	const char *nearest = edit_nearest(text_of(name), names);
	fprintf(stderr, "sonnim: there is no command \"%s\"", name);
	if (nearest != NULL)
		fprintf(stderr, "; did you mean \"%s\"?", nearest);
	fprintf(stderr, "\n`sonnim --help` lists all.\n");
	return EXIT_USAGE;
}

enum exit_code command_main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return EXIT_DONE;
	}
	if (strcmp(argv[1], "--version") == 0)
		return command_version(argc - 1, argv + 1);
	for (int i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return unknown_command(argv[1]);
}

enum exit_code command_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("sonnim %s\n", SONNIM_VERSION);
	return EXIT_DONE;
}
