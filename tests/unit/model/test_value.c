#include "model/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "../seed.h"
#include "base/hash.h"

/* A parser, and a list of whatever members a JSON object has. */
struct fixture {
	struct json_parser *parser;
	struct buffer       list;
};

static int new_fixture(void **state)
{
	static struct fixture fixture;
	fixture = (struct fixture){.parser = json_parser_new()};
	*state  = &fixture;
	return 0;
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	json_parser_free(fixture->parser);
	buffer_done(&fixture->list);
	return 0;
}

static enum status add_members(struct fixture *fixture, const char *json, struct error *err)
{
	struct json root;
	assert_int_equal(json_parse_text(fixture->parser, text_of(json), &root, NULL), STATUS_OK);
	buffer_clear(&fixture->list);
	size_t   begin = value_list_begin(&fixture->list);
	unsigned count = 0;
	for (struct json_iterator i = json_iterate(root); json_next(&i); count++) {
		enum status status = value_add_json(&fixture->list, i.name, i.value, err);
		if (status != STATUS_OK)
			return status;
	}
	value_list_end(&fixture->list, begin, count);
	return STATUS_OK;
}

static struct text list_of(void **state, const char *json)
{
	struct fixture *fixture = *state;
	struct error    err     = {0};
	if (add_members(fixture, json, &err) != STATUS_OK)
		fail_msg("%s: %s: %s", json, err.field, err.reason);
	assert_true(value_check(buffer_text(&fixture->list)));
	return buffer_text(&fixture->list);
}

static struct value find(struct text list, const char *name)
{
	return value_find(list, text_of(name), hash_name(text_of(name)));
}

static struct value at(struct text list, const char *name)
{
	struct arena      arena;
	struct value_path path;
	arena_init(&arena);
	value_path_init(&path, text_of(name), &arena);
	struct value value = value_at(list, &path);
	arena_done(&arena);
	return value;
}

static void assert_json(struct text list, struct text personal, const char *expected)
{
	struct buffer      out    = {0};
	struct json_writer writer = json_writer_of(&out);
	value_list_write_json(&writer, list, personal);
	buffer_add_u8(&out, '\0');
	assert_string_equal(out.data, expected);
	buffer_done(&out);
}

static void every_json_value_gets_its_type(void **state)
{
	struct text list = list_of(state, "{\"n\":null,\"f\":false,\"t\":true,\"i\":-1,"
	                                  "\"u\":18446744073709551615,\"d\":0.5,\"s\":\"x\",\"e\":[],"
	                                  "\"ss\":[\"a\",\"b\"],\"a\":[\"a\",1],\"o\":{}}");

	assert_int_equal(find(list, "n").type, VALUE_NULL);
	assert_int_equal(find(list, "f").type, VALUE_FALSE);
	assert_int_equal(find(list, "t").type, VALUE_TRUE);
	assert_int_equal(find(list, "i").type, VALUE_INT);
	assert_int_equal(find(list, "i").integer, -1);
	assert_int_equal(find(list, "u").type, VALUE_UINT);
	assert_true(find(list, "u").unsigned_integer == UINT64_MAX);
	assert_int_equal(find(list, "d").type, VALUE_DOUBLE);
	assert_true(find(list, "d").number == 0.5);
	assert_int_equal(find(list, "s").type, VALUE_STRING);
	assert_true(text_equal(find(list, "s").text, TEXT("x")));
	assert_int_equal(find(list, "e").type, VALUE_STRING_SET);
	assert_int_equal(find(list, "ss").type, VALUE_STRING_SET);
	assert_int_equal(find(list, "a").type, VALUE_ARRAY);
	assert_int_equal(find(list, "o").type, VALUE_OBJECT);
	assert_int_equal(find(list, "x").type, VALUE_NONE);
}

static void the_three_types_of_numbers_are_numbers_and_nothing_else_is(void **state)
{
	struct text list =
		list_of(state, "{\"i\":-1,\"u\":18446744073709551615,\"d\":0.5,\"s\":\"1\"}");
	double       number;
	struct value value = find(list, "i");
	assert_true(value_number(&value, &number) && number == -1);
	value = find(list, "u");
	assert_true(value_number(&value, &number) && number == 0x1p64);
	value = find(list, "d");
	assert_true(value_number(&value, &number) && number == 0.5);
	value = find(list, "s");
	assert_false(value_number(&value, &number));
	value = find(list, "none");
	assert_false(value_number(&value, &number));
}

