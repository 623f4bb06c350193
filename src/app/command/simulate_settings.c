#include "app/command/simulate_settings.h"

#include <stdio.h>
#include <string.h>

#include "base/instant.h"

#define YEAR_MS (365 * DAY_MS)

#define SIMULATE struct simulate_settings
static const struct setting table[] = {
	SETTING_STRING(SIMULATE, shape, "shape", "shop",
                   "What is simulated: shop (orders) or travel (bookings)", "SHAPE"),
	SETTING_STRING(SIMULATE, scenario, "scenario", "traffic",
                   "traffic, dashboard, funnel, ltv or time-travel: see above", "SCENARIO"),
	SETTING_INT(SIMULATE, seed, "seed", "1", 0, INT64_MAX, "The same seed gives the same people"),
	SETTING_INT(SIMULATE, users, "users", "1000", 1, 100000000, "Distinct people"),
	SETTING_INT(SIMULATE, rate, "rate", "20", 1, 1000000,
                "Messages a second of simulated time, on average over a year"),
	SETTING_INT(SIMULATE, limit, "limit", "0", 0, 10000000,
                "Messages a second that are sent at most; 0: no limit"),
	SETTING_STRING(SIMULATE, start, "start", NULL,
                   "Simulated time of the begin, RFC 3339; by default now", "INSTANT"),
	SETTING_STRING(SIMULATE, end, "end", NULL, "Simulated time of the end, RFC 3339", "INSTANT"),
	SETTING_DURATION(SIMULATE, duration_ms, "duration", "0s", 0, INT64_C(36500) * DAY_MS,
                     "Simulated time in all, instead of --end; 0: until it is interrupted"),
	SETTING_BOOL(SIMULATE, live, "live",
                 "From --start to --end, or to now, as fast as possible, then on with the clock"),
	SETTING_INT(SIMULATE, speed, "speed", "1", 0, 100000,
                "How much faster than the clock simulated time goes; 0: as fast as possible"),
	SETTING_STRING(SIMULATE, zone, "zone", "Asia/Seoul",
                   "Time zone of the daily rhythm and of dates", "ZONE"),
	SETTING_BOOL(SIMULATE, flat, "flat", "Without rhythm, seasons and campaigns"),
	SETTING_BOOL(SIMULATE, profiles, "profiles", "First an identify of every user, with traits"),
	SETTING_INT(SIMULATE, late_per_mille, "late-per-mille", "10", 0, 1000,
                "Of a thousand visits so many arrive late, by minutes up to two days"),
	SETTING_INT(SIMULATE, duplicate_per_mille, "duplicates-per-mille", "5", 0, 900,
                "Of a thousand messages so many are sent twice"),
	SETTING_INT(SIMULATE, activity, "activity", "1", 1, 1000000000,
                "The activity_id of dashboard and funnel"),
	SETTING_BOOL(SIMULATE, move_clock, "move-clock",
                 "Moves the clock of a server under --clock=manual along; needs a token"),
	SETTING_INT(SIMULATE, batch, "batch", "500", 1, 5000, "Messages in one request, at most"),
	SETTING_BOOL(SIMULATE, dry_run, "dry-run", "Print the messages instead of sending them"),
	DELIVERY_SETTINGS(SIMULATE),
};
#undef SIMULATE

struct settings simulate_settings_of(struct simulate_settings *target)
{
	return (struct settings){table, sizeof table / sizeof table[0], target};
}

/* ---- The plan ---- */

/* What a scenario is, and what holds where the flags say nothing. */
struct scenario {
	const char       *name;
	enum sim_scenario scenario;
	int64_t           duration_ms; /* 0: as --duration and --end say, else no end */
	unsigned          arrive_part; /* everybody comes within the first of so many parts of it */
	bool              move_clock;
};
static const struct scenario scenarios[] = {
	{"traffic", SIM_TRAFFIC, 0, 1, false},
	{"dashboard", SIM_DASHBOARD, 2 * 60 * MINUTE_MS, 2, false},
	{"funnel", SIM_FUNNEL, 2 * 60 * MINUTE_MS, 2, false},
	{"ltv", SIM_LTV, YEAR_MS, 12, false},
	{"time-travel", SIM_TRAFFIC, 30 * DAY_MS, 1, true},
};

static const struct scenario *find_scenario(const char *name)
{
	for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	return NULL;
}

static bool read_shape(const char *name, enum sim_shape *ret_shape)
{
	*ret_shape = strcmp(name, "travel") == 0 ? SIM_TRAVEL : SIM_SHOP;
	return *ret_shape == SIM_TRAVEL || strcmp(name, "shop") == 0;
}

/* Why these do not go together; NULL: they do. */
static const char *conflict(const struct simulate_settings *settings,
                            const struct scenario          *scenario)
{
	bool endless =
		settings->end == NULL && settings->duration_ms == 0 && scenario->duration_ms == 0;
	if (settings->end != NULL && settings->duration_ms > 0)
		return "--end and --duration say the same; give one";
	if (settings->live && (strcmp(scenario->name, "traffic") != 0 || settings->dry_run))
		return "--live is for --scenario traffic, and not for --dry-run";
	if (settings->live && settings->speed != 1)
		return "--live goes with the clock: leave --speed out";
	if (settings->live && settings->move_clock)
		return "--live and --move-clock exclude each other";
	if (settings->speed == 0 && endless && !settings->live)
		return "--speed 0 needs an --end or a --duration";
	return NULL;
}

