#include "app/command/job_wait.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/command/progress.h"
#include "base/clock.h"
#include "base/instant.h"

enum { FIRST_PAUSE_MS = 20, PAUSE_MS_MAX = 500 };

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

static void draw(struct progress *drawn, struct json job)
{
	struct json progress = json_get(job, "progress");
	progress_draw(drawn, job_text(job, "state"), job_count(progress, "done"),
	              job_count(progress, "total"), job_text(progress, "unit"));
}

static void pause_ms(int64_t ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

enum exit_code job_poll(struct client *client, const char *path, int64_t *lost_ms, int64_t retry_ms)
{
	int64_t now_ms      = clock_monotonic_ms();
	client->patient     = *lost_ms == INSTANT_MS_NONE ? retry_ms > 0 : now_ms - *lost_ms < retry_ms;
	enum exit_code code = client_send(client, "GET", path, (struct text){0});
	if (!client_unavailable(client, code)) {
		*lost_ms = INSTANT_MS_NONE;
		return code;
	}
	if (!client->patient)
		return EXIT_UNREACHABLE;
	if (*lost_ms == INSTANT_MS_NONE)
		*lost_ms = now_ms;
	client->answer = (struct json){0};
	return EXIT_DONE;
}

enum exit_code job_wait(struct client *client, const char *id, int64_t retry_ms)
{
	char            path[128];
	int64_t         lost_ms = INSTANT_MS_NONE, pause = FIRST_PAUSE_MS;
	struct progress drawn = {0};
	enum exit_code  code;
	snprintf(path, sizeof path, "/api/v1/jobs/%s", id);
	while ((code = job_poll(client, path, &lost_ms, retry_ms)) == EXIT_DONE) {
		struct text state = job_text(client->answer, "state");
		if (text_equal(state, TEXT("done")) || text_equal(state, TEXT("failed")) ||
		    text_equal(state, TEXT("cancelled")))
			break;
		if (state.length > 0)
			draw(&drawn, client->answer);
		pause_ms(pause);
		pause = pause * 2 < PAUSE_MS_MAX ? pause * 2 : PAUSE_MS_MAX;
	}
	progress_end(&drawn);
	client->patient = false;
	if (code == EXIT_UNREACHABLE)
		fprintf(stderr, "sonnim %s: the job goes on when the server does: `sonnim job watch %s`\n",
		        client->command, id);
	return code;
}

bool job_is_done(const struct client *client)
{
	struct text state = job_text(client->answer, "state");
	if (text_equal(state, TEXT("done")))
		return true;
	struct text reason = job_text(json_get(client->answer, "error"), "message");
	fprintf(stderr, "sonnim %s: %.*s%s%.*s\n", client->command, TEXT_FORMAT(state),
	        reason.length > 0 ? ": " : "", TEXT_FORMAT(reason));
	return false;
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
