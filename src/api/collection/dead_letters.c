/* /api/v1/sources/{id}/dead-letters: what a source has sent and was rejected. */

#include "api/collection/dead_letters.h"

#include <stdio.h>
#include <string.h>

#include "api/call_audit.h"
#include "api/collection/sources.h"
#include "api/handlers.h"
#include "base/instant.h"

/* ---- Which ---- */

/* Decimal digits. */
static bool read_id(struct text text, uint64_t *ret_id)
{
	uint64_t id = 0;
	if (text.length == 0 || text.length > 18 || text.data[0] == '0')
		return false;
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		id = id * 10 + (uint64_t)(text.data[i] - '0');
	}
	*ret_id = id;
	return true;
}

/* The source, what waits written, and no filter yet. */
static enum status begin_filter(struct api_call *call, struct dead_letters_filter *ret,
                                struct error *err)
{
	uint32_t    number;
	enum status status = sources_find_number(call, &number, err);
	if (status == STATUS_OK)
		status = letters_flush(call->api->config.letters, err);
	if (status == STATUS_OK)
		*ret = (struct dead_letters_filter){
			.stored = {.source_number = number, .from_ms = INT64_MIN, .until_ms = INT64_MAX}};
	return status;
}

static enum status check_filter(struct api_call *call, const struct dead_letters_filter *filter,
                                struct error *err)
{
	if (filter->text.length > DEAD_LETTERS_TEXT_MAX)
		return error_set_field(err, STATUS_INVALID, "text", "It must be at most %d bytes",
		                       DEAD_LETTERS_TEXT_MAX);
	if (filter->stored.from_ms >= filter->stored.until_ms)
		return error_set_field(err, STATUS_INVALID, "from", "It must be before \"to\"");
	if (filter->text.length > 0 && !call_shows_personal(call))
		return error_set_field(err, STATUS_FORBIDDEN, "text",
		                       "Searching in what was sent needs the scope pii.read");
	return STATUS_OK;
}

enum status dead_letters_filter(struct api_call *call, struct dead_letters_filter *ret,
                                struct error *err)
{
	struct text text;
	enum status status = begin_filter(call, ret, err);
	if (status != STATUS_OK ||
	    (status = call_query_instant(call, "from", INT64_MIN, &ret->stored.from_ms, err)) !=
	        STATUS_OK ||
	    (status = call_query_instant(call, "to", INT64_MAX, &ret->stored.until_ms, err)) !=
	        STATUS_OK)
		return status;
	if (http_query(call->request, "code", &text))
		ret->stored.code = text;
	if (http_query(call->request, "text", &text))
		ret->text = text;
	return check_filter(call, ret, err);
}

static enum status read_instant(struct json object, const char *name, int64_t *ret_ms,
                                struct error *err)
{
	struct json value = json_get(object, name);
	if (json_type(value) == JSON_NONE ||
	    (json_type(value) == JSON_STRING && instant_parse(json_string(value), ret_ms)))
		return STATUS_OK;
	return error_set_field(err, STATUS_INVALID, name, "It must be an RFC 3339 instant");
}

enum status dead_letters_filter_of(struct api_call *call, struct json object,
                                   struct dead_letters_filter *ret, struct error *err)
{
	enum status status = begin_filter(call, ret, err);
	if (status != STATUS_OK ||
	    (status = call_string(object, "code", true, 0, DEAD_LETTERS_TEXT_MAX, &ret->stored.code,
	                          err)) != STATUS_OK ||
	    (status = call_string(object, "text", true, 0, DEAD_LETTERS_TEXT_MAX, &ret->text, err)) !=
	        STATUS_OK ||
	    (status = read_instant(object, "from", &ret->stored.from_ms, err)) != STATUS_OK ||
	    (status = read_instant(object, "to", &ret->stored.until_ms, err)) != STATUS_OK)
		return status;
	return check_filter(call, ret, err);
}

/* ---- Reading ---- */

