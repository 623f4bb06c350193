/* What a process that was killed has left of intentions: those that have no record get one. */

#include <stdlib.h>
#include <string.h>

#include "audit/audit_internal.h"
#include "base/json.h"
#include "base/log.h"

struct recovering {
	struct audit             *audit;
	const struct audit_found *found;
	bool                     *recorded; /* of each that was found */
	uint64_t                  first_after;
};

/* The order in which they were begun. */
static int compare(const void *a, const void *b)
{
	const struct audit_intent *left  = &((const struct audit_intention *)a)->intent;
	const struct audit_intent *right = &((const struct audit_intention *)b)->intent;
	if (left->begun_ms != right->begun_ms)
		return left->begun_ms < right->begun_ms ? -1 : 1;
	return (left->call > right->call) - (left->call < right->call);
}

static void take_call(struct recovering *r, uint64_t call)
{
	for (size_t i = 0; i < r->found->count; i++)
		if (r->found->items[i].intent.call == call)
			r->recorded[i] = true;
}

static enum status look_through(struct recovering *r, uint64_t first_seq,
                                struct json_parser *parser, struct error *err)
{
	struct buffer content = {0};
	enum status   status  = audit_file_read(r->audit->directory, first_seq,
	                                        (uint64_t)AUDIT_FILE_BYTES_MAX, &content, err);
	for (struct audit_lines i = {.rest = buffer_text(&content)}; audit_lines_next(&i);) {
		struct audit_line line;
		struct error      ignored;
		if (audit_line_read(i.line, &line, &ignored) == STATUS_OK && line.link.seq > r->first_after)
			take_call(r, audit_line_call(i.line, parser));
	}
	buffer_done(&content);
	return status;
}

/* A record comes behind what was the newest when its intention was written. */
static enum status find_recorded(struct recovering *r, struct error *err)
{
	audit_file_list     files;
	struct json_parser *parser = json_parser_new();
	enum status         status = STATUS_OK;
	audit_snapshot(r->audit, &files);
	r->first_after = UINT64_MAX;
	for (size_t i = 0; i < r->found->count; i++)
		if (r->found->items[i].intent.after_seq < r->first_after)
			r->first_after = r->found->items[i].intent.after_seq;
	for (size_t i = 0; i < files.count && status == STATUS_OK; i++)
		if (i + 1 == files.count || files.items[i + 1].first_seq > r->first_after + 1)
			status = look_through(r, files.items[i].first_seq, parser, err);
	json_parser_free(parser);
	VECTOR_DONE(&files);
	return status;
}

/* Waits for the last one alone. */
static enum status add_unknown(struct audit *audit, const struct audit_intention *intention,
                               bool waits, struct error *err)
{
	struct audit_record record  = audit_intention_known(intention);
	struct buffer       details = {0};
	struct json_writer  w       = json_writer_of(&details);
	json_begin_object(&w);
	json_member_instant(&w, "begun", intention->intent.begun_ms);
	json_end_object(&w);
	record.unknown = true;
	record.call    = intention->intent.call;
	record.details = buffer_text(&details);

	enum status status =
		waits ? audit_note_as(audit, &record, false, err) : audit_reserve(audit, err);
	if (!waits && status == STATUS_OK)
		audit_put(audit, NULL, &record, false, NULL, NULL);
	buffer_done(&details);
	return status;
}

/* A slot that is neither free nor an intention: nobody knows what it was. */
static enum status tell_damaged(struct audit *audit, uint64_t damaged, struct error *err)
{
	struct buffer      details = {0};
	struct json_writer w       = json_writer_of(&details);
	json_begin_object(&w);
	json_member_int(&w, "damaged", (int64_t)damaged);
	json_end_object(&w);
	const struct audit_record record = {.action      = TEXT("audit.intentions"),
	                                    .actor       = TEXT("system:audit"),
	                                    .details     = buffer_text(&details),
	                                    .result_size = -1};
	enum status               status = audit_note_as(audit, &record, true, err);
	buffer_done(&details);
	return status;
}

static enum status add_all(struct recovering *r, struct error *err)
{
	size_t      last = 0, added = 0;
	enum status status = STATUS_OK;
	for (size_t i = 0; i < r->found->count; i++)
		last = r->recorded[i] ? last : i;
	for (size_t i = 0; i < r->found->count && status == STATUS_OK; i++)
		if (!r->recorded[i]) {
			bool waits = i == last && r->found->damaged == 0;
			status     = add_unknown(r->audit, &r->found->items[i], waits, err);
			added += status == STATUS_OK;
		}
	if (status == STATUS_OK && r->found->damaged > 0)
		status = tell_damaged(r->audit, r->found->damaged, err);
	r->audit->counts.unknown = added;
	if (added > 0)
		log_message(LOG_WARNING, "requests were under way when the process before ended: the audit "
		                         "trail tells of them with an unknown outcome");
	return status;
}

enum status audit_recover(struct audit *audit, const struct audit_found *found, struct error *err)
{
	struct error why = {0};
	if (found->count + found->damaged == 0)
		return STATUS_OK;
	qsort(found->items, found->count, sizeof *found->items, compare);
	struct recovering r = {
		.audit = audit, .found = found, .recorded = calloc(found->count + 1, sizeof(bool))};
	if (r.recorded == NULL)
		abort();
	enum status status = found->count > 0 ? find_recorded(&r, &why) : STATUS_OK;
	if (status == STATUS_OK)
		status = add_all(&r, &why);
	free(r.recorded);
	if (status == STATUS_OK)
		return audit_intentions_forget(audit->intentions, err);
	if (status == STATUS_NO_SPACE) {
		log_error("the audit trail has no room for what was under way: the next start tells it",
		          &why);
		return STATUS_OK;
	}
	if (err != NULL)
		*err = why;
	return status;
}
