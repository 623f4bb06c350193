/* Columns of a partition, kept up while random records come, against what the engine says of each
 * person: trait_holds() and leaf_look_events(). */

#include "query/columns.h"

#include "../engine/run.h"
#include "../seed.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "engine/change/change_record.h"
#include "engine/leaf_value.h"
#include "model/merge_out.h"

enum {
	PERSONS   = 60,
	SLOTS     = 1300, /* three blocks, with holes */
	ROUNDS    = 6,
	STEPS     = 150,
	CHECKS    = 12,
	START_MS  = 1000000,
	HOUR_MS   = 3600000,
	CROWD     = 2500,
	BLOCKS    = 8,
	MASK_SIZE = BLOCKS * COLUMN_BLOCK_WORDS,
};
#define RETENTION_MS (8 * DAY_MS)

struct world {
	struct run            run;
	struct columns_budget budget;
	struct columns       *columns;
	struct plan          *kept;
	struct arena          arena;
	int64_t               now_ms;
	bool                  merged[SLOTS];
	uint64_t              answered; /* tests that had a column */
};

/* ---- Definitions ---- */

static const char *const metrics[] = {
	"\"event\":\"*\",\"aggregate\":\"count\"",
	"\"event\":\"Order Completed\",\"aggregate\":\"count\",\"within\":\"3h\"",
	"\"event\":\"Click\",\"aggregate\":\"count\",\"within\":\"2d\",\"until\":\"5h\"",
	"\"event\":\"Click\",\"aggregate\":\"count\",\"between\":[\"1970-01-02T00:00:00Z\","
	"\"1970-01-05T00:00:00Z\"]",
	"\"event\":\"Order Completed\",\"aggregate\":\"count\",\"within\":\"5d\","
	"\"where\":{\"property\":\"region\",\"op\":\"eq\",\"value\":\"Jeju\"}",
	"\"event\":\"Order "
	"Completed\",\"aggregate\":\"sum\",\"property\":\"revenue\",\"within\":\"2d\"",
	"\"event\":\"Order Completed\",\"aggregate\":\"sum\",\"property\":\"revenue\"",
	"\"event\":\"Order "
	"Completed\",\"aggregate\":\"avg\",\"property\":\"revenue\",\"within\":\"4d\"",
	"\"event\":\"Order "
	"Completed\",\"aggregate\":\"min\",\"property\":\"revenue\",\"within\":\"1d\"",
	"\"event\":\"*\",\"aggregate\":\"max\",\"property\":\"revenue\"",
	"\"event\":\"*\",\"aggregate\":\"distinct\",\"property\":\"region\",\"within\":\"3d\"",
	"\"event\":\"Click\",\"aggregate\":\"days_since_last\"",
	"\"event\":\"Order Completed\",\"aggregate\":\"days_since_first\",\"within\":\"6d\"",
	"\"event\":\"Order Completed\",\"aggregate\":\"days_since_last\"",
};
enum { METRICS = sizeof metrics / sizeof metrics[0] };

/* Has no column of its own, but by the last time. */
static const char any_click[] = "\"event\":\"Click\",\"aggregate\":\"count\",\"within\":\"7h\"";

static const char *const traits[] = {"tier", "age",  "seen", "tags",       "addr.city",
                                     "odd",  "none", "a.b",  "$identified"};
enum { TRAITS = sizeof traits / sizeof traits[0] };

static struct plan *plan_of(struct world *world, const char *expression)
{
	struct buffer canonical = {0}, body = {0};
	struct plan  *plan;
	struct error  err = {0};
	expr_write_canonical(&canonical, run_expr(&world->run, expression));
	struct change_rule   rule   = {.canonical = buffer_text(&canonical)};
	struct change_record record = {.rule_count = 1, .rules = &rule};
	change_record_write_prepare(&body, &record);
	if (plan_compile(buffer_text(&body), RETENTION_MS, &plan, &err) != STATUS_OK)
		fail_msg("%s: %s", expression, err.reason);
	buffer_done(&canonical);
	buffer_done(&body);
	return plan;
}

