#ifndef SONNIM_TESTS_MODEL_RANDOM_DEFINITION_H
#define SONNIM_TESTS_MODEL_RANDOM_DEFINITION_H

/* Random definitions, as JSON: valid, within all limits, small enough that equal parts occur. */

#include "../seed.h"
#include "base/buffer.h"
#include "model/expr.h"

static inline const char *pick(const char *const *from, size_t count)
{
	return from[seed_below(count)];
}

#define PICK(from) pick(from, sizeof(from) / sizeof(from)[0])

static inline void random_number(struct buffer *out)
{
	static const char *const numbers[] = {
		"0",
		"-0",
		"-0.0",
		"1",
		"1.0",
		"1e0",
		"10",
		"2.5",
		"-3",
		"1e21",
		"1E-6",
		"30000",
		"123456.789",
		"9007199254740993",
		"18446744073709551615",
	};
	buffer_printf(out, "%s", PICK(numbers));
}

static inline void random_scalar(struct buffer *out)
{
	static const char *const others[] = {
		"true",       "false",    "\"\"",        "\"VIP\"",         "\"제주\"",
		"\"a\\\"b\"", "\"\\\\\"", "\"\\u0007\"", "\"\\u001f\\n/\"", "\"\\ud83d\\ude00\"",
	};
	if (seed_below(2) == 0)
		random_number(out);
	else
		buffer_printf(out, "%s", PICK(others));
}

typedef void random_item_fn(struct buffer *out);

static inline void random_list(struct buffer *out, random_item_fn *item)
{
	size_t count = 1 + seed_below(12);
	buffer_add_text(out, TEXT("["));
	for (size_t i = 0; i < count; i++) {
		buffer_add_text(out, i == 0 ? TEXT("") : TEXT(","));
		item(out);
	}
	buffer_add_text(out, TEXT("]"));
}

static inline const char *random_duration(void)
{
	static const char *const durations[] = {"60s", "1m", "60m", "1h", "24h", "1d", "7d", "1w"};
	return PICK(durations);
}

/* "op" and "value" of a property or trait. */
static inline void random_test(struct buffer *out)
{
	static const char *const equal[]    = {"eq", "neq"};
	static const char *const ordered[]  = {"gt", "gte", "lt", "lte"};
	static const char *const lists[]    = {"in", "not_in"};
	static const char *const strings[]  = {"contains", "starts_with", "ends_with"};
	static const char *const alone[]    = {"exists", "absent"};
	static const char *const near[]     = {"within_last", "within_next"};
	static const char *const fixed[]    = {"before", "after"};
	static const char *const instants[] = {"2025-01-07", "2025-01-07T00:00:00Z",
	                                       "2025-01-07t09:00:00.000999+09:00", "0001-01-01",
	                                       "9999-12-31T23:59:59.999Z"};
	switch (seed_below(7)) {
	case 0:
		buffer_printf(out, "\"op\":\"%s\",\"value\":", PICK(equal));
		random_scalar(out);
		break;
	case 1:
		buffer_printf(out, "\"op\":\"%s\",\"value\":", PICK(ordered));
		random_number(out);
		break;
	case 2:
		buffer_printf(out, "\"op\":\"%s\",\"value\":", PICK(lists));
		random_list(out, random_scalar);
		break;
	case 3:
		buffer_printf(out, "\"op\":\"%s\",\"value\":\"x\"", PICK(strings));
		break;
	case 4:
		buffer_printf(out, "\"op\":\"%s\"", PICK(alone));
		break;
	case 5:
		buffer_printf(out, "\"op\":\"%s\",\"value\":\"%s\"", PICK(near), random_duration());
		break;
	default:
		buffer_printf(out, "\"op\":\"%s\",\"value\":\"%s\"", PICK(fixed), PICK(instants));
		break;
	}
}

static inline const char *random_name(void)
{
	static const char *const names[] = {"a",   "b",    "region", "a.b",       "$amount",
	                                    "and", "여행", "within", "two words", "q\\\"uote"};
	return PICK(names);
}

typedef void random_leaf_fn(struct buffer *out);

/* and, or, not over leaves, at most `depth` levels. */
static inline void random_tree(struct buffer *out, unsigned depth, random_leaf_fn *leaf)
{
	size_t form = depth == 0 ? 3 : seed_below(5);
	if (form > 2) {
		leaf(out);
		return;
	}
	if (form == 2) {
		buffer_add_text(out, TEXT("{\"not\":"));
		random_tree(out, depth - 1, leaf);
		buffer_add_text(out, TEXT("}"));
		return;
	}
	size_t count = 1 + seed_below(3);
	buffer_printf(out, "{\"%s\":[", form == 0 ? "and" : "or");
	for (size_t i = 0; i < count; i++) {
		buffer_add_text(out, i == 0 ? TEXT("") : TEXT(","));
		random_tree(out, depth - 1, leaf);
	}
	buffer_add_text(out, TEXT("]}"));
}

static inline void random_property_test(struct buffer *out)
{
	buffer_printf(out, "{\"property\":\"%s\",", random_name());
	random_test(out);
	buffer_add_text(out, TEXT("}"));
}

