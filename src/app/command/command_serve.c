#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/command/command.h"
#include "app/server.h"
#include "base/file.h"
#include "base/log.h"

enum { MEMORY_POLL_MS = 100, REPLAY_POLL_MS = 5 };

static void print_help(void)
{
	struct serve_settings settings = {0};
	struct settings       sets[SERVE_SETTINGS_SETS];
	struct buffer         out = {0};
	serve_settings_of(&settings, sets);
	settings_help(sets, SERVE_SETTINGS_SETS, &out);
	printf("Usage: sonnim serve [FLAGS]\n\nRuns the server in the foreground until SIGTERM or "
	       "SIGINT.\n\n%.*s",
	       (int)out.length, out.data);
	buffer_done(&out);
}

/* Blocked in every thread; this one asks for them. */
static void block_signals(sigset_t *ret_signals)
{
	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGTERM);
	sigaddset(ret_signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigaction(SIGPIPE, &ignore, NULL);
}

/* STATUS_AGAIN: a signal came first. */
static enum status wait_for_replay(struct server *server, const sigset_t *signals,
                                   struct error *err)
{
	const struct timespec pause = {.tv_nsec = REPLAY_POLL_MS * 1000000};
	for (;;) {
		enum status status = server_replayed(server, err);
		if (status != STATUS_AGAIN)
			return status;
		if (sigtimedwait(signals, NULL, &pause) > 0)
			return STATUS_AGAIN;
	}
}

static enum status write_address(const char *file, const char *address, struct error *err)
{
	char line[256];
	if (file == NULL)
		return STATUS_OK;
	int length = snprintf(line, sizeof line, "%s\n", address);
	return file_replace(file, 0644, line, (size_t)length, err);
}

static void show_first(const struct serve_settings *settings, const struct server_first *first)
{
	if (first->token[0] == '\0')
		return;
	if (settings->admin_token_file == NULL)
		printf("Admin token (shown once): %s\n", first->token);
	printf("Write key of the source \"default\": %s\n", first->write_key);
	fflush(stdout);
}

static enum exit_code failed(const char *message, const struct error *err)
{
	log_error(message, err);
	return EXIT_REFUSED;
}

/* Until a signal comes. */
static enum exit_code serve(const struct serve_settings *settings, struct server *server,
                            const sigset_t *signals)
{
	struct server_first first;
	struct error        err;
	int                 signal_number;
	log_line(LOG_INFO, "listening", LOG_STRING("address", server_address(server)));
	if (write_address(settings->address_file, server_address(server), &err) != STATUS_OK)
		return failed("the address could not be written", &err);
	enum status status = wait_for_replay(server, signals, &err);
	if (status == STATUS_AGAIN)
		return EXIT_DONE;
	if (status != STATUS_OK)
		return failed("the journal could not be replayed", &err);
	if (server_open(server, &first, &err) != STATUS_OK)
		return failed("the server could not start", &err);
	show_first(settings, &first);
	log_line(LOG_INFO, "ready", LOG_STRING("address", server_address(server)));
	const struct timespec pause = {.tv_nsec = MEMORY_POLL_MS * 1000000};
	while ((signal_number = sigtimedwait(signals, NULL, &pause)) < 0)
		server_watch_memory(server);
	log_line(LOG_INFO, "stopping", LOG_NUMBER("signal", signal_number));
	return EXIT_DONE;
}

enum exit_code command_serve(int argc, char **argv)
{
	struct serve_settings settings = {0};
	struct server        *server;
	struct error          err;
	sigset_t              signals;
	if (command_wants_help(argc, argv)) {
		print_help();
		return EXIT_DONE;
	}
	if (serve_settings_load(&settings, argc, argv, &err) != STATUS_OK) {
		serve_settings_done(&settings);
		return command_usage(argv[0], &err);
	}
	block_signals(&signals);
	enum exit_code code = EXIT_REFUSED;
	if (server_start(&settings, &server, &err) != STATUS_OK) {
		failed("the server could not start", &err);
	} else {
		code = serve(&settings, server, &signals);
		server_stop(server);
		log_message(LOG_INFO, "stopped");
	}
	serve_settings_done(&settings);
	return code;
}