static enum status open_letter(struct api_call *call, const struct store_letter *stored,
                               struct dead_letter *ret, struct error *err)
{
	*ret               = (struct dead_letter){.stored = *stored};
	enum status status = letters_open(call->api->config.letters, stored, call->arena, &ret->event,
	                                  &ret->shared, err);
	ret->readable      = status == STATUS_OK;
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static bool contains(struct text whole, struct text part)
{
	return part.length == 0 || memmem(whole.data, whole.length, part.data, part.length) != NULL;
}

enum status dead_letters_next(struct api_call *call, struct dead_letters_filter *filter,
                              size_t limit, size_t *scanned, struct dead_letter *ret,
                              size_t *ret_count, uint64_t *ret_total, struct error *err)
{
	struct store        *store = call->api->config.store;
	struct store_letter *stored;
	size_t               count = 0, fetched;
	enum status          status;
	do {
		filter->stored.limit = DEAD_LETTERS_AT_ONCE;
		status = store->ops->letter_list(store, &filter->stored, call->arena, &stored, &fetched,
		                                 ret_total, err);
		for (size_t i = 0; status == STATUS_OK && i < fetched && count < limit; i++) {
			status                   = open_letter(call, &stored[i], &ret[count], err);
			filter->stored.before_id = stored[i].id;
			*scanned += 1 + stored[i].content.length / DEAD_LETTERS_PIECE_BYTES;
			count += status == STATUS_OK && contains(ret[count].event, filter->text);
		}
	} while (status == STATUS_OK && fetched == DEAD_LETTERS_AT_ONCE && count < limit &&
	         *scanned < DEAD_LETTERS_SCANNED_MAX);
	*ret_count = count;
	return status;
}

enum status dead_letters_find(struct api_call *call, struct dead_letter *ret, struct error *err)
{
	struct store       *store = call->api->config.store;
	struct store_letter stored;
	uint32_t            number;
	uint64_t            id     = 0;
	enum status         status = sources_find_number(call, &number, err);
	if (status == STATUS_OK && !read_id(http_param(call->request, "letterId"), &id))
		status = error_set(err, STATUS_NOT_FOUND, "There is no such dead letter");
	if (status == STATUS_OK)
		status = letters_flush(call->api->config.letters, err);
	if (status == STATUS_OK)
		status = store->ops->letter_get(store, number, id, call->arena, &stored, err);
	return status == STATUS_OK ? open_letter(call, &stored, ret, err) : status;
}

/* ---- GET ---- */

static void write_letter(struct api_call *call, struct json_writer *w,
                         const struct dead_letter *letter)
{
	const struct store_letter *stored = &letter->stored;
	char                       id[24];
	snprintf(id, sizeof id, "%llu", (unsigned long long)stored->id);
	json_begin_object(w);
	json_member_string(w, "id", text_of(id));
	json_member_instant(w, "at", stored->at_ms);
	json_member_string(w, "code", stored->code);
	json_member_string(w, "place", stored->place);
	json_member_string(w, "message", stored->reason);
	json_member_int(w, "bytes", (int64_t)stored->bytes);
	json_member_bool(w, "cut", letter_is_cut(stored));
	json_member_int(w, "replays", stored->replays);
	if (letter->readable && call_shows_personal(call))
		json_member_string(w, "event", letter->event);
	else
		json_member_null(w, "event");
	json_end_object(w);
}

static enum status write_list(struct api_call *call, struct buffer *out, struct error *err)
{
	struct dead_letters_filter filter;
	struct byte_reader         cursor;
	size_t                     limit, count, scanned = 0;
	uint64_t                   total = 0;
	enum status                status;
	if ((status = call_limit(call, &limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_LETTERS, &cursor, err)) != STATUS_OK ||
	    (status = dead_letters_filter(call, &filter, err)) != STATUS_OK)
		return status;
	if (read_left(&cursor) > 0)
		filter.stored.before_id = read_u64(&cursor);
	struct dead_letter *letters = ARENA_ARRAY(call->arena, struct dead_letter, limit);
	status = dead_letters_next(call, &filter, limit, &scanned, letters, &count, &total, err);
	if (status != STATUS_OK)
		return status;

	struct journal    *journal = call->api->config.journal;
	struct buffer      next    = {0};
	struct json_writer w       = call_begin_list(out);
	for (size_t i = 0; i < count; i++)
		write_letter(call, &w, &letters[i]);
	if (count == limit || scanned >= DEAD_LETTERS_SCANNED_MAX)
		buffer_add_u64(&next, filter.stored.before_id);
	call_end_list(&w, CURSOR_LETTERS, buffer_text(&next),
	              filter.text.length > 0 ? -1 : (int64_t)total, journal->ops->log_time_ms(journal));
	buffer_done(&next);
	return STATUS_OK;
}

static void list_step(struct api_call *call) { call_answer_written(call, write_list); }

void dead_letters_list(struct api_call *call) { call_on_worker(call, list_step); }

static enum status write_one(struct api_call *call, struct buffer *out, struct error *err)
{
	struct dead_letter letter;
	struct json_writer w      = json_writer_of(out);
	enum status        status = dead_letters_find(call, &letter, err);
	if (status == STATUS_OK)
		write_letter(call, &w, &letter);
	return status;
}

static void get_step(struct api_call *call) { call_answer_written(call, write_one); }

void dead_letters_get(struct api_call *call) { call_on_worker(call, get_step); }

/* ---- DELETE ---- */

static enum status delete_all(struct api_call *call, struct buffer *out, struct error *err)
{
	struct store              *store = call->api->config.store;
	struct dead_letters_filter filter;
	struct dead_letter         letters[DEAD_LETTERS_AT_ONCE];
	uint64_t                   ids[DEAD_LETTERS_AT_ONCE], total;
	size_t                     count, deleted, all = 0, scanned = 0;
	enum status                status = dead_letters_filter(call, &filter, err);
	do {
		if (status == STATUS_OK)
			status = dead_letters_next(call, &filter, DEAD_LETTERS_AT_ONCE, &scanned, letters,
			                           &count, &total, err);
		if (status != STATUS_OK)
			return status;
		for (size_t i = 0; i < count; i++)
			ids[i] = letters[i].stored.id;
		status = store->ops->letter_delete(store, filter.stored.source_number, ids, count, &deleted,
		                                   err);
		all += status == STATUS_OK ? deleted : 0;
	} while (status == STATUS_OK && count == DEAD_LETTERS_AT_ONCE &&
	         scanned < DEAD_LETTERS_SCANNED_MAX);
	if (status != STATUS_OK)
		return status;
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_member_int(&w, "deleted", (int64_t)all);
	json_member_bool(&w, "complete",
	                 count < DEAD_LETTERS_AT_ONCE && scanned < DEAD_LETTERS_SCANNED_MAX);
	json_end_object(&w);
	return STATUS_OK;
}

static void delete_all_step(struct api_call *call) { call_answer_written(call, delete_all); }

void dead_letters_delete_all(struct api_call *call) { call_on_worker(call, delete_all_step); }

static void delete_step(struct api_call *call)
{
	struct store      *store = call->api->config.store;
	struct dead_letter letter;
	struct error       err;
	size_t             deleted;
	if (dead_letters_find(call, &letter, &err) != STATUS_OK ||
	    store->ops->letter_delete(store, letter.stored.source_number, &letter.stored.id, 1,
	                              &deleted, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_answer_empty(call, 204);
}

void dead_letters_delete(struct api_call *call) { call_on_worker(call, delete_step); }
