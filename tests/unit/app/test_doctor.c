#include "app/doctor/doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void a_limit_that_leaves_nothing_to_the_machine_is_a_warning(void **state)
{
	(void)state;
	struct serve_settings settings = {.data               = (char *)"/tmp/no/such/directory",
	                                  .keyring            = (char *)"/tmp/no/such/keyring",
	                                  .memory_limit_bytes = UINT64_MAX};
	struct findings       findings = {0};
	doctor_check_system(&findings, &settings);
	doctor_check_directories(&findings, &settings);
	assert_int_equal(find(&findings, "memory")->state, DOCTOR_WARNING);
	assert_non_null(strstr(find(&findings, "memory")->advice, "at most"));
	/* Of a directory that is not made yet the one above is looked at. */
	assert_int_not_equal(find(&findings, "sync")->state, DOCTOR_FAILURE);

	findings_done(&findings);
	settings.memory_limit_bytes = 0;
	doctor_check_system(&findings, &settings);
	assert_int_equal(find(&findings, "memory")->state, DOCTOR_OK);
	assert_string_equal(find(&findings, "memory")->advice, "");
	findings_done(&findings);
}

static void who_may_read_keys_and_token_is_looked_at(void **state)
{
	(void)state;
	char                  directory[] = "/tmp/sonnim-doctor-XXXXXX";
	char                  file[sizeof directory + 16];
	struct findings       findings = {0};
	struct serve_settings settings = {.data = (char *)"/tmp/no/such/directory"};
	settings.keyring               = mkdtemp(directory);
	assert_non_null(settings.keyring);
	doctor_check_directories(&findings, &settings);
	assert_int_equal(find(&findings, "keyring")->state, DOCTOR_OK);

	snprintf(file, sizeof file, "%s/token", directory);
	settings.admin_token_file = file;
	close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	chmod(file, 0644);
	findings_done(&findings);
	doctor_check_directories(&findings, &settings);
	assert_int_equal(find(&findings, "token file")->state, DOCTOR_WARNING);
	assert_non_null(strstr(find(&findings, "token file")->advice, "chmod go="));

	chmod(directory, 0755);
	findings_done(&findings);
	doctor_check_directories(&findings, &settings);
	assert_int_equal(find(&findings, "keyring")->state, DOCTOR_WARNING);

	settings.keyring = file;
	findings_done(&findings);
	doctor_check_directories(&findings, &settings);
	assert_int_equal(find(&findings, "keyring")->state, DOCTOR_FAILURE);
	findings_done(&findings);
	unlink(file);
	rmdir(directory);
}

static void a_trail_without_its_key_is_a_failure_and_a_changed_one_is_told_of(void **state)
{
	(void)state;
	char                  root[] = "/tmp/sonnim-doctor-XXXXXX";
	char                  data[sizeof root + 8], keyring[sizeof root + 8], path[128];
	struct findings       findings = {0};
	struct serve_settings settings = {.data = data, .keyring = keyring};
	struct audit         *audit    = NULL;
	struct error          err;
	assert_non_null(mkdtemp(root));
	snprintf(data, sizeof data, "%s/data", root);
	snprintf(keyring, sizeof keyring, "%s/keys", root);
	snprintf(path, sizeof path, "%s/audit", data);
	mkdir(data, 0700);
	mkdir(keyring, 0700);
	settings.audit = (struct audit_settings){.head_interval_ms = 1000, .file_bytes = 1 << 20};
	doctor_check_audit(&findings, &settings);
	assert_int_equal(find(&findings, "audit")->state, DOCTOR_OK);

	const struct audit_config config = {
		.directory = path, .keyring_directory = keyring, .settings = &settings.audit};
	const struct audit_record record = {.action = TEXT("a.b"), .result_size = -1};
	assert_int_equal(audit_open(&config, &audit, &err), STATUS_OK);
	assert_int_equal(audit_note(audit, &record, &err), STATUS_OK);
	audit_close(audit);
	findings_done(&findings);
	doctor_check_audit(&findings, &settings);
	assert_string_equal(find(&findings, "audit")->text, "2 records, whole");

	snprintf(path, sizeof path, "%s/audit/00000000000000000001.jsonl", data);
	assert_int_equal(truncate(path, 0), 0);
	findings_done(&findings);
	doctor_check_audit(&findings, &settings);
	assert_int_equal(find(&findings, "audit")->state, DOCTOR_WARNING);
	assert_non_null(strstr(find(&findings, "audit")->text, "cut off"));

	snprintf(path, sizeof path, "%s/audit.key", keyring);
	assert_int_equal(unlink(path), 0);
	findings_done(&findings);
	doctor_check_audit(&findings, &settings);
	assert_int_equal(find(&findings, "audit")->state, DOCTOR_FAILURE);
	findings_done(&findings);
	snprintf(path, sizeof path, "rm -r %s", root);
	assert_int_equal(system(path), 0);
}

static void no_more_is_found_than_there_is_room_for(void **state)
{
	(void)state;
	struct findings findings = {0};
	for (int i = 0; i < 2 * FINDINGS_MAX; i++)
		findings_add(&findings, "check", DOCTOR_OK, "%d", i);
	assert_int_equal(findings.count, FINDINGS_MAX);
	findings_done(&findings);
}

/* Three: a sound one, one whose keys are gone, one of which there is nothing but keys. */
static void each_workspace_is_looked_at_by_its_name(void **state)
{
	(void)state;
	static const char    *ids[]  = {"00000000-9e19-4268-ad2a-e6714f6aaf58",
	                                "10000000-9e19-4268-ad2a-e6714f6aaf58",
	                                "20000000-9e19-4268-ad2a-e6714f6aaf58"};
	char                  root[] = "/tmp/sonnim-doctor-XXXXXX";
	char                  data[sizeof root + 8], keyring[sizeof root + 8], command[768];
	struct findings       findings = {0};
	struct serve_settings settings = {.data = data, .keyring = keyring};
	assert_non_null(mkdtemp(root));
	snprintf(data, sizeof data, "%s/data", root);
	snprintf(keyring, sizeof keyring, "%s/keys", root);
	doctor_check_workspaces(&findings, &settings);
	assert_int_equal(findings.count, 0);
	snprintf(command, sizeof command,
	         "mkdir -p -m 700 %s %s && cd %s && mkdir -p data/workspaces/%s/journal "
	         "data/workspaces/%s/journal keys/workspaces/%s keys/workspaces/%s && "
	         "chmod -R go= .",
	         data, keyring, root, ids[0], ids[1], ids[0], ids[2]);
	assert_int_equal(system(command), 0);
	doctor_check_workspaces(&findings, &settings);
	assert_int_equal(findings.count, 3);
	static const enum doctor_state states[] = {DOCTOR_OK, DOCTOR_FAILURE, DOCTOR_WARNING};
	static const char *const       checks[] = {"workspace", "keyring", "data"};
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(findings.items[i].workspace, ids[i]);
		assert_int_equal(findings.items[i].state, states[i]);
		assert_string_equal(findings.items[i].check, checks[i]);
	}
	findings_done(&findings);
	snprintf(command, sizeof command, "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_written_in_the_unit_that_fits),
		cmocka_unit_test(a_limit_that_leaves_nothing_to_the_machine_is_a_warning),
		cmocka_unit_test(who_may_read_keys_and_token_is_looked_at),
		cmocka_unit_test(a_trail_without_its_key_is_a_failure_and_a_changed_one_is_told_of),
		cmocka_unit_test(no_more_is_found_than_there_is_room_for),
		cmocka_unit_test(each_workspace_is_looked_at_by_its_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
