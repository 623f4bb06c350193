#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/delivery.h"
#include "app/command/job_wait.h"
#include "app/simulate_shop.h"
#include "base/clock.h"
#include "base/instant.h"

enum { NAP_MS_MAX = 200, DRAW_EVERY_MS = 500 };

struct simulate_settings {
	struct delivery_settings delivery;
	int64_t                  seed;
	int64_t                  users;
	int64_t                  rate;
	int64_t                  duration_ms;
	int64_t                  speed;
	int64_t                  batch;
	char                    *start;
	bool                     dry_run;
};

#define SIMULATE struct simulate_settings
static const struct setting table[] = {
	SETTING_INT(SIMULATE, seed, "seed", "1", 0, INT64_MAX, "The same seed gives the same shoppers"),
	SETTING_INT(SIMULATE, users, "users", "1000", 1, 100000000, "Distinct shoppers"),
	SETTING_INT(SIMULATE, rate, "rate", "20", 1, 1000000, "Messages a second, on average"),
	SETTING_DURATION(SIMULATE, duration_ms, "duration", "0s", 0, INT64_C(36500) * 86400000,
                     "Simulated time; 0: until it is interrupted"),
	SETTING_INT(SIMULATE, speed, "speed", "1", 0, 100000,
                "How much faster than the clock simulated time goes; 0: as fast as possible"),
	SETTING_STRING(SIMULATE, start, "start", NULL,
                   "Simulated time of the begin, RFC 3339; by default now", "INSTANT"),
	SETTING_INT(SIMULATE, batch, "batch", "500", 1, 5000, "Messages in one request, at most"),
	SETTING_BOOL(SIMULATE, dry_run, "dry-run", "Print the messages instead of sending them"),
	DELIVERY_SETTINGS(SIMULATE),
};
#undef SIMULATE

struct simulation {
	struct simulate_settings settings;
	struct client            client;
	struct delivery          delivery;
	struct shop             *shop;
	int64_t                  start_ms;
	int64_t                  begin_ns; /* monotonic */
	int64_t                  drawn_ms;
	bool                     terminal;
	struct buffer            body;
	unsigned                 pending;
	uint64_t                 sent;
	uint64_t                 rejected;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = interrupt};
	sigemptyset(&action.sa_mask);
	interrupted = 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* ---- Messages ---- */

static void add_message(struct simulation *simulation)
{
	if (simulation->settings.dry_run) {
		buffer_clear(&simulation->body);
		shop_next(simulation->shop, &simulation->body);
		printf("%.*s\n", (int)simulation->body.length, simulation->body.data);
		simulation->sent++;
		return;
	}
	buffer_add_text(&simulation->body,
	                simulation->pending++ == 0 ? TEXT("{\"batch\":[") : TEXT(","));
	shop_next(simulation->shop, &simulation->body);
}

static enum delivery_outcome flush(struct simulation *simulation)
{
	if (simulation->pending == 0)
		return DELIVERED;
	buffer_add_text(&simulation->body, TEXT("]}"));
	enum delivery_outcome outcome =
		delivery_send(&simulation->delivery, buffer_text(&simulation->body));
	if (outcome == DELIVERED) {
		size_t rejected = json_count(json_get(simulation->client.answer, "rejected"));
		simulation->sent += simulation->pending - rejected;
		simulation->rejected += rejected;
	}
	simulation->pending = 0;
	buffer_clear(&simulation->body);
	return outcome;
}

/* ---- Time ---- */

static int64_t simulated_ms(const struct simulation *simulation)
{
	if (simulation->settings.speed == 0)
		return INT64_MAX;
	int64_t spent_ms = (clock_monotonic_ns() - simulation->begin_ns) / 1000000;
	return simulation->start_ms + spent_ms * simulation->settings.speed;
}

static void draw(struct simulation *simulation)
{
	char    number[JOB_NUMBER_BYTES];
	int64_t now_ms = clock_monotonic_ms();
	if (!simulation->terminal || now_ms - simulation->drawn_ms < DRAW_EVERY_MS)
		return;
	fprintf(stderr, "\r\033[K%s messages sent", job_number(simulation->sent, number));
	fflush(stderr);
	simulation->drawn_ms = now_ms;
}

/* Sends what is due, then waits for the next message. */
static enum delivery_outcome go_on(struct simulation *simulation, int64_t end_ms)
{
	int64_t next_ms;
	while ((next_ms = shop_next_ms(simulation->shop)) <= simulated_ms(simulation) &&
	       next_ms < end_ms && simulation->pending < (unsigned)simulation->settings.batch &&
	       !interrupted)
		add_message(simulation);

