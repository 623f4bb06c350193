#include "app/command/progress.h"

#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* What the standard error shows while it is `fd`. */
static struct {
	int saved;
	int reader;
} screen;

static void show_on(int reader, int writer)
{
	screen.saved  = dup(STDERR_FILENO);
	screen.reader = reader;
	assert_int_equal(dup2(writer, STDERR_FILENO), STDERR_FILENO);
	close(writer);
}

static void begin_terminal(void)
{
	int reader, writer;
	assert_int_equal(openpty(&reader, &writer, NULL, NULL, NULL), 0);
	show_on(reader, writer);
}

/* What was drawn; a mark behind it tells its end. */
static const char *end(char seen[512])
{
	size_t length = 0;
	fputc('$', stderr);
	fflush(stderr);
	while (length < 511 && (length == 0 || seen[length - 1] != '$'))
		assert_int_equal(read(screen.reader, &seen[length++], 1), 1);
	seen[length - 1] = '\0';
	dup2(screen.saved, STDERR_FILENO);
	close(screen.saved);
	close(screen.reader);
	return seen;
}

static void a_bar_shows_how_far_it_is(void **state)
{
	(void)state;
	char            seen[512];
	struct progress progress = {0};
	begin_terminal();
	progress_draw(&progress, TEXT("running"), 1234567, 2469134, TEXT("bytes"));
	assert_string_equal(end(seen),
	                    "\r\033[Krunning  [==============>               ]  50 %  1,234,567 bytes");
}

static void what_is_not_known_has_no_bar_and_what_is_beyond_the_total_is_all(void **state)
{
	(void)state;
	char            seen[512];
	struct progress open = {0}, full = {0};
	begin_terminal();
	progress_draw(&open, TEXT("running"), 12, 0, TEXT("rows"));
	progress_draw(&full, TEXT("running"), 12, 10, TEXT("rows"));
	assert_string_equal(end(seen), "\r\033[Krunning  12 rows\r\033[Krunning  "
	                               "[==============================] 100 %  12 rows");
}

static void the_line_is_taken_away_at_the_end_and_only_where_there_is_one(void **state)
{
	(void)state;
	char            seen[512];
	struct progress drawn = {0}, idle = {0};
	begin_terminal();
	progress_draw(&drawn, TEXT("queued"), 0, 0, TEXT(""));
	progress_end(&drawn);
	progress_end(&idle);
	assert_string_equal(end(seen), "\r\033[Kqueued  0 \r\033[K");
}

static void nothing_is_drawn_into_a_file(void **state)
{
	(void)state;
	char            seen[512];
	int             ends[2];
	struct progress progress = {0};
	assert_int_equal(pipe(ends), 0);
	show_on(ends[0], ends[1]);
	progress_draw(&progress, TEXT("running"), 1, 2, TEXT("rows"));
	progress_end(&progress);
	assert_string_equal(end(seen), "");
}

static void numbers_have_commas_between_thousands(void **state)
{
	(void)state;
	char into[PROGRESS_NUMBER_BYTES];
	assert_string_equal(progress_number(0, into), "0");
	assert_string_equal(progress_number(999, into), "999");
	assert_string_equal(progress_number(1000, into), "1,000");
	assert_string_equal(progress_number(UINT64_MAX, into), "18,446,744,073,709,551,615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bar_shows_how_far_it_is),
		cmocka_unit_test(what_is_not_known_has_no_bar_and_what_is_beyond_the_total_is_all),
		cmocka_unit_test(the_line_is_taken_away_at_the_end_and_only_where_there_is_one),
		cmocka_unit_test(nothing_is_drawn_into_a_file),
		cmocka_unit_test(numbers_have_commas_between_thousands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
