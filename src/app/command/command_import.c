#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/command/job_wait.h"
#include "app/command/progress.h"
#include "base/clock.h"
#include "base/file.h"
#include "transfer/import/import_input.h"
#include "transfer/import/import_plan.h"

enum { MAP_FILE_BYTES_MAX = 1 << 20, UPLOAD_TIMEOUT_MS = 7 * 24 * 3600 * 1000 };

static const char boundary[] = "sonnim-7b1f0c52a9e84d63";

struct import_settings {
	char   *map_file;
	char   *type;
	char   *rest;
	char   *format;
	char   *delimiter;
	char   *columns;
	char   *zone;
	char   *order;
	char   *dimension;
	char   *source;
	char   *rejects;
	bool    dry_run;
	int64_t retry_ms;
};

#define IMPORT struct import_settings
static const struct setting table[] = {
	SETTING_STRING(IMPORT, map_file, "map-file", NULL,
                   "Mapping as JSON (docs/import.md); flags replace what it says", "FILE"),
	SETTING_STRING(IMPORT, type, "type", NULL,
                   "What a row without a type is: track (the default), identify, page, screen, "
                   "group or alias",
                   "TYPE"),
	SETTING_STRING(IMPORT, rest, "rest", NULL,
                   "Where columns without a mapping go: ignore (the default), properties or traits",
                   "WHERE"),
	SETTING_STRING(IMPORT, format, "format", NULL,
                   "csv or jsonl; by default told by the name, else by the first byte",
                   "csv|jsonl"),
	SETTING_STRING(IMPORT, delimiter, "delimiter", NULL,
                   "Between the fields of CSV, one character or \"tab\"; a comma by default",
                   "CHARACTER"),
	SETTING_STRING(IMPORT, columns, "columns", NULL,
                   "Names of the columns, between commas, of CSV without a first row that says so",
                   "NAMES"),
	SETTING_STRING(IMPORT, zone, "zone", NULL,
                   "Time zone of times without offset: UTC (the default), +09:00, Asia/Seoul",
                   "ZONE"),
	SETTING_STRING(IMPORT, order, "order", NULL,
                   "file (the default), or time: rows are sorted by their timestamps first",
                   "file|time"),
	SETTING_STRING(IMPORT, dimension, "dimension", NULL,
                   "Rows are products or properties, not messages; FIELD is then one of theirs",
                   "products|properties"),
	SETTING_STRING(IMPORT, source, "source", NULL, "Id of the source that the events are of", "ID"),
	SETTING_STRING(IMPORT, rejects, "rejects", NULL,
                   "Writes bad rows to this file, JSON Lines of line, code, reason and row",
                   "FILE"),
	SETTING_BOOL(IMPORT, dry_run, "dry-run",
                 "Take nothing in; tell what would be rejected, and types of the columns"),
	SETTING_DURATION(IMPORT, retry_ms, "retry", "60s", 0, INT64_C(86400000),
                     "How long to ask again when the server does not answer"),
};
#undef IMPORT

struct import {
	struct import_settings settings;
	struct client          client;
	struct buffer          map; /* members of "map" and "set", by flags */
	struct buffer          set;
	struct buffer          mapping;

	/* What is sent: the form's head, the file, its end. */
	FILE         *file;
	struct buffer head;
	size_t        at;
	bool          file_ended;
};

/* ---- The mapping ---- */

static enum status add_rule(struct buffer *members, const char *flag, struct text rule,
                            struct error *err)
{
	const char *equals = memchr(rule.data, '=', rule.length);
	if (equals == NULL)
		return error_set_field(err, STATUS_INVALID, flag, "\"%.*s\" is not FIELD=…",
		                       TEXT_FORMAT(rule));
	struct json_writer w = {members, members->length > 0};
	json_add_key(&w, (struct text){rule.data, (size_t)(equals - rule.data)});
	json_add_string(&w, (struct text){equals + 1, rule.length - (size_t)(equals + 1 - rule.data)});
	return STATUS_OK;
}

