#include "model/sequence.h"
#include "../seed.h"
#include "base/hash.h"
#include "base/instant.h"
#include "definition.h"

enum { ROUNDS = 20000, EVENTS_MAX = 9, STEPS_MAX = 4 };

#define HOUR_MS INT64_C(3600000)

/* One step is a letter, so that an event may match several: "ab" matches A and B. */
static struct sequence sequence_of(unsigned steps, int64_t within_ms, int64_t ended_within_ms)
{
	return (struct sequence){
		.step_count      = steps,
		.within_ms       = within_ms,
		.ended_within_ms = ended_within_ms,
		.retention_ms    = INSTANT_MS_NEVER,
	};
}

struct story {
	struct sequence       sequence;
	struct sequence_event events[EVENTS_MAX];
	size_t                count;
};

static void add(struct story *story, int64_t time_ms, const char *letters)
{
	uint32_t steps = 0;
	for (; *letters != '\0'; letters++)
		steps |= UINT32_C(1) << (*letters - 'a');
	assert_true(story->count < EVENTS_MAX);
	story->events[story->count++] = (struct sequence_event){time_ms, steps, INSTANT_MS_NEVER};
}

static bool holds_at(const struct story *story, int64_t now_ms, int64_t *ret_next_ms)
{
	return sequence_holds(&story->sequence, story->events, story->count, now_ms, ret_next_ms);
}

static void check(const struct story *story, int64_t now_ms, bool holds, int64_t next_ms)
{
	int64_t next;
	assert_int_equal(holds_at(story, now_ms, &next), holds);
	assert_int_equal(next, next_ms);
}

/* --- the oracle: every chain is tried --- */

static bool exists(const struct story *story, size_t index, int64_t now_ms)
{
	int64_t time_ms = story->events[index].time_ms;
	int64_t keep_ms = story->sequence.retention_ms;
	return time_ms <= now_ms &&
	       (keep_ms == INSTANT_MS_NEVER || now_ms < time_ms - time_ms % DAY_MS + keep_ms);
}

static bool chain_from(const struct story *story, unsigned step, size_t next, int64_t first_ms,
                       int64_t now_ms)
{
	for (size_t i = next; i < story->count; i++) {
		int64_t time_ms = story->events[i].time_ms;
		if ((story->events[i].steps >> step & 1) == 0 || !exists(story, i, now_ms))
			continue;
		if (step == 0)
			first_ms = time_ms;
		if (step + 1 < story->sequence.step_count) {
			if (chain_from(story, step + 1, i + 1, first_ms, now_ms))
				return true;
		} else if (time_ms - first_ms < story->sequence.within_ms &&
		           now_ms - time_ms < story->sequence.ended_within_ms) {
			return true;
		}
	}
	return false;
}

static bool oracle_holds(const struct story *story, int64_t now_ms)
{
	return chain_from(story, 0, 0, 0, now_ms);
}

static void consider(const struct story *story, int64_t at_ms, int64_t now_ms, int64_t *next_ms)
{
	if (at_ms > now_ms && at_ms < *next_ms &&
	    oracle_holds(story, at_ms) != oracle_holds(story, now_ms))
		*next_ms = at_ms;
}

static int64_t oracle_next_ms(const struct story *story, int64_t now_ms)
{
	int64_t next_ms = INSTANT_MS_NEVER;
	for (size_t i = 0; i < story->count; i++) {
		int64_t time_ms = story->events[i].time_ms;
		consider(story, time_ms, now_ms, &next_ms);
		if (story->sequence.ended_within_ms != INSTANT_MS_NEVER)
			consider(story, time_ms + story->sequence.ended_within_ms, now_ms, &next_ms);
		if (story->sequence.retention_ms != INSTANT_MS_NEVER)
			consider(story, time_ms - time_ms % DAY_MS + story->sequence.retention_ms, now_ms,
			         &next_ms);
	}
	return next_ms;
}

