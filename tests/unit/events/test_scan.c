/* Many persons' events read at once against each person's read alone. */

#include "events/events_scan.h"

#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/instant.h"
#include "events/events_internal.h"
#include "store_fixture.h"

enum { SLOTS = 300, WORDS = (SLOTS + 63) / 64, EVENTS = 4000, WHERES = 150 };

#define PICK(array) ((array)[fixture_below(sizeof(array) / sizeof(array)[0])])

static struct fixture fixture;
static struct arena   arena;

static int begin(void **state)
{
	(void)state;
	fixture_begin(&fixture);
	arena_init(&arena);
	fixture.settings.part_rows_max = 1500;
	fixture.settings.tail_bytes    = 1 << 18;
	fixture_open(&fixture);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_done(&arena);
	fixture_end(&fixture);
	return 0;
}

/* ---- Random questions ---- */

static struct expr_where *random_test(void)
{
	static const char *const names[] = {
		"region", "revenue", "수량", "ok", "tags", "cart.안", "x", "$amount", "context.region"};
	static const enum expr_op ops[]  = {EXPR_EQ,     EXPR_NEQ,    EXPR_GT,       EXPR_LTE,
	                                    EXPR_IN,     EXPR_NOT_IN, EXPR_CONTAINS, EXPR_STARTS_WITH,
	                                    EXPR_EXISTS, EXPR_ABSENT};
	struct expr_where        *test   = ARENA_NEW(&arena, struct expr_where);
	struct expr_scalar       *values = ARENA_ARRAY(&arena, struct expr_scalar, 3);
	test->kind                       = EXPR_WHERE_TEST;
	test->property                   = text_of(PICK(names));
	test->test                       = (struct expr_test){.op = PICK(ops), .values = values};
	values[0] = (struct expr_scalar){.type = EXPR_STRING, .text = TEXT("제주")};
	values[1] = (struct expr_scalar){.type = EXPR_NUMBER, .number = (double)fixture_below(9000)};
	values[2] = (struct expr_scalar){.type = EXPR_BOOL, .boolean = true};
	switch (test->test.op) {
	case EXPR_GT:
	case EXPR_LTE:
		test->test.values      = &values[1];
		test->test.value_count = 1;
		break;
	case EXPR_IN:
	case EXPR_NOT_IN:
		test->test.value_count = 3;
		break;
	case EXPR_EXISTS:
	case EXPR_ABSENT:
		break;
	case EXPR_EQ:
	case EXPR_NEQ:
		test->test.values = &values[fixture_below(3)];
		/* fall through */
	default:
		test->test.value_count = 1;
	}
	return test;
}

static struct expr_where *random_where(unsigned depth)
{
	uint64_t kind = fixture_below(4);
	if (depth == 0 || kind > 2)
		return random_test();
	struct expr_where *where = ARENA_NEW(&arena, struct expr_where);
	where->kind     = kind == 0 ? EXPR_WHERE_AND : kind == 1 ? EXPR_WHERE_OR : EXPR_WHERE_NOT;
	where->count    = kind == 2 ? 1 : 2;
	where->operands = ARENA_ARRAY(&arena, struct expr_where *, 2);
	for (unsigned i = 0; i < where->count; i++)
		where->operands[i] = random_where(depth - 1);
	return where;
}

static struct events_scan_wish random_wish(struct amount_path *property)
{
	static const char *const names[] = {"Order Completed", "$page", "상품 조회", "a", "", "none"};
	static const char *const properties[] = {"revenue", "$amount", "cart.안", "context.tags", "x"};
	struct events_scan_wish  wish         = {.filter       = {.name    = text_of(PICK(names)),
	                                                          .from_ms = INT64_MIN,
	                                                          .to_ms   = INT64_MAX,
	                                                          .now_ms  = fixture.now_ms},
	                                         .retention_ms = fixture.retention_ms};
	if (fixture_below(4) != 0)
		wish.filter.where = evaluate_compile_where(random_where(2), &arena);
	if (fixture_below(3) == 0) {
		wish.filter.from_ms = fixture.now_ms - (int64_t)fixture_below(40) * DAY_MS;
		wish.filter.to_ms   = wish.filter.from_ms + (int64_t)fixture_below(40) * DAY_MS;
	}
	if (fixture_below(5) == 0)
		wish.filter.received_before_ms = fixture.now_ms - (int64_t)fixture_below(20) * DAY_MS;
	if (fixture_below(2) == 0) {
		amount_path_init(property, text_of(PICK(properties)), &arena);
		wish.property = property;
	}
	return wish;
}

