#include "app/command/command_audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit_anchor.h"
#include "audit/audit_verify.h"
#include "base/file.h"
#include "base/instant.h"
#include "base/json.h"
#include "base/settings.h"
#include "base/vector.h"

enum { HEADS_BYTES_MAX = 256 << 20, FINDINGS_PRINTED_MAX = 1000 };

struct verify_flags {
	char   *data;
	char   *keyring;
	char   *heads;
	char   *public_key;
	int64_t from;
	bool    json;
};

#define VERIFY struct verify_flags
static const struct setting table[] = {
	SETTING_STRING(VERIFY, data, "data", "./data", "Directory of the data", "DIRECTORY"),
	SETTING_STRING(VERIFY, keyring, "keyring", "./keyring",
                   "Directory of the keys: its audit.key verifies signatures, its audit.head says "
                   "how far the trail reached",
                   "DIRECTORY"),
	SETTING_STRING(VERIFY, heads, "heads", NULL,
                   "File with heads that were kept elsewhere, one a line (--audit-head-file of the "
                   "server, or what was posted)",
                   "FILE"),
	SETTING_STRING(VERIFY, public_key, "public-key", NULL,
                   "Verify with this key, 64 hexadecimal digits, instead of the keyring", "KEY"),
	SETTING_INT(VERIFY, from, "from", "0", 0, INT64_MAX,
                "Tell of nothing before this record: for damage that is known already"),
	SETTING_BOOL(VERIFY, json, "json", "Print JSON"),
};
#undef VERIFY

typedef VECTOR(struct audit_head) head_list;

struct verifying {
	const struct verify_flags *flags;
	struct audit_keys          keys;
	head_list                  heads;
	struct buffer              findings; /* JSON, joined */
	uint64_t                   printed;
};

static void print_help(const struct settings *own)
{
	struct buffer out = {0};
	settings_help(own, 1, &out);
	printf(
		"Usage: sonnim audit verify [FLAGS]\n\n"
		"Reads the whole audit trail and tells of every record that was changed, removed, moved\n"
		"or cut off. The server may run. Exit code 0: whole; 1: not, or it cannot be read.\n\n"
		"%.*s",
		(int)out.length, out.data);
	buffer_done(&out);
}

/* ---- What it is verified with ---- */

static enum status read_heads(struct verifying *v, struct error *err)
{
	struct buffer content = {0};
	enum status   status  = file_read(v->flags->heads, HEADS_BYTES_MAX, &content, err);
	uint64_t      line    = 0;
	if (status == STATUS_OK && content.length > 0 && content.data[content.length - 1] != '\n')
		buffer_add(&content, "\n", 1);
	struct audit_lines i = {.rest = buffer_text(&content)};
	while (status == STATUS_OK && audit_lines_next(&i)) {
		struct audit_head head;
		line++;
		if (i.line.length == 0)
			continue;
		if (audit_head_read(i.line, &head, err) != STATUS_OK)
			status = error_set(err, STATUS_INVALID, "%s: line %" PRIu64 " is no head",
			                   v->flags->heads, line);
		else
			VECTOR_ADD(&v->heads, head);
	}
	buffer_done(&content);
	return status;
}

