/* GET and DELETE /api/v1/sources/{id}/types and …/violations: what was observed of a source. */

#include "api/collection/counting.h"
#include "api/collection/sources.h"
#include "api/handlers.h"
#include "base/instant.h"

/* The rows of one property, or of the event itself. */
struct group {
	const struct observed_row *rows;
	size_t                     count;
	unsigned                   type_count;
	int64_t                    first_ms;
	int64_t                    drifted_ms; /* when the second type came */
	int64_t                    last_ms;
	uint64_t                   seen_count;
};

static struct group group_at(const observed_row_list *list, size_t begin)
{
	struct group group = {.rows       = &list->items[begin],
	                      .first_ms   = INT64_MAX,
	                      .drifted_ms = INT64_MAX,
	                      .last_ms    = INT64_MIN};
	for (size_t i = begin; i < list->count; i++) {
		const struct observed_row *row = &list->items[i];
		if (!text_equal(row->event, group.rows->event) ||
		    !text_equal(row->property, group.rows->property))
			break;
		int64_t first_ms = row->seen.first_ms;
		if (first_ms < group.first_ms) {
			group.drifted_ms = group.first_ms;
			group.first_ms   = first_ms;
		} else if (first_ms < group.drifted_ms) {
			group.drifted_ms = first_ms;
		}
		if (row->seen.last_ms > group.last_ms)
			group.last_ms = row->seen.last_ms;
		group.seen_count += row->seen.count;
		group.type_count += observed_is_type(row->kind);
		group.count++;
	}
	return group;
}

static void write_names(struct json_writer *w, const struct observed_row *row)
{
	if (row->event.length > 0)
		json_member_string(w, "event", row->event);
	else
		json_member_null(w, "event");
	if (row->property.length > 0)
		json_member_string(w, "property", row->property);
	else
		json_member_null(w, "property");
}

static void write_seen(struct json_writer *w, uint64_t count, int64_t first_ms, int64_t last_ms)
{
	json_member_int(w, "count", (int64_t)count);
	json_member_instant(w, "firstSeen", first_ms);
	json_member_instant(w, "lastSeen", last_ms);
}

static void write_group(struct json_writer *w, const struct group *group)
{
	json_begin_object(w);
	write_names(w, group->rows);
	write_seen(w, group->seen_count, group->first_ms, group->last_ms);
	json_member_bool(w, "drifted", group->type_count > 1);
	if (group->type_count > 1)
		json_member_instant(w, "driftedAt", group->drifted_ms);
	else
		json_member_null(w, "driftedAt");
	json_add_key(w, TEXT("types"));
	json_begin_array(w);
	for (size_t i = 0; i < group->count; i++) {
		const struct observed_row *row = &group->rows[i];
		if (!observed_is_type(row->kind))
			continue;
		json_begin_object(w);
		json_member_string(w, "type", text_of(observed_kind_name(row->kind)));
		write_seen(w, row->seen.count, row->seen.first_ms, row->seen.last_ms);
		json_end_object(w);
	}
	json_end_array(w);
	json_end_object(w);
}

static void write_violation(struct json_writer *w, const struct observed_row *row)
{
	json_begin_object(w);
	write_names(w, row);
	json_member_string(w, "kind", text_of(observed_kind_name(row->kind)));
	write_seen(w, row->seen.count, row->seen.first_ms, row->seen.last_ms);
	if (row->seen.sample.length > 0)
		json_member_string(w, "messageId", row->seen.sample);
	else
		json_member_null(w, "messageId");
	json_end_object(w);
}

/* ---- Lists ---- */

struct page {
	observed_row_list rows;
	uint64_t          beyond;
	size_t            at; /* items before it were listed */
	size_t            limit;
	bool              drifted_only;
};