static enum exit_code read_times(struct simulate_plan           *plan,
                                 const struct simulate_settings *settings,
                                 const struct scenario *scenario, int64_t now_ms)
{
	int64_t duration_ms = settings->duration_ms > 0 ? settings->duration_ms : scenario->duration_ms;
	int64_t *start_ms   = &plan->traffic.start_ms;
	plan->end_ms        = INSTANT_MS_NEVER;
	if (settings->start != NULL && !instant_parse(text_of(settings->start), start_ms))
		return command_usage_text("simulate", "--start: \"%s\" is no instant", settings->start);
	if (settings->end != NULL && !instant_parse(text_of(settings->end), &plan->end_ms))
		return command_usage_text("simulate", "--end: \"%s\" is no instant", settings->end);
	/* The other scenarios are about what was: they end now. */
	if (settings->start == NULL)
		*start_ms = scenario->duration_ms == 0 ? now_ms
		            : settings->end != NULL    ? plan->end_ms - duration_ms
		                                       : now_ms - duration_ms;
	if (settings->end == NULL && duration_ms > 0)
		plan->end_ms = *start_ms + duration_ms;
	if (plan->end_ms <= *start_ms)
		return command_usage_text("simulate", "the end lies before the start");
	if (*start_ms < INSTANT_MS_MIN + YEAR_MS ||
	    (plan->end_ms != INSTANT_MS_NEVER && plan->end_ms > INSTANT_MS_MAX - YEAR_MS))
		return command_usage_text("simulate", "--start and --end lie in the years 2 to 9998");
	return EXIT_DONE;
}

enum exit_code simulate_plan_open(struct simulate_plan           *plan,
                                  const struct simulate_settings *settings, int64_t now_ms)
{
	struct error           err;
	const struct scenario *scenario = find_scenario(settings->scenario);
	struct sim_config     *traffic  = &plan->traffic;

	if (!read_shape(settings->shape, &traffic->shape))
		return command_usage_text("simulate", "--shape: \"%s\" is none of shop, travel",
		                          settings->shape);
	if (scenario == NULL)
		return command_usage_text("simulate",
		                          "--scenario: \"%s\" is none of traffic, dashboard, funnel, ltv, "
		                          "time-travel",
		                          settings->scenario);
	const char *why = conflict(settings, scenario);
	if (why != NULL)
		return command_usage_text("simulate", "%s", why);
	enum exit_code code = read_times(plan, settings, scenario, now_ms);
	if (code != EXIT_DONE)
		return code;
	if (zone_open(text_of(settings->zone), &plan->zone, &err) != STATUS_OK)
		return command_usage_text("simulate", "--zone: %s", err.reason);

	plan->live                   = settings->live;
	plan->move_clock             = settings->move_clock || scenario->move_clock;
	plan->speed                  = scenario->duration_ms > 0 ? 0 : settings->speed;
	traffic->scenario            = scenario->scenario;
	traffic->seed                = (uint64_t)settings->seed;
	traffic->users               = (unsigned)settings->users;
	traffic->rate                = (unsigned)settings->rate;
	traffic->zone                = plan->zone;
	traffic->flat                = settings->flat;
	traffic->profiles            = settings->profiles;
	traffic->late_per_mille      = (unsigned)settings->late_per_mille;
	traffic->duplicate_per_mille = (unsigned)settings->duplicate_per_mille;
	traffic->activity            = (unsigned)settings->activity;
	if (plan->end_ms != INSTANT_MS_NEVER)
		traffic->length_ms = (plan->end_ms - traffic->start_ms) / scenario->arrive_part + 1;
	return EXIT_DONE;
}

void simulate_plan_close(struct simulate_plan *plan) { zone_close(plan->zone); }

/* ---- Help ---- */

void simulate_print_help(void)
{
	struct simulate_settings target = {0};
	struct settings          own    = simulate_settings_of(&target);
	fputs(
		"Usage: sonnim simulate [FLAGS]\n\n"
		"Sends the made-up traffic of a shop, or of a travel agency, to the running server: "
		"people\n"
		"with traits who come by day and season, look, search, fill carts, log in, buy, change\n"
		"their minds and send back; late and repeated messages among them. The same flags give\n"
		"the same messages. docs/simulate.md says what is in them.\n\n"
		"Scenarios:\n"
		"  traffic      visitors until Ctrl-C, or until --end or --duration\n"
		"  dashboard    --users visitors of an activity within the last two hours: each sees it,\n"
		"               some click, enter and buy\n"
		"  funnel       the same, and everybody goes all the way\n"
		"  ltv          --users first purchases within a month, a year ago, and the repurchases\n"
		"               since\n"
		"  time-travel  a month of traffic, with the clock of the server (--clock=manual) moved\n"
		"               along\n"
		"All but traffic go as fast as possible. Their --start, --end and --duration may be "
		"given.\n\n"
		"  sonnim simulate --token-file token --rate 100\n"
		"  sonnim simulate --token-file token --shape travel --start 2026-01-01 --live\n"
		"  sonnim simulate --token-file token --scenario funnel --activity 7 --users 100\n"
		"  sonnim simulate --dry-run --start 2026-01-01 --duration 30d --speed 0 > events.jsonl\n\n"
		"Exit codes: 0 done, 1 messages were rejected, 2 wrong usage, 3 no server.\n\n",
		stdout);
	client_print_flags(&own);
}