static void add_number(struct buffer *out)
{
	const char *const numbers[] = {"0", "1", "2", "3", "-1", "0.5", "2.5", "10", "100", "1e9"};
	buffer_printf(out, "%s", numbers[seed_below(10)]);
}

/* A test of an aggregate that is compared with numbers. */
static void add_number_test(struct buffer *out, bool may_miss)
{
	const char *const ops[] = {"eq",  "neq", "gt",     "gte",    "lt",
	                           "lte", "in",  "not_in", "exists", "absent"};
	unsigned          op    = (unsigned)seed_below(may_miss ? 10 : 8);
	buffer_printf(out, "\"op\":\"%s\"", ops[op]);
	if (op >= 8)
		return;
	buffer_printf(out, ",\"value\":%s", op >= 6 ? "[" : "");
	add_number(out);
	for (uint64_t more = op >= 6 ? seed_below(12) : 0; more > 0; more--) {
		buffer_printf(out, ",");
		add_number(out);
	}
	buffer_printf(out, "%s", op >= 6 ? "]" : "");
}

static void add_whole_test(struct buffer *out)
{
	const char *const ops[] = {"eq", "neq", "gt", "gte", "lt", "lte"};
	buffer_printf(out, "\"op\":\"%s\",\"value\":%d", ops[seed_below(6)], (int)seed_below(9));
}

static void add_scalar(struct buffer *out, bool in_words)
{
	const char *const scalars[] = {"\"VIP\"",
	                               "\"Gold\"",
	                               "\"Jeju\"",
	                               "\"VI\"",
	                               "\"1970-01-03T00:00:00Z\"",
	                               "\"1970-01-04\"",
	                               "\"x7\"",
	                               "true",
	                               "5",
	                               "-2.5",
	                               "0"};
	buffer_printf(out, "%s", scalars[seed_below(in_words ? 7 : 11)]);
}

static void add_trait_test(struct buffer *out)
{
	const char *const ops[] = {"eq",        "neq",    "in",     "not_in",      "gt",
	                           "gte",       "lt",     "lte",    "contains",    "starts_with",
	                           "ends_with", "exists", "absent", "within_last", "within_next",
	                           "before",    "after"};
	unsigned          op    = (unsigned)seed_below(17);
	buffer_printf(out, "\"op\":\"%s\"", ops[op]);
	if (op == 11 || op == 12)
		return;
	buffer_printf(out, ",\"value\":");
	if (op >= 13 && op <= 14) {
		buffer_printf(out, "\"%dh\"", 1 + (int)seed_below(90));
	} else if (op >= 15) {
		buffer_printf(out, "\"1970-01-0%dT00:00:00Z\"", 2 + (int)seed_below(7));
	} else if (op >= 8) {
		add_scalar(out, true);
	} else if (op >= 4) {
		add_number(out);
	} else if (op >= 2) {
		buffer_printf(out, "[");
		add_scalar(out, false);
		for (uint64_t more = seed_below(12); more > 0; more--) {
			buffer_printf(out, ",");
			add_scalar(out, false);
		}
		buffer_printf(out, "]");
	} else {
		add_scalar(out, false);
	}
}

static struct plan *random_leaf(struct world *world, const char *metric)
{
	struct buffer out = {0};
	buffer_printf(&out, "{%s,", metric);
	bool days = strstr(metric, "days_since") != NULL;
	bool may_miss =
		days || strstr(metric, "\"avg\"") || strstr(metric, "\"min\"") || strstr(metric, "\"max\"");
	if (days)
		add_whole_test(&out);
	else
		add_number_test(&out, may_miss);
	buffer_printf(&out, "}");
	buffer_add_u8(&out, 0);
	struct plan *plan = plan_of(world, out.data);
	buffer_done(&out);
	return plan;
}

static struct plan *random_trait(struct world *world, const char *name)
{
	struct buffer out = {0};
	buffer_printf(&out, "{\"trait\":\"%s\",", name);
	add_trait_test(&out);
	buffer_printf(&out, "}");
	buffer_add_u8(&out, 0);
	struct plan *plan = plan_of(world, out.data);
	buffer_done(&out);
	return plan;
}

