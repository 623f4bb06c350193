#ifndef SONNIM_APP_COMMAND_H
#define SONNIM_APP_COMMAND_H

/* The commands of the binary: `sonnim NAME …`. Each prints its own --help. The table stands in
 * command.c; `sonnim --help` lists it. */

#include "base/settings.h"

/* Exit codes, of every command. */
enum exit_code {
	EXIT_DONE        = 0,
	EXIT_REFUSED     = 1, /* the server, or what was asked for, refused: the message is on stderr */
	EXIT_USAGE       = 2, /* the command line is wrong */
	EXIT_UNREACHABLE = 3, /* no server answers */
};

struct command {
	const char *name;
	const char *help; /* one line */
	/* argv[0] is the command's name; what follows are its arguments. */
	enum exit_code (*run)(int argc, char **argv);
};

/* Looks the command up and runs it; `argv` is the process's. */
enum exit_code command_main(int argc, char **argv);

/* Whether --help or -h is among the arguments (before a "--"). */
bool command_wants_help(int argc, char **argv);

/* Prints "sonnim NAME: reason" (with the field) on the standard error and answers EXIT_USAGE. */
enum exit_code command_usage(const char *name, const struct error *err);

/* The same without a struct. */
enum exit_code command_usage_text(const char *name, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A command that asks no server: prints `usage` and its flags for --help, else parses them and
 * runs; `argv` is then what they leave. */
enum exit_code command_own(int argc, char **argv, const struct settings *own, const char *usage,
                           enum exit_code (*run)(int argc, char **argv, const void *flags));

/* One file each. */
enum exit_code command_serve(int argc, char **argv);
enum exit_code command_segment(int argc, char **argv);
enum exit_code command_audience(int argc, char **argv);
enum exit_code command_user(int argc, char **argv);
enum exit_code command_source(int argc, char **argv);
enum exit_code command_key(int argc, char **argv);
enum exit_code command_token(int argc, char **argv);
enum exit_code command_workspace(int argc, char **argv);
enum exit_code command_person(int argc, char **argv);
enum exit_code command_import(int argc, char **argv);
enum exit_code command_export(int argc, char **argv);
enum exit_code command_simulate(int argc, char **argv);
enum exit_code command_doctor(int argc, char **argv);
enum exit_code command_health(int argc, char **argv);
enum exit_code command_job(int argc, char **argv);
enum exit_code command_journal(int argc, char **argv);
enum exit_code command_audit(int argc, char **argv);
enum exit_code command_privacy(int argc, char **argv);
enum exit_code command_backup(int argc, char **argv);
enum exit_code command_restore(int argc, char **argv);
enum exit_code command_config(int argc, char **argv);
enum exit_code command_filters(int argc, char **argv);
enum exit_code command_version(int argc, char **argv);

#endif
