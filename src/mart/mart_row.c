#include "mart/mart_row.h"

#include "base/csv.h"
#include "base/hash.h"
#include "base/instant.h"
#include "base/json.h"
#include "transfer/export/export_row.h"

enum column_kind {
	COLUMN_ID,
	COLUMN_TRAIT,
	COLUMN_CREATED,
	COLUMN_ACTIVE,
	COLUMN_FIELD, /* of a dimension's row */
	COLUMN_BEHAVIOR_ID,
	COLUMN_EVENT,
	COLUMN_EVENT_TIME,
	COLUMN_PROPERTY,
	COLUMN_SEARCH,
	COLUMN_CART,
	COLUMN_BOOKING_KEY,
	COLUMN_AMOUNT,
	COLUMN_STATUS,
	COLUMN_OF_BOOKING, /* a property, of bookings alone */
};

struct column {
	const char      *name;
	enum column_kind kind;
};

enum { COLUMNS_MAX = 32 };

static const struct table {
	size_t        count;
	struct column columns[COLUMNS_MAX];
} tables[MART_TABLE_COUNT] = {
	[MART_DIM_USERS]          = {8,
                                 {{"user_id", COLUMN_ID},
                                  {"email", COLUMN_TRAIT},
                                  {"name", COLUMN_TRAIT},
                                  {"membership_tier", COLUMN_TRAIT},
                                  {"device_type", COLUMN_TRAIT},
                                  {"active_regions", COLUMN_TRAIT},
                                  {"created_at", COLUMN_CREATED},
                                  {"last_activity", COLUMN_ACTIVE}}},
	[MART_DIM_PRODUCTS]       = {6,
                                 {{"product_id", COLUMN_ID},
                                  {"name", COLUMN_FIELD},
                                  {"category", COLUMN_FIELD},
                                  {"region", COLUMN_FIELD},
                                  {"themes", COLUMN_FIELD},
                                  {"price_range", COLUMN_FIELD}}},
	[MART_DIM_PROPERTIES]     = {6,
                                 {{"property_id", COLUMN_ID},
                                  {"name", COLUMN_FIELD},
                                  {"property_type", COLUMN_FIELD},
                                  {"region", COLUMN_FIELD},
                                  {"pet_friendly", COLUMN_FIELD},
                                  {"kids_friendly", COLUMN_FIELD}}},
	[MART_FACT_USER_BEHAVIOR] = {9,
                                 {{"behavior_id", COLUMN_BEHAVIOR_ID},
                                  {"user_id", COLUMN_ID},
                                  {"product_id", COLUMN_PROPERTY},
                                  {"event_type", COLUMN_EVENT},
                                  {"search_keyword", COLUMN_SEARCH},
                                  {"region", COLUMN_PROPERTY},
                                  {"accommodation_type", COLUMN_PROPERTY},
                                  {"has_cart", COLUMN_CART},
                                  {"event_time", COLUMN_EVENT_TIME}}},
	[MART_FACT_BOOKINGS]      = {10,
                                 {{"booking_id", COLUMN_BOOKING_KEY},
                                  {"user_id", COLUMN_ID},
                                  {"property_id", COLUMN_OF_BOOKING},
                                  {"amount", COLUMN_AMOUNT},
                                  {"check_in", COLUMN_OF_BOOKING},
                                  {"check_out", COLUMN_OF_BOOKING},
                                  {"lead_time_days", COLUMN_OF_BOOKING},
                                  {"days_of_week", COLUMN_OF_BOOKING},
                                  {"status", COLUMN_STATUS},
                                  {"created_at", COLUMN_EVENT_TIME}}},
	[MART_USER_BEHAVIOR_MART] = {26,
                                 {{"behavior_id", COLUMN_BEHAVIOR_ID},
                                  {"user_id", COLUMN_ID},
                                  {"membership_tier", COLUMN_TRAIT},
                                  {"device_type", COLUMN_TRAIT},
                                  {"active_regions", COLUMN_TRAIT},
                                  {"event_type", COLUMN_EVENT},
                                  {"search_keyword", COLUMN_SEARCH},
                                  {"region", COLUMN_PROPERTY},
                                  {"accommodation_type", COLUMN_PROPERTY},
                                  {"has_cart", COLUMN_CART},
                                  {"event_time", COLUMN_EVENT_TIME},
                                  {"product_id", COLUMN_PROPERTY},
                                  {"category", COLUMN_PROPERTY},
                                  {"themes", COLUMN_PROPERTY},
                                  {"price_range", COLUMN_PROPERTY},
                                  {"property_id", COLUMN_PROPERTY},
                                  {"property_type", COLUMN_PROPERTY},
                                  {"pet_friendly", COLUMN_PROPERTY},
                                  {"kids_friendly", COLUMN_PROPERTY},
                                  {"booking_id", COLUMN_BOOKING_KEY},
                                  {"amount", COLUMN_AMOUNT},
                                  {"check_in", COLUMN_OF_BOOKING},
                                  {"check_out", COLUMN_OF_BOOKING},
                                  {"lead_time_days", COLUMN_OF_BOOKING},
                                  {"days_of_week", COLUMN_OF_BOOKING},
                                  {"status", COLUMN_STATUS}}},
};

/* ---- Values ---- */

static struct value of_text(struct text text)
{
	return text.data == NULL ? (struct value){.type = VALUE_NULL}
	                         : (struct value){.type = VALUE_STRING, .text = text};
}

static struct value of_instant(int64_t ms, char text[INSTANT_TEXT_BYTES])
{
	return ms == INSTANT_MS_NONE ? (struct value){.type = VALUE_NULL}
	                             : of_text(instant_format(ms, text));
}