static void of_entries_with_one_name_the_last_counts(void **state)
{
	assert_int_equal(find(list_of(state, "{\"a\":1,\"b\":2,\"a\":3}"), "a").integer, 3);
}

static void an_exact_name_comes_before_a_dotted_path(void **state)
{
	struct text list = list_of(state, "{\"a\":{\"b\":{\"c\":1},\"\":2},\"a.b\":3,\"d\":4}");

	assert_int_equal(at(list, "a.b").integer, 3);
	assert_int_equal(at(list, "a.b.c").integer, 1);
	assert_int_equal(at(list, "a.").integer, 2);
	assert_int_equal(at(list, "d").integer, 4);
	assert_int_equal(at(list, "a.x").type, VALUE_NONE);
	assert_int_equal(at(list, "d.x").type, VALUE_NONE);
	assert_int_equal(at(list, "a.b.c.d").type, VALUE_NONE);
	assert_int_equal(at(list, ".").type, VALUE_NONE);
}

static void several_paths_are_found_in_one_pass_as_one_by_one(void **state)
{
	static const char *const lists[] = {
		"{\"a\":{\"b\":1},\"a.b\":2,\"c\":\"x\",\"d\":[\"y\"],\"e\":null}",
		"{\"d\":{\"c\":3},\"c\":true,\"a\":{\"b\":1.5}}",
		"{\"c\":1,\"a\":2,\"c\":3}",
		"{}",
	};
	static const char *const names[] = {"c", "a.b", "d", "missing", "d.c", "e", "c"};
	enum { COUNT = sizeof names / sizeof names[0] };
	struct value_path        paths[COUNT];
	const struct value_path *each[COUNT];
	struct arena             arena;
	arena_init(&arena);
	for (unsigned i = 0; i < COUNT; i++) {
		value_path_init(&paths[i], text_of(names[i]), &arena);
		each[i] = &paths[i];
	}
	for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		struct text  list = list_of(state, lists[i]);
		struct value values[COUNT];
		value_find_each(list, each, COUNT, values);
		for (unsigned j = 0; j < COUNT; j++) {
			struct value alone = value_at(list, each[j]);
			assert_int_equal(values[j].type, alone.type);
			if (alone.type == VALUE_INT)
				assert_int_equal(values[j].integer, alone.integer);
			if (alone.type == VALUE_STRING)
				assert_true(text_equal(values[j].text, alone.text));
		}
	}
	arena_done(&arena);
}

static void the_items_of_a_string_set_come_in_their_order(void **state)
{
	struct value       value = find(list_of(state, "{\"a\":[\"x\",\"\",\"제주\"]}"), "a");
	struct byte_reader set   = byte_reader_of(value.text.data, value.text.length);
	struct text        item;

	assert_true(value_set_next(&set, &item) && text_equal(item, TEXT("x")));
	assert_true(value_set_next(&set, &item) && text_equal(item, TEXT("")));
	assert_true(value_set_next(&set, &item) && text_equal(item, TEXT("제주")));
	assert_false(value_set_next(&set, &item));
}

static void a_list_is_written_as_the_json_that_it_came_from(void **state)
{
	static const char *const samples[] = {
		"{}",
		"{\"a\":[1,[\"x\"],[[],{\"b\":null}],true],\"c\":{\"d\":{\"e\":[\"f\"]}},\"g\":-0.5}",
		"{\"\":1,\"a\":{\"\":{\"\":2}}}",
	};
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
		assert_json(list_of(state, samples[i]), TEXT(""), samples[i]);
}

static void lists_and_values_longer_than_a_one_byte_length_are_read_again(void **state)
{
	struct buffer json = {0};
	buffer_printf(&json, "{\"o\":{");
	for (int i = 0; i < 20000; i++)
		buffer_printf(&json, "%s\"name %d\":[%d,\"%0300d\"]", i ? "," : "", i, i, i);
	buffer_printf(&json, "}}");
	buffer_add_u8(&json, '\0');

	assert_json(list_of(state, json.data), TEXT(""), json.data);
	buffer_done(&json);
}

