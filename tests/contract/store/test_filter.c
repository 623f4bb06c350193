/* Filters of audiences that were added. */

#include <stdio.h>

#include "backend.h"

static struct store_filter put(struct fixture *f, const char *name, const char *definition,
                               int64_t now_ms)
{
	struct store_filter filter = {
		.name = text_of(name), .definition = text_of(definition), .updated_ms = now_ms};
	assert_ok(f, f->store->ops->filter_put(f->store, &filter, &f->err));
	return filter;
}

static void a_filter_is_there_until_it_is_deleted_also_after_a_restart(void **state)
{
	struct fixture      *f = *state;
	struct store_filter *filters;
	size_t               count;
	put(f, "size", "{\"a\":1}", 5);
	put(f, "colour", "{}", 6);
	assert_int_equal(put(f, "size", "{\"라벨\":2}", 7).created_ms, 5);
	fixture_reopen(f);
	assert_ok(f, f->store->ops->filter_list(f->store, &f->arena, &filters, &count, &f->err));
	assert_int_equal(count, 2);
	assert_true(text_equal(filters[0].name, TEXT("colour")));
	assert_true(text_equal(filters[1].definition, TEXT("{\"라벨\":2}")));
	assert_int_equal(filters[1].created_ms, 5);
	assert_int_equal(filters[1].updated_ms, 7);

	assert_ok(f, f->store->ops->filter_delete(f->store, TEXT("size"), &f->err));
	assert_int_equal(f->store->ops->filter_delete(f->store, TEXT("size"), &f->err),
	                 STATUS_NOT_FOUND);
	assert_ok(f, f->store->ops->filter_list(f->store, &f->arena, &filters, &count, &f->err));
	assert_int_equal(count, 1);
}

static void on_a_full_disk_a_filter_is_not_put(void **state)
{
	struct fixture      *f      = *state;
	struct store_filter  filter = {.name = TEXT("size"), .definition = TEXT("{}")};
	struct store_filter *filters;
	size_t               count;
	f->backend->disk_full(true);
	assert_int_equal(f->store->ops->filter_put(f->store, &filter, &f->err), STATUS_NO_SPACE);
	f->backend->disk_full(false);
	assert_ok(f, f->store->ops->filter_list(f->store, &f->arena, &filters, &count, &f->err));
	assert_int_equal(count, 0);
}

int run_filter_tests(const char *backend)
{
	const struct CMUnitTest filter_tests[] = {
		STORE_TEST(a_filter_is_there_until_it_is_deleted_also_after_a_restart),
		STORE_TEST(on_a_full_disk_a_filter_is_not_put),
	};
	char name[64];
	snprintf(name, sizeof name, "filters of %s", backend);
	return cmocka_run_group_tests_name(name, filter_tests, NULL, NULL);
}