/* All metrics but any_click, and the trait that is within an object. */
static struct plan *kept_plan(struct world *world)
{
	struct buffer out = {0};
	buffer_printf(&out, "{\"and\":[");
	for (unsigned i = 0; i < METRICS; i++)
		buffer_printf(&out, "{%s,\"op\":\"gte\",\"value\":1},", metrics[i]);
	buffer_printf(&out, "{\"trait\":\"addr.city\",\"op\":\"exists\"}]}");
	buffer_add_u8(&out, 0);
	struct plan *plan = plan_of(world, out.data);
	buffer_done(&out);
	return plan;
}

/* ---- What comes in ---- */

static uint32_t random_slot(void) { return (uint32_t)seed_below(PERSONS) * 21 % SLOTS; }

static void feed(struct world *world, struct record record, const char *list)
{
	struct buffer encoded = {0};
	struct json   root;
	struct error  err   = {0};
	unsigned      count = 0;
	assert_int_equal(json_parse_text(world->run.parser, text_of(list), &root, &err), STATUS_OK);
	size_t begin = value_list_begin(&encoded);
	for (struct json_iterator i = json_iterate(root); json_next(&i); count++)
		assert_int_equal(value_add_json(&encoded, i.name, i.value, &err), STATUS_OK);
	if (record.kind == RECORD_TRAITS && seed_below(5) == 0) {
		value_add(&encoded, TEXT("odd"), &(struct value){.type = VALUE_PERSONAL});
		count++;
	}
	value_list_end(&encoded, begin, count);
	record.properties = buffer_text(&encoded);
	record.flags      = record.slot % 2 == 0 ? RECORD_IDENTIFIED : 0;
	record.skew_ms    = INSTANT_MS_NONE;
	run_feed(&world->run, world->now_ms, &record);
	buffer_done(&encoded);
}

static void random_event(struct world *world)
{
	const char *const names[]   = {"Order Completed", "Order Completed", "Click", "Click",
	                               "Order Updated",   "Order Cancelled", "Other"};
	const char *const regions[] = {"\"Jeju\"", "\"Busan\"", "[\"Jeju\",\"Seoul\"]", "7", "null"};
	char              properties[200];
	int64_t           time_ms = world->now_ms;
	if (seed_below(4) == 0)
		time_ms -= (int64_t)seed_below(3 * (uint64_t)DAY_MS);
	else if (seed_below(5) == 0)
		time_ms += (int64_t)seed_below(300000);
	snprintf(properties, sizeof properties,
	         "{\"region\":%s,\"revenue\":%d.%d,\"order_id\":\"o%d\"}", regions[seed_below(5)],
	         (int)seed_below(9) - 3, (int)seed_below(3) * 5, (int)seed_below(400));
	feed(world,
	     (struct record){.kind         = RECORD_EVENT,
	                     .slot         = random_slot(),
	                     .call         = CALL_TRACK,
	                     .timestamp_ms = time_ms,
	                     .name         = text_of(names[seed_below(7)])},
	     properties);
}

static void random_traits(struct world *world)
{
	const char *const values[] = {"\"VIP\"",
	                              "\"Gold\"",
	                              "\"Bronze VIP\"",
	                              "5",
	                              "-2.5",
	                              "0",
	                              "100",
	                              "true",
	                              "false",
	                              "null",
	                              "[\"VIP\",\"Gold\"]",
	                              "[]",
	                              "[\"Jeju\"]",
	                              "[1,2]",
	                              "{\"city\":\"Jeju\"}",
	                              "{\"city\":5}",
	                              "\"1970-01-03T00:00:00Z\"",
	                              "\"1970-01-04\"",
	                              "\"1970-01-05T12:30:00Z\""};
	const char *const names[]  = {"tier", "age", "seen", "tags", "addr", "odd", "a.b", "a", "b"};
	char              list[200], word[16];
	snprintf(word, sizeof word, "\"x%d\"", (int)seed_below(30));
	snprintf(list, sizeof list, "{\"%s\":%s,\"%s\":%s,\"addr.city\":%s}", names[seed_below(9)],
	         values[seed_below(19)], names[seed_below(9)], values[seed_below(19)],
	         seed_below(4) == 0 ? word : "null");
	feed(world,
	     (struct record){.kind         = RECORD_TRAITS,
	                     .slot         = random_slot(),
	                     .call         = CALL_IDENTIFY,
	                     .timestamp_ms = INSTANT_MS_NONE},
	     list);
}

