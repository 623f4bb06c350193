#include "app/delivery.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"

enum {
	WRITE_KEY_BYTES_MAX = 256,
	PAUSE_MS_MIN        = 100,
	PAUSE_MS_MAX        = 5000,
	RETRY_AFTER_S_MAX   = 60,
	NAP_MS              = 50, /* how soon a stop is seen */
};

/* ---- The write key ---- */

static enum exit_code set_key(struct delivery *delivery, struct text key)
{
	char pair[WRITE_KEY_BYTES_MAX + 1];
	char encoded[sodium_base64_ENCODED_LEN(sizeof pair, sodium_base64_VARIANT_ORIGINAL)];
	if (key.length == 0 || key.length > WRITE_KEY_BYTES_MAX)
		return command_usage_text(delivery->client->command, "this is no write key");
	memcpy(pair, key.data, key.length);
	pair[key.length] = ':';
	sodium_bin2base64(encoded, sizeof encoded, (const unsigned char *)pair, key.length + 1,
	                  sodium_base64_VARIANT_ORIGINAL);
	snprintf(delivery->authorization, sizeof delivery->authorization, "Basic %s", encoded);
	return EXIT_DONE;
}

static enum exit_code read_key(struct delivery *delivery, const char *path)
{
	struct buffer  file = {0};
	struct error   err;
	enum exit_code code;
	if (file_read(path, 4 * WRITE_KEY_BYTES_MAX, &file, &err) != STATUS_OK) {
		code = command_usage(delivery->client->command, &err);
	} else {
		buffer_add_u8(&file, '\0');
		code = set_key(delivery, (struct text){file.data, strcspn(file.data, " \t\r\n")});
	}
	buffer_done(&file);
	return code;
}

/* The write key of a source with this name on a page of the list; empty: none. */
static struct text key_of_source(struct json page, const char *name)
{
	struct json items = json_get(page, "items");
	for (struct json_iterator i = json_iterate(items); json_next(&i);) {
		struct json its_name = json_get(i.value, "name");
		struct json key      = json_get(i.value, "writeKey");
		if (json_type(its_name) == JSON_STRING && json_type(key) == JSON_STRING &&
		    text_equal(json_string(its_name), text_of(name)))
			return json_string(key);
	}
	return TEXT("");
}

static enum exit_code find_source(struct delivery *delivery, const char *name)
{
	struct client *client = delivery->client;
	enum exit_code code =
		client_send(client, "GET", "/api/v1/sources?limit=1000", (struct text){0});
	if (code != EXIT_DONE)
		return code;
	struct text key = key_of_source(client->answer, name);
	if (key.length > 0)
		return set_key(delivery, key);

	char body[128];
	snprintf(body, sizeof body, "{\"name\":\"%s\"}", name);
	code = client_send(client, "POST", "/api/v1/sources", text_of(body));
	if (code != EXIT_DONE)
		return code;
	struct json made = json_get(client->answer, "writeKey");
	return set_key(delivery, json_type(made) == JSON_STRING ? json_string(made) : TEXT(""));
}

enum exit_code delivery_open(struct delivery *delivery, struct client *client,
                             const struct delivery_settings *settings, const char *source_name)
{
	*delivery = (struct delivery){.client = client, .retry_ms = settings->retry_ms};
	if (settings->write_key != NULL)
		return set_key(delivery, text_of(settings->write_key));
	if (settings->write_key_file != NULL)
		return read_key(delivery, settings->write_key_file);
	if (client->authorization[0] != '\0')
		return find_source(delivery, source_name);
	return command_usage_text(client->command,
	                          "a write key (--write-key-file) or a token (--token-file) is needed");
}

/* ---- Sending ---- */

static bool stopped(const struct delivery *delivery)
{
	return delivery->stop != NULL && *delivery->stop;
}

void delivery_pause(const struct delivery *delivery, int64_t ms)
{
	int64_t end_ns = clock_monotonic_ns() + ms * 1000000;
	for (;;) {
		int64_t left_ns = end_ns - clock_monotonic_ns();
		if (left_ns <= 0 || stopped(delivery))
			return;
		if (left_ns > NAP_MS * INT64_C(1000000))
			left_ns = NAP_MS * INT64_C(1000000);
		nanosleep(&(struct timespec){.tv_nsec = left_ns}, NULL);
	}
}

