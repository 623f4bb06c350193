/* How fast one partition applies records: decode, dedupe, store, windows, memberships, changes.
 *
 *   engine_bench [segments] [persons] [events]        default 100 200000 2000000
 *
 * Counts over equality filters and sums of five event names; every event has a message id of its
 * own; batches of 6 records, as a request of 100 events spread over 16 partitions brings them. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "engine/change_record.h"
#include "engine/partition.h"
#include "engine/plan_cache.h"
#include "model/expr.h"
#include "model/value.h"

enum { BATCH = 6, BATCHES = 32 };

static const char *const names[]   = {"Product Viewed", "Product Added", "Order Completed",
                                      "Page Visited", "Searched"};
static const char *const regions[] = {"제주", "부산", "서울", "강릉",
                                      "여수", "경주", "전주", "속초"};

static uint64_t random_state = 88172645463325252u;

static uint64_t random_below(uint64_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % bound;
}

static void apply(struct partition *partition, const struct journal_read *batches, size_t count)
{
	struct error err = {0};
	if (partition_apply(partition, batches, count, &err) != STATUS_OK) {
		fprintf(stderr, "%s\n", err.reason);
		exit(1);
	}
}

static void feed(struct partition *partition, struct text record, uint64_t *position)
{
	struct journal_read batch = {
		.records = record, .record_count = 1, .first_position = (*position)++, .log_time_ms = 1};
	apply(partition, &batch, 1);
}

static struct text canonical_of(struct arena *arena, struct json_parser *parser, unsigned number)
{
	struct json   root;
	struct expr  *expr;
	struct error  err       = {0};
	struct buffer canonical = {0};
	const char   *name      = names[number % 5];
	char         *json;
	if (number % 4 == 3)
		json = arena_printf(arena,
		                    "{\"event\":\"%s\",\"aggregate\":\"sum\",\"property\":\"$amount\","
		                    "\"within\":\"%um\",\"op\":\"gte\",\"value\":%u}",
		                    name, 1 + number % 60, 10000 * (1 + number % 7));
	else
		json = arena_printf(arena,
		                    "{\"event\":\"%s\",\"where\":{\"property\":\"region\",\"op\":\"eq\","
		                    "\"value\":\"%s\"},\"within\":\"%um\",\"op\":\"gte\",\"value\":%u}",
		                    name, regions[number / 5 % 8], 1 + number % 1440, 1 + number % 4);
	if (json_parse_text(parser, text_of(json), &root, &err) != STATUS_OK ||
	    expr_parse_json(root, "expression", arena, &expr, &err) != STATUS_OK) {
		fprintf(stderr, "%s: %s\n", json, err.reason);
		exit(1);
	}
	expr_write_canonical(&canonical, expr);
	return buffer_text(&canonical);
}

static void define(struct partition *partition, unsigned segments, uint64_t *position)
{
	struct arena         arena;
	struct buffer        body = {0}, encoded = {0};
	struct json_parser  *parser = json_parser_new();
	struct change_record record = {.id = 1, .rule_count = segments};
	arena_init(&arena);
	record.rules = ARENA_ARRAY(&arena, struct change_rule, segments + 1);
	for (unsigned i = 0; i < segments; i++)
		record.rules[i] = (struct change_rule){i + 1, 1, canonical_of(&arena, parser, i)};
	change_record_write_prepare(&body, &record);
	/* Larger than a journal's record may be: it goes to the partition by hand. */
	buffer_reserve(&encoded, body.length);
	if (body.length < RECORD_BYTES_MAX) {
		record_encode(&encoded, &(struct record){.kind = RECORD_PREPARE,
		                                         .slot = SLOT_NONE,
		                                         .body = buffer_text(&body)});
		feed(partition, buffer_text(&encoded), position);
	}
	buffer_clear(&body);
	buffer_clear(&encoded);
	change_record_write_activate(&body, &record);
	record_encode(
		&encoded,
		&(struct record){.kind = RECORD_ACTIVATE, .slot = SLOT_NONE, .body = buffer_text(&body)});
	feed(partition, buffer_text(&encoded), position);
	json_parser_free(parser);
	arena_done(&arena);
}

