/* Dead letters: what sources have sent and was rejected. */

#include "store/sqlite_internal.h"

static void read_letter(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct store_letter *)ret_item = (struct store_letter){
		.id            = (uint64_t)sqlite3_column_int64(row, 0),
		.source_number = (uint32_t)sqlite3_column_int64(row, 1),
		.at_ms         = sqlite3_column_int64(row, 2),
		.code          = sqlite_text(row, 3, arena),
		.place         = sqlite_text(row, 4, arena),
		.kind          = sqlite3_column_int(row, 5),
		.bytes         = (uint64_t)sqlite3_column_int64(row, 6),
		.replays       = (unsigned)sqlite3_column_int(row, 7),
		.personal      = sqlite3_column_type(row, 8) != SQLITE_NULL,
		.partition     = (uint32_t)sqlite3_column_int64(row, 8),
		.slot          = (uint32_t)sqlite3_column_int64(row, 9),
		.content       = sqlite_bytes(row, 10, arena),
		.reason        = sqlite_text(row, 11, arena),
	};
}

static enum status add(struct sqlite_store *store, const struct store_letter *letter,
                       struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_LETTER_ADD);
	sqlite_bind_number(statement, 1, letter->source_number);
	sqlite_bind_number(statement, 2, letter->at_ms);
	sqlite_bind_text_of(statement, 3, letter->code);
	sqlite_bind_text_of(statement, 4, letter->place);
	sqlite_bind_number(statement, 5, letter->kind);
	sqlite_bind_number(statement, 6, (int64_t)letter->bytes);
	if (letter->personal) { /* else NULL */
		sqlite_bind_number(statement, 7, letter->partition);
		sqlite_bind_number(statement, 8, letter->slot);
	}
	sqlite_bind_bytes(statement, 9, letter->content.data, letter->content.length);
	sqlite_bind_text_of(statement, 10, letter->reason);
	return sqlite_run(store, statement, err);
}

static enum status trim(struct sqlite_store *store, uint32_t source_number, enum sql_query query,
                        uint64_t max, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, query);
	sqlite_bind_number(statement, 1, source_number);
	sqlite_bind_number(statement, 2, (int64_t)max);
	return sqlite_run(store, statement, err);
}

enum status sqlite_letter_add(struct store *base, const struct store_letter *letters, size_t count,
                              const struct store_letter_limits *limits, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		uint32_t number = letters[i].source_number;
		status          = add(store, &letters[i], err);
		if (i + 1 < count && letters[i + 1].source_number == number)
			continue;
		if (status == STATUS_OK)
			status = trim(store, number, SQL_LETTER_TRIM_COUNT, limits->count_max, err);
		if (status == STATUS_OK)
			status = trim(store, number, SQL_LETTER_TRIM_BYTES, limits->bytes_max, err);
	}
	return sqlite_end(store, status, err);
}

enum status sqlite_letter_get(struct store *base, uint32_t source_number, uint64_t id,
                              struct arena *arena, struct store_letter *ret_letter,
                              struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader    = {.read      = read_letter,
	                                        .item_size = sizeof *ret_letter,
	                                        .arena     = arena,
	                                        .missing   = "There is no such dead letter"};
	sqlite3_stmt              *statement = sqlite_statement(store, SQL_LETTER_GET);
	sqlite_bind_number(statement, 1, source_number);
	sqlite_bind_number(statement, 2, (int64_t)id);
	return sqlite_find(store, statement, &reader, ret_letter, err);
}

static void bind_filter(sqlite3_stmt *statement, const struct store_letter_filter *filter)
{
	sqlite_bind_number(statement, 1, filter->source_number);
	sqlite_bind_text_of(statement, 2, filter->code);
	sqlite_bind_number(statement, 3, filter->from_ms);
	sqlite_bind_number(statement, 4, filter->until_ms);
}

static enum status read_total(struct sqlite_store *store, const struct store_letter_filter *filter,
                              uint64_t *ret_total, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_LETTER_LIST_TOTAL);
	bind_filter(statement, filter);
	bool        row    = false;
	enum status status = sqlite_row(store, statement, &row, err);
	if (status == STATUS_OK && row)
		*ret_total = (uint64_t)sqlite3_column_int64(statement, 0);
	return status;
}

