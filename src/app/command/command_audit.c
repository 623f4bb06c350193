#include "app/command/command_audit.h"

#include <stdio.h>
#include <string.h>

#include "app/command/job_wait.h"

struct audit_flags {
	char   *actor;
	char   *action;
	char   *target;
	char   *outcome;
	char   *from;
	char   *to;
	char   *format;
	int64_t limit;
};

#define AUDIT struct audit_flags
static const struct setting table[] = {
	SETTING_STRING(AUDIT, actor, "actor", NULL, "Who did it, as records say: token:ID", "WHO"),
	SETTING_STRING(AUDIT, action, "action", NULL,
                   "What was done: segment.create, or segment. for all that begin with it",
                   "ACTION"),
	SETTING_STRING(AUDIT, target, "target", NULL,
                   "To what: an id or key; a person as user_id:ID or anonymous_id:ID", "TARGET"),
	SETTING_STRING(AUDIT, outcome, "outcome", NULL,
                   "unknown: what was under way when the server was killed", "unknown"),
	SETTING_STRING(AUDIT, from, "from", NULL, "From this instant on; RFC 3339", "INSTANT"),
	SETTING_STRING(AUDIT, to, "to", NULL, "Before this instant", "INSTANT"),
	SETTING_STRING(AUDIT, format, "format", "jsonl", "Of export: jsonl or csv", "jsonl|csv"),
	SETTING_INT(AUDIT, limit, "limit", "100", 0, 1000000000, "Of list, rows at most; 0: all"),
};
#undef AUDIT

static const struct client_column columns[] = {
	{"SEQ", "seq"},          {"TIME", "timestamp"}, {"WHO", "user_id"},
	{"ACTION", "action"},    {"TARGET", "target"},  {"STATUS", "status"},
	{"SIZE", "result_size"}, {"FROM", "ip"},        {0}};

static void print_help(const struct settings *own)
{
	printf("Usage: sonnim audit verify|list|export [FLAGS]\n\n"
	       "  verify        Check every record and signature; reads the files (verify --help)\n"
	       "  list          Records, the newest first\n"
	       "  export FILE   All of them, the oldest first, to a file\n\n");
	client_print_flags(own);
}

static void add_parameter(struct buffer *path, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buffer_printf(path, "%s%s=", memchr(path->data, '?', path->length) == NULL ? "?" : "&", name);
	client_add_escaped(path, value);
}

static void add_parameters(struct buffer *path, const struct audit_flags *flags)
{
	add_parameter(path, "actor", flags->actor);
	add_parameter(path, "action", flags->action);
	add_parameter(path, "target", flags->target);
	add_parameter(path, "outcome", flags->outcome);
	add_parameter(path, "from", flags->from);
	add_parameter(path, "to", flags->to);
}

static enum exit_code run(struct client *client, const struct audit_flags *flags, int argc,
                          char **argv)
{
	struct buffer  path = {0};
	enum exit_code code;
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		buffer_printf(&path, "/api/v1/audit");
		add_parameters(&path, flags);
		buffer_add_u8(&path, '\0');
		code = client_print_list(client, path.data, (long)flags->limit, columns);
	} else if (argc == 3 && strcmp(argv[1], "export") == 0) {
		buffer_printf(&path, "/api/v1/audit/export");
		add_parameter(&path, "format", flags->format);
		add_parameters(&path, flags);
		buffer_add_u8(&path, '\0');
		code = job_fetch(client, path.data, argv[2]);
	} else {
		code = command_usage_text("audit", "verify, list or export FILE is needed; see --help");
	}
	buffer_done(&path);
	return code;
}

enum exit_code command_audit(int argc, char **argv)
{
	struct audit_flags flags = {0};
	struct settings    own   = {table, sizeof table / sizeof table[0], &flags};
	struct client      client;
	if (argc > 1 && strcmp(argv[1], "verify") == 0)
		return command_audit_verify(argc, argv);
	if (command_wants_help(argc, argv)) {
		print_help(&own);
		return EXIT_DONE;
	}
	enum exit_code code = client_open(&client, &own, &argc, argv);
	if (code == EXIT_DONE)
		code = run(&client, &flags, argc, argv);
	client_close(&client, &own);
	return code;
}
