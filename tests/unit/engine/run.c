#include "run.h"

#include <string.h>

#include "engine/change/change_record.h"

void run_begin(struct run *run) { run_begin_retaining(run, RUN_RETENTION_MS); }

void run_begin_retaining(struct run *run, int64_t retention_ms)
{
	*run            = (struct run){.budget.limit_bytes = UINT64_MAX, .retention_ms = retention_ms};
	run->plans      = plan_cache_new(retention_ms);
	run->dimensions = dimensions_new(1);
	run->partition  = partition_new(0, retention_ms, events_new(0, &run->budget), run->plans);
	run->partition->enrichment.dimensions = run->dimensions;
	run->parser                           = json_parser_new();
	arena_init(&run->arena);
}

void run_done(struct run *run)
{
	partition_free(run->partition);
	dimensions_free(run->dimensions);
	plan_cache_free(run->plans);
	json_parser_free(run->parser);
	arena_done(&run->arena);
	for (size_t i = 0; i < run->batches.count; i++)
		free(run->batches.items[i].records);
	VECTOR_DONE(&run->batches);
}

static void apply(struct partition *partition, const struct run_batch *batch)
{
	struct journal_read read = {
		.record_count   = batch->count,
		.records        = {batch->records, batch->size},
		.first_position = batch->position,
		.log_time_ms    = batch->log_time_ms,
	};
	struct error err = {0};
	if (partition_apply(partition, &read, 1, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
}

void run_feed(struct run *run, int64_t at_ms, const struct record *record)
{
	struct buffer encoded = {0};
	record_encode(&encoded, record);
	struct run_batch batch = {encoded.data, encoded.length, 1, ++run->position, at_ms};
	VECTOR_ADD(&run->batches, batch);
	apply(run->partition, &batch);
}

static void encode_list(struct run *run, const char *json, struct buffer *out)
{
	struct json  root;
	struct error err = {0};
	if (json_parse_text(run->parser, text_of(json), &root, &err) != STATUS_OK)
		fail_msg("%s: %s", json, err.reason);
	size_t   begin = value_list_begin(out);
	unsigned count = 0;
	for (struct json_iterator i = json_iterate(root); json_next(&i); count++)
		if (value_add_json(out, i.name, i.value, &err) != STATUS_OK)
			fail_msg("%s: %s", json, err.reason);
	value_list_end(out, begin, count);
}

uint64_t run_event(struct run *run, uint32_t slot, int64_t at_ms, int64_t time_ms, const char *name,
                   const char *properties, const char *message_id)
{
	char          own_id[32];
	struct buffer list = {0};
	encode_list(run, properties, &list);
	snprintf(own_id, sizeof own_id, "message-%llu", (unsigned long long)++run->message);
	run_feed(run, at_ms,
	         &(struct record){.kind         = RECORD_EVENT,
	                          .flags        = RECORD_IDENTIFIED,
	                          .slot         = slot,
	                          .call         = CALL_TRACK,
	                          .timestamp_ms = time_ms,
	                          .skew_ms      = INSTANT_MS_NONE,
	                          .name         = text_of(name),
	                          .message_id   = text_of(message_id ? message_id : own_id),
	                          .properties   = buffer_text(&list)});
	buffer_done(&list);
	return run->position;
}

void run_dimension(struct run *run, int64_t at_ms, const char *id, const char *row)
{
	struct buffer list = {0}, rows = {0}, body = {0};
	if (row != NULL)
		encode_list(run, row, &list);
	dimension_add(&rows, text_of(id), buffer_text(&list));
	dimension_record_encode(++run->dimension_number, DIMENSION_PRODUCTS, 1, buffer_text(&rows),
	                        &body);
	run_feed(
		run, at_ms,
		&(struct record){.kind = RECORD_DIMENSION, .slot = SLOT_NONE, .body = buffer_text(&body)});
	buffer_done(&list);
	buffer_done(&rows);
	buffer_done(&body);
}

void run_traits(struct run *run, uint32_t slot, int64_t at_ms, const char *traits)
{
	struct buffer list = {0};
	encode_list(run, traits, &list);
	run_feed(run, at_ms,
	         &(struct record){.kind         = RECORD_TRAITS,
	                          .flags        = RECORD_IDENTIFIED,
	                          .slot         = slot,
	                          .call         = CALL_IDENTIFY,
	                          .timestamp_ms = INSTANT_MS_NONE,
	                          .skew_ms      = INSTANT_MS_NONE,
	                          .properties   = buffer_text(&list)});
	buffer_done(&list);
}

static uint32_t number_of(void *context, struct text reference)
{
	(void)context;
	return (uint32_t)atoi(reference.data);
}

struct expr *run_expr(struct run *run, const char *expression)
{
	struct json  root;
	struct expr *expr;
	struct error err = {0};
	if (json_parse_text(run->parser, text_of(expression), &root, &err) != STATUS_OK ||
	    expr_parse_json(root, "expression", &run->arena, &expr, &err) != STATUS_OK ||
	    expr_resolve(expr, "expression", number_of, NULL, &err) != STATUS_OK)
		fail_msg("%s: %s: %s", expression, err.field, err.reason);
	return expr;
}

void run_prepare(struct run *run, int64_t at_ms, size_t count, const uint32_t *segments,
                 const uint32_t *versions, const char *const *expressions)
{
	struct change_record record = {.id = ++run->change_id, .rule_count = count};
	record.rules                = ARENA_ARRAY(&run->arena, struct change_rule, count);
	for (size_t i = 0; i < count; i++) {
		struct buffer canonical = {0};
		expr_write_canonical(&canonical, run_expr(run, expressions[i]));
		record.rules[i] = (struct change_rule){segments[i], versions[i],
		                                       arena_text(&run->arena, buffer_text(&canonical))};
		buffer_done(&canonical);
	}
	struct buffer body = {0};
	change_record_write_prepare(&body, &record);
	run_feed(
		run, at_ms,
		&(struct record){.kind = RECORD_PREPARE, .slot = SLOT_NONE, .body = buffer_text(&body)});
	buffer_done(&body);
}

static void feed_end(struct run *run, int64_t at_ms, enum record_kind kind, uint64_t change_id,
                     size_t off_count, const uint32_t *off)
{
	struct change_record record = {.id = change_id, .off_count = off_count, .off = (uint32_t *)off};
	struct buffer        body   = {0};
	change_record_write_activate(&body, &record);
	run_feed(run, at_ms,
	         &(struct record){.kind = kind, .slot = SLOT_NONE, .body = buffer_text(&body)});
	buffer_done(&body);
}

void run_activate(struct run *run, int64_t at_ms, size_t off_count, const uint32_t *off)
{
	if (off_count > 0)
		run->change_id++;
	feed_end(run, at_ms, RECORD_ACTIVATE, run->change_id, off_count, off);
}

void run_abandon(struct run *run, int64_t at_ms, uint64_t change_id, size_t off_count,
                 const uint32_t *off)
{
	feed_end(run, at_ms, RECORD_ABANDON, change_id, off_count, off);
}

void run_define(struct run *run, int64_t at_ms, uint32_t segment, const char *expression)
{
	uint32_t version = 1;
	run_prepare(run, at_ms, 1, &segment, &version, &expression);
	run_activate(run, at_ms, 0, NULL);
}

bool run_is_member(const struct run *run, uint32_t slot, uint32_t segment)
{
	const struct profile *profile = profiles_find(&run->partition->profiles, slot);
	uint32_t              rule    = catalog_live(&run->partition->catalog, segment);
	return profile != NULL && rule != RULE_NONE && rule_is_member(run->partition, profile, rule);
}

void run_stream(const struct partition *partition, struct buffer *out)
{
	for (uint64_t i = 0; i < partition->changes.count; i++)
		buffer_add(out, &changes_at(&partition->changes, i)->change, sizeof(struct change));
}

void run_replay(const struct run *run, int64_t now_ms, struct buffer *out)
{
	struct events_budget budget     = {.limit_bytes = UINT64_MAX};
	struct dimensions   *dimensions = dimensions_new(1);
	struct partition    *partition =
		partition_new(0, run->retention_ms, events_new(0, &budget), run->plans);
	partition->enrichment.dimensions = dimensions;
	for (size_t i = 0; i < run->batches.count; i++)
		apply(partition, &run->batches.items[i]);
	partition_advance(partition, now_ms);
	run_stream(partition, out);
	partition_free(partition);
	dimensions_free(dimensions);
}

void run_expect(const struct run *run, uint64_t index, uint32_t slot, uint32_t segment,
                bool entered, enum cause cause, int64_t at_ms)
{
	assert_true(index < run->partition->changes.count);
	const struct change *change = &changes_at(&run->partition->changes, index)->change;
	assert_int_equal(change->slot, slot);
	assert_int_equal(change->segment, segment);
	assert_int_equal(change->entered, entered);
	assert_int_equal(change->cause, cause);
	assert_int_equal(change->at_ms, at_ms);
}
