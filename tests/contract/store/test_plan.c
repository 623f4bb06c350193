/* Tracking plans, and what was observed of sources. */

#include <stdio.h>
#include <string.h>

#include "backend.h"

static enum status put(struct fixture *f, uint32_t source, const char *json, uint32_t expected,
                       struct store_plan *ret)
{
	*ret = (struct store_plan){
		.source_number = source, .updated_ms = 5, .plan = text_of(json), .version = 99};
	return f->store->ops->plan_put(f->store, ret, expected, &f->err);
}

static void assert_plan(struct fixture *f, uint32_t source, uint32_t version, const char *json)
{
	struct store_plan plan;
	assert_ok(f, f->store->ops->plan_get(f->store, source, &f->arena, &plan, &f->err));
	assert_int_equal(plan.source_number, source);
	assert_int_equal(plan.version, version);
	assert_true(text_equal(plan.plan, text_of(json)));
}

static void a_plan_is_kept_with_a_version_that_grows(void **state)
{
	struct fixture   *f = *state;
	struct store_plan plan;
	assert_int_equal(f->store->ops->plan_get(f->store, 0, &f->arena, &plan, &f->err),
	                 STATUS_NOT_FOUND);
	assert_ok(f, put(f, 0, "{\"a\":1}", 0, &plan));
	assert_int_equal(plan.version, 1);
	assert_int_equal(plan.created_ms, 5);
	assert_ok(f, put(f, 0, "{\"a\":1}", 0, &plan));
	assert_int_equal(plan.version, 1);
	assert_ok(f, put(f, 0, "{\"a\":2}", 1, &plan));
	assert_int_equal(plan.version, 2);
	assert_ok(f, put(f, 7, "{}", 0, &plan));
	fixture_reopen(f);
	assert_plan(f, 0, 2, "{\"a\":2}");
	assert_plan(f, 7, 1, "{}");

	struct store_plan *plans;
	size_t             count;
	assert_ok(f, f->store->ops->plan_list(f->store, &f->arena, &plans, &count, &f->err));
	assert_int_equal(count, 2);
	assert_int_equal(plans[1].source_number, 7);
}

static void another_version_than_expected_changes_nothing(void **state)
{
	struct fixture   *f = *state;
	struct store_plan plan;
	assert_int_equal(put(f, 3, "{}", 1, &plan), STATUS_PRECONDITION);
	assert_ok(f, put(f, 3, "{}", 0, &plan));
	assert_int_equal(put(f, 3, "{\"b\":1}", 2, &plan), STATUS_PRECONDITION);
	assert_int_equal(put(f, 3, "", 2, &plan), STATUS_PRECONDITION);
	assert_plan(f, 3, 1, "{}");
}

static void versions_go_on_over_a_deletion(void **state)
{
	struct fixture   *f = *state;
	struct store_plan plan, *plans;
	size_t            count;
	assert_int_equal(put(f, 3, "", 0, &plan), STATUS_NOT_FOUND);
	assert_ok(f, put(f, 3, "{}", 0, &plan));
	assert_ok(f, put(f, 3, "", 1, &plan));
	assert_int_equal(put(f, 3, "", 0, &plan), STATUS_NOT_FOUND);
	assert_int_equal(f->store->ops->plan_get(f->store, 3, &f->arena, &plan, &f->err),
	                 STATUS_NOT_FOUND);
	assert_ok(f, f->store->ops->plan_list(f->store, &f->arena, &plans, &count, &f->err));
	assert_int_equal(count, 0);
	assert_ok(f, put(f, 3, "{}", 0, &plan));
	assert_int_equal(plan.version, 3);
}

static struct store_observation row_of(uint32_t source, int family, const char *property,
                                       int64_t count)
{
	return (struct store_observation){
		.source_number = source,
		.family        = family,
		.event         = TEXT("주문"),
		.property      = text_of(property),
		.kind          = TEXT("number"),
		.count         = count,
		.first_ms      = 1,
		.last_ms       = count,
		.sample        = TEXT("m"),
	};
}

static size_t list(struct fixture *f, struct store_observation **ret_rows)
{
	size_t count;
	assert_ok(f, f->store->ops->observation_list(f->store, &f->arena, ret_rows, &count, &f->err));
	return count;
}

static void a_row_takes_the_place_of_the_one_before(void **state)
{
	struct fixture                *f      = *state;
	const struct store_observation rows[] = {row_of(1, 1, "값", 3), row_of(1, 1, "값", 8),
	                                         row_of(1, 2, "값", 2), row_of(2, 1, "", 1)};
	struct store_observation      *found;
	assert_ok(f, f->store->ops->observation_put(f->store, rows, 4, &f->err));
	fixture_reopen(f);
	assert_int_equal(list(f, &found), 3);
	assert_int_equal(found[0].count, 8);
	assert_int_equal(found[0].last_ms, 8);
	assert_true(text_equal(found[0].event, TEXT("주문")));
	assert_true(text_equal(found[0].sample, TEXT("m")));
	assert_int_equal(found[1].family, 2);
	assert_int_equal(found[2].source_number, 2);
	assert_ok(f, f->store->ops->observation_drop(f->store, 1, 1, &f->err));
	assert_int_equal(list(f, &found), 2);
	assert_int_equal(found[0].family, 2);
}

static void a_deleted_source_takes_plan_and_observations_along(void **state)
{
	struct fixture     *f      = *state;
	struct store_source source = {
		.id = "s-1", .name = TEXT("가게"), .write_key = TEXT("k"), .created_ms = 1};
	struct store_observation *found;
	struct store_plan         plan;
	assert_ok(f, f->store->ops->source_put(f->store, &source, true, &f->err));
	const struct store_observation row = row_of(source.number, 1, "p", 1);
	assert_ok(f, put(f, source.number, "{}", 0, &plan));
	assert_ok(f, f->store->ops->observation_put(f->store, &row, 1, &f->err));
	assert_ok(f, f->store->ops->source_delete(f->store, "s-1", &f->err));
	assert_int_equal(list(f, &found), 0);
	assert_int_equal(f->store->ops->plan_get(f->store, source.number, &f->arena, &plan, &f->err),
	                 STATUS_NOT_FOUND);
}

int run_plan_tests(const char *backend)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_plan_is_kept_with_a_version_that_grows),
		STORE_TEST(another_version_than_expected_changes_nothing),
		STORE_TEST(versions_go_on_over_a_deletion),
		STORE_TEST(a_row_takes_the_place_of_the_one_before),
		STORE_TEST(a_deleted_source_takes_plan_and_observations_along),
	};
	return cmocka_run_group_tests_name(backend, tests, NULL, NULL);
}