/* Everything that a visitor has goes to a user. */
static void random_merge(struct world *world)
{
	uint32_t       visitor = random_slot() | 1, user = random_slot() & ~1U;
	struct merges *merges = &world->run.partition->merges;
	struct buffer  body = {0}, out = {0};
	uint32_t       count;
	if (visitor >= SLOTS || world->merged[visitor])
		return;
	world->merged[visitor] = true;
	merge_out_encode((struct person){0, user}, &body);
	run_feed(
		&world->run, world->now_ms,
		&(struct record){.kind = RECORD_MERGE_OUT, .slot = visitor, .body = buffer_text(&body)});
	while (merges->caused.count > 0) {
		struct merge_cursor cursor = {0};
		buffer_clear(&out);
		assert_true(merge_encode(world->run.partition, &merges->caused.items[0], &cursor,
		                         MERGE_APPEND_BYTES, &out, &count));
		struct text left = buffer_text(&out);
		for (uint32_t i = 0; i < count; i++) {
			struct record record;
			struct error  err;
			size_t        size;
			assert_int_equal(record_decode(left, &record, &size, &err), STATUS_OK);
			run_feed(&world->run, world->now_ms, &record);
			left = (struct text){left.data + size, left.length - size};
		}
		merge_caused_remove(world->run.partition);
	}
	buffer_done(&body);
	buffer_done(&out);
}

static void random_step(struct world *world)
{
	world->now_ms += (int64_t)seed_below(seed_below(8) == 0 ? 9 * HOUR_MS : HOUR_MS / 2);
	partition_advance(world->run.partition, world->now_ms);
	uint64_t what = seed_below(20);
	if (what == 0)
		random_merge(world);
	else if (what < 7)
		random_traits(world);
	else
		random_event(world);
}

/* ---- The check ---- */

struct asked {
	uint64_t among[MASK_SIZE];
	uint64_t holds[MASK_SIZE];
	uint64_t unknown[MASK_SIZE];
};

static bool bit(const uint64_t *mask, uint32_t slot)
{
	return (mask[slot / 64] >> slot % 64 & 1) != 0;
}

static uint32_t ask(struct world *world, const struct column_test *test, struct asked *asked)
{
	uint32_t blocks = columns_block_count(world->columns);
	columns_persons(world->columns, 0, blocks, asked->among);
	for (uint32_t slot = 0; slot < blocks * COLUMN_BLOCK_SLOTS; slot++)
		assert_int_equal(bit(asked->among, slot),
		                 profiles_find(&world->run.partition->profiles, slot) != NULL);
	for (uint32_t i = 0; i < blocks * COLUMN_BLOCK_WORDS; i++)
		asked->among[i] &= seed_below(4) == 0 ? seed_next() : UINT64_MAX;
	column_test_run(test, 0, blocks, asked->among, asked->holds, asked->unknown);
	assert_true(column_test_share(test) <= 1000000);
	return blocks;
}

static void check_leaf(struct world *world, const char *metric)
{
	struct plan               *plan      = random_leaf(world, metric);
	const struct plan_leaf    *leaf      = &plan->leaves[0];
	const struct plan_feature *feature   = &plan->features[leaf->feature];
	struct partition          *partition = world->run.partition;
	static struct asked        asked;
	struct column_test        *test =
		columns_test_leaf(world->columns, feature, leaf, world->now_ms, &world->arena);
	world->answered += test != NULL;
	uint32_t blocks = test == NULL ? 0 : ask(world, test, &asked);
	for (uint32_t slot = 0; slot < blocks * COLUMN_BLOCK_SLOTS; slot++) {
		assert_false(bit(asked.unknown, slot));
		bool wanted = bit(asked.among, slot) &&
		              leaf_look_events(partition, slot, leaf, feature, world->now_ms, NULL);
		if (bit(asked.holds, slot) != wanted)
			fail_msg("slot %u at %lld: %s", slot, (long long)world->now_ms,
			         plan->rules[0].canonical.data);
	}
	plan_unref(plan);
}

