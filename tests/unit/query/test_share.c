/* Questions about all persons of a partition while its persons change: everybody must be seen as he
 * was at the instant, whatever columns there are. Against a brute-force reading of all events. */

#include "../engine/brute.h"
#include "../engine/random_expr.h"
#include "../engine/run.h"
#include "../seed.h"

#include <string.h>

#include "base/decimal.h"
#include "base/hash.h"

#include "engine/engine_internal.h"
#include "engine/survey.h"
#include "query/query_internal.h"
#include "query/slot_list.h"

enum { PERSONS = 40, SLOTS = 1300, SEGMENTS = 3, ROUNDS = 12, QUESTIONS = 40, START_MS = 1000000 };

static const struct random_scale scale = {.unit_ms         = MINUTE_MS,
                                          .unit            = "m",
                                          .windows         = {1, 2, 5, 10},
                                          .between_from_ms = 20 * MINUTE_MS,
                                          .between_to_ms   = 40 * MINUTE_MS,
                                          .retention_ms    = RUN_RETENTION_MS};

struct world {
	struct run           run;
	struct brute         brute;
	struct expr         *exprs[SEGMENTS + 1];
	struct journal_ops   journal_ops;
	struct journal       journal;
	struct engine        engine;
	struct engine_thread thread;
	struct queries      *queries;
	uint32_t             slots[PERSONS];
	bool                 exists[PERSONS];
	int64_t              created_ms[PERSONS];
	struct text          traits[PERSONS];
	int64_t              now_ms;
	bool                 cancelled;
	unsigned             done;
};

/* ---- An engine without threads ---- */

static struct world *world_now;

static int64_t  log_time_ms(struct journal *journal) { return (void)journal, world_now->now_ms; }
static uint64_t position(struct journal *journal) { return (void)journal, UINT64_C(0); }
static bool     is_cancelled(void *context) { return ((struct world *)context)->cancelled; }

static void done(void *context, struct query *query)
{
	(void)query;
	((struct world *)context)->done++;
}

/* Reads that were sent come to their instant; not `wanted`: they come too late. */
static void answer_reads(struct world *world, bool wanted)
{
	struct view view = {&world->engine, world->run.partition, world->now_ms};
	partition_advance(world->run.partition, world->now_ms);
	for (;;) {
		struct read_ticket *ticket = atomic_load(&world->thread.arrived);
		if (ticket == NULL)
			return;
		atomic_store(&world->thread.arrived, ticket->next);
		ticket->read->as_of_ms = world->now_ms;
		if (wanted)
			ticket->read->run(ticket->read, &view);
		ticket_finish(ticket, wanted ? STATUS_OK : STATUS_UNAVAILABLE);
	}
}

static void begin(struct world *world)
{
	struct error err;
	memset(world, 0, sizeof *world);
	world_now          = world;
	world->now_ms      = START_MS;
	world->journal_ops = (struct journal_ops){.log_time_ms = log_time_ms, .position = position};
	world->journal.ops = &world->journal_ops;
	world->brute.retention_ms = scale.retention_ms;
	world->brute.segments     = world->exprs;
	run_begin(&world->run);
	world->engine.journal                = &world->journal;
	world->engine.config.partition_count = 1;
	world->engine.config.retention_ms    = RUN_RETENTION_MS;
	world->engine.partitions             = &world->run.partition;
	world->engine.threads                = &world->thread;
	world->engine.thread_count           = 1;
	world->engine.dimensions             = world->run.dimensions;
	atomic_store(&world->engine.memory_limit_bytes, UINT64_C(1) << 30);
	assert_int_equal(queries_start(&world->engine, &world->queries, &err), STATUS_OK);
	for (unsigned i = 0; i < PERSONS; i++)
		world->slots[i] = i * (SLOTS / PERSONS) + seed_below(SLOTS / PERSONS);
}

static void finish(struct world *world)
{
	answer_reads(world, false);
	VECTOR_DONE(&world->brute.events);
	struct queries *queries = world->queries;
	run_done(&world->run);
	queries_stop(queries);
}

/* ---- What happens ---- */

static void exist(struct world *world, unsigned person)
{
	if (!world->exists[person])
		world->created_ms[person] = world->now_ms;
	world->exists[person] = true;
}