static enum status read_keyring(struct verifying *v, struct error *err)
{
	struct audit_head head;
	struct error      none   = {0};
	enum status       status = audit_keys_read(v->flags->keyring, false, &v->keys, err);
	if (status != STATUS_OK)
		return status;
	status = audit_anchor_read(v->flags->keyring, NULL, &v->keys, &head, &none);
	if (status == STATUS_OK)
		VECTOR_ADD(&v->heads, head);
	else if (status == STATUS_NOT_FOUND)
		fprintf(stderr, "sonnim audit: %s: a cut end may go unnoticed\n", none.reason);
	else
		*err = none;
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_all(struct verifying *v, struct error *err)
{
	enum status status = v->flags->public_key != NULL
	                         ? audit_keys_add_public(&v->keys, text_of(v->flags->public_key), err)
	                         : read_keyring(v, err);
	return status == STATUS_OK && v->flags->heads != NULL ? read_heads(v, err) : status;
}

/* ---- What is told ---- */

static void found(void *context, const struct audit_finding *finding)
{
	struct verifying *v = context;
	if (v->printed++ >= FINDINGS_PRINTED_MAX)
		return;
	if (!v->flags->json) {
		if (finding->file != 0)
			printf("%020" PRIu64 ".jsonl, line %" PRIu64 ": %s\n", finding->file, finding->line,
			       finding->what);
		else
			printf("%s\n", finding->what);
		return;
	}
	struct json_writer w = json_writer_of(&v->findings);
	if (v->findings.length > 0)
		buffer_add(&v->findings, ",", 1);
	json_begin_object(&w);
	json_member_int(&w, "seq", (int64_t)finding->seq);
	json_member_int(&w, "file", (int64_t)finding->file);
	json_member_int(&w, "line", (int64_t)finding->line);
	json_member_string(&w, "what", text_of(finding->what));
	json_end_object(&w);
}

static void print_report(const struct audit_report *report)
{
	char        time[INSTANT_TEXT_BYTES];
	struct text last = instant_format(report->last_ms, time);
	printf("%" PRIu64 " files, %" PRIu64 " records (%" PRIu64 " to %" PRIu64
	       "), the last at %.*s\n",
	       report->files, report->records, report->first_seq, report->last_seq, TEXT_FORMAT(last));
	printf("%" PRIu64 " signed records, %" PRIu64 " heads compared", report->signed_records,
	       report->heads);
	if (report->heads_dropped > 0)
		printf(", %" PRIu64 " of records that were dropped", report->heads_dropped);
	printf("\n");
	if (report->unsigned_records > 0)
		printf("%" PRIu64 " records at the end are not signed for yet\n", report->unsigned_records);
	if (report->unknown > 0)
		printf("%" PRIu64 " records of unknown outcome: the server was killed meanwhile\n",
		       report->unknown);
	if (report->torn_bytes > 0)
		printf("%" PRIu64 " bytes of a record that was not finished: a start cuts them\n",
		       report->torn_bytes);
	if (report->findings > FINDINGS_PRINTED_MAX)
		printf("%" PRIu64 " findings, of which the first %d are told\n", report->findings,
		       FINDINGS_PRINTED_MAX);
}

static void print_json(struct verifying *v, const struct audit_report *report)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_member_int(&w, "files", (int64_t)report->files);
	json_member_int(&w, "records", (int64_t)report->records);
	json_member_int(&w, "firstSeq", (int64_t)report->first_seq);
	json_member_int(&w, "lastSeq", (int64_t)report->last_seq);
	json_member_int(&w, "signedRecords", (int64_t)report->signed_records);
	json_member_int(&w, "heads", (int64_t)report->heads);
	json_member_int(&w, "headsDropped", (int64_t)report->heads_dropped);
	json_member_int(&w, "unsignedRecords", (int64_t)report->unsigned_records);
	json_member_int(&w, "unknownOutcomes", (int64_t)report->unknown);
	json_member_int(&w, "tornBytes", (int64_t)report->torn_bytes);
	json_member_int(&w, "findingCount", (int64_t)report->findings);
	json_add_key(&w, TEXT("findings"));
	json_begin_array(&w);
	if (v->findings.length > 0)
		json_add_raw(&w, buffer_text(&v->findings));
	json_end_array(&w);
	json_end_object(&w);
	printf("%.*s\n", (int)out.length, out.data);
	buffer_done(&out);
}

static enum status verify(struct verifying *v, struct error *err)
{
	char                path[AUDIT_PATH_BYTES];
	struct audit_report report;
	enum status         status = read_all(v, err);
	if (status != STATUS_OK)
		return status;
	if (snprintf(path, sizeof path, "%s/audit", v->flags->data) >= (int)sizeof path - 64)
		return error_set(err, STATUS_INVALID, "--data: the path is too long");
	const struct audit_verify_config config = {.directory  = path,
	                                           .keys       = &v->keys,
	                                           .heads      = v->heads.items,
	                                           .head_count = v->heads.count,
	                                           .from_seq   = (uint64_t)v->flags->from,
	                                           .found      = found,
	                                           .context    = v};
	status                                  = audit_verify(&config, &report, err);
	if (status != STATUS_OK && status != STATUS_CORRUPT)
		return status;
	if (v->flags->json)
		print_json(v, &report);
	else
		print_report(&report);
	return status;
}

enum exit_code command_audit_verify(int argc, char **argv)
{
	struct verify_flags flags = {0};
	struct verifying    v     = {.flags = &flags};
	struct settings     own   = {table, sizeof table / sizeof table[0], &flags};
	struct error        err   = {0};
	enum exit_code      code  = EXIT_DONE;
	if (command_wants_help(argc, argv)) {
		print_help(&own);
		return EXIT_DONE;
	}
	if (settings_load(&own, 1, &err) != STATUS_OK ||
	    settings_parse_flags(&own, 1, &argc, argv, &err) != STATUS_OK) {
		code = command_usage("audit", &err);
	} else if (argc != 2) {
		code = command_usage_text("audit", "verify takes flags only; see --help");
	} else if (verify(&v, &err) != STATUS_OK) {
		fprintf(stderr, "sonnim audit: %s\n", err.reason);
		code = EXIT_REFUSED;
	}
	audit_keys_wipe(&v.keys);
	VECTOR_DONE(&v.heads);
	buffer_done(&v.findings);
	settings_done(&own, 1);
	return code;
}
