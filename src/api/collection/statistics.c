/* GET /api/v1/sources/{id}/statistics: what a source has sent, by minute, hour or day. */

#include "api/collection/counting.h"
#include "api/collection/sources.h"
#include "api/handlers.h"
#include "base/instant.h"

struct question {
	uint32_t        number;
	enum store_span span;
	const char     *span_name;
	int64_t         from_ms;
	int64_t         until_ms;
};

static const struct {
	const char *name;
	int64_t     default_ms; /* how far back */
} spans[] = {
	[STORE_SPAN_MINUTE] = {"minute", STORE_HOUR_MS},
	[STORE_SPAN_HOUR]   = {"hour", 48 * STORE_HOUR_MS},
	[STORE_SPAN_DAY]    = {"day", 30 * 24 * STORE_HOUR_MS},
};

static enum status read_span(struct api_call *call, struct question *question, struct error *err)
{
	struct text name;
	question->span = STORE_SPAN_HOUR;
	if (!http_query(call->request, "span", &name))
		return STATUS_OK;
	for (int i = STORE_SPAN_MINUTE; i <= STORE_SPAN_DAY; i++)
		if (text_equal(name, text_of(spans[i].name))) {
			question->span = (enum store_span)i;
			return STATUS_OK;
		}
	return error_set_field(err, STATUS_INVALID, "span", "It must be minute, hour or day");
}

static enum status read_question(struct api_call *call, struct question *question,
                                 struct error *err)
{
	struct journal *journal = call->api->config.journal;
	int64_t         now_ms  = journal->ops->log_time_ms(journal);
	enum status     status;
	if ((status = sources_find_number(call, &question->number, err)) != STATUS_OK ||
	    (status = read_span(call, question, err)) != STATUS_OK)
		return status;
	question->span_name = spans[question->span].name;
	if ((status = call_query_instant(call, "to", now_ms + 1, &question->until_ms, err)) !=
	        STATUS_OK ||
	    (status =
	         call_query_instant(call, "from", question->until_ms - spans[question->span].default_ms,
	                            &question->from_ms, err)) != STATUS_OK)
		return status;
	if (question->from_ms >= question->until_ms)
		return error_set_field(err, STATUS_INVALID, "from", "It must be before \"to\"");
	/* What contains `from` belongs to it. */
	int64_t length_ms = store_span_ms(question->span);
	int64_t into_ms   = question->from_ms % length_ms;
	question->from_ms -= into_ms < 0 ? into_ms + length_ms : into_ms;
	return STATUS_OK;
}

/* ---- The answer ---- */

static int64_t value_of(const struct store_count *counts, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (text_equal(counts[i].name, text_of(name)))
			return counts[i].value;
	return 0;
}

static void write_by_reason(struct json_writer *w, const char *member, struct text prefix,
                            const struct store_count *counts, size_t count)
{
	json_add_key(w, text_of(member));
	json_begin_object(w);
	for (size_t i = 0; i < count; i++)
		if (text_starts_with(counts[i].name, prefix)) {
			json_add_key(w, (struct text){counts[i].name.data + prefix.length,
			                              counts[i].name.length - prefix.length});
			json_add_int(w, counts[i].value);
		}
	json_end_object(w);
}

static void write_lag(struct json_writer *w, const struct store_count *counts, size_t count)
{
	int64_t lags[SOURCE_LAG_COUNT], total = 0;
	for (unsigned i = 0; i < SOURCE_LAG_COUNT; i++) {
		const char name[] = {'l', 'a', 'g', '.', (char)('0' + i), '\0'};
		lags[i]           = value_of(counts, count, name);
		total += lags[i];
	}
	json_add_key(w, TEXT("lag"));
	json_begin_object(w);
	if (total > 0)
		json_member_int(w, "averageMs", value_of(counts, count, "lag.sum") / total);
	else
		json_member_null(w, "averageMs");
	json_add_key(w, TEXT("histogram"));
	json_begin_array(w);
	for (unsigned i = 0; i < SOURCE_LAG_COUNT; i++) {
		json_begin_object(w);
		if (source_lag_bounds_ms[i] == INT64_MAX)
			json_member_null(w, "upToMs");
		else
			json_member_int(w, "upToMs", source_lag_bounds_ms[i]);
		json_member_int(w, "count", lags[i]);
		json_end_object(w);
	}
	json_end_array(w);
	json_end_object(w);
}

