/* The audit trail: whether it can be signed, is whole, and is vouched for elsewhere. */

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "app/doctor/doctor.h"
#include "audit/audit_anchor.h"
#include "audit/audit_verify.h"

/* What is read in all; the rest is for `sonnim audit verify`. */
enum { VERIFIED_BYTES_MAX = 64 << 20 };

struct first_finding {
	char text[FINDING_BYTES_MAX];
};

static void take_first(void *context, const struct audit_finding *finding)
{
	struct first_finding *first = context;
	if (first->text[0] == '\0')
		snprintf(first->text, sizeof first->text, "%s", finding->what);
}

static uint64_t bytes_of(const char *directory, size_t *ret_count)
{
	audit_file_list files = {0};
	struct error    ignored;
	uint64_t        bytes = 0;
	*ret_count            = 0;
	if (audit_files_list(directory, &files, &ignored) != STATUS_OK)
		return 0;
	for (size_t i = 0; i < files.count; i++)
		bytes += files.items[i].bytes;
	*ret_count = files.count;
	VECTOR_DONE(&files);
	return bytes;
}

static void verify(struct findings *findings, const char *directory, const char *keyring,
                   const struct audit_keys *keys)
{
	struct audit_head    head;
	struct audit_report  report;
	struct first_finding first  = {0};
	struct error         err    = {0};
	bool                 headed = audit_anchor_read(keyring, NULL, keys, &head, &err) == STATUS_OK;
	const struct audit_verify_config config = {.directory  = directory,
	                                           .keys       = keys,
	                                           .heads      = &head,
	                                           .head_count = headed,
	                                           .found      = take_first,
	                                           .context    = &first};
	enum status                      status = audit_verify(&config, &report, &err);
	if (status == STATUS_OK) {
		findings_add(findings, "audit", DOCTOR_OK, "%" PRIu64 " records, whole", report.records);
		return;
	}
	findings_add(findings, "audit", DOCTOR_WARNING, "%s",
	             first.text[0] != '\0' ? first.text : err.reason);
	findings_advise(findings,
	                "sonnim audit verify tells of all; docs/operations.md#sonnimauditbroken");
}

static void check_heads(struct findings *findings, const struct audit_settings *settings)
{
	bool elsewhere = settings->head_file != NULL || settings->head_url != NULL;
	findings_add(findings, "audit heads", DOCTOR_OK, "%s",
	             elsewhere ? "they are sent elsewhere"
	                       : "they are kept in the keyring only (--audit-head-file, -url)");
}

void doctor_check_trail(struct findings *findings, const char *data, const char *keyring)
{
	char              directory[PATH_MAX];
	struct audit_keys keys;
	struct error      err = {0};
	size_t            count;
	if (snprintf(directory, sizeof directory, "%s/audit", data) >=
	    (int)sizeof directory - (int)sizeof "/00000000000000000000.jsonl")
		return; /* told of the data already */
	uint64_t bytes = bytes_of(directory, &count);
	if (count == 0) {
		findings_add(findings, "audit", DOCTOR_OK, "there is no trail yet");
		return;
	}
	if (audit_keys_read(keyring, false, &keys, &err) != STATUS_OK) {
		findings_add(findings, "audit", DOCTOR_FAILURE, "%s", err.reason);
		findings_advise(findings,
		                "bring the keyring's audit.key back: the trail was signed with it");
		return;
	}
	if (findings->verified_bytes + bytes > VERIFIED_BYTES_MAX) {
		findings_add(findings, "audit", DOCTOR_OK, "%s; sonnim audit verify reads it",
		             doctor_size(bytes).text);
	} else {
		findings->verified_bytes += bytes;
		verify(findings, directory, keyring, &keys);
	}
	audit_keys_wipe(&keys);
}

void doctor_check_audit(struct findings *findings, const struct serve_settings *settings)
{
	doctor_check_trail(findings, settings->data, settings->keyring);
	check_heads(findings, &settings->audit);
}