/* ---- What is found ---- */

/* Of each person how many, and a sum over them that hardly another set of events has. */
struct found {
	uint32_t counts[WORDS * 64];
	uint64_t sums[WORDS * 64];
};

static uint64_t mark(const struct event *event, const struct value *value)
{
	uint64_t sum = hash_bytes_seeded(&event->position, sizeof event->position, event->partition) +
	               (uint64_t)event->time_ms + (uint64_t)event->received_ms;
	if (!evaluate_exists(value))
		return sum * 3;
	if (value->type == VALUE_STRING || value->type == VALUE_STRING_SET)
		return sum * 5 + hash_bytes(value->text.data, value->text.length) + value->type;
	return sum * 7 + value->type +
	       (value->type >= VALUE_INT && value->type <= VALUE_DOUBLE ? value->unsigned_integer : 0);
}

static void take(void *context, const struct scan_hits *hits)
{
	static const struct value nothing = {.type = VALUE_NONE};
	struct found             *found   = context;
	for (uint32_t i = 0; i < hits->count; i++) {
		struct scan_place      place    = scan_place_of(hits, i);
		struct scan_acceptance accepted = scan_place_acceptance(&place);
		const struct event     event    = {.time_ms     = hits->times_ms[i],
		                                   .received_ms = accepted.received_ms,
		                                   .partition   = accepted.partition,
		                                   .position    = accepted.position};
		found->counts[hits->at[i]]++;
		found->sums[hits->at[i]] += mark(&event, hits->with_values ? &hits->values[i] : &nothing);
	}
}

static void find_alone(const struct events_scan_wish *wish, const uint64_t *wanted,
                       uint64_t through_position, struct found *found)
{
	const struct events_query query = {.name               = wish->filter.name,
	                                   .from_ms            = wish->filter.from_ms,
	                                   .to_ms              = wish->filter.to_ms,
	                                   .through_position   = through_position,
	                                   .received_before_ms = wish->filter.received_before_ms,
	                                   .now_ms             = wish->filter.now_ms,
	                                   .retention_ms       = wish->retention_ms};
	event_list                list  = {0};
	for (uint32_t slot = 0; slot < WORDS * 64; slot++) {
		event_list_clear(&list);
		if ((wanted[slot / 64] >> slot % 64 & 1) != 0)
			events_read(fixture.events, slot, &query, &list);
		for (size_t i = 0; i < list.count; i++) {
			const struct record *record = &list.items[i].record;
			struct value         value  = {.type = VALUE_NONE};
			if (!evaluate_where(wish->filter.where, record->properties, record->context,
			                    wish->filter.now_ms))
				continue;
			if (wish->property != NULL)
				value = evaluate_property(wish->property, record->properties, record->context);
			found->counts[slot]++;
			found->sums[slot] += mark(&list.items[i], &value);
		}
	}
	event_list_done(&list);
}

static void fill(void)
{
	for (unsigned i = 0; i < EVENTS; i++) {
		fixture_add_random(&fixture, SLOTS);
		fixture.now_ms += (int64_t)fixture_below(DAY_MS / 40);
		if (fixture_below(20) == 0)
			fixture_poll(&fixture);
	}
}

static void everybody_has_what_is_read_of_him_alone(void **state)
{
	(void)state;
	fill();
	for (unsigned i = 0; i < WHERES; i++) {
		struct amount_path      property;
		struct events_scan_wish wish = random_wish(&property);
		struct events_scan     *scan = events_scan_new(fixture.events, &wish);
		uint64_t                through =
            fixture_below(4) == 0 ? fixture.position - fixture_below(EVENTS / 2) : UINT64_MAX;
		struct found alone = {0}, together = {0};
		uint32_t     counts[WORDS * 64] = {0};
		uint64_t     wanted[WORDS];
		bool         few = fixture_below(3) == 0;
		for (unsigned j = 0; j < WORDS; j++)
			wanted[j] =
				few ? (uint64_t)1 << fixture_below(64) : ~((uint64_t)1 << fixture_below(64));
		find_alone(&wish, wanted, through, &alone);
		events_scan_block(scan, 0, WORDS, wanted, through, take, &together);
		if (fixture_below(2) == 0)
			fixture_poll(&fixture);
		events_scan_count(scan, 0, WORDS, wanted, through, counts);
		assert_memory_equal(alone.counts, together.counts, sizeof alone.counts);
		assert_memory_equal(alone.sums, together.sums, sizeof alone.sums);
		assert_memory_equal(alone.counts, counts, sizeof counts);
		events_scan_free(scan);
		if (i % 10 == 0)
			fixture_add_random(&fixture, SLOTS);
	}
}

