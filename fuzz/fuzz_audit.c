/* The files of an audit trail, as a disk may give them back. The bytes are taken three ways:
 *  - as lines: what is read as a record is the same when it is read again;
 *  - as a head;
 *  - as a whole file of a trail, which is verified: only what the trail's own code would have
 *    written may count as whole. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit_line.h"
#include "audit/audit_verify.h"
#include "base/file.h"
#include "fuzz.h"

static void take_as_lines(const uint8_t *data, size_t size)
{
	struct audit_lines i = {.rest = {(const char *)data, size}};
	while (audit_lines_next(&i)) {
		struct audit_line first, second;
		struct error      err;
		enum status       status = audit_line_read(i.line, &first, &err);
		struct text       action = audit_line_action(i.line);
		assert(action.length <= i.line.length);
		if (status == STATUS_INVALID)
			continue;
		assert(first.link.seq > 0);
		assert(audit_line_read(i.line, &second, &err) == status);
		assert(memcmp(first.link.hash, second.link.hash, sizeof first.link.hash) == 0);
	}
}

static void take_as_head(const uint8_t *data, size_t size)
{
	struct audit_head head, again;
	struct error      err;
	struct buffer     out = {0};
	if (audit_head_read((struct text){(const char *)data, size}, &head, &err) != STATUS_OK)
		return;
	audit_head_write(&head, &out);
	enum status status = audit_head_read(buffer_text(&out), &again, &err);
	assert(status == STATUS_OK);
	assert(again.seq == head.seq && again.at_ms == head.at_ms);
	buffer_done(&out);
}

static void count_finding(void *context, const struct audit_finding *finding)
{
	assert(finding->what[0] != '\0');
	++*(uint64_t *)context;
}

static void take_as_file(const uint8_t *data, size_t size)
{
	static const struct audit_keys none;
	char                           directory[] = "/tmp/sonnim-fuzz-audit-XXXXXX";
	char                           path[AUDIT_PATH_BYTES];
	struct error                   err;
	struct audit_report            report;
	uint64_t                       findings = 0;
	if (mkdtemp(directory) == NULL)
		abort();
	audit_file_path(directory, 1, path);
	enum status status = file_replace(path, 0600, data, size, &err);
	assert(status == STATUS_OK);
	const struct audit_verify_config config = {
		.directory = directory, .keys = &none, .found = count_finding, .context = &findings};
	status = audit_verify(&config, &report, &err);
	assert(report.findings == findings);
	assert((status == STATUS_CORRUPT) == (findings > 0));
	unlink(path);
	rmdir(directory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	take_as_lines(data, size);
	take_as_head(data, size);
	take_as_file(data, size);
	return 0;
}
