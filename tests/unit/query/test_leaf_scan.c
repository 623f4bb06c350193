/* Leaves scanned over many persons against the engine's own look at each of them: random leaves,
 * events in parts and tails, late and future ones, corrections, merges, while the store changes. */

#include "query/leaf_scan.h"

#include "../seed.h"
#include "../engine/random_expr.h"
#include "../engine/run.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "engine/change/change_record.h"
#include "engine/fact/facts.h"
#include "model/merge_out.h"

enum { SLOTS = 1400, USERS = 900, ROUNDS = 4, LEAVES = 120, EVENTS = 5000 };

#define PICK(array) ((array)[seed_below(sizeof(array) / sizeof(array)[0])])

struct world {
	struct run             run;
	char                   directory[64];
	struct events_settings settings;
	struct events_store   *store;
	int64_t                now_ms;
	unsigned               alone; /* those who are never merged */
};

static const struct random_scale scale = {.unit_ms         = DAY_MS,
                                          .unit            = "d",
                                          .windows         = {1, 2, 10, 40},
                                          .between_from_ms = 1030 * DAY_MS,
                                          .between_to_ms   = 1070 * DAY_MS,
                                          .retention_ms    = 80 * DAY_MS};

/* ---- The world ---- */

static void begin(struct world *world)
{
	*world = (struct world){
		.settings = {.tail_bytes = 1 << 16, .part_rows_max = 400, .columns_max = 100},
		.now_ms   = 1000 * DAY_MS,
	};
	memcpy(world->directory, "/tmp/sonnim-scan-XXXXXX", sizeof "/tmp/sonnim-scan-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	run_begin_retaining(&world->run, scale.retention_ms);
	const struct events_store_config config = {.directory       = world->directory,
	                                           .partition_count = 1,
	                                           .retention_ms    = scale.retention_ms,
	                                           .budget          = &world->run.budget,
	                                           .settings        = &world->settings,
	                                           .position_end    = UINT64_MAX};
	struct error                     err    = {0};
	if (events_store_open(&config, &world->store, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	partition_free(world->run.partition);
	world->run.partition =
		partition_new(0, scale.retention_ms, events_open(world->store, 0), world->run.plans);
}

static void remove_tree(const char *path)
{
	DIR                 *directory = opendir(path);
	const struct dirent *entry;
	char                 inner[512];
	if (directory == NULL) {
		unlink(path);
		return;
	}
	while ((entry = readdir(directory)) != NULL) {
		snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			remove_tree(inner);
	}
	closedir(directory);
	rmdir(path);
}

static void end(struct world *world)
{
	events_store_stop(world->store);
	run_done(&world->run);
	events_store_close(world->store);
	remove_tree(world->directory);
}

static void poll_store(struct world *world)
{
	events_poll(world->run.partition->events, world->now_ms, world->run.position,
	            EVENTS_FROM_BEGIN);
}

static void flush(struct world *world)
{
	while (!events_flush(world->run.partition->events, world->run.position))
		poll_store(world);
}

/* ---- Events ---- */

static void add_text(struct buffer *list, const char *name, const char *text)
{
	value_add(list, text_of(name), &(struct value){.type = VALUE_STRING, .text = text_of(text)});
}

static void add_number(struct buffer *list, const char *name)
{
	switch (seed_below(6)) {
	case 0:
		value_add(list, text_of(name), &(struct value){.type = VALUE_NULL});
		return;
	case 1:
		add_text(list, name, "12");
		return;
	case 2:
		value_add(list, text_of(name),
		          &(struct value){.type             = VALUE_UINT,
		                          .unsigned_integer = UINT64_C(1) << 63 | seed_below(3)});
		return;
	case 3:
		value_add(list, text_of(name),
		          &(struct value){.type   = VALUE_DOUBLE,
		                          .number = (double)seed_below(100000) / 1000 - 20});
		return;
	default:
		value_add(list, text_of(name),
		          &(struct value){.type = VALUE_INT, .integer = (int64_t)seed_below(90) - 10});
	}
}

static void add_object(struct buffer *list, const char *name, const char *inner, const char *text)
{
	struct buffer object = {0};
	size_t        at     = value_list_begin(&object);
	add_text(&object, inner, text);
	value_list_end(&object, at, 1);
	value_add(list, text_of(name),
	          &(struct value){.type = VALUE_OBJECT, .text = buffer_text(&object)});
	buffer_done(&object);
}

/* Of what the language looks for in other places than the first. */
static void odd_properties(struct buffer *list)
{
	static const char *const plans[] = {"free", "pro", "제주"};
	static const char *const names[] = {"revenue", "amount", "total", "value", "price"};
	size_t                   at      = value_list_begin(list);
	unsigned                 count   = 0;
	for (unsigned i = (unsigned)seed_below(4); i > 0; i--, count++)
		add_number(list, PICK(names));
	switch (seed_below(7)) {
	case 0:
		add_object(list, "user", "plan", PICK(plans));
		break;
	case 1:
		add_text(list, "user", PICK(plans));
		break;
	case 2:
		add_text(list, "user.plan", PICK(plans));
		break;
	case 3:
		add_text(list, "context.device", PICK(plans));
		break;
	case 4:
		value_add(list, TEXT("context.device"), &(struct value){.type = VALUE_NULL});
		break;
	case 5:
		value_add(list, TEXT("user.plan"), &(struct value){.type = VALUE_PERSONAL});
		break;
	default:
		add_text(list, "tag", PICK(plans));
	}
	add_text(list, seed_below(2) ? "region" : "rare", PICK(plans));
	value_list_end(list, at, count + 2);
}

static void add_context(struct buffer *list)
{
	static const char *const devices[] = {"free", "pro", "ios"};
	size_t                   at        = value_list_begin(list);
	add_text(list, "device", PICK(devices));
	add_object(list, "page", "path", PICK(devices));
	value_list_end(list, at, 2);
}

static uint32_t random_slot(void)
{
	/* A few have much, many nothing. */
	return (uint32_t)(seed_below(3) == 0 ? seed_below(20) * 61 : seed_below(SLOTS));
}

static void feed(struct world *world, uint32_t slot, const char *name, struct text properties,
                 int64_t time_ms)
{
	char          id[40];
	struct buffer context = {0};
	if (seed_below(2))
		add_context(&context);
	/* Two persons who are merged may have the same one. */
	snprintf(id, sizeof id, "m%u", (unsigned)seed_below(EVENTS));
	run_feed(&world->run, world->now_ms,
	         &(struct record){.kind         = RECORD_EVENT,
	                          .flags        = slot < USERS ? RECORD_IDENTIFIED : 0,
	                          .slot         = slot,
	                          .call         = CALL_TRACK,
	                          .timestamp_ms = time_ms,
	                          .skew_ms      = INSTANT_MS_NONE,
	                          .name         = text_of(name),
	                          .message_id   = seed_below(2) ? text_of(id) : (struct text){0},
	                          .properties   = properties,
	                          .context      = buffer_text(&context)});
	buffer_done(&context);
}

static void add_event(struct world *world, uint32_t slot)
{
	static const char *const names[] = {"Order", "Order", "Click", "Other"};
	struct buffer            list    = {0};
	int64_t                  time_ms = world->now_ms;
	if (seed_below(8) == 0)
		time_ms -= (int64_t)seed_below(60 * DAY_MS);
	else if (seed_below(8) == 0)
		time_ms += (int64_t)seed_below(300000);
	else if (seed_below(4) == 0)
		time_ms -= time_ms % DAY_MS; /* with others */
	if (seed_below(2) == 0) {
		odd_properties(&list);
		feed(world, slot, PICK(names), buffer_text(&list), time_ms);
	} else {
		random_properties(&list, &scale, world->now_ms);
		buffer_add_u8(&list, 0);
		run_event(&world->run, slot, world->now_ms, time_ms, PICK(names), list.data,
		          seed_below(2) ? NULL : "");
	}
	buffer_done(&list);
}

/* Orders that are changed and cancelled. */
static void add_fact(struct world *world, uint32_t slot)
{
	static const char *const names[] = {"Order Completed", "Order Completed", "Order Updated",
	                                    "Order Cancelled"};
	char                     list[128];
	snprintf(list, sizeof list, "{\"order_id\":\"o%u\",\"revenue\":%u,\"region\":\"%s\"}",
	         (unsigned)seed_below(3), (unsigned)seed_below(50), seed_below(2) ? "제주" : "부산");
	run_event(&world->run, slot, world->now_ms, world->now_ms - (int64_t)seed_below(1000),
	          PICK(names), list, NULL);
}

static void add_call(struct world *world, uint32_t slot)
{
	char traits[32];
	snprintf(traits, sizeof traits, "{\"n\":%u}", (unsigned)seed_below(9));
	if (slot < USERS)
		run_traits(&world->run, slot, world->now_ms, traits);
}

static void merge(struct world *world, uint32_t visitor, uint32_t user)
{
	struct merges      *merges = &world->run.partition->merges;
	struct merge_cursor cursor = {0};
	struct buffer       out    = {0};
	uint32_t            count;
	bool                whole = false;
	merge_out_encode((struct person){0, user}, &out);
	run_feed(
		&world->run, world->now_ms,
		&(struct record){.kind = RECORD_MERGE_OUT, .slot = visitor, .body = buffer_text(&out)});
	while (merges->caused.count > 0 && !whole) {
		buffer_clear(&out);
		whole            = merge_encode(world->run.partition, &merges->caused.items[0], &cursor,
		                                MERGE_APPEND_BYTES, &out, &count);
		struct text left = buffer_text(&out);
		for (uint32_t i = 0; i < count; i++) {
			struct record record;
			size_t        size;
			assert_int_equal(record_decode(left, &record, &size, NULL), STATUS_OK);
			run_feed(&world->run, world->now_ms, &record);
			left = (struct text){left.data + size, left.length - size};
		}
	}
	if (whole)
		merge_caused_remove(world->run.partition);
	buffer_done(&out);
}

static void live(struct world *world, unsigned steps)
{
	for (unsigned i = 0; i < steps; i++) {
		uint32_t slot = random_slot();
		world->now_ms += (int64_t)seed_below((uint64_t)(100 * DAY_MS / EVENTS));
		switch (seed_below(20)) {
		case 0:
		case 1:
			add_fact(world, slot % 97);
			break;
		case 2:
			add_call(world, slot);
			break;
		default:
			add_event(world, slot);
		}
		if (seed_below(60) == 0)
			merge(world, (uint32_t)(USERS + seed_below(SLOTS - USERS)),
			      (uint32_t)seed_below(USERS));
		if (seed_below(50) == 0)
			poll_store(world);
	}
}

/* ---- Leaves ---- */

static void odd_leaf(struct buffer *out)
{
	static const char *const names[]  = {"Order", "Order Completed", "*", "Click", "None"};
	static const char *const wheres[] = {
		"{\"property\":\"user.plan\",\"op\":\"eq\",\"value\":\"pro\"}",
		"{\"property\":\"user.plan\",\"op\":\"exists\"}",
		"{\"property\":\"user.plan\",\"op\":\"neq\",\"value\":\"free\"}",
		"{\"property\":\"context.device\",\"op\":\"in\",\"value\":[\"pro\",\"ios\"]}",
		"{\"property\":\"context.page.path\",\"op\":\"starts_with\",\"value\":\"p\"}",
		"{\"property\":\"context.device\",\"op\":\"absent\"}",
		"{\"property\":\"$amount\",\"op\":\"gte\",\"value\":20}",
		"{\"property\":\"$amount\",\"op\":\"absent\"}",
		"{\"property\":\"price\",\"op\":\"eq\",\"value\":12}",
		"{\"property\":\"rare\",\"op\":\"eq\",\"value\":\"pro\"}",
		"{\"property\":\"region\",\"op\":\"in\",\"value\":[\"제주\",\"pro\",7]}",
		"{\"not\":{\"property\":\"region\",\"op\":\"eq\",\"value\":\"제주\"}}",
		"{\"or\":[{\"property\":\"rare\",\"op\":\"exists\"},{\"and\":[{\"property\":\"region\","
		"\"op\":\"exists\"},{\"property\":\"revenue\",\"op\":\"lt\",\"value\":10}]}]}",
	};
	static const char *const spans[] = {"", "", "\"within\":\"30d\",", "\"within\":\"3d\","};
	static const char *const tests[] = {
		"\"op\":\"gte\",\"value\":1",
		"\"op\":\"eq\",\"value\":0",
		"\"op\":\"lt\",\"value\":3",
		"\"aggregate\":\"sum\",\"property\":\"$amount\",\"op\":\"gt\",\"value\":35.5",
		"\"aggregate\":\"avg\",\"property\":\"revenue\",\"op\":\"lte\",\"value\":20",
		"\"aggregate\":\"max\",\"property\":\"$amount\",\"op\":\"gte\",\"value\":40",
		"\"aggregate\":\"min\",\"property\":\"price\",\"op\":\"lt\",\"value\":5",
		"\"aggregate\":\"distinct\",\"property\":\"context.device\",\"op\":\"gte\",\"value\":2",
		"\"aggregate\":\"distinct\",\"property\":\"user.plan\",\"op\":\"gte\",\"value\":1",
		"\"aggregate\":\"last\",\"property\":\"user.plan\",\"op\":\"eq\",\"value\":\"pro\"",
		"\"aggregate\":\"first\",\"property\":\"region\",\"op\":\"contains\",\"value\":\"주\"",
		"\"aggregate\":\"last\",\"property\":\"revenue\",\"op\":\"exists\"",
		"\"aggregate\":\"days_since_last\",\"op\":\"lt\",\"value\":20",
		"\"aggregate\":\"days_since_first\",\"op\":\"absent\"",
	};
	buffer_printf(out, "{\"event\":\"%s\",%s", PICK(names), PICK(spans));
	if (seed_below(3) != 0)
		buffer_printf(out, "\"where\":%s,", PICK(wheres));
	buffer_printf(out, "%s}", PICK(tests));
}

static struct plan *random_plan(struct world *world, struct buffer *text)
{
	buffer_clear(text);
	if (seed_below(2))
		odd_leaf(text);
	else
		random_expr(text, &scale, 1, 0);
	buffer_add_u8(text, 0);
	struct buffer canonical = {0}, body = {0};
	struct error  err = {0};
	struct plan  *plan;
	expr_write_canonical(&canonical, run_expr(&world->run, text->data));
	struct change_rule         rule   = {1, 1, buffer_text(&canonical)};
	const struct change_record record = {.id = 1, .rule_count = 1, .rules = &rule};
	change_record_write_prepare(&body, &record);
	if (plan_compile(buffer_text(&body), scale.retention_ms, &plan, &err) != STATUS_OK)
		fail_msg("%s: %s", text->data, err.reason);
	buffer_done(&canonical);
	buffer_done(&body);
	return plan;
}

static void random_wanted(uint64_t wanted[LEAF_SCAN_WORDS])
{
	uint64_t kind = seed_below(4);
	for (unsigned i = 0; i < LEAF_SCAN_WORDS; i++)
		wanted[i] = kind == 0 ? UINT64_MAX : seed_next() | (kind == 1 ? seed_next() : 0);
	for (unsigned i = 0; i < LEAF_SCAN_WORDS && kind == 3; i++)
		wanted[i] &= seed_next() & seed_next() & seed_next() & seed_next();
}

/* What may happen between two slices of a scan: persons before `before` were looked at. */
static void go_on(struct world *world, uint32_t before)
{
	if (seed_below(3) == 0)
		poll_store(world);
	if (seed_below(20) == 0)
		flush(world);
	for (unsigned i = 0; i < 3 && before > 0; i++)
		add_event(world, (uint32_t)seed_below(before));
}

static void check_block(struct world *world, struct leaf_scan *scan,
                        const struct leaf_scan_config *config, uint32_t first_slot,
                        const char *text)
{
	uint64_t wanted[LEAF_SCAN_WORDS], holds[LEAF_SCAN_WORDS], expected[2 * LEAF_SCAN_WORDS];
	random_wanted(wanted);
	random_wanted(expected);
	random_wanted(expected + LEAF_SCAN_WORDS);
	if (seed_below(2) == 0) /* others than are asked for then, too */
		leaf_scan_expect(scan, first_slot, 2 * LEAF_SCAN_WORDS, expected);
	leaf_scan_block(scan, first_slot, wanted, holds);
	for (uint32_t at = 0; at < LEAF_SCAN_SLOTS; at++) {
		bool asked   = (wanted[at / 64] >> at % 64 & 1) != 0;
		bool held    = (holds[at / 64] >> at % 64 & 1) != 0;
		bool holding = asked && leaf_look_received(world->run.partition, first_slot + at,
		                                           config->leaf, config->feature, config->now_ms,
		                                           config->received_before_ms);
		if (held != holding)
			fail_msg("slot %u at %lld, received before %lld: %s holds %s", first_slot + at,
			         (long long)config->now_ms, (long long)config->received_before_ms, text,
			         held ? "in the scan alone" : "but for the scan");
	}
	uint32_t slot = first_slot + (uint32_t)seed_below(LEAF_SCAN_SLOTS);
	if (leaf_scan_person(scan, slot) != leaf_look_received(world->run.partition, slot, config->leaf,
	                                                       config->feature, config->now_ms,
	                                                       config->received_before_ms))
		fail_msg("slot %u alone: %s", slot, text);
}

static void check_leaf(struct world *world, const struct plan *plan, const char *text)
{
	const struct plan_leaf *leaf   = &plan->leaves[0];
	struct leaf_scan_config config = {.partition = world->run.partition,
	                                  .leaf      = leaf,
	                                  .feature   = &plan->features[leaf->feature],
	                                  .now_ms    = world->now_ms};
	if (seed_below(4) == 0) {
		config.now_ms -= (int64_t)seed_below(10 * DAY_MS);
		config.received_before_ms = config.now_ms + 1;
	}
	struct leaf_scan *scan = leaf_scan_new(&config);
	for (uint32_t first = 0; first < SLOTS + LEAF_SCAN_SLOTS; first += LEAF_SCAN_SLOTS) {
		check_block(world, scan, &config, first, text);
		if (seed_below(4) == 0)
			go_on(world, first);
	}
	leaf_scan_free(scan);
}

static void a_scan_says_of_everybody_what_the_engine_says(void **state)
{
	(void)state;
	seed_begin("leaf_scan");
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct world  world;
		struct buffer text = {0};
		begin(&world);
		live(&world, EVENTS);
		partition_advance(world.run.partition, world.now_ms);
		for (unsigned i = 0; i < LEAVES; i++) {
			struct plan *plan = random_plan(&world, &text);
			if (plan->leaf_count > 0)
				check_leaf(&world, plan, text.data);
			plan_unref(plan);
			if (seed_below(10) == 0)
				live(&world, 20);
		}
		buffer_done(&text);
		struct error err;
		assert_int_equal(events_check(world.run.partition->events, &err), STATUS_OK);
		end(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scan_says_of_everybody_what_the_engine_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
