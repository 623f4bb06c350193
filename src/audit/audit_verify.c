#include "audit/audit_verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit_line.h"
#include "base/json.h"

enum { FINDING_BYTES_MAX = 256 };

struct verifying {
	const struct audit_verify_config *config;
	struct audit_report              *report;
	struct audit_head                *heads; /* by number */
	size_t                            head_next;
	uint8_t                           workspace_id[16];
	bool                              has_workspace;

	struct audit_link before; /* the record before; seq 0: none yet */
	bool              lost;   /* a line was no record: what follows need not go on from it */
	uint8_t           first_prev[SHA256_BYTES];
	struct audit_link dropped;     /* what the newest note of a drop says */
	uint64_t          vouched_seq; /* the newest record that something signed vouches for */
	uint64_t          file;
	uint64_t          line;
};

__attribute__((format(printf, 3, 4))) static void tell(struct verifying *v, uint64_t seq,
                                                       const char *format, ...)
{
	char    what[FINDING_BYTES_MAX];
	va_list arguments;
	if (seq != 0 && seq < v->config->from_seq)
		return;
	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	const struct audit_finding finding = {
		.seq = seq, .file = v->file, .line = v->line, .what = what};
	v->report->findings++;
	v->config->found(v->config->context, &finding);
}

/* ---- Signatures ---- */

static bool is_ours(const struct verifying *v, const uint8_t workspace_id[16])
{
	return !v->has_workspace || memcmp(v->workspace_id, workspace_id, sizeof v->workspace_id) == 0;
}

static void take_workspace(struct verifying *v, const uint8_t workspace_id[16])
{
	if (v->has_workspace)
		return;
	memcpy(v->workspace_id, workspace_id, sizeof v->workspace_id);
	v->has_workspace = true;
}

static bool check_signature(struct verifying *v, const struct audit_line *line)
{
	struct audit_head head = {.seq = line->link.seq, .at_ms = line->link.at_ms};
	v->report->signed_records++;
	memcpy(head.workspace_id, line->workspace_id, sizeof head.workspace_id);
	memcpy(head.hash, line->link.hash, sizeof head.hash);
	memcpy(head.key_id, line->key_id, sizeof head.key_id);
	memcpy(head.signature, line->signature, sizeof head.signature);
	bool known = audit_keys_find(v->config->keys, line->key_id) != NULL;
	bool ours  = is_ours(v, line->workspace_id);
	bool good  = known && ours && audit_head_verify(&head, v->config->keys);
	if (!known)
		tell(v, line->link.seq, "record %" PRIu64 " is signed by a key that is not known",
		     line->link.seq);
	else if (!ours)
		tell(v, line->link.seq, "record %" PRIu64 " is of another workspace", line->link.seq);
	else if (!good)
		tell(v, line->link.seq, "record %" PRIu64 " has a signature that is not its own",
		     line->link.seq);
	else if (line->link.seq > v->vouched_seq)
		v->vouched_seq = line->link.seq;
	if (good)
		take_workspace(v, line->workspace_id);
	return good;
}

/* Only what is signed may say so. */
static void take_drop(struct verifying *v, struct text text)
{
	struct json_parser *parser = json_parser_new();
	struct json         root, seq, hash;
	struct error        ignored;
	if (json_parse_text(parser, text, &root, &ignored) == STATUS_OK) {
		struct json details = json_get(root, "details");
		seq                 = json_get(details, "through_seq");
		hash                = json_get(details, "through_hash");
		if (json_type(seq) == JSON_INT && json_int(seq) > 0 && json_type(hash) == JSON_STRING &&
		    hash_unhex(json_string(hash), v->dropped.hash, sizeof v->dropped.hash))
			v->dropped.seq = json_uint(seq);
	}
	json_parser_free(parser);
}

/* ---- Heads ---- */

static int compare_heads(const void *a, const void *b)
{
	uint64_t left  = ((const struct audit_head *)a)->seq;
	uint64_t right = ((const struct audit_head *)b)->seq;
	return (left > right) - (left < right);
}