static void accept(struct world *world)
{
	unsigned          person  = seed_below(PERSONS);
	const char *const names[] = {"Order", "Click", "Other"};
	const char       *name    = names[seed_below(3)];
	int64_t           time_ms = world->now_ms;
	if (seed_below(4) == 0)
		time_ms -= (int64_t)seed_below(7 * MINUTE_MS);
	else if (seed_below(6) == 0)
		time_ms += (int64_t)seed_below(300001);
	struct buffer properties = {0};
	random_properties(&properties, &scale, world->now_ms);
	buffer_add_u8(&properties, 0);
	run_event(&world->run, world->slots[person], world->now_ms, time_ms, name, properties.data,
	          NULL);
	buffer_done(&properties);

	size_t                  size;
	struct record           record;
	const struct run_batch *batch = &world->run.batches.items[world->run.batches.count - 1];
	assert_int_equal(
		record_decode((struct text){batch->records, batch->size}, &record, &size, NULL), STATUS_OK);
	VECTOR_ADD(&world->brute.events,
	           (struct brute_event){world->slots[person], time_ms,
	                                arena_text(&world->run.arena, text_of(name)),
	                                record.properties});
	exist(world, person);
}

static void set_traits(struct world *world)
{
	unsigned person = seed_below(PERSONS);
	char     json[128], seen[INSTANT_TEXT_BYTES];
	instant_format(world->now_ms + ((int64_t)seed_below(200) - 100) * 1000, seen);
	snprintf(json, sizeof json, "{\"tier\":%s,\"seen\":\"%s\"}",
	         seed_below(3) == 0 ? "null"
	         : seed_below(2)    ? "\"VIP\""
	                            : "\"Basic\"",
	         seen);
	run_traits(&world->run, world->slots[person], world->now_ms, json);
	exist(world, person);
	const struct profile *profile =
		profiles_find(&world->run.partition->profiles, world->slots[person]);
	world->traits[person] = arena_text(&world->run.arena, profile_traits(profile));
}

static void something_happens(struct world *world)
{
	if (seed_below(3) == 0)
		world->now_ms += (int64_t)seed_below(2 * MINUTE_MS);
	partition_advance(world->run.partition, world->now_ms);
	if (seed_below(4) == 0)
		set_traits(world);
	else
		accept(world);
}

static char *random_text(uint32_t below)
{
	struct buffer text = {0};
	random_expr(&text, &scale, below, 2);
	buffer_add_u8(&text, 0);
	return text.data;
}

static void define(struct world *world)
{
	for (uint32_t number = 1; number <= SEGMENTS; number++) {
		char *text = random_text(number);
		run_define(&world->run, world->now_ms, number, text);
		world->exprs[number] = run_expr(&world->run, text);
		free(text);
	}
}

/* ---- A question, and what is right ---- */

struct question {
	struct query_wish wish;
	struct expr      *exprs[QUERY_SETS_MAX];
	struct buffer     canonical[QUERY_SETS_MAX];
	uint32_t          members[PERSONS][QUERY_SETS_MAX + 1]; /* as it was at the instant */
	bool              listed[PERSONS][QUERY_SETS_MAX];
	bool              exists[PERSONS];
	struct text       tiers[PERSONS];
	uint64_t          orders[PERSONS];
	int64_t           revenue[PERSONS]; /* millionths */
};

/* Some persons, also such as are not there. */
static void draw_list(const struct world *world, struct question *question, unsigned set)
{
	struct buffer slots = {0};
	uint32_t      last  = UINT32_MAX;
	for (unsigned person = 0; person < PERSONS; person++) {
		question->listed[person][set] = seed_below(2) == 0;
		if (question->listed[person][set])
			slot_list_add(&slots, &last, world->slots[person]);
	}
	slot_list_add(&slots, &last, SLOTS + seed_below(5000));
	question->wish.lists[set] = member_list_new(1);
	assert_true(member_list_put(question->wish.lists[set], 0, buffer_text(&slots)));
	buffer_done(&slots);
}

static void draw(struct world *world, struct question *question)
{
	memset(question, 0, sizeof *question);
	struct query_wish *wish = &question->wish;
	*wish                   = (struct query_wish){.set_count       = 1 + seed_below(3),
	                                              .as_of_ms        = INSTANT_MS_NONE,
	                                              .compared        = seed_below(SEGMENTS + 1),
	                                              .sample_count    = QUERY_SAMPLE_MAX,
	                                              .members         = true,
	                                              .dimension_count = 1,
	                                              .dimensions      = {{.trait = TEXT("tier")}},
	                                              .order_event     = TEXT("Order"),
	                                              .refund_event    = TEXT("Click"),
	                                              .is_cancelled    = is_cancelled,
	                                              .done            = done,
	                                              .context         = world};
	for (unsigned i = 0; i < wish->set_count; i++) {
		if (seed_below(4) == 0) {
			draw_list(world, question, i);
			continue;
		}
		char *text         = random_text(SEGMENTS + 1);
		question->exprs[i] = run_expr(&world->run, text);
		expr_write_canonical(&question->canonical[i], question->exprs[i]);
		wish->sets[i] = buffer_text(&question->canonical[i]);
		free(text);
	}
}

