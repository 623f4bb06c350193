/* What is found against every `where` evaluated by itself, with random ones and random events. */

#include "../seed.h"
#include "engine/catalog/filter_index.h"
#include "base/hash.h"
#include "run.h"

enum { ROUNDS = 60, FEATURES = 24, EVENTS = 40 };

static const char *const forms[] = {
	"{\"property\":\"region\",\"op\":\"eq\",\"value\":\"r%u\"}",
	"{\"property\":\"region\",\"op\":\"in\",\"value\":[\"r%u\",\"r1\",\"\"]}",
	"{\"property\":\"region\",\"op\":\"neq\",\"value\":\"r%u\"}",
	"{\"property\":\"price\",\"op\":\"gte\",\"value\":%u}",
	"{\"property\":\"price\",\"op\":\"gt\",\"value\":%u}",
	"{\"property\":\"price\",\"op\":\"lt\",\"value\":%u}",
	"{\"property\":\"price\",\"op\":\"lte\",\"value\":%u}",
	"{\"property\":\"price\",\"op\":\"eq\",\"value\":%u}",
	"{\"property\":\"context.price\",\"op\":\"gte\",\"value\":%u}",
	"{\"property\":\"tags.inner\",\"op\":\"eq\",\"value\":\"r%u\"}",
};
enum { FORMS = sizeof forms / sizeof forms[0] };

static const char *const properties[] = {
	"{\"region\":\"r%u\",\"price\":%u}",
	"{\"region\":[\"r%u\",\"r%u\",\"r1\"],\"price\":\"3\"}",
	"{\"region\":%u,\"price\":%u.5}",
	"{\"tags\":{\"inner\":\"r%u\"},\"price\":-%u}",
	"{\"region\":\"\",\"tags.inner\":\"r%u\",\"context.price\":%u}",
};
enum { PROPERTIES = sizeof properties / sizeof properties[0] };

static char *random_test(struct arena *arena)
{
	char part[256];
	snprintf(part, sizeof part, forms[seed_below(FORMS)], (unsigned)seed_below(4));
	return arena_printf(arena, "%s", part);
}

static char *random_where(struct arena *arena)
{
	const char *first = random_test(arena), *second = random_test(arena);
	switch (seed_below(4)) {
	case 0:
		return arena_printf(arena, "{\"and\":[%s,%s]}", first, second);
	case 1:
		return arena_printf(arena, "{\"or\":[%s,%s]}", first, second);
	default:
		return arena_printf(arena, "%s", first);
	}
}

static void add_feature(struct run *run, struct filter_index *index, struct plan *plan,
                        struct plan_feature *feature, uint32_t number)
{
	struct expr *expr = run_expr(
		run, arena_printf(&run->arena, "{\"event\":\"E\",\"where\":%s,\"op\":\"gte\",\"value\":1}",
	                      random_where(&run->arena)));
	*feature = (struct plan_feature){
		.where  = evaluate_compile_where(expr->event.where, &run->arena),
		.filter = plan_filter_of(expr->event.where, &run->arena),
	};
	filter_index_add(index, feature, plan, number);
}

static struct text random_properties(struct run *run, struct buffer *list)
{
	char         json[256];
	struct json  root;
	struct error err;
	snprintf(json, sizeof json, properties[seed_below(PROPERTIES)], (unsigned)seed_below(4),
	         (unsigned)seed_below(4));
	assert_int_equal(json_parse_text(run->parser, text_of(json), &root, &err), STATUS_OK);
	buffer_clear(list);
	assert_int_equal(value_add_json(list, TEXT("all"), root, &err), STATUS_OK);
	/* The list of the object, without the entry around it. */
	struct text   outer = buffer_text(list);
	struct buffer whole = {0};
	buffer_add_varint(&whole, 1);
	buffer_add_text(&whole, outer);
	struct value value = value_find(buffer_text(&whole), TEXT("all"), hash_name(TEXT("all")));
	struct text  text  = arena_text(&run->arena, value.text);
	buffer_done(&whole);
	return text;
}

static void check_event(const struct filter_index *index, const struct plan_feature *features,
                        const bool *removed, struct text list)
{
	found_list found           = {0};
	unsigned   times[FEATURES] = {0};
	filter_index_find(index, list, &found);
	for (size_t i = 0; i < found.count; i++) {
		uint32_t number = found.items[i].number;
		times[number]++;
		if (found.items[i].sure)
			assert_true(evaluate_where(features[number].where, list, (struct text){0}, 0));
	}
	for (uint32_t i = 0; i < FEATURES; i++) {
		assert_true(times[i] <= 1);
		if (removed[i])
			assert_int_equal(times[i], 0);
		else if (evaluate_where(features[i].where, list, (struct text){0}, 0))
			assert_int_equal(times[i], 1);
	}
	VECTOR_DONE(&found);
}

static void every_feature_that_matches_is_found_once_and_the_sure_ones_match(void **state)
{
	(void)state;
	struct run    run;
	struct buffer list = {0};
	run_begin(&run);
	seed_begin("filter_index");
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct filter_index index = {0};
		struct plan         plan  = {.references = 1};
		struct plan_feature features[FEATURES];
		bool                removed[FEATURES] = {false};
		for (uint32_t i = 0; i < FEATURES; i++)
			add_feature(&run, &index, &plan, &features[i], i);
		for (unsigned i = 0; i < EVENTS; i++) {
			check_event(&index, features, removed, random_properties(&run, &list));
			uint32_t gone = (uint32_t)seed_below(FEATURES * 4);
			if (gone >= FEATURES || removed[gone])
				continue;
			filter_index_remove(&index, &features[gone], gone);
			removed[gone] = true;
		}
		filter_index_done(&index);
		assert_int_equal(plan.references, 1);
	}
	buffer_done(&list);
	run_done(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_feature_that_matches_is_found_once_and_the_sure_ones_match),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
