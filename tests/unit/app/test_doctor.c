#include "app/doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void sizes_are_written_in_the_unit_that_fits(void **state)
{
	(void)state;
	assert_string_equal(doctor_size(0).text, "0 B");
	assert_string_equal(doctor_size(1023).text, "1023 B");
	assert_string_equal(doctor_size(1536).text, "1.5 KiB");
	assert_string_equal(doctor_size(UINT64_C(200) << 30).text, "200 GiB");
	assert_string_equal(doctor_size(UINT64_MAX).text, "16.0 EiB");
}

static const struct finding *find(const struct findings *findings, const char *check)
{
	for (size_t i = 0; i < findings->count; i++)
		if (strcmp(findings->items[i].check, check) == 0)
			return &findings->items[i];
	return NULL;
}

static void a_limit_that_leaves_nothing_to_the_machine_is_poor(void **state)
{
	(void)state;
	struct serve_settings settings = {.data               = (char *)"/tmp/no/such/directory",
	                                  .keyring            = (char *)"/tmp/no/such/keyring",
	                                  .memory_limit_bytes = UINT64_MAX};
	struct findings       findings = {0};
	doctor_check_machine(&findings, &settings);
	assert_int_equal(find(&findings, "memory")->state, DOCTOR_POOR);
	/* Of a directory that is not made yet the one above is looked at. */
	assert_int_not_equal(find(&findings, "sync")->state, DOCTOR_WRONG);

	findings.count              = 0;
	settings.memory_limit_bytes = 0;
	doctor_check_machine(&findings, &settings);
	assert_int_equal(find(&findings, "memory")->state, DOCTOR_GOOD);
}

static void no_more_is_found_than_there_is_room_for(void **state)
{
	(void)state;
	struct findings findings = {0};
	for (int i = 0; i < 2 * FINDINGS_MAX; i++)
		findings_add(&findings, "check", DOCTOR_GOOD, "%d", i);
	assert_int_equal(findings.count, FINDINGS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_written_in_the_unit_that_fits),
		cmocka_unit_test(a_limit_that_leaves_nothing_to_the_machine_is_poor),
		cmocka_unit_test(no_more_is_found_than_there_is_room_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