	enum delivery_outcome outcome = flush(simulation);
	draw(simulation);
	int64_t wait_ms = next_ms - simulated_ms(simulation);
	if (outcome == DELIVERED && next_ms < end_ms && wait_ms > 0) {
		wait_ms = wait_ms / simulation->settings.speed + 1;
		delivery_pause(&simulation->delivery, wait_ms < NAP_MS_MAX ? wait_ms : NAP_MS_MAX);
	}
	return outcome;
}

static enum delivery_outcome simulate(struct simulation *simulation)
{
	int64_t               end_ms  = simulation->settings.duration_ms == 0
	                                    ? INT64_MAX
	                                    : simulation->start_ms + simulation->settings.duration_ms;
	enum delivery_outcome outcome = DELIVERED;
	simulation->begin_ns          = clock_monotonic_ns();
	while (outcome == DELIVERED && !interrupted && shop_next_ms(simulation->shop) < end_ms)
		outcome = go_on(simulation, end_ms);
	if (simulation->terminal)
		fputs("\r\033[K", stderr);
	return outcome;
}

/* ---- The command ---- */

static void print_help(void)
{
	struct simulate_settings target = {0};
	struct settings          own    = {table, sizeof table / sizeof table[0], &target};
	printf("Usage: sonnim simulate [FLAGS]\n\n"
	       "Sends the made-up traffic of a shop to the running server: visits, searches, product "
	       "views,\n"
	       "carts, orders, refunds, and logins with traits; until Ctrl-C, or for --duration.\n"
	       "With the same --seed and --start it sends the same messages.\n\n"
	       "  sonnim simulate --token-file token --rate 100\n"
	       "  sonnim simulate --token-file token --start 2026-01-01 --duration 30d --speed 0\n\n"
	       "Exit codes: 0 done, 1 messages were rejected, 2 wrong usage, 3 no server.\n\n");
	client_print_flags(&own);
}

static void print_summary(const struct simulation *simulation)
{
	char number[JOB_NUMBER_BYTES], bad[JOB_NUMBER_BYTES];
	if (simulation->client.settings.json)
		printf("{\"sent\":%llu,\"rejected\":%llu,\"retries\":%llu}\n",
		       (unsigned long long)simulation->sent, (unsigned long long)simulation->rejected,
		       (unsigned long long)simulation->delivery.retries);
	else
		printf("%s messages sent, %s rejected\n", job_number(simulation->sent, number),
		       job_number(simulation->rejected, bad));
}

static enum exit_code check(struct simulation *simulation, int argc, char **argv)
{
	const struct simulate_settings *settings = &simulation->settings;
	if (argc > 1)
		return command_usage_text("simulate", "\"%s\" is no flag", argv[1]);
	simulation->start_ms = clock_wall_ms();
	if (settings->start != NULL && !instant_parse(text_of(settings->start), &simulation->start_ms))
		return command_usage_text("simulate", "--start: \"%s\" is no instant", settings->start);
	if (settings->speed == 0 && settings->duration_ms == 0)
		return command_usage_text("simulate", "--speed 0 needs a --duration");
	if (settings->dry_run)
		return EXIT_DONE;
	return delivery_open(&simulation->delivery, &simulation->client, &settings->delivery,
	                     "simulate");
}

static enum exit_code run(struct simulation *simulation)
{
	struct shop_config config = {
		.seed     = (uint64_t)simulation->settings.seed,
		.users    = (unsigned)simulation->settings.users,
		.rate     = (double)simulation->settings.rate,
		.start_ms = simulation->start_ms,
	};
	catch_signals();
	simulation->delivery.stop     = &interrupted;
	simulation->terminal          = !simulation->settings.dry_run && isatty(STDERR_FILENO) == 1;
	simulation->shop              = shop_new(&config);
	enum delivery_outcome outcome = simulate(simulation);
	shop_free(simulation->shop);
	if (!simulation->settings.dry_run)
		print_summary(simulation);
	if (outcome == DELIVERY_UNREACHABLE)
		return EXIT_UNREACHABLE;
	bool refused = outcome == DELIVERY_REFUSED || outcome == DELIVERY_TOO_LARGE;
	return refused || simulation->rejected > 0 ? EXIT_REFUSED : EXIT_DONE;
}

enum exit_code command_simulate(int argc, char **argv)
{
	if (command_wants_help(argc, argv)) {
		print_help();
		return EXIT_DONE;
	}
	struct simulation simulation = {0};
	struct settings   own        = {table, sizeof table / sizeof table[0], &simulation.settings};
	enum exit_code    code       = client_open(&simulation.client, &own, &argc, argv);
	if (code == EXIT_DONE)
		code = check(&simulation, argc, argv);
	if (code == EXIT_DONE)
		code = run(&simulation);
	buffer_done(&simulation.body);
	client_close(&simulation.client, &own);
	return code;
}