/* The sum of those asked, one by one and of all. */
static void check_sum(struct world *world, const char *metric)
{
	struct plan               *plan    = random_leaf(world, metric);
	const struct plan_leaf    *leaf    = &plan->leaves[0];
	const struct plan_feature *feature = &plan->features[leaf->feature];
	static struct asked        asked;
	struct column *column = columns_metric(world->columns, feature, leaf, world->now_ms);
	uint32_t       blocks = column == NULL ? 0 : columns_block_count(world->columns);
	__int128       sum = 0, wanted = 0;
	if (blocks > 0) {
		columns_persons(world->columns, 0, blocks, asked.among);
		column_sum(column, 0, blocks, asked.among, &sum, asked.unknown);
	}
	for (uint32_t slot = 0; slot < blocks * COLUMN_BLOCK_SLOTS; slot++) {
		if (!bit(asked.among, slot))
			continue;
		struct leaf_value value =
			leaf_value(world->run.partition, slot, feature, leaf, world->now_ms, &world->arena);
		struct column_value kept = column_value(column, slot);
		assert_true(value.count == 0 ? kept.class == COLUMN_MISSING : kept.integer == value.sum);
		wanted += value.sum;
	}
	assert_true(sum == wanted);
	plan_unref(plan);
}

static void check_trait(struct world *world, const char *name)
{
	struct plan            *plan  = random_trait(world, name);
	const struct trait_leaf trait = {.plan = &plan->traits[0]};
	static struct asked     asked;
	struct column_test     *test =
		columns_test_trait(world->columns, trait.plan, world->now_ms, &world->arena);
	world->answered += test != NULL;
	uint32_t blocks = test == NULL ? 0 : ask(world, test, &asked);
	for (uint32_t slot = 0; slot < blocks * COLUMN_BLOCK_SLOTS; slot++) {
		const struct profile *profile = profiles_find(&world->run.partition->profiles, slot);
		struct text           list = profile == NULL ? (struct text){0} : profile_traits(profile);
		int64_t               at_ms;
		if (bit(asked.unknown, slot)) { /* only a string of which but the instant is kept */
			struct value value = trait_value(&trait, list, profile->identified);
			assert_true(value.type == VALUE_STRING && instant_parse(value.text, &at_ms));
			continue;
		}
		bool wanted =
			bit(asked.among, slot) && trait_holds(&trait, list, profile->identified, world->now_ms);
		if (bit(asked.holds, slot) != wanted)
			fail_msg("slot %u at %lld: %s", slot, (long long)world->now_ms,
			         plan->rules[0].canonical.data);
	}
	plan_unref(plan);
}

static void check_some(struct world *world)
{
	arena_reset(&world->arena);
	for (unsigned i = 0; i < CHECKS; i++) {
		check_leaf(world, metrics[seed_below(METRICS)]);
		check_trait(world, traits[seed_below(TRAITS)]);
	}
	check_leaf(world, any_click);
	check_sum(world, metrics[5 + seed_below(2)]);
}

/* ---- The tests ---- */

static void begin(struct world *world)
{
	memset(world, 0, sizeof *world);
	run_begin_retaining(&world->run, RETENTION_MS);
	arena_init(&world->arena);
	world->now_ms             = START_MS;
	world->budget.limit_bytes = UINT64_MAX;
}

static void watch(struct world *world)
{
	world->columns = columns_new(world->run.partition, &world->budget);
	world->kept    = kept_plan(world);
	assert_true(columns_keep(world->columns, world->kept));
}

static void end(struct world *world)
{
	columns_free(world->columns);
	assert_int_equal(atomic_load(&world->budget.used_bytes), 0);
	plan_unref(world->kept);
	arena_done(&world->arena);
	run_done(&world->run);
}

static void build(struct world *world)
{
	while (columns_work(world->columns, INT64_MAX))
		;
}

