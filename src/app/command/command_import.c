#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/delivery.h"
#include "transfer/import/import_map.h"
#include "app/command/import_progress.h"
#include "base/clock.h"

enum { BODY_BYTES_AIM = 1 << 20 };

struct import_settings {
	struct delivery_settings delivery;
	char                    *map_file;
	char                    *type;
	char                    *rest;
	char                    *format;
	char                    *delimiter;
	char                    *columns;
	char                    *rejects;
	int64_t                  batch;
	bool                     dry_run;
};

#define IMPORT struct import_settings
static const struct setting table[] = {
	SETTING_STRING(
		IMPORT, map_file, "map-file", NULL,
		"Mapping as JSON: {\"map\":{\"userId\":\"customer_id\"},\"set\":{\"event\":\"…\"}}",
		"FILE"),
	SETTING_STRING(IMPORT, type, "type", "track",
                   "What a row without a type is: track, identify, page, screen, group or alias",
                   "TYPE"),
	SETTING_STRING(IMPORT, rest, "rest", "ignore",
                   "Where columns without a mapping go: ignore, properties or traits", "WHERE"),
	SETTING_STRING(IMPORT, format, "format", NULL,
                   "csv or jsonl; by default told by the name, else by the first byte",
                   "csv|jsonl"),
	SETTING_STRING(IMPORT, delimiter, "delimiter", NULL,
                   "Between the fields of CSV, one character or \"tab\"; a comma by default",
                   "CHARACTER"),
	SETTING_STRING(IMPORT, columns, "columns", NULL,
                   "Names of the columns, between commas, of CSV without a first row that says so",
                   "NAMES"),
	SETTING_STRING(IMPORT, rejects, "rejects", NULL,
                   "Writes bad rows to this file, JSON Lines of line, code, reason and row",
                   "FILE"),
	SETTING_INT(IMPORT, batch, "batch", "1000", 1, 20000, "Rows in one request, at most"),
	SETTING_BOOL(IMPORT, dry_run, "dry-run", "Print the messages instead of sending them"),
	DELIVERY_SETTINGS(IMPORT),
};
#undef IMPORT

struct import {
	struct import_settings settings;
	struct client          client;
	struct delivery        delivery;
	struct import_map      map;
	struct import_input   *input;
	struct import_rows     rows;
	struct import_progress progress;
	struct buffer          ignored;
	FILE                  *rejects;

	/* Of the request that is made: messages and rows one behind the other. */
	struct buffer messages;
	struct buffer raws;
	VECTOR(struct pending {
		uint64_t line;
		size_t   message_end;
		size_t   raw_end;
	})
	pending;

	uint64_t row_count;
	uint64_t accepted_count;
	uint64_t rejected_count;
};

/* ---- Bad rows ---- */

static void reject(struct import *import, uint64_t line, struct text raw, struct text code,
                   struct text reason)
{
	import->rejected_count++;
	import_progress_bad_row(&import->progress, line, code, reason);
	if (import->rejects == NULL)
		return;
	struct buffer      out    = {0};
	struct json_writer writer = json_writer_of(&out);
	json_begin_object(&writer);
	json_member_int(&writer, "line", (int64_t)line);
	if (code.length > 0)
		json_member_string(&writer, "code", code);
	json_member_string(&writer, "reason", reason);
	json_member_string(&writer, "row", raw);
	json_end_object(&writer);
	buffer_add_u8(&out, '\n');
	fwrite(out.data, 1, out.length, import->rejects);
	buffer_done(&out);
}

static struct text between(const struct buffer *buffer, size_t begin, size_t end)
{
	return (struct text){buffer->data + begin, end - begin};
}

static struct text message_of(const struct import *import, size_t index)
{
	size_t begin = index > 0 ? import->pending.items[index - 1].message_end : 0;
	return between(&import->messages, begin, import->pending.items[index].message_end);
}

static struct text raw_of(const struct import *import, size_t index)
{
	size_t begin = index > 0 ? import->pending.items[index - 1].raw_end : 0;
	return between(&import->raws, begin, import->pending.items[index].raw_end);
}

static struct text string_or(struct json json, struct text otherwise)
{
	return json_type(json) == JSON_STRING ? json_string(json) : otherwise;
}

