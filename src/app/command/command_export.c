#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/command/job_wait.h"
#include "app/command/progress.h"
#include "base/file.h"

struct export_settings {
	char   *format;
	char   *compression;
	char   *from;
	char   *to;
	char   *consent;
	char   *directory;
	bool    unmasked;
	bool    keep_formulas;
	int64_t retry_ms;
};

#define EXPORT struct export_settings
static const struct setting table[] = {
	SETTING_STRING(EXPORT, format, "format", "jsonl", "jsonl or csv", "jsonl|csv"),
	SETTING_STRING(EXPORT, compression, "compression", "none", "none, gzip or zstd", "WHICH"),
	SETTING_STRING(EXPORT, from, "from", NULL, "Events from this instant on; RFC 3339", "INSTANT"),
	SETTING_STRING(EXPORT, to, "to", NULL, "Events before this instant", "INSTANT"),
	SETTING_STRING(EXPORT, consent, "consent", NULL,
                   "Leave out who has not agreed to this purpose, or a channel of it: "
                   "marketing.email",
                   "PURPOSE"),
	SETTING_STRING(EXPORT, directory, "directory", NULL,
                   "Where to put the files; made when absent. Without it they stay on the server",
                   "DIRECTORY"),
	SETTING_BOOL(EXPORT, unmasked, "unmasked",
                 "Personal values as they are; needs the scope pii.read"),
	SETTING_BOOL(EXPORT, keep_formulas, "keep-formulas",
                 "CSV for programs: no apostrophe before what a spreadsheet takes for a formula"),
	SETTING_DURATION(EXPORT, retry_ms, "retry", "60s", 0, INT64_C(86400000),
                     "How long to ask again when the server does not answer"),
};
#undef EXPORT

static void print_help(void)
{
	struct export_settings target = {0};
	struct settings        own    = {table, sizeof table / sizeof table[0], &target};
	printf(
		"Usage: sonnim export events|profiles|all [FLAGS]\n\n"
		"Writes what the running server knows to files: events, profiles, or both, with a\n"
		"manifest.json that names them with rows, bytes and SHA-256. Personal values are masked\n"
		"(a***@email.com, 010-****-1234).\n\n"
		"  sonnim export events --from 2025-01-01T00:00:00Z --compression zstd \\\n"
		"    --directory january --token-file token\n\n");
	client_print_flags(&own);
}

static void write_wish(const struct export_settings *settings, const char *what, struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_add_key(&w, TEXT("what"));
	json_begin_array(&w);
	if (strcmp(what, "profiles") != 0)
		json_add_string(&w, TEXT("events"));
	if (strcmp(what, "events") != 0)
		json_add_string(&w, TEXT("profiles"));
	json_end_array(&w);
	json_member_string(&w, "format", text_of(settings->format));
	json_member_string(&w, "compression", text_of(settings->compression));
	if (settings->from != NULL)
		json_member_string(&w, "from", text_of(settings->from));
	if (settings->to != NULL)
		json_member_string(&w, "to", text_of(settings->to));
	json_member_bool(&w, "masked", !settings->unmasked);
	if (settings->consent != NULL)
		json_member_string(&w, "consent", text_of(settings->consent));
	if (settings->keep_formulas)
		json_member_bool(&w, "keepFormulas", true);
	json_end_object(&w);
}

static enum exit_code fetch(struct client *client, const char *id, const char *name,
                            const char *directory)
{
	char path[256], file[4096];
	snprintf(path, sizeof path, "/api/v1/exports/%s/files/%s", id, name);
	if (snprintf(file, sizeof file, "%s/%s", directory, name) >= (int)sizeof file)
		return command_usage_text("export", "the path of a file is too long");
	return job_fetch(client, path, file);
}

/* The manifest last: a directory without one is not whole. */
static enum exit_code fetch_all(struct client *client, const char *id, const char *directory)
{
	char          path[256];
	struct buffer names = {0};
	struct error  err;
	if (directory_create(directory, 0700, &err) != STATUS_OK)
		return command_usage("export", &err);
	snprintf(path, sizeof path, "/api/v1/exports/%s/files/manifest.json", id);
	enum exit_code code = client_send(client, "GET", path, (struct text){0});
	for (struct json_iterator i = json_iterate(json_get(client->answer, "files"));
	     code == EXIT_DONE && json_next(&i);) {
		struct text name = job_text(i.value, "name");
		if (memchr(name.data, '/', name.length) == NULL) {
			buffer_add_text(&names, name);
			buffer_add_u8(&names, '\0');
		}
	}
	for (size_t at = 0; code == EXIT_DONE && at < names.length; at += strlen(names.data + at) + 1)
		code = fetch(client, id, names.data + at, directory);
	if (code == EXIT_DONE)
		code = fetch(client, id, "manifest.json", directory);
	buffer_done(&names);
	return code;
}

static enum exit_code print_result(struct client *client, const char *id)
{
	struct json result = json_get(client->answer, "result");
	char        rows[PROGRESS_NUMBER_BYTES], files[PROGRESS_NUMBER_BYTES];
	if (!job_is_done(client))
		return EXIT_REFUSED;
	if (client->settings.json)
		printf("%.*s\n", (int)client->response.body.length, client->response.body.data);
	else
		printf("%s rows in %s files; export %s\n", progress_number(job_count(result, "rows"), rows),
		       progress_number(job_count(result, "files"), files), id);
	return EXIT_DONE;
}

static enum exit_code run(struct client *client, const struct export_settings *settings,
                          const char *what)
{
	char          id[40];
	struct buffer wish = {0};
	write_wish(settings, what, &wish);
	enum exit_code code = client_send(client, "POST", "/api/v1/exports", buffer_text(&wish));
	buffer_done(&wish);
	if (code != EXIT_DONE)
		return code;
	snprintf(id, sizeof id, "%.*s", TEXT_FORMAT(job_text(client->answer, "id")));
	code = job_wait(client, id, settings->retry_ms);
	if (code == EXIT_DONE)
		code = print_result(client, id);
	if (code == EXIT_DONE && settings->directory != NULL)
		code = fetch_all(client, id, settings->directory);
	return code;
}

enum exit_code command_export(int argc, char **argv)
{
	struct export_settings settings = {0};
	struct settings        own      = {table, sizeof table / sizeof table[0], &settings};
	struct client          client   = {0};
	if (command_wants_help(argc, argv)) {
		print_help();
		return EXIT_DONE;
	}
	enum exit_code code = client_open(&client, &own, &argc, argv);
	bool fine = argc == 2 && (strcmp(argv[1], "events") == 0 || strcmp(argv[1], "profiles") == 0 ||
	                          strcmp(argv[1], "all") == 0);
	if (code == EXIT_DONE && !fine)
		code = command_usage_text("export", "what? events, profiles or all");
	if (code == EXIT_DONE)
		code = run(&client, &settings, argv[1]);
	client_close(&client, &own);
	return code;
}