static struct story random_story(void)
{
	struct story story   = {0};
	int64_t      time_ms = 10 * DAY_MS;
	story.sequence       = sequence_of(2 + (unsigned)seed_below(STEPS_MAX - 1), 0, 0);
	story.sequence.within_ms =
		seed_below(3) == 0 ? INSTANT_MS_NEVER : (1 + (int64_t)seed_below(6)) * 4 * HOUR_MS;
	story.sequence.ended_within_ms =
		seed_below(3) == 0 ? INSTANT_MS_NEVER : (1 + (int64_t)seed_below(6)) * 4 * HOUR_MS;
	story.sequence.retention_ms =
		seed_below(3) == 0 ? INSTANT_MS_NEVER : (1 + (int64_t)seed_below(3)) * DAY_MS;
	story.count = seed_below(EVENTS_MAX + 1);
	for (size_t i = 0; i < story.count; i++) {
		time_ms += (int64_t)seed_below(4) * 4 * HOUR_MS;
		uint32_t steps  = (uint32_t)seed_below(1U << story.sequence.step_count);
		story.events[i] = (struct sequence_event){time_ms, steps, INSTANT_MS_NEVER};
	}
	return story;
}

static void a_sequence_holds_and_flips_when_some_chain_does(void **state)
{
	(void)state;
	unsigned held = 0, flips = 0;
	seed_begin(__func__);
	for (int round = 0; round < ROUNDS; round++) {
		struct story story = random_story();
		for (int i = 0; i < 8; i++) {
			int64_t now_ms =
				10 * DAY_MS + (int64_t)seed_below(20) * 4 * HOUR_MS + (int64_t)seed_below(3) - 1;
			int64_t next_ms;
			bool    holds = holds_at(&story, now_ms, &next_ms);
			if (holds != oracle_holds(&story, now_ms) || next_ms != oracle_next_ms(&story, now_ms))
				fail_msg("round %d: at %lld: %d, next %lld, not %lld", round, (long long)now_ms,
				         holds, (long long)next_ms, (long long)oracle_next_ms(&story, now_ms));
			held += holds;
			flips += next_ms != INSTANT_MS_NEVER;
		}
	}
	assert_true(held > ROUNDS / 2 && flips > ROUNDS);
}

/* --- by hand --- */

static void one_event_never_matches_two_steps(void **state)
{
	(void)state;
	struct story story = {sequence_of(2, INSTANT_MS_NEVER, INSTANT_MS_NEVER), {{0}}, 0};
	add(&story, 1000, "ab");
	check(&story, 1000, false, INSTANT_MS_NEVER);
	add(&story, 1000, "ab");
	check(&story, 1000, true, INSTANT_MS_NEVER);
}

static void within_bounds_the_chain_and_not_its_age(void **state)
{
	(void)state;
	struct story story = {sequence_of(2, HOUR_MS, INSTANT_MS_NEVER), {{0}}, 0};
	add(&story, 1000, "a");
	add(&story, 1000 + HOUR_MS, "b");
	check(&story, 1000 + HOUR_MS, false, INSTANT_MS_NEVER);
	story.events[1].time_ms--;
	check(&story, 100 * DAY_MS, true, INSTANT_MS_NEVER);
}

static void ended_within_ends_it_at_its_exact_instant(void **state)
{
	(void)state;
	struct story story = {sequence_of(2, INSTANT_MS_NEVER, HOUR_MS), {{0}}, 0};
	add(&story, 1000, "a");
	add(&story, 5000, "b");
	check(&story, 4999, false, 5000);
	check(&story, 5000, true, 5000 + HOUR_MS);
	check(&story, 4999 + HOUR_MS, true, 5000 + HOUR_MS);
	check(&story, 5000 + HOUR_MS, false, INSTANT_MS_NEVER);
}

static void the_retention_of_the_first_step_ends_it(void **state)
{
	(void)state;
	struct story story          = {sequence_of(2, INSTANT_MS_NEVER, INSTANT_MS_NEVER), {{0}}, 0};
	story.sequence.retention_ms = 2 * DAY_MS;
	add(&story, DAY_MS + 7, "a");
	add(&story, 2 * DAY_MS + 7, "b");
	check(&story, 2 * DAY_MS + 7, true, 3 * DAY_MS);
	check(&story, 3 * DAY_MS, false, INSTANT_MS_NEVER);
}

static void an_event_of_the_future_goes_on_where_the_chain_would_end(void **state)
{
	(void)state;
	struct story story = {sequence_of(2, INSTANT_MS_NEVER, HOUR_MS), {{0}}, 0};
	add(&story, 0, "a");
	add(&story, 1, "b");
	add(&story, 1 + HOUR_MS, "b");
	check(&story, 10, true, 1 + 2 * HOUR_MS);
	story.events[2].time_ms++;
	check(&story, 10, true, 1 + HOUR_MS);
}

