#include "model/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../seed.h"
#include "base/instant.h"
#include "model/value.h"

/* A list of one entry, that of a JSON number. */
static struct text small_list(struct buffer *into, int64_t number)
{
	struct value value = {.type = VALUE_INT, .integer = number};
	size_t       begin = value_list_begin(into);
	value_add(into, TEXT("revenue"), &value);
	value_list_end(into, begin, 1);
	return buffer_text(into);
}

static struct record event_of(struct text properties)
{
	return (struct record){
		.kind          = RECORD_EVENT,
		.flags         = RECORD_IDENTIFIED | RECORD_HAS_ORIGIN | RECORD_HAS_SOURCE,
		.slot          = 7,
		.origin        = {3, UINT64_C(1) << 40, 9},
		.source        = TEXT("topic/3@17"),
		.call          = CALL_TRACK,
		.source_number = 5,
		.timestamp_ms  = 1736245800000,
		.skew_ms       = -1,
		.name          = TEXT("Order Completed"),
		.message_id    = TEXT("m-1"),
		.properties    = properties,
		.context       = properties,
		.sealed        = TEXT("\1\2\3"),
	};
}

static void assert_same(const struct record *a, const struct record *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->slot, b->slot);
	assert_int_equal(a->origin.partition, b->origin.partition);
	assert_int_equal(a->origin.position, b->origin.position);
	assert_int_equal(a->origin.ordinal, b->origin.ordinal);
	assert_true(text_equal(a->source, b->source));
	assert_int_equal(a->call, b->call);
	assert_int_equal(a->source_number, b->source_number);
	assert_int_equal(a->timestamp_ms, b->timestamp_ms);
	assert_int_equal(a->skew_ms, b->skew_ms);
	assert_true(text_equal(a->name, b->name));
	assert_true(text_equal(a->message_id, b->message_id));
	assert_true(text_equal(a->properties, b->properties));
	assert_true(text_equal(a->context, b->context));
	assert_true(text_equal(a->sealed, b->sealed));
	assert_true(text_equal(a->body, b->body));
}

