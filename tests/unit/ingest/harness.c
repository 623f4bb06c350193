#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "model/value.h"

static enum status admit(void *context) { return ((struct harness *)context)->admits; }

int harness_new(void **state)
{
	struct harness *harness = calloc(1, sizeof *harness);
	fake_vault_reset();
	fake_journal_init(&harness->journal, NOW_MS);
	struct ingest_config config = {
		.journal         = &harness->journal.base,
		.partition_count = FAKE_PARTITION_COUNT,
		.retention_ms    = RETENTION_MS,
		.admit           = admit,
		.admit_context   = harness,
	};
	harness->ingest = ingest_new(&config);
	harness->thread = ingest_thread_new(harness->ingest);
	*state          = harness;
	return 0;
}

int harness_free(void **state)
{
	struct harness *harness = *state;
	ingest_thread_free(harness->thread);
	ingest_free(harness->ingest);
	fake_journal_done(&harness->journal);
	VECTOR_DONE(&harness->rejected);
	buffer_done(&harness->text);
	free(harness);
	return 0;
}

static void done(void *context, const struct ingest_result *result)
{
	struct harness *harness = context;
	harness->done_count++;
	harness->status         = result->status;
	harness->err_status     = result->err != NULL ? result->err->status : STATUS_OK;
	harness->position       = result->position;
	harness->accepted_count = result->accepted_count;
	harness->rejected.count = 0;
	for (size_t i = 0; i < result->rejected_count; i++)
		VECTOR_ADD(&harness->rejected,
		           (struct ingest_rejection){result->rejected[i].index, result->rejected[i].code});
	if (result->rejected_count > 0) {
		struct harness_detail         *detail = &harness->detail;
		const struct ingest_rejection *first  = &result->rejected[0];
		snprintf(detail->field, sizeof detail->field, "%.*s", TEXT_FORMAT(first->field));
		snprintf(detail->reason, sizeof detail->reason, "%.*s",
		         TEXT_FORMAT(ingest_rejection_reason(first)));
	}
}

void harness_submit(struct harness *harness, enum ingest_kind kind, struct text json)
{
	/* A block of its own, so that a sanitizer sees a read behind the padding. */
	char *body = malloc(json.length + JSON_PADDING_BYTES);
	memcpy(body, json.data, json.length);
	memset(body + json.length, 'x', JSON_PADDING_BYTES);
	struct error err = {0};
	if (ingest_parse(harness->thread, body, json.length, &err) != STATUS_OK)
		fail_msg("%s", err.reason);

	struct ingest_request request = {
		.kind          = kind,
		.source_number = 7,
		.done          = done,
		.context       = harness,
		.planned       = harness->planned,
	};
	ingest_submit(harness->thread, &request);
	free(body);
}

void harness_submit_string(struct harness *harness, enum ingest_kind kind, const char *json)
{
	harness_submit(harness, kind, text_of(json));
}

void assert_rejected(struct harness *harness, enum ingest_kind kind, const char *json,
                     const char *code)
{
	unsigned before = fake_journal_count(&harness->journal);
	harness_submit_string(harness, kind, json);
	assert_int_equal(harness->status, STATUS_OK);
	assert_int_equal(harness->accepted_count, 0);
	assert_int_equal(harness->rejected.count, 1);
	assert_int_equal(harness->rejected.items[0].index, 0);
	assert_string_equal(ingest_code_name(harness->rejected.items[0].code), code);
	assert_int_equal(fake_journal_count(&harness->journal), before);
}

struct record assert_accepted(struct harness *harness, enum ingest_kind kind, const char *json)
{
	/* Only this request's records, so that the last one is known. */
	for (unsigned i = 0; i < FAKE_PARTITION_COUNT; i++)
		buffer_clear(&harness->journal.bytes[i]);
	harness_submit_string(harness, kind, json);
	assert_int_equal(harness->status, STATUS_OK);
	if (harness->rejected.count > 0)
		fail_msg("%s: %s", json, ingest_code_name(harness->rejected.items[0].code));
	return harness_record(harness, fake_journal_count(&harness->journal) - 1);
}

struct record harness_record(struct harness *harness, unsigned index)
{
	return fake_journal_record(&harness->journal, index, NULL);
}

/* The two lists that were sealed with a record. */
static void unseal(const struct record *record, struct text *ret_values, struct text *ret_context)
{
	*ret_values = *ret_context = TEXT("");
	if (record->sealed.length == 0)
		return;
	struct text mark = TEXT(SEAL_MARK);
	assert_true(text_starts_with(record->sealed, mark));
	struct byte_reader reader =
		byte_reader_of(record->sealed.data + mark.length, record->sealed.length - mark.length);
	*ret_values  = read_sized(&reader);
	*ret_context = read_sized(&reader);
	assert_false(reader.failed);
	assert_int_equal(read_left(&reader), 0);
	assert_true(value_check(*ret_values) && value_check(*ret_context));
}

static const char *write_list(struct harness *harness, struct text list, struct text personal)
{
	struct json_writer writer = json_writer_of(&harness->text);
	buffer_clear(&harness->text);
	value_list_write_json(&writer, list, personal);
	buffer_add_u8(&harness->text, '\0');
	return harness->text.data;
}

const char *values_json(struct harness *harness, const struct record *record)
{
	struct text values, context;
	unseal(record, &values, &context);
	return write_list(harness, record->properties, values);
}

const char *context_json(struct harness *harness, const struct record *record)
{
	struct text values, context;
	unseal(record, &values, &context);
	return write_list(harness, record->context, context);
}

const char *clear_values_json(struct harness *harness, const struct record *record)
{
	return write_list(harness, record->properties, TEXT(""));
}

const char *clear_context_json(struct harness *harness, const struct record *record)
{
	return write_list(harness, record->context, TEXT(""));
}