static enum status read_page(struct api_call *call, enum observed_family family, struct page *page,
                             struct error *err)
{
	struct ingest     *ingest = call->api->config.ingest;
	struct byte_reader cursor;
	uint32_t           number;
	enum status        status;
	if ((status = sources_find_number(call, &number, err)) != STATUS_OK ||
	    (status = call_limit(call, &page->limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_OFFSET, &cursor, err)) != STATUS_OK ||
	    (status = call_query_flag(call, "drifted", &page->drifted_only, err)) != STATUS_OK)
		return status;
	page->at = read_left(&cursor) > 0 ? read_u32(&cursor) : 0;
	watch_flush(ingest_watch(ingest));
	observed_list(source_observed(source_of(ingest_sources(ingest), number), family), call->arena,
	              &page->rows, &page->beyond);
	return STATUS_OK;
}

static struct json_writer begin_list(struct api_call *call, const struct page *page,
                                     struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_member_string(&w, "sourceId", http_param(call->request, "id"));
	json_member_int(&w, "beyond", (int64_t)page->beyond);
	json_add_key(&w, TEXT("items"));
	json_begin_array(&w);
	return w;
}

static void end_list(struct api_call *call, struct json_writer *w, const struct page *page,
                     size_t total)
{
	struct journal *journal = call->api->config.journal;
	struct buffer   next    = {0};
	if (page->at + page->limit < total)
		buffer_add_u32(&next, (uint32_t)(page->at + page->limit));
	call_end_list(w, CURSOR_OFFSET, buffer_text(&next), (int64_t)total,
	              journal->ops->log_time_ms(journal));
	buffer_done(&next);
}

static bool is_listed(const struct page *page, size_t index)
{
	return index >= page->at && index - page->at < page->limit;
}

static enum status write_types(struct api_call *call, struct buffer *out, struct error *err)
{
	struct page page   = {0};
	enum status status = read_page(call, OBSERVED_TYPES, &page, err);
	if (status == STATUS_OK) {
		size_t             total = 0;
		struct json_writer w     = begin_list(call, &page, out);
		for (size_t i = 0; i < page.rows.count;) {
			struct group group = group_at(&page.rows, i);
			i += group.count;
			if (page.drifted_only && group.type_count < 2)
				continue;
			if (is_listed(&page, total++))
				write_group(&w, &group);
		}
		end_list(call, &w, &page, total);
	}
	VECTOR_DONE(&page.rows);
	return status;
}

static enum status write_violations(struct api_call *call, struct buffer *out, struct error *err)
{
	struct page page   = {0};
	enum status status = read_page(call, OBSERVED_VIOLATIONS, &page, err);
	if (status == STATUS_OK) {
		struct json_writer w = begin_list(call, &page, out);
		for (size_t i = 0; i < page.rows.count; i++)
			if (is_listed(&page, i))
				write_violation(&w, &page.rows.items[i]);
		end_list(call, &w, &page, page.rows.count);
	}
	VECTOR_DONE(&page.rows);
	return status;
}

static void types_step(struct api_call *call) { call_answer_written(call, write_types); }
static void violations_step(struct api_call *call) { call_answer_written(call, write_violations); }

void source_types_list(struct api_call *call) { call_on_worker(call, types_step); }
void source_violations_list(struct api_call *call) { call_on_worker(call, violations_step); }

/* ---- DELETE ---- */

static void forget(struct api_call *call, enum observed_family family)
{
	struct api  *api = call->api;
	uint32_t     number;
	struct error err;
	enum status  status = sources_find_number(call, &number, &err);
	if (status == STATUS_OK)
		status = counting_forget_observed(
			api->counting, source_of(ingest_sources(api->config.ingest), number), family, &err);
	if (status == STATUS_OK)
		call_answer_empty(call, 204);
	else
		call_fail(call, &err);
}

static void forget_types_step(struct api_call *call) { forget(call, OBSERVED_TYPES); }
static void forget_violations_step(struct api_call *call) { forget(call, OBSERVED_VIOLATIONS); }

void source_types_delete(struct api_call *call) { call_on_worker(call, forget_types_step); }
void source_violations_delete(struct api_call *call)
{
	call_on_worker(call, forget_violations_step);
}