static void what_matches_at_another_instant_is_asked_for_again_there(void **state)
{
	(void)state;
	struct story story = {sequence_of(2, INSTANT_MS_NEVER, HOUR_MS), {{0}}, 0};
	add(&story, 0, "a");
	add(&story, 1, "b");
	story.events[0].change_ms = 30;
	check(&story, 10, true, 30);
	story.events[0].change_ms = 2 * HOUR_MS;
	check(&story, 10, true, 1 + HOUR_MS);
}

static void a_run_that_goes_on_is_the_same_as_a_new_one(void **state)
{
	(void)state;
	seed_begin(__func__);
	for (int round = 0; round < ROUNDS; round++) {
		struct story        story = random_story();
		struct sequence_run run;
		sequence_begin(&run);
		for (size_t i = 0; i < story.count; i++) {
			int64_t next_ms, now_ms = story.events[i].time_ms;
			sequence_add(&story.sequence, &run, now_ms, story.events[i].steps);
			bool held = sequence_holds(&story.sequence, story.events, i + 1, now_ms, &next_ms);
			assert_int_equal(now_ms < sequence_end_ms(&story.sequence, &run), held);
		}
	}
}

static const struct sequence *compiled(const char *json, struct arena *arena)
{
	return sequence_compile(&expr_of(text_of(json))->sequence, 30 * DAY_MS, arena);
}

static struct text list_of(const char *json)
{
	struct buffer list  = {0};
	struct error  err   = {0};
	unsigned      count = 0;
	size_t        begin = value_list_begin(&list);
	for (struct json_iterator i = json_iterate(json_of(text_of(json))); json_next(&i); count++)
		assert_int_equal(value_add_json(&list, i.name, i.value, &err), STATUS_OK);
	value_list_end(&list, begin, count);
	struct text copy = arena_text(&definition_arena, buffer_text(&list));
	buffer_done(&list);
	return copy;
}

static void a_compiled_sequence_tells_which_steps_an_event_matches_and_until_when(void **state)
{
	(void)state;
	const struct sequence *sequence = compiled(
		"{\"sequence\":[{\"event\":\"A\",\"where\":{\"property\":\"p\",\"op\":\"eq\",\"value\":1}},"
		"{\"event\":\"*\"},{\"event\":\"B\",\"where\":{\"property\":\"at\",\"op\":\"within_last\","
		"\"value\":\"1h\"}}],\"within\":\"1d\"}",
		&definition_arena);
	struct text none = {0};
	struct text one  = list_of("{\"p\":1}");
	struct text at   = list_of("{\"at\":\"1970-01-01T01:00:00Z\"}");
	assert_int_equal(sequence->within_ms, DAY_MS);
	assert_true(sequence->ended_within_ms == INSTANT_MS_NEVER);
	assert_int_equal(sequence->retention_ms, 30 * DAY_MS);
	assert_true(sequence->relative);
	assert_int_equal(sequence_steps(sequence, TEXT("A"), one, none, 0), 3);
	assert_int_equal(sequence_steps(sequence, TEXT("A"), at, none, 0), 2);
	assert_int_equal(sequence_steps(sequence, TEXT("B"), at, none, HOUR_MS - 1), 2);
	assert_int_equal(sequence_steps(sequence, TEXT("B"), at, none, HOUR_MS), 6);
	assert_int_equal(sequence_steps_next_ms(sequence, TEXT("B"), at, none, 0), HOUR_MS);
	assert_int_equal(sequence_steps_next_ms(sequence, TEXT("B"), at, none, HOUR_MS), 2 * HOUR_MS);
	assert_true(sequence_steps_next_ms(sequence, TEXT("A"), at, none, 0) == INSTANT_MS_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sequence_holds_and_flips_when_some_chain_does),
		cmocka_unit_test(one_event_never_matches_two_steps),
		cmocka_unit_test(within_bounds_the_chain_and_not_its_age),
		cmocka_unit_test(ended_within_ends_it_at_its_exact_instant),
		cmocka_unit_test(the_retention_of_the_first_step_ends_it),
		cmocka_unit_test(an_event_of_the_future_goes_on_where_the_chain_would_end),
		cmocka_unit_test(what_matches_at_another_instant_is_asked_for_again_there),
		cmocka_unit_test(a_run_that_goes_on_is_the_same_as_a_new_one),
		DEFINITION_TEST(a_compiled_sequence_tells_which_steps_an_event_matches_and_until_when),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
