#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command/progress.h"
#include "app/command/simulate_settings.h"
#include "base/clock.h"
#include "base/instant.h"

enum {
	NAP_MS_MAX     = 200,
	DRAW_EVERY_MS  = 500,
	CLOCK_STEP_MS  = 60000, /* with --move-clock: a batch covers no more */
	MESSAGE_BYTES  = 32 << 10,
	BODY_BYTES_MAX = (4 << 20) - MESSAGE_BYTES - 64, /* the server takes 4 MB */
};

struct simulation {
	struct simulate_settings settings;
	struct simulate_plan     plan;
	struct client            client;
	struct delivery          delivery;
	struct sim_traffic      *traffic;
	int64_t                  begin_ns; /* monotonic */
	int64_t                  drawn_ms;
	int64_t                  last_ms; /* simulated: of the last message made */
	bool                     terminal;
	struct buffer            body;
	unsigned                 pending;
	uint64_t                 made;
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
	struct buffer *body = &simulation->body;
	simulation->last_ms = sim_traffic_next_ms(simulation->traffic);
	simulation->made++;
	if (simulation->settings.dry_run) {
		buffer_clear(body);
		sim_traffic_next(simulation->traffic, body);
		buffer_add_u8(body, '\n');
		fwrite(body->data, 1, body->length, stdout);
		return;
	}
	buffer_add_text(body, simulation->pending++ == 0 ? TEXT("{\"batch\":[") : TEXT(","));
	sim_traffic_next(simulation->traffic, body);
}

/* Under a manual clock nothing is stamped, and no window ends, unless it is moved. */
static enum delivery_outcome move_clock(struct simulation *simulation, int64_t to_ms)
{
	char body[64];
	snprintf(body, sizeof body, "{\"now\":%lld}", (long long)to_ms);
	switch (client_send(&simulation->client, "POST", "/api/v1/clock", text_of(body))) {
	case EXIT_DONE:
		return DELIVERED;
	case EXIT_UNREACHABLE:
		return DELIVERY_UNREACHABLE;
	default:
		return DELIVERY_REFUSED;
	}
}

static enum delivery_outcome flush(struct simulation *simulation)
{
	enum delivery_outcome outcome = DELIVERED;
	if (simulation->pending == 0)
		return DELIVERED;
	if (simulation->plan.move_clock)
		outcome = move_clock(simulation, simulation->last_ms);
	buffer_add_text(&simulation->body, TEXT("]}"));
	if (outcome == DELIVERED)
		outcome = delivery_send(&simulation->delivery, buffer_text(&simulation->body));
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

static int64_t spent_ms(const struct simulation *simulation)
{
	return (clock_monotonic_ns() - simulation->begin_ns) / 1000000;
}

/* How far simulated time has come. */
static int64_t simulated_ms(const struct simulation *simulation)
{
	const struct simulate_plan *plan = &simulation->plan;
	if (plan->live)
		return clock_wall_ms();
	if (plan->speed == 0)
		return INSTANT_MS_NEVER - 1;
	return plan->traffic.start_ms + spent_ms(simulation) * plan->speed;
}

/* How many messages --limit lets through now: on average over all the time since the begin. */
static uint64_t allowance(const struct simulation *simulation)
{
	uint64_t limit = (uint64_t)simulation->settings.limit;
	if (limit == 0)
		return UINT64_MAX;
	uint64_t due = limit * (uint64_t)spent_ms(simulation) / 1000 + 1;
	return due > simulation->made ? due - simulation->made : 0;
}

static void draw(struct simulation *simulation)
{
	char    number[PROGRESS_NUMBER_BYTES], at[INSTANT_TEXT_BYTES];
	int64_t now_ms = clock_monotonic_ms();
	if (!simulation->terminal || now_ms - simulation->drawn_ms < DRAW_EVERY_MS)
		return;
	instant_format(simulation->last_ms / 1000 * 1000, at);
	fprintf(stderr, "\r\033[K%s messages sent, at %s", progress_number(simulation->sent, number),
	        at);
	fflush(stderr);
	simulation->drawn_ms = now_ms;
}

static void nap(struct simulation *simulation, int64_t wait_ms)
{
	delivery_pause(&simulation->delivery, wait_ms < NAP_MS_MAX ? wait_ms : NAP_MS_MAX);
}

/* Whether the next message goes with those that are pending. */
static bool fits(const struct simulation *simulation, int64_t next_ms, int64_t first_ms)
{
	return simulation->pending < (unsigned)simulation->settings.batch &&
	       simulation->body.length < BODY_BYTES_MAX &&
	       (!simulation->plan.move_clock || next_ms - first_ms <= CLOCK_STEP_MS);
}

/* Sends what is due, then waits for the next message. */
static enum delivery_outcome go_on(struct simulation *simulation, int64_t end_ms)
{
	uint64_t allowed  = allowance(simulation);
	int64_t  first_ms = sim_traffic_next_ms(simulation->traffic), next_ms;
	while ((next_ms = sim_traffic_next_ms(simulation->traffic)) <= simulated_ms(simulation) &&
	       next_ms < end_ms && fits(simulation, next_ms, first_ms) && allowed > 0 && !interrupted) {
		add_message(simulation);
		allowed--;
	}
	enum delivery_outcome outcome = flush(simulation);
	draw(simulation);
	if (outcome != DELIVERED || next_ms >= end_ms)
		return outcome;

