#include "audit_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit_anchor.h"
#include "base/file.h"
#include "base/instant.h"

struct audit_settings trail_settings;
const char           *trail_directory;
const char           *trail_keyring;
const uint8_t         trail_workspace[16] = {1, 2, 3};
struct trail_disk     trail_disk;

static char root[64], directory[96], keyring[96];

static int disk_allocate(int fd, uint64_t offset, uint64_t length)
{
	return trail_disk.allocate_error != 0 ? trail_disk.allocate_error
	                                      : posix_fallocate(fd, (off_t)offset, (off_t)length);
}

static int64_t disk_write(int fd, const void *data, size_t length, uint64_t offset)
{
	errno = trail_disk.write_error;
	return trail_disk.write_error != 0 ? -1 : pwrite(fd, data, length, (off_t)offset);
}

static int disk_sync(int fd)
{
	trail_disk.sync_count++;
	errno = trail_disk.sync_error;
	return trail_disk.sync_error != 0 ? -1 : fdatasync(fd);
}

const struct audit_system trail_disk_system = {disk_allocate, disk_write, disk_sync};

int trail_setup(void **state)
{
	(void)state;
	trail_disk.allocate_error = trail_disk.write_error = 0;
	trail_disk.sync_error = trail_disk.sync_count = 0;
	snprintf(root, sizeof root, "/tmp/sonnim-audit-XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(directory, sizeof directory, "%s/audit", root);
	snprintf(keyring, sizeof keyring, "%s/keyring", root);
	trail_directory = directory;
	trail_keyring   = keyring;
	trail_settings  = (struct audit_settings){
		 .head_interval_ms = 60000, .file_bytes = 16 << 20, .retention_ms = DAY_MS};
	struct error err;
	assert_int_equal(directory_create(keyring, 0700, &err), STATUS_OK);
	return 0;
}

int trail_teardown(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof command, "rm -r %s", root);
	return system(command);
}

struct audit *trail_open_with(const struct audit_system *system)
{
	struct audit_config config = {.directory         = directory,
	                              .keyring_directory = keyring,
	                              .settings          = &trail_settings,
	                              .system            = system};
	struct audit       *audit  = NULL;
	struct error        err    = {0};
	memcpy(config.workspace_id, trail_workspace, sizeof config.workspace_id);
	if (audit_open(&config, &audit, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	return audit;
}

struct audit *trail_open(void) { return trail_open_with(NULL); }

void trail_fill(struct audit *audit, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct audit_record record = {.action      = TEXT("segment.create"),
		                                    .actor       = TEXT("token:t"),
		                                    .target      = TEXT("a \"segment\""),
		                                    .result_size = i};
		struct error              err;
		assert_int_equal(audit_note(audit, &record, &err), STATUS_OK);
	}
}

void trail_make(unsigned count)
{
	struct audit *audit = trail_open();
	trail_fill(audit, count);
	audit_close(audit);
}

static void list(audit_file_list *files)
{
	struct error err;
	assert_int_equal(audit_files_list(directory, files, &err), STATUS_OK);
}

size_t trail_file_count(void)
{
	audit_file_list files = {0};
	list(&files);
	size_t count = files.count;
	VECTOR_DONE(&files);
	return count;
}

size_t trail_lines(struct buffer *ret_content, struct text **ret_lines)
{
	audit_file_list files = {0};
	size_t          count = 0;
	struct error    err;
	*ret_content = (struct buffer){0};
	list(&files);
	for (size_t i = 0; i < files.count; i++)
		assert_int_equal(
			audit_file_read(directory, files.items[i].first_seq, UINT64_MAX, ret_content, &err),
			STATUS_OK);
	VECTOR_DONE(&files);
	*ret_lines = calloc(ret_content->length / 100 + 1, sizeof **ret_lines);
	for (struct audit_lines i = {.rest = buffer_text(ret_content)}; audit_lines_next(&i);)
		(*ret_lines)[count++] = i.line;
	return count;
}

void trail_read(uint64_t first_seq, struct buffer *out)
{
	struct error err;
	assert_int_equal(audit_file_read(directory, first_seq, UINT64_MAX, out, &err), STATUS_OK);
}

void trail_write(uint64_t first_seq, struct text content)
{
	char         path[AUDIT_PATH_BYTES];
	struct error err;
	audit_file_path(directory, first_seq, path);
	assert_int_equal(file_replace(path, 0600, content.data, content.length, &err), STATUS_OK);
}

static void note_finding(void *context, const struct audit_finding *finding)
{
	char  *findings = context;
	size_t length   = strlen(findings);
	snprintf(findings + length, TRAIL_FINDINGS_BYTES - length, "%s\n", finding->what);
}

static void read_keys(struct audit_keys *keys)
{
	struct error err;
	assert_int_equal(audit_keys_read(keyring, false, keys, &err), STATUS_OK);
}

enum status trail_verify_with(const uint8_t *workspace_id, const struct audit_head *head,
                              struct audit_report *ret_report,
                              char                 ret_findings[TRAIL_FINDINGS_BYTES])
{
	struct audit_keys keys;
	struct error      err;
	read_keys(&keys);
	ret_findings[0]                         = '\0';
	const struct audit_verify_config config = {.directory    = directory,
	                                           .keys         = &keys,
	                                           .workspace_id = workspace_id,
	                                           .heads        = head,
	                                           .head_count   = head != NULL,
	                                           .found        = note_finding,
	                                           .context      = ret_findings};
	return audit_verify(&config, ret_report, &err);
}

enum status trail_verify(struct audit_report *ret_report, char ret_findings[TRAIL_FINDINGS_BYTES])
{
	struct audit_keys keys;
	struct audit_head head;
	struct error      err;
	read_keys(&keys);
	bool has_head = audit_anchor_read(keyring, trail_workspace, &keys, &head, &err) == STATUS_OK;
	return trail_verify_with(trail_workspace, has_head ? &head : NULL, ret_report, ret_findings);
}