/* What the server rejected of the messages from `first` on, `count` of them. */
static void take_rejected(struct import *import, size_t first, size_t count)
{
	struct json rejected = json_get(import->client.answer, "rejected");
	for (struct json_iterator i = json_iterate(rejected); json_next(&i);) {
		struct json index = json_get(i.value, "index");
		if (json_type(index) != JSON_INT || json_int(index) < 0 ||
		    (uint64_t)json_int(index) >= count)
			continue;
		size_t at = first + (size_t)json_int(index);
		import->accepted_count--;
		reject(import, import->pending.items[at].line, raw_of(import, at),
		       string_or(json_get(i.value, "code"), TEXT("REJECTED")),
		       string_or(json_get(i.value, "message"), TEXT("")));
	}
}

/* ---- Sending ---- */

static enum exit_code exit_of(enum delivery_outcome outcome)
{
	return outcome == DELIVERY_REFUSED ? EXIT_REFUSED : EXIT_UNREACHABLE;
}

/* The messages from `first` on, `count` of them, in halves where they are too large together. */
static enum exit_code send_range(struct import *import, size_t first, size_t count)
{
	struct buffer body = {0};
	buffer_add_text(&body, TEXT("{\"batch\":["));
	for (size_t i = first; i < first + count; i++) {
		if (i > first)
			buffer_add_u8(&body, ',');
		buffer_add_text(&body, message_of(import, i));
	}
	buffer_add_text(&body, TEXT("]}"));
	enum delivery_outcome outcome = delivery_send(&import->delivery, buffer_text(&body));
	buffer_done(&body);

	if (outcome == DELIVERED) {
		import->accepted_count += count;
		take_rejected(import, first, count);
		return EXIT_DONE;
	}
	if (outcome != DELIVERY_TOO_LARGE)
		return exit_of(outcome);
	if (count == 1) {
		reject(import, import->pending.items[first].line, raw_of(import, first),
		       TEXT("PAYLOAD_TOO_LARGE"), TEXT("the server takes no request this large"));
		return EXIT_DONE;
	}
	enum exit_code code = send_range(import, first, count / 2);
	return code == EXIT_DONE ? send_range(import, first + count / 2, count - count / 2) : code;
}

static enum exit_code flush(struct import *import)
{
	enum exit_code code = EXIT_DONE;
	if (import->settings.dry_run)
		for (size_t i = 0; i < import->pending.count; i++)
			printf("%.*s\n", TEXT_FORMAT(message_of(import, i)));
	else if (import->pending.count > 0)
		code = send_range(import, 0, import->pending.count);
	import->pending.count = 0;
	buffer_clear(&import->messages);
	buffer_clear(&import->raws);
	import_progress_draw(&import->progress, import_input_position(import->input),
	                     import_input_size(import->input), import->row_count,
	                     import->rejected_count);
	return code;
}

/* ---- Reading ---- */

static enum exit_code take_row(struct import *import)
{
	struct error err;
	import->row_count++;
	if (import_map_message(&import->map, &import->rows, &import->messages, &err) != STATUS_OK) {
		reject(import, import->rows.line, import->rows.raw, TEXT(""), text_of(err.reason));
		return EXIT_DONE;
	}
	buffer_add_text(&import->raws, import->rows.raw);
	VECTOR_ADD(&import->pending,
	           (struct pending){import->rows.line, import->messages.length, import->raws.length});
	if (import->pending.count >= (size_t)import->settings.batch ||
	    import->messages.length >= BODY_BYTES_AIM)
		return flush(import);
	return EXIT_DONE;
}

static enum exit_code fail(struct import *import, const struct error *err)
{
	import_progress_end(&import->progress);
	fprintf(stderr, "sonnim import: %s\n", err->reason);
	return EXIT_REFUSED;
}

static enum exit_code take_all(struct import *import)
{
	for (;;) {
		struct error   err;
		enum exit_code code   = EXIT_DONE;
		enum status    status = import_rows_next(&import->rows, &err);
		if (status == STATUS_OK) {
			code = take_row(import);
		} else if (status == STATUS_INVALID) {
			import->row_count++;
			reject(import, import->rows.line, import->rows.raw, TEXT(""), text_of(err.reason));
		} else {
			code = flush(import);
			return code != EXIT_DONE || status == STATUS_NOT_FOUND ? code : fail(import, &err);
		}
		if (code != EXIT_DONE)
			return code;
	}
}

/* ---- What came of it ---- */

static void print_summary_json(const struct import *import, int64_t spent_ms)
{
	struct buffer      out    = {0};
	struct json_writer writer = json_writer_of(&out);
	json_begin_object(&writer);
	json_member_int(&writer, "rows", (int64_t)import->row_count);
	json_member_int(&writer, "accepted", (int64_t)import->accepted_count);
	json_member_int(&writer, "rejected", (int64_t)import->rejected_count);
	json_member_int(&writer, "retries", (int64_t)import->delivery.retries);
	json_member_double(&writer, "seconds", (double)spent_ms / 1000);
	json_member_string(&writer, "ignoredColumns", buffer_text(&import->ignored));
	json_member_string(&writer, "position", text_of(import->delivery.position));
	json_end_object(&writer);
	printf("%.*s\n", (int)out.length, out.data);
	buffer_done(&out);
}