/* What a person's orders and refunds come to; the year before the instant has all of them. */
static void note_worth(const struct world *world, struct question *question, unsigned person,
                       int64_t now_ms)
{
	question->orders[person]  = 0;
	question->revenue[person] = 0;
	for (size_t i = 0; i < world->brute.events.count; i++) {
		const struct brute_event *event = &world->brute.events.items[i];
		double                    number;
		int64_t                   amount;
		if (event->slot != world->slots[person] || event->time_ms > now_ms)
			continue;
		struct value value =
			value_find(event->properties, TEXT("revenue"), hash_name(TEXT("revenue")));
		assert_true(value_number(&value, &number) && decimal_of(number, &amount));
		if (text_equal(event->name, TEXT("Order"))) {
			question->orders[person]++;
			question->revenue[person] += amount;
		} else if (text_equal(event->name, TEXT("Click"))) {
			question->revenue[person] -= amount < 0 ? -amount : amount;
		}
	}
}

static void note_truth(struct world *world, struct question *question, int64_t now_ms)
{
	for (unsigned person = 0; person < PERSONS; person++) {
		uint32_t slot            = world->slots[person];
		question->exists[person] = world->exists[person] && world->created_ms[person] <= now_ms;
		question->tiers[person]  = world->traits[person];
		note_worth(world, question, person, now_ms);
		for (unsigned i = 0; i < question->wish.set_count; i++)
			question->members[person][i] =
				question->wish.lists[i] != NULL
					? question->listed[person][i]
					: brute_holds(&world->brute, slot, world->traits[person], question->exprs[i],
			                      now_ms);
		if (question->wish.compared != 0)
			question->members[person][QUERY_SETS_MAX] =
				brute_holds(&world->brute, slot, world->traits[person],
			                world->exprs[question->wish.compared], now_ms);
	}
}

static struct query *ask(struct world *world, struct question *question)
{
	struct query *query;
	struct error  err;
	if (query_start(world->queries, &question->wish, &query, &err) != STATUS_OK)
		fail_msg("%s: %s", err.field, err.reason);
	world->done = 0;
	note_truth(world, question, world->now_ms);
	answer_reads(world, true);
	return query;
}

/* In the smallest slices, with something happening in between. */
static void go_on(struct world *world, bool happening)
{
	while (world->run.partition->surveys != NULL) {
		survey_go_on(world->run.partition, 0);
		for (unsigned i = seed_below(4); i > 0 && happening; i--)
			something_happens(world);
	}
	assert_int_equal(world->done, 1);
}

static void end(struct question *question, struct query *query)
{
	for (unsigned i = 0; i < question->wish.set_count; i++) {
		buffer_done(&question->canonical[i]);
		member_list_unref(question->wish.lists[i]);
	}
	query_free(query);
}

static void check_groups(const struct question *question, const struct query_answer *answer)
{
	uint64_t sizes = 0, vips = 0, wanted = 0;
	for (unsigned person = 0; person < PERSONS; person++) {
		struct value tier =
			question->tiers[person].length == 0
				? (struct value){0}
				: value_find(question->tiers[person], TEXT("tier"), hash_name(TEXT("tier")));
		wanted += question->exists[person] && question->members[person][0] &&
		          tier.type == VALUE_STRING && text_equal(tier.text, TEXT("VIP"));
	}
	for (uint32_t i = 0; i < answer->dimensions[0].count; i++) {
		const struct query_group *group = &answer->dimensions[0].groups[i];
		sizes += group->size;
		if (group->value.type == VALUE_STRING && text_equal(group->value.text, TEXT("VIP")))
			vips += group->size;
	}
	assert_int_equal(sizes, answer->size);
	assert_int_equal(vips, wanted);
}

