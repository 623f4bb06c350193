/* `sonnim doctor`: whether a server can run well here, and how one that runs is. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/client.h"
#include "app/doctor/doctor.h"
#include "model/filter.h"

struct doctor_flags {
	char *data;
	char *keyring;
	char *config;
};

static const struct setting table[] = {
	SETTING_STRING(struct doctor_flags, data, "data", NULL, "Directory of the data; as of serve",
                   "DIRECTORY"),
	SETTING_STRING(struct doctor_flags, keyring, "keyring", NULL,
                   "Directory of the keys; as of serve", "DIRECTORY"),
	SETTING_STRING(struct doctor_flags, config, "config", NULL,
                   "File with the settings of serve, to be checked", "FILE"),
};

static struct settings flags_of(struct doctor_flags *flags)
{
	return (struct settings){table, sizeof table / sizeof table[0], flags};
}

/* ---- The configuration ---- */

static void add_flag(char **argv, int *argc, const char *name, char *value)
{
	if (value == NULL)
		return;
	argv[(*argc)++] = (char *)name;
	argv[(*argc)++] = value;
}

static bool check_config(struct findings *findings, const struct doctor_flags *flags,
                         struct serve_settings *settings)
{
	char         serve[] = "serve";
	char        *argv[8] = {serve};
	int          argc    = 1;
	struct error err;
	add_flag(argv, &argc, "--data", flags->data);
	add_flag(argv, &argc, "--keyring", flags->keyring);
	add_flag(argv, &argc, "--config", flags->config);
	if (serve_settings_load(settings, argc, argv, &err) == STATUS_OK) {
		findings_add(findings, "config", DOCTOR_OK, "the settings can be read");
		return true;
	}
	findings_add(findings, "config", DOCTOR_FAILURE, "%s%s%s", err.field,
	             err.field[0] != '\0' ? ": " : "", err.reason);
	findings_advise(findings, "`sonnim config` lists all settings with their bounds");
	return false;
}

static void check_filters(struct findings *findings, const char *file)
{
	struct filters filters;
	struct error   err;
	if (file == NULL)
		return;
	filters_init(&filters);
	size_t built_in = filters.count;
	if (filters_add_file(&filters, file, &err) == STATUS_OK) {
		findings_add(findings, "filters", DOCTOR_OK, "%s: %zu filters", file,
		             filters.count - built_in);
	} else {
		findings_add(findings, "filters", DOCTOR_FAILURE, "%s", err.reason);
		findings_advise(findings, "the server does not start with it: docs/filters.md");
	}
	filters_done(&filters);
}

/* ---- The server ---- */

static struct json part(const struct client *client, const char *name, const char *member)
{
	return json_get(json_get(json_get(client->answer, "parts"), name), member);
}

static bool is_true(struct json value) { return json_type(value) == JSON_BOOL && json_bool(value); }

static void check_parts(struct findings *findings, const struct client *client)
{
	static const struct {
		const char       *part;
		const char       *member;
		enum doctor_state state;
		const char       *text;
		const char       *advice;
	} rows[] = {
		{"journal", "failed", DOCTOR_FAILURE, "a write to the journal failed",
	     "look at the disk (dmesg), then restart the server"},
		{"journal", "full", DOCTOR_FAILURE, "the disk is full: collection answers 503",
	     "make room; it goes on by itself"},
		{"journal", "clockHeld", DOCTOR_WARNING, "a jump of the clock is not followed",
	     "set it right; if it is right, restart with --accept-clock"},
		{"engine", "failed", DOCTOR_FAILURE, "it cannot go on",
	     "the log says why: `sonnim journal verify`, or restore"},
		{"vault", "failed", DOCTOR_FAILURE, "a write to the vault failed",
	     "look at the disk (dmesg), then restart the server"},
		{"checkpoints", "failing", DOCTOR_WARNING, "the last checkpoint could not be written",
	     "the log says why; mostly room"},
		{"memory", "full", DOCTOR_FAILURE, "the memory limit is reached: collection answers 503",
	     "raise memory-limit, or delete segments that nobody uses"},
	};
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (is_true(part(client, rows[i].part, rows[i].member))) {
			findings_add(findings, "server", rows[i].state, "%s", rows[i].text);
			findings_advise(findings, "%s", rows[i].advice);
		}
}

/* Those that could not be opened, by name for who may know them. */
static void check_workspaces(struct findings *findings, struct client *client)
{
	static const char advice[] = "the log has the reason; it is tried again when somebody asks";
	struct json       failed   = json_get(json_get(client->answer, "workspaces"), "failed");
	if (!json_is_number(failed) || json_number(failed) == 0)
		return;
	if (client->authorization[0] == '\0' ||
	    client_send(client, "GET", "/api/v1/workspaces?limit=1000", (struct text){0}) !=
	        EXIT_DONE) {
		findings_add(findings, "workspace", DOCTOR_WARNING, "%.0f could not be opened",
		             json_number(failed));
		findings_advise(findings, "%s", advice);
		return;
	}
	struct json_iterator each = json_iterate(json_get(client->answer, "items"));
	while (json_next(&each)) {
		struct json state = json_get(each.value, "state");
		struct json id = json_get(each.value, "id"), slug = json_get(each.value, "slug");
		if (json_type(state) != JSON_STRING || !text_equal(json_string(state), TEXT("failed")) ||
		    json_type(id) != JSON_STRING || json_type(slug) != JSON_STRING)
			continue;
		snprintf(findings->workspace, sizeof findings->workspace, "%.*s",
		         TEXT_FORMAT(json_string(id)));
		findings_add(findings, "workspace", DOCTOR_WARNING, "%.*s could not be opened",
		             TEXT_FORMAT(json_string(slug)));
		findings_advise(findings, "%s", advice);
		findings->workspace[0] = '\0';
	}
}

