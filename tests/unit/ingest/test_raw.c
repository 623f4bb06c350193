#include "ingest/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

static void assert_items(const char *body, const char *const *expected)
{
	struct raw_items items = raw_items(text_of(body), TEXT("batch"));
	for (; *expected != NULL; expected++) {
		assert_true(raw_next(&items));
		assert_int_equal(items.item.length, strlen(*expected));
		assert_memory_equal(items.item.data, *expected, items.item.length);
	}
	assert_false(raw_next(&items));
	assert_false(raw_next(&items));
}

#define ITEMS(...)                                                                                 \
	(const char *const[]) { __VA_ARGS__ __VA_OPT__(, ) NULL }

static void items_are_found_byte_by_byte(void **state)
{
	(void)state;
	assert_items("{\"batch\":[1,\"]\",{\"a\":[{}]},[ ], null ]}",
	             ITEMS("1", "\"]\"", "{\"a\":[{}]}", "[ ]", "null"));
	assert_items(" [ {\"가\" : \"\\\"}\\\\\"} ,\n-1.5e3\t] ",
	             ITEMS("{\"가\" : \"\\\"}\\\\\"}", "-1.5e3"));
	assert_items("[]", ITEMS());
	assert_items("{\"batch\":[]}", ITEMS());
}

static void the_last_such_member_of_the_object_itself_counts(void **state)
{
	(void)state;
	assert_items("{\"x\":{\"batch\":[1]},\"batch\":[2],\"y\":\"batch\",\"batch\" : [3] , \"z\":0}",
	             ITEMS("3"));
	assert_items("{\"batch\":[2],\"batch\":7}", ITEMS());
}

static void where_there_is_no_array_there_is_nothing(void **state)
{
	(void)state;
	assert_items("{}", ITEMS());
	assert_items("7", ITEMS());
	assert_items("", ITEMS());
	assert_items("{\"b\\u0061tch\":[1]}", ITEMS());
}

/* Cut off anywhere, as no parsed body is, nothing is read behind the end. */
static void a_text_that_ends_early_ends_the_items(void **state)
{
	(void)state;
	const struct text whole = TEXT("{\"a\":\"\\\"\",\"batch\":[{\"b\":[1,\"x\\\\\"]},true, 2.5]}");
	for (size_t length = 0; length <= whole.length; length++) {
		char *copy = malloc(length + 1);
		memcpy(copy, whole.data, length);
		struct raw_items items = raw_items((struct text){copy, length}, TEXT("batch"));
		while (raw_next(&items))
			assert_true(items.item.data + items.item.length <= copy + length);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_are_found_byte_by_byte),
		cmocka_unit_test(the_last_such_member_of_the_object_itself_counts),
		cmocka_unit_test(where_there_is_no_array_there_is_nothing),
		cmocka_unit_test(a_text_that_ends_early_ends_the_items),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