static void columns_answer_as_the_engine_does_while_records_come(void **state)
{
	(void)state;
	static struct world world;
	for (unsigned round = 0; round < ROUNDS; round++) {
		begin(&world);
		for (unsigned i = (unsigned)seed_below(STEPS); i > 0; i--)
			random_step(&world);
		watch(&world);
		for (unsigned i = 0; i < STEPS; i++) {
			random_step(&world);
			/* At first in slices that are over at once, so that records come in between. */
			if (i > STEPS / 2 || seed_below(4) == 0)
				columns_work(world.columns,
				             i > STEPS / 2 ? INT64_MAX : clock_monotonic_ns() + 20000);
			if (seed_below(8) == 0)
				check_some(&world);
		}
		build(&world);
		world.answered = 0;
		for (unsigned i = 0; i < METRICS; i++)
			check_leaf(&world, metrics[i]);
		for (unsigned i = 0; i < TRAITS; i++)
			check_trait(&world, traits[i]);
		assert_true(world.answered >= METRICS + TRAITS - 1); /* a.b may never have come */
		end(&world);
	}
}

static void what_changes_by_time_alone_is_looked_at_again(void **state)
{
	(void)state;
	static struct world world;
	begin(&world);
	watch(&world);
	for (unsigned i = 0; i < STEPS; i++)
		random_step(&world);
	build(&world);
	for (unsigned i = 0; i < 100; i++) {
		world.now_ms += (int64_t)seed_below(6 * HOUR_MS);
		partition_advance(world.run.partition, world.now_ms);
		check_some(&world);
	}
	end(&world);
}

/* So many that they are measured together, not one by one. */
static void many_who_change_at_once_are_measured_together(void **state)
{
	(void)state;
	static struct world world;
	begin(&world);
	watch(&world);
	for (uint32_t slot = 0; slot < CROWD; slot++)
		feed(&world,
		     (struct record){.kind         = RECORD_EVENT,
		                     .slot         = slot,
		                     .call         = CALL_TRACK,
		                     .timestamp_ms = world.now_ms,
		                     .name         = TEXT("Order Completed")},
		     "{\"region\":\"Jeju\",\"revenue\":2}");
	build(&world);
	for (unsigned day = 0; day < 8; day++) {
		check_leaf(&world, metrics[seed_below(METRICS)]);
		check_leaf(&world, metrics[5]); /* a sum within two days */
		check_leaf(&world, metrics[7]); /* measured anew with each event */
		world.now_ms += 20 * HOUR_MS;
		partition_advance(world.run.partition, world.now_ms);
		for (uint32_t slot = day % 2; slot < CROWD && day < 3; slot += 1 + slot % 3)
			feed(&world,
			     (struct record){.kind         = RECORD_EVENT,
			                     .slot         = slot,
			                     .call         = CALL_TRACK,
			                     .timestamp_ms = world.now_ms,
			                     .name         = TEXT("Order Completed")},
			     "{\"region\":\"Busan\",\"revenue\":-3.5}");
	}
	end(&world);
}

static void assert_nobody_has(struct world *world, const char *name)
{
	struct profiles *profiles = &world->run.partition->profiles;
	for (uint32_t slot = 0; slot < profiles->slot_count; slot++) {
		const struct profile *profile = profiles_find(profiles, slot);
		struct text           text    = text_of(name);
		struct value          value   = {.type = VALUE_NONE};
		if (profile != NULL && profile->traits != NULL)
			value = value_find(profile_traits(profile), text, hash_name(text));
		assert_false(evaluate_exists(&value));
	}
}