static void entries_added_one_by_one_are_found(void **state)
{
	struct fixture *fixture = *state;
	struct value    number  = {.type = VALUE_DOUBLE, .number = 1.5};
	struct value    string  = {.type = VALUE_STRING, .text = TEXT("x")};
	struct value    sealed  = {.type = VALUE_PERSONAL};
	size_t          begin   = value_list_begin(&fixture->list);
	value_add(&fixture->list, TEXT("n"), &number);
	value_add(&fixture->list, TEXT("s"), &string);
	value_add(&fixture->list, TEXT("p"), &sealed);
	value_list_end(&fixture->list, begin, 3);

	struct text list = buffer_text(&fixture->list);
	assert_true(value_check(list));
	assert_true(find(list, "n").number == 1.5);
	assert_true(text_equal(find(list, "s").text, TEXT("x")));
	assert_int_equal(find(list, "p").type, VALUE_PERSONAL);
}

static void personal_values_are_written_from_their_own_list_or_as_null(void **state)
{
	struct fixture *fixture  = *state;
	struct buffer   personal = {0};
	list_of(state, "{\"device.token\":\"abc\",\"email\":{\"home\":\"x@y\"}}");
	buffer_add_text(&personal, buffer_text(&fixture->list));

	/* {"email": P, "device": {"token": P, "id": P, "token2": 1}, "token": P} */
	struct value  sealed = {.type = VALUE_PERSONAL}, one = {.type = VALUE_INT, .integer = 1};
	struct buffer inner = {0};
	size_t        begin = value_list_begin(&inner);
	value_add(&inner, TEXT("token"), &sealed);
	value_add(&inner, TEXT("id"), &sealed);
	value_add(&inner, TEXT("token2"), &one);
	value_list_end(&inner, begin, 3);
	struct value object = {.type = VALUE_OBJECT, .text = buffer_text(&inner)};
	buffer_clear(&fixture->list);
	begin = value_list_begin(&fixture->list);
	value_add(&fixture->list, TEXT("email"), &sealed);
	value_add(&fixture->list, TEXT("device"), &object);
	value_add(&fixture->list, TEXT("token"), &sealed);
	value_list_end(&fixture->list, begin, 3);

	assert_json(buffer_text(&fixture->list), buffer_text(&personal),
	            "{\"email\":{\"home\":\"x@y\"},\"device\":{\"token\":\"abc\",\"id\":null,"
	            "\"token2\":1},\"token\":null}");
	assert_json(buffer_text(&fixture->list), (struct text){NULL, 0},
	            "{\"email\":null,\"device\":{\"token\":null,\"id\":null,\"token2\":1},"
	            "\"token\":null}");
	buffer_done(&inner);
	buffer_done(&personal);
}

static void an_overflowing_number_is_refused_with_its_place(void **state)
{
	struct error err;
	assert_int_equal(add_members(*state, "{\"a\":{\"b\":[1,{\"c\":1e999}]}}", &err),
	                 STATUS_INVALID);
	assert_string_equal(err.field, "a.b[1].c");

	assert_int_equal(add_members(*state, "{\"a\":-1e999}", &err), STATUS_INVALID);
	assert_string_equal(err.field, "a");
}

static void a_refused_value_leaves_the_buffer_as_it_was(void **state)
{
	struct fixture *fixture = *state;
	struct json     root;
	buffer_printf(&fixture->list, "before");
	assert_int_equal(json_parse_text(fixture->parser, TEXT("[[\"a\"],{\"b\":1e999}]"), &root, NULL),
	                 STATUS_OK);

	assert_int_equal(value_add_json(&fixture->list, TEXT("x"), root, NULL), STATUS_INVALID);

	assert_true(text_equal(buffer_text(&fixture->list), TEXT("before")));
}

static const char *nested(char *into, unsigned depth, const char *open, const char *inner,
                          const char *close)
{
	char *end = stpcpy(into, "{\"a\":");
	for (unsigned i = 0; i < depth; i++)
		end = stpcpy(end, open);
	end = stpcpy(end, inner);
	for (unsigned i = 0; i < depth; i++)
		end = stpcpy(end, close);
	stpcpy(end, "}");
	return into;
}

