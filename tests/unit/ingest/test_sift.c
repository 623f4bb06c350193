#include "ingest/sift.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "../seed.h"
#include "base/json.h"

#define LONG_TEXT "0123456789012345678901234567890123456789012345678901234567890123456789"

struct fixture {
	struct json_parser *parser;
	struct sift         sift;
	struct buffer       list;
	struct buffer       clear;    /* JSON */
	struct buffer       personal; /* JSON */
	struct buffer       whole;    /* JSON, both together */
};

static int new_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	fixture->parser         = json_parser_new();
	sift_init(&fixture->sift, PERSONAL_IN_CONTEXT);
	*state = fixture;
	return 0;
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	json_parser_free(fixture->parser);
	sift_done(&fixture->sift);
	buffer_done(&fixture->list);
	buffer_done(&fixture->clear);
	buffer_done(&fixture->personal);
	buffer_done(&fixture->whole);
	free(fixture);
	return 0;
}

static void write_list(struct buffer *out, struct text list, struct text personal)
{
	assert_true(value_check(list));
	buffer_clear(out);
	struct json_writer writer = json_writer_of(out);
	value_list_write_json(&writer, list, personal);
	buffer_add_u8(out, '\0');
}

static enum ingest_code sift_json(struct fixture *fixture, struct text json)
{
	struct json  root = {0};
	struct error err  = {0};
	if (json_parse_text(fixture->parser, json, &root, &err) != STATUS_OK)
		fail_msg("%.*s: %s", TEXT_FORMAT(json), err.reason);

	struct sift *sift = &fixture->sift;
	buffer_clear(&fixture->list);
	sift_begin(sift, &fixture->list);
	for (struct json_iterator i = json_iterate(root); json_next(&i);) {
		enum ingest_code code = sift_add(sift, i.name, i.value);
		if (code != INGEST_ACCEPTED)
			return code;
	}
	sift_end(sift);
	struct text list = buffer_text(&fixture->list), personal = buffer_text(&sift->personal);
	write_list(&fixture->clear, list, TEXT(""));
	write_list(&fixture->personal, personal, TEXT(""));
	write_list(&fixture->whole, list, personal);
	return INGEST_ACCEPTED;
}

static void assert_sifted(void **state, const char *json, const char *clear, const char *personal)
{
	struct fixture *fixture = *state;
	assert_int_equal(sift_json(fixture, text_of(json)), INGEST_ACCEPTED);
	assert_string_equal(fixture->clear.data, clear);
	assert_string_equal(fixture->personal.data, personal);
	assert_string_equal(fixture->whole.data, json);
}

static void every_type_comes_through(void **state)
{
	assert_sifted(state,
	              "{\"a\":null,\"b\":true,\"c\":false,\"d\":-1,\"e\":18446744073709551615,"
	              "\"f\":1.5,\"g\":\"x\",\"h\":[\"y\",\"z\"],\"i\":[1,\"w\",{\"j\":[]}],"
	              "\"k\":{\"l\":{\"m\":{}}}}",
	              "{\"a\":null,\"b\":true,\"c\":false,\"d\":-1,\"e\":18446744073709551615,"
	              "\"f\":1.5,\"g\":\"x\",\"h\":[\"y\",\"z\"],\"i\":[1,\"w\",{\"j\":[]}],"
	              "\"k\":{\"l\":{\"m\":{}}}}",
	              "{}");
}

static void personal_names_are_taken_out_at_every_depth(void **state)
{
	assert_sifted(state,
	              "{\"ip\":\"1.2.3.4\",\"device\":{\"id\":5,\"model\":\"m\",\"token\":[1]},"
	              "\"traits\":{\"email\":\"a@b\",\"address\":{\"city\":\"x\"},\"plan\":\"p\"}}",
	              "{\"ip\":null,\"device\":{\"id\":null,\"model\":\"m\",\"token\":null},"
	              "\"traits\":{\"email\":null,\"address\":null,\"plan\":\"p\"}}",
	              "{\"ip\":\"1.2.3.4\",\"device.id\":5,\"device.token\":[1],"
	              "\"traits.email\":\"a@b\",\"traits.address\":{\"city\":\"x\"}}");
}

static void null_is_never_personal(void **state)
{
	assert_sifted(state, "{\"ip\":null,\"device\":{\"id\":null}}",
	              "{\"ip\":null,\"device\":{\"id\":null}}", "{}");
	struct text         list   = buffer_text(&((struct fixture *)*state)->list);
	struct value_reader reader = value_read(list);
	assert_true(value_next(&reader));
	assert_int_equal(reader.value.type, VALUE_NULL);
}

static void long_texts_and_arrays_that_hold_one_are_personal(void **state)
{
	assert_sifted(state, "{\"a\":\"" LONG_TEXT "\",\"b\":{\"c\":[1,\"" LONG_TEXT "\"]}}",
	              "{\"a\":null,\"b\":{\"c\":null}}",
	              "{\"a\":\"" LONG_TEXT "\",\"b.c\":[1,\"" LONG_TEXT "\"]}");
	assert_sifted(
		state, "{\"a\":\"0123456789012345678901234567890123456789012345678901234567890123\"}",
		"{\"a\":\"0123456789012345678901234567890123456789012345678901234567890123\"}", "{}");
}