static void sort_heads(struct verifying *v)
{
	size_t count = v->config->head_count;
	v->heads     = calloc(count + 1, sizeof *v->heads);
	if (v->heads == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		v->heads[i] = v->config->heads[i];
	qsort(v->heads, count, sizeof *v->heads, compare_heads);
	if (v->config->workspace_id != NULL)
		take_workspace(v, v->config->workspace_id);
	for (size_t i = 0; i < count && !v->has_workspace; i++)
		if (audit_head_verify(&v->heads[i], v->config->keys))
			take_workspace(v, v->heads[i].workspace_id);
}

static bool head_counts(struct verifying *v, const struct audit_head *head)
{
	if (is_ours(v, head->workspace_id) && audit_head_verify(head, v->config->keys))
		return true;
	tell(v, 0, "the head of record %" PRIu64 " is not signed by a known key for this workspace",
	     head->seq);
	return false;
}

/* Those of records up to `line`, which is the next that is there. */
static void compare_up_to(struct verifying *v, const struct audit_line *line)
{
	for (; v->head_next < v->config->head_count && v->heads[v->head_next].seq <= line->link.seq;
	     v->head_next++) {
		const struct audit_head *head = &v->heads[v->head_next];
		if (!head_counts(v, head))
			continue;
		if (head->seq < v->report->first_seq) {
			v->report->heads_dropped++;
			continue;
		}
		v->report->heads++;
		if (head->seq < line->link.seq)
			continue; /* its record is missing, which is told */
		if (memcmp(head->hash, line->link.hash, sizeof head->hash) != 0)
			tell(v, head->seq, "record %" PRIu64 " is not the one that its head was signed for",
			     head->seq);
		else if (head->seq > v->vouched_seq)
			v->vouched_seq = head->seq;
	}
}

static void compare_rest(struct verifying *v)
{
	v->line = v->file = 0;
	for (; v->head_next < v->config->head_count; v->head_next++) {
		const struct audit_head *head = &v->heads[v->head_next];
		if (!head_counts(v, head))
			continue;
		v->report->heads++;
		tell(v, 0,
		     "the trail ends with record %" PRIu64 ", but a head was signed for record %" PRIu64
		     ": its end is cut off",
		     v->before.seq, head->seq);
	}
}

/* ---- Records ---- */

static void check_place(struct verifying *v, const struct audit_line *line)
{
	uint64_t seq = line->link.seq, wanted = v->before.seq + 1;
	if (v->before.seq == 0 && !v->lost) {
		v->report->first_seq = seq;
		memcpy(v->first_prev, line->prev, sizeof v->first_prev);
	} else if (seq > wanted + 1) {
		tell(v, wanted, "records %" PRIu64 " to %" PRIu64 " are missing", wanted, seq - 1);
	} else if (seq > wanted) {
		tell(v, wanted, "record %" PRIu64 " is missing", wanted);
	} else if (seq < wanted) {
		tell(v, seq, "record %" PRIu64 " stands behind record %" PRIu64, seq, v->before.seq);
	} else if (memcmp(line->prev, v->before.hash, sizeof line->prev) != 0) {
		tell(v, seq, "record %" PRIu64 " does not go on from the one before it", seq);
	} else if (line->link.at_ms < v->before.at_ms) {
		tell(v, seq, "record %" PRIu64 " is older than the one before it", seq);
	}
}

static void take_line(struct verifying *v, struct text text)
{
	struct audit_line line;
	struct error      why;
	enum status       status = audit_line_read(text, &line, &why);
	v->line++;
	if (status == STATUS_INVALID) {
		tell(v, v->before.seq + 1, "line %" PRIu64 " is no record", v->line);
		v->lost = true;
		return;
	}
	v->report->records++;
	v->report->unknown += audit_line_unknown(text);
	check_place(v, &line);
	if (status != STATUS_OK)
		tell(v, line.link.seq, "record %" PRIu64 " was changed: its hash is that of another text",
		     line.link.seq);
	compare_up_to(v, &line);
	if (line.is_signed && status == STATUS_OK && check_signature(v, &line) &&
	    text_equal(audit_line_action(text), TEXT("audit.drop")))
		take_drop(v, text);
	v->lost   = false;
	v->before = line.link;
	if (line.link.seq > v->report->last_seq)
		v->report->last_seq = line.link.seq;
	v->report->last_ms = line.link.at_ms;
}

static enum status take_file(struct verifying *v, const struct audit_file *file, bool last,
                             struct error *err)
{
	struct buffer content = {0};
	enum status   status  = audit_file_read(v->config->directory, file->first_seq,
	                                        (uint64_t)AUDIT_FILE_BYTES_MAX, &content, err);
	if (status != STATUS_OK) {
		buffer_done(&content);
		return status;
	}
	v->file = file->first_seq;
	v->line = 0;
	v->report->files++;
	if (v->before.seq != 0 && file->first_seq > v->before.seq + 1)
		tell(v, v->before.seq + 1, "a file is missing before %020" PRIu64 ".jsonl",
		     file->first_seq);
	struct audit_lines i = {.rest = buffer_text(&content)};
	while (audit_lines_next(&i))
		take_line(v, i.line);
	if (i.rest.length > 0 && last)
		v->report->torn_bytes = i.rest.length;
	else if (i.rest.length > 0)
		tell(v, v->before.seq + 1, "file %020" PRIu64 ".jsonl ends amidst a record",
		     file->first_seq);
	buffer_done(&content);
	return STATUS_OK;
}

/* The first record that is there goes on from what was dropped, and the trail itself says so; or it
 * is one that was to be dropped, of files that are being removed or that a crash has left. */
static void check_begin(struct verifying *v)
{
	static const uint8_t zeros[SHA256_BYTES];
	uint64_t             first = v->report->first_seq;
	v->line = v->file = 0;
	if (v->report->records == 0)
		return;
	if (first == 1 && memcmp(v->first_prev, zeros, sizeof zeros) != 0)
		tell(v, 1, "the first record goes on from another");
	else if (v->dropped.seq < first - 1 ||
	         (first != 1 && v->dropped.seq == first - 1 &&
	          memcmp(v->dropped.hash, v->first_prev, sizeof zeros) != 0))
		tell(v, first - 1,
		     "the trail begins with record %" PRIu64
		     ", and no signed note says that those before it were dropped",
		     first);
}

enum status audit_verify(const struct audit_verify_config *config, struct audit_report *ret_report,
                         struct error *err)
{
	audit_file_list  files  = {0};
	struct verifying v      = {.config = config, .report = ret_report};
	enum status      status = audit_files_list(config->directory, &files, err);
	*ret_report             = (struct audit_report){0};
	sort_heads(&v);
	for (size_t i = 0; i < files.count && status == STATUS_OK; i++)
		status = take_file(&v, &files.items[i], i + 1 == files.count, err);
	if (status == STATUS_OK) {
		compare_rest(&v);
		check_begin(&v);
		ret_report->unsigned_records =
			v.before.seq > v.vouched_seq ? v.before.seq - v.vouched_seq : 0;
		if (ret_report->findings > 0)
			status =
				error_set(err, STATUS_CORRUPT, "The audit trail is not whole: %" PRIu64 " findings",
			              ret_report->findings);
	}
	VECTOR_DONE(&files);
	free(v.heads);
	return status;
}