static void check(const struct world *world, const struct question *question,
                  const struct query *query)
{
	const struct query_answer *answer                       = query_answer(query);
	uint64_t                   regions[1 << QUERY_SETS_MAX] = {0};
	uint64_t                   persons = 0, size = 0, entering = 0, leaving = 0, orders = 0;
	int64_t                    revenue = 0;
	assert_int_equal(answer->status, STATUS_OK);
	for (unsigned person = 0; person < PERSONS; person++) {
		if (!question->exists[person])
			continue;
		const uint32_t *members = question->members[person];
		unsigned        region  = 0;
		uint32_t        slot    = SLOT_NONE;
		for (unsigned i = 0; i < question->wish.set_count; i++)
			region |= members[i] << i;
		regions[region]++;
		persons++;
		size += members[0];
		orders += members[0] ? question->orders[person] : 0;
		revenue += members[0] ? question->revenue[person] : 0;
		entering += members[0] && !members[QUERY_SETS_MAX];
		leaving += !members[0] && members[QUERY_SETS_MAX];
		bool listed = query_next_member(query, 0, world->slots[person], &slot) &&
		              slot == world->slots[person];
		if (listed != (members[0] != 0))
			fail_msg("slot %u is %s", world->slots[person], listed ? "listed" : "not listed");
	}
	assert_int_equal(answer->person_count, persons);
	assert_int_equal(answer->size, size);
	assert_int_equal(answer->members.count, size);
	assert_int_equal(answer->order_count, orders);
	assert_true(answer->revenue == revenue);
	for (unsigned i = 0; i < 1u << question->wish.set_count; i++)
		assert_int_equal(answer->regions[i], regions[i]);
	assert_int_equal(answer->compared, question->wish.compared != 0);
	if (answer->compared) {
		assert_int_equal(answer->entering, entering);
		assert_int_equal(answer->leaving, leaving);
		assert_int_equal(answer->live_size, size - entering + leaving);
	}
	check_groups(question, answer);
}

/* ---- Tests ---- */

static void keep_something(struct world *world)
{
	struct buffer canonical = {0};
	struct error  err;
	char         *text = random_text(1);
	expr_write_canonical(&canonical, run_expr(&world->run, text));
	assert_int_equal(queries_keep(world->queries, buffer_text(&canonical), &err), STATUS_OK);
	buffer_done(&canonical);
	free(text);
}

static void run_world(bool columns)
{
	static struct world    world;
	static struct question question;
	unsigned               by_column = 0;
	begin(&world);
	for (unsigned i = 0; i < 6 && columns; i++)
		keep_something(&world);
	answer_reads(&world, columns);
	for (unsigned i = 0; i < 30; i++)
		something_happens(&world);
	define(&world);
	for (unsigned i = 0; i < QUESTIONS; i++) {
		struct witness *witness = world.run.partition->witness;
		if (columns && seed_below(2) == 0)
			while (witness->work(witness, INT64_MAX))
				;
		draw(&world, &question);
		struct query *query = ask(&world, &question);
		go_on(&world, true);
		check(&world, &question, query);
		for (unsigned step = 0; step < query_answer(query)->step_count; step++)
			by_column += query_answer(query)->steps[step].way == QUERY_BY_COLUMN;
		end(&question, query);
		something_happens(&world);
	}
	assert_int_equal(by_column > 0, columns);
	finish(&world);
}

static void everybody_is_seen_as_he_was_at_the_instant(void **state)
{
	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++)
		run_world(false);
}

static void columns_change_no_answer(void **state)
{
	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++)
		run_world(true);
}

/* Of events and of persons: traits, which have no past, are not asked. */
static void a_past_instant_is_asked_of_what_was_there(void **state)
{
	(void)state;
	static struct world    world;
	static struct question question;
	for (unsigned round = 0; round < ROUNDS; round++) {
		begin(&world);
		for (unsigned i = 0; i < 60; i++)
			something_happens(&world);
		define(&world);
		draw(&world, &question);
		question.wish.compared        = 0;
		question.wish.dimension_count = 0;
		question.wish.as_of_ms        = world.now_ms;
		note_truth(&world, &question, world.now_ms);
		static struct question past;
		past = question;
		world.now_ms++;
		for (unsigned i = 0; i < 60; i++)
			accept(&world);
		struct query *query;
		struct error  err;
		for (unsigned i = 0; i < PERSONS; i++) {
			world.traits[i] = past.tiers[i];
			world.exists[i] = past.exists[i];
		}
		assert_int_equal(query_start(world.queries, &question.wish, &query, &err), STATUS_OK);
		world.done = 0;
		answer_reads(&world, true);
		go_on(&world, false);
		const struct query_answer *answer = query_answer(query);
		uint64_t                   size = 0, persons = 0;
		for (unsigned i = 0; i < PERSONS; i++) {
			persons += past.exists[i];
			size += past.exists[i] && past.members[i][0];
		}
		assert_int_equal(answer->status, STATUS_OK);
		assert_int_equal(answer->as_of_ms, question.wish.as_of_ms);
		assert_int_equal(answer->person_count, persons);
		assert_int_equal(answer->size, size);
		end(&question, query);
		finish(&world);
	}
}