enum status sqlite_letter_list(struct store *base, const struct store_letter_filter *filter,
                               struct arena *arena, struct store_letter **ret_letters,
                               size_t *ret_count, uint64_t *ret_total, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	struct store_letter       *letters = NULL;
	size_t                     count   = 0;
	uint64_t                   total   = 0;
	const struct sqlite_reader reader  = {
		 .read = read_letter, .item_size = sizeof *letters, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_LETTER_LIST);
	bind_filter(statement, filter);
	sqlite_bind_number(statement, 5,
	                   filter->before_id == 0 ? INT64_MAX : (int64_t)filter->before_id);
	sqlite_bind_number(statement, 6, (int64_t)filter->limit);
	status = sqlite_rows(store, statement, &reader, &letters, &count, err);
	if (status == STATUS_OK)
		status = read_total(store, filter, &total, err);

	status = sqlite_end(store, status, err);
	if (status == STATUS_OK) {
		*ret_letters = letters;
		*ret_count   = count;
		*ret_total   = total;
	}
	return status;
}

enum status sqlite_letter_again(struct store *base, const struct store_letter *letter,
                                struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_LETTER_AGAIN);
	sqlite_bind_text_of(statement, 1, letter->code);
	sqlite_bind_text_of(statement, 2, letter->place);
	sqlite_bind_text_of(statement, 3, letter->reason);
	sqlite_bind_number(statement, 4, letter->source_number);
	sqlite_bind_number(statement, 5, (int64_t)letter->id);
	status = sqlite_run(store, statement, err);
	return sqlite_end(store, status, err);
}

enum status sqlite_letter_delete(struct store *base, uint32_t source_number, const uint64_t *ids,
                                 size_t count, size_t *ret_deleted, struct error *err)
{
	struct sqlite_store *store   = sqlite_store_of(base);
	size_t               deleted = 0;
	enum status          status  = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		sqlite3_stmt *statement = sqlite_statement(store, SQL_LETTER_DELETE);
		sqlite_bind_number(statement, 1, source_number);
		sqlite_bind_number(statement, 2, (int64_t)ids[i]);
		bool found = false;
		status     = sqlite_row(store, statement, &found, err);
		deleted += found;
		if (status == STATUS_OK && found)
			status = sqlite_run(store, statement, err);
	}
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		*ret_deleted = deleted;
	return status;
}

enum status sqlite_letter_all(struct store *base, uint64_t after_id, size_t limit,
                              struct arena *arena, struct store_letter **ret_letters,
                              size_t *ret_count, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	struct store_letter       *letters   = NULL;
	size_t                     count     = 0;
	sqlite3_stmt              *statement = sqlite_statement(store, SQL_LETTER_ALL);
	const struct sqlite_reader reader    = {
		   .read = read_letter, .item_size = sizeof *letters, .arena = arena};
	sqlite_bind_number(statement, 1, (int64_t)after_id);
	sqlite_bind_number(statement, 2, (int64_t)limit);
	status = sqlite_rows(store, statement, &reader, &letters, &count, err);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK) {
		*ret_letters = letters;
		*ret_count   = count;
	}
	return status;
}

enum status sqlite_letter_reseal(struct store *base, const struct store_letter *letters,
                                 size_t count, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		sqlite3_stmt *statement = sqlite_statement(store, SQL_LETTER_RESEAL);
		sqlite_bind_bytes(statement, 1, letters[i].content.data, letters[i].content.length);
		sqlite_bind_number(statement, 2, (int64_t)letters[i].id);
		status = sqlite_run(store, statement, err);
	}
	return sqlite_end(store, status, err);
}

enum status sqlite_letter_expire(struct store *base, int64_t before_ms, size_t *ret_deleted,
                                 struct error *err)
{
	struct sqlite_store *store   = sqlite_store_of(base);
	size_t               deleted = 0;
	enum status          status  = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_LETTER_EXPIRE);
	sqlite_bind_number(statement, 1, before_ms);
	status = sqlite_run(store, statement, err);
	if (status == STATUS_OK)
		deleted = (size_t)sqlite3_changes64(store->db);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		*ret_deleted = deleted;
	return status;
}

enum status sqlite_letter_totals(struct store *base, int64_t before_ms,
                                 struct store_letter_totals *ret_totals, struct error *err)
{
	struct sqlite_store       *store  = sqlite_store_of(base);
	struct store_letter_totals totals = {0};
	enum status                status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_LETTER_TOTALS);
	bool          row       = false;
	sqlite_bind_number(statement, 1, before_ms);
	status = sqlite_row(store, statement, &row, err);
	if (status == STATUS_OK && row)
		totals = (struct store_letter_totals){(uint64_t)sqlite3_column_int64(statement, 0),
		                                      (uint64_t)sqlite3_column_int64(statement, 1),
		                                      sqlite3_column_int64(statement, 2)};
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		*ret_totals = totals;
	return status;
}
