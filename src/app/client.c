#include "app/client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { TOKEN_FILE_BYTES_MAX = 4096, CELL_BYTES_MAX = 48, GAP = 2, COLUMNS_MAX = 12, PAGE = 500 };

#define CLIENT struct client_settings
static const struct setting table[] = {
	SETTING_STRING(CLIENT, url, "url", "http://127.0.0.1:8080", "Address of the server", "URL"),
	SETTING_STRING(CLIENT, ca, "ca", NULL,
                   "File (PEM) with who may sign the server's certificate; else whom the machine "
                   "trusts",
                   "FILE"),
	SETTING_STRING(CLIENT, workspace, "workspace", NULL,
                   "Slug of the workspace, where the token does not say it", "SLUG"),
	SETTING_STRING(CLIENT, token, "token", NULL,
                   "Token; better in SONNIM_TOKEN or a file, since others see command lines",
                   "TOKEN"),
	SETTING_STRING(CLIENT, token_file, "token-file", NULL, "File that holds the token", "FILE"),
	SETTING_BOOL(CLIENT, json, "json", "Print JSON; of a list one object a line"),
};
#undef CLIENT

static size_t sets_of(struct client_settings *target, const struct settings *own,
                      struct settings ret_sets[2])
{
	ret_sets[0] = (struct settings){table, sizeof table / sizeof table[0], target};
	if (own != NULL)
		ret_sets[1] = *own;
	return own != NULL ? 2 : 1;
}

void client_print_flags(const struct settings *own)
{
	struct client_settings target = {0};
	struct settings        sets[2];
	struct buffer          out = {0};
	settings_help(sets, sets_of(&target, own, sets), &out);
	printf("%.*s", (int)out.length, out.data);
	buffer_done(&out);
}

static enum status read_token(struct client *client, struct error *err)
{
	struct buffer file = {0};
	const char   *text = client->settings.token;
	if (text == NULL && client->settings.token_file != NULL) {
		enum status status =
			file_read(client->settings.token_file, TOKEN_FILE_BYTES_MAX, &file, err);
		if (status != STATUS_OK) {
			buffer_done(&file);
			return status;
		}
		buffer_add_u8(&file, '\0');
		file.data[strcspn(file.data, "\r\n")] = '\0';
		text                                  = file.data;
	}
	if (text != NULL)
		snprintf(client->authorization, sizeof client->authorization, "Bearer %s", text);
	buffer_done(&file);
	return STATUS_OK;
}

enum exit_code client_open(struct client *client, const struct settings *own, int *argc,
                           char **argv)
{
	struct settings sets[2];
	struct error    err;
	*client      = (struct client){.command = argv[0]};
	size_t count = sets_of(&client->settings, own, sets);
	if (settings_load(sets, count, &err) != STATUS_OK ||
	    settings_parse_flags(sets, count, argc, argv, &err) != STATUS_OK ||
	    read_token(client, &err) != STATUS_OK)
		return command_usage(argv[0], &err);
	client->http   = http_client_new();
	client->parser = json_parser_new();
	return EXIT_DONE;
}

void client_close(struct client *client, const struct settings *own)
{
	struct settings sets[2];
	settings_done(sets, sets_of(&client->settings, own, sets));
	http_client_free(client->http);
	json_parser_free(client->parser);
	http_client_response_done(&client->response);
}

/* ---- Requests ---- */

void client_add_escaped(struct buffer *path, const char *text)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:";
	for (; *text != '\0'; text++)
		if (strchr(plain, *text) != NULL)
			buffer_add_u8(path, (uint8_t)*text);
		else
			buffer_printf(path, "%%%02X", (unsigned char)*text);
}

void client_add_segment(struct buffer *path, const char *segment)
{
	buffer_add_u8(path, '/');
	client_add_escaped(path, segment);
}

static void print_refusal(const struct client *client)
{
	struct json error   = json_get(client->answer, "error");
	struct json message = json_get(error, "message");
	struct json field   = json_get(json_get(error, "details"), "field");
	fprintf(stderr, "sonnim %s: ", client->command);
	if (json_type(message) != JSON_STRING) {
		fprintf(stderr, "the server answered %u\n", client->response.status);
		return;
	}
	if (json_type(field) == JSON_STRING)
		fprintf(stderr, "%.*s: ", TEXT_FORMAT(json_string(field)));
	fprintf(stderr, "%.*s\n", TEXT_FORMAT(json_string(message)));
}

