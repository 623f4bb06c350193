#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdint.h>
#include <string.h>

static int new_arena(void **state)
{
	static struct arena arena;
	arena_init(&arena);
	*state = &arena;
	return 0;
}

static int free_arena(void **state)
{
	arena_done(*state);
	return 0;
}

static void pieces_of_any_size_are_aligned_and_do_not_overlap(void **state)
{
	enum { COUNT = 300 };
	char *pieces[COUNT];
	for (int i = 0; i < COUNT; i++) {
		pieces[i] = arena_alloc(*state, (size_t)i * 37);
		assert_int_equal((uintptr_t)pieces[i] % 16, 0);
		memset(pieces[i], i, (size_t)i * 37);
	}

	for (int i = 0; i < COUNT; i++)
		for (int j = 0; j < i * 37; j++)
			assert_int_equal((unsigned char)pieces[i][j], i & 0xff);
}

static void a_piece_larger_than_any_block_leaves_the_rest_of_the_newest_block_in_use(void **state)
{
	char *before = arena_alloc(*state, 16);
	char *large  = arena_alloc(*state, 5 << 20);
	memset(large, 1, 5 << 20);
	char *after = arena_alloc(*state, 16);

	assert_ptr_equal(after, before + 16);
}

static void a_first_piece_may_be_larger_than_any_block(void **state)
{
	char *large = arena_alloc(*state, 5 << 20);
	memset(large, 1, 5 << 20);
	arena_reset(*state);

	assert_non_null(arena_alloc(*state, 16));
}

static void zeroed_pieces_are_zero_also_where_others_lay_before(void **state)
{
	memset(arena_alloc(*state, 1000), 0xff, 1000);
	arena_reset(*state);

	const char *zeros = arena_zalloc(*state, 1000);

	for (int i = 0; i < 1000; i++)
		assert_int_equal(zeros[i], 0);
}

static void a_reset_arena_uses_its_first_block_again(void **state)
{
	struct arena *arena = *state;
	char         *first = arena_alloc(arena, 100);
	for (int i = 0; i < 100; i++)
		arena_alloc(arena, 4000);
	assert_true(arena->bytes >= 400000);

	arena_reset(arena);

	assert_int_equal(arena->bytes, 0);
	assert_ptr_equal(arena_alloc(arena, 100), first);
}

static void a_copied_text_is_independent_and_ends_with_nul(void **state)
{
	char        original[] = "abc";
	struct text copy       = arena_text(*state, (struct text){original, 2});
	original[0]            = 'x';

	assert_int_equal(copy.length, 2);
	assert_string_equal(copy.data, "ab");
	assert_string_equal(arena_text(*state, (struct text){NULL, 0}).data, "");
}

static void a_formatted_string_may_be_longer_than_a_block(void **state)
{
	char *string = arena_printf(*state, "%05000d|%s", 7, "end");

	assert_int_equal(strlen(string), 5004);
	assert_string_equal(string + 4999, "7|end");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_arena, free_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pieces_of_any_size_are_aligned_and_do_not_overlap),
		TEST(a_piece_larger_than_any_block_leaves_the_rest_of_the_newest_block_in_use),
		TEST(a_first_piece_may_be_larger_than_any_block),
		TEST(zeroed_pieces_are_zero_also_where_others_lay_before),
		TEST(a_reset_arena_uses_its_first_block_again),
		TEST(a_copied_text_is_independent_and_ends_with_nul),
		TEST(a_formatted_string_may_be_longer_than_a_block),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