/* Takes the flag `name` with its value out of argv, wherever it is. */
static enum status take_rules(struct buffer *members, const char *name, int *argc, char **argv,
                              struct error *err)
{
	int    left   = 1;
	size_t length = strlen(name);
	for (int i = 1; i < *argc; i++) {
		const char *value = NULL;
		if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
			value = argv[i] + length + 1;
		else if (strcmp(argv[i], name) == 0 && i + 1 < *argc)
			value = argv[++i];
		if (value == NULL) {
			argv[left++] = argv[i];
			continue;
		}
		enum status status = add_rule(members, name + 2, text_of(value), err);
		if (status != STATUS_OK)
			return status;
	}
	*argc = left;
	return STATUS_OK;
}

/* The file's members, then the flags': of two with one name the last counts. */
static void write_members(struct json_writer *w, const char *name, struct json of_file,
                          const struct buffer *of_flags)
{
	struct json members = json_get(of_file, name);
	if (json_type(members) == JSON_NONE && of_flags->length == 0)
		return;
	json_add_key(w, text_of(name));
	json_begin_object(w);
	for (struct json_iterator i = json_iterate(members); json_next(&i);) {
		json_add_key(w, i.name);
		json_add_value(w, i.value);
	}
	if (of_flags->length > 0)
		json_add_raw(w, buffer_text(of_flags));
	json_end_object(w);
}

static void write_columns(struct json_writer *w, const char *names)
{
	json_add_key(w, TEXT("columns"));
	json_begin_array(w);
	for (;;) {
		size_t length = strcspn(names, ",");
		json_add_string(w, (struct text){names, length});
		if (names[length] == '\0')
			break;
		names += length + 1;
	}
	json_end_array(w);
}