static void print_summary(struct import *import, enum exit_code code)
{
	char    rows[IMPORT_NUMBER_BYTES], taken[IMPORT_NUMBER_BYTES], bad[IMPORT_NUMBER_BYTES];
	int64_t spent_ms = clock_monotonic_ms() - import->progress.begin_ms;
	import_progress_end(&import->progress);
	if (import->settings.dry_run)
		return;
	if (import->client.settings.json) {
		print_summary_json(import, spent_ms);
		return;
	}
	if (import->ignored.length > 0)
		printf("columns ignored: %.*s (--map, or --rest=properties, takes them)\n",
		       (int)import->ignored.length, import->ignored.data);
	printf("%s rows read, %s accepted, %s rejected, in %.1f s\n",
	       import_number(import->row_count, rows), import_number(import->accepted_count, taken),
	       import_number(import->rejected_count, bad), (double)spent_ms / 1000);
	if (code != EXIT_DONE)
		printf("stopped at line %llu; the same command goes on: rows that were taken count once\n",
		       (unsigned long long)import->rows.line);
}

/* ---- The command line ---- */

static void print_help(void)
{
	struct import_settings target = {0};
	struct settings        own    = {table, sizeof table / sizeof table[0], &target};
	printf(
		"Usage: sonnim import FILE [--map FIELD=COLUMN[:TYPE]]… [--set FIELD=VALUE]… [FLAGS]\n\n"
		"Sends the rows of a file to the running server: CSV or JSON Lines, also compressed with\n"
		"gzip or zstd; - is the standard input. JSON Lines without any mapping are messages as\n"
		"POST /v1/batch takes them.\n\n"
		"  FIELD  userId, anonymousId, previousId, groupId, messageId, type, event, timestamp,\n"
		"         name, category, properties.NAME, traits.NAME, context.NAME\n"
		"  TYPE   string, number, boolean, time (RFC 3339, also with a space; UTC), epoch_s,\n"
		"         epoch_ms, list (between commas), json\n\n"
		"Columns that are called like a field need no mapping. Rows without a messageId get one\n"
		"made of the row and its line, so that the same file may be imported again.\n\n"
		"  sonnim import orders.csv.zst --token-file token --set event=\"Order Completed\" \\\n"
		"    --map userId=customer_id --map timestamp=sold_at --map messageId=invoice \\\n"
		"    --map properties.revenue=total:number\n\n"
		"Exit codes: 0 all rows were taken, 1 some were rejected, 2 wrong usage, 3 no server.\n\n");
	client_print_flags(&own);
}

/* Takes the flag `name` with its value out of argv, wherever it is, and adds the rules. */
static enum status take_rules(struct import_map *map, const char *name, bool constant, int *argc,
                              char **argv, struct error *err)
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
		enum status status = import_map_add(map, text_of(value), constant, err);
		if (status != STATUS_OK)
			return status;
	}
	*argc = left;
	return STATUS_OK;
}

static bool one_of(const char *word, const char *const *words, unsigned *ret_index)
{
	for (*ret_index = 0; words[*ret_index] != NULL; ++*ret_index)
		if (strcmp(word, words[*ret_index]) == 0)
			return true;
	return false;
}

/* What the words of the settings mean. */
struct choices {
	enum import_format format;
	enum import_group  rest;
	char               delimiter;
};

static enum status read_choices(const struct import_settings *settings, const char *path,
                                struct choices *ret, struct error *err)
{
	static const char *const types[]   = {"track", "identify", "page", "screen",
	                                      "group", "alias",    NULL};
	static const char *const rests[]   = {"ignore", "properties", "traits", NULL};
	static const char *const formats[] = {"csv", "jsonl", NULL};
	unsigned                 index;
	*ret = (struct choices){import_format_of_name(path), IMPORT_TOP, ','};
	if (!one_of(settings->type, types, &index))
		return error_set_field(err, STATUS_INVALID, "type", "\"%s\" is no type", settings->type);
	if (!one_of(settings->rest, rests, &index))
		return error_set_field(err, STATUS_INVALID, "rest", "is ignore, properties or traits");
	ret->rest = (enum import_group)index;
	if (settings->format != NULL) {
		if (!one_of(settings->format, formats, &index))
			return error_set_field(err, STATUS_INVALID, "format", "is csv or jsonl");
		ret->format = index == 0 ? IMPORT_FORMAT_CSV : IMPORT_FORMAT_JSONL;
	}
	if (strstr(path, ".tsv") != NULL)
		ret->delimiter = '\t';
	if (settings->delimiter != NULL) {
		bool tab = strcmp(settings->delimiter, "tab") == 0;
		if (!tab && (strlen(settings->delimiter) != 1 || strchr("\"\r\n", *settings->delimiter)))
			return error_set_field(err, STATUS_INVALID, "delimiter", "is one character, or tab");
		ret->delimiter = tab ? '\t' : settings->delimiter[0];
	}
	return STATUS_OK;
}

