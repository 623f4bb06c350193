#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/command/command.h"
#include "app/process/handover.h"
#include "app/process/notify.h"
#include "app/server.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

enum {
	MEMORY_POLL_MS = 100,
	REPLAY_POLL_MS = 5,
	EXTEND_MS      = 60000, /* what a start may take until it is heard of again */
	EXTEND_STEP_MS = 1000,
};

/* A server's life as a process: what it is told (signals, a successor), and whom it tells. */
struct life {
	int                   argc;
	char                **argv;
	struct serve_settings settings;
	struct sockets        sockets; /* that were passed to this process */
	struct server        *server;
	struct notify        *notify;
	struct handover      *handover;
	int                   signals;
	bool                  reload_due; /* it was asked for during the start */
};

/* What ends a wait. */
enum call { CALL_NONE, CALL_STOP, CALL_RELOAD, CALL_SUCCESSOR };

static void print_help(void)
{
	struct serve_settings settings = {0};
	struct settings       sets[SERVE_SETTINGS_SETS];
	struct buffer         out = {0};
	serve_settings_of(&settings, sets);
	settings_help(sets, SERVE_SETTINGS_SETS, &out);
	printf("Usage: sonnim serve [FLAGS]\n\nRuns the server in the foreground until SIGTERM or "
	       "SIGINT; SIGHUP makes it read its settings anew.\n\n%.*s",
	       (int)out.length, out.data);
	buffer_done(&out);
}

/* Blocked in every thread; this one reads them. */
static int open_signals(void)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigaction(SIGPIPE, &ignore, NULL);
	int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	assert(fd >= 0);
	return fd;
}

/* Waits for a call, for so long at most. A successor waits itself until this server can be taken
 * over. */
static enum call wait_for_call(const struct life *life, bool may_be_taken_over, int timeout_ms)
{
	struct signalfd_siginfo info;
	struct pollfd           sources[] = {{life->signals, POLLIN, 0},
	                                     {handover_fd(life->handover), POLLIN, 0}};
	if (poll(sources, may_be_taken_over ? 2 : 1, timeout_ms) <= 0)
		return CALL_NONE;
	if (read(life->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP)
			return CALL_RELOAD;
		log_line(LOG_INFO, "stopping", LOG_NUMBER("signal", info.ssi_signo));
		return CALL_STOP;
	}
	return sources[1].revents != 0 ? CALL_SUCCESSOR : CALL_NONE;
}

static enum status write_address(const char *file, const char *address, struct error *err)
{
	char line[256];
	if (file == NULL)
		return STATUS_OK;
	int length = snprintf(line, sizeof line, "%s\n", address);
	return file_replace(file, 0644, line, (size_t)length, err);
}

static void show_first(const struct serve_settings *settings, const struct workspace_first *first)
{
	if (first->token[0] == '\0')
		return;
	if (settings->admin_token_file == NULL)
		printf("Admin token (shown once): %s\n", first->token);
	if (first->setup[0] != '\0' && settings->setup_token_file == NULL)
		printf("Setup token of the first person (shown once): %s\n", first->setup);
	printf("Write key of the source \"default\": %s\n", first->write_key);
	fflush(stdout);
}

static enum status accept_connections(struct life *life, struct error *err)
{
	enum status status = server_accept(life->server, err);
	if (status != STATUS_OK)
		return status;
	log_line(LOG_INFO, "listening", LOG_STRING("address", server_address(life->server)));
	return write_address(life->settings.address_file, server_address(life->server), err);
}

/* Connections wait in sockets that were passed on, but not for ever. STATUS_AGAIN: it is to
 * stop. */
static enum status wait_for_replay(struct life *life, struct error *err)
{
	int64_t     begin_ms = clock_monotonic_ms(), heard_ms = begin_ms;
	enum status status;
	notify_status(life->notify, "reading the journal");
	while ((status = server_replayed(life->server, err)) == STATUS_AGAIN) {
		int64_t now_ms = clock_monotonic_ms();
		if (!server_accepts(life->server) &&
		    now_ms - begin_ms >= life->settings.take_over_wait_ms &&
		    (status = accept_connections(life, err)) != STATUS_OK)
			return status;
		if (now_ms - heard_ms >= EXTEND_STEP_MS) {
			notify_extend(life->notify, EXTEND_MS);
			heard_ms = now_ms;
		}
		notify_alive(life->notify);
		enum call call = wait_for_call(life, false, REPLAY_POLL_MS);
		if (call == CALL_STOP)
			return STATUS_AGAIN;
		life->reload_due |= call == CALL_RELOAD;
	}
	return status;
}