static void write_counts(struct json_writer *w, const struct store_count *counts, size_t count)
{
	static const char *const plain[] = {"accepted",   "suppressed", "violations",
	                                    "duplicates", "requests",   "bytes"};
	for (unsigned i = 0; i < sizeof plain / sizeof plain[0]; i++)
		json_member_int(w, plain[i], value_of(counts, count, plain[i]));
	write_by_reason(w, "rejected", TEXT("rejected."), counts, count);
	write_by_reason(w, "refused", TEXT("refused."), counts, count);
	write_lag(w, counts, count);
}

/* The counts of the whole range, by name. */
static size_t sum_up(const struct store_count *counts, size_t count, struct store_count *ret_sums)
{
	size_t sum_count = 0;
	for (size_t i = 0; i < count; i++) {
		size_t at = 0;
		while (at < sum_count && !text_equal(ret_sums[at].name, counts[i].name))
			at++;
		if (at == sum_count)
			ret_sums[sum_count++] = (struct store_count){.name = counts[i].name};
		ret_sums[at].value += counts[i].value;
	}
	return sum_count;
}

static size_t end_of_group(const struct store_count *counts, size_t count, size_t begin)
{
	size_t end = begin;
	while (end < count && counts[end].at_ms == counts[begin].at_ms)
		end++;
	return end;
}

static struct json_writer begin(struct api_call *call, const struct question *question,
                                const struct store_count *counts, size_t count, struct buffer *out)
{
	struct store_count *sums      = ARENA_ARRAY(call->arena, struct store_count, count + 1);
	size_t              sum_count = sum_up(counts, count, sums);
	struct json_writer  w         = json_writer_of(out);
	json_begin_object(&w);
	json_member_string(&w, "sourceId", http_param(call->request, "id"));
	json_member_string(&w, "span", text_of(question->span_name));
	json_add_key(&w, TEXT("sum"));
	json_begin_object(&w);
	write_counts(&w, sums, sum_count);
	json_end_object(&w);
	json_add_key(&w, TEXT("items"));
	json_begin_array(&w);
	return w;
}

/* Oldest first, those in which nothing came left out; the cursor is the instant of the last one. */
static enum status write(struct api_call *call, struct buffer *out, struct error *err)
{
	struct question     question;
	struct store       *store = call->api->config.store;
	struct store_count *counts;
	struct byte_reader  cursor;
	size_t              count, limit, written = 0;
	int64_t             total = 0, last_ms = 0;
	enum status         status;
	if ((status = read_question(call, &question, err)) != STATUS_OK ||
	    (status = call_limit(call, &limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_OFFSET, &cursor, err)) != STATUS_OK ||
	    (status = counting_flush(call->api->counting, err)) != STATUS_OK ||
	    (status = store->ops->count_list(store, question.number, question.span, question.from_ms,
	                                     question.until_ms, call->arena, &counts, &count, err)) !=
	        STATUS_OK)
		return status;
	int64_t            after_ms = read_left(&cursor) > 0 ? read_i64(&cursor) : INT64_MIN;
	bool               more     = false;
	struct json_writer w        = begin(call, &question, counts, count, out);
	for (size_t i = 0, end; i < count; i = end, total++) {
		end = end_of_group(counts, count, i);
		if (counts[i].at_ms <= after_ms)
			continue;
		more = more || written == limit;
		if (more)
			continue;
		json_begin_object(&w);
		json_member_instant(&w, "from", counts[i].at_ms);
		write_counts(&w, &counts[i], end - i);
		json_end_object(&w);
		last_ms = counts[i].at_ms;
		written++;
	}
	struct buffer next = {0};
	if (more)
		buffer_add_i64(&next, last_ms);
	struct journal *journal = call->api->config.journal;
	call_end_list(&w, CURSOR_OFFSET, buffer_text(&next), total, journal->ops->log_time_ms(journal));
	buffer_done(&next);
	return STATUS_OK;
}

static void step(struct api_call *call) { call_answer_written(call, write); }

void sources_statistics(struct api_call *call) { call_on_worker(call, step); }