static void counts_by_code_are_those_of_the_values(void **state)
{
	(void)state;
	static struct world world;
	static struct asked asked;
	begin(&world);
	watch(&world);
	for (unsigned i = 0; i < STEPS; i++)
		random_step(&world);
	build(&world);
	for (unsigned i = 0; i < 4; i++) {
		struct column  *column = columns_trait(world.columns, text_of(traits[i]), world.now_ms);
		uint32_t        blocks = columns_block_count(world.columns);
		static uint64_t counts[COLUMN_CODES_MAX], wanted[COLUMN_CODES_MAX];
		uint64_t        classes[COLUMN_CLASS_COUNT] = {0}, wanted_classes[COLUMN_CLASS_COUNT] = {0};
		memset(counts, 0, sizeof counts);
		memset(wanted, 0, sizeof wanted);
		if (column == NULL) {
			assert_nobody_has(&world, traits[i]);
			continue;
		}
		columns_persons(world.columns, 0, blocks, asked.among);
		column_count(column, 0, blocks, asked.among, counts, classes, asked.holds);
		for (uint32_t slot = 0; slot < blocks * COLUMN_BLOCK_SLOTS; slot++) {
			struct column_value value = column_value(column, slot);
			if (!bit(asked.among, slot))
				continue;
			wanted_classes[value.class]++;
			if (value.class == COLUMN_CODE)
				wanted[value.code]++;
			assert_int_equal(bit(asked.holds, slot),
			                 value.class != COLUMN_CODE && value.class != COLUMN_MISSING);
		}
		assert_memory_equal(counts, wanted, sizeof counts);
		assert_memory_equal(classes, wanted_classes, sizeof classes);
		for (uint32_t code = 0; code < column_code_count(column); code++)
			assert_true(column_code_value(column, code).type != VALUE_NONE);
	}
	end(&world);
}

static void more_different_strings_than_there_are_codes_are_not_known(void **state)
{
	(void)state;
	static struct world world;
	static struct asked asked;
	begin(&world);
	watch(&world);
	for (int i = 0; i < COLUMN_CODES_MAX + 100; i++) {
		char list[64];
		snprintf(list, sizeof list, "{\"key\":\"k%d\"}", i);
		feed(&world,
		     (struct record){.kind         = RECORD_TRAITS,
		                     .slot         = (uint32_t)i,
		                     .call         = CALL_IDENTIFY,
		                     .timestamp_ms = INSTANT_MS_NONE},
		     list);
	}
	build(&world);
	struct plan *plan = plan_of(&world, "{\"trait\":\"key\",\"op\":\"eq\",\"value\":\"k7\"}");
	struct column_test *test =
		columns_test_trait(world.columns, &plan->traits[0], world.now_ms, &world.arena);
	uint64_t known = 0, unknown = 0;
	for (uint32_t block = 0; block < columns_block_count(world.columns); block++) {
		columns_persons(world.columns, block, 1, asked.among);
		assert_int_equal(column_test_run(test, block, 1, asked.among, asked.holds, asked.unknown),
		                 block >= COLUMN_CODES_MAX / COLUMN_BLOCK_SLOTS);
		for (unsigned i = 0; i < COLUMN_BLOCK_WORDS; i++) {
			known += (unsigned)__builtin_popcountll(asked.holds[i]);
			unknown += (unsigned)__builtin_popcountll(asked.unknown[i]);
		}
	}
	assert_int_equal(known, 1);
	assert_int_equal(unknown, 100);
	plan_unref(plan);
	end(&world);
}

static void what_is_forgotten_has_no_column(void **state)
{
	(void)state;
	static struct world world;
	begin(&world);
	watch(&world);
	random_event(&world);
	build(&world);
	struct columns_status status;
	columns_status(world.columns, &status);
	assert_true(status.columns_built >= METRICS && status.dirty == 0 && status.bytes > 0);
	struct plan *plan = random_leaf(&world, metrics[0]);
	assert_non_null(
		columns_test_leaf(world.columns, plan->features, plan->leaves, world.now_ms, &world.arena));
	columns_forget(world.columns, world.kept);
	assert_null(
		columns_test_leaf(world.columns, plan->features, plan->leaves, world.now_ms, &world.arena));
	plan_unref(plan);
	end(&world);
}

static void random_home(struct world *world)
{
	char list[64];
	snprintf(list, sizeof list, "{\"home\":{\"city\":\"%s\"}}",
	         seed_below(2) == 0 ? "Jeju" : "VIP");
	feed(world,
	     (struct record){.kind         = RECORD_TRAITS,
	                     .slot         = random_slot(),
	                     .call         = CALL_IDENTIFY,
	                     .timestamp_ms = INSTANT_MS_NONE},
	     list);
}