static void write_mapping(struct import *import, struct json of_file)
{
	const struct import_settings *settings = &import->settings;
	const struct {
		const char *name;
		const char *value;
	} words[]            = {{"type", settings->type},          {"rest", settings->rest},
	                        {"format", settings->format},      {"delimiter", settings->delimiter},
	                        {"zone", settings->zone},          {"order", settings->order},
	                        {"dimension", settings->dimension}};
	struct json_writer w = json_writer_of(&import->mapping);
	json_begin_object(&w);
	write_members(&w, "map", of_file, &import->map);
	write_members(&w, "set", of_file, &import->set);
	for (struct json_iterator i = json_iterate(of_file); json_next(&i);) {
		if (text_equal(i.name, TEXT("map")) || text_equal(i.name, TEXT("set")))
			continue;
		json_add_key(&w, i.name);
		json_add_value(&w, i.value);
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (words[i].value != NULL)
			json_member_string(&w, words[i].name, text_of(words[i].value));
	if (settings->columns != NULL)
		write_columns(&w, settings->columns);
	json_end_object(&w);
}

/* Everything that can be wrong before the file is sent. */
static enum status make_mapping(struct import *import, const char *path, struct error *err)
{
	struct json_parser *parser  = json_parser_new();
	struct buffer       file    = {0};
	struct json         of_file = {0}, made;
	enum status         status  = STATUS_OK;
	if (import->settings.map_file != NULL) {
		status = file_read(import->settings.map_file, MAP_FILE_BYTES_MAX, &file, err);
		if (status == STATUS_OK)
			status = json_parse_text(parser, buffer_text(&file), &of_file, err);
		if (status == STATUS_OK && json_type(of_file) != JSON_OBJECT)
			status = error_set_field(err, STATUS_INVALID, "map-file", "not a JSON object");
	}
	if (status == STATUS_OK) {
		struct import_plan plan;
		write_mapping(import, of_file);
		status = json_parse_text(parser, buffer_text(&import->mapping), &made, err);
		if (status == STATUS_OK) {
			status = import_plan_init(&plan, made, text_of(path), "", err);
			import_plan_done(&plan);
		}
	}
	buffer_done(&file);
	json_parser_free(parser);
	return status;
}

/* ---- The upload ---- */

static bool give(void *context, char *into, size_t size, size_t *ret_length)
{
	struct import *import = context;
	size_t         left   = import->head.length - import->at;
	*ret_length           = left < size ? left : size;
	memcpy(into, import->head.data + import->at, *ret_length);
	import->at += *ret_length;
	if (*ret_length > 0 || import->file_ended)
		return true;
	*ret_length = fread(into, 1, size, import->file);
	if (*ret_length > 0)
		return true;
	if (ferror(import->file))
		return false;
	import->file_ended = true;
	buffer_clear(&import->head);
	import->at = 0;
	buffer_printf(&import->head, "\r\n--%s--\r\n", boundary);
	return give(context, into, size, ret_length);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

static enum exit_code upload(struct import *import, const char *path, char ret_id[40])
{
	struct buffer url = {0};
	buffer_printf(&url, "/api/v1/imports?dryRun=%s", import->settings.dry_run ? "true" : "false");
	if (import->settings.source != NULL) {
		buffer_add_text(&url, TEXT("&source="));
		client_add_escaped(&url, import->settings.source);
	}
	if (strcmp(path, "-") != 0) {
		buffer_add_text(&url, TEXT("&name="));
		client_add_escaped(&url, base_name(path));
	}
	buffer_add_u8(&url, '\0');
	buffer_printf(&import->head,
	              "--%s\r\nContent-Disposition: form-data; name=\"mapping\"\r\n\r\n%.*s\r\n--%s\r\n"
	              "Content-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\r\n",
	              boundary, (int)import->mapping.length, import->mapping.data, boundary);
	char type[80];
	snprintf(type, sizeof type, "multipart/form-data; boundary=%s", boundary);
	enum exit_code code =
		client_upload(&import->client, url.data, type, give, import, UPLOAD_TIMEOUT_MS);
	if (code == EXIT_DONE)
		snprintf(ret_id, 40, "%.*s", TEXT_FORMAT(job_text(import->client.answer, "id")));
	buffer_done(&url);
	return code;
}

/* ---- What came of it ---- */

static void print_mistakes(struct json result)
{
	char number[PROGRESS_NUMBER_BYTES];
	for (struct json_iterator i = json_iterate(json_get(result, "mistakes")); json_next(&i);) {
		fprintf(stderr, "sonnim import: %s rows: %.*s: %.*s (line",
		        progress_number(job_count(i.value, "rows"), number),
		        TEXT_FORMAT(job_text(i.value, "code")), TEXT_FORMAT(job_text(i.value, "reason")));
		for (struct json_iterator l = json_iterate(json_get(i.value, "lines")); json_next(&l);)
			if (json_type(l.value) == JSON_INT)
				fprintf(stderr, " %lld", (long long)json_int(l.value));
		fputs(")\n", stderr);
	}
}

static void print_columns(struct json result)
{
	char number[PROGRESS_NUMBER_BYTES];
	for (struct json_iterator i = json_iterate(json_get(result, "columns")); json_next(&i);)
		printf("  %-30.*s %-10.*s %s filled\n", TEXT_FORMAT(job_text(i.value, "column")),
		       TEXT_FORMAT(job_text(i.value, "type")),
		       progress_number(job_count(i.value, "filled"), number));
}

static enum exit_code print_result(struct import *import, int64_t spent_ms)
{
	struct json result  = json_get(import->client.answer, "result");
	struct text ignored = job_text(result, "ignoredColumns");
	char rows[PROGRESS_NUMBER_BYTES], taken[PROGRESS_NUMBER_BYTES], bad[PROGRESS_NUMBER_BYTES];
	bool done = job_is_done(&import->client);
	print_mistakes(result);
	if (import->client.settings.json) {
		client_print_json(result);
	} else {
		if (ignored.length > 0)
			printf("columns ignored: %.*s (--map, or --rest=properties, takes them)\n",
			       TEXT_FORMAT(ignored));
		if (import->settings.dry_run)
			print_columns(result);
		printf("%s rows read, %s %s, %s rejected, in %.1f s\n",
		       progress_number(job_count(result, "rows"), rows),
		       progress_number(job_count(result, "accepted"), taken),
		       import->settings.dry_run ? "would be accepted" : "accepted",
		       progress_number(job_count(result, "rejected"), bad), (double)spent_ms / 1000);
	}
	return done && job_count(result, "rejected") == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static enum exit_code run(struct import *import, const char *path)
{
	char         id[40], rejected[128];
	struct error err;
	int64_t      begin_ms = clock_monotonic_ms();
	if (make_mapping(import, path, &err) != STATUS_OK)
		return command_usage("import", &err);
	import->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (import->file == NULL)
		return command_usage_text("import", "cannot open %s", path);
	enum exit_code code = upload(import, path, id);
	if (code == EXIT_DONE)
		code = job_wait(&import->client, id, import->settings.retry_ms);
	else if (code == EXIT_UNREACHABLE && (import->at > 0 || import->file_ended))
		fprintf(stderr, "sonnim import: the same file again takes no row twice\n");
	if (code != EXIT_DONE)
		return code;
	code = print_result(import, clock_monotonic_ms() - begin_ms);
	if (import->settings.rejects == NULL)
		return code;
	snprintf(rejected, sizeof rejected, "/api/v1/imports/%s/rejected", id);
	enum exit_code fetched = job_fetch(&import->client, rejected, import->settings.rejects);
	return fetched == EXIT_DONE ? code : fetched;
}

/* ---- The command line ---- */

static void print_help(void)
{
	struct import_settings target = {0};
	struct settings        own    = {table, sizeof table / sizeof table[0], &target};
	printf(
		"Usage: sonnim import FILE [--map FIELD=COLUMN[:TYPE]]… [--set FIELD=VALUE]… [FLAGS]\n\n"
		"Sends a file to the running server, which takes its rows in: CSV or JSON Lines, also\n"
		"compressed with gzip or zstd; - is the standard input. JSON Lines without any mapping "
		"are\n"
		"messages as POST /v1/batch takes them. It goes on when the server was restarted.\n\n"
		"  FIELD  userId, anonymousId, previousId, groupId, messageId, type, event, timestamp,\n"
		"         name, category, properties.NAME, traits.NAME, context.NAME\n"
		"  TYPE   string, number, boolean, time (RFC 3339, also with a space), epoch_s,\n"
		"         epoch_ms, list (between commas), json\n\n"
		"Columns that are called like a field need no mapping. Rows without a messageId get one\n"
		"made of the row and its line, so that the same file may be imported again.\n\n"
		"  sonnim import orders.csv.zst --token-file token --set event=\"Order Completed\" \\\n"
		"    --map userId=customer_id --map timestamp=sold_at --map messageId=invoice \\\n"
		"    --map properties.revenue=total:number\n\n"
		"Exit codes: 0 all rows were taken, 1 some were rejected, 2 wrong usage, 3 no server.\n\n");
	client_print_flags(&own);
}

static enum exit_code read_command_line(struct import *import, const struct settings *own,
                                        int *argc, char **argv)
{
	struct error err;
	enum status  status = take_rules(&import->map, "--map", argc, argv, &err);
	if (status == STATUS_OK)
		status = take_rules(&import->set, "--set", argc, argv, &err);
	enum exit_code code = client_open(&import->client, own, argc, argv);
	if (code == EXIT_DONE && status != STATUS_OK)
		return command_usage("import", &err);
	if (code == EXIT_DONE && *argc != 2)
		return command_usage_text("import",
		                          *argc < 2 ? "which FILE? (- is the standard input)"
		                                    : "one FILE at a time, not \"%s\" too",
		                          argv[*argc - 1]);
	return code;
}

enum exit_code command_import(int argc, char **argv)
{
	if (command_wants_help(argc, argv)) {
		print_help();
		return EXIT_DONE;
	}
	struct import   import = {0};
	struct settings own    = {table, sizeof table / sizeof table[0], &import.settings};
	enum exit_code  code   = read_command_line(&import, &own, &argc, argv);
	if (code == EXIT_DONE)
		code = run(&import, argv[1]);
	if (import.file != NULL && import.file != stdin)
		fclose(import.file);
	buffer_done(&import.map);
	buffer_done(&import.set);
	buffer_done(&import.mapping);
	buffer_done(&import.head);
	client_close(&import.client, &own);
	return code;
}