static void the_future_is_refused(void **state)
{
	(void)state;
	static struct world    world;
	static struct question question;
	struct query          *query;
	struct error           err;
	begin(&world);
	draw(&world, &question);
	question.wish.compared = 0;
	question.wish.as_of_ms = world.now_ms + 1;
	assert_int_equal(query_start(world.queries, &question.wish, &query, &err), STATUS_INVALID);
	assert_string_equal(err.field, "as_of");
	for (unsigned i = 0; i < question.wish.set_count; i++)
		buffer_done(&question.canonical[i]);
	finish(&world);
}

static void an_activation_breaks_what_is_under_way(void **state)
{
	(void)state;
	static struct world    world;
	static struct question question;
	begin(&world);
	for (unsigned i = 0; i < 30; i++)
		something_happens(&world);
	define(&world);
	draw(&world, &question);
	struct query *query = ask(&world, &question);
	assert_int_equal(world.done, 0);
	run_define(&world.run, world.now_ms, SEGMENTS + 1,
	           "{\"event\":\"Order\",\"op\":\"gte\",\"value\":1}");
	assert_int_equal(world.done, 1);
	assert_int_equal(query_answer(query)->status, STATUS_AGAIN);
	assert_null(world.run.partition->surveys);
	end(&question, query);
	finish(&world);
}

static void one_that_nobody_wants_any_more_ends(void **state)
{
	(void)state;
	static struct world    world;
	static struct question question;
	begin(&world);
	for (unsigned i = 0; i < 30; i++)
		something_happens(&world);
	define(&world);
	draw(&world, &question);
	struct query *query = ask(&world, &question);
	world.cancelled     = true;
	survey_go_on(world.run.partition, 0);
	assert_int_equal(world.done, 1);
	assert_int_equal(query_answer(query)->status, STATUS_UNAVAILABLE);
	end(&question, query);
	finish(&world);
}

static uint32_t column_count_of(struct world *world)
{
	struct queries_status status;
	struct witness       *witness = world->run.partition->witness;
	while (witness->work(witness, INT64_MAX))
		;
	queries_status(world->queries, &status);
	return status.columns;
}

static void what_is_kept_twice_is_let_go_with_the_second_forget(void **state)
{
	(void)state;
	static struct world world;
	struct buffer       canonical = {0};
	struct error        err;
	begin(&world);
	answer_reads(&world, true);
	expr_write_canonical(&canonical, run_expr(&world.run, "{\"event\":\"Order\",\"op\":\"gte\","
	                                                      "\"value\":3,\"within\":\"2h\"}"));
	struct text kept = buffer_text(&canonical);
	assert_int_equal(queries_keep(world.queries, kept, &err), STATUS_OK);
	assert_int_equal(queries_keep(world.queries, kept, &err), STATUS_OK);
	assert_int_equal(column_count_of(&world), 0); /* not before the partition's thread knows */
	answer_reads(&world, true);
	assert_int_equal(column_count_of(&world), 1);
	queries_forget(world.queries, kept);
	answer_reads(&world, true);
	assert_int_equal(column_count_of(&world), 1);
	queries_forget(world.queries, kept);
	answer_reads(&world, true);
	assert_int_equal(column_count_of(&world), 0);
	queries_forget(world.queries, kept); /* nothing is there any more */
	buffer_done(&canonical);
	finish(&world);
}

int main(void)
{
	seed_begin("share");
	random_begin(seed_next());
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody_is_seen_as_he_was_at_the_instant),
		cmocka_unit_test(columns_change_no_answer),
		cmocka_unit_test(a_past_instant_is_asked_of_what_was_there),
		cmocka_unit_test(the_future_is_refused),
		cmocka_unit_test(an_activation_breaks_what_is_under_way),
		cmocka_unit_test(one_that_nobody_wants_any_more_ends),
		cmocka_unit_test(what_is_kept_twice_is_let_go_with_the_second_forget),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