static struct record decode(struct text bytes)
{
	struct record record;
	struct error  err = {0};
	size_t        size;
	if (record_decode(bytes, &record, &size, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	assert_int_equal(size, bytes.length);
	return record;
}

static void an_event_comes_back_as_it_was(void **state)
{
	(void)state;
	struct buffer list = {0}, out = {0};
	struct record event = event_of(small_list(&list, 5));

	record_encode(&out, &event);

	struct record decoded = decode(buffer_text(&out));
	assert_same(&decoded, &event);
	buffer_done(&out);
	buffer_done(&list);
}

static void the_bytes_of_an_event_are_those_of_the_format(void **state)
{
	(void)state;
	struct buffer out   = {0};
	struct record event = {.kind         = RECORD_EVENT,
	                       .slot         = 0x01020304,
	                       .call         = CALL_PAGE,
	                       .timestamp_ms = 1,
	                       .skew_ms      = INSTANT_MS_NONE,
	                       .name         = TEXT("ab"),
	                       .properties   = TEXT("\0")};

	record_encode(&out, &event);

	static const char expected[] = "\x24\0\0\0"         /* size */
								   "\1\0\4\3\2\1"       /* kind, flags, slot */
								   "\2\0\0\0\0\0"       /* call, 0, source */
								   "\1\0\0\0\0\0\0\0"   /* timestamp */
								   "\0\0\0\0\0\0\0\x80" /* skew: none */
								   "\2"
								   "ab"
								   "\0" /* name, message id */
								   "\1\0"
								   "\0"
								   "\0"; /* properties, context, sealed */
	assert_int_equal(out.length, sizeof expected - 1);
	assert_memory_equal(out.data, expected, out.length);
	buffer_done(&out);
}

static void records_of_every_kind_come_back_as_they_were(void **state)
{
	(void)state;
	for (int kind = RECORD_EVENT; kind <= RECORD_ABANDON; kind++) {
		struct buffer out    = {0};
		struct record record = {.kind         = kind,
		                        .slot         = UINT32_MAX,
		                        .timestamp_ms = INSTANT_MS_NONE,
		                        .skew_ms      = INSTANT_MS_NONE};
		if (kind == RECORD_EVENT)
			record.call = CALL_SCREEN;
		else if (kind == RECORD_TRAITS)
			record.call = CALL_IDENTIFY;
		else if (kind == RECORD_ALIAS)
			record.call = CALL_ALIAS;
		else
			record.body = TEXT("body");
		record_encode(&out, &record);

		struct record decoded = decode(buffer_text(&out));
		assert_same(&decoded, &record);
		buffer_done(&out);
	}
}

static void records_lie_one_behind_the_other(void **state)
{
	(void)state;
	struct buffer list = {0}, out = {0};
	struct record event = event_of(small_list(&list, 5));
	struct record clock = {.kind = RECORD_CLOCK, .slot = 1};
	record_encode(&out, &event);
	size_t first_size = out.length;
	record_encode(&out, &clock);

	struct record decoded;
	size_t        size;
	assert_int_equal(record_decode(buffer_text(&out), &decoded, &size, NULL), STATUS_OK);
	assert_int_equal(size, first_size);
	struct text rest = {out.data + size, out.length - size};
	assert_int_equal(record_decode(rest, &decoded, &size, NULL), STATUS_OK);
	assert_int_equal(decoded.kind, RECORD_CLOCK);
	assert_int_equal(size, rest.length);
	buffer_done(&out);
	buffer_done(&list);
}

static struct text random_text(char *into, size_t bytes_max)
{
	struct text text = {into, seed_below(4) == 0 ? 0 : seed_below(bytes_max + 1)};
	for (size_t i = 0; i < text.length; i++)
		into[i] = (char)seed_next();
	return text;
}

static struct text random_list(struct buffer *into)
{
	char     name[200], string[300];
	unsigned count = (unsigned)seed_below(200);
	size_t   begin = value_list_begin(into);
	for (unsigned i = 0; i < count; i++) {
		struct value value = {.type = VALUE_STRING, .text = random_text(string, sizeof string)};
		if (seed_below(2) == 0)
			value = (struct value){.type = VALUE_UINT, .unsigned_integer = seed_next()};
		value_add(into, random_text(name, sizeof name), &value);
	}
	value_list_end(into, begin, count);
	return buffer_text(into);
}

static void random_records_come_back_as_they_were(void **state)
{
	(void)state;
	seed_begin(__func__);
	for (int i = 0; i < 2000; i++) {
		char          source[64], name[300], id[64], sealed[4000], body[10000];
		struct buffer properties = {0}, context = {0}, out = {0};
		struct record record = {.kind         = (enum record_kind)(1 + seed_below(13)),
		                        .flags        = (uint8_t)seed_below(8),
		                        .slot         = (uint32_t)seed_next(),
		                        .timestamp_ms = INSTANT_MS_NONE,
		                        .skew_ms      = INSTANT_MS_NONE};
		if (record.flags & RECORD_HAS_ORIGIN)
			record.origin =
				(struct record_origin){(uint32_t)seed_next(), seed_next(), (uint32_t)seed_next()};
		if (record.flags & RECORD_HAS_SOURCE)
			record.source = random_text(source, sizeof source);
		if (record.kind == RECORD_ALIAS) {
			record.call       = CALL_ALIAS;
			record.message_id = random_text(id, sizeof id);
		} else if (record.kind > RECORD_TRAITS) {
			record.body = random_text(body, sizeof body);
		} else {
			record.call          = record.kind == RECORD_EVENT ? CALL_TRACK : CALL_PROFILE;
			record.source_number = (uint32_t)seed_next();
			record.timestamp_ms  = (int64_t)seed_next();
			record.skew_ms       = (int64_t)seed_next();
			record.message_id    = random_text(id, sizeof id);
			record.properties    = random_list(&properties);
			record.sealed        = random_text(sealed, sizeof sealed);
		}
		if (record.kind == RECORD_EVENT) {
			record.name    = random_text(name, sizeof name);
			record.context = random_list(&context);
		}
		record_encode(&out, &record);

		struct record decoded = decode(buffer_text(&out));
		assert_same(&decoded, &record);
		buffer_done(&properties);
		buffer_done(&context);
		buffer_done(&out);
	}
}

/* From memory that ends where the bytes end, so that the sanitizers see a read behind it. */
static enum status decode_copy(const char *bytes, size_t length, struct error *err)
{
	struct record record;
	size_t        size;
	char         *copy = malloc(length == 0 ? 1 : length);
	memcpy(copy, bytes, length);
	enum status status = record_decode((struct text){copy, length}, &record, &size, err);
	if (status == STATUS_OK) {
		assert_true(size <= length);
		value_check(record.properties);
		value_check(record.context);
	}
	free(copy);
	return status;
}

static void a_record_cut_off_anywhere_is_corrupt(void **state)
{
	(void)state;
	struct buffer list = {0}, out = {0};
	struct record event = event_of(small_list(&list, 5));
	record_encode(&out, &event);

	for (size_t length = 0; length < out.length; length++)
		assert_int_equal(decode_copy(out.data, length, NULL), STATUS_CORRUPT);
	/* And with a size that agrees with the cut. */
	for (size_t length = 4; length < out.length; length++) {
		uint32_t size = (uint32_t)length - 4;
		memcpy(out.data, &size, sizeof size);
		assert_int_equal(decode_copy(out.data, length, NULL), STATUS_CORRUPT);
	}
	buffer_done(&out);
	buffer_done(&list);
}

static void a_record_with_any_byte_changed_is_safe_to_decode(void **state)
{
	(void)state;
	struct buffer list = {0}, out = {0};
	struct record event = event_of(small_list(&list, 5));
	record_encode(&out, &event);

	for (size_t i = 0; i < out.length; i++) {
		char before = out.data[i];
		for (int byte = 0; byte < 256; byte++) {
			out.data[i]        = (char)byte;
			enum status status = decode_copy(out.data, out.length, NULL);
			assert_true(status == STATUS_OK || status == STATUS_CORRUPT);
		}
		out.data[i] = before;
	}
	buffer_done(&out);
	buffer_done(&list);
}

/* Encodes a clock record, changes one byte and tells what is said of it. */
static const char *reason_of(size_t at, uint8_t byte)
{
	static struct error err;
	struct buffer       out   = {0};
	struct record       clock = {.kind = RECORD_CLOCK, .slot = 1, .body = TEXT("x")};
	record_encode(&out, &clock);
	out.data[at] = (char)byte;
	assert_int_equal(decode_copy(out.data, out.length, &err), STATUS_CORRUPT);
	buffer_done(&out);
	return err.reason;
}

static void what_is_wrong_with_a_record_is_said(void **state)
{
	(void)state;
	assert_non_null(strstr(reason_of(0, 200), "cut off"));
	assert_non_null(strstr(reason_of(4, 0), "unknown kind"));
	assert_non_null(strstr(reason_of(4, RECORD_ABANDON + 1), "unknown kind"));
	assert_non_null(strstr(reason_of(5, 8), "unknown flags"));
	assert_non_null(strstr(reason_of(10, 2), "shorter"));
	assert_non_null(strstr(reason_of(10, 0), "longer"));
}

static void a_call_that_the_kind_does_not_have_is_corrupt(void **state)
{
	(void)state;
	enum { CALL_AT = 10 };
	struct buffer out   = {0};
	struct record event = {.kind = RECORD_EVENT, .call = CALL_TRACK};
	record_encode(&out, &event);

	static const uint8_t calls[] = {0, CALL_IDENTIFY, CALL_ALIAS, CALL_PROFILE + 1, 255};
	for (size_t i = 0; i < sizeof calls; i++) {
		out.data[CALL_AT] = (char)calls[i];
		assert_int_equal(decode_copy(out.data, out.length, NULL), STATUS_CORRUPT);
	}
	out.data[CALL_AT] = CALL_PAGE;
	assert_int_equal(decode_copy(out.data, out.length, NULL), STATUS_OK);
	buffer_done(&out);
}

static void a_record_larger_than_any_may_be_is_corrupt(void **state)
{
	(void)state;
	struct error err;
	size_t       length = RECORD_BYTES_MAX + 100;
	char        *bytes  = calloc(1, length);
	uint32_t     size   = RECORD_BYTES_MAX;
	memcpy(bytes, &size, sizeof size);

	assert_int_equal(decode_copy(bytes, length, &err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, "larger"));
	free(bytes);
}

static struct record timed(int64_t timestamp_ms, int64_t skew_ms)
{
	return (struct record){.timestamp_ms = timestamp_ms, .skew_ms = skew_ms};
}

static void the_time_of_an_event_follows_what_its_sender_told(void **state)
{
	(void)state;
	const int64_t received_ms = 1736245800000;
	struct record both        = timed(5, 2000);
	struct record alone       = timed(received_ms - 7, INSTANT_MS_NONE);
	struct record nothing     = timed(INSTANT_MS_NONE, INSTANT_MS_NONE);
	bool          marked      = true;

	assert_int_equal(record_time_ms(&both, received_ms, &marked), received_ms - 2000);
	assert_false(marked);
	assert_int_equal(record_time_ms(&alone, received_ms, NULL), received_ms - 7);
	assert_int_equal(record_time_ms(&nothing, received_ms, NULL), received_ms);
}

static void an_event_too_far_ahead_becomes_one_of_now_and_is_marked(void **state)
{
	(void)state;
	const int64_t received_ms = 1736245800000;
	struct record near        = timed(received_ms + EVENT_FUTURE_MS_MAX, INSTANT_MS_NONE);
	struct record far         = timed(received_ms + EVENT_FUTURE_MS_MAX + 1, INSTANT_MS_NONE);
	struct record far_by_skew = timed(1, -EVENT_FUTURE_MS_MAX - 1);
	bool          marked;

	assert_int_equal(record_time_ms(&near, received_ms, &marked),
	                 received_ms + EVENT_FUTURE_MS_MAX);
	assert_false(marked);
	assert_int_equal(record_time_ms(&far, received_ms, &marked), received_ms);
	assert_true(marked);
	assert_int_equal(record_time_ms(&far_by_skew, received_ms, &marked), received_ms);
	assert_true(marked);
}

static void a_senseless_skew_still_gives_a_time(void **state)
{
	(void)state;
	const int64_t received_ms = 1736245800000;
	struct record past        = timed(1, INT64_MAX);
	struct record future      = timed(1, INT64_MIN + 1);
	struct record ancient     = timed(INT64_MIN + 1, INSTANT_MS_NONE);
	bool          marked;

	assert_int_equal(record_time_ms(&past, received_ms, &marked), INSTANT_MS_MIN);
	assert_false(marked);
	assert_int_equal(record_time_ms(&future, received_ms, &marked), received_ms);
	assert_true(marked);
	assert_int_equal(record_time_ms(&ancient, received_ms, &marked), INSTANT_MS_MIN);
}

/* A list of one string of so many bytes. */
static void fill_list(struct buffer *list, size_t length)
{
	static char  bytes[20000];
	struct value value = {.type = VALUE_STRING, .text = {bytes, length}};
	memset(bytes, 'x', sizeof bytes);
	size_t begin = value_list_begin(list);
	value_add(list, TEXT("a"), &value);
	value_list_end(list, begin, 1);
}

static void other_properties_are_put_in_the_place_of_the_old_ones(void **state)
{
	(void)state;
	for (size_t lengths[] = {0, 1, 40, 126, 127, 128, 300, 20000}, i = 0; i < 8; i++)
		for (size_t j = 1; j < 8; j++) {
			struct buffer old = {0}, new = {0}, encoded = {0}, direct = {0}, put = {0};
			fill_list(&old, lengths[j]);
			fill_list(&new, lengths[i]);
			struct record record = {.kind         = RECORD_EVENT,
			                        .slot         = 7,
			                        .call         = CALL_PAGE,
			                        .timestamp_ms = 5,
			                        .skew_ms      = INSTANT_MS_NONE,
			                        .name         = TEXT("Seen"),
			                        .message_id   = TEXT("m"),
			                        .properties   = buffer_text(&old),
			                        .sealed       = TEXT("sealed")};
			record_encode(&encoded, &record);
			struct record read;
			size_t        size;
			struct error  err;
			assert_int_equal(record_decode(buffer_text(&encoded), &read, &size, &err), STATUS_OK);
			record.properties = buffer_text(&new);
			record_encode(&direct, &record);
			record_encode_with(&put, buffer_text(&encoded), &read, buffer_text(&new));
			assert_true(text_equal(buffer_text(&direct), buffer_text(&put)));
			buffer_done(&old);
			buffer_done(&new);
			buffer_done(&encoded);
			buffer_done(&direct);
			buffer_done(&put);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_properties_are_put_in_the_place_of_the_old_ones),
		cmocka_unit_test(an_event_comes_back_as_it_was),
		cmocka_unit_test(the_bytes_of_an_event_are_those_of_the_format),
		cmocka_unit_test(records_of_every_kind_come_back_as_they_were),
		cmocka_unit_test(records_lie_one_behind_the_other),
		cmocka_unit_test(random_records_come_back_as_they_were),
		cmocka_unit_test(a_record_cut_off_anywhere_is_corrupt),
		cmocka_unit_test(a_record_with_any_byte_changed_is_safe_to_decode),
		cmocka_unit_test(what_is_wrong_with_a_record_is_said),
		cmocka_unit_test(a_call_that_the_kind_does_not_have_is_corrupt),
		cmocka_unit_test(a_record_larger_than_any_may_be_is_corrupt),
		cmocka_unit_test(the_time_of_an_event_follows_what_its_sender_told),
		cmocka_unit_test(an_event_too_far_ahead_becomes_one_of_now_and_is_marked),
		cmocka_unit_test(a_senseless_skew_still_gives_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
