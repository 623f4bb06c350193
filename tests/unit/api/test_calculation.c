/* Questions about audiences: what is joined, kept, dropped, refused and cancelled. The query engine
 * is made up: each question waits until the test answers it. */
#include "api/audience/calculation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "api/context.h"
#include "base/instant.h"
#include "base/vector.h"

/* ---- The made-up engine ---- */

struct query {
	struct query_wish   wish;
	struct query_answer answer;
	bool                freed;
};

static struct {
	VECTOR(struct query *) asked;
	enum status         refused; /* by query_start(); OK: it is not */
	uint64_t            changes;
	uint64_t            position;
	engine_listener_fn *listener;
	void               *listener_context;
	unsigned            freed;
} fake;

enum status query_start(struct queries *queries, const struct query_wish *wish,
                        struct query **ret_query, struct error *err)
{
	(void)queries;
	if (fake.refused != STATUS_OK)
		return error_set_field(err, fake.refused, "as_of", "It lies in the future");
	struct query *query = calloc(1, sizeof *query);
	query->wish         = *wish;
	*ret_query          = query;
	VECTOR_ADD(&fake.asked, query);
	return STATUS_OK;
}

const struct query_answer *query_answer(const struct query *query) { return &query->answer; }

void query_free(struct query *query)
{
	query->freed = true;
	fake.freed++;
}

uint64_t queries_changes(struct queries *queries)
{
	(void)queries;
	return fake.changes;
}

void engine_listen(struct engine *engine, engine_listener_fn *listener, void *context)
{
	(void)engine;
	fake.listener         = listener;
	fake.listener_context = context;
}

static uint64_t position_of(struct journal *journal)
{
	(void)journal;
	return fake.position;
}

/* ---- Those who ask ---- */

struct asker {
	struct calculation_waiter waiter; /* first */
	unsigned                  told;
};

static void told(struct calculation_waiter *waiter) { ((struct asker *)(void *)waiter)->told++; }

struct fixture {
	struct journal_ops       ops;
	struct journal           journal;
	struct audience_settings settings;
	struct api               api;
	struct calculations     *calculations;
	struct asker             askers[8];
	unsigned                 count;
};

static char order_event[] = "Order Completed";

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	memset(&fake, 0, sizeof fake);
	fake.position   = 1;
	f->ops          = (struct journal_ops){.position = position_of};
	f->journal.ops  = &f->ops;
	f->settings     = (struct audience_settings){.order_event     = order_event,
	                                             .cache_ms        = 300000,
	                                             .cache_percent   = 10,
	                                             .cache_count_max = 2,
	                                             .cache_bytes_max = 1 << 20,
	                                             .running_max     = 2};
	f->api.config   = (struct api_config){.journal = &f->journal, .audience = &f->settings};
	f->api.workers  = workers_new(1);
	f->calculations = calculations_new(&f->api);
	*state          = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	for (unsigned i = 0; i < f->count; i++)
		calculation_unref(f->askers[i].waiter.calculation);
	calculations_stop(f->calculations);
	workers_free(f->api.workers);
	calculations_free(f->calculations);
	assert_int_equal(fake.freed, fake.asked.count);
	for (size_t i = 0; i < fake.asked.count; i++)
		free(fake.asked.items[i]);
	VECTOR_DONE(&fake.asked);
	free(f);
	return 0;
}

static struct calculation_wish wish_of(const char *canonical)
{
	return (struct calculation_wish){
		.set_count = 1, .sets = {text_of(canonical)}, .as_of_ms = INSTANT_MS_NONE, .revenue = true};
}

static struct asker *ask_wish(struct fixture *f, const struct calculation_wish *wish)
{
	struct asker *asker = &f->askers[f->count++];
	asker->waiter.done  = told;
	calculations_ask(f->calculations, wish, &asker->waiter);
	return asker;
}

static struct asker *ask(struct fixture *f, const char *canonical)
{
	struct calculation_wish wish = wish_of(canonical);
	return ask_wish(f, &wish);
}

static void answer(size_t index, enum status status, uint64_t size)
{
	struct query *query = fake.asked.items[index];
	query->answer = (struct query_answer){.status = status, .size = size, .person_count = 100};
	query->wish.done(query->wish.context, query);
}

static uint64_t size_of(const struct asker *asker)
{
	struct error               err;
	const struct query_answer *found = calculation_answer(asker->waiter.calculation, &err);
	assert_non_null(found);
	return found->size;
}

static enum status failure_of(const struct asker *asker, struct error *err)
{
	assert_null(calculation_answer(asker->waiter.calculation, err));
	return err->status;
}

/* ---- Tests ---- */

static void equal_questions_under_way_are_calculated_once(void **state)
{
	struct fixture *f = *state;
	struct asker   *a = ask(f, "x"), *b = ask(f, "x"), *c = ask(f, "y");
	assert_int_equal(fake.asked.count, 2);
	answer(0, STATUS_OK, 7);
	assert_int_equal(a->told, 1);
	assert_int_equal(b->told, 1);
	assert_int_equal(c->told, 0);
	assert_int_equal(size_of(a), 7);
	assert_ptr_equal(a->waiter.calculation, b->waiter.calculation);
	answer(1, STATUS_OK, 8);
	assert_int_equal(size_of(c), 8);
}