static void nesting_is_limited(void **state)
{
	char         json[8 * (VALUE_DEPTH_MAX + 4)];
	struct error err;

	list_of(state, nested(json, VALUE_DEPTH_MAX, "[", "1", "]"));
	list_of(state, nested(json, VALUE_DEPTH_MAX, "{\"b\":", "1", "}"));
	list_of(state, nested(json, VALUE_DEPTH_MAX, "[", "", "]"));
	assert_int_equal(add_members(*state, nested(json, VALUE_DEPTH_MAX + 1, "[", "1", "]"), &err),
	                 STATUS_INVALID);
	assert_int_equal(add_members(*state, nested(json, VALUE_DEPTH_MAX + 1, "[", "", "]"), &err),
	                 STATUS_INVALID);
	assert_int_equal(
		add_members(*state, nested(json, VALUE_DEPTH_MAX + 1, "{\"b\":", "1", "}"), &err),
		STATUS_INVALID);
	assert_memory_equal(err.field, "a.b.b", 5);
	assert_string_equal(err.reason, "nested too deeply");
}

/* Reads all that a list seems to hold, as every user does: the sanitizers watch. */
static size_t read_all(struct text list)
{
	size_t             sum    = 0;
	struct buffer      out    = {0};
	struct json_writer writer = json_writer_of(&out);
	for (struct value_reader r = value_read(list); value_next(&r);)
		sum += r.name.length + (r.value.type == VALUE_STRING ? r.value.text.length : 0);
	value_list_write_json(&writer, list, list);
	sum += at(list, "a.b.c").type;
	sum += value_check(list);
	buffer_done(&out);
	return sum;
}

/* Behind exactly these bytes nothing may be read. */
static void read_copy(struct text list)
{
	char *copy = malloc(list.length > 0 ? list.length : 1);
	memcpy(copy, list.data, list.length);
	read_all((struct text){copy, list.length});
	free(copy);
}

static const char rich[] = "{\"a\":{\"b\":{\"c\":[1,\"x\",{\"d\":[\"y\",\"z\"]}]}},\"e\":0.5,\"f\":"
						   "[\"g\",\"h\"],\"i\":18446744073709551615,\"j\":[[[]],null,true]}";

static void a_list_cut_off_anywhere_is_not_well_formed_and_safe_to_read(void **state)
{
	struct text list = list_of(state, rich);
	for (size_t length = 0; length < list.length; length++) {
		assert_false(value_check((struct text){list.data, length}));
		read_copy((struct text){list.data, length});
	}
}

static void a_list_with_any_byte_changed_is_safe_to_read(void **state)
{
	struct text list = list_of(state, rich);
	char       *copy = malloc(list.length);
	for (size_t i = 0; i < list.length; i++) {
		for (int byte = 0; byte < 256; byte += 5) {
			memcpy(copy, list.data, list.length);
			copy[i] = (char)byte;
			read_all((struct text){copy, list.length});
		}
	}
	free(copy);
}

static void bytes_behind_a_list_make_it_ill_formed(void **state)
{
	struct fixture *fixture = *state;
	list_of(state, "{\"a\":1}");
	buffer_add_u8(&fixture->list, 0);

	assert_false(value_check(buffer_text(&fixture->list)));
}

static void a_name_with_the_wrong_hash_makes_a_list_ill_formed(void **state)
{
	struct fixture *fixture = *state;
	list_of(state, "{\"a\":1}");
	fixture->list.data[1] ^= 1;

	assert_false(value_check(buffer_text(&fixture->list)));
}

static void a_number_that_is_not_finite_makes_a_list_ill_formed_and_is_written_as_null(void **state)
{
	struct fixture *fixture  = *state;
	double          infinity = INFINITY;
	list_of(state, "{\"a\":0.5}");
	memcpy(fixture->list.data + fixture->list.length - 8, &infinity, 8);

	assert_false(value_check(buffer_text(&fixture->list)));
	assert_json(buffer_text(&fixture->list), TEXT(""), "{\"a\":null}");
}

