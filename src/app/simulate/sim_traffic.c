#include "app/simulate/sim_traffic.h"

#include <assert.h>
#include <stdlib.h>

#include "app/simulate/sim_message.h"
#include "app/simulate/sim_purchase.h"
#include "app/simulate/sim_queue.h"
#include "base/instant.h"

#define SECOND_MS    INT64_C(1000)
#define WARM_UP_MS   (10 * MINUTE_MS) /* longer than most visits are */
#define LATE_MS_MEAN (20 * MINUTE_MS)
#define LATE_MS_MAX  (2 * DAY_MS)
#define LTV_AGAIN_MS (45 * DAY_MS) /* from one purchase to the next, on average */

enum {
	STEP_MS_MIN     = 3000,
	STEP_MS_MEAN    = 15000, /* on top */
	REPEAT_MS_MAX   = 60000,
	KNOWN_PER_MILLE = 600, /* of the visits of those who logged in once */
	LTV_AGAIN       = 550, /* per mille: whoever bought buys once more */

	CAMPAIGN_PER_MILLE = 350,

	WARM_UP_MESSAGES_MAX = 500000, /* made and thrown away: a second's work */

	/* Messages a visit brings on average, in thousandths: measured, a test holds them true. */
	VISIT_MESSAGES_SHOP   = 4300,
	VISIT_MESSAGES_TRAVEL = 4340,
};

enum kind { ARRIVAL, VISIT, PURCHASE, REPEAT, PROFILE };

/* What a queue entry points at begins with its kind. */
struct visit_entry {
	enum kind        kind;
	struct sim_visit visit;
};
struct purchase_entry {
	enum kind           kind;
	struct sim_purchase purchase;
};
struct repeat_entry {
	enum kind kind;
	size_t    length;
	char      message[];
};

struct sim_traffic {
	struct sim_config config;
	struct sim_world  world;
	struct sim_queue  queue;
	enum kind         arrival; /* the one entry of this kind */
	enum kind         profile; /* likewise */
	int64_t           arrival_base_ms;
	int64_t           arrival_ns; /* since then, of the last one: many fit a millisecond */
	unsigned          arrival_count;
	unsigned          profile_count;
	unsigned          visit_count;
	size_t            purchases_pending;
	uint8_t          *logged_in; /* a bit a user: did once */
};

static void *allocate(size_t size)
{
	void *memory = calloc(1, size);
	if (memory == NULL)
		abort();
	return memory;
}

static bool has_logged_in(const struct sim_traffic *traffic, unsigned user)
{
	return traffic->logged_in[user / 8] >> user % 8 & 1;
}

/* ---- Arrivals ---- */

/* Candidates come at the highest rate there may be; as many stay as the calendar wants. */
static void queue_thinned(struct sim_traffic *traffic)
{
	struct sim_chance         *chance   = &traffic->world.chance;
	const struct sim_calendar *calendar = &traffic->world.calendar;
	uint64_t                   messages =
        traffic->config.shape == SIM_SHOP ? VISIT_MESSAGES_SHOP : VISIT_MESSAGES_TRAVEL;
	unsigned weight_max = sim_calendar_weight_max(calendar);
	/* Nanoseconds: a visit brings messages / 1000, and weight_max / SIM_WEIGHT_ONE come at most. */
	int64_t mean_ns = (int64_t)(UINT64_C(1000000) * messages * SIM_WEIGHT_ONE / weight_max /
	                            traffic->config.rate);
	do
		traffic->arrival_ns += sim_exponential(chance, mean_ns);
	while (sim_below(chance, weight_max) >=
	       sim_calendar_weight(calendar, traffic->arrival_base_ms + traffic->arrival_ns / 1000000));
	sim_queue_add(&traffic->queue, traffic->arrival_base_ms + traffic->arrival_ns / 1000000,
	              &traffic->arrival);
}