static void add_memory(struct findings *findings, const struct client *client)
{
	struct json used = part(client, "memory", "usedBytes");
	struct json most = part(client, "memory", "limitBytes");
	if (json_is_number(used) && json_is_number(most))
		findings_add(findings, "server memory", DOCTOR_OK, "%s used of %s",
		             doctor_size((uint64_t)json_number(used)).text,
		             doctor_size((uint64_t)json_number(most)).text);
}

/* The lines sonnim_memory_bytes{kind="profiles"} 123 of /metrics. */
static void add_kinds(struct findings *findings, struct text metrics)
{
	static const struct text name = TEXT("sonnim_memory_bytes{kind=\"");
	for (const char *at = metrics.data, *end = at + metrics.length; at < end;) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		struct text line     = {at, (size_t)((line_end == NULL ? end : line_end) - at)};
		at                   = line_end == NULL ? end : line_end + 1;
		if (!text_starts_with(line, name))
			continue;
		const char *kind  = line.data + name.length;
		const char *quote = memchr(kind, '"', line.length - name.length);
		if (quote != NULL && quote + 3 < line.data + line.length)
			findings_add(findings, "server memory", DOCTOR_OK, "%-12.*s %s", (int)(quote - kind),
			             kind, doctor_size(strtoull(quote + 3, NULL, 10)).text);
	}
}

static void check_server(struct findings *findings, struct client *client)
{
	enum exit_code code = client_send(client, "GET", "/health/ready", (struct text){0});
	if (code == EXIT_UNREACHABLE) {
		findings_add(findings, "server", DOCTOR_OK, "none answers at %s", client->settings.url);
		return;
	}
	struct json status = json_get(client->answer, "status");
	findings_add(
		findings, "server", code == EXIT_DONE ? DOCTOR_OK : DOCTOR_FAILURE, "%s says: %.*s",
		client->settings.url,
		TEXT_FORMAT(json_type(status) == JSON_STRING ? json_string(status) : TEXT("no health")));
	check_parts(findings, client);
	add_memory(findings, client);
	check_workspaces(findings, client); /* the answer is gone behind it */
	if (client->authorization[0] == '\0')
		findings_add(findings, "server memory", DOCTOR_OK,
		             "by kind with a token that has metrics.read");
	else if (client_send(client, "GET", "/metrics", (struct text){0}) == EXIT_DONE)
		add_kinds(findings, buffer_text(&client->response.body));
}

/* ---- Printing ---- */

static void print_json(const struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		struct buffer      out = {0};
		struct json_writer w   = json_writer_of(&out);
		json_begin_object(&w);
		json_member_string(&w, "check", text_of(findings->items[i].check));
		if (findings->items[i].workspace[0] != '\0')
			json_member_string(&w, "workspace", text_of(findings->items[i].workspace));
		else
			json_member_null(&w, "workspace");
		json_member_string(&w, "state", text_of(doctor_state_name(findings->items[i].state)));
		json_member_string(&w, "text", text_of(findings->items[i].text));
		json_member_string(&w, "advice", text_of(findings->items[i].advice));
		json_end_object(&w);
		printf("%.*s\n", (int)out.length, out.data);
		buffer_done(&out);
	}
}

static enum exit_code print(const struct findings *findings, bool json)
{
	enum exit_code code = EXIT_DONE;
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i];
		if (finding->state == DOCTOR_FAILURE)
			code = EXIT_REFUSED;
		if (json)
			continue;
		printf("%-14s %-8s ", finding->check, doctor_state_name(finding->state));
		if (finding->workspace[0] != '\0')
			printf("workspace %s: ", finding->workspace);
		printf("%s\n", finding->text);
		if (finding->advice[0] != '\0')
			printf("%23s → %s\n", "", finding->advice);
	}
	if (json)
		print_json(findings);
	return code;
}

static enum exit_code examine(struct client *client, const struct doctor_flags *flags)
{
	struct findings       findings = {0};
	struct serve_settings settings = {0};
	if (check_config(&findings, flags, &settings)) {
		doctor_check_system(&findings, &settings);
		doctor_check_directories(&findings, &settings);
		doctor_check_audit(&findings, &settings);
		doctor_check_workspaces(&findings, &settings);
		check_filters(&findings, settings.filters);
	}
	serve_settings_done(&settings);
	check_server(&findings, client);
	enum exit_code code = print(&findings, client->settings.json);
	findings_done(&findings);
	return code;
}

enum exit_code command_doctor(int argc, char **argv)
{
	struct doctor_flags flags = {0};
	struct settings     own   = flags_of(&flags);
	struct client       client;
	if (command_wants_help(argc, argv)) {
		printf(
			"Usage: sonnim doctor [FLAGS]\n\nChecks the settings of serve, limits of process and "
			"kernel, memory, clock, disk (room,\nspeed, time of a sync) and who may read the "
			"files, of each workspace, and asks a running\nserver how it is and what its memory "
			"is used for. Run it as the server's user. Exit code\n1 when there is a failure, 0 "
			"with warnings only.\n\n");
		client_print_flags(&own);
		return EXIT_DONE;
	}
	enum exit_code code = client_open(&client, &own, &argc, argv);
	if (code == EXIT_DONE && argc > 1)
		code = command_usage_text(argv[0], "\"%s\" is no flag", argv[1]);
	if (code == EXIT_DONE)
		code = examine(&client, &flags);
	client_close(&client, &own);
	return code;
}
