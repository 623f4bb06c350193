/* What sources have sent, by minute, hour and day. */

#include "base/instant.h"
#include "store/sqlite_internal.h"

static const struct {
	int64_t length_ms;
	int64_t kept_ms;
} spans[] = {
	[STORE_SPAN_MINUTE] = {STORE_MINUTE_MS, STORE_MINUTES_KEPT_MS},
	[STORE_SPAN_HOUR]   = {STORE_HOUR_MS, STORE_HOURS_KEPT_MS},
	[STORE_SPAN_DAY]    = {DAY_MS, STORE_DAYS_KEPT_MS},
};

int64_t store_span_ms(enum store_span span) { return spans[span].length_ms; }

static enum status add(struct sqlite_store *store, const struct store_count *count,
                       enum store_span span, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_COUNT_ADD);
	sqlite_bind_number(statement, 1, count->source_number);
	sqlite_bind_number(statement, 2, span);
	sqlite_bind_number(statement, 3, count->at_ms - count->at_ms % spans[span].length_ms);
	sqlite_bind_text_of(statement, 4, count->name);
	sqlite_bind_number(statement, 5, count->value);
	return sqlite_run(store, statement, err);
}

/* What lies too far behind what was just added. */
static enum status prune(struct sqlite_store *store, const struct store_count *count,
                         enum store_span span, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_COUNT_PRUNE);
	sqlite_bind_number(statement, 1, count->source_number);
	sqlite_bind_number(statement, 2, span);
	sqlite_bind_number(statement, 3, count->at_ms - spans[span].kept_ms);
	return sqlite_run(store, statement, err);
}

enum status sqlite_count_add(struct store *base, const struct store_count *counts, size_t count,
                             struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		bool last = i + 1 == count || counts[i + 1].source_number != counts[i].source_number;
		for (int span = STORE_SPAN_MINUTE; span <= STORE_SPAN_DAY && status == STATUS_OK; span++) {
			status = add(store, &counts[i], (enum store_span)span, err);
			if (status == STATUS_OK && last)
				status = prune(store, &counts[i], (enum store_span)span, err);
		}
	}
	return sqlite_end(store, status, err);
}

static void read_count(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct store_count *)ret_item = (struct store_count){
		0, sqlite3_column_int64(row, 0), sqlite_text(row, 1, arena), sqlite3_column_int64(row, 2)};
}

enum status sqlite_count_list(struct store *base, uint32_t source_number, enum store_span span,
                              int64_t from_ms, int64_t until_ms, struct arena *arena,
                              struct store_count **ret_counts, size_t *ret_count, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;

	const struct sqlite_reader reader = {
		.read = read_count, .item_size = sizeof **ret_counts, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_COUNT_LIST);
	sqlite_bind_number(statement, 1, source_number);
	sqlite_bind_number(statement, 2, span);
	sqlite_bind_number(statement, 3, from_ms);
	sqlite_bind_number(statement, 4, until_ms);
	status = sqlite_list(store, statement, &reader, ret_counts, ret_count, err);
	for (size_t i = 0; status == STATUS_OK && i < *ret_count; i++)
		(*ret_counts)[i].source_number = source_number;
	return status;
}