bool client_unavailable(const struct client *client, enum exit_code code)
{
	return code == EXIT_UNREACHABLE || (code == EXIT_REFUSED && client->response.status == 503);
}

static enum exit_code send_request(struct client *client, struct http_client_request *request,
                                   const char *path, const char *content_type)
{
	struct buffer      url = {0};
	struct error       err;
	struct http_header headers[2] = {
		{TEXT("Content-Type"), text_of(content_type)},
		{TEXT("Authorization"), text_of(client->authorization)},
	};
	request->ca = client->settings.ca;
	size_t base = strlen(client->settings.url);
	while (base > 0 && client->settings.url[base - 1] == '/')
		base--;
	buffer_printf(&url, "%.*s", (int)base, client->settings.url);
	if (client->settings.workspace != NULL) {
		buffer_printf(&url, "/w");
		client_add_segment(&url, client->settings.workspace);
	}
	buffer_printf(&url, "%s", path);
	buffer_add_u8(&url, '\0');
	request->url          = url.data;
	request->headers      = headers;
	request->header_count = client->authorization[0] != '\0' ? 2 : 1;
	enum status status    = http_client_send(client->http, request, &client->response, &err);
	buffer_done(&url);
	client->answer = (struct json){0};
	if (status != STATUS_OK) {
		enum exit_code code = status == STATUS_INVALID ? EXIT_USAGE : EXIT_UNREACHABLE;
		if (code == EXIT_USAGE || !client->patient)
			fprintf(stderr, "sonnim %s: %s\n", client->command, err.reason);
		return code;
	}
	struct text answer = buffer_text(&client->response.body);
	if (answer.length > 0 &&
	    json_parse_text(client->parser, answer, &client->answer, &err) != STATUS_OK)
		client->answer = (struct json){0};
	if (client->response.status < 200 || client->response.status > 299) {
		if (!client->patient || !client_unavailable(client, EXIT_REFUSED))
			print_refusal(client);
		return EXIT_REFUSED;
	}
	return EXIT_DONE;
}

enum exit_code client_send(struct client *client, const char *method, const char *path,
                           struct text body)
{
	struct http_client_request request = {.method = method, .body = body};
	return send_request(client, &request, path, "application/json");
}

enum exit_code client_upload(struct client *client, const char *path, const char *content_type,
                             http_client_read_fn *read, void *read_context, int64_t timeout_ms)
{
	struct http_client_request request = {
		.read = read, .read_context = read_context, .timeout_ms = timeout_ms};
	return send_request(client, &request, path, content_type);
}

/* ---- Printing ---- */

static struct json member(struct json object, const char *path)
{
	char        name[64];
	const char *dot = strchr(path, '.');
	if (dot == NULL)
		return json_get(object, path);
	snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
	return member(json_get(object, name), dot + 1);
}

/* Control characters would move the cursor, or turn the rest of the line round. */
static void add_clean(struct buffer *out, struct text text)
{
	for (size_t i = 0; i < text.length;) {
		size_t unshown = text_unshown(text, i);
		buffer_add_u8(out, unshown > 0 ? ' ' : (uint8_t)text.data[i]);
		i += unshown > 0 ? unshown : 1;
	}
}

static void add_cell(struct buffer *out, struct json value)
{
	struct json_writer w = json_writer_of(out);
	switch (json_type(value)) {
	case JSON_NONE:
	case JSON_NULL:
		buffer_add_text(out, TEXT("-"));
		break;
	case JSON_STRING:
		add_clean(out, json_string(value));
		break;
	case JSON_BOOL:
		buffer_add_text(out, json_bool(value) ? TEXT("yes") : TEXT("no"));
		break;
	default:
		json_add_value(&w, value);
	}
}

/* The code point that begins at `at` in UTF-8 (three bytes of it at least are looked at). */
static unsigned code_at(struct text text, size_t at)
{
	const unsigned char *bytes = (const unsigned char *)text.data + at;
	size_t               left  = text.length - at;
	if (bytes[0] >= 0xf0)
		return 0x10000;
	if (bytes[0] >= 0xe0 && left >= 3)
		return (bytes[0] & 0xfu) << 12 | (bytes[1] & 0x3fu) << 6 | (bytes[2] & 0x3fu);
	return bytes[0];
}