	int64_t speed   = simulation->plan.speed > 0 ? simulation->plan.speed : 1;
	int64_t wait_ms = next_ms - simulated_ms(simulation);
	if (wait_ms > 0)
		nap(simulation, wait_ms / speed + 1);
	else if (allowed == 0)
		nap(simulation, 1 + 1000 / simulation->settings.limit);
	return outcome;
}

static enum delivery_outcome go_through(struct simulation *simulation)
{
	enum delivery_outcome outcome = DELIVERED;
	int64_t               end_ms  = simulation->plan.end_ms;
	simulation->traffic           = sim_traffic_new(&simulation->plan.traffic);
	while (outcome == DELIVERED && !interrupted &&
	       sim_traffic_next_ms(simulation->traffic) < end_ms)
		outcome = go_on(simulation, end_ms);
	sim_traffic_free(simulation->traffic);
	if (outcome == DELIVERED && !interrupted && simulation->plan.move_clock &&
	    end_ms != INSTANT_MS_NEVER)
		outcome = move_clock(simulation, end_ms);
	return outcome;
}

static enum delivery_outcome simulate(struct simulation *simulation)
{
	simulation->begin_ns          = clock_monotonic_ns();
	enum delivery_outcome outcome = go_through(simulation);
	if (outcome == DELIVERED && !interrupted && simulation->plan.live) {
		int64_t now_ms                    = clock_wall_ms();
		int64_t end_ms                    = simulation->plan.end_ms;
		simulation->plan.traffic.start_ms = end_ms > now_ms ? end_ms : now_ms;
		simulation->plan.end_ms           = INSTANT_MS_NEVER;
		outcome                           = go_through(simulation);
	}
	if (simulation->terminal)
		fputs("\r\033[K", stderr);
	return outcome;
}

/* ---- The command ---- */

static void print_summary(const struct simulation *simulation)
{
	char     number[PROGRESS_NUMBER_BYTES], bad[PROGRESS_NUMBER_BYTES], rate[PROGRESS_NUMBER_BYTES];
	int64_t  ms       = spent_ms(simulation);
	uint64_t a_second = simulation->sent * 1000 / (uint64_t)(ms > 0 ? ms : 1);
	if (simulation->client.settings.json)
		printf("{\"sent\":%llu,\"rejected\":%llu,\"retries\":%llu,\"took_ms\":%lld}\n",
		       (unsigned long long)simulation->sent, (unsigned long long)simulation->rejected,
		       (unsigned long long)simulation->delivery.retries, (long long)ms);
	else
		printf("%s messages sent, %s rejected, %s/s\n", progress_number(simulation->sent, number),
		       progress_number(simulation->rejected, bad), progress_number(a_second, rate));
}

static enum exit_code check(struct simulation *simulation, int argc, char **argv)
{
	struct simulate_plan *plan = &simulation->plan;
	if (argc > 1)
		return command_usage_text("simulate", "\"%s\" is no flag", argv[1]);
	enum exit_code code = simulate_plan_open(plan, &simulation->settings, clock_wall_ms());
	if (code != EXIT_DONE)
		return code;
	if (simulation->settings.dry_run) {
		plan->move_clock = false;
		return EXIT_DONE;
	}
	if (plan->move_clock && simulation->client.authorization[0] == '\0')
		return command_usage_text("simulate", "moving the clock needs a token");
	return delivery_open(&simulation->delivery, &simulation->client, &simulation->settings.delivery,
	                     "simulate");
}

static enum exit_code run(struct simulation *simulation)
{
	catch_signals();
	simulation->delivery.stop     = &interrupted;
	simulation->terminal          = !simulation->settings.dry_run && isatty(STDERR_FILENO) == 1;
	enum delivery_outcome outcome = simulate(simulation);
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
		simulate_print_help();
		return EXIT_DONE;
	}
	struct simulation simulation = {0};
	struct settings   own        = simulate_settings_of(&simulation.settings);
	enum exit_code    code       = client_open(&simulation.client, &own, &argc, argv);
	if (code == EXIT_DONE)
		code = check(&simulation, argc, argv);
	if (code == EXIT_DONE)
		code = run(&simulation);
	buffer_done(&simulation.body);
	simulate_plan_close(&simulation.plan);
	client_close(&simulation.client, &own);
	return code;
}
