#include "model/classes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

static enum status read(const char *text, struct classes **ret_classes, struct error *err)
{
	struct json_parser *parser = json_parser_new();
	struct json         json;
	assert_int_equal(json_parse_text(parser, text_of(text), &json, err), STATUS_OK);
	enum status status = classes_read(json, ret_classes, err);
	json_parser_free(parser);
	return status;
}

static void a_name_covers_what_lies_within_and_the_longest_counts(void **state)
{
	(void)state;
	struct classes *classes;
	struct error    err;
	assert_int_equal(
		read("{\"classes\":[{\"place\":\"properties\",\"name\":\"review\",\"class\":\"free_text\"},"
	         "{\"place\":\"properties\",\"name\":\"review.stars\",\"class\":\"plain\"},"
	         "{\"place\":\"context\",\"name\":\"page\",\"class\":\"personal\"}]}",
	         &classes, &err),
		STATUS_OK);
	assert_int_equal(classes_find(classes, PERSONAL_IN_PROPERTIES, TEXT("review")),
	                 CLASS_FREE_TEXT);
	assert_int_equal(classes_find(classes, PERSONAL_IN_PROPERTIES, TEXT("review.a.b")),
	                 CLASS_FREE_TEXT);
	assert_int_equal(classes_find(classes, PERSONAL_IN_PROPERTIES, TEXT("review.stars")),
	                 CLASS_PLAIN);
	assert_int_equal(classes_find(classes, PERSONAL_IN_PROPERTIES, TEXT("reviewer")), CLASS_NONE);
	assert_int_equal(classes_find(classes, PERSONAL_IN_TRAITS, TEXT("review")), CLASS_NONE);
	assert_int_equal(classes_find(classes, PERSONAL_IN_CONTEXT, TEXT("page.url")), CLASS_PERSONAL);
	assert_int_equal(classes_find(NULL, PERSONAL_IN_CONTEXT, TEXT("page.url")), CLASS_NONE);
	classes_free(classes);
}

static void a_last_part_is_known_wherever_it_stands(void **state)
{
	(void)state;
	struct classes *classes;
	struct error    err;
	assert_int_equal(
		read(
			"{\"classes\":[{\"place\":\"context\",\"name\":\"screen.name\",\"class\":\"personal\"},"
			"{\"place\":\"traits\",\"name\":\"open\",\"class\":\"plain\"}]}",
			&classes, &err),
		STATUS_OK);
	assert_true(classes_mention(classes, TEXT("name")));
	assert_true(classes_mention(classes, TEXT("screen.name")));
	assert_false(classes_mention(classes, TEXT("ame")));
	assert_false(classes_mention(classes, TEXT("a.longer.screen.name")));
	assert_false(classes_mention(classes, TEXT("open")));
	assert_false(classes_mention(NULL, TEXT("name")));
	classes_free(classes);
}

static void what_is_personal_by_default_has_no_class(void **state)
{
	(void)state;
	struct classes *classes;
	struct error    err;
	assert_int_equal(
		read("{\"classes\":[{\"place\":\"traits\",\"name\":\"email\",\"class\":\"plain\"}]}",
	         &classes, &err),
		STATUS_INVALID);
	assert_string_equal(err.field, "classes[0].name");
}

static enum status read_one(const char *place, const char *name, const char *class,
                            struct classes **ret_classes, struct error *err)
{
	char text[256];
	snprintf(text, sizeof text,
	         "{\"classes\":[{\"place\":\"%s\",\"name\":\"%s\",\"class\":\"%s\"}]}", place, name,
	         class);
	return read(text, ret_classes, err);
}

static void a_name_of_the_list_is_freed_by_saying_so(void **state)
{
	(void)state;
	static const char *const free[][2] = {{"traits", "address"},    {"traits", "name"},
	                                      {"properties", "email"},  {"context", "ip"},
	                                      {"context", "device.id"}, {"context", "traits.phone"}};
	struct classes          *classes;
	struct error             err;
	for (size_t i = 0; i < sizeof free / sizeof free[0]; i++) {
		assert_int_equal(read_one(free[i][0], free[i][1], "not_personal", &classes, &err),
		                 STATUS_OK);
		enum personal_place place = classes->rules[0].place;
		assert_true(classes_free_name(classes, place, text_of(free[i][1])));
		assert_false(classes_mention(classes, text_of(free[i][1])));
		assert_false(classes_free_name(classes, place, TEXT("other")));
		classes_free(classes);
	}
}

static void what_is_not_on_the_list_or_is_compared_sealed_is_not_freed(void **state)
{
	(void)state;
	static const char *const kept[][2] = {{"traits", "email"},    {"traits", "phone"},
	                                      {"traits", "birthday"}, {"traits", "address.city"},
	                                      {"traits", "plan"},     {"properties", "name"}};
	struct classes          *classes;
	struct error             err;
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
		assert_int_equal(read_one(kept[i][0], kept[i][1], "not_personal", &classes, &err),
		                 STATUS_INVALID);
		assert_string_equal(err.field, "classes[0].name");
	}
}

static void something_within_a_freed_name_may_be_personal(void **state)
{
	(void)state;
	struct classes *classes;
	struct error    err;
	assert_int_equal(
		read("{\"classes\":[{\"place\":\"traits\",\"name\":\"address\",\"class\":\"not_personal\"},"
	         "{\"place\":\"traits\",\"name\":\"address.street\",\"class\":\"personal\"}]}",
	         &classes, &err),
		STATUS_OK);
	assert_true(classes_free_name(classes, PERSONAL_IN_TRAITS, TEXT("address.city")));
	assert_int_equal(classes_find(classes, PERSONAL_IN_TRAITS, TEXT("address.street.number")),
	                 CLASS_PERSONAL);
	classes_free(classes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_covers_what_lies_within_and_the_longest_counts),
		cmocka_unit_test(a_last_part_is_known_wherever_it_stands),
		cmocka_unit_test(what_is_personal_by_default_has_no_class),
		cmocka_unit_test(a_name_of_the_list_is_freed_by_saying_so),
		cmocka_unit_test(what_is_not_on_the_list_or_is_compared_sealed_is_not_freed),
		cmocka_unit_test(something_within_a_freed_name_may_be_personal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