static void what_differs_in_instant_breakdowns_or_sample_is_another_question(void **state)
{
	struct fixture         *f    = *state;
	struct calculation_wish wish = wish_of("x");
	f->settings.running_max      = 10;
	ask_wish(f, &wish);
	wish.as_of_ms = 5;
	ask_wish(f, &wish);
	wish.sample_count = 3;
	ask_wish(f, &wish);
	wish.dimension_count     = 1;
	wish.dimensions[0].trait = TEXT("region");
	ask_wish(f, &wish);
	wish.dimensions[0] = (struct query_dimension){.property = TEXT("region")};
	ask_wish(f, &wish);
	assert_int_equal(fake.asked.count, 5);
	for (size_t i = 0; i < 5; i++)
		answer(i, STATUS_OK, i);
}

static void an_answer_is_given_again_while_little_has_changed(void **state)
{
	struct fixture *f = *state;
	ask(f, "x");
	answer(0, STATUS_OK, 7);
	fake.changes    = 10; /* of 100 persons */
	struct asker *b = ask(f, "x");
	assert_int_equal(b->told, 1);
	assert_true(b->waiter.cached);
	assert_int_equal(size_of(b), 7);
	fake.changes    = 11;
	struct asker *c = ask(f, "x");
	assert_int_equal(c->told, 0);
	assert_int_equal(fake.asked.count, 2);
	answer(1, STATUS_OK, 9);
	assert_false(c->waiter.cached);
}

static void a_time_of_zero_keeps_nothing(void **state)
{
	struct fixture *f    = *state;
	f->settings.cache_ms = 0;
	ask(f, "x");
	answer(0, STATUS_OK, 7);
	ask(f, "x");
	assert_int_equal(fake.asked.count, 2);
	answer(1, STATUS_OK, 7);
}

static void what_was_written_since_is_seen_by_its_writer(void **state)
{
	struct fixture         *f    = *state;
	struct calculation_wish wish = wish_of("x");
	ask(f, "x");
	fake.position     = 2;
	wish.min_position = 2;
	ask_wish(f, &wish); /* neither joined … */
	assert_int_equal(fake.asked.count, 2);
	answer(0, STATUS_OK, 7);
	answer(1, STATUS_OK, 8);
	struct asker *c = ask_wish(f, &wish);
	assert_int_equal(size_of(c), 8); /* … nor given the older one */
	fake.position = wish.min_position = 3;
	ask_wish(f, &wish);
	assert_int_equal(fake.asked.count, 3);
	answer(2, STATUS_OK, 9);
}

static void a_question_asked_anew_joins_only_what_sees_all_that_is_there(void **state)
{
	struct fixture         *f    = *state;
	struct calculation_wish wish = wish_of("x");
	wish.anew                    = true;
	ask(f, "x");
	struct asker *b = ask_wish(f, &wish);
	assert_int_equal(fake.asked.count, 1);
	fake.position   = 2;
	struct asker *c = ask_wish(f, &wish);
	assert_int_equal(fake.asked.count, 2);
	answer(0, STATUS_OK, 1);
	answer(1, STATUS_OK, 2);
	assert_int_equal(size_of(b), 1);
	assert_int_equal(size_of(c), 2);
	assert_false(c->waiter.cached);
	ask_wish(f, &wish);
	assert_int_equal(fake.asked.count, 3); /* although one is kept */
	answer(2, STATUS_OK, 3);
}

static void who_joins_what_began_before_a_write_is_told_so(void **state)
{
	struct fixture *f = *state;
	struct asker   *a = ask(f, "x");
	fake.position     = 2;
	struct asker *b   = ask(f, "x");
	answer(0, STATUS_OK, 1);
	assert_false(a->waiter.cached);
	assert_true(b->waiter.cached);
}

static void more_than_the_limit_is_refused_and_joining_is_not(void **state)
{
	struct fixture *f = *state;
	struct error    err;
	ask(f, "x");
	ask(f, "y");
	struct asker *c = ask(f, "z"), *d = ask(f, "x");
	assert_int_equal(c->told, 1);
	assert_int_equal(failure_of(c, &err), STATUS_LIMITED);
	assert_int_equal(d->told, 0);
	answer(0, STATUS_OK, 1);
	answer(1, STATUS_OK, 1);
	struct asker *e = ask(f, "z");
	assert_int_equal(e->told, 0);
	answer(2, STATUS_OK, 1);
	struct calculations_status status;
	calculations_status(f->calculations, &status);
	assert_int_equal(status.refused, 1);
	assert_int_equal(status.running, 0);
}