/* Everybody once, in turn: one in each part of the time. */
static void queue_in_turn(struct sim_traffic *traffic)
{
	const struct sim_config *config = &traffic->config;
	if (traffic->arrival_count == config->users)
		return;
	unsigned __int128 length_ms = (unsigned __int128)config->length_ms;
	unsigned          turn      = traffic->arrival_count;
	int64_t           begin_ms  = (int64_t)(length_ms * turn / config->users);
	int64_t           end_ms    = (int64_t)(length_ms * (turn + 1) / config->users);
	int64_t within = (int64_t)sim_below(&traffic->world.chance, (uint64_t)(end_ms - begin_ms + 1));
	sim_queue_add(&traffic->queue, config->start_ms + begin_ms + within, &traffic->arrival);
}

static void queue_arrival(struct sim_traffic *traffic)
{
	if (traffic->config.scenario == SIM_TRAFFIC)
		queue_thinned(traffic);
	else
		queue_in_turn(traffic);
}

static void queue_visit(struct sim_traffic *traffic, unsigned user, unsigned purchase_count,
                        int64_t at_ms)
{
	struct visit_entry *entry  = allocate(sizeof *entry);
	struct sim_visit   *visit  = &entry->visit;
	struct sim_chance  *chance = &traffic->world.chance;
	struct sim_person   person;
	bool                known = has_logged_in(traffic, user);
	if (!known)
		sim_person(&traffic->world.population, user, &person);

	entry->kind = VISIT;
	*visit      = (struct sim_visit){
			 .user           = user,
			 .number         = traffic->visit_count++,
			 .member         = known || person.member,
			 .known          = known && sim_happens(chance, KNOWN_PER_MILLE),
			 .step           = SIM_HOME,
			 .wanted         = SIM_LEAVE,
			 .item           = sim_catalogue_draw(chance),
			 .purchase_count = purchase_count,
    };
	if (sim_happens(chance, traffic->config.late_per_mille)) {
		int64_t late_ms = MINUTE_MS + sim_exponential(chance, LATE_MS_MEAN);
		int64_t most_ms = at_ms - traffic->config.start_ms;
		most_ms         = most_ms < LATE_MS_MAX ? most_ms : LATE_MS_MAX;
		visit->late_ms  = late_ms < most_ms ? late_ms : most_ms > 0 ? most_ms : 0;
	}
	if (traffic->config.scenario == SIM_TRAFFIC && sim_happens(chance, CAMPAIGN_PER_MILLE))
		visit->has_campaign = sim_calendar_campaign(&traffic->world.calendar,
		                                            at_ms - visit->late_ms, &visit->campaign);
	if (visit->has_campaign)
		visit->step = SIM_PROMOTION;
	sim_queue_add(&traffic->queue, at_ms, entry);
}

/* The lesser of two draws: the first quarter of the users makes nearly half of the visits. */
static unsigned draw_user(struct sim_traffic *traffic)
{
	if (traffic->config.scenario != SIM_TRAFFIC)
		return traffic->arrival_count;
	uint64_t a = sim_below(&traffic->world.chance, traffic->config.users);
	uint64_t b = sim_below(&traffic->world.chance, traffic->config.users);
	return (unsigned)(a < b ? a : b);
}

/* Arrivals make no message: they are let in until a message comes next. */
static void let_in(struct sim_traffic *traffic)
{
	while (traffic->queue.heap.count > 0 &&
	       traffic->queue.heap.items[0].what == &traffic->arrival) {
		struct sim_entry arrival = sim_queue_take(&traffic->queue);
		queue_visit(traffic, draw_user(traffic), 0, arrival.at_ms);
		traffic->arrival_count++;
		queue_arrival(traffic);
	}
}

/* ---- What happens ---- */