/* Everything that can be wrong before the first row. */
static enum status prepare(struct import *import, const char *path, struct error *err)
{
	const struct import_settings *settings = &import->settings;
	struct choices                choices;
	enum status                   status = read_choices(settings, path, &choices, err);
	if (status == STATUS_OK)
		status = import_input_open(path, &import->input, err);
	if (status == STATUS_OK)
		status = import_rows_open(&import->rows, import->input, choices.format, choices.delimiter,
		                          settings->columns, err);
	if (status == STATUS_OK)
		status = import_map_bind(&import->map, &import->rows, settings->type, choices.rest,
		                         &import->ignored, err);
	if (status == STATUS_OK && settings->rejects != NULL) {
		import->rejects = fopen(settings->rejects, "we");
		if (import->rejects == NULL)
			status = error_set_errno(err, STATUS_IO, errno, "cannot write %s", settings->rejects);
	}
	return status;
}

static enum exit_code run(struct import *import, const char *path)
{
	struct error err;
	if (prepare(import, path, &err) != STATUS_OK)
		return command_usage("import", &err);
	if (!import->settings.dry_run) {
		enum exit_code code =
			delivery_open(&import->delivery, &import->client, &import->settings.delivery, "import");
		if (code != EXIT_DONE)
			return code;
	}
	import_progress_begin(&import->progress);
	enum exit_code code = take_all(import);
	print_summary(import, code);
	if (import->rejects != NULL && fflush(import->rejects) != 0)
		return command_usage_text("import", "cannot write %s", import->settings.rejects);
	return code == EXIT_DONE && import->rejected_count > 0 ? EXIT_REFUSED : code;
}

/* The map file's rules come first, so that those of the command line replace them. */
static enum exit_code read_command_line(struct import *import, const struct settings *own,
                                        int *argc, char **argv)
{
	struct error      err;
	struct import_map line = {0};
	import_map_init(&line);
	enum status status = take_rules(&line, "--map", false, argc, argv, &err);
	if (status == STATUS_OK)
		status = take_rules(&line, "--set", true, argc, argv, &err);
	enum exit_code code = EXIT_DONE;
	if (status == STATUS_OK)
		code = client_open(&import->client, own, argc, argv);
	if (status == STATUS_OK && code == EXIT_DONE && import->settings.map_file != NULL)
		status = import_map_add_file(&import->map, import->settings.map_file, &err);
	if (status == STATUS_OK)
		import_map_replace(&import->map, &line);
	import_map_done(&line);
	if (status != STATUS_OK)
		return command_usage("import", &err);
	if (code == EXIT_DONE && *argc != 2)
		return command_usage_text("import",
		                          *argc < 2 ? "which FILE? (- is the standard input)"
		                                    : "one FILE at a time, not \"%s\" too",
		                          argv[*argc - 1]);
	return code;
}

static void close_import(struct import *import, const struct settings *own)
{
	import_rows_close(&import->rows);
	import_input_close(import->input);
	import_map_done(&import->map);
	buffer_done(&import->ignored);
	buffer_done(&import->messages);
	buffer_done(&import->raws);
	VECTOR_DONE(&import->pending);
	if (import->rejects != NULL)
		fclose(import->rejects);
	client_close(&import->client, own);
}

enum exit_code command_import(int argc, char **argv)
{
	if (command_wants_help(argc, argv)) {
		print_help();
		return EXIT_DONE;
	}
	struct import   import = {0};
	struct settings own    = {table, sizeof table / sizeof table[0], &import.settings};
	import_map_init(&import.map);
	enum exit_code code = read_command_line(&import, &own, &argc, argv);
	if (code == EXIT_DONE)
		code = run(&import, argv[1]);
	close_import(&import, &own);
	return code;
}