static enum status post(struct delivery *delivery, struct text body, struct error *err)
{
	struct client *client = delivery->client;
	struct buffer  url    = {0};
	size_t         base   = strlen(client->settings.url);
	while (base > 0 && client->settings.url[base - 1] == '/')
		base--;
	buffer_printf(&url, "%.*s/v1/batch", (int)base, client->settings.url);
	buffer_add_u8(&url, '\0');
	struct http_header headers[] = {
		{TEXT("Content-Type"), TEXT("application/json")},
		{TEXT("Authorization"), text_of(delivery->authorization)},
	};
	struct http_client_request request = {.method       = "POST",
	                                      .url          = url.data,
	                                      .headers      = headers,
	                                      .header_count = sizeof headers / sizeof headers[0],
	                                      .body         = body};
	enum status status = http_client_send(client->http, &request, &client->response, err);
	buffer_done(&url);
	return status;
}

static void take_answer(struct delivery *delivery)
{
	struct client *client = delivery->client;
	struct error   err;
	struct text    position;
	client->answer = (struct json){0};
	if (json_parse_text(client->parser, buffer_text(&client->response.body), &client->answer,
	                    &err) != STATUS_OK)
		client->answer = (struct json){0};
	if (http_client_header(&client->response, "X-Sonnim-Position", &position) &&
	    position.length < sizeof delivery->position)
		snprintf(delivery->position, sizeof delivery->position, "%.*s", TEXT_FORMAT(position));
}

/* What the server wants us to wait; -1: it does not say. */
static int64_t retry_after_ms(const struct client *client)
{
	struct text text;
	int64_t     seconds = 0;
	if (!http_client_header(&client->response, "Retry-After", &text) || text.length == 0)
		return -1;
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return -1;
		seconds = seconds * 10 + (text.data[i] - '0');
		if (seconds > RETRY_AFTER_S_MAX)
			seconds = RETRY_AFTER_S_MAX;
	}
	return seconds * 1000;
}

static enum delivery_outcome refused(struct delivery *delivery)
{
	struct json message = json_get(json_get(delivery->client->answer, "error"), "message");
	fprintf(stderr, "sonnim %s: the server answered %u", delivery->client->command,
	        delivery->client->response.status);
	if (json_type(message) == JSON_STRING)
		fprintf(stderr, ": %.*s", TEXT_FORMAT(json_string(message)));
	fputc('\n', stderr);
	return DELIVERY_REFUSED;
}

/* Whether to try again; `ret_wait_ms` is -1 when the server does not say how soon. */
static bool decide(struct delivery *delivery, enum status status,
                   enum delivery_outcome *ret_outcome, int64_t *ret_wait_ms)
{
	unsigned answer = delivery->client->response.status;
	*ret_wait_ms    = -1;
	*ret_outcome    = DELIVERY_UNREACHABLE;
	if (status == STATUS_INVALID || status == STATUS_TOO_LARGE) {
		*ret_outcome = DELIVERY_REFUSED;
		return false;
	}
	if (status != STATUS_OK)
		return true;

	take_answer(delivery);
	if (answer == 429 || answer >= 500) {
		*ret_wait_ms = retry_after_ms(delivery->client);
		return true;
	}
	if (answer == 200)
		*ret_outcome = DELIVERED;
	else if (answer == 413)
		*ret_outcome = DELIVERY_TOO_LARGE;
	else
		*ret_outcome = refused(delivery);
	return false;
}

static void print_failure(const struct delivery *delivery, enum status status,
                          const struct error *err)
{
	if (status != STATUS_OK)
		fprintf(stderr, "sonnim %s: %s\n", delivery->client->command, err->reason);
	else
		fprintf(stderr, "sonnim %s: the server answers %u and goes on doing so\n",
		        delivery->client->command, delivery->client->response.status);
}

enum delivery_outcome delivery_send(struct delivery *delivery, struct text body)
{
	int64_t deadline_ms = clock_monotonic_ms() + delivery->retry_ms;
	for (int64_t pause_ms = PAUSE_MS_MIN;; pause_ms *= 2, delivery->retries++) {
		struct error          err;
		enum delivery_outcome outcome;
		int64_t               wait_ms;
		enum status           status = post(delivery, body, &err);
		if (!decide(delivery, status, &outcome, &wait_ms)) {
			if (status != STATUS_OK)
				print_failure(delivery, status, &err);
			return outcome;
		}
		if (stopped(delivery))
			return DELIVERY_STOPPED;
		if (pause_ms > PAUSE_MS_MAX)
			pause_ms = PAUSE_MS_MAX;
		if (wait_ms < 0)
			wait_ms = pause_ms;
		if (clock_monotonic_ms() + wait_ms > deadline_ms) {
			print_failure(delivery, status, &err);
			return DELIVERY_UNREACHABLE;
		}
		delivery_pause(delivery, wait_ms);
	}
}