/* Hangul, Chinese and Japanese characters, full-width forms and pictures take two columns. */
static bool is_wide(unsigned code)
{
	return (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
	       (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
	       (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
	       code == 0x10000;
}

/* In columns; continuation bytes of UTF-8 take none. */
static size_t width_of(struct text text)
{
	size_t width = 0;
	for (size_t i = 0; i < text.length; i++)
		if (((unsigned char)text.data[i] & 0xc0) != 0x80)
			width += is_wide(code_at(text, i)) ? 2 : 1;
	return width;
}

/* Fills up to `width`, which has the gap to the next column in it; what is longer keeps the gap.
 * Width 0: the last column. */
static void print_cell(struct text text, size_t width)
{
	size_t at = width_of(text);
	printf("%.*s", TEXT_FORMAT(text));
	if (width == 0)
		return;
	for (width = at + GAP > width ? at + GAP : width; at < width; at++)
		putchar(' ');
}

void client_print_json(struct json value)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_add_value(&w, value);
	printf("%.*s\n", (int)out.length, out.data);
	buffer_done(&out);
}

void client_print_object(const struct client *client, const struct client_column *columns)
{
	size_t width = 0;
	if (client->settings.json) {
		client_print_json(client->answer);
		return;
	}
	for (const struct client_column *c = columns; c->head != NULL; c++)
		width = strlen(c->head) > width ? strlen(c->head) : width;
	for (const struct client_column *c = columns; c->head != NULL; c++) {
		struct buffer cell = {0};
		add_cell(&cell, member(client->answer, c->member));
		print_cell(text_of(c->head), width + GAP);
		printf("%.*s\n", (int)cell.length, cell.data);
		buffer_done(&cell);
	}
}

void client_print_table(struct json items, const struct client_column *columns, bool with_head)
{
	size_t widths[COLUMNS_MAX] = {0};
	for (unsigned c = 0; columns[c].head != NULL; c++) {
		assert(c < COLUMNS_MAX);
		widths[c] = strlen(columns[c].head);
		for (struct json_iterator i = json_iterate(items); json_next(&i);) {
			struct buffer cell = {0};
			add_cell(&cell, member(i.value, columns[c].member));
			size_t width = width_of(buffer_text(&cell));
			widths[c]    = width > widths[c] ? width : widths[c];
			widths[c]    = widths[c] > CELL_BYTES_MAX ? CELL_BYTES_MAX : widths[c];
			buffer_done(&cell);
		}
	}
	for (unsigned c = 0; with_head && columns[c].head != NULL; c++)
		print_cell(text_of(columns[c].head), columns[c + 1].head != NULL ? widths[c] + GAP : 0);
	if (with_head)
		putchar('\n');
	for (struct json_iterator i = json_iterate(items); json_next(&i);) {
		for (unsigned c = 0; columns[c].head != NULL; c++) {
			struct buffer cell = {0};
			add_cell(&cell, member(i.value, columns[c].member));
			print_cell(buffer_text(&cell), columns[c + 1].head != NULL ? widths[c] + GAP : 0);
			buffer_done(&cell);
		}
		putchar('\n');
	}
}

static void print_page(const struct client *client, const struct client_column *columns, bool first)
{
	struct json items = json_get(client->answer, "items");
	if (!client->settings.json) {
		client_print_table(items, columns, first);
		return;
	}
	for (struct json_iterator i = json_iterate(items); json_next(&i);)
		client_print_json(i.value);
}

enum exit_code client_print_list(struct client *client, const char *path, long limit,
                                 const struct client_column *columns)
{
	struct buffer  cursor = {0};
	enum exit_code code   = EXIT_DONE;
	bool           first = true, more = true;
	for (long left = limit; more; first = false) {
		long          page = limit == 0 || left > PAGE ? PAGE : left;
		struct buffer url  = {0};
		buffer_printf(&url, "%s%climit=%ld", path, strchr(path, '?') == NULL ? '?' : '&', page);
		if (cursor.length > 0)
			buffer_printf(&url, "&cursor=%.*s", (int)cursor.length, cursor.data);
		buffer_add_u8(&url, '\0');
		code = client_send(client, "GET", url.data, (struct text){0});
		buffer_done(&url);
		if (code != EXIT_DONE)
			break;
		print_page(client, columns, first);
		struct json next = json_get(client->answer, "next");
		left -= (long)json_count(json_get(client->answer, "items"));
		more = json_type(next) == JSON_STRING && (limit == 0 || left > 0);
		buffer_clear(&cursor);
		if (more)
			buffer_add_text(&cursor, json_string(next));
	}
	buffer_done(&cursor);
	return code;
}