static inline void random_span(struct buffer *out)
{
	switch (seed_below(5)) {
	case 0:
		buffer_printf(out, "\"within\":\"%s\",", random_duration());
		break;
	case 1:
		buffer_printf(out, "\"until\":\"%s\",", random_duration());
		break;
	case 2:
		buffer_printf(out, "\"within\":\"%s\",\"until\":\"59m\",", "2h");
		break;
	case 3:
		buffer_add_text(out, TEXT("\"between\":[\"2025-01-01\",\"2025-02-01T00:00:00Z\"],"));
		break;
	default:
		break;
	}
}

static inline void random_amount(struct buffer *out)
{
	static const char *const amounts[] = {"0", "-1.5", "100000", "0.000001", "9.2e12"};
	buffer_printf(out, "%s", PICK(amounts));
}

static inline void random_days(struct buffer *out)
{
	static const char *const days[] = {"0", "1", "30", "-1", "7.0", "365"};
	buffer_printf(out, "%s", PICK(days));
}

/* "op" and "value" of an aggregate that is a number. */
static inline void random_comparison(struct buffer *out, random_item_fn *value, bool may_be_missing)
{
	static const char *const ordered[] = {"eq", "neq", "gt", "gte", "lt", "lte"};
	static const char *const lists[]   = {"in", "not_in"};
	static const char *const alone[]   = {"exists", "absent"};
	switch (seed_below(may_be_missing ? 4 : 3)) {
	case 0:
		buffer_printf(out, "\"op\":\"%s\",\"value\":", PICK(lists));
		random_list(out, value);
		break;
	case 3:
		buffer_printf(out, "\"op\":\"%s\"", PICK(alone));
		break;
	default:
		buffer_printf(out, "\"op\":\"%s\",\"value\":", PICK(ordered));
		value(out);
		break;
	}
}

static inline void random_aggregate_test(struct buffer *out, enum expr_aggregate aggregate)
{
	switch (aggregate) {
	case EXPR_FIRST:
	case EXPR_LAST:
		random_test(out);
		break;
	case EXPR_SUM:
	case EXPR_AVG:
		random_comparison(out, random_amount, aggregate == EXPR_AVG);
		break;
	case EXPR_DAYS_SINCE_FIRST:
	case EXPR_DAYS_SINCE_LAST:
		random_comparison(out, random_days, true);
		break;
	default:
		random_comparison(out, random_number, aggregate == EXPR_MIN || aggregate == EXPR_MAX);
		break;
	}
}

/* "event" and "where", with a comma behind them. */
static inline void random_what(struct buffer *out)
{
	static const char *const names[] = {"A", "*", "orders", "Order Completed", "of", "주문 완료"};
	buffer_printf(out, "\"event\":\"%s\"", PICK(names));
	if (seed_below(2) == 0) {
		buffer_add_text(out, TEXT(",\"where\":"));
		random_tree(out, 3, random_property_test);
	}
}

static inline void random_event(struct buffer *out)
{
	enum expr_aggregate aggregate = (enum expr_aggregate)seed_below(EXPR_AGGREGATE_COUNT);
	buffer_add_text(out, TEXT("{"));
	random_what(out);
	buffer_add_text(out, TEXT(","));
	if (aggregate != EXPR_COUNT || seed_below(2) == 0)
		buffer_printf(out, "\"aggregate\":\"%s\",", expr_aggregate_name(aggregate));
	if (aggregate != EXPR_COUNT && aggregate < EXPR_DAYS_SINCE_LAST)
		buffer_printf(out, "\"property\":\"%s\",", random_name());
	random_span(out);
	random_aggregate_test(out, aggregate);
	buffer_add_text(out, TEXT("}"));
}

static inline void random_sequence(struct buffer *out)
{
	size_t count = EXPR_STEPS_MIN + seed_below(3);
	buffer_add_text(out, TEXT("{\"sequence\":["));
	for (size_t i = 0; i < count; i++) {
		buffer_add_text(out, i == 0 ? TEXT("{") : TEXT(",{"));
		random_what(out);
		buffer_add_text(out, TEXT("}"));
	}
	buffer_add_text(out, TEXT("]"));
	if (seed_below(2) == 0)
		buffer_printf(out, ",\"within\":\"%s\"", random_duration());
	if (seed_below(2) == 0)
		buffer_printf(out, ",\"ended_within\":\"%s\"", random_duration());
	buffer_add_text(out, TEXT("}"));
}

static inline void random_leaf(struct buffer *out)
{
	switch (seed_below(5)) {
	case 0:
	case 1:
		random_event(out);
		break;
	case 2:
		random_sequence(out);
		break;
	case 3:
		buffer_printf(out, "{\"trait\":\"%s\",", random_name());
		random_test(out);
		buffer_add_text(out, TEXT("}"));
		break;
	default:
		buffer_printf(out, "{\"segment\":\"%s\"}", random_name());
		break;
	}
}

static inline void random_definition(struct buffer *out) { random_tree(out, 4, random_leaf); }

#endif
