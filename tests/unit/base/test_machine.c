#include "base/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOUCHED_BYTES = 64 << 20 };

static void the_machine_has_memory_and_the_process_takes_less(void **state)
{
	(void)state;
	assert_true(machine_memory_bytes() > TOUCHED_BYTES);
	assert_true(machine_used_bytes() > 0);
	assert_true(machine_used_bytes() < machine_memory_bytes());
}

static void memory_that_is_touched_counts(void **state)
{
	(void)state;
	uint64_t before = machine_used_bytes();
	char    *memory = malloc(TOUCHED_BYTES);
	assert_non_null(memory);
	memset(memory, 1, TOUCHED_BYTES);
	assert_true(machine_used_bytes() >= before + TOUCHED_BYTES / 2);
	free(memory);
}

static void the_process_tells_what_it_uses(void **state)
{
	struct machine_process before, after;
	int                    files[2];
	(void)state;
	machine_process(&before);
	assert_int_equal(pipe(files), 0);
	machine_process(&after);
	assert_int_equal(after.open_files, before.open_files + 2);
	assert_true(after.files_max > after.open_files);
	assert_true(after.processor_seconds >= before.processor_seconds);
	assert_true(after.resident_bytes > 0 && after.virtual_bytes > after.resident_bytes);
	close(files[0]);
	close(files[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_machine_has_memory_and_the_process_takes_less),
		cmocka_unit_test(the_process_tells_what_it_uses),
		cmocka_unit_test(memory_that_is_touched_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