static void add_event(struct buffer *out, uint32_t slot, uint64_t number, int64_t at_ms)
{
	struct buffer list  = {0};
	size_t        begin = value_list_begin(&list);
	char          id[48];
	value_add(&list, TEXT("region"),
	          &(struct value){.type = VALUE_STRING, .text = text_of(regions[random_below(8)])});
	value_add(&list, TEXT("revenue"),
	          &(struct value){.type = VALUE_DOUBLE, .number = (double)random_below(50000)});
	value_add(&list, TEXT("quantity"),
	          &(struct value){.type = VALUE_INT, .integer = (int64_t)random_below(5)});
	value_add(&list, TEXT("category"),
	          &(struct value){.type = VALUE_STRING, .text = TEXT("accommodation")});
	value_list_end(&list, begin, 4);
	snprintf(id, sizeof id, "node-next-%016llx-%llu", (unsigned long long)number * 2654435761u,
	         (unsigned long long)number);
	record_encode(out, &(struct record){.kind         = RECORD_EVENT,
	                                    .flags        = RECORD_IDENTIFIED,
	                                    .slot         = slot,
	                                    .call         = CALL_TRACK,
	                                    .timestamp_ms = at_ms,
	                                    .skew_ms      = 0,
	                                    .name         = text_of(names[random_below(5)]),
	                                    .message_id   = text_of(id),
	                                    .properties   = buffer_text(&list)});
	buffer_done(&list);
}

int main(int argc, char **argv)
{
	unsigned segments = argc > 1 ? (unsigned)atoi(argv[1]) : 100;
	uint64_t persons  = argc > 2 ? strtoull(argv[2], NULL, 10) : 200000;
	uint64_t events   = argc > 3 ? strtoull(argv[3], NULL, 10) : 2000000;

	struct events_budget budget    = {.limit_bytes = UINT64_MAX};
	struct plan_cache   *plans     = plan_cache_new(1096 * DAY_MS);
	struct partition    *partition = partition_new(0, 1096 * DAY_MS, &budget, plans);
	uint64_t             position  = 1;
	define(partition, segments, &position);

	/* Encoded beforehand, a chunk at a time, so that only applying is timed. */
	enum { CHUNK = 60000 };
	struct buffer encoded = {0};
	static size_t ends[CHUNK / BATCH + 1];
	int64_t       busy_ns = 0, at_ms = 1000;
	for (uint64_t done = 0; done < events; done += CHUNK) {
		buffer_clear(&encoded);
		for (unsigned i = 0; i < CHUNK; i++) {
			add_event(&encoded, (uint32_t)random_below(persons), done + i, at_ms + i / 1000);
			if (i % BATCH == BATCH - 1)
				ends[i / BATCH] = encoded.length;
		}
		int64_t begin_ns = clock_monotonic_ns();
		for (unsigned i = 0; i < CHUNK / BATCH; i += BATCHES) {
			struct journal_read batches[BATCHES];
			size_t              count = 0;
			for (; count < BATCHES && i + count < CHUNK / BATCH; count++) {
				size_t from = i + count == 0 ? 0 : ends[i + count - 1];
				batches[count] =
					(struct journal_read){.records = {encoded.data + from, ends[i + count] - from},
				                          .record_count   = BATCH,
				                          .first_position = position,
				                          .log_time_ms    = at_ms + i * BATCH / 1000};
				position += BATCH;
			}
			apply(partition, batches, count);
		}
		busy_ns += clock_monotonic_ns() - begin_ns;
		at_ms += CHUNK / 1000 + 1;
	}
	printf("{\"segments\":%u,\"persons\":%llu,\"events\":%llu,\"events_per_s\":%.0f,"
	       "\"ns_per_event\":%.0f,\"changes\":%llu,\"bytes_per_event\":%.0f,"
	       "\"profile_bytes_per_person\":%.0f}\n",
	       segments, (unsigned long long)persons, (unsigned long long)events,
	       (double)events * 1e9 / (double)busy_ns, (double)busy_ns / (double)events,
	       (unsigned long long)partition->changes.count, (double)budget.used_bytes / (double)events,
	       (double)partition->profiles.bytes / (double)partition->profiles.person_count);
	partition_free(partition);
	plan_cache_free(plans);
	buffer_done(&encoded);
	return 0;
}