static void queue_purchase(struct sim_traffic *traffic, const struct sim_purchase *purchase,
                           int64_t at_ms)
{
	struct purchase_entry *entry = allocate(sizeof *entry);
	*entry                       = (struct purchase_entry){PURCHASE, *purchase};
	traffic->purchases_pending++;
	sim_queue_add(&traffic->queue, at_ms, entry);
}

static void order(struct sim_traffic *traffic, struct json_writer *w, struct sim_visit *visit,
                  int64_t now_ms)
{
	struct sim_purchase purchase;
	int64_t             at_ms;
	sim_purchase_make(&traffic->world, w, visit, now_ms - visit->late_ms, &purchase);
	visit->purchase_count++;
	if (now_ms >= traffic->config.start_ms &&
	    traffic->purchases_pending < SIM_PURCHASES_PENDING_MAX &&
	    sim_purchase_go_on(&traffic->world, &purchase, now_ms, &at_ms))
		queue_purchase(traffic, &purchase, at_ms);

	struct sim_chance *chance = &traffic->world.chance;
	if (traffic->config.scenario == SIM_LTV && sim_happens(chance, LTV_AGAIN)) {
		at_ms = now_ms + DAY_MS + sim_exponential(chance, LTV_AGAIN_MS);
		queue_visit(traffic, visit->user, visit->purchase_count, at_ms);
	}
}

static void visit_happens(struct sim_traffic *traffic, struct json_writer *w,
                          struct visit_entry *entry, int64_t now_ms)
{
	struct sim_visit  *visit  = &entry->visit;
	struct sim_chance *chance = &traffic->world.chance;
	if (visit->step == SIM_ORDER)
		order(traffic, w, visit, now_ms);
	else
		sim_write_step(&traffic->world, w, visit, now_ms - visit->late_ms);
	if (visit->step == SIM_LOGIN)
		traffic->logged_in[visit->user / 8] |= (uint8_t)(1U << visit->user % 8);

	if (!sim_visit_go_on(visit, traffic->config.scenario, chance)) {
		free(entry);
		return;
	}
	int64_t pause_ms = STEP_MS_MIN + sim_exponential(chance, STEP_MS_MEAN);
	sim_queue_add(&traffic->queue, now_ms + pause_ms, entry);
}

static void purchase_happens(struct sim_traffic *traffic, struct json_writer *w,
                             struct purchase_entry *entry, int64_t now_ms)
{
	int64_t at_ms;
	sim_purchase_write(&traffic->world, w, &entry->purchase, now_ms);
	if (sim_purchase_go_on(&traffic->world, &entry->purchase, now_ms, &at_ms)) {
		sim_queue_add(&traffic->queue, at_ms, entry);
		return;
	}
	traffic->purchases_pending--;
	free(entry);
}

/* Everybody's traits before anybody comes. */
static void profile_happens(struct sim_traffic *traffic, struct json_writer *w, int64_t now_ms)
{
	unsigned user = traffic->profile_count++;
	sim_write_profile(&traffic->world, w, user, now_ms);
	traffic->logged_in[user / 8] |= (uint8_t)(1U << user % 8);
	if (traffic->profile_count < traffic->config.users)
		sim_queue_add(&traffic->queue, now_ms, &traffic->profile);
}

static void maybe_repeat(struct sim_traffic *traffic, struct text message, int64_t now_ms)
{
	struct sim_chance *chance = &traffic->world.chance;
	if (now_ms < traffic->config.start_ms ||
	    !sim_happens(chance, traffic->config.duplicate_per_mille))
		return;
	struct repeat_entry *entry = allocate(sizeof *entry + message.length);
	entry->kind                = REPEAT;
	entry->length              = message.length;
	memcpy(entry->message, message.data, message.length);
	sim_queue_add(&traffic->queue, now_ms + SECOND_MS + (int64_t)sim_below(chance, REPEAT_MS_MAX),
	              entry);
}

int64_t sim_traffic_next_ms(const struct sim_traffic *traffic)
{
	return traffic->queue.heap.count == 0 ? INSTANT_MS_NEVER : traffic->queue.heap.items[0].at_ms;
}