static struct value find(struct text list, const char *name)
{
	struct text text = text_of(name);
	return value_find(list, text, hash_name(text));
}

static struct value trait(const struct mart_source *source, const char *name)
{
	if (source->person == NULL)
		return (struct value){.type = VALUE_NULL};
	struct value value = find(source->person->traits, name);
	return value_is_personal(&value) ? find(source->personal, name) : value;
}

/* Of a booking the newest that was said; null was said too. */
static struct value property(const struct mart_source *source, const char *name)
{
	const struct mart_booking *booking = source->booking;
	for (size_t i = booking == NULL ? 0 : booking->updates.count; i > 0; i--) {
		struct value value = find(booking->updates.items[i - 1]->record.properties, name);
		if (value.type != VALUE_NONE)
			return value;
	}
	return find(source->event->record.properties, name);
}

static struct value search_keyword(const struct mart_source *source)
{
	struct value value = property(source, "search_keyword");
	if (value.type == VALUE_NONE &&
	    text_equal(source->event->record.name, TEXT("Products Searched")))
		value = property(source, "query");
	return value;
}

static struct value has_cart(const struct mart_source *source)
{
	struct value value = property(source, "has_cart");
	if (value.type == VALUE_NONE && text_equal(source->event->record.name, TEXT("Product Added")))
		value.type = VALUE_TRUE;
	return value;
}

/* `$amount` of the language. */
static struct value amount(const struct mart_source *source)
{
	static const char *const names[] = {"revenue", "amount", "total", "value"};
	double                   number;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct value value = property(source, names[i]);
		if (value_number(&value, &number))
			return value;
	}
	return (struct value){.type = VALUE_NULL};
}

static struct value status(const struct mart_source *source)
{
	if (source->booking->cancelled)
		return of_text(TEXT("cancelled"));
	struct value said = property(source, "status");
	if (said.type == VALUE_STRING)
		return said;
	return of_text(source->booking->updates.count > 0 ? TEXT("updated") : TEXT("created"));
}

static struct value booking_value(const struct column *column, const struct mart_source *source)
{
	if (source->booking == NULL)
		return (struct value){.type = VALUE_NULL};
	switch (column->kind) {
	case COLUMN_BOOKING_KEY:
		return of_text(source->booking->key);
	case COLUMN_AMOUNT:
		return amount(source);
	case COLUMN_STATUS:
		return status(source);
	default:
		return property(source, column->name);
	}
}

static struct value value_of(const struct column *column, const struct mart_source *source,
                             char text[INSTANT_TEXT_BYTES])
{
	switch (column->kind) {
	case COLUMN_ID:
		return of_text(source->id);
	case COLUMN_TRAIT:
		return trait(source, column->name);
	case COLUMN_CREATED:
		return of_instant(source->person->created_ms, text);
	case COLUMN_ACTIVE:
		return of_instant(source->person->last_active_ms, text);
	case COLUMN_FIELD:
		return find(source->list, column->name);
	case COLUMN_BEHAVIOR_ID:
		return (struct value){.type = VALUE_INT, .integer = (int64_t)source->event->position};
	case COLUMN_EVENT:
		return of_text(source->event->record.name);
	case COLUMN_EVENT_TIME:
		return of_instant(source->event->time_ms, text);
	case COLUMN_PROPERTY:
		return property(source, column->name);
	case COLUMN_SEARCH:
		return search_keyword(source);
	case COLUMN_CART:
		return has_cart(source);
	default:
		return booking_value(column, source);
	}
}

/* ---- Text ---- */

void mart_row_head(enum mart_table table, bool csv, struct buffer *out)
{
	for (size_t i = 0; csv && i < tables[table].count; i++) {
		buffer_add_text(out, i > 0 ? TEXT(",") : TEXT(""));
		buffer_add_text(out, text_of(tables[table].columns[i].name));
	}
	if (csv)
		buffer_add_text(out, TEXT("\r\n"));
}

static bool is_nothing(const struct value *value)
{
	return value->type == VALUE_NONE || value->type == VALUE_NULL || value_is_personal(value);
}

static void write_csv(const struct value *value, bool keep_formulas, struct buffer *scratch,
                      struct buffer *out)
{
	struct json_writer json = json_writer_of(scratch);
	if (is_nothing(value))
		return;
	if (value->type == VALUE_STRING) {
		export_add_text(out, value->text, keep_formulas);
		return;
	}
	buffer_clear(scratch);
	value_write_json(&json, value);
	csv_add_field(out, buffer_text(scratch));
}

void mart_row_write(enum mart_table table, bool csv, bool keep_formulas,
                    const struct mart_source *source, struct buffer *scratch, struct buffer *out)
{
	struct json_writer json = json_writer_of(out);
	char               text[INSTANT_TEXT_BYTES];
	if (!csv)
		json_begin_object(&json);
	for (size_t i = 0; i < tables[table].count; i++) {
		const struct column *column = &tables[table].columns[i];
		struct value         value  = value_of(column, source, text);
		if (csv) {
			buffer_add_text(out, i > 0 ? TEXT(",") : TEXT(""));
			write_csv(&value, keep_formulas, scratch, out);
		} else if (is_nothing(&value)) {
			json_member_null(&json, column->name);
		} else {
			json_add_key(&json, text_of(column->name));
			value_write_json(&json, &value);
		}
	}
	if (!csv)
		json_end_object(&json);
	buffer_add_text(out, csv ? TEXT("\r\n") : TEXT("\n"));
}