/* STATUS_AGAIN: it is to stop. */
static enum status become_ready(struct life *life, struct error *err)
{
	struct workspace_first first;
	enum status            status;
	/* Passed sockets hold connections: they wait there rather than being answered 503. */
	if ((life->sockets.count == 0 && (status = accept_connections(life, err)) != STATUS_OK) ||
	    (status = wait_for_replay(life, err)) != STATUS_OK ||
	    (status = server_open(life->server, &first, err)) != STATUS_OK ||
	    (!server_accepts(life->server) && (status = accept_connections(life, err)) != STATUS_OK))
		return status;
	show_first(&life->settings, &first);
	log_line(LOG_INFO, "ready", LOG_STRING("address", server_address(life->server)));
	notify_ready(life->notify, "ready");
	return STATUS_OK;
}

/* True: a successor has the sockets. */
static bool hand_over(struct life *life)
{
	struct sockets sockets;
	server_sockets(life->server, &sockets);
	bool taken = handover_give(life->handover, &sockets);
	log_message(LOG_INFO, taken ? "stopping: a successor has the sockets"
	                            : "a successor asked and has not taken the sockets");
	return taken;
}

static void say_what_differs(void *context, const struct setting *setting)
{
	(void)context;
	if (setting->live)
		log_line(LOG_INFO, "a setting has changed", LOG_STRING("setting", setting->name));
	else
		log_line(LOG_WARNING, "a setting has changed that needs a restart",
		         LOG_STRING("setting", setting->name));
}

/* Everything is read and checked anew, before anything of it counts. */
static void reload(struct life *life)
{
	struct serve_settings fresh = {0};
	struct settings       before[SERVE_SETTINGS_SETS], after[SERVE_SETTINGS_SETS];
	struct error          err;
	life->reload_due = false;
	notify_reloading(life->notify);
	if (serve_settings_load(&fresh, life->argc, life->argv, &err) != STATUS_OK) {
		log_error("the settings stay as they are", &err);
	} else {
		serve_settings_of(&life->settings, before);
		serve_settings_of(&fresh, after);
		settings_compare(before, after, SERVE_SETTINGS_SETS, say_what_differs, NULL);
		settings_take_live(before, after, SERVE_SETTINGS_SETS);
		server_reload(life->server);
		log_message(LOG_INFO, "reloaded");
	}
	serve_settings_done(&fresh);
	notify_ready(life->notify, "ready");
}

/* Until it is told to stop; whether others go on with its sockets. */
static bool serve(struct life *life)
{
	for (;;) {
		enum call call = wait_for_call(life, true, MEMORY_POLL_MS);
		if (call == CALL_STOP)
			return life->sockets.count > 0; /* the supervisor has them still */
		if (call == CALL_SUCCESSOR && hand_over(life))
			return true;
		if (call == CALL_RELOAD || life->reload_due)
			reload(life);
		server_watch(life->server);
		notify_alive(life->notify);
	}
}

static enum status get_sockets(struct life *life, struct error *err)
{
	enum status status = sockets_of_supervisor(&life->sockets, err);
	if (status != STATUS_OK || !life->settings.take_over || life->sockets.count > 0)
		return status;
	status = handover_take(life->settings.data, life->settings.http.listen, &life->sockets, err);
	if (status == STATUS_NOT_FOUND) { /* the first one */
		log_message(LOG_INFO, "there is no server to take over from");
		return STATUS_OK;
	}
	if (status == STATUS_OK)
		log_message(LOG_INFO, "taken over: connections wait until this server is ready");
	return status;
}

static enum exit_code failed(const char *message, const struct error *err)
{
	log_error(message, err);
	return EXIT_REFUSED;
}

static enum exit_code run(struct life *life)
{
	struct error err;
	bool         outlived = false;
	enum status  status;
	if ((status = get_sockets(life, &err)) != STATUS_OK ||
	    (status = server_start(&life->settings, &life->sockets, &life->server, &err)) != STATUS_OK)
		return failed("the server could not start", &err);
	if ((status = handover_open(server_directory(life->server), &life->handover, &err)) ==
	    STATUS_OK)
		status = become_ready(life, &err);
	if (status == STATUS_OK)
		outlived = serve(life);
	notify_stopping(life->notify);
	if (life->handover != NULL)
		handover_shut(life->handover);
	server_stop(life->server, outlived);
	handover_close(life->handover);
	if (status != STATUS_OK && status != STATUS_AGAIN)
		return failed("the server could not start", &err);
	log_message(LOG_INFO, "stopped");
	return EXIT_DONE;
}

enum exit_code command_serve(int argc, char **argv)
{
	struct life  life = {.argc = argc, .argv = argv};
	struct error err;
	if (command_wants_help(argc, argv)) {
		print_help();
		return EXIT_DONE;
	}
	if (serve_settings_load(&life.settings, argc, argv, &err) != STATUS_OK) {
		serve_settings_done(&life.settings);
		return command_usage(argv[0], &err);
	}
	log_level_set(serve_settings_log_level(&life.settings));
	life.signals        = open_signals();
	life.notify         = notify_new();
	enum exit_code code = run(&life);
	notify_free(life.notify);
	close(life.signals);
	serve_settings_done(&life.settings);
	return code;
}