static void a_trait_within_objects_has_a_column_once_it_is_kept(void **state)
{
	(void)state;
	static struct world world;
	begin(&world);
	world.columns = columns_new(world.run.partition, &world.budget);
	world.kept    = plan_of(&world, "{\"trait\":\"home.city\",\"op\":\"exists\"}");
	for (unsigned i = 0; i < STEPS; i++)
		random_step(&world);
	for (unsigned i = 0; i < 9; i++)
		random_home(&world);
	build(&world);
	assert_true(columns_keep(world.columns, world.kept));
	build(&world);
	assert_non_null(
		columns_test_trait(world.columns, world.kept->traits, world.now_ms, &world.arena));
	for (unsigned i = 0; i < STEPS; i++) {
		random_home(&world);
		check_trait(&world, "home.city");
	}
	end(&world);
}

static void nothing_is_kept_beyond_the_budget(void **state)
{
	(void)state;
	static struct world world;
	begin(&world);
	world.budget.limit_bytes = 0;
	world.columns            = columns_new(world.run.partition, &world.budget);
	world.kept               = kept_plan(&world);
	assert_false(columns_keep(world.columns, world.kept));
	random_traits(&world);
	build(&world);
	struct plan *plan = random_trait(&world, "tier");
	assert_null(columns_test_trait(world.columns, plan->traits, world.now_ms, &world.arena));
	plan_unref(plan);

	/* What was refused is forgotten like what was kept, and may then be kept. */
	world.budget.limit_bytes = UINT64_MAX;
	assert_false(columns_keep(world.columns, world.kept));
	columns_forget(world.columns, world.kept);
	columns_forget(world.columns, world.kept);
	assert_true(columns_keep(world.columns, world.kept));
	build(&world);
	check_leaf(&world, metrics[0]);
	assert_int_equal(world.answered, 1);
	end(&world);
}

static void beyond_the_budget_the_largest_go_and_the_others_answer(void **state)
{
	(void)state;
	static struct world   world;
	struct columns_status before, after;
	begin(&world);
	watch(&world);
	for (unsigned i = 0; i < STEPS; i++)
		random_step(&world);
	build(&world);
	columns_status(world.columns, &before);
	world.budget.limit_bytes = before.bytes / 2;
	for (unsigned i = 0; i < STEPS; i++) {
		random_step(&world);
		columns_work(world.columns, INT64_MAX);
		if (seed_below(8) == 0)
			check_some(&world);
	}
	columns_status(world.columns, &after);
	assert_true(after.bytes <= before.bytes / 2);
	assert_true(after.columns > 0 && after.columns < before.columns);
	assert_int_equal(after.columns, after.columns_built);
	end(&world);
}

static void the_partition_may_be_freed_first(void **state)
{
	(void)state;
	static struct world world;
	begin(&world);
	for (unsigned i = 0; i < STEPS; i++)
		random_step(&world);
	watch(&world);
	columns_work(world.columns, clock_monotonic_ns() + 100000);
	run_done(&world.run);
	columns_free(world.columns);
	assert_int_equal(atomic_load(&world.budget.used_bytes), 0);
	plan_unref(world.kept);
	arena_done(&world.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_answer_as_the_engine_does_while_records_come),
		cmocka_unit_test(what_changes_by_time_alone_is_looked_at_again),
		cmocka_unit_test(many_who_change_at_once_are_measured_together),
		cmocka_unit_test(counts_by_code_are_those_of_the_values),
		cmocka_unit_test(more_different_strings_than_there_are_codes_are_not_known),
		cmocka_unit_test(what_is_forgotten_has_no_column),
		cmocka_unit_test(a_trait_within_objects_has_a_column_once_it_is_kept),
		cmocka_unit_test(nothing_is_kept_beyond_the_budget),
		cmocka_unit_test(beyond_the_budget_the_largest_go_and_the_others_answer),
		cmocka_unit_test(the_partition_may_be_freed_first),
	};
	seed_begin("columns");
	return cmocka_run_group_tests_name("columns", tests, NULL, NULL);
}
