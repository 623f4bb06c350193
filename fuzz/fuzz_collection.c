/* Collection bodies: the first byte says what they are posted to, the rest is the body. Over a
 * journal and a vault in memory (tests/unit/ingest/fakes.h).
 *
 * Whatever comes: `done` is called once; what is neither accepted nor rejected does not exist; the
 * journal gets whole records, of persons that the vault knows; what stays in clear is not personal;
 * and the same body gives the same records again. */

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "fakes.h"
#include "fuzz.h"
#include "ingest/ingest.h"
#include "model/personal.h"
#include "model/value.h"

#define NOW_MS INT64_C(1736245800000)
#define DAY_MS INT64_C(86400000)

struct outcome {
	unsigned            calls;
	struct fake_journal journal;
};

#define CHECK(condition)                                                                           \
	do {                                                                                           \
		if (!(condition)) {                                                                        \
			fprintf(stderr, "broken: %s\n", #condition);                                           \
			abort();                                                                               \
		}                                                                                          \
	} while (0)

static void done(void *context, const struct ingest_result *result)
{
	struct outcome *outcome = context;
	CHECK(outcome->calls++ == 0);
	if (result->status != STATUS_OK) {
		CHECK(result->err != NULL && result->err->reason[0] != '\0');
		CHECK(result->accepted_count == 0 && result->rejected_count == 0);
		return;
	}
	for (size_t i = 0; i < result->rejected_count; i++) {
		CHECK(result->rejected[i].code > INGEST_ACCEPTED);
		CHECK(result->rejected[i].code < INGEST_CODE_COUNT);
		CHECK(result->rejected[i].index < result->accepted_count + result->rejected_count);
		CHECK(i == 0 || result->rejected[i].index > result->rejected[i - 1].index);
	}
	unsigned records = fake_journal_count(&outcome->journal);
	CHECK(records >= result->accepted_count && records <= 2 * result->accepted_count);
	CHECK((records == 0) == (result->position == 0));
}

static void check_clear(enum personal_place place, struct text list)
{
	CHECK(list.length == 0 || value_check(list));
	struct value_reader reader = value_read(list);
	while (value_next(&reader)) {
		enum value_type type = reader.value.type;
		if (type == VALUE_STRING)
			CHECK(reader.value.text.length <= PERSONAL_TEXT_BYTES_MAX);
		if (type != VALUE_NULL && type != VALUE_PERSONAL)
			CHECK(!personal_by_name(place, reader.name));
	}
}

static void check_record(const struct record *record)
{
	CHECK(record->slot != SLOT_NONE);
	if (record->kind != RECORD_EVENT && record->kind != RECORD_TRAITS)
		return;
	bool event = record->kind == RECORD_EVENT;
	CHECK(!event || record->name.length > 0);
	check_clear(event ? PERSONAL_IN_PROPERTIES : PERSONAL_IN_TRAITS, record->properties);
	check_clear(PERSONAL_IN_CONTEXT, record->context);
	if (record->sealed.length == 0)
		return;
	struct text        mark = TEXT(SEAL_MARK);
	struct byte_reader plain =
		byte_reader_of(record->sealed.data + mark.length, record->sealed.length - mark.length);
	CHECK(value_check(read_sized(&plain)) && value_check(read_sized(&plain)));
	if (!event && read_left(&plain) > 0) /* the indexes */
		CHECK(value_check(read_sized(&plain)));
	CHECK(!plain.failed && read_left(&plain) == 0);
}

static void run(const char *body, size_t length, enum ingest_kind kind, struct outcome *outcome)
{
	*outcome = (struct outcome){0};
	fake_vault_reset();
	fake_journal_init(&outcome->journal, NOW_MS);
	struct ingest_config  config = {.journal         = &outcome->journal.base,
	                                .partition_count = FAKE_PARTITION_COUNT,
	                                .retention_ms    = 30 * DAY_MS};
	struct ingest        *ingest = ingest_new(&config);
	struct ingest_thread *thread = ingest_thread_new(ingest);
	struct error          err    = {0};
	if (ingest_parse(thread, body, length, &err) == STATUS_OK) {
		struct text key = {0};
		CHECK(!ingest_write_key(thread, &key) || key.data != NULL);
		struct ingest_request request = {kind, 1, done, outcome};
		ingest_submit(thread, &request);
		CHECK(outcome->calls == 1);
	} else {
		CHECK(err.reason[0] != '\0');
	}
	ingest_thread_free(thread);
	ingest_free(ingest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > INGEST_BODY_BYTES_MAX)
		return 0;
	size_t           length = size - 1;
	enum ingest_kind kind   = data[0] % INGEST_KIND_COUNT;
	char            *body   = malloc(length + JSON_PADDING_BYTES);
	memcpy(body, data + 1, length);
	memset(body + length, 0, JSON_PADDING_BYTES);

	struct outcome first, second;
	run(body, length, kind, &first);
	unsigned count = fake_journal_count(&first.journal);
	for (unsigned i = 0; i < count; i++) {
		struct record record = fake_journal_record(&first.journal, i, NULL);
		check_record(&record);
	}
	run(body, length, kind, &second);
	for (unsigned i = 0; i < FAKE_PARTITION_COUNT; i++)
		CHECK(text_equal(buffer_text(&first.journal.bytes[i]),
		                 buffer_text(&second.journal.bytes[i])));
	fake_journal_done(&first.journal);
	fake_journal_done(&second.journal);
	fake_vault_reset();
	free(body);
	return 0;
}