static void a_question_is_cancelled_when_nobody_waits_any_more(void **state)
{
	struct fixture *f = *state;
	struct error    err;
	struct asker   *a = ask(f, "x"), *b = ask(f, "x");
	struct query   *query = fake.asked.items[0];
	atomic_store(&a->waiter.gone, true);
	assert_false(query->wish.is_cancelled(query->wish.context));
	atomic_store(&b->waiter.gone, true);
	assert_true(query->wish.is_cancelled(query->wish.context));
	ask(f, "x"); /* joins nothing that dies */
	assert_int_equal(fake.asked.count, 2);
	answer(0, STATUS_UNAVAILABLE, 0);
	assert_int_equal(failure_of(a, &err), STATUS_UNAVAILABLE);
	assert_int_equal(b->told, 1);
	answer(1, STATUS_OK, 3);
}

static void a_refusal_of_the_engine_is_told_with_its_field(void **state)
{
	struct fixture *f = *state;
	struct error    err;
	fake.refused    = STATUS_INVALID;
	struct asker *a = ask(f, "x");
	assert_int_equal(a->told, 1);
	assert_int_equal(failure_of(a, &err), STATUS_INVALID);
	assert_string_equal(err.field, "as_of");
	fake.refused = STATUS_OK;
	ask(f, "x"); /* failures are not kept */
	assert_int_equal(fake.asked.count, 1);
	answer(0, STATUS_OK, 1);
}

static void the_oldest_answers_go_first(void **state)
{
	struct fixture *f       = *state;
	f->settings.running_max = 10;
	ask(f, "x");
	ask(f, "y");
	ask(f, "z");
	for (size_t i = 0; i < 3; i++)
		answer(i, STATUS_OK, i);
	assert_int_equal(size_of(ask(f, "z")), 2);
	assert_int_equal(size_of(ask(f, "y")), 1);
	ask(f, "x"); /* two are kept at most */
	assert_int_equal(fake.asked.count, 4);
	answer(3, STATUS_OK, 5);
}

static void what_takes_too_many_bytes_is_not_kept(void **state)
{
	struct fixture *f           = *state;
	f->settings.cache_bytes_max = 100;
	ask(f, "x");
	answer(0, STATUS_OK, 1);
	struct calculations_status status;
	calculations_status(f->calculations, &status);
	assert_int_equal(status.count, 0);
	assert_int_equal(status.bytes, 0);
}

static void what_refers_to_segments_is_dropped_when_one_is_redefined(void **state)
{
	struct fixture         *f      = *state;
	struct calculation_wish wish   = wish_of("derived");
	const struct change     change = {.cause = CAUSE_DEFINITION};
	wish.derived                   = true;
	ask_wish(f, &wish);
	answer(0, STATUS_OK, 1);
	ask(f, "x");
	answer(1, STATUS_OK, 2);
	fake.listener(fake.listener_context, 0, &change, 1);
	ask(f, "x");
	assert_int_equal(fake.asked.count, 2);
	ask_wish(f, &wish);
	assert_int_equal(fake.asked.count, 3);
	answer(2, STATUS_OK, 1);
}

static void members_are_neither_joined_nor_kept(void **state)
{
	struct fixture         *f    = *state;
	struct calculation_wish wish = wish_of("x");
	wish.members                 = true;
	ask_wish(f, &wish);
	ask_wish(f, &wish);
	assert_int_equal(fake.asked.count, 2);
	answer(0, STATUS_OK, 1);
	answer(1, STATUS_OK, 1);
	ask_wish(f, &wish);
	assert_int_equal(fake.asked.count, 3);
	answer(2, STATUS_OK, 1);
}

static void a_note_is_found_by_its_key(void **state)
{
	struct fixture *f = *state;
	struct arena    arena;
	struct text     note;
	struct asker   *a = ask(f, "x");
	answer(0, STATUS_OK, 1);
	arena_init(&arena);
	assert_false(calculation_noted(a->waiter.calculation, TEXT("k"), &arena, &note));
	calculation_note(a->waiter.calculation, TEXT("k"), TEXT("[]"));
	calculation_note(a->waiter.calculation, TEXT("other"), TEXT("later"));
	assert_true(calculation_noted(a->waiter.calculation, TEXT("k"), &arena, &note));
	assert_true(text_equal(note, TEXT("[]")));
	assert_false(calculation_noted(a->waiter.calculation, TEXT("other"), &arena, &note));
	arena_done(&arena);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(equal_questions_under_way_are_calculated_once),
		T(what_differs_in_instant_breakdowns_or_sample_is_another_question),
		T(an_answer_is_given_again_while_little_has_changed),
		T(a_time_of_zero_keeps_nothing),
		T(what_was_written_since_is_seen_by_its_writer),
		T(a_question_asked_anew_joins_only_what_sees_all_that_is_there),
		T(who_joins_what_began_before_a_write_is_told_so),
		T(more_than_the_limit_is_refused_and_joining_is_not),
		T(a_question_is_cancelled_when_nobody_waits_any_more),
		T(a_refusal_of_the_engine_is_told_with_its_field),
		T(the_oldest_answers_go_first),
		T(what_takes_too_many_bytes_is_not_kept),
		T(what_refers_to_segments_is_dropped_when_one_is_redefined),
		T(members_are_neither_joined_nor_kept),
		T(a_note_is_found_by_its_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