void sim_traffic_next(struct sim_traffic *traffic, struct buffer *out)
{
	struct sim_entry   entry = sim_queue_take(&traffic->queue);
	enum kind          kind  = *(enum kind *)entry.what;
	size_t             begin = out->length;
	struct json_writer w     = json_writer_of(out);
	switch (kind) {
	case VISIT:
		visit_happens(traffic, &w, entry.what, entry.at_ms);
		break;
	case PURCHASE:
		purchase_happens(traffic, &w, entry.what, entry.at_ms);
		break;
	case PROFILE:
		profile_happens(traffic, &w, entry.at_ms);
		break;
	case REPEAT: {
		struct repeat_entry *repeat = entry.what;
		buffer_add(out, repeat->message, repeat->length);
		free(repeat);
		break;
	}
	case ARRIVAL:
		assert(false); /* let in before */
	}
	if (kind != REPEAT)
		maybe_repeat(traffic, (struct text){out->data + begin, out->length - begin}, entry.at_ms);
	let_in(traffic);
}

/* ---- Begin and end ---- */

static void world_init(struct sim_world *world, const struct sim_config *config)
{
	world->seed       = config->seed;
	world->start_ms   = config->start_ms;
	world->shape      = config->shape;
	world->scenario   = config->scenario;
	world->activity   = config->activity;
	world->population = (struct sim_population){config->seed, config->users, config->start_ms};
	world->calendar =
		(struct sim_calendar){config->zone, config->shape, config->seed, config->flat};
	world->chance.state = sim_hash(config->seed, (uint64_t)config->start_ms, config->scenario);
	world->tag          = (uint32_t)sim_hash(config->seed, (uint64_t)config->start_ms,
	                                         (unsigned)config->shape << 8 | config->scenario);
	sim_catalogue_init(&world->catalogue, config->shape, config->seed);
}

/* Who came before is on the way already, so that the rate is there from the start. What they said
 * before it is never sent, and so nothing follows on it either. */
static void warm_up(struct sim_traffic *traffic)
{
	struct buffer before_start = {0};
	while (sim_traffic_next_ms(traffic) < traffic->config.start_ms) {
		buffer_clear(&before_start);
		sim_traffic_next(traffic, &before_start);
	}
	buffer_done(&before_start);
}

static int64_t warm_up_ms(unsigned rate)
{
	int64_t most_ms = INT64_C(1000) * WARM_UP_MESSAGES_MAX / rate;
	return most_ms < WARM_UP_MS ? most_ms : WARM_UP_MS;
}

struct sim_traffic *sim_traffic_new(const struct sim_config *config)
{
	assert(config->users >= 1 && config->rate >= 1);
	assert(config->scenario == SIM_TRAFFIC || config->length_ms > 0);

	struct sim_traffic *traffic = allocate(sizeof *traffic);
	traffic->config             = *config;
	traffic->arrival            = ARRIVAL;
	traffic->profile            = PROFILE;
	traffic->logged_in          = allocate(config->users / 8 + 1);
	world_init(&traffic->world, config);
	if (config->profiles)
		sim_queue_add(&traffic->queue, config->start_ms, &traffic->profile);
	traffic->arrival_base_ms = config->start_ms - warm_up_ms(config->rate);
	queue_arrival(traffic);
	let_in(traffic);
	warm_up(traffic);
	return traffic;
}

void sim_traffic_free(struct sim_traffic *traffic)
{
	if (traffic == NULL)
		return;
	for (size_t i = 0; i < traffic->queue.heap.count; i++) {
		void *what = traffic->queue.heap.items[i].what;
		if (what != &traffic->arrival && what != &traffic->profile)
			free(what);
	}
	sim_queue_done(&traffic->queue);
	free(traffic->logged_in);
	free(traffic);
}