/* Objects within objects, as deep as a megabyte allows, written from the innermost outwards. */
static void bytes_that_nest_without_end_do_not_exhaust_the_stack(void **state)
{
	(void)state;
	enum { SIZE = 1 << 20, LEVEL_BYTES_MAX = 16 };
	char    *bytes = malloc(SIZE);
	char    *begin = bytes + SIZE - 1;
	unsigned depth = 0;
	for (*begin = 0; begin - bytes >= LEVEL_BYTES_MAX; depth++) {
		struct buffer level = {0};
		buffer_add_varint(&level, 1);
		buffer_add_u32(&level, hash_name(TEXT("")));
		buffer_add_u8(&level, VALUE_OBJECT);
		buffer_add_sized(&level, TEXT(""));
		buffer_add_varint(&level, (uint64_t)(bytes + SIZE - begin));
		begin -= level.length;
		memcpy(begin, level.data, level.length);
		buffer_done(&level);
	}
	struct text list = {begin, (size_t)(bytes + SIZE - begin)};
	assert_true(depth > 50000);

	assert_false(value_check(list));
	read_all(list);
	free(bytes);
}

static void add_random(struct buffer *json, unsigned depth)
{
	uint64_t kind = seed_below(depth < 5 ? 9 : 6);
	uint64_t size = seed_below(5);
	switch (kind) {
	case 0:
		buffer_printf(json, "%s", size == 0 ? "null" : size < 3 ? "true" : "false");
		break;
	case 1:
		buffer_printf(json, "%" PRId64, (int64_t)seed_next() >> seed_below(64));
		break;
	case 2:
		buffer_printf(json, "%" PRIu64, seed_next() | UINT64_C(1) << 63);
		break;
	case 3:
		buffer_printf(json, "%d.5", (int)seed_below(1000) - 500);
		break;
	case 4:
	case 5:
		buffer_printf(json, "\"%0*d제\"", (int)seed_below(300) + 1, (int)size);
		break;
	case 6:
		buffer_printf(json, "[");
		for (uint64_t i = 0; i < size; i++)
			buffer_printf(json, "%s\"%d\"", i ? "," : "", (int)seed_below(100));
		buffer_printf(json, "]");
		break;
	default:
		buffer_printf(json, kind == 7 ? "[" : "{");
		for (uint64_t i = 0; i < size; i++) {
			buffer_printf(json, i ? "," : "");
			if (kind == 8)
				buffer_printf(json, "\"%d\":", (int)seed_below(100));
			add_random(json, depth + 1);
		}
		buffer_printf(json, kind == 7 ? "]" : "}");
	}
}

static void random_json_comes_back_as_it_was(void **state)
{
	seed_begin(__func__);
	for (int i = 0; i < 3000; i++) {
		struct buffer json = {0};
		buffer_printf(&json, "{\"a\":");
		add_random(&json, 0);
		buffer_printf(&json, ",\"b\":");
		add_random(&json, 0);
		buffer_printf(&json, "}");
		buffer_add_u8(&json, '\0');
		assert_json(list_of(state, json.data), TEXT(""), json.data);
		buffer_done(&json);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_json_value_gets_its_type),
		TEST(the_three_types_of_numbers_are_numbers_and_nothing_else_is),
		TEST(of_entries_with_one_name_the_last_counts),
		TEST(an_exact_name_comes_before_a_dotted_path),
		TEST(several_paths_are_found_in_one_pass_as_one_by_one),
		TEST(the_items_of_a_string_set_come_in_their_order),
		TEST(a_list_is_written_as_the_json_that_it_came_from),
		TEST(lists_and_values_longer_than_a_one_byte_length_are_read_again),
		TEST(entries_added_one_by_one_are_found),
		TEST(personal_values_are_written_from_their_own_list_or_as_null),
		TEST(an_overflowing_number_is_refused_with_its_place),
		TEST(a_refused_value_leaves_the_buffer_as_it_was),
		TEST(nesting_is_limited),
		TEST(a_list_cut_off_anywhere_is_not_well_formed_and_safe_to_read),
		TEST(a_list_with_any_byte_changed_is_safe_to_read),
		TEST(bytes_behind_a_list_make_it_ill_formed),
		TEST(a_name_with_the_wrong_hash_makes_a_list_ill_formed),
		TEST(a_number_that_is_not_finite_makes_a_list_ill_formed_and_is_written_as_null),
		TEST(bytes_that_nest_without_end_do_not_exhaust_the_stack),
		TEST(random_json_comes_back_as_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
