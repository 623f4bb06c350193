/* A tracking plan, a NUL, then a track or identify message that is checked against it. Over a
 * journal and a vault in memory (tests/unit/ingest/fakes.h).
 *
 * Whatever comes: a plan that is not taken says where it is wrong; what the plan has made of a
 * message are lists that can be read, and sent again they go through it unchanged. */

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "fakes.h"
#include "fuzz.h"
#include "ingest/watch.h"
#include "model/value.h"

#define NOW_MS INT64_C(1736245800000)
#define DAY_MS INT64_C(86400000)

#define CHECK(condition)                                                                           \
	do {                                                                                           \
		if (!(condition)) {                                                                        \
			fprintf(stderr, "broken: %s\n", #condition);                                           \
			abort();                                                                               \
		}                                                                                          \
	} while (0)

struct world {
	struct fake_journal   journal;
	struct ingest        *ingest;
	struct ingest_thread *thread;
	struct source        *source;
	unsigned              accepted_count;
};

static void done(void *context, const struct ingest_result *result)
{
	struct world *world   = context;
	world->accepted_count = result->accepted_count;
	for (size_t i = 0; i < result->rejected_count; i++)
		CHECK(ingest_rejection_reason(&result->rejected[i]).length > 0);
}

static struct plan *read_plan(const uint8_t *data, size_t length)
{
	struct json_parser *parser = json_parser_new();
	struct error        err    = {0};
	struct plan        *plan   = NULL;
	struct json         root;
	if (json_parse_text(parser, (struct text){(const char *)data, length}, &root, &err) ==
	        STATUS_OK &&
	    plan_read(root, &plan, &err) != STATUS_OK)
		CHECK(err.reason[0] != '\0' && plan == NULL);
	json_parser_free(parser);
	return plan;
}

/* False: nothing was accepted. */
static bool submit(struct world *world, enum ingest_kind kind, struct text json)
{
	struct error          err;
	struct ingest_request request = {
		.kind = kind, .source_number = 1, .done = done, .context = world, .planned = world->source};
	char *body = calloc(1, json.length + JSON_PADDING_BYTES);
	memcpy(body, json.data, json.length);
	world->accepted_count = 0;
	for (unsigned i = 0; i < FAKE_PARTITION_COUNT; i++)
		buffer_clear(&world->journal.bytes[i]);
	if (ingest_parse(world->thread, body, json.length, &err) == STATUS_OK)
		ingest_submit(world->thread, &request);
	free(body);
	return world->accepted_count == 1;
}

/* The list of the record that came, as JSON, with what is sealed in its place. */
static void write_list(const struct world *world, struct buffer *out)
{
	struct record record   = fake_journal_record(&world->journal, 0, NULL);
	struct text   personal = TEXT("");
	if (record.sealed.length > 0) {
		struct text        mark = TEXT(SEAL_MARK);
		struct byte_reader plain =
			byte_reader_of(record.sealed.data + mark.length, record.sealed.length - mark.length);
		personal = read_sized(&plain);
		CHECK(value_check(personal));
	}
	CHECK(value_check(record.properties));
	struct json_writer writer = json_writer_of(out);
	value_list_write_json(&writer, record.properties, personal);
}

static void check(struct world *world, enum ingest_kind kind, struct text message)
{
	struct buffer first = {0}, again = {0}, body = {0};
	if (submit(world, kind, message)) {
		struct record record = fake_journal_record(&world->journal, 0, NULL);
		write_list(world, &first);
		struct json_writer w = json_writer_of(&body);
		json_begin_object(&w);
		json_member_string(&w, "userId", TEXT("u"));
		json_member_string(&w, "event", record.name);
		json_add_key(&w, kind == INGEST_TRACK ? TEXT("properties") : TEXT("traits"));
		json_add_raw(&w, buffer_text(&first));
		json_end_object(&w);
		/* With its escapes it may be too long now. */
		if (submit(world, kind, buffer_text(&body))) {
			write_list(world, &again);
			CHECK(text_equal(buffer_text(&first), buffer_text(&again)));
		} else {
			CHECK(body.length > EVENT_BYTES_MAX);
		}
	}
	buffer_done(&first);
	buffer_done(&again);
	buffer_done(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size == 0 ? NULL : memchr(data, '\0', size);
	if (end == NULL || size > INGEST_BODY_BYTES_MAX)
		return 0;
	struct plan *plan = read_plan(data, (size_t)(end - data));
	if (plan == NULL)
		return 0;

	struct world world = {0};
	fake_vault_reset();
	fake_journal_init(&world.journal, NOW_MS);
	struct ingest_config config  = {.journal         = &world.journal.base,
	                                .partition_count = FAKE_PARTITION_COUNT,
	                                .retention_ms    = 30 * DAY_MS};
	struct text          message = {(const char *)end + 1, size - (size_t)(end + 1 - data)};
	world.ingest                 = ingest_new(&config);
	world.thread                 = ingest_thread_new(world.ingest);
	world.source                 = source_of(ingest_sources(world.ingest), 1);
	watch_set_plan(ingest_watch(world.ingest), world.source, plan);
	check(&world, INGEST_TRACK, message);
	check(&world, INGEST_IDENTIFY, message);
	ingest_thread_free(world.thread);
	ingest_free(world.ingest);
	fake_journal_done(&world.journal);
	fake_vault_reset();
	return 0;
}