static void a_sift_is_used_again_after_a_refusal(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(sift_json(fixture, TEXT("{\"device\":{\"a\":{\"id\":1e999}}}")),
	                 INGEST_INVALID_NUMBER);
	assert_sifted(state, "{\"id\":\"x\",\"device\":{\"id\":\"d\"}}",
	              "{\"id\":\"x\",\"device\":{\"id\":null}}", "{\"device.id\":\"d\"}");
}

/* ---- Random objects ---- */

static void random_value(struct json_writer *writer, unsigned depth);

static void random_text(struct json_writer *writer, bool name)
{
	static const char *const pieces[] = {"a", "제", "\n", "\"", "\\", "😀", "z", " "};
	struct buffer            text     = {0};
	unsigned                 count    = (unsigned)seed_below(seed_below(10) == 0 ? 100 : 8);
	for (unsigned i = 0; i < count; i++)
		buffer_add_text(&text, text_of(pieces[seed_below(8)]));
	if (name) /* different ones, without dots: of equal paths only one would come back */
		buffer_printf(&text, "%u", (unsigned)seed_next());
	if (name)
		json_add_key(writer, buffer_text(&text));
	else
		json_add_string(writer, buffer_text(&text));
	buffer_done(&text);
}

static void random_name(struct json_writer *writer, unsigned member, unsigned depth)
{
	static const char *const known[] = {"ip", "device", "id", "token", "traits", "email", "phone"};
	if (member < 7 && depth < 4 && seed_below(3) == 0)
		json_add_key(writer, text_of(known[member]));
	else
		random_text(writer, true);
}

static void random_object(struct json_writer *writer, unsigned depth)
{
	json_begin_object(writer);
	unsigned count = (unsigned)seed_below(seed_below(50) == 0 ? 200 : 7);
	for (unsigned i = 0; i < count; i++) {
		random_name(writer, i, depth);
		random_value(writer, depth + 1);
	}
	json_end_object(writer);
}

static void random_array(struct json_writer *writer, unsigned depth)
{
	json_begin_array(writer);
	bool texts = seed_below(2) == 0;
	for (unsigned i = (unsigned)seed_below(6); i > 0; i--) {
		if (texts)
			random_text(writer, false);
		else
			random_value(writer, depth + 1);
	}
	json_end_array(writer);
}

static double random_double(void)
{
	double   number;
	uint64_t bits;
	do {
		bits = seed_next();
		memcpy(&number, &bits, sizeof number);
	} while (!__builtin_isfinite(number) || number == 0 || number == __builtin_trunc(number));
	return number;
}

static void random_value(struct json_writer *writer, unsigned depth)
{
	switch (seed_below(depth > 6 ? 7 : 10)) {
	case 0:
		json_add_null(writer);
		break;
	case 1:
		json_add_bool(writer, seed_below(2) == 0);
		break;
	case 2:
		json_add_int(writer, (int64_t)seed_next() >> seed_below(64));
		break;
	case 3:
		json_add_uint(writer, seed_next() | UINT64_C(1) << 63);
		break;
	case 4:
		json_add_double(writer, random_double());
		break;
	case 7:
		random_array(writer, depth);
		break;
	case 8:
	case 9:
		random_object(writer, depth);
		break;
	default:
		random_text(writer, false);
	}
}

static void random_objects_come_back_as_they_were(void **state)
{
	struct fixture *fixture = *state;
	struct buffer   json    = {0};
	for (unsigned round = 0; round < 600; round++) {
		fixture->sift.place       = (enum personal_place)seed_below(3);
		struct json_writer writer = json_writer_of(&json);
		buffer_clear(&json);
		random_object(&writer, 0);
		assert_int_equal(sift_json(fixture, buffer_text(&json)), INGEST_ACCEPTED);
		buffer_add_u8(&json, '\0');
		assert_string_equal(fixture->whole.data, json.data);
	}
	buffer_done(&json);
}

/* Whatever stays in clear has neither a long text nor, at the top, a personal name. */
static void what_stays_in_clear_is_not_personal(void **state)
{
	struct fixture *fixture = *state;
	struct buffer   json    = {0};
	for (unsigned round = 0; round < 300; round++) {
		fixture->sift.place       = (enum personal_place)seed_below(3);
		struct json_writer writer = json_writer_of(&json);
		buffer_clear(&json);
		random_object(&writer, 0);
		assert_int_equal(sift_json(fixture, buffer_text(&json)), INGEST_ACCEPTED);
		struct value_reader reader = value_read(buffer_text(&fixture->list));
		while (value_next(&reader)) {
			if (reader.value.type == VALUE_STRING)
				assert_true(reader.value.text.length <= PERSONAL_TEXT_BYTES_MAX);
			if (personal_by_name(fixture->sift.place, reader.name))
				assert_true(reader.value.type == VALUE_PERSONAL || reader.value.type == VALUE_NULL);
		}
	}
	buffer_done(&json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)

int main(void)
{
	seed_begin("test_sift");
	const struct CMUnitTest tests[] = {
		TEST(every_type_comes_through),
		TEST(personal_names_are_taken_out_at_every_depth),
		TEST(null_is_never_personal),
		TEST(long_texts_and_arrays_that_hold_one_are_personal),
		TEST(a_sift_is_used_again_after_a_refusal),
		TEST(random_objects_come_back_as_they_were),
		TEST(what_stays_in_clear_is_not_personal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