static void a_plain_processor_finds_the_same_rows(void **state)
{
	(void)state;
	fill();
	fixture_flush(&fixture);
	const struct part_set *set  = events_sources(fixture.events).set;
	unsigned               some = 0;
	for (unsigned i = 0; i < WHERES; i++) {
		struct amount_path      property;
		struct events_scan_wish wish = random_wish(&property);
		struct part            *part = set->parts[fixture_below(set->count)];
		struct part_filter      filter;
		uint64_t                fast[FILTER_WORDS_MAX], plain[FILTER_WORDS_MAX];
		uint32_t                words = (part->header->rows - 1) / 64 + 1;
		if (!part_filter_init(&filter, part, &wish.filter))
			continue;
		assert_true(words <= FILTER_WORDS_MAX);
		for (uint32_t j = 0; j < words; j++)
			fast[j] = UINT64_MAX;
		fast[words - 1] = UINT64_MAX >> (63 - (part->header->rows - 1) % 64);
		memcpy(plain, fast, sizeof fast);
		part_filter_run(&filter, 0, words, UINT64_MAX, fast);
		filter.fast = false;
		part_filter_run(&filter, 0, words, UINT64_MAX, plain);
		assert_memory_equal(fast, plain, words * sizeof *fast);
		for (uint32_t j = 0; j < words; j++)
			some += fast[j] != 0;
		part_filter_done(&filter);
	}
	assert_true(some > 0);
}

static void no_damage_goes_into_what_is_found(void **state)
{
	(void)state;
	enum { FLIPS = 100 };
	char         path[256];
	struct stat  info;
	struct error err;
	unsigned     told              = 0;
	fixture.settings.part_rows_max = 100000;
	fixture_close(&fixture);
	fixture_open(&fixture);
	for (unsigned i = 0; i < EVENTS; i++) {
		struct buffer list   = {0};
		struct record record = {.kind         = RECORD_EVENT,
		                        .slot         = i % SLOTS,
		                        .call         = CALL_TRACK,
		                        .timestamp_ms = INSTANT_MS_NONE,
		                        .skew_ms      = INSTANT_MS_NONE,
		                        .name         = i % 3 == 0 ? TEXT("a") : TEXT("b"),
		                        .properties   = fixture_list(&list)};
		fixture_add(&fixture, i % SLOTS, &record, fixture.now_ms);
		buffer_done(&list);
	}
	fixture_flush(&fixture);
	fixture_close(&fixture);
	fixture_file(&fixture, ".part", path);
	assert_int_equal(stat(path, &info), 0);
	struct amount_path      property;
	struct events_scan_wish wish = {.filter       = {.name    = TEXT("a"),
	                                                 .from_ms = INT64_MIN,
	                                                 .to_ms   = INT64_MAX,
	                                                 .now_ms  = fixture.now_ms},
	                                .property     = &property,
	                                .retention_ms = fixture.retention_ms};
	const uint64_t all[WORDS]    = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct found   whole         = {0};
	amount_path_init(&property, TEXT("region"), &arena);
	for (unsigned i = 0; i <= FLIPS; i++) {
		off_t        at    = (off_t)fixture_below((uint64_t)info.st_size);
		struct found found = {0};
		if (i > 0)
			fixture_change_byte(path, at);
		if (fixture_try_open(&fixture, &err) == STATUS_OK) {
			fixture_open(&fixture);
			struct events_scan *scan = events_scan_new(fixture.events, &wish);
			events_scan_block(scan, 0, WORDS, all, UINT64_MAX, take, i == 0 ? &whole : &found);
			events_scan_free(scan);
			enum status status = events_check(fixture.events, &err);
			told += status == STATUS_CORRUPT;
			if (i > 0 && status == STATUS_OK)
				assert_memory_equal(&whole, &found, sizeof whole);
			fixture_close(&fixture);
		}
		if (i > 0)
			fixture_change_byte(path, at);
	}
	assert_true(told > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everybody_has_what_is_read_of_him_alone, begin, end),
		cmocka_unit_test_setup_teardown(a_plain_processor_finds_the_same_rows, begin, end),
		cmocka_unit_test_setup_teardown(no_damage_goes_into_what_is_found, begin, end),
	};
	fixture_seed("scan");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
