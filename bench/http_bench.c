/* The HTTP server alone, for measuring it beside others:
 *
 *   http_bench [--listen=127.0.0.1:0] [--http-threads=1] …
 *
 * Any path of the Tracking API answers POST at once under /now and after a detour over another
 * thread otherwise, as a durable append does: that thread takes all that has come in the
 * meantime, waits for --detour-us, and answers. Prints its address, then serves until SIGINT or
 * SIGTERM. script/bench_http runs it beside nginx. */

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/vector.h"
#include "http/router.h"

struct bench_settings {
	int64_t detour_us;
};

static const struct setting bench_table[] = {
	SETTING_INT(struct bench_settings, detour_us, "detour-us", "0", 0, 1000000,
                "What the other thread waits before it answers a batch"),
};

static const struct text success = {"{\"success\":true}", 16};

static struct bench_settings bench;
static pthread_mutex_t       lock  = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t        added = PTHREAD_COND_INITIALIZER;
static VECTOR(struct http_request *) waiting;

static void answer_now(struct http_request *request, void *user)
{
	(void)user;
	http_respond_static(request, 200, "application/json", success);
}

static void answer_later(struct http_request *request, void *user)
{
	(void)user;
	http_suspend(request);
	pthread_mutex_lock(&lock);
	VECTOR_ADD(&waiting, request);
	if (waiting.count == 1)
		pthread_cond_signal(&added);
	pthread_mutex_unlock(&lock);
}

static void *answer_thread(void *unused)
{
	VECTOR(struct http_request *) taken = {0};
	struct timespec detour              = {.tv_nsec = bench.detour_us * 1000};

	(void)unused;
	for (;;) {
		pthread_mutex_lock(&lock);
		while (waiting.count == 0)
			pthread_cond_wait(&added, &lock);
		for (size_t i = 0; i < waiting.count; i++)
			VECTOR_ADD(&taken, waiting.items[i]);
		waiting.count = 0;
		pthread_mutex_unlock(&lock);
		if (bench.detour_us > 0)
			nanosleep(&detour, NULL);
		for (size_t i = 0; i < taken.count; i++)
			http_respond_static(taken.items[i], 200, "application/json", success);
		taken.count = 0;
	}
	return NULL;
}

static void serve(struct http_settings *settings)
{
	static const struct http_route routes[] = {
		{"POST", "/now", answer_now, NULL},
		{"POST", "/later", answer_later, NULL},
		{"POST", "/v1/{call}", answer_later, NULL},
	};
	static const struct http_header headers[] = {
		{{"X-Content-Type-Options", 22}, {"nosniff", 7}},
	};
	struct http_router *router = http_router_new();
	struct http_server *server = NULL;
	struct error        err    = {0};
	sigset_t            signals;
	int                 signal_number;

	http_router_add(router, "", routes, sizeof routes / sizeof routes[0]);
	struct http_server_config config = {
		.settings = settings, .router = router, .headers = headers, .header_count = 1};
	if (http_server_start(&config, &server, &err) != STATUS_OK) {
		fprintf(stderr, "http_bench: %s\n", err.reason);
		exit(1);
	}
	printf("%s\n", http_server_address(server));
	fflush(stdout);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigwait(&signals, &signal_number);
	http_server_free(server);
	http_router_free(router);
}

int main(int argc, char **argv)
{
	struct http_settings http   = {0};
	struct settings      sets[] = {http_settings_of(&http), {bench_table, 1, &bench}};
	struct error         err    = {0};
	pthread_t            thread;
	sigset_t             signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (settings_load(sets, 2, &err) != STATUS_OK ||
	    settings_parse_flags(sets, 2, &argc, argv, &err) != STATUS_OK) {
		fprintf(stderr, "http_bench: %s\n", err.reason);
		return 2;
	}
	if (pthread_create(&thread, NULL, answer_thread, NULL) != 0)
		return 1;
	serve(&http);
	settings_done(sets, 2);
	return 0;
}
