#include "app/command/job_wait.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { FIRST_PAUSE_MS = 20, PAUSE_MS_MAX = 500 };

const char *job_number(uint64_t number, char into[JOB_NUMBER_BYTES])
{
	char   digits[24];
	size_t length = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
	char  *at     = into;
	for (size_t i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*at++ = ',';
		*at++ = digits[i];
	}
	*at = '\0';
	return into;
}

uint64_t job_count(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_INT && json_int(value) > 0 ? json_uint(value) : 0;
}

struct text job_text(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_STRING ? json_string(value) : TEXT("");
}

static void draw(struct json job)
{
	struct json progress = json_get(job, "progress");
	uint64_t    done = job_count(progress, "done"), total = job_count(progress, "total");
	char        number[JOB_NUMBER_BYTES];
	if (isatty(STDERR_FILENO) != 1)
		return;
	fprintf(stderr, "\r\033[K%.*s", TEXT_FORMAT(job_text(job, "state")));
	if (total > 0)
		fprintf(stderr, "  %3u %%", (unsigned)(done * 100 / total));
	fprintf(stderr, "  %s %.*s", job_number(done, number), TEXT_FORMAT(job_text(progress, "unit")));
	fflush(stderr);
}

static void pause_ms(int64_t ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* The server that cannot be reached is not complained about each time. */
static enum exit_code ask(struct client *client, const char *path, int64_t *lost_ms,
                          int64_t retry_ms)
{
	enum exit_code code = client_send(client, "GET", path, (struct text){0});
	bool           gone =
		code == EXIT_UNREACHABLE || (code == EXIT_REFUSED && client->response.status == 503);
	if (!gone) {
		*lost_ms = 0;
		return code;
	}
	int64_t now_ms = clock_monotonic_ms();
	if (*lost_ms == 0)
		*lost_ms = now_ms;
	if (now_ms - *lost_ms >= retry_ms)
		return EXIT_UNREACHABLE;
	client->answer = (struct json){0};
	return EXIT_DONE;
}

enum exit_code job_wait(struct client *client, const char *id, int64_t retry_ms)
{
	char    path[128];
	int64_t lost_ms = 0, pause = FIRST_PAUSE_MS;
	snprintf(path, sizeof path, "/api/v1/jobs/%s", id);
	for (;;) {
		enum exit_code code  = ask(client, path, &lost_ms, retry_ms);
		struct text    state = job_text(client->answer, "state");
		if (code != EXIT_DONE)
			return code;
		draw(client->answer);
		if (text_equal(state, TEXT("done")) || text_equal(state, TEXT("failed")) ||
		    text_equal(state, TEXT("cancelled")))
			break;
		pause_ms(pause);
		pause = pause * 2 < PAUSE_MS_MAX ? pause * 2 : PAUSE_MS_MAX;
	}
	if (isatty(STDERR_FILENO) == 1)
		fputs("\r\033[K", stderr);
	return EXIT_DONE;
}

enum exit_code job_fetch(struct client *client, const char *path, const char *file)
{
	enum exit_code code = client_send(client, "GET", path, (struct text){0});
	if (code != EXIT_DONE)
		return code;
	FILE       *out  = fopen(file, "we");
	struct text body = buffer_text(&client->response.body);
	bool        fine = out != NULL && fwrite(body.data, 1, body.length, out) == body.length;
	if (out != NULL && fclose(out) != 0)
		fine = false;
	if (!fine)
		fprintf(stderr, "sonnim %s: cannot write %s: %s\n", client->command, file, strerror(errno));
	return fine ? EXIT_DONE : EXIT_REFUSED;
}
