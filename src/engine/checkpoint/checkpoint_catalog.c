#include "engine/checkpoint/checkpoint_catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/change/change_record.h"
#include "engine/apply/leaf.h"
#include "engine/catalog/plan_cache.h"

/* ---- Writing ---- */

static int compare_rules(const void *left, const void *right)
{
	const struct rule *const *a = left, *const *b = right;
	if ((*a)->level != (*b)->level)
		return (*a)->level < (*b)->level ? -1 : 1;
	return ((*a)->segment > (*b)->segment) - ((*a)->segment < (*b)->segment);
}

void checkpoint_catalog_write(const struct catalog *catalog, struct buffer *out)
{
	VECTOR(const struct rule *) live = {0};
	VECTOR(struct change_rule) rules = {0};
	for (size_t i = 0; i < catalog->live.count; i++)
		if (catalog->live.items[i] != RULE_NONE)
			VECTOR_ADD(&live, &catalog->rules.items[catalog->live.items[i]]);
	if (live.count > 0)
		qsort(live.items, live.count, sizeof *live.items, compare_rules);
	for (size_t i = 0; i < live.count; i++)
		VECTOR_ADD(&rules,
		           (struct change_rule){live.items[i]->segment, live.items[i]->plan->version,
		                                live.items[i]->plan->canonical});

	struct buffer        body   = {0};
	struct change_record record = {.rule_count = rules.count, .rules = rules.items};
	change_record_write_prepare(&body, &record);
	/* Partitions with the same definitions share the plan by its id: above those of changes. */
	record.id = hash_bytes(body.data, body.length) | UINT64_C(1) << 63;
	memcpy(body.data, &record.id, sizeof record.id);
	buffer_reserve(out, body.length + 16 * live.count + VARINT_BYTES_MAX);
	buffer_add_sized(out, buffer_text(&body));
	for (size_t i = 0; i < live.count; i++) {
		buffer_add_i64(out, live.items[i]->since_ms[false]);
		buffer_add_i64(out, live.items[i]->since_ms[true]);
	}
	buffer_done(&body);
	VECTOR_DONE(&rules);
	VECTOR_DONE(&live);
}

/* ---- Reading ---- */

/* Whether each refers only to those before it. */
static bool is_ordered(const struct plan *plan)
{
	struct map_u64 seen    = {0};
	bool           ordered = true;
	for (uint32_t i = 0; i < plan->rule_count && ordered; i++) {
		for (uint32_t j = 0; j < plan->rules[i].segment_count; j++)
			ordered &= map_u64_find(&seen, plan->rules[i].segments[j]) != NULL;
		*map_u64_put(&seen, plan->rules[i].segment) = 1;
	}
	map_u64_done(&seen);
	return ordered;
}

static void go_live(struct partition *partition, const index_list *features,
                    const index_list *rules, struct byte_reader *since)
{
	struct catalog *catalog = &partition->catalog;
	for (size_t i = 0; i < features->count; i++)
		catalog->features.items[features->items[i]].built = BUILT_ALL;
	for (size_t i = 0; i < rules->count; i++) {
		struct rule *rule = &catalog->rules.items[rules->items[i]];
		rule->built       = BUILT_ALL;
		rule->state       = RULE_LIVE;
		for (int identified = 0; identified < 2; identified++) {
			rule->since_ms[identified] = read_i64(since);
			rule->holds[identified] = rule_holds_by_default(partition, rules->items[i], identified);
		}
		catalog_set_live(catalog, rule->segment, rules->items[i]);
	}
}

enum status checkpoint_catalog_read(struct partition *partition, struct text bytes,
                                    struct error *err)
{
	struct byte_reader reader = byte_reader_of(bytes.data, bytes.length);
	struct text        body   = read_sized(&reader);
	struct byte_reader head   = byte_reader_of(body.data, body.length);
	uint64_t           id     = read_u64(&head);
	struct plan       *plan;
	if (head.failed)
		return error_set(err, STATUS_CORRUPT, "the definitions cannot be read");
	enum status status = plan_cache_get(partition->plans, id, body, &plan, err);
	if (status != STATUS_OK)
		return status;
	if (is_ordered(plan) && read_left(&reader) == 16 * (uint64_t)plan->rule_count) {
		struct catalog_news news = {0};
		catalog_add(&partition->catalog, plan, &news);
		go_live(partition, &news.features, &news.rules, &reader);
		catalog_news_done(&news);
	} else {
		status = error_set(err, STATUS_CORRUPT, "the definitions cannot be read");
	}
	plan_unref(plan);
	return status;
}
